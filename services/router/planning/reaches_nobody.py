"""Raises an alarm with its reason where a warning reaches nobody.

Codes that no table knows, an area where nobody is registered, people of whom none has a channel: each ends in a page that
says "nobody is missing", which is the most dangerous sentence there is.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.shared import alarms
from services.shared.database.engine import Connection
from services.shared.i18n import english, mark
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state

KIND = "nobody"
NAMED = 5  # codes that are named in the alarm


async def check_reach(tx: Connection, ctx: WarningContext, total: int, unresolved: Sequence[Sequence[str]]) -> None:
    """Once its people are counted: sounds the alarm where there are none, where none has a channel, or codes are unknown."""
    if ctx.issued.kind == "ending":
        return
    number = await tx.scalar(
        sa.select(warning_state.c.number).where(warning_state.c.warning_id == ctx.issued.warning_id)
    )
    if why := await _why(tx, ctx, total, unresolved):
        await alarms.sound(tx, f"{KIND}:{ctx.issued.warning_id}", f"No. {number}: {why}")


async def _why(tx: Connection, ctx: WarningContext, total: int, unresolved: Sequence[Sequence[str]]) -> str:
    codes = ", ".join(f"{name} {value}" for name, value in unresolved[:NAMED])
    if len(unresolved) > NAMED:
        codes = english("{codes} and {n} more", codes=codes, n=len(unresolved) - NAMED)
    if total == 0 and unresolved:
        return english(
            "NOBODY is warned by name. No table here knows the area {codes}: load it with tocsin registry areas import, or send "
            "the area drawn",
            codes=codes,
        )
    if total == 0:
        return mark("NOBODY is warned by name. Nobody is registered in its area: is the area right?")
    if not await _anybody_written_to(tx, ctx.issued.warning_id):
        return english("{n} people are concerned and NOBODY has a channel that works: see /channels", n=total)
    if unresolved:
        return english(
            "people are missed: no table here knows the area {codes}: load it with tocsin registry areas import, or send the "
            "area drawn",
            codes=codes,
        )
    return ""


async def _anybody_written_to(tx: Connection, warning_id: str) -> bool:
    # a door is planned for everybody with too few channels: where all are down it must not look like reaching them
    others = ("area", "worker", "door")
    mine = (delivery.c.warning_id == warning_id, delivery.c.addressee_kind.not_in(others))
    return bool(await tx.scalar(sa.select(sa.literal(1)).where(sa.exists().where(*mine))))


async def settle(tx: Connection, now: float) -> None:
    """Takes the alarms away of warnings that are not in force any more."""
    state = warning_state.c
    for row in await alarms.standing(tx, KIND):
        about = row.name.partition(":")[2]
        alive = sa.select(state.warning_id).where(
            state.warning_id == about, state.state == "active", state.expires_at > now
        )
        if await tx.scalar(alive) is None:
            await alarms.over(tx, row.name)
