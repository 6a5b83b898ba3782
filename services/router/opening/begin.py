"""Begins a warning: area-wide channels go out, and what it replaces is stopped, with its visits and its open paths."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from services.router.cases import cases
from services.router.clock import watch
from services.router.planning import area
from services.router.planning.contexts import Contexts
from services.router.planning.notices import notice
from services.router.planning.plan import WarningContext
from services.router.store import tables
from services.router.store.callouts import callout
from services.router.store.cases import HELP, OPEN, case
from services.shared.bus.outbox import publish
from services.shared.database import locks
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection
from services.shared.errors import Busy
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.moves import move_all
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, IS_DUE, ON_A_LIST, delivery
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
        if message.kind == "ending":
            row |= {"complete": True, "total": 0}
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
        stopped: list[str] = []
        for about in message.replaces:  # said again with more of these, when a late message has shown the chain
            job = {"warning_id": message.warning_id, "about_id": about, "kind": message.kind}
            if await insert_new(tx, tables.job, [job]) and message.ending != "checking":  # that tells and stops nothing
                stopped.append(about)
        await locks.plan(tx, *stopped)
        for about in stopped:
            await self._stop(tx, about, message)
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

    async def _stop(self, tx: Connection, about: str, by: WarningIssued) -> None:
        """Nothing of the old warning goes out any more and its open paths end; who may have got it is told by a job."""
        now = self._platform.clock.now()
        ending = "superseded" if by.kind == "update" else "cancelled"
        state = SendState.SUPERSEDED if by.kind == "update" else SendState.CANCELLED
        about_it = delivery.c.warning_id == about
        called = sa.select(case.c.person_id).where(case.c.warning_id == about, HELP, OPEN)
        visits = (about_it, delivery.c.kind == DeliveryKind.VISIT, ON_A_LIST, delivery.c.answer == "")
        unmet = (
            await tx.scalars(
                sa.select(delivery.c.person_id).where(*visits, delivery.c.person_id.in_(called)).distinct()
            )
        ).all()
        await move_all(tx, state, at=now, where=(about_it, IS_DUE))
        await move_all(
            tx, SendState.SUPERSEDED, at=now, state_reason="visit stopped",
            where=(about_it, delivery.c.driver == DOOR_DRIVER, delivery.c.send_state == "accepted", delivery.c.answer == ""),
        )  # fmt: skip
        await cases.taken_back(tx, about, unmet, now, "the warning ended: visit stopped")  # help outlives it
        await watch.drop(tx, about)
        await self._call_back(tx, about, by)
        deltas = Deltas(about)
        counts = await tx.execute(
            sa.select(tables.path.c.profile_key, sa.func.count())
            .where(tables.path.c.warning_id == about, tables.path.c.state == "open")
            .group_by(tables.path.c.profile_key)
        )
        for profile_key, n in counts:
            deltas.person(profile_key, f"ended:{ending}", n)
        await tx.execute(
            sa.update(tables.path)
            .where(tables.path.c.warning_id == about, tables.path.c.state == "open")
            .values(state="ended", ending=ending, ended_at=now, end_reason=f"by {by.kind} {by.warning_id[:8]}",
                    next_at=None, react_at=None)
        )  # fmt: skip
        await deltas.add(tx)

    async def _call_back(self, tx: Connection, about: str, by: WarningIssued) -> None:
        """Officers who are out hear of the end where they are, before they knock at the next door."""
        ctx = await self._contexts.of(tx, about, workers=True)
        if ctx is None or by.kind != "ending" or "officers_out" not in ctx.policy.ending.to:
            return
        out = set((await tx.scalars(sa.select(delivery.c.slot).where(delivery.c.warning_id == about).distinct())).all())
        holders = sa.select(callout.c.holder).where(callout.c.warning_id == about, callout.c.state == "taken")
        out |= set((await tx.scalars(holders)).all())
        plane = self._platform.settings.plane
        told = [notice(ctx, w, "warning_over", plane, by.warning_id) for w in ctx.workers if w.worker_id in out]
        await publish(tx, [replace(one, warning_id=by.warning_id) for one in told if one is not None])
