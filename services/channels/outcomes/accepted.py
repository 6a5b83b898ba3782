"""Writes what providers took and no path waits for: state, attempt and tally of many at once.

That a provider took a message moves no path: it is counted here, and the router hears of the person's own signs. What is
more than that (parts, a policy that calls it reached, a delivery that moved meanwhile) goes the way of every report.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.channels.model.report import Report
from services.channels.outcomes import flights
from services.channels.providers.provider_store import Scored, count
from services.shared.bus.outbox import new_id, publish
from services.shared.database.batches import array_text, sql_array
from services.shared.database.engine import Connection
from services.shared.ledger.states import SendState
from services.shared.ledger.tally import ACCEPTED_BIT, CHANNELS, Deltas
from services.shared.messages import EvidenceRecorded

_SET = """
UPDATE delivery SET send_state = 'accepted', state_at = said.at, state_reason = said.why, evidence = 1, evidence_at = said.at,
 sent_at = coalesce(sent_at, said.at), provider_ref = said.ref, attempts = said.n, tallied = tallied | 1
FROM {said}
WHERE delivery_id = said.d AND batch_id = said.b AND send_state IN ('pending', 'retry') AND evidence = 0
RETURNING delivery_id, warning_id, profile_key, channel, tier,
 EXISTS (SELECT 1 FROM warning_state AS w WHERE w.warning_id = delivery.warning_id AND w.state <> 'active') AS is_over
"""
_ON_SQLITE = sa.text(
    _SET.format(
        said="(SELECT value ->> 0 AS d, value ->> 1 AS b, value ->> 2 AS ref, value ->> 3 AS n, value ->> 4 AS at,"
        " value ->> 5 AS why FROM json_each(:rows)) AS said"
    )
)
_KINDS = {"d": "text", "b": "text", "ref": "text", "n": "smallint", "at": "float", "why": "text"}
_ARRAYS = ", ".join(f"CAST({sql_array(f':{name}')} AS {kind}[])" for name, kind in _KINDS.items())
_ON_POSTGRESQL = sa.text(_SET.format(said=f"unnest({_ARRAYS}) AS said({', '.join(_KINDS)})")).bindparams(
    *(sa.bindparam(name, type_=sa.Text()) for name in _KINDS)
)


class _Moved(NamedTuple):
    delivery_id: str
    warning_id: str
    profile_key: str
    channel: str
    tier: int
    is_over: bool  # its warning


async def write(
    tx: Connection, reports: Sequence[Report], flying: flights.Flying, plane: str, scored: frozenset[str]
) -> tuple[list[Report], bool]:
    """The reports that are still to be folded, and whether the router is told of any other."""
    told = Counter(r.delivery_id for r in reports)
    plain = {r.delivery_id: r for r in reports if _plain(r, flying) and told[r.delivery_id] == 1}
    if not plain:
        return list(reports), False
    moved = await _moved(tx, [plain[one] for one in sorted(plain)], flying)
    taken = {row.delivery_id for row in moved}
    await flights.attempts(tx, [plain[one] for one in sorted(taken)])
    if scored:
        theirs = [r for one, r in plain.items() if one in taken and r.provider in scored]
        await count(tx, [Scored(r.provider, r.at, calls=1, accepted=1) for r in theirs])
    counted = sorted({row.warning_id for row in moved})
    for warning_id in counted:
        deltas = Deltas(warning_id)
        for row in moved:
            if row.warning_id == warning_id:
                deltas.channel(row.profile_key, row.channel, CHANNELS[ACCEPTED_BIT])
        await deltas.add(tx)
    said = await _tell_of_what_is_over(tx, moved, plane)
    return [r for r in reports if r.delivery_id not in taken], said


async def _tell_of_what_is_over(tx: Connection, moved: Sequence[_Moved], plane: str) -> bool:
    """A warning that ended while these were in the air: whoever tells of its end waits for them."""
    events = [
        EvidenceRecorded(msg_id=new_id(), plane=plane, warning_id=row.warning_id, tier=row.tier, ids=(row.delivery_id,))
        for row in moved
        if row.is_over
    ]
    if events:
        await publish(tx, events)
    return bool(events)


def _plain(report: Report, flying: flights.Flying) -> bool:
    return (
        report.plain
        and report.flight is not None
        and report.state is SendState.ACCEPTED
        and report.flight.flight_id in flying.flights
        and not report.flight.tells
    )


async def _moved(tx: Connection, reports: Sequence[Report], flying: flights.Flying) -> list[_Moved]:
    """Those that stood as they were called."""
    rows = [
        (r.delivery_id, flying.batch_of[r.delivery_id], r.ref, r.attempt, r.at, r.code or r.reason) for r in reports
    ]
    if tx.dialect.name == "sqlite":
        result = await tx.execute(_ON_SQLITE, {"rows": json.dumps(rows)})
    else:
        columns = zip(_KINDS, zip(*rows, strict=True), strict=True)
        result = await tx.execute(_ON_POSTGRESQL, {name: array_text(column) for name, column in columns})
    return [_Moved._make(row) for row in result]
