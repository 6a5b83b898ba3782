"""What the router hears: a warning begins, a page of people opens paths, evidence moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from services.router.cases import carry_over, cases
from services.router.clock import evidence, officials, watch
from services.router.explaining import previews
from services.router.planning import area, reaches_nobody
from services.router.planning.contexts import Contexts
from services.router.planning.fatigue import tired
from services.router.planning.notices import notice
from services.router.planning.paths import put, step_time
from services.router.planning.plan import Person, WarningContext
from services.router.planning.walk import climb
from services.router.store import tables
from services.router.store.callouts import callout
from services.router.store.cases import HELP, OPEN, case
from services.router.store.tally import Deltas
from services.shared.bus.outbox import Receipt, digest_of, publish
from services.shared.database.batches import insert_all, insert_new
from services.shared.database.engine import Connection, hold
from services.shared.errors import Busy
from services.shared.fault_points import fault_at
from services.shared.ledger.ledger import IS_VISIT, SendState, delivery, move_all, warning_state
from services.shared.messages import AudienceFound, EvidenceRecorded, PersonEntry, Profile, WarningIssued, encode
from services.shared.service import Platform


class RouterHandlers:
    """The consumer `router`."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    async def warning_issued(self, message: WarningIssued, receipt: Receipt) -> None:
        """Area-wide channels go out at once; people come in pages. What it replaces is stopped and spoken to."""
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            if message.purpose == "preview":
                await previews.ask(tx, message)
            else:
                await self._begin(tx, message)
        self._wake()

    async def _begin(self, tx: Connection, message: WarningIssued) -> None:
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
            await area.begin(tx, ctx, deltas)
            if message.kind != "ending":
                await watch.begin(tx, ctx)
        for about in message.replaces:  # said again with more of these, when a late message has shown the chain
            job = {"warning_id": message.warning_id, "about_id": about, "kind": message.kind}
            if await insert_new(tx, tables.job, [job]) and message.ending != "checking":  # that tells and stops nothing
                await self._stop(tx, about, message)
        await deltas.add(tx)

    @staticmethod
    async def _doors(tx: Connection, ctx: WarningContext) -> None:
        """Whether people may be sent: a hazard that forbids it wins over any word, one that allows it needs none."""
        rule = "allowed" if ctx.issued.kind == "ending" else ctx.policy.door_rule(ctx.issued.hazard)
        about = [warning_state.c.warning_id == ctx.issued.warning_id]
        if rule == "allowed":
            about.append(warning_state.c.doors == "ask")
        if rule != "ask":
            await tx.execute(sa.update(warning_state).where(*about).values(doors=rule))

    async def _stop(self, tx: Connection, about: str, by: WarningIssued) -> None:
        """Nothing of the old warning goes out any more and its open paths end; who may have got it is told by a job."""
        await hold(tx, f"plan:{about}")  # a page or step under way is waited for, a later one sees the end
        now = self._platform.clock.now()
        ending = "superseded" if by.kind == "update" else "cancelled"
        state = SendState.SUPERSEDED if by.kind == "update" else SendState.CANCELLED
        about_it = delivery.c.warning_id == about
        called = sa.select(case.c.person_id).where(case.c.warning_id == about, HELP, OPEN)
        visits = (about_it, delivery.c.channel == "door", IS_VISIT, delivery.c.answer == "")
        unmet = (
            await tx.scalars(
                sa.select(delivery.c.person_id).where(*visits, delivery.c.person_id.in_(called)).distinct()
            )
        ).all()
        await move_all(tx, state, at=now, where=(about_it, delivery.c.send_state.in_(("pending", "retry", "leased"))))
        await move_all(
            tx, SendState.SUPERSEDED, at=now, state_reason="visit stopped",
            where=(about_it, delivery.c.driver == "door", delivery.c.send_state == "accepted", delivery.c.answer == ""),
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

    async def audience_found(self, message: AudienceFound, receipt: Receipt) -> None:
        """Opens a path for each person of the page and walks its first steps, in one transaction."""
        counted: dict[str, Any] | None = None
        if message.purpose == "preview":
            async with self._platform.database.read() as db:
                counted = await previews.counted(db, self._contexts, message)
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            if counted is not None:
                await previews.answer(tx, message, counted)
            else:
                await self._page(tx, message)
                fault_at("before_plan_commit")
        fault_at("after_plan_commit")
        self._wake()

    async def _page(self, tx: Connection, message: AudienceFound) -> None:
        await hold(tx, f"plan:{message.warning_id}", shared=True)
        ctx = await self._contexts.of(tx, message.warning_id)
        if ctx is None:
            raise Busy(f"page {message.page} came before its warning {message.warning_id}")
        state = await tx.scalar(
            sa.select(warning_state.c.state).where(warning_state.c.warning_id == message.warning_id)
        )
        await insert_new(
            tx, tables.profile, [{"profile_key": p.key, "body": tables.encode(p)} for p in message.profiles]
        )
        deltas = Deltas(message.warning_id)
        enough = await tired(tx, self._contexts, ctx, message) if state == "active" else {}
        await self._open(tx, ctx, message.people, message.profiles, deltas, enough, stopped=state != "active")
        await self._count(tx, ctx, message)
        await deltas.add(tx)

    async def _open(
        self,
        tx: Connection,
        ctx: WarningContext,
        people: Sequence[PersonEntry],
        profiles: Sequence[Profile],
        deltas: Deltas,
        enough: Mapping[str, str],
        *,
        stopped: bool,
    ) -> None:
        now = self._platform.clock.now()
        rows: list[dict[str, Any]] = []
        paths: list[dict[str, Any]] = []
        profile_of = {entry.person_id: profiles[entry.profile].key for entry in people}
        replaced = ctx.issued.replaces if ctx.issued.kind == "update" else ()
        called = await carry_over.still_open(tx, ctx.issued.warning_id, replaced, sorted(profile_of))
        for entry in sorted(people, key=lambda e: e.person_id):
            who = Person(entry, profiles[entry.profile], [])
            deltas.person(who.profile.key, "targeted")
            opened = self._first(ctx, who, now, stopped, enough.get(entry.person_id, ""))
            rows += who.deliveries
            if opened["state"] == "open" and entry.person_id in called:
                opened |= {"help_at": called[entry.person_id], "react_at": now}
            if opened["ending"]:
                deltas.person(who.profile.key, f"ended:{opened['ending']}")
            paths.append(opened)
        await insert_all(tx, tables.path, paths)
        await put(tx, ctx, rows, deltas, profile_of, self._platform.settings.plane)

    def _first(self, ctx: WarningContext, who: Person, now: float, stopped: bool, enough: str) -> dict[str, Any]:
        """The path row of one person, its steps up to now walked."""
        plan = ctx.plan(who.profile, ctx.start(who.profile))
        row: dict[str, Any] = {
            "warning_id": ctx.issued.warning_id,
            "person_id": who.entry.person_id,
            "profile_key": who.profile.key,
            "household_id": who.entry.household_id,
            "zone_id": who.entry.zone_id,
            "grid_id": who.entry.grid_id,
            "tier": int(ctx.tier),
            "entry": tables.encode(who.entry),
            "state": "ended",
            "ending": "",
            "ended_at": now,
            "end_reason": "",
            "next_step": 0,
            "next_at": None,
            "help_at": None,
            "react_at": None,
        }
        if stopped:
            return row | {"ending": "cancelled", "end_reason": "stopped before the page came"}
        if not plan.asked:
            return row | {"ending": "not_asked", "end_reason": f"{plan.tier.word}: no opt-in, no high support"}
        if enough:
            return row | {"ending": "not_asked", "end_reason": enough}
        index = sum(not step.every for step, _, _ in climb(ctx, who, now))
        following = step_time(ctx, who, index)
        # past the last step a short while remains for answers, then the path ends or waits for its door
        return row | {
            "state": "open",
            "ended_at": None,
            "next_step": index,
            "next_at": now if following is None else max(following, now),
        }

    async def _count(self, tx: Connection, ctx: WarningContext, message: AudienceFound) -> None:
        """Pages are numbered: the audience is complete when all are in and their digest is the last page's."""
        mine = sa.select(tables.warning).where(tables.warning.c.warning_id == message.warning_id).with_for_update()
        row = (await tx.execute(mine)).one()  # two routers count one after the other
        seen = int(row.digest_seen, 16) ^ int(digest_of(p.person_id for p in message.people), 16)
        values: dict[str, Any] = {"pages": row.pages + 1, "digest_seen": f"{seen:032x}"}
        last, total, digest = row.last_page, row.total, row.digest
        if message.last:
            last, total, digest = message.page, message.total, message.digest
            values |= {"last_page": last, "total": total, "digest": digest,
                       "unresolved": [list(u) for u in message.unresolved]}  # fmt: skip
            hours = max(0.0, ctx.too_late - self._platform.clock.now()) / 3600
            await insert_new(
                tx,
                tables.worker,
                [
                    {
                        "warning_id": message.warning_id,
                        "worker_id": w.worker_id,
                        "entry": tables.encode(w),
                        "capacity": int(w.doors_per_hour * hours),
                    }
                    for w in message.workers
                ],
            )
        values["complete"] = last >= 0 and row.pages + 1 == last + 1 and f"{seen:032x}" == digest
        await tx.execute(
            sa.update(tables.warning).where(tables.warning.c.warning_id == message.warning_id).values(**values)
        )
        if values["complete"]:
            await reaches_nobody.check_reach(tx, ctx, total, values.get("unresolved", row.unresolved))
            await officials.begin(tx, ctx, self._platform.clock.now())

    async def evidence_recorded(self, message: EvidenceRecorded, receipt: Receipt) -> None:
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            key = await tx.scalar(
                sa.select(tables.warning.c.policy).where(tables.warning.c.warning_id == message.warning_id)
            )
            if key is None:
                raise Busy(f"evidence came before its warning {message.warning_id}")
            policy = await self._contexts.policy(tx, key)
            await evidence.record(tx, policy, message.warning_id, message.ids, self._platform.clock.now())
            fault_at("before_evidence_commit")
        fault_at("after_evidence_commit")
        self._wake()

    def _wake(self) -> None:
        self._platform.wake.router.set()
        self._platform.wake.channels.set()
