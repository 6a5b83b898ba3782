"""Calls volunteers with a skill (signing, tactile interpreting, a language) out to go along with a visit.

A few at a time by text, after a minute of silence by call; the first to answer 1 or YES has it and the others are told.
Who has it and gives no sign is let go, and the next are asked. No door waits for any of them: after the policy's ten
minutes at most nobody is asked any more, and the team takes the written card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from msgspec.structs import replace

from services.router.cases import cases
from services.router.planning.notices import notice
from services.router.planning.paths import publish_due
from services.router.planning.plan import TAKEN_BACK, WarningContext
from services.router.planning.rows import OFFICER_CHANNELS
from services.router.policy.vocabulary import CALLED
from services.router.store import tables
from services.router.store.callouts import OPEN, CalloutRow, callout
from services.shared.bus.outbox import id_of, new_id, publish
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import row_of, rows_of
from services.shared.ledger.answers import Logged
from services.shared.ledger.deliveries import NewDelivery, add
from services.shared.ledger.evidence import Answer
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.moves import move
from services.shared.ledger.params import Callout, Visit
from services.shared.ledger.states import NO_VOLUNTEER, SendState
from services.shared.ledger.tables import Delivery, delivery
from services.shared.ledger.tally import Deltas
from services.shared.messages import ContactEntry, EvidenceRecorded, NoticeRequested, WorkerEntry
from services.shared.people import languages

WATCH = "callout:"  # and its id: one look is one call-out's
VIDEO, SIGN = "video_relay", "sign_volunteer"
FEW = 3  # asked at a time
THEN_CALLED_S = 60.0  # of silence after the text
NEXT_S = 60.0  # of silence after the last way of asking
SILENT_S = 300.0  # without a sign of who took it


async def begin(
    tx: Connection, ctx: WarningContext, visits: Sequence[Delivery], team_of: Mapping[str, WorkerEntry], now: float
) -> None:
    """For visits given to teams (by delivery id) that have not got the skill their team names."""
    new = []
    for visit in visits:
        team = team_of[visit.delivery_id]
        parts = visit.params.team.split("+") if isinstance(visit.params, Visit) else []
        new += [
            {
                "callout_id": id_of(visit.delivery_id, skill), "warning_id": ctx.issued.warning_id,
                "person_id": visit.person_id, "about_id": visit.delivery_id, "skill": skill,
                "language": visit.language, "opened_at": now, "let_go": {},
            }
            for part, skill in CALLED.items() if part in parts and not _has(team, skill, visit.language)
        ]  # fmt: skip
    if new:
        new.sort(key=lambda r: str(r["callout_id"]))
        await insert_new(tx, callout, new)
        looks = [
            {"warning_id": ctx.issued.warning_id, "what": f"{WATCH}{one['callout_id']}", "due_at": now} for one in new
        ]
        await insert_new(tx, tables.watch, looks)


async def heard(tx: Connection, warning_id: str, rows: Sequence[Delivery], now: float) -> None:
    """A volunteer has answered, or a video call waits for one: looked at at once."""
    videos = [r for r in rows if r.channel == VIDEO and r.send_state == SendState.ACCEPTED and not r.answer]
    new = [
        {
            "callout_id": id_of(r.delivery_id, SIGN), "warning_id": warning_id, "person_id": r.person_id,
            "about_id": r.delivery_id, "skill": SIGN, "language": r.language, "opened_at": now, "let_go": {},
        }
        for r in sorted(videos, key=lambda r: str(r.delivery_id))
    ]  # fmt: skip
    await insert_new(tx, callout, new)
    about = {str(one["callout_id"]) for one in new}
    about |= {row.about_id for row in rows if row.kind == DeliveryKind.CALLOUT}
    for callout_id in sorted(about):
        await cases.set_clock(tx, warning_id, now, f"{WATCH}{callout_id}")


async def review(tx: Connection, ctx: WarningContext, callout_id: str, now: float, plane: str) -> None:
    """One look at one that is open; when the next is due. Nobody holds two at once."""
    mine = (callout.c.warning_id == ctx.issued.warning_id, OPEN)
    one = await row_of(tx, CalloutRow, sa.select(callout).where(*mine, callout.c.callout_id == callout_id))
    if one is None:
        return
    busy = set((await tx.scalars(sa.select(callout.c.holder).where(*mine, callout.c.state == "taken"))).all())
    following = await Turn(tx, ctx, one, now, plane, busy).advance()
    if following is not None:
        await cases.set_clock(tx, ctx.issued.warning_id, max(now + 1.0, following), f"{WATCH}{callout_id}")


def _has(worker: WorkerEntry, skill: str, language: str) -> bool:
    """Whether they have it; a translator of this language."""
    if skill not in worker.skills:
        return False
    return skill != "translator" or languages.first_of(language, (languages.base_of(worker.language),)) != ""


class Turn:
    """One look at one call-out."""

    def __init__(
        self, tx: Connection, ctx: WarningContext, row: CalloutRow, now: float, plane: str, busy: set[str]
    ) -> None:
        self._tx = tx
        self._ctx = ctx
        self._row = row
        self._now = now
        self._plane = plane
        self._busy = busy
        self._let_go: dict[str, float] = dict(row.let_go)
        self._asked: dict[str, list[Delivery]] = {}  # volunteer > their deliveries, oldest first
        self._video = False
        self._said: dict[str, Logged] = {}  # volunteer > the last thing they said since they were let go

    async def advance(self) -> float | None:
        """Moves it on; the warning time of the next look, or None where it is over."""
        about = sa.select(delivery).where(delivery.c.delivery_id == self._row.about_id)
        visit = await row_of(self._tx, Delivery, about)
        await self._read()
        self._video = visit is not None and visit.channel == VIDEO
        if visit is None or visit.answer or visit.send_state in TAKEN_BACK:
            await self._end("done", "callout_over")
            return None
        if self._row.state == "taken":
            following = await self._held()
            if following is not None:
                return following
        first = min(
            (a for a in self._said.values() if a.answer == Answer.LEAVING and self._of(a) not in self._busy),
            key=lambda a: (a.at, a.event_key), default=None,
        )  # fmt: skip
        if first is not None:
            return await self._taken(visit, self._of(first), first.at)
        if self._now >= self._row.opened_at + self._ctx.policy.combine.skill_wait_s:
            await self._nobody(visit)
            return None
        return await self._ask(visit)

    async def _read(self) -> None:
        about = (
            delivery.c.warning_id == self._row.warning_id,
            delivery.c.kind == DeliveryKind.CALLOUT,
            delivery.c.about_id == self._row.callout_id,
        )
        order = (delivery.c.due_at, delivery.c.delivery_id)
        for row in await rows_of(self._tx, Delivery, sa.select(delivery).where(*about).order_by(*order)):
            self._asked.setdefault(row.addressee_id, []).append(row)
        self._by = {row.delivery_id: worker for worker, rows in self._asked.items() for row in rows}
        answers = await tables.answers_of(self._tx, sorted(self._by))
        for a in sorted((a for found in answers.values() for a in found), key=lambda a: (a.at, a.event_key)):
            if a.at > self._let_go.get(self._of(a), 0.0):
                self._said[self._of(a)] = a

    def _of(self, answer: Logged) -> str:
        return self._by[answer.delivery_id]

    async def _held(self) -> float | None:
        """They have it: any sign of them counts anew; silent too long, or unable after all, they are let go."""
        holder = self._row.holder
        said = self._said.get(holder)
        last = max(self._row.held_at or 0.0, said.at if said is not None else 0.0)
        gave_up = said is not None and said.answer in (Answer.NOT_THERE, Answer.CANNOT_REACH)
        if said is not None and said.answer == Answer.SPOKE:
            return self._now + SILENT_S  # they are there: what the team finds ends it
        if not gave_up and self._now < last + SILENT_S:
            return last + SILENT_S
        self._let_go[holder] = self._now
        self._said.pop(holder, None)
        self._busy.discard(holder)
        await self._set(state="asking", holder="", let_go=self._let_go)
        await self._mark(holder, holds=False)
        if not gave_up:
            await self._tell([holder], "callout_released", f"{self._row.callout_id}:{self._now}")
        return None

    async def _taken(self, visit: Delivery, worker: str, at: float) -> float:
        self._busy.add(worker)
        await self._set(state="taken", holder=worker, held_at=at)
        await self._mark(worker, holds=True)
        await self._card(visit, "coming")
        others = [w for w in self._asked if w != worker and self._waits(w)]
        await self._tell(others, "callout_taken", f"{self._row.callout_id}:{worker}")
        return at + SILENT_S

    def _waits(self, worker: str) -> bool:
        """AskedOut, and neither refused nor let go."""
        said = self._said.get(worker)
        return worker not in self._let_go and (said is None or said.answer == Answer.LEAVING)

    async def _nobody(self, visit: Delivery) -> None:
        if self._video:
            about = (self._row.about_id,)
            await move(
                self._tx, about, SendState.FAILED, at=self._now, only=(SendState.ACCEPTED,), state_reason=NO_VOLUNTEER
            )
            event = EvidenceRecorded(
                msg_id=new_id(),
                plane=self._plane,
                warning_id=self._row.warning_id,
                tier=self._ctx.issued.tier,
                ids=about,
            )
            await publish(self._tx, [event])
        await self._card(visit, "none")
        await self._end("none", "callout_over")

    async def _ask(self, visit: Delivery) -> float:
        """The silent are called; where all ways of asking have been silent, the next few are written to."""
        give_up = self._row.opened_at + self._ctx.policy.combine.skill_wait_s
        workers = {w.worker_id: w for w in self._ctx.workers}
        looks = [give_up]
        rows: list[NewDelivery] = []
        for worker, asked in self._asked.items():
            if not self._waits(worker) or worker not in workers:
                continue
            voice = self._way(workers[worker], voice=True)
            called = any(a.channel == "officer_voice" for a in asked)
            if voice is not None and not called:
                at = asked[0].due_at + THEN_CALLED_S
                if at <= self._now:
                    rows.append(self._one(workers[worker], voice, "silent for a minute: called"))
                    at = self._now + NEXT_S
            else:
                at = asked[-1].due_at + NEXT_S
            if at > self._now:
                looks.append(at)
        if len(looks) == 1 and not rows:
            rows = self._few(workers)
            if not rows and not any(self._waits(w) for w in self._asked):
                await self._nobody(visit)  # nobody is left who could say yes
            looks += [self._now + THEN_CALLED_S] if rows else []
        await self._put(rows)
        return min(looks)

    def _few(self, workers: Mapping[str, WorkerEntry]) -> list[NewDelivery]:
        """The next volunteers: those of the person's language and skill who hold nothing, by id."""
        found = []
        for worker_id in sorted(workers):
            one = workers[worker_id]
            if worker_id in self._asked or worker_id in self._busy:
                continue
            if _has(one, self._row.skill, self._row.language):
                way = self._way(one, voice=False) or self._way(one, voice=True)
                if way is not None:
                    found.append(self._one(one, way, f"{self._row.skill} asked"))
        return found[:FEW]

    def _way(self, worker: WorkerEntry, *, voice: bool) -> tuple[ContactEntry, str] | None:
        wanted = "officer_voice" if voice else "officer_sms"
        return next(
            (
                (c, wanted)
                for c in worker.contacts
                if c.usable
                and OFFICER_CHANNELS.get(c.kind) == wanted
                and not self._ctx.channels.get(wanted, "no_driver")
            ),
            None,
        )

    def _one(self, worker: WorkerEntry, way: tuple[ContactEntry, str], reason: str) -> NewDelivery:
        contact, channel = way
        return NewDelivery.callout(
            id_of(self._row.callout_id, worker.worker_id, channel), self._ctx.issued, worker, contact, self._params(),
            callout_id=self._row.callout_id, channel=channel, driver=self._ctx.drivers[channel], reason=reason,
            due_at=self._now,
        )  # fmt: skip

    def _params(self, *, holds: bool = False) -> Callout:
        return Callout(self._row.skill, self._row.about_id, self._video, holds)

    async def _put(self, rows: list[NewDelivery]) -> None:
        await add(self._tx, rows)
        deltas = Deltas(self._row.warning_id)
        for row in rows:
            deltas.channel("", row.channel, "planned")
        await deltas.add(self._tx)
        await publish_due(self._tx, self._ctx, sorted(row.delivery_id for row in rows), self._plane)

    async def _set(self, **values: object) -> None:
        mine = callout.c.callout_id == self._row.callout_id
        await self._tx.execute(sa.update(callout).where(mine).values(**values))

    async def _mark(self, worker: str, *, holds: bool) -> None:
        """Their own page shows where to go only while they have it."""
        ids = [row.delivery_id for row in self._asked.get(worker, ())]
        params = self._params(holds=holds)
        await self._tx.execute(sa.update(delivery).where(one_of(delivery.c.delivery_id, ids)).values(params=params))

    async def _card(self, visit: Delivery, skill: str) -> None:
        """What the team's list says of the skill: coming, or none (the written card)."""
        if self._video or not isinstance(visit.params, Visit):
            return
        if skill == "none" and await self._another_comes():
            return
        params = replace(visit.params, skill=skill)
        await self._tx.execute(
            sa.update(delivery).where(delivery.c.delivery_id == visit.delivery_id).values(params=params)
        )

    async def _another_comes(self) -> bool:
        """Whether somebody with another skill is on the way to the same door."""
        theirs = (callout.c.about_id == self._row.about_id, callout.c.callout_id != self._row.callout_id)
        taken = sa.select(sa.exists().where(*theirs, callout.c.state == "taken"))
        return bool(await self._tx.scalar(taken))

    async def _end(self, state: str, kind: str) -> None:
        await self._set(state=state, ended_at=self._now)
        if self._row.holder:
            self._busy.discard(self._row.holder)
            await self._mark(self._row.holder, holds=False)
        await self._tell([w for w in self._asked if self._waits(w)], kind, self._row.callout_id)

    async def _tell(self, workers: Sequence[str], kind: str, about: str) -> None:
        entries = {w.worker_id: w for w in self._ctx.workers}
        made = [notice(self._ctx, entries[w], kind, self._plane, about) for w in sorted(workers) if w in entries]
        told: list[NoticeRequested] = [one for one in made if one is not None]
        await publish(self._tx, told)


class AskedOut(NamedTuple):
    """A call-out and how many volunteers were asked."""

    opened_at: float
    ended_at: float | None
    held_at: float | None
    holder: str
    state: str
    skill: str
    asked: int


async def words(db: Connection, warning_id: str, person_id: str) -> list[AskedOut]:
    """The call-outs for one person with how many were asked, oldest first."""
    asked = (
        sa.select(sa.func.count(sa.distinct(delivery.c.addressee_id)))
        .where(
            delivery.c.warning_id == warning_id,
            delivery.c.kind == DeliveryKind.CALLOUT,
            delivery.c.about_id == callout.c.callout_id,
        )
        .scalar_subquery()
    )
    mine = (callout.c.warning_id == warning_id, callout.c.person_id == person_id)
    columns = (
        callout.c.opened_at,
        callout.c.ended_at,
        callout.c.held_at,
        callout.c.holder,
        callout.c.state,
        callout.c.skill,
    )
    query = sa.select(*columns, asked.label("asked")).where(*mine)
    return await rows_of(db, AskedOut, query.order_by(callout.c.opened_at))
