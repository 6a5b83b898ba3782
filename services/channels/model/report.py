"""Defines a report: one thing learnt about a delivery, from our own call, a provider's callback, or a page."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from services.channels.model.flight import Flight
from services.channels.model.outcome import Station
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.states import SendState


@dataclass(frozen=True)
class Sent:
    """A message the provider took as these parts."""

    provider: str
    delivery_id: str
    refs: tuple[str, ...]


@dataclass(frozen=True)
class PartReceipt:
    """What the provider says of one part: delivered, or failed with its code.

    `others`: names it may be kept under as well; `to`: keys of the phone the receipt is of, where it names one.
    """

    provider: str
    ref: str
    state: str
    code: str = ""
    others: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """One thing learnt. `source` is outcome (our own call), callback or page. `at` is when it was learnt, in
    warning time: the recorder takes the time itself.
    """

    delivery_id: str
    event_key: str
    source: str = "callback"
    state: SendState | None = None
    evidence: Evidence = Evidence.NONE
    answer: Answer | None = None
    by: str = ""
    covers: int = 1
    note: str = ""
    asks: str = ""  # question, or urgent: a person has to read it
    ref: str = ""
    reason: str = ""
    again_at: float | None = None  # warning time of the next try, with state RETRY
    attempt: int = 0
    code: str = ""
    at: float = 0.0
    sent: Sent | None = None  # with an outcome: the parts the provider made of it
    provider: str = ""  # who was called, or calls back
    plain: bool = False  # an outcome about one person that no path waits for, where it says accepted
    flight: Flight | None = None  # with an outcome: what its call was part of
    stations: tuple[Station, ...] = ()  # with an outcome: each of those an area's message went to
    part: PartReceipt | None = None  # instead of a delivery: a receipt that names a part of one
    to: tuple[str, ...] | None = None  # keys of the number a provider's report is of, where it must be this delivery's
