"""Sends endings and updates to whoever may have got the old warning, on the channel it came by.

May have got it: handed over, unknown, delivered, or met at a door. A delivery that is still being sent is waited for,
so that nobody gets the ending before the warning. Who was only met at a door is told on a channel of their own if there is
one, else at the door by day; no officer knocks at night for an all-clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from msgspec.structs import replace

from services.router.clock import officials
from services.router.planning.contexts import Contexts
from services.router.planning.paths import publish_due
from services.router.planning.plan import Person, WarningContext
from services.router.planning.rows import personal
from services.router.policy.vocabulary import OFFICER, SHAKER, SUPPORTER
from services.router.store import tables
from services.shared.bus.outbox import id_of
from services.shared.database import locks
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.deliveries import NewDelivery, add
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.flights import IN_THE_AIR, flight, in_flight
from services.shared.ledger.kinds import WARNS, DeliveryKind
from services.shared.ledger.tables import DOOR_DRIVER, Delivery, delivery, delivery_cover
from services.shared.ledger.tally import Deltas
from services.shared.service import Platform

BATCH = 500
STILL_AWAY_OR_HOME = ("danger_lower_stay_away", "may_return", "checking")  # of no use to who has been told to go home
_WHO = {"supporters": "supporter", "shelters": "facility", "officers_out": "worker"}


class _Waiting(NamedTuple):
    warning_id: str
    about_id: str
    kind: str
    done: bool
    complete: bool  # the audience of the one that speaks


_OPEN = (
    sa.select(tables.job, tables.warning.c.complete)
    .join(tables.warning, tables.warning.c.warning_id == tables.job.c.warning_id)
    .where(sa.not_(tables.job.c.done))
    .order_by(tables.job.c.warning_id, tables.job.c.about_id)
)


def _told(ctx: WarningContext) -> list[str]:
    """Addressee kinds that hear of an end: who was attempted always, the others as the policy's `ending.to` says."""
    return ["person", "door", *(kind for word, kind in _WHO.items() if word in ctx.policy.ending.to)]


def _told_to_return(about_id: str) -> sa.ColumnElement[bool]:
    """Whether an ending for their part has been said about the delivery, to all it was for."""
    part, before = tables.job.alias("part"), delivery.alias("before")
    return sa.exists().where(
        part.c.about_id == about_id,
        part.c.kind == tables.PART,
        before.c.warning_id == part.c.warning_id,
        before.c.kind == DeliveryKind.ENDING,
        before.c.about_id == delivery.c.delivery_id,
        before.c.covers >= delivery.c.covers,
    )


