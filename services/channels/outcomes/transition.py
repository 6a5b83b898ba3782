"""Turns the outcome of an attempt into a report: the next state, and when it is tried again."""

from __future__ import annotations

from dataclasses import replace

from services.channels.model.driver import Outcome, Result
from services.channels.model.flight import Flight
from services.channels.model.outcome import LATE
from services.channels.model.report import Report, Sent
from services.channels.providers.rate_limit import backoff
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import Delivery
from services.shared.tiers import Tier

S = SendState


def told(row: Delivery, flight: Flight, result: Result, now: float, *, exhausted: bool) -> Report:
    """What is written down of a call of a flight; `exhausted` where the delivery was turned away often enough."""
    n = row.attempts + 1
    report = Report(
        row.delivery_id, event_key=f"{row.delivery_id}:{n}:outcome", source="outcome", attempt=n, code=result.code,
        reason=result.outcome.value, ref=result.ref, provider=flight.driver, stations=result.stations, flight=flight,
        plain=row.kind in (DeliveryKind.WARNING, DeliveryKind.ENDING) and bool(row.person_id),
    )  # fmt: skip
    match result.outcome:
        case Outcome.ACCEPTED:
            sent = Sent(flight.driver, row.delivery_id, result.parts) if result.parts else None
            return replace(report, state=S.ACCEPTED, evidence=Evidence.ACCEPTED, sent=sent)
        case Outcome.PERMANENT:
            return replace(report, state=S.FAILED)
        case Outcome.AMBIGUOUS:
            return replace(report, state=S.UNKNOWN)
        case _ if exhausted:
            return replace(report, state=S.FAILED)
        case _ if result.code == LATE:  # not the provider's fault: again at once
            return replace(report, state=S.RETRY, again_at=now)
        case _:
            wait = max(backoff(Tier(row.tier), n, row.delivery_id), result.retry_after or 0.0)
            return replace(report, state=S.RETRY, again_at=now + wait)
