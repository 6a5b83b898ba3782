"""Folds reports into ledger rows, each row written once, by the table of allowed transitions.

Evidence only climbs, a state moves only along the ledger's table, the same event told twice is one row: so any order
and any repetition end the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import NamedTuple, Protocol

import msgspec
import sqlalchemy as sa
import structlog

from services.channels.model.outcome import LATE, Outcome
from services.channels.model.report import Report
from services.channels.outcomes import accepted, flights
from services.channels.outcomes.multipart import settle
from services.channels.outcomes.opted_out import stop
from services.channels.providers.provider_store import Scored, count
from services.channels.providers.stations import note
from services.shared import telemetry
from services.shared.bus.outbox import new_id, publish
from services.shared.database.batches import Each, insert_new, one_of
from services.shared.database.engine import Connection, Id
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.answers import answer_log
from services.shared.ledger.evidence import SERIOUSNESS, Answer, Evidence
from services.shared.ledger.flights import enqueue
from services.shared.ledger.kinds import SAYS_NO_WARNING
from services.shared.ledger.moves import UNSENT
from services.shared.ledger.states import STOPPED, TRANSITIONS, SendState
from services.shared.ledger.tables import DOOR_DRIVER, delivery
from services.shared.messages import EVENT_IDS, EvidenceRecorded

log = structlog.get_logger("recorder")
S = SendState


class _Read(NamedTuple):
    """A delivery as it stood before these reports."""

    delivery_id: str
    warning_id: str
    tier: int
    kind: str
    answer: str
    answer_at: float | None
    address_key: str
    driver: str
    batch_id: str
    send_state: str
    state_at: float
    state_reason: str
    due_at: float
    attempts: int
    ambiguous: int
    sent_at: float | None
    provider_ref: str
    evidence: int
    evidence_at: float | None


@dataclass(slots=True)
class _Facts:
    """What reports change of a delivery, each a column of its own."""

    send_state: str
    state_at: float
    state_reason: str
    due_at: float
    attempts: int
    ambiguous: int
    sent_at: float | None
    provider_ref: str
    evidence: int
    evidence_at: float | None


_WRITTEN = {field.name: delivery.c[field.name].type for field in fields(_Facts)}
_STAND = Each(
    lambda v: (
        sa.update(delivery).where(delivery.c.delivery_id == v("d")).values({name: v(f"{name}_") for name in _WRITTEN})
    ),
    d=Id,
    **{f"{name}_": kind for name, kind in _WRITTEN.items()},
)


class _Named(Protocol):
    """What a provider's report is compared with: the delivery's number and how often it was sent."""

    @property
    def address_key(self) -> str: ...

    @property
    def attempts(self) -> int: ...

    @property
    def send_state(self) -> str: ...


async def write(tx: Connection, reports: list[Report], plane: str, scored: frozenset[str] = frozenset()) -> bool:
    """All of it in the caller's transaction: rows locked and read, reports folded into them, each row written once.

    Whether the router is told of any.
    """
    flying = await flights.lock(tx, reports)
    left, said = await accepted.write(tx, reports, flying, plane, scored)
    said = await _fold_all(tx, left, flying, plane, scored) or said
    await flights.land(tx, flying)
    return said


_ABOUT = (
    sa.select(*columns(_Read, delivery))
    .where(one_of(delivery.c.delivery_id, "ids"))
    .order_by(delivery.c.delivery_id)  # two recorders that report on the same rows lock them in one order
    .with_for_update()
)


async def _fold_all(
    tx: Connection, reports: list[Report], flying: flights.Flying, plane: str, scored: frozenset[str]
) -> bool:
    reports = await _with_parts(tx, reports)
    if not reports:
        return False
    ids = sorted({r.delivery_id for r in reports})
    known = {row.delivery_id: row for row in await rows_of(tx, _Read, _ABOUT, {"ids": ids})}
    orphans = [r for r in reports if r.delivery_id not in known]
    if orphans:
        log.warning("orphan_reports", count=len(orphans), first=orphans[0].delivery_id)
    by_delivery: dict[str, list[Report]] = defaultdict(list)
    names = {i: row.provider_ref for i, row in known.items()}
    names |= {r.delivery_id: r.ref for r in reports if r.source == "outcome" and r.ref}
    for report in reports:
        one = report.delivery_id
        if one in known and fits(report, known[one], names.get(one, "")):
            by_delivery[one].append(report)
            names[one] = names.get(one) or report.ref
    reports = [r for some in by_delivery.values() for r in some]
    await flights.attempts(tx, reports)
    await note(tx, [(r.delivery_id, one, r.at) for r in reports for one in r.stations])
    if scored:
        await count(tx, _scores(reports, known, scored))
    changed, again = [], set[str]()
    for one, row in known.items():
        before = _Facts(*(getattr(row, name) for name in _WRITTEN))
        if flying.holds(one, row.batch_id, row.send_state):
            before.send_state = S.SENDING.value
        after = fold(replace(before), by_delivery[one])
        if after != before:
            if after.send_state == S.SENDING:  # told of by somebody else: it is still in the air
                after.send_state = row.send_state
            elif after.send_state == S.RETRY != before.send_state:
                again.add(one)
            changed.append({"d": one, **{f"{name}_": getattr(after, name) for name in _WRITTEN}})
    await _STAND.run(tx, changed)
    await enqueue(tx, [str(c["d"]) for c in changed if c["d"] in again])
    await _answers(
        tx,
        reports,
        {i: (row.answer, row.answer_at) for i, row in known.items()},
        {i for i, r in known.items() if r.driver == DOOR_DRIVER},
    )
    if refused := [r for r in reports if r.state is S.FAILED and r.code == STOPPED]:
        await stop(tx, {known[r.delivery_id].address_key for r in refused}, "provider", refused[0].at, plane)
    events: dict[tuple[str, int], list[str]] = defaultdict(list)
    for i in sorted(known):
        if known[i].kind not in SAYS_NO_WARNING:
            events[known[i].warning_id, known[i].tier].append(i)
    await publish(
        tx,
        [
            EvidenceRecorded(
                msg_id=new_id(), plane=plane, warning_id=warning_id, tier=tier, ids=tuple(group[k : k + EVENT_IDS])
            )
            for (warning_id, tier), group in events.items()
            for k in range(0, len(group), EVENT_IDS)
        ],
    )
    return bool(events) or bool(refused)


def fits(report: Report, row: _Named, name: str) -> bool:
    """Whether a provider's report is of this delivery: of its number, and by the provider's `name` of the message.

    A report that came before our call's answer was written has no name to be compared with: the number has to fit, and
    the name is kept from then on. A message that was sent twice has two names. What does not fit is told, never applied.
    """
    if report.to is None:
        return True
    why = ""
    if row.address_key not in report.to:
        why = "another number"
    elif name and name != report.ref and row.attempts + (row.send_state in UNSENT) < 2:
        why = "another name"
    if why:
        not_ours(report.provider, why, report.delivery_id)
    return not why


def not_ours(provider: str, why: str, delivery_id: str) -> None:
    """Tells and counts a report that names a delivery it is not of."""
    telemetry.refused[provider, why] += 1
    log.error("report_of_another_message", provider=provider, delivery_id=delivery_id, why=why)


def _scores(reports: Sequence[Report], known: Mapping[str, _Read], scored: frozenset[str]) -> list[Scored]:
    """What these reports say for or against providers: calls as they end, the first word of a delivery."""
    found: list[Scored] = []
    heard: set[str] = set()
    for r in reports:
        if r.provider not in scored:
            continue
        row = known[r.delivery_id]
        if r.source == "outcome":
            if r.code != LATE and r.reason != Outcome.PERMANENT:
                good = r.reason == Outcome.ACCEPTED
                found.append(Scored(r.provider, r.at, calls=1, bad=int(not good), accepted=int(good)))
        elif r.state is S.DELIVERED and r.delivery_id not in heard:
            heard.add(r.delivery_id)
            if row.send_state != S.DELIVERED:
                found.append(Scored(r.provider, row.sent_at if row.sent_at is not None else r.at, heard=1))
    return found


async def _with_parts(tx: Connection, reports: list[Report]) -> list[Report]:
    """Receipts of parts become reports on the deliveries that are whole now."""
    sent = [r.sent for r in reports if r.sent is not None]
    told = [r.part for r in reports if r.part is not None]
    if not sent and not told:
        return reports
    at = max(r.at for r in reports)
    states = {"delivered": (S.DELIVERED, Evidence.DELIVERED), "failed": (S.FAILED, Evidence.NONE)}
    whole = [
        Report(
            v.delivery_id, event_key=f"{v.sending}:{v.state}", state=states[v.state][0], evidence=states[v.state][1],
            reason=v.state, code=v.code, at=at, provider=v.provider,
        )
        for v in await settle(tx, sent, told)
    ]  # fmt: skip
    return [r for r in reports if r.part is None] + whole


def fold(new: _Facts, reports: Sequence[Report]) -> _Facts:
    """A delivery's facts after these reports: the state moves along the table only, evidence only climbs.

    The weakest state first, so that a stronger report wins in whatever order they came; of two that say the same the
    first counts.
    """
    for after in (S.RETRY, S.FAILED, S.UNKNOWN, S.ACCEPTED, S.DELIVERED):
        for outcome in (True, False):
            said = [r for r in reports if r.state is after and (r.source == "outcome") is outcome]
            if said and S(new.send_state) in _sources(after, outcome):
                _enter(new, after, said[0])
    for report in reports:
        if report.source == "outcome":
            new.attempts = max(new.attempts, report.attempt)
        if report.ref and (report.source == "outcome" or not new.provider_ref):
            new.provider_ref = report.ref
        if report.evidence > new.evidence:
            new.evidence, new.evidence_at = int(report.evidence), report.at
    return new


def _enter(facts: _Facts, after: SendState, report: Report) -> None:
    facts.send_state, facts.state_at = after.value, report.at
    facts.state_reason = (report.code or report.reason)[:80]
    if after is S.RETRY:
        facts.due_at = report.again_at if report.again_at is not None else report.at
    if after is S.UNKNOWN:
        facts.ambiguous += 1
    if after in (S.ACCEPTED, S.DELIVERED) and facts.sent_at is None:
        facts.sent_at = report.at


@cache
def _sources(after: SendState, outcome: bool) -> frozenset[SendState]:
    """Where `after` may be entered from. A callback may have overtaken our own call's answer, which then says no more."""
    if outcome:
        return frozenset({S.SENDING, S.UNKNOWN} if after in (S.ACCEPTED, S.FAILED) else {S.SENDING})
    return frozenset(b for b, a in TRANSITIONS if a == after)


