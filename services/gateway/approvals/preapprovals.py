"""Preapprovals: what one person sends at once, since two approved it beforehand, for one template, zone, trigger and hours.

Where the danger is minutes away, or the second person is silent, waiting kills. Whatever goes out by a preapproval is told to all
who could have decided, and another person reviews it within a day.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import orjson
import sqlalchemy as sa

from services.gateway.approvals.paging import Paging
from services.gateway.approvals.store import Review, review
from services.gateway.cap.text import one_line
from services.gateway.store import StoredWarning, Texts
from services.shared import alarms
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.database.engine import Connection
from services.shared.database.rows import row_of, rows_of
from services.shared.errors import Conflict, NotAllowed, NotFound, Refused
from services.shared.ledger import areas
from services.shared.ledger.approvals import Preapproval, asked_about, open_preapprovals, preapproval
from services.shared.powers.may import Thing, covers, must
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform

LEAD_S = 1200.0  # to the impact: shorter, and nobody waits for a second person
REVIEW_S = 86400.0
KIND = "review"
LONGEST_S = 366 * 86400.0
DAY_MIN = 1440


class Preapprovals:
    """Proposes, approves and ends preapprovals, and says whether a warning fits one."""

    def __init__(self, platform: Platform, paging: Paging) -> None:
        self._platform = platform
        self._paging = paging

    async def propose(
        self,
        tx: Connection,
        who: Who,
        row: StoredWarning,
        name: str,
        trigger: str,
        hours: tuple[int, int],
        until: float,
    ) -> str:
        """A preapproval with the draft's template and place, for another person to approve; its id."""
        now = self._platform.clock.now()
        if not row.state_tier or row.state_ending or row.state_state not in ("draft", "held"):
            raise Conflict(
                "a preapproval is made of a draft whose tier is decided",
                field="warning_id",
                rule="state",
                given=row.state_state,
            )
        if not now < until <= now + LONGEST_S:
            raise Refused("until: give a day within a year from now", field="until", rule="range")
        shapes, unknown = await _shapes(tx, row)
        if unknown or not shapes:
            raise Refused("its place is not known: draw it, or import its areas", field="area", rule="resolved")
        preapproval_id = new_id()
        new = Preapproval(
            preapproval_id, row.state_authority, name, row.state_tier, row.sender, row.events, template_of(row), row.texts,
            shapes, *hours, until, trigger, who.actor, who.label, now, "", "", None, None,
        )  # fmt: skip
        await tx.execute(sa.insert(preapproval).values(new._asdict()))
        await trail.record(
            tx, who.label, "propose_preapproval", preapproval_id, trigger, {"name": name, "of": row.warning_id}
        )
        return preapproval_id

    async def approve(self, tx: Connection, who: Who, preapproval_id: str) -> None:
        """NotAllowed to whoever made it; Conflict where it was done, or is over."""
        one = await preapproval_with(tx, preapproval_id)
        must(who, Power.SEND, thing_of(one))
        if who.actor == one.made_by:
            raise NotAllowed(
                "you made this preapproval: another person approves it",
                field="preapproval_id",
                rule="second",
                given=who.label,
            )
        if one.approved_at is not None or one.ended_at is not None:
            raise Conflict("this preapproval is approved or over already", field="preapproval_id", rule="state")
        values = {"approved_by": who.actor, "approved_name": who.label, "approved_at": self._platform.clock.now()}
        await tx.execute(sa.update(preapproval).where(preapproval.c.preapproval_id == preapproval_id).values(values))
        await trail.record(tx, who.label, "approve_preapproval", preapproval_id, one.trigger, {"name": one.name})

    async def end(self, tx: Connection, who: Who, preapproval_id: str) -> None:
        """From now on nothing goes out by it; one person may."""
        one = await preapproval_with(tx, preapproval_id)
        must(who, Power.SEND, thing_of(one))
        await tx.execute(
            sa.update(preapproval)
            .where(preapproval.c.preapproval_id == preapproval_id)
            .values(ended_at=self._platform.clock.now())
        )
        await trail.record(tx, who.label, "end_preapproval", preapproval_id, one.trigger, {"name": one.name})

    async def fitting(self, tx: Connection, row: StoredWarning, tier: int) -> Preapproval | None:
        """The preapproval by which one person may send this now; None where there is none.

        Its template, within its zone and hours, not above its tier; the place called by a name that is known; and the danger
        is near, or those asked are silent.
        """
        now = self._platform.clock.now()
        if not await self._cannot_wait(tx, row, now):
            return None
        mine = (preapproval.c.template == template_of(row), open_preapprovals(row.state_authority, now))
        found = await rows_of(tx, Preapproval, sa.select(preapproval).where(*mine).order_by(preapproval.c.made_at))
        if not found:
            return None
        shapes, unknown = await _shapes(tx, row)
        named = await areas.names_of(tx, ((one[0], one[1]) for one in row.geocodes), but_of=row.brought_by)
        minute = (int(now // 60) + self._platform.settings.offset_at(now)) % DAY_MIN
        for one in found:
            inside = (
                not unknown and bool(shapes) and _within(one.shapes, shapes) and _names(row.texts, one.texts, named)
            )
            if inside and tier <= one.tier and within_hours(minute, one.from_min, one.to_min):
                return one
        return None

    async def _cannot_wait(self, tx: Connection, row: StoredWarning, now: float) -> bool:
        impact = row.sense.get("impact")
        if impact is not None and impact - now < LEAD_S:
            return True
        asked = await asked_about(tx, row.warning_id)
        return asked is not None and now >= asked.asked_at + self._platform.settings.approval_s

    async def used(self, tx: Connection, who: Who, row: StoredWarning, by: Preapproval) -> None:
        """It goes out by that preapproval: all who could have decided are told, and another person is to review it."""
        now = self._platform.clock.now()
        new = Review(
            row.warning_id,
            by.preapproval_id,
            row.state_authority,
            who.actor,
            who.label,
            now,
            now + REVIEW_S,
            False,
            "",
            None,
            "",
        )
        await tx.execute(sa.insert(review).values(new._asdict()))
        await trail.record(tx, who.label, "send_by_preapproval", row.warning_id, by.trigger, {"preapproval": by.name})
        others = await self._paging.reachable(tx, row, who.actor)
        await self._paging.tell(tx, "preapproval_used", row.warning_id, others, row.state_tier, "")

    async def reviewed(self, tx: Connection, who: Who, warning_id: str, words: str) -> None:
        """Another person than sent it says how it was. NotFound, NotAllowed, Conflict."""
        one = await row_of(tx, Review, sa.select(review).where(review.c.warning_id == warning_id))
        if one is None or not who.speaks_for(one.authority):
            raise NotFound("this warning did not go out by a preapproval", field="warning_id", given=warning_id)
        if one.sent_by == who.actor:
            raise NotAllowed(
                "you sent it: another person reviews it", field="warning_id", rule="second", given=who.label
            )
        if one.reviewed_at is not None:
            raise Conflict(f"{one.reviewed_name} has reviewed it already", field="warning_id", rule="state")
        values = {"reviewed_name": who.label, "reviewed_at": self._platform.clock.now(), "words": words}
        await tx.execute(sa.update(review).where(review.c.warning_id == warning_id).values(values))
        await trail.record(tx, who.label, "review", warning_id, words)
        await alarms.over(tx, f"{KIND}:{warning_id}")

    async def run_due(self) -> bool:
        """Sounds the alarm of what nobody has reviewed within a day; whether there was any."""
        late = (
            review.c.due_at <= self._platform.clock.now(),
            review.c.reviewed_at.is_(None),
            review.c.sounded.is_(False),
        )
        async with self._platform.database.read() as db:
            found = await rows_of(db, Review, sa.select(review).where(*late))
        if not found:
            return False
        async with self._platform.database.write() as tx:
            for one in found:
                said = (
                    f"a warning ({one.warning_id[:8]}) that {one.sent_name} sent alone, as approved beforehand, was not "
                    "reviewed within 24 hours. Open /console/preapprovals and review it"
                )
                await alarms.sound(tx, f"{KIND}:{one.warning_id}", said)
                mine = review.c.warning_id == one.warning_id
                await tx.execute(sa.update(review).where(mine).values(sounded=True))
        return True

    async def next_at(self) -> float | None:
        """The warning time at which a review is overdue next."""
        waits = (review.c.reviewed_at.is_(None), review.c.sounded.is_(False))
        async with self._platform.database.read() as db:
            found: float | None = await db.scalar(sa.select(sa.func.min(review.c.due_at)).where(*waits))
        return found


async def preapproval_with(db: Connection, preapproval_id: str) -> Preapproval:
    """NotFound where there is none."""
    found = await row_of(db, Preapproval, sa.select(preapproval).where(preapproval.c.preapproval_id == preapproval_id))
    if found is None:
        raise NotFound(f"there is no preapproval {preapproval_id}", field="preapproval_id", given=preapproval_id)
    return found


def thing_of(one: Preapproval) -> Thing:
    """What whoever approves or ends it must hold: its authority, zone, tier and events."""
    return Thing(
        missing=f"there is no preapproval {one.preapproval_id}", field="preapproval_id", owner=one.authority, tier=one.tier,
        shapes=tuple(one.shapes), events=tuple(one.events), sender=one.sender, sources=sources_of(one.texts),
    )  # fmt: skip


async def preapprovals_of(db: Connection, who: Who) -> list[Preapproval]:
    """All that are theirs or below, those to approve first, then those in force, then the newest that are over."""
    mine = preapproval.c.authority.in_((who.authority, *who.over))
    order = (preapproval.c.ended_at.is_not(None), preapproval.c.approved_at.is_not(None), preapproval.c.made_at.desc())
    return await rows_of(db, Preapproval, sa.select(preapproval).where(mine).order_by(*order).limit(200))


async def reviews_of(db: Connection, who: Who) -> list[Review]:
    """What went out by preapprovals of theirs or below, what is to review first."""
    mine = review.c.authority.in_((who.authority, *who.over))
    order = (review.c.reviewed_at.is_not(None), review.c.sent_at.desc())
    return await rows_of(db, Review, sa.select(review).where(mine).order_by(*order).limit(50))


def template_of(row: StoredWarning) -> str:
    """What it says and asks in every language, the place left out."""
    said = {tag: {name: text for name, text in parts.items() if name != "place"} for tag, parts in row.texts.items()}
    body = [said, row.sense["hazard"], row.sense["respond"], row.sense.get("asked", ""), sorted(row.events), row.sender]
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def within_hours(minute: int, start: int, end: int) -> bool:
    """Whether a minute of the local day lies in hours that may go over midnight; equal ends are the whole day."""
    if start == end:
        return True
    return start <= minute < end if start < end else minute >= start or minute < end


def sources_of(texts: Texts) -> tuple[str, ...]:
    """Whom the texts of a preapproval name as saying it, each once."""
    return tuple(dict.fromkeys(text["source"] for text in texts.values()))


def _within(zone: Sequence[str], shapes: Sequence[str]) -> bool:
    return all(any(covers(part, (one,)) for part in zone) for one in shapes)


def _names(texts: Texts, approved: Texts, known: Sequence[str]) -> bool:
    """Whether the place is called as it was approved, or by names of imported areas alone: nobody puts other words there.

    Names that whoever drafted it gave themselves are not among the `known`: they may say anything.
    """
    for tag, said in texts.items():
        parts = [part for part in re.split(r"[,、,;;]", said["place"]) if part.strip()]
        if one_line(said["place"]) != one_line(approved[tag]["place"]) and not {one_line(p) for p in parts} <= set(
            known
        ):
            return False
    return True


async def _shapes(db: Connection, row: StoredWarning) -> tuple[list[str], bool]:
    texts, unknown = await areas.of_codes(db, ((one[0], one[1]) for one in row.geocodes))
    return list(dict.fromkeys([row.area, *texts] if row.area else texts)), bool(unknown)
