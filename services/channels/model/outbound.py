"""Defines an outgoing message."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from services.channels.model.outcome import Outcome
from services.shared.ledger.params import CallTimes


class Outbound(msgspec.Struct, frozen=True):
    """One message, opened and rendered: it lives for one call and is never stored or logged."""

    delivery_id: str
    warning_id: str
    channel: str
    to: str
    text: str
    spoken: str
    subject: str
    language: str
    link: str  # to the page where it is answered; empty where its words have no place for one
    seconds_left: int
    document: bytes = b""  # the CAP document, for area channels
    tier: int = 0
    chain_id: str = ""  # one for a warning with its updates and ending; empty where there is none
    call: CallTimes | None = None  # how long it rings and is listened to, where it is a call and the policy says so
    hazard: str = ""  # our word for it, where it is known
    as_recorded: bool = (
        True  # the alert itself asks what the words about its hazard say: a recording of those may be played
    )
    ending: str = ""  # which, where it is one
    instruction: str = ""  # the one thing it tells people to do, where it does
    slow: bool = False  # it is spoken slowly and loudly, with pauses
    of_many: bool = False  # its words speak of no single person, and many get the same
    again: bool = False  # it was tried before, perhaps by another process
    settled: Mapping[str, Outcome] = {}  # of an area's: stations that took it, or never will
    spoken_in: dict[str, str] = {}  # language > spoken text, for what speaks to the whole area
