"""The life of paths in the ledger: opened by a page, moved by steps and answers, ended once with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.router.planning.plan import Person, WarningContext
from services.router.store import tables
from services.shared.bus.outbox import new_id, publish
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.deliveries import NewDelivery, add
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.moves import move_all
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, IS_DUE, Delivery, delivery, delivery_cover
from services.shared.ledger.tally import Deltas
from services.shared.messages import EVENT_IDS, DeliveryDue

Key = tuple[str, str, str, str, str, int]  # what the ledger's unique key holds besides the warning


class _Standing(NamedTuple):
    """A delivery that stands, by the columns of the unique key."""

    delivery_id: str
    person_id: str
    driver: str
    address_key: str
    form: str
    about_id: str
    language: str
    try_no: int


async def put(
    tx: Connection,
    ctx: WarningContext,
    rows: Sequence[NewDelivery],
    deltas: Deltas,
    profile_of: Mapping[str, str],
    plane: str,
) -> None:
    """Adds deliveries of one warning; one phone that several people share gets one message that covers them all."""
    if not rows:
        return
    shared = await _shared(tx, ctx.issued.warning_id, rows)
    mine: dict[Key, NewDelivery] = {}
    covers: list[tuple[str, str]] = []  # delivery, person
    for row in sorted(rows, key=lambda r: (r.person_id, r.delivery_id)):
        key = _key(row)
        there = shared.get(key) or mine.setdefault(key, row)
        if there is not row and there.person_id != row.person_id:
            covers.append((there.delivery_id, row.person_id))
    new = list(mine.values())
    if await add(tx, new, profile_of) < len(new):
        # a page of another router came first with the same phone: its message covers these people too
        standing = await _shared(tx, ctx.issued.warning_id, new)
        for row in new:
            there = standing[_key(row)]
            if there.delivery_id != row.delivery_id and there.person_id != row.person_id:
                covers.append((there.delivery_id, row.person_id))
        won = {there.delivery_id for there in standing.values()}
        new = [row for row in new if row.delivery_id in won]
    for row in new:
        deltas.channel(profile_of.get(row.person_id, ""), row.channel, "planned")
    if covers:
        await insert_new(tx, delivery_cover, [{"delivery_id": d, "person_id": p} for d, p in sorted(covers)])
        counted = (
            sa.select(sa.func.count()).where(delivery_cover.c.delivery_id == delivery.c.delivery_id).scalar_subquery()
        )
        ids = sorted({d for d, _ in covers})
        await tx.execute(sa.update(delivery).where(one_of(delivery.c.delivery_id, ids)).values(covers=1 + counted))
    await publish_due(tx, ctx, [row.delivery_id for row in new if row.kind is not DeliveryKind.VISIT], plane)


def _key(row: NewDelivery | _Standing) -> Key:
    return (row.driver, row.address_key, row.form, row.about_id, row.language, row.try_no)


async def _shared(tx: Connection, warning_id: str, rows: Sequence[NewDelivery]) -> dict[Key, _Standing]:
    """Deliveries that stand on the same phone in the same form already.

    The drivers are named so that the unique key finds each: SQLite would look at every delivery of the warning.
    """
    found = sa.select(*columns(_Standing, delivery)).where(
        delivery.c.warning_id == warning_id,
        one_of(delivery.c.driver, sorted({r.driver for r in rows})),
        one_of(delivery.c.address_key, sorted({r.address_key for r in rows})),
    )
    return {_key(row): row for row in await rows_of(tx, _Standing, found)}


async def publish_due(tx: Connection, ctx: WarningContext, ids: Sequence[str], plane: str) -> None:
    """Tells the channels' processes that deliveries of a warning are due; which, their batches say.

    On SQLite they are this process: their loop is woken, and looks at the batches by itself.
    """
    if ids and tx.dialect.name != "sqlite":
        due = DeliveryDue(
            msg_id=new_id(), plane=plane, warning_id=ctx.issued.warning_id, tier=ctx.issued.tier,
            ids=tuple(ids[:EVENT_IDS]),
        )  # fmt: skip
        await publish(tx, [due])


def step_time(ctx: WarningContext, person: Person, index: int) -> float | None:
    """When the step `index` of a person's escalation falls due; None past the last."""
    start = ctx.start(person.profile)
    steps = ctx.escalation(person.profile, ctx.plan(person.profile, start))
    if index >= len(steps):
        return None
    return steps[index].when(start, ctx.issued.impact)


async def end(
    tx: Connection, deltas: Deltas, path: tables.Path, ending: str, reason: str, at: float, *, upgrade: bool = False
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
    if result.rowcount and not path.outside:
        deltas.person(path.profile_key, f"ended:{ending}")
        if before:
            deltas.person(path.profile_key, f"ended:{before}", -1)


async def close_with_house(tx: Connection, deltas: Deltas, path: tables.Path, at: float) -> None:
    """Closes the path of somebody whose house of many is on the way, safe or elsewhere."""
    await end(tx, deltas, path, "closed", "their house: all are out or safe", at)
    all_of = tables.DELIVERED | tables.REACHED | tables.CLOSED
    for bit, milestone in ((tables.DELIVERED, "delivered"), (tables.REACHED, "reached"), (tables.CLOSED, "closed")):
        if bit & ~path.milestones and not path.outside:
            deltas.person(path.profile_key, milestone)
    mine = (tables.path.c.warning_id == path.warning_id, tables.path.c.person_id == path.person_id)
    await tx.execute(sa.update(tables.path).where(*mine).values(milestones=path.milestones | all_of))


async def reopen(tx: Connection, deltas: Deltas, path: tables.Path, at: float, *, walks: bool = False) -> None:
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
    if result.rowcount and not path.outside:
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
        where=(*about, IS_DUE),
    )  # fmt: skip
    await move_all(
        tx, SendState.SUPERSEDED, at=at, state_reason=reason,
        where=(*about, delivery.c.driver == DOOR_DRIVER, delivery.c.send_state == "accepted", delivery.c.answer == ""),
    )  # fmt: skip


async def drop_calls(tx: Connection, warning_id: str, person_ids: Sequence[str], at: float) -> None:
    """Takes back a robot's calls to people who have spoken already; one on a phone that others share goes on for them."""
    if not person_ids:
        return
    calls = (
        delivery.c.warning_id == warning_id,
        one_of(delivery.c.person_id, person_ids),
        delivery.c.addressee_kind == "person",
        delivery.c.channel.startswith("voice"),
        delivery.c.covers == 1,
        IS_DUE,
    )
    await move_all(tx, SendState.SUPPRESSED, at=at, state_reason="answered: no more calls", where=calls)


def own(row: Delivery) -> bool:
    """Whether a delivery speaks of what the person perceived, and nobody else."""
    return row.addressee_kind in ("person", "facility", "door")


def perceived(rows: Sequence[Delivery]) -> int:
    """The strongest evidence about the person alone."""
    return max((r.evidence for r in rows if own(r)), default=int(Evidence.NONE))
