"""Defines the outcome of an attempt; each answers whether the message may be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LATE = "late_start"  # a call of ours that could not begin in time and was not made: says nothing of the provider


class Outcome(StrEnum):
    """What came of handing one message over."""

    ACCEPTED = "accepted"  # the provider has it
    NOT_SENT = "not_sent"  # surely not accepted: try again
    PROVIDER_FAULT = "provider_fault"  # our account or key is refused: pause the channel, fail nobody
    PERMANENT = "permanent"  # this address is refused for good
    AMBIGUOUS = "ambiguous"  # it may have been accepted


@dataclass(frozen=True)
class Station:
    """What came of it at one of those an area's message goes to: an operator, a broadcaster, a group."""

    name: str
    outcome: Outcome
    code: str = ""
