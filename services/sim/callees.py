"""Knows who is behind a number, for the provider's stand-in: how texts and calls fare, and a line to answer on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

CallOutcome = Literal["human", "machine", "no-answer", "busy", "failed"]


@dataclass(frozen=True)
class Text:
    """One SMS on its way, accepted at warning time `at`; `key` names it by number and words, whatever comes first."""

    key: str
    sid: str
    to: str
    sender: str
    body: str
    at: float


@dataclass(frozen=True)
class TextFate:
    """Seconds after acceptance until it is sent and until its end; `error` is the carrier's code, 0 for delivered."""

    sent_s: float
    done_s: float
    error: int = 0


@dataclass(frozen=True)
class Ring:
    """One call on its way; `timeout_s` is how long it may ring."""

    key: str
    sid: str
    to: str
    sender: str
    timeout_s: float
    at: float


@dataclass(frozen=True)
class CallFate:
    """Who takes the call after how many seconds of ringing, or why nobody does."""

    outcome: CallOutcome
    rings_s: float


@dataclass(frozen=True)
class CalleeReaction:
    """A key pressed `after_s` seconds into what is said, or, without one, how long somebody stays on the line."""

    key: str
    after_s: float


class Line(Protocol):
    """The way back: a phone writes to the number that wrote to it."""

    async def inbound(self, *, sender: str, to: str, body: str, key: str) -> str | None:
        """Hands an SMS over to the webhook; returns the text that comes back, or None where it was lost."""
        ...


class Callees(Protocol):
    """Everybody behind every number."""

    def plug_in(self, line: Line) -> None:
        """Called once by the stand-in: where replies go."""
        ...

    def text(self, text: Text) -> TextFate:
        """How this text fares; the same for the same key."""
        ...

    def got(self, text: Text) -> None:
        """It has been delivered: put down in the agenda what its reader does."""
        ...

    def ring(self, ring: Ring) -> CallFate:
        """How this call fares; the same for the same key."""
        ...

    def hears(self, ring: Ring, said: str, seconds: float, turn: int, keys: bool) -> CalleeReaction:
        """What a person does who hears `said`, which takes `seconds`; `turn` counts what was said in this call."""
        ...
