"""Defines what a driver may ask of Tocsin: to record a report, and to take in a reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.channels.model.inbound import Inbound
from services.channels.model.outbound import Outbound
from services.channels.model.report import Report
from services.shared.ledger.evidence import Answer


class Recorder(Protocol):
    """Writes reports into the ledger."""

    async def report(self, report: Report) -> None:
        """Returns after the commit."""
        ...


class Replies(Protocol):
    """Finds the delivery a reply belongs to, records the answer, and says what to send back."""

    async def inbound(self, message: Inbound) -> str:
        """The text to send back; empty where nothing is sent back."""
        ...

    def keys_of(self, number: str) -> list[str]:
        """Keyed names of a phone number, one for each form in which providers write it."""
        ...

    def code_of(self, use: str, value: str) -> str:
        """A name for a value that tells nothing of it, the same for ever."""
        ...

    async def thanks(self, answer: Answer, warning_id: str, language: str, person_id: str = "") -> str:
        """What is said back to an answer to that warning."""
        ...

    async def say_again(self, delivery_id: str) -> Outbound:
        """The message of one call once more. NotFound where the delivery is unknown."""
        ...

    async def answers(self, delivery_id: str) -> list[str]:
        """Answers recorded on one delivery, oldest first."""
        ...


@dataclass(frozen=True)
class Receivers:
    """Who takes what comes in over a driver; given with `start` and `routes`, since they need to know all channels."""

    recorder: Recorder
    replies: Replies
