"""Begins a warning: area-wide channels go out, and what it replaces is stopped, with its visits and its open paths."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from services.router.clock import watch
from services.router.opening.stopping import stop
from services.router.planning import area
from services.router.planning.contexts import Contexts
from services.router.planning.notices import notice
from services.router.planning.plan import WarningContext
from services.router.safety import out
from services.router.store import tables
from services.router.store.callouts import callout
from services.router.store.tables import PART
from services.shared.bus.outbox import publish
from services.shared.database import locks
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection
from services.shared.endings import GOES_ON, PART_RETURNS
from services.shared.errors import Busy
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.tables import delivery
from services.shared.ledger.tally import Deltas
from services.shared.ledger.warnings import warning_state
from services.shared.messages import WarningIssued, encode
from services.shared.service import Platform


class Beginning:
    """`begin` in the transaction of the message."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    async def begin(self, tx: Connection, message: WarningIssued) -> None:
        """Once for each warning; what it replaces is looked at again when a late message has shown more of it."""
        row: dict[str, Any] = {
            "warning_id": message.warning_id,
            "issued": encode(message),
            "policy": await self._contexts.keep_policy(tx),
            "area_left_out": {},
            "unresolved": [],
        }
        if message.kind == "ending":  # of a part the pages say who is in it
            row |= {"complete": message.ending != PART_RETURNS, "total": 0}
        deltas = Deltas(message.warning_id)
        if await insert_new(tx, tables.warning, [row]):
            ctx = await self._contexts.of(tx, message.warning_id)
            if ctx is None:
                raise Busy(f"warning {message.warning_id} has no state yet")
            await self._doors(tx, ctx)
            await self._reached(tx, ctx)
            await area.begin(tx, ctx, deltas)
            if message.kind != "ending":
                await watch.begin(tx, ctx)
            if message.replaces and message.ending not in GOES_ON:
                await out.begin(tx, ctx, self._platform.clock.now())
        stopped: list[str] = []
        for about in message.replaces:  # said again with more of these, when a late message has shown the chain
            kind = PART if message.ending == PART_RETURNS else message.kind
            job = {"warning_id": message.warning_id, "about_id": about, "kind": kind}
            if await insert_new(tx, tables.job, [job]) and message.ending not in GOES_ON:
                stopped.append(about)
        await locks.plan(tx, *stopped)
        for about in stopped:
            await stop(tx, about, message, self._platform.clock.now())
            await watch.drop(tx, about)
            await self._call_back(tx, about, message)
        await deltas.add(tx)

    @staticmethod
    async def _doors(tx: Connection, ctx: WarningContext) -> None:
        """Whether people may be sent: a hazard that forbids it wins over any word, one that allows it needs none."""
        about = warning_state.c.warning_id == ctx.issued.warning_id
        rule = "allowed" if ctx.issued.kind == "ending" else ctx.policy.door_rule(ctx.issued.hazard)
        if rule != "ask":
            asks = (warning_state.c.doors == "ask",) if rule == "allowed" else ()
            await tx.execute(sa.update(warning_state).where(about, *asks).values(doors=rule))

    @staticmethod
    async def _reached(tx: Connection, ctx: WarningContext) -> None:
        """Whether a provider's word that it took a message is news to the paths: where the policy calls that reached."""
        if Evidence[ctx.policy.reached.evidence_at_least.upper()] <= Evidence.ACCEPTED:
            about = warning_state.c.warning_id == ctx.issued.warning_id
            await tx.execute(sa.update(warning_state).where(about).values(accepted_reaches=True))

    async def _call_back(self, tx: Connection, about: str, by: WarningIssued) -> None:
        """Officers who are out hear of the end where they are, before they knock at the next door."""
        ctx = await self._contexts.of(tx, about, workers=True)
        if ctx is None or by.kind != "ending" or "officers_out" not in ctx.policy.ending.to:
            return
        there = set(
            (await tx.scalars(sa.select(delivery.c.slot).where(delivery.c.warning_id == about).distinct())).all()
        )
        holders = sa.select(callout.c.holder).where(callout.c.warning_id == about, callout.c.state == "taken")
        there |= set((await tx.scalars(holders)).all())
        plane = self._platform.settings.plane
        told = [notice(ctx, w, "warning_over", plane, by.warning_id) for w in ctx.workers if w.worker_id in there]
        await publish(tx, [replace(one, warning_id=by.warning_id) for one in told if one is not None])