class Endings:
    """The router's clockwork for jobs."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    async def run_due(self) -> bool:
        """One batch of one job; True if anybody was told or a job ended."""
        async with self._platform.database.read() as db:
            jobs = await rows_of(db, _Waiting, _OPEN)
        for job in jobs:
            # who is outside an update, and who is in a part, is known when the audience is complete
            if (job.kind == "ending" or job.complete) and await self._batch(job):
                self._platform.bus.wake()
                self._platform.wake.channels.set()
                return True
        return False

    async def _batch(self, job: _Waiting) -> bool:
        now = self._platform.clock.now()
        async with self._platform.database.write() as tx:
            # one router at a time, and no evidence meanwhile: what comes late opens the job again
            await locks.ending(tx, job.warning_id, job.about_id)
            ctx = await self._contexts.of(tx, job.warning_id, workers=True)
            if ctx is None:
                return False
            concerned = (
                [w.worker_id for w in await officials.concerned(tx, job.warning_id)] if job.kind == "update" else []
            )
            rows = await rows_of(tx, Delivery, self._receivers(job, ctx, concerned))
            if not rows:
                if await tx.scalar(sa.select(sa.exists().where(flight.c.warning_id == job.about_id, IN_THE_AIR))):
                    return False
                await tx.execute(
                    sa.update(tables.job)
                    .where(tables.job.c.warning_id == job.warning_id, tables.job.c.about_id == job.about_id)
                    .values(done=True)
                )
                return True
            await self._tell(tx, ctx, job, rows, now)
        return True

    @staticmethod
    def _receivers(job: _Waiting, ctx: WarningContext, concerned: Sequence[str]) -> sa.Select[*tuple[object, ...]]:
        """Deliveries of the old warning that may have been received and were not answered by an ending yet.

        `concerned`: who is on duty where an update is in force.
        """
        door = delivery.c.driver == DOOR_DRIVER
        got = sa.or_(
            sa.and_(
                sa.not_(door),
                sa.or_(
                    delivery.c.send_state.in_(("unknown", "accepted", "delivered", "unconfirmed")),
                    sa.and_(delivery.c.ambiguous > 0, sa.not_(in_flight())),
                ),
            ),
            sa.and_(door, delivery.c.evidence >= Evidence.HUMAN_CONTACT),
        )
        ended = delivery.alias("ended")
        done = sa.exists().where(
            ended.c.warning_id == job.warning_id,
            ended.c.kind == DeliveryKind.ENDING,
            ended.c.about_id == delivery.c.delivery_id,
        )
        other = delivery.alias("other")  # another message to the same receiver may still be on its way out
        busy = sa.exists().where(
            other.c.warning_id == job.about_id,
            other.c.person_id == delivery.c.person_id,
            other.c.addressee_id == delivery.c.addressee_id,
            in_flight(other),
        )
        query = sa.select(delivery).where(
            delivery.c.warning_id == job.about_id,
            delivery.c.kind.in_(WARNS),
            delivery.c.addressee_kind.in_(_told(ctx)),
            got,
            sa.not_(done),
            sa.not_(busy),
        )
        if job.kind == tables.PART:
            of_it = tables.path.c.warning_id == job.warning_id
            here = sa.or_(
                sa.exists().where(of_it, tables.path.c.person_id == delivery.c.person_id),
                sa.exists().where(  # somebody else's phone
                    of_it,
                    delivery_cover.c.delivery_id == delivery.c.delivery_id,
                    tables.path.c.person_id == delivery_cover.c.person_id,
                ),
            )
            query = query.where(here, sa.not_(_told_to_return(job.about_id)))
        elif job.kind == "ending" and ctx.issued.ending in STILL_AWAY_OR_HOME:
            query = query.where(sa.not_(_told_to_return(job.about_id)))
        if job.kind == "update":
            inside = sa.exists().where(
                tables.path.c.warning_id == job.warning_id,
                tables.path.c.person_id == delivery.c.person_id,
                sa.not_(tables.path.c.outside),  # somebody outside who was told on one channel already
            )
            # a call to an official is about nobody who has a path: the update is theirs where they are on duty for it
            on_duty = sa.and_(delivery.c.person_id == "", delivery.c.addressee_id.in_(concerned))
            query = query.where(sa.not_(inside), sa.not_(on_duty), sa.not_(_told_to_return(job.about_id)))
        return query.order_by(delivery.c.delivery_id).limit(BATCH)

    async def _tell(
        self, tx: Connection, ctx: WarningContext, job: _Waiting, rows: Sequence[Delivery], now: float
    ) -> None:
        """One ending a received delivery: `about_id` names it, so that each is answered once."""
        sharing = await self._sharing(tx, job, rows) if job.kind == tables.PART else {}
        people = sorted({r.person_id for r in rows} | {one for found in sharing.values() for one in found})
        paths = {
            p.person_id: p
            for p in await rows_of(
                tx,
                tables.Path,
                sa.select(tables.path).where(
                    tables.path.c.warning_id == job.about_id, tables.path.c.person_id.in_(people)
                ),
            )
        }
        deltas = Deltas(job.warning_id)
        new = [await self._ending(tx, ctx, row, paths.get(row.person_id), now) for row in rows]
        new = [replace(one, covers=len(sharing[one.about_id])) if one.about_id in sharing else one for one in new]
        profile_of = {p: paths[p].profile_key for p in paths}
        await add(tx, new, profile_of)
        fresh: list[dict[str, object]] = [
            {
                "warning_id": job.warning_id, "person_id": p.person_id, "profile_key": p.profile_key,
                "household_id": p.household_id, "zone_id": p.zone_id, "grid_id": p.grid_id, "tier": ctx.issued.tier,
                "entry": p.entry, "state": "ended", "ending": "sent", "ended_at": now,
                "end_reason": "told: no longer for you" if job.kind == "update" else "told of the ending",
                "outside": job.kind == "update",
            }
            for p in paths.values()
        ]  # fmt: skip
        existing = set(
            (
                await tx.scalars(
                    sa.select(tables.path.c.person_id).where(
                        tables.path.c.warning_id == job.warning_id, tables.path.c.person_id.in_(people)
                    )
                )
            ).all()
        )
        if job.kind == tables.PART:
            fresh = await self._noted(tx, job, fresh, now)
        else:
            fresh = [f for f in fresh if f["person_id"] not in existing]
            await insert_new(tx, tables.path, fresh)
        if job.kind != "update":
            for one in fresh:
                deltas.person(str(one["profile_key"]), "targeted")
                deltas.person(str(one["profile_key"]), "ended:sent")
            await tx.execute(
                sa.update(tables.warning)
                .where(tables.warning.c.warning_id == job.warning_id)
                .values(total=tables.warning.c.total + len(fresh))
            )
        for ending in new:
            deltas.channel(profile_of.get(ending.person_id, ""), ending.channel, "planned")
        await publish_due(tx, ctx, [one.delivery_id for one in new], self._platform.settings.plane)
        await deltas.add(tx)

    @staticmethod
    async def _sharing(tx: Connection, job: _Waiting, rows: Sequence[Delivery]) -> dict[str, list[str]]:
        """Message to a shared phone > those it was for who are of the part: one at least, not always all."""
        shared = {row.delivery_id: row.person_id for row in rows if row.covers > 1}
        if not shared:
            return {}
        of = list(shared.items())
        more = sa.select(delivery_cover).where(one_of(delivery_cover.c.delivery_id, sorted(shared)))
        of += [(row.delivery_id, row.person_id) for row in await tx.execute(more)]
        mine = sa.select(tables.path.c.person_id).where(
            tables.path.c.warning_id == job.warning_id,
            one_of(tables.path.c.person_id, sorted({person for _, person in of})),
        )
        noted = set((await tx.scalars(mine)).all())
        return {one: [person for about, person in of if about == one and person in noted] for one in shared}

    @staticmethod
    async def _noted(
        tx: Connection, job: _Waiting, told: Sequence[dict[str, object]], now: float
    ) -> list[dict[str, object]]:
        """Those of `told` who had been noted as of the part and not told yet; they count from now on."""
        mine = (tables.path.c.warning_id == job.warning_id, tables.path.c.outside)
        people = sorted(str(one["person_id"]) for one in told)
        first = set(
            (
                await tx.scalars(
                    sa.select(tables.path.c.person_id).where(*mine, one_of(tables.path.c.person_id, people))
                )
            ).all()
        )
        await tx.execute(
            sa.update(tables.path)
            .where(*mine, one_of(tables.path.c.person_id, sorted(first)))
            .values(outside=False, ending="sent", ended_at=now, end_reason="told of the ending")
        )
        return [one for one in told if one["person_id"] in first]

    async def _ending(
        self, tx: Connection, ctx: WarningContext, old: Delivery, path: tables.Path | None, now: float
    ) -> NewDelivery:
        one = id_of(ctx.issued.warning_id, "ending", old.delivery_id)
        ending = NewDelivery.ending(one, ctx.issued, old, due_at=now)
        if old.driver != DOOR_DRIVER:
            return ending
        other = await self._own_channel(tx, ctx, path, now) if path is not None else None
        if other is not None:
            return replace(
                ending, channel=other.channel, driver=other.driver, addressee_kind=other.addressee_kind,
                contact_id=other.contact_id, address_key=other.address_key, sealed=other.sealed, key_id=other.key_id,
                reason="met at the door; told on their own channel",
            )  # fmt: skip
        night = ctx.is_night(now)
        return replace(
            ending, slot=old.slot, params=old.params, due_at=ctx.morning(now) if night else now,
            reason="met at the door; told there by day" if night else "met at the door; told there",
        )  # fmt: skip

    async def _own_channel(
        self, tx: Connection, ctx: WarningContext, path: tables.Path, now: float
    ) -> NewDelivery | None:
        """Their first usable channel, for the ending alone."""
        profiles = await tables.profiles_of(tx, {path.profile_key})
        who = Person(tables.decode_person(path.entry), profiles[path.profile_key], [])
        plan = ctx.plan(who.profile, now)
        for use in (u for u in plan.channels if u.kind not in (SUPPORTER, OFFICER, SHAKER)):
            rows = personal(ctx, who, plan, use, "ending", "ending", now)
            if rows:
                return rows[0]
        return None
