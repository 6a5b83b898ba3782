"""Describes a channel that a policy names, such as sms or door: what it can do and what it lacks."""

from __future__ import annotations

from dataclasses import dataclass

SMS_CHANNELS = ("sms", "supporter_sms", "officer_sms")
STANDS_IN = "log"  # keeps a channel only where no other driver does


@dataclass(frozen=True)
class Channel:
    """The path to a kind of contact, and what it can and cannot do."""

    name: str
    contact_kinds: tuple[str, ...] = ()
    two_way: bool = False
    links: bool = True
    voice: bool = False
    repeats_per_day: int = 0  # 0: no limit
    templates_only: bool = False
    speaks: tuple[str, ...] = ()  # a voice's languages, as zh or zh-hk; empty: all there are, or it is no voice
    proof: str = "accepted"  # the most a link test can see come back: accepted, delivered, answered


@dataclass(frozen=True)
class Carried:
    """The channels of one driver, as a policy is held against them."""

    channels: tuple[Channel, ...]
