"""Sends word of an alarm to the duty officers, by text and by call, once.

The channel that is in trouble may be the one they are told on, and the STOP that was forged may be of their own number: so it
is both. Who is on duty is known from a warning's list of officers; where there was none within a day the alarm waits on
the pages, in /readyz and in the figures, and is told with the next warning if it still stands.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
import structlog
from msgspec.structs import replace

from services.router.cases import cases, help_alarm
from services.router.planning import reaches_nobody
from services.router.planning.contexts import Contexts
from services.router.planning.notices import OnDuty, in_the_field, on_duty
from services.router.planning.plan import WarningContext
from services.router.safety import rescue
from services.router.store import tables
from services.shared import alarms
from services.shared.bus.outbox import publish
from services.shared.database.engine import Connection
from services.shared.ledger.warnings import warning_state
from services.shared.powers.power import Power
from services.shared.service import Platform
from services.shared.tiers import Tier

log = structlog.get_logger("router")
EVERY_S = 5.0  # warning time: where a simulation steps the clock, a slow machine looks no oftener than a quick one
DUTY_S = 86400.0  # warning time: so long a list says who is on duty
# kinds with a sentence of their own; others share one
OWN_WORDS = frozenset({"provider", "clock", "nobody", "team", "unheard", alarms.STOP_FLOOD, alarms.AUDIT_REWRITTEN})


class AlarmWord:
    """The router's look at alarms nobody was sent word of."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts
        self._next_look = 0.0  # warning time

    async def run_due(self) -> bool:
        """Whether word was sent."""
        now = self._platform.clock.now()
        if now < self._next_look:
            return False
        self._next_look = now + EVERY_S
        await self._settle()
        async with self._platform.database.read() as db:
            untold = await alarms.untold(db)
            ctx = await self._on_duty(db) if untold else None
        if ctx is None:
            return False
        for one in untold:
            await self._tell(ctx, one)
        self._platform.bus.wake()
        self._platform.wake.channels.set()
        return True

    async def _settle(self) -> None:
        """Alarms whose reason is to be looked for: of nobody reached, of cases that are open."""
        async with self._platform.database.read() as db:
            stands = await alarms.standing(db, reaches_nobody.KIND, help_alarm.KIND, cases.UNTOLD, rescue.KIND)
            waiting = await help_alarm.waiting(db)
            now, late = self._platform.clock.now(), []
            for one in await rescue.waiting(db):
                ctx = await self._contexts.of(db, one.warning_id)
                late += [one] if ctx is not None and rescue.is_late(one, ctx, now) else []
        if stands or waiting or late:
            async with self._platform.database.write() as tx:
                await reaches_nobody.settle(tx, self._platform.clock.now())
                await help_alarm.settle(tx, waiting)
                await rescue.settle(tx, late)

    async def _on_duty(self, db: Connection) -> WarningContext | None:
        """The warning whose officers are told: the most urgent in force, orange or red, else the newest of the last day."""
        state, now = warning_state.c, self._platform.clock.now()
        urgent = sa.and_(state.state == "active", state.expires_at > now, state.tier >= Tier.ORANGE)
        in_force = sa.case((urgent, state.tier), else_=0)
        found = await db.scalars(
            sa.select(state.warning_id)
            .join(tables.warning, tables.warning.c.warning_id == state.warning_id)
            .where(state.released_at > now - DUTY_S, state.kind != "ending", tables.warning.c.complete)
            .order_by(in_force.desc(), state.released_at.desc(), state.warning_id)
            .limit(5)
        )
        for warning_id in found.all():
            ctx = await self._contexts.of(db, warning_id, workers=True)
            if ctx is not None and ctx.workers:
                return ctx
        return None

    async def _tell(self, ctx: WarningContext, one: Any) -> None:
        kind = alarms.kind_of(one.name)
        word = f"alarm_{kind}" if kind in OWN_WORDS else "alarm"
        about, plane = f"{one.name}@{one.since:.3f}", self._platform.settings.plane
        expires = self._platform.clock.now() + 3600.0
        async with self._platform.database.write() as tx:
            asked = await on_duty(tx, ctx, Power.HANDLE)
            if not asked.officers and not asked.paged:
                asked = OnDuty(in_the_field(ctx), [])
            made = asked.notices(ctx, word, plane, about, expires=expires)
            made += OnDuty(asked.officers, []).notices(ctx, word, plane, about, voice=True, expires=expires)
            # of no warning: it is told whatever becomes of that one
            wanted = [replace(request, warning_id="", expires=expires) for request in made]
            if not await alarms.told(tx, one.name):
                return
            await publish(tx, wanted)
        log.warning("duty_officers_told", alarm=one.name, told=len({request.addressee_id for request in wanted}))