async def _answers(
    tx: Connection, reports: list[Report], shown: dict[str, tuple[str, float | None]], visits: set[str]
) -> None:
    """Every answer is kept; shown is the most serious, at a door the last: who stands there corrects what was said.

    The last is the one that was said last: what a phone kept while it had no network comes late.
    """
    kept: list[Report] = []
    for r in sorted((r for r in reports if r.answer is not None or r.note or r.asks), key=lambda r: r.event_key):
        added = await insert_new(
            tx,
            answer_log,
            [
                {
                    "event_key": r.event_key[:64],
                    "delivery_id": r.delivery_id,
                    "answer": r.answer or "",
                    "by": r.by,
                    "at": r.at,
                    "covers": r.covers,
                    "note": r.note[:400],
                    "asks": r.asks,
                }
            ],
        )
        kept += [r] if added else []
    for r in sorted(kept, key=lambda r: (r.at, r.event_key)):
        if r.answer is None:
            continue
        before, before_at = shown.get(r.delivery_id, ("", None))
        if r.delivery_id in visits:
            counts = before_at is None or not before or r.at >= before_at
        else:
            counts = not before or SERIOUSNESS[r.answer] >= SERIOUSNESS[Answer(before)]
        if counts:
            shown[r.delivery_id] = (r.answer, r.at)
            await tx.execute(
                sa.update(delivery)
                .where(delivery.c.delivery_id == r.delivery_id)
                .values(answer=r.answer, answer_by=r.by, answer_at=r.at, answer_covers=r.covers)
            )


def storable(report: Report) -> Report:
    """Its texts as every database takes them: no control characters, no halves of a pair, no longer than their columns."""
    short = (
        len(report.event_key) <= 64 and len(report.reason) <= 80 and len(report.code) <= 80 and len(report.ref) <= 64
    )
    texts = report.event_key + report.reason + report.code + report.ref
    if short and not report.note and texts.isprintable():
        return report
    return msgspec.structs.replace(
        report, event_key=_plain(report.event_key, 64), note=_plain(report.note, 400), reason=_plain(report.reason, 80),
        code=_plain(report.code, 80), ref=_plain(report.ref, 64),
    )  # fmt: skip


def _plain(text: str, most: int) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:most]
