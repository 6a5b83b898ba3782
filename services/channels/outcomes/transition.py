"""Turns the outcome of an attempt into a report: the next state, and when it is tried again."""

from __future__ import annotations

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
_ONE_PERSONS = frozenset({DeliveryKind.WARNING.value, DeliveryKind.ENDING.value})


def told(row: Delivery, flight: Flight, result: Result, now: float, *, exhausted: bool) -> Report:
    """What is written down of a call of a flight; `exhausted` where the delivery was turned away often enough."""
    n = row.attempts + 1
    state, evidence, again_at, sent = S.FAILED, Evidence.NONE, None, None
    match result.outcome:
        case Outcome.ACCEPTED:
            state, evidence = S.ACCEPTED, Evidence.ACCEPTED
            sent = Sent(flight.driver, row.delivery_id, result.parts) if result.parts else None
        case Outcome.PERMANENT:
            pass
        case Outcome.AMBIGUOUS:
            state = S.UNKNOWN
        case _ if exhausted:
            pass
        case _ if result.code == LATE:  # not the provider's fault: again at once
            state, again_at = S.RETRY, now
        case _:
            state = S.RETRY
            again_at = now + max(backoff(Tier(row.tier), n, row.delivery_id), result.retry_after or 0.0)
    return Report(
        row.delivery_id, event_key=f"{row.delivery_id}:{n}:outcome", source="outcome", state=state, evidence=evidence,
        attempt=n, code=result.code, reason=str(result.outcome), ref=result.ref, provider=flight.driver, sent=sent,
        stations=result.stations, flight=flight, again_at=again_at,
        plain=row.kind in _ONE_PERSONS and bool(row.person_id),
    )  # fmt: skip
