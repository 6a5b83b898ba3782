"""Finds the audience of an area: one numbered page of people a transaction, the first of them small.

People go out in the order cell, household, person; the job's cursor is the last one that went out, so a page that was
not committed is made again, and a page that was is not. After those who live inside come those who live elsewhere and
may be inside just now (whereabouts.py), at the address where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import structlog

from services.registry.audience import whereabouts
from services.registry.audience.drills import agreed
from services.registry.audience.whereabouts import Moment, Visitor
from services.registry.geo.areas import (
    BOUNDARY,
    COLUMNS,
    INSIDE,
    OUTSIDE,
    ROWS,
    Shape,
)
from services.registry.model.facilities import on_shift
from services.registry.model.needs import keyed
from services.registry.store import register
from services.registry.store.register import Cursor
from services.registry.store.register_rows import FoundContact, FoundPerson, FoundSupporter, Job
from services.shared.bus.outbox import digest_of, id_of, publish
from services.shared.database.engine import Connection, Database
from services.shared.fault_points import fault_at
from services.shared.messages import (
    FIRST_PAGE_PEOPLE,
    PAGE_PEOPLE,
    AudienceFound,
    ContactEntry,
    PersonEntry,
    Profile,
    SupporterEntry,
    WorkerEntry,
)

log = structlog.get_logger("registry")
CELLS_AT_ONCE, MOST_CELLS_AT_ONCE = 64, 1024
BEYOND = COLUMNS * ROWS  # the cursor's cell once everybody who lives inside is out


@dataclass
class _Page:
    """People of one page, and whether nobody comes after them."""

    people: list[FoundPerson] = field(default_factory=list)
    last: bool = False
    visitors: list[Visitor] = field(default_factory=list)

    def end(self, cursor: Cursor) -> Cursor:
        """The cursor after it."""
        if self.visitors:
            return BEYOND, self.visitors[-1].household_id, self.visitors[-1].row.person_id
        if self.people:
            return self.people[-1].cell, self.people[-1].household_id, self.people[-1].person_id
        return cursor


async def next_page(
    db: Connection, area: Shape | None, after: Cursor, moment: Moment, size: int = PAGE_PEOPLE
) -> _Page:
    """The next page: of those who live inside first, then of those who may be inside by a stay."""
    page = _Page(last=True) if after[0] >= BEYOND else await find_page(db, area, after, size)
    if not page.last or area is None:
        return page
    gone = (after[1], after[2]) if after[0] >= BEYOND else ("", "")
    guests = [v for v in await whereabouts.visitors(db, area, moment) if (v.household_id, v.row.person_id) > gone]
    if page.people:
        return _Page(page.people, last=not guests)
    cut = len(guests)
    if cut > size:
        home = guests[size].household_id
        cut = next((n for n, v in enumerate(guests[:size]) if v.household_id == home), size)
        if not cut and size < PAGE_PEOPLE:
            return await next_page(db, area, after, moment)
        cut = cut or size
    return _Page(visitors=guests[:cut], last=cut == len(guests))


async def find_page(db: Connection, area: Shape | None, after: Cursor, size: int = PAGE_PEOPLE) -> _Page:
    """The next people in the area after the cursor: at most `size`, whole households, in order.

    A household larger than `size` gets a page of PAGE_PEOPLE; only a "household" that is larger than that is divided.
    """
    if area is None:
        return _Page(last=True)
    start = after
    first, last = area.cell_range()
    found: list[FoundPerson] = []
    at_once = CELLS_AT_ONCE
    while len(found) <= size:
        cells = await register.occupied(db, max(first, after[0]), last, at_once, area.columns())
        if cells:
            kinds = area.classify(c for c, _ in cells)
            done = await _take(db, area, cells, kinds, found, after, size)
            after = done or (cells[-1][0] + 1, "", "")
        if len(cells) < at_once and len(found) <= size:  # there are no more cells, and all in them were looked at
            return _Page(found, last=True)
        at_once = min(4 * at_once, MOST_CELLS_AT_ONCE)
    if found[size].household_id != found[size - 1].household_id:
        return _Page(found[:size])
    home = found[size].household_id
    cut = next((n for n, row in enumerate(found) if row.household_id == home), 0)
    if not cut and size < PAGE_PEOPLE:
        return await find_page(db, area, start)
    return _Page(found[:cut] if cut else found[:size])


async def _take(
    db: Connection,
    area: Shape,
    cells: Sequence[tuple[int, int]],
    kinds: np.ndarray[tuple[int, ...], np.dtype[np.int8]],
    found: list[FoundPerson],
    after: Cursor,
    size: int,
) -> Cursor | None:
    """Adds people of the cells to `found` until a page is more than full; None when the cells are exhausted."""
    at = 0
    while at < len(cells):
        batch: dict[int, int] = {}
        expected = 0.0
        while at < len(cells) and expected <= size:
            if kinds[at] != OUTSIDE:
                batch[cells[at][0]] = int(kinds[at])
                expected += cells[at][1] if kinds[at] == INSIDE else cells[at][1] / 2
            at += 1
        limit = 2 * size
        while batch:
            rows = await register.people_in(db, list(batch), after, limit)
            found += _inside(area, rows, batch)
            if rows:
                after = (rows[-1].cell, rows[-1].household_id, rows[-1].person_id)
            if len(found) > size:
                return after
            if len(rows) < limit:
                break
    return None


def _inside(area: Shape, rows: Sequence[FoundPerson], kinds: dict[int, int]) -> list[FoundPerson]:
    edge = [row for row in rows if kinds[row.cell] == BOUNDARY]
    held = area.holds([row.lon for row in edge], [row.lat for row in edge])
    out = {row.person_id for row, inside in zip(edge, held, strict=True) if not inside}
    return [row for row in rows if row.person_id not in out]


async def make_page(database: Database, row: Job, area: Shape | None, now: float) -> bool:
    """Makes the next page of a job and says it; False where another process made that page meanwhile.

    `row` is the job, `now` warning time, for the shifts. What is slow is read before the write transaction.
    """
    cursor: Cursor = (row.cursor_cell, row.cursor_household, row.cursor_person)
    moment = Moment(now, row.utc_offset_min)
    async with database.read() as db:
        # hours and stays are looked at as they were when the warning came: a page made again is the same page
        size = PAGE_PEOPLE if row.page else FIRST_PAGE_PEOPLE
        page = await next_page(db, area, cursor, Moment(row.opened_at, row.utc_offset_min), size)
        end = page.end(cursor)  # past those who are left out too
        if row.plane == "drill":
            page = await _rehearsed(db, page)
        profiles, people = await _entries(db, page, area, moment)
        workers = await workers_on_shift(db, moment.minute)
    total = row.total + len(people)
    digest = _joined(row.digest, digest_of(p.person_id for p in people))
    cursor = end
    message = AudienceFound(
        msg_id=id_of("audience", row.warning_id, row.page),
        plane=row.plane,
        warning_id=row.warning_id,
        tier=row.tier,
        purpose="live",
        page=row.page,
        last=page.last,
        profiles=profiles,
        people=people,
        workers=workers,
        total=total if page.last else -1,
        digest=digest if page.last else "",
        unresolved=tuple((name, code) for name, code in row.unresolved) if page.last else (),
    )
    async with database.write() as tx:
        if not await register.advance(tx, row.warning_id, row.page, cursor, total, digest, page.last):
            return False
        await publish(tx, [message])
        fault_at("before_page_commit")
    fault_at("after_page_commit")
    return True


async def _rehearsed(db: Connection, page: _Page) -> _Page:
    """The page without those who have not agreed to drills."""
    rows = [*page.people, *(v.row for v in page.visitors)]
    known = await register.profiles_of(db, (row.profile_key for row in rows))
    persons = [row.person_id for row in rows if known[row.profile_key].kind != "facility"]
    out = set(persons) - await agreed(db, persons)
    if out:
        log.info("left_out_of_drill", people=len(out), do="they have not agreed to drills")
    return _Page(
        [row for row in page.people if row.person_id not in out],
        page.last,
        [one for one in page.visitors if one.row.person_id not in out],
    )


def _joined(digest: str, more: str) -> str:
    """digest_of over both sets of ids."""
    return f"{int(digest, 16) ^ int(more, 16):032x}"


async def _entries(
    db: Connection, page: _Page, area: Shape | None, moment: Moment
) -> tuple[tuple[Profile, ...], tuple[PersonEntry, ...]]:
    """The page's profiles and its people, who name theirs by index."""
    guests = {v.row.person_id: v for v in page.visitors}
    rows = [*page.people, *(v.row for v in page.visitors)]
    ids = [row.person_id for row in rows]
    supporters = await register.supporters_of(db, ids)
    owners = ids + [s.supporter_id for some in supporters.values() for s in some]
    contacts = await register.contacts_of(db, owners)
    known = await register.profiles_of(db, (row.profile_key for row in rows))
    also = await whereabouts.elsewhere(db, ids, moment)
    minute = moment.minute
    index: dict[str, int] = {}
    profiles: list[Profile] = []
    people = []
    for row in rows:
        person_id = row.person_id
        guest = guests.get(person_id) if guests else None
        away = guest is None and moment.away(also.get(person_id, ()))
        helpers: tuple[SupporterEntry, ...] = ()
        if person_id in supporters:
            at_home = guest is None and not away
            every = (_supporter(s, contacts, area, minute, at_home=at_home) for s in supporters[person_id])
            helpers = tuple(h for h in every if any(c.usable for c in h.contacts))
        facts = _as_it_is_now(known[row.profile_key], helpers, away=away)
        place = index.setdefault(facts.key, len(profiles))
        if place == len(profiles):
            profiles.append(facts)
        zone_id, grid_id, walk_seq = whereabouts.walk_of(guest.stay if guest else row)
        others = [guest.stay] if guest else also.get(person_id)
        dossier = whereabouts.with_stays(row.dossier, others, at_home=guest is None) if others else row.dossier
        household_id = guest.household_id if guest else row.household_id
        theirs = _contacts(contacts.get(person_id, ()), minute)
        people.append(
            PersonEntry(
                person_id, household_id, place, zone_id, grid_id, walk_seq, dossier, row.key_id, theirs, helpers
            )
        )
    return tuple(profiles), tuple(people)


