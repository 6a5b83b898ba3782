"""Holds what a message is made of, and says in which of a warning's languages it is said. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.shared.ledger.kinds import DeliveryKind
from services.shared.people import languages
from services.shared.tiers import Tier

Parts = Mapping[str, Any]  # language > texts by part; beside them `languages`, `set`, `asked`, `to`
NAME = 100  # characters of an authority's name


@dataclass(frozen=True)
class MessageFacts:
    """All a text is made of. `parts` as above; `about` is the person a helper is told of."""

    kind: DeliveryKind
    addressee: str
    form: str
    tier: Tier
    parts: Parts
    number: str
    ref: str
    hotline: str
    ending: str = ""  # which, where the warning is one
    about: str = ""
    about_place: str = ""
    link: str = ""
    link_apart: bool = False  # the channel carries the link beside the text
    sms: bool = False
    notice: str = ""
    skill: str = ""  # what a volunteer is called out for
    by_video: bool = False  # to a video call, not to a door
    drill: bool = False
    links: bool = True  # the channel lets a link through
    two_way: bool = True  # the channel takes a reply
    speaks: tuple[str, ...] = ()  # languages its voice has, as zh or zh-HK; empty: all, or it is not a voice


def choose_language(wanted: str, available: list[str], of_place: str = "") -> str:
    """The first of a person's languages that is there, or one of its base; else the first of the place's; else the warning's
    first. Never English because it is English: whoever reads no language of the warning reads the one spoken around them."""
    if not available:
        return "en"
    return languages.choose(wanted, available) or languages.choose(of_place, available) or available[0]


def of_place(parts: Parts) -> str:
    """The languages of the place a warning is for, best first."""
    return str(parts.get("of_place", ""))
