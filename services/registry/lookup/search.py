"""Finds people by number, id or grid and by nothing else, with a reason, counted, audited before shown.

Names and addresses are sealed, so nobody can be searched by them. What is shown is masked; a full value is opened on a
page of channels, by an order that only the key it was made for can use (services/shared/web/opening_order.py).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from services.registry.geo.areas import Shape
from services.registry.lookup.decoys import alarm
from services.registry.lookup.unlock import checked_reason, open_ones, warned_area, within
from services.registry.store import register
from services.registry.store.lookup_tables import look
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.crypto.sealing import address_key
from services.shared.database.engine import Connection, Database
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.errors import Refused, TooMany
from services.shared.people import phone_numbers
from services.shared.powers.who import Who

PAGE = 20
AT_ONCE = 200  # rows of which those who may be shown are taken
HOUR = 3600.0
BY = ("phone", "id", "grid", "zone")


@dataclass(frozen=True)
class Asked:
    """One search: by what, the value, why, and after which person a next page goes on."""

    by: str
    value: str
    reason: str
    after: str = ""


class ListedPerson(NamedTuple):
    """A person or facility as a list shows them."""

    person_id: str
    kind: str
    status: str
    zone_id: str
    grid_id: str
    lat: float
    lon: float
    authority: str


@dataclass(frozen=True)
class Shown:
    """What came of it: rows of registry_person, and where the next page begins. Whether others are there and may not be
    shown is not told: that alone would say who is in the register."""

    people: Sequence[ListedPerson] = ()
    after: str = ""
    unlocked: frozenset[str] = field(default_factory=frozenset)


def number_of(text: str, region: str) -> str:
    """The E.164 form; Refused where it is no number."""
    found = phone_numbers.normal(text, region)
    if not found:
        raise Refused(
            "that is no phone number", field="value", rule="phone", given="", remedy="give it with + and country code"
        )
    return found


class Search:
    """Every search and every look goes through here."""

    def __init__(self, database: Database, index: bytes, region: str, quota: int) -> None:
        self._database = database
        self._index = index
        self._region = region
        self._quota = quota

    async def search(self, who: Who, asked: Asked, now: float) -> Shown:
        """People found, masked rows only; Refused without reason, TooMany over the quota. `now` is warning time."""
        reason = checked_reason(asked.reason)
        where = await self._where(asked)
        async with self._database.write() as tx:
            shown, allowed, more = await self._page(tx, who, where, asked.after, now)
            subject = asked.value.strip()[:80] if asked.by != "phone" else self._number_mark(asked.value)
            detail = {"by": asked.by, "shown": len(shown)}
            await trail.record(tx, who.label, "people.search", subject or "-", reason, detail)
            over = await self._take(
                tx, who, {row.person_id: allowed[row.person_id] for row in shown}, reason, "people.listed"
            )
        self._stop(over)
        unlocked = frozenset(row.person_id for row in shown if allowed[row.person_id])
        return Shown(shown, shown[-1].person_id if more else "", unlocked)

    async def _page(
        self, db: Connection, who: Who, where: sa.ColumnElement[bool], after: str, now: float
    ) -> tuple[list[ListedPerson], dict[str, str], bool]:
        """(People to show, person_id > their unlock, whether there are more to show)."""
        shown: list[ListedPerson] = []
        allowed: dict[str, str] = {}
        found = sa.select(*columns(ListedPerson, register.person)).where(where).order_by(register.person.c.person_id)
        while True:
            rows = await rows_of(db, ListedPerson, found.where(register.person.c.person_id > after).limit(AT_ONCE))
            allowed |= await self._allowed(db, who, rows, now)
            shown += [row for row in rows if row.person_id in allowed]
            if len(shown) > PAGE:
                return shown[:PAGE], allowed, True
            if len(rows) < AT_ONCE:
                return shown, allowed, False
            after = rows[-1].person_id

    def _number_mark(self, value: str) -> str:
        """Says in the audit log which number was asked for, to who has the number and the key alone."""
        number = number_of(value, self._region)
        return "number " + hmac.new(self._index, f"search {number}".encode(), hashlib.sha256).hexdigest()[:24]

    async def open(self, who: Who, person_id: str, reason: str, now: float) -> bool:
        """Whether this person may be shown now; if so the look is in the audit log. False says nothing about whether
        they exist."""
        reason = checked_reason(reason)
        async with self._database.write() as tx:
            one = sa.select(*columns(ListedPerson, register.person)).where(register.person.c.person_id == person_id)
            row = await row_of(tx, ListedPerson, one)
            allowed = await self._allowed(tx, who, [row] if row else [], now)
            if person_id not in allowed:
                await trail.record(tx, who.label, "people.not_shown", person_id[:32] or "-", reason)
                return False
            over = await self._take(tx, who, allowed, reason, "people.look")
        self._stop(over)
        return True

    async def _where(self, asked: Asked) -> sa.ColumnElement[bool]:
        value = asked.value.strip()
        if asked.by == "phone":
            keys = [address_key(self._index, "sms", one) for one in phone_numbers.forms(number_of(value, self._region))]
            theirs = sa.select(register.contact.c.owner_id).where(register.contact.c.address_key.in_(keys))
            helped = sa.select(register.supporter.c.person_id).where(register.supporter.c.supporter_id.in_(theirs))
            return sa.or_(register.person.c.person_id.in_(theirs), register.person.c.person_id.in_(helped))
        columns = {
            "id": register.person.c.person_id,
            "grid": register.person.c.grid_id,
            "zone": register.person.c.zone_id,
        }
        if asked.by not in columns or not value:
            raise Refused(
                "choose what to search by and give its value",
                field="by" if asked.by not in columns else "value",
                rule="closed_list",
                given=asked.by[:20],
                remedy=f"one of {', '.join(BY)}; names and addresses are sealed and cannot be searched",
            )
        return columns[asked.by] == value

    async def _allowed(self, db: Connection, who: Who, rows: Sequence[ListedPerson], now: float) -> dict[str, str]:
        """person_id > the unlock that shows them (empty: none was needed) of those whom this key may see.

        The register's own office sees whom it keeps; others see who agreed to it, and in an emergency the zone.
        """
        if who.area and rows:
            held = Shape.from_geojson(who.area).holds([r.lon for r in rows], [r.lat for r in rows])
            rows = [row for row, inside in zip(rows, held, strict=True) if inside]
        keeps = "register" in who.actions
        found = {row.person_id: "" for row in rows if keeps and (not row.authority or who.speaks_for(row.authority))}
        rows = [row for row in rows if row.person_id not in found]
        agreed = await self._agreed(db, [row.person_id for row in rows])
        found |= {row.person_id: "" for row in rows if row.person_id in agreed}
        for one in await open_ones(db, who, now):
            here = [row for row in rows if one.zone in (row.zone_id, row.grid_id)]
            inside = within(who, await warned_area(db, one.warning_id) if here else None, here)
            for row in (row for row, held in zip(here, inside, strict=True) if held):
                found.setdefault(row.person_id, one.unlock_id)
        return found

    @staticmethod
    async def _agreed(db: Connection, people: Sequence[str]) -> set[str]:
        """Who agreed to be shared with officers in peacetime: the newest word counts. A facility is no person."""
        rows = await db.execute(
            sa.select(register.consent.c.person_id, register.consent.c.decision)
            .where(register.consent.c.person_id.in_(people), register.consent.c.purpose == "share_officer_peacetime")
            .order_by(register.consent.c.at)
        )
        said = {row.person_id: row.decision for row in rows}
        houses = await db.scalars(
            sa.select(register.person.c.person_id).where(
                register.person.c.person_id.in_(people), register.person.c.kind == "facility"
            )
        )
        return {person_id for person_id, decision in said.items() if decision == "given"} | set(houses)

    async def _take(self, tx: Connection, who: Who, people: dict[str, str], reason: str, act: str) -> int:
        """Counts and audits these looks; over the quota it audits that instead and says how many there were.

        A search that shows nobody counts as one: else whoever asks learns for nothing who is not there.
        """
        mine = (look.c.caller_id == who.actor, look.c.at > wall() - HOUR)
        before = int(await tx.scalar(sa.select(sa.func.count()).select_from(look).where(*mine)) or 0)
        if before + max(1, len(people)) > self._quota:
            await trail.record(
                tx, who.label, "people.quota", who.actor, reason, {"looks": before, "quota": self._quota}
            )
            return before
        rows = [
            {"look_id": new_id(), "at": wall(), "caller_id": who.actor, "person_id": p, "unlock_id": u}
            for p, u in (people or {"": ""}).items()
        ]
        await tx.execute(sa.insert(look), rows)
        for person_id, unlock_id in sorted(people.items()):
            detail = {"unlock_id": unlock_id} if unlock_id else {}
            await trail.record(tx, who.label, act, person_id, reason, detail)
        await alarm(tx, who, people, reason)
        return 0

    def _stop(self, over: int) -> None:
        if over:
            raise TooMany(
                f"this key has looked at {over} people within an hour, and {self._quota} are allowed: wait, or ask the "
                "register's office to look for you",
                retry_after=600,
            )
