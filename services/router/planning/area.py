"""What goes to the whole area: one delivery a channel, or a word why it did not."""

from __future__ import annotations

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.planning.walk import area_acts
from services.router.policy.vocabulary import AREA_CHANNELS
from services.router.store import tables
from services.shared.bus.outbox import id_of
from services.shared.database.engine import Connection
from services.shared.ledger.deliveries import NewDelivery, add
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import delivery
from services.shared.ledger.tally import Deltas

# who heard the siren or read it in the group hears the end; nobody sweeps a street for it
TOLD_OF_ENDINGS = ("broadcast", "cell_broadcast", "area_sound", "organisations")


def area_row(ctx: WarningContext, channel: str, step: str, reason: str, at: float, try_no: int = 1) -> NewDelivery:
    """One delivery to the area of a warning."""
    again = () if try_no == 1 else (try_no,)
    return NewDelivery.area(
        id_of(ctx.issued.warning_id, "area", channel, *again), ctx.issued, id_of("area", ctx.issued.warning_id),
        step=step, channel=channel, driver=ctx.drivers[channel], reason=reason, due_at=at, try_no=try_no,
    )  # fmt: skip


async def begin(tx: Connection, ctx: WarningContext, deltas: Deltas) -> None:
    """The tier's area-wide words when a warning is issued; a channel without a driver is left out and said so."""
    rows: list[NewDelivery] = []
    left_out: dict[str, str] = {}
    ending = ctx.issued.kind == "ending"
    for act in area_acts(ctx):
        if act.left_out or (ending and act.word not in TOLD_OF_ENDINGS):
            left_out[act.word] = act.left_out or "not for endings"
            continue
        step = act.step.name
        rows.append(area_row(ctx, AREA_CHANNELS[act.word], step, f"{step}: {act.word}", act.at))
    await add(tx, rows)
    for row in rows:
        deltas.channel("", row.channel, "planned")
    about = tables.warning.c.warning_id == ctx.issued.warning_id
    await tx.execute(sa.update(tables.warning).where(about).values(area_left_out=left_out))


async def again(
    tx: Connection, ctx: WarningContext, deltas: Deltas, word: str, step: str, reason: str, now: float
) -> None:
    """An area-wide channel once more, for a reason that came up; said to be left out where it cannot be."""
    channel = AREA_CHANNELS[word]
    rule = ctx.policy.hazard(ctx.issued.hazard)
    if word == "street_sweep" and rule.sweep_forbidden:
        return
    if word == "area_sound" and rule.area_sound_s is None:
        return
    if ctx.channels.get(channel, "no_driver"):
        about = tables.warning.c.warning_id == ctx.issued.warning_id
        known = await tx.scalar(sa.select(tables.warning.c.area_left_out).where(about))
        left_out = {**(known or {}), word: ctx.channels.get(channel, "no_driver")}
        await tx.execute(sa.update(tables.warning).where(about).values(area_left_out=left_out))
        return
    tries = await tx.scalar(
        sa.select(sa.func.max(delivery.c.try_no)).where(
            delivery.c.warning_id == ctx.issued.warning_id,
            delivery.c.kind == DeliveryKind.AREA,
            delivery.c.channel == channel,
        )
    )
    row = area_row(ctx, channel, step, f"{step}: {reason}", now, int(tries or 0) + 1)
    if await add(tx, [row]):
        deltas.channel("", channel, "planned")


async def sounded(tx: Connection, warning_id: str, step: str) -> bool:
    """Whether an area-wide delivery stands for that reason already."""
    rows = sa.select(sa.func.count()).where(
        delivery.c.warning_id == warning_id, delivery.c.kind == DeliveryKind.AREA, delivery.c.step == step
    )
    return bool(await tx.scalar(rows))