def _as_it_is_now(facts: Profile, helpers: Sequence[SupporterEntry], *, away: bool) -> Profile:
    """The profile as it is for this warning: a supporter is outside this very area or not, the person at home or away."""
    now = tuple((next(c.kind for c in h.contacts if c.usable), h.outside_zone) for h in helpers)
    flags = tuple(sorted({*facts.flags, "away"})) if away else facts.flags
    if (now, flags) == (facts.supporters, facts.flags):
        return facts
    return keyed(msgspec.structs.replace(facts, supporters=now, flags=flags))


def _supporter(
    row: FoundSupporter,
    contacts: dict[str, list[FoundContact]],
    area: Shape | None,
    minute: int,
    *,
    at_home: bool,
) -> SupporterEntry:
    """`at_home`: the person is, so whoever lives with them is beside them."""
    beside = row.at_home and at_home
    outside = row.outside_zone and not row.at_home
    if not row.at_home and area is not None and row.lat is not None and row.lon is not None:
        outside = not area.holds([row.lon], [row.lat])[0]
    theirs = _contacts(contacts.get(row.supporter_id, ()), minute)
    return SupporterEntry(row.supporter_id, bool(outside), row.language, theirs, beside)


def _contacts(rows: Sequence[FoundContact], minute: int) -> tuple[ContactEntry, ...]:
    """In the order of use; those that are not answered at this hour last, since they are better than none."""
    if [c for c in rows if c.hours]:
        rows = sorted(rows, key=lambda c: not on_shift(c.hours, minute))
    return tuple(
        [
            ContactEntry(contact_id, kind, address_key, sealed, key_id, not why_not, why_not == "not_verified")
            for contact_id, _, kind, sealed, key_id, address_key, why_not, _ in rows
        ]
    )


async def workers_on_shift(db: Connection, minute: int) -> tuple[WorkerEntry, ...]:
    """Workers whose shift covers the local minute of the day; a backup takes over the grids of whoever is off."""
    every = {row.worker_id: row for row in await register.every_worker(db)}
    here = {w: row for w, row in every.items() if row.status == "active" and on_shift(row.shift, minute)}
    grids = {w: list(row.grids) for w, row in here.items()}
    for worker_id, row in every.items():
        if worker_id not in here and row.backup_id in here:
            grids[row.backup_id] += [g for g in row.grids if g not in grids[row.backup_id]]
    contacts = await register.contacts_of(db, list(here))
    return tuple(
        WorkerEntry(
            worker_id=worker_id,
            grids=tuple(grids[worker_id]),
            skills=tuple(dict.fromkeys((*row.skills, *row.roles))),  # a door asks for either word
            doors_per_hour=row.doors_per_hour,
            language=row.language,
            contacts=_contacts(contacts.get(worker_id, ()), minute),
        )
        for worker_id, row in here.items()
    )
