"""The life of paths in the ledger: opened by a page, moved by steps and answers, ended once with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from services.router.planning.plan import Person, WarningContext
from services.router.store import tables
from services.router.store.tally import Deltas
from services.shared.bus.outbox import new_id, publish
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection
from services.shared.ledger.ledger import Evidence, SendState, delivery, delivery_cover, move_all
from services.shared.messages import EVENT_IDS, DeliveryDue

UNIQUE = ("warning_id", "driver", "address_key", "form", "language", "try_no")


async def put(
    tx: Connection,
    ctx: WarningContext,
    rows: Sequence[dict[str, Any]],
    deltas: Deltas,
    profile_of: Mapping[str, str],
    plane: str,
) -> None:
    """Inserts deliveries; one phone that several people share gets one message that covers them all."""
    if not rows:
        return
    rows = sorted(rows, key=lambda r: str(r["delivery_id"]))
    shared = await _shared(tx, rows)
    new: list[dict[str, Any]] = []
    mine: dict[tuple[Any, ...], dict[str, Any]] = {}
    covers: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda r: str(r["person_id"])):
        key = tuple(row[c] for c in UNIQUE)
        there = (
            shared.get(key) or (mine[key]["delivery_id"], mine[key]["person_id"])
            if key in shared or key in mine
            else None
        )
        if there is None:
            mine[key] = row
            new.append(row)
        elif there[1] != row["person_id"]:
            covers.append({"delivery_id": there[0], "person_id": row["person_id"]})
    new.sort(key=lambda r: str(r["delivery_id"]))
    if await insert_new(tx, delivery, new) < len(new):
        # a page of another router came first with the same phone: its message covers these people too
        standing = await _shared(tx, new)
        won = {delivery_id for delivery_id, _ in standing.values()}
        for row in new:
            delivery_id, person_id = standing[tuple(row[c] for c in UNIQUE)]
            if delivery_id != row["delivery_id"] and person_id != row["person_id"]:
                covers.append({"delivery_id": delivery_id, "person_id": row["person_id"]})
        new = [row for row in new if row["delivery_id"] in won]
    for row in new:
        deltas.channel(profile_of.get(row["person_id"], ""), row["channel"], "planned")
    if covers:
        covers.sort(key=lambda c: (str(c["delivery_id"]), str(c["person_id"])))
        await insert_new(tx, delivery_cover, covers)
        ids = sorted({c["delivery_id"] for c in covers})
        counted = (
            sa.select(sa.func.count()).where(delivery_cover.c.delivery_id == delivery.c.delivery_id).scalar_subquery()
        )
        await tx.execute(sa.update(delivery).where(one_of(delivery.c.delivery_id, ids)).values(covers=1 + counted))
    due = [str(r["delivery_id"]) for r in new if r["driver"] != "door" or r["slot"]]
    await publish(
        tx,
        [
            DeliveryDue(
                msg_id=new_id(), plane=plane, warning_id=ctx.issued.warning_id, tier=ctx.issued.tier,
                ids=tuple(due[i : i + EVENT_IDS]),
            )
            for i in range(0, len(due), EVENT_IDS)
        ],
    )  # fmt: skip


async def _shared(tx: Connection, rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[str, str]]:
    """Deliveries that stand on the same phone in the same form already: unique key > (delivery, person)."""
    keys = sorted({r["address_key"] for r in rows})
    found = await tx.execute(
        sa.select(delivery.c.delivery_id, delivery.c.person_id, *(delivery.c[c] for c in UNIQUE)).where(
            delivery.c.warning_id == rows[0]["warning_id"], one_of(delivery.c.address_key, keys)
        )
    )
    return {tuple(getattr(row, c) for c in UNIQUE): (row.delivery_id, row.person_id) for row in found}


def step_time(ctx: WarningContext, person: Person, index: int) -> float | None:
    """When the step `index` of a person's escalation falls due; None past the last."""
    start = ctx.start(person.profile)
    steps = ctx.escalation(person.profile, ctx.plan(person.profile, start))
    if index >= len(steps):
        return None
    return steps[index].when(start, ctx.issued.impact)


async def end(
    tx: Connection, deltas: Deltas, path: Any, ending: str, reason: str, at: float, *, upgrade: bool = False
) -> None:
    """Gives a path its one ending; a later fact may still turn an explained ending into closed."""
    before = path.ending
    where = [tables.path.c.warning_id == path.warning_id, tables.path.c.person_id == path.person_id]
    where.append(tables.path.c.ending == before if upgrade else tables.path.c.state == "open")
    result = await tx.execute(
        sa.update(tables.path)
        .where(*where)
        .values(state="ended", ending=ending, ended_at=at, end_reason=reason[:60], next_at=None, react_at=None)
    )
    if result.rowcount and path.next_step != tables.OUTSIDE:
        deltas.person(path.profile_key, f"ended:{ending}")
        if before:
            deltas.person(path.profile_key, f"ended:{before}", -1)


async def reopen(tx: Connection, deltas: Deltas, path: Any, at: float, *, walks: bool = False) -> None:
    """A call for help after the end: the path is open again, and what counted as closed is counted back.

    `walks`: what had closed it was taken back, so that its steps go on.
    """
    result = await tx.execute(
        sa.update(tables.path)
        .where(
            tables.path.c.warning_id == path.warning_id,
            tables.path.c.person_id == path.person_id,
            tables.path.c.ending == path.ending,
            tables.path.c.state == "ended",
        )
        .values(
            state="open", ending="", ended_at=None, end_reason="", react_at=at, **({"next_at": at} if walks else {})
        )
    )
    if result.rowcount and path.next_step != tables.OUTSIDE:
        deltas.person(path.profile_key, f"ended:{path.ending}", -1)
        if path.milestones & tables.CLOSED:
            deltas.person(path.profile_key, "closed", -1)


async def drop_unsent(tx: Connection, warning_id: str, person_ids: Sequence[str], reason: str, at: float) -> None:
    """Takes back what was not sent and visits not begun; a message that covers others goes on for them."""
    if not person_ids:
        return
    about = (
        delivery.c.warning_id == warning_id,
        one_of(delivery.c.person_id, person_ids),
        delivery.c.covers == 1,
    )
    await move_all(
        tx, SendState.SUPPRESSED, at=at, state_reason=reason,
        where=(*about, delivery.c.send_state.in_(("pending", "retry"))),
    )  # fmt: skip
    await move_all(
        tx, SendState.SUPERSEDED, at=at, state_reason=reason,
        where=(*about, delivery.c.driver == "door", delivery.c.send_state == "accepted", delivery.c.answer == ""),
    )  # fmt: skip


def own(row: Any) -> bool:
    """Whether a delivery speaks of what the person herself perceived."""
    return row.addressee_kind in ("person", "facility", "door")


def perceived(rows: Sequence[Any]) -> int:
    """The strongest evidence about the person herself."""
    return max((int(r.evidence) for r in rows if own(r)), default=int(Evidence.NONE))
