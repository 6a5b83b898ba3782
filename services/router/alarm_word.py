"""Sends word of an alarm to the duty officers of the most urgent warning in force, by text and by call, once.

The road that is in trouble may be the one they are told on, so it is both. Without an orange or red warning nobody is
woken: the alarm stands on the pages, in /readyz and in the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from services.router import cases, help_alarm, nobody
from services.router.contexts import Contexts
from services.router.notices import duty_officers, notice
from services.router.plan import Context
from services.shared import alarms
from services.shared.clock import wall
from services.shared.db import Connection
from services.shared.ledger import warning_state
from services.shared.outbox import say
from services.shared.service import Platform
from services.shared.tier import Tier

log = structlog.get_logger("router")
EVERY_S = 5.0  # wall
OWN_WORDS = frozenset({"provider", "clock", "nobody", "stop"})  # kinds with a sentence of their own; others share one


class AlarmWord:
    """The router's look at alarms nobody was sent word of."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts
        self._looked_at = 0.0

    async def work(self) -> bool:
        """Whether word was sent."""
        if wall() - self._looked_at < EVERY_S:
            return False
        self._looked_at = wall()
        await self._settle()
        async with self._platform.database.read() as db:
            untold = await alarms.untold(db)
            ctx = await self._most_urgent(db) if untold else None
        if ctx is None:
            return False
        for one in untold:
            await self._tell(ctx, one)
        self._platform.bus.wake()
        return True

    async def _settle(self) -> None:
        """Alarms whose reason is to be looked for: of nobody reached, of cases that are open."""
        async with self._platform.database.read() as db:
            stands = await alarms.standing(db, nobody.KIND, help_alarm.KIND, cases.UNTOLD)
            waiting = await help_alarm.waiting(db)
        if stands or waiting:
            async with self._platform.database.write() as tx:
                await nobody.settle(tx, self._platform.clock.now())
                await help_alarm.settle(tx, waiting)

    async def _most_urgent(self, db: Connection) -> Context | None:
        """The warning whose duty officers are told: in force, orange or red, with somebody to tell."""
        state = warning_state.c
        found = await db.scalars(
            sa.select(state.warning_id)
            .where(state.state == "active", state.tier >= Tier.ORANGE, state.expires_at > self._platform.clock.now())
            .order_by(state.tier.desc(), state.released_at.desc(), state.warning_id)
        )
        for warning_id in found.all():
            ctx = await self._contexts.of(db, warning_id, workers=True)
            if ctx is not None and ctx.workers:
                return ctx
        return None

    async def _tell(self, ctx: Context, one: Any) -> None:
        kind = alarms.kind_of(one.name)
        word = f"alarm_{kind}" if kind in OWN_WORDS else "alarm"
        about, plane = f"{one.name}@{one.since:.0f}", self._platform.settings.plane
        officers: Sequence[Any] = duty_officers(ctx.workers)
        made = [notice(ctx, who, word, plane, about, voice=voice) for who in officers for voice in (False, True)]
        wanted = [request for request in made if request is not None]
        async with self._platform.database.write() as tx:
            if not await alarms.told(tx, one.name):
                return
            await say(tx, wanted)
        log.warning("duty_officers_told", alarm=one.name, warning_id=ctx.issued.warning_id, told=len(wanted))
