"""Tracks the parts of a message by the provider's names; it is delivered when every part is.

A receipt may come before our own outcome is written, to another process, twice, or for a part of a message that was
sent again: rows are found by the provider's name alone, and judged by all parts of the one sending.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.channels.model.report import PartReceipt, Sent
from services.shared import telemetry
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.batches import Each, insert_new, one_of, upsert
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.ledger import delivery

log = structlog.get_logger("parts")
message_part = sa.Table(
    "message_part",
    metadata,
    sa.Column("provider", sa.String(24), primary_key=True),
    sa.Column("ref", sa.String(65), primary_key=True, comment="the provider's name of this part"),
    sa.Column("delivery_id", Id, nullable=False, server_default="", comment="empty: its receipt came first"),
    sa.Column("sending", Id, nullable=False, server_default="", index=True),
    sa.Column("parts", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("state", sa.String(10), nullable=False, server_default=""),
    sa.Column("code", sa.String(24), nullable=False, server_default=""),
    sa.Column("at", sa.Float, nullable=False, comment="wall"),
    sa.CheckConstraint("state IN ('', 'delivered', 'failed')", name="state"),
)
_FAIL = Each(  # what was delivered stays delivered
    lambda v: (
        sa.update(message_part)
        .where(message_part.c.provider == v("p"), message_part.c.ref == v("r"), message_part.c.state == "")
        .values(state="failed", code=v("c"))
    ),
    p=sa.String, r=sa.String, c=sa.String,
)  # fmt: skip
KEPT_S = 7 * 86400.0  # a receipt later than that is of no use; references are used again by providers


@dataclass(frozen=True)
class Verdict:
    """What the receipts so far say of a whole delivery."""

    provider: str
    delivery_id: str
    sending: str
    state: str
    code: str


class _Part(NamedTuple):
    provider: str
    delivery_id: str
    sending: str
    parts: int
    state: str
    code: str


async def settle(tx: Connection, sent: Sequence[Sent], receipts: Sequence[PartReceipt]) -> list[Verdict]:
    """Writes both down and judges every message that is whole now, in the caller's transaction."""
    for provider, rows in _by_provider(
        _sent_row(one, ref, sending) for one, sending in _named(sent) for ref in one.refs
    ):
        # a name given out again speaks of the new message; one without delivery is a receipt that overtook us
        again = sa.and_(message_part.c.provider == provider, one_of(message_part.c.ref, [str(r["ref"]) for r in rows]))
        await tx.execute(
            sa.update(message_part).where(again, message_part.c.delivery_id != "").values(state="", code="")
        )
        await upsert(tx, message_part, rows, ["provider", "ref"], replace=["delivery_id", "sending", "parts", "at"])
    receipts = await _meant(tx, receipts)
    for provider, rows in _by_provider(_receipt_row(one) for one in receipts):
        await insert_new(tx, message_part, rows)
        good = sorted({str(r["ref"]) for r in rows if r["state"] == "delivered"})
        which = sa.and_(message_part.c.provider == provider, one_of(message_part.c.ref, good))
        await tx.execute(sa.update(message_part).where(which).values(state="delivered", code=""))
        bad = {str(r["ref"]): {"p": provider, "r": r["ref"], "c": r["code"]} for r in rows if r["state"] == "failed"}
        await _FAIL.run(tx, list(bad.values()))
    found: list[Verdict] = []
    refs: dict[str, set[str]] = defaultdict(set)
    for provider, ref in [(s.provider, ref) for s in sent for ref in s.refs] + [(r.provider, r.ref) for r in receipts]:
        refs[provider].add(ref)
    for provider, names in sorted(refs.items()):
        theirs = sa.select(message_part.c.sending).where(
            message_part.c.provider == provider, one_of(message_part.c.ref, sorted(names)), message_part.c.state != "",
            message_part.c.sending != "",
        )  # fmt: skip
        sendings = sorted(set((await tx.scalars(theirs)).all()))
        if sendings:
            whole = sa.select(*columns(_Part, message_part)).where(one_of(message_part.c.sending, sendings))
            found += _judged(await rows_of(tx, _Part, whole.order_by(message_part.c.sending, message_part.c.ref)))
    return found


async def _meant(tx: Connection, receipts: Sequence[PartReceipt]) -> list[PartReceipt]:
    """Each under the name of the one part it can be of; one that fits two, or only another phone's part, is left out."""
    found: dict[tuple[str, str], str] = {}
    for provider in sorted({r.provider for r in receipts}):
        asked = sorted({name for r in receipts if r.provider == provider for name in (r.ref, *r.others)})
        parts = (
            sa.select(message_part.c.ref, delivery.c.address_key)
            .join(delivery, delivery.c.delivery_id == message_part.c.delivery_id)
            .where(message_part.c.provider == provider, one_of(message_part.c.ref, asked))
        )
        found |= {(provider, row.ref): row.address_key for row in await tx.execute(parts)}
    kept = []
    for one in receipts:
        there = [name for name in (one.ref, *one.others) if (one.provider, name) in found]
        fitting = [name for name in there if not one.to or found[one.provider, name] in one.to]
        if len(fitting) == 1 or not there:
            kept.append(replace(one, ref=fitting[0]) if fitting else one)
            continue
        why = "two messages" if fitting else "another number"
        telemetry.refused[one.provider, why] += 1
        log.error("receipt_of_another_message", provider=one.provider, why=why)
    return kept


async def forget_old(tx: Connection) -> None:
    """Drops what no receipt is awaited for any more."""
    await tx.execute(sa.delete(message_part).where(message_part.c.at < wall() - KEPT_S))


def _named(sent: Sequence[Sent]) -> list[tuple[Sent, str]]:
    return [(one, new_id()) for one in sent]


def _sent_row(one: Sent, ref: str, sending: str) -> dict[str, object]:
    return {
        "provider": one.provider, "ref": ref[:65], "delivery_id": one.delivery_id, "sending": sending,
        "parts": len(one.refs), "at": wall(),
    }  # fmt: skip


def _receipt_row(one: PartReceipt) -> dict[str, object]:
    return {"provider": one.provider, "ref": one.ref[:65], "state": one.state, "code": one.code[:24], "at": wall()}


def _by_provider(rows: Iterable[dict[str, object]]) -> list[tuple[str, list[dict[str, object]]]]:
    found: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in rows:
        found[str(row["provider"])].append(row)
    return sorted((provider, sorted(mine, key=lambda r: str(r["ref"]))) for provider, mine in found.items())


def _judged(rows: Sequence[_Part]) -> list[Verdict]:
    """Failed as soon as a part is, delivered when all are; nothing while parts are silent."""
    sendings: dict[str, list[_Part]] = defaultdict(list)
    for row in rows:
        sendings[row.sending].append(row)
    found = []
    for sending, mine in sendings.items():
        states = [row.state for row in mine]
        failed = next((row for row in mine if row.state == "failed"), None)
        if failed is not None:
            found.append(Verdict(failed.provider, failed.delivery_id, sending, "failed", failed.code))
        elif len(mine) == mine[0].parts and states.count("delivered") == len(mine):
            found.append(Verdict(mine[0].provider, mine[0].delivery_id, sending, "delivered", mine[0].code))
    return found
