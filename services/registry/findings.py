"""Lists what in the register to put right before the next warning, by id, without names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import sqlalchemy as sa

from services.registry.importing.bounds import POLAR, learn
from services.registry.importing.language_names import TAG
from services.registry.model.facts import MONTHS, MONTHS_SHORT, months_after
from services.registry.model.given import WARNED
from services.registry.people.update import today
from services.registry.store import register
from services.registry.store.tables import held_change
from services.shared.database.engine import Connection
from services.shared.errors import Refused
from services.shared.i18n import mark, t
from services.shared.powers.who import Who

SHOWN, MOST = 100, 1000
Query = sa.Select[tuple[str, str]]
Detail = sa.ColumnElement[str]


class RegisterFinding(TypedDict):
    """One of a kind: `id` of whom or what it is about, `detail` the date, list, field or person."""

    id: str
    detail: str


class FindingsOfKind(TypedDict):
    """How many of a kind there are, what is wrong and what to do, and the first of them."""

    kind: str
    of: str
    count: int
    what: str
    do: str
    found: list[RegisterFinding]


class Findings(TypedDict):
    """What is to be put right on a day."""

    day: str
    findings: list[FindingsOfKind]


@dataclass(frozen=True)
class Kind:
    """One kind of finding: what it is and what to do, and who it concerns."""

    name: str
    of: str  # person, facility, worker, supporter, list
    words: tuple[str, str]
    query: Callable[[str, Sequence[str]], Query]


def _people(*where: sa.ColumnElement[bool], detail: Detail | None = None) -> Query:
    """Ids of people who are warned, with a detail to show."""
    shown = sa.literal("") if detail is None else detail
    return sa.select(register.person.c.person_id.label("id"), shown.label("detail")).where(
        register.person.c.status.in_(WARNED), *where
    )


def _facts(*where: sa.ColumnElement[bool], detail: Detail) -> Query:
    joined = sa.join(register.facts, register.person, register.facts.c.person_id == register.person.c.person_id)
    return (
        sa.select(register.facts.c.person_id.label("id"), detail.label("detail"))
        .select_from(joined)
        .where(register.person.c.status.in_(WARNED), *where)
    )


def _stale(today_: str, _: Sequence[str]) -> Query:
    """People who have contacts, and the newest of them was given or tried more than a year ago."""
    newest = sa.func.max(
        sa.case(
            (register.contact.c.verified_on > register.contact.c.given_on, register.contact.c.verified_on),
            else_=register.contact.c.given_on,
        )
    )
    return (
        sa.select(register.contact.c.owner_id.label("id"), newest.label("detail"))
        .join(register.person, register.person.c.person_id == register.contact.c.owner_id)
        .where(register.person.c.status.in_(WARNED))
        .group_by(register.contact.c.owner_id)
        .having(newest < _before(today_, MONTHS))
    )


def _no_duty_phone(_: str, __: Sequence[str]) -> Query:
    """Facilities with fewer than two duty phones."""
    lines = (
        sa.select(sa.func.count())
        .where(register.contact.c.owner_id == register.person.c.person_id, register.contact.c.kind.like("duty_phone%"))
        .scalar_subquery()
    )
    return _people(register.person.c.kind == "facility", lines < 2, detail=sa.cast(lines, sa.String))


def _no_plan(today_: str, _: Sequence[str]) -> Query:
    return (
        sa.select(register.facility.c.facility_id.label("id"), register.facility.c.plan_on.label("detail"))
        .join(register.person, register.person.c.person_id == register.facility.c.facility_id)
        .where(register.person.c.status.in_(WARNED))
        .where(
            sa.or_(
                register.facility.c.plan_on < _before(today_, MONTHS),
                register.facility.c.evac_min_day.is_(None),
                register.facility.c.evac_min_night.is_(None),
            )
        )
    )


def _outside(_: str, bounds: Sequence[str]) -> Query:
    """Positions outside the imported areas, beyond where anybody lives, or no nearer than a whole degree."""
    lat, lon = register.person.c.lat, register.person.c.lon
    wrong = [sa.and_(lat == sa.func.round(lat), lon == sa.func.round(lon)), lat > POLAR, lat < -POLAR]
    if bounds:
        south, west, north, east = map(float, bounds)
        wrong += [~lat.between(south, north), ~lon.between(west, east)]
    return _people(sa.or_(*wrong), detail=sa.cast(lat, sa.String) + ", " + sa.cast(lon, sa.String))


def _born_ahead(today_: str, dialect: Sequence[str]) -> Query:
    """Years of birth to come: facts are packed (msgpack), where a year is a mark and two bytes behind its name."""
    body, name = register.facts.c.body, b"birth_year"
    at: sa.ColumnElement[int] = (
        sa.func.position(sa.literal(name).op("IN")(body)) if dialect == ["postgresql"] else sa.func.instr(body, name)
    )
    year = sa.func.substr(body, at + len(name), 3)
    joined = sa.join(register.facts, register.person, register.facts.c.person_id == register.person.c.person_id)
    ahead = sa.and_(at > 0, year > b"\xcd" + int(today_[:4]).to_bytes(2), year < b"\xce")
    return (
        sa.select(register.facts.c.person_id.label("id"), sa.literal("birth_year").label("detail"))
        .select_from(joined)
        .where(register.person.c.status.in_(WARNED), ahead)
    )


def _missing(_: str, __: Sequence[str]) -> Query:
    return (
        sa.select(register.listing.c.person_id.label("id"), register.source.c.name.label("detail"))
        .join(register.source, register.source.c.source_id == register.listing.c.source_id)
        .join(register.person, register.person.c.person_id == register.listing.c.person_id)
        .where(register.listing.c.seen < register.source.c.imports, register.person.c.status.in_(WARNED))
    )


def _workers(*where: sa.ColumnElement[bool]) -> Query:
    return sa.select(register.worker.c.worker_id.label("id"), sa.literal("").label("detail")).where(
        register.worker.c.status == "active", *where
    )


def _before(day: str, months: int) -> str:
    return months_after(day, -months)


KINDS = (
    Kind(
        "no_channel", "person",
        (mark("Nobody can be called or written to"), mark("Visit: ask for a number, a supporter, or what would wake them")),
        lambda _, keys: _people(register.person.c.profile_key.in_(keys), register.person.c.facility_id.is_(None)),
    ),
    Kind(
        "one_channel", "person",
        (mark("Only one usable channel"), mark("Ask for a second one: another number, an e-mail address, or a supporter")),
        lambda _, keys: _people(register.person.c.profile_key.in_(keys), register.person.c.kind != "facility"),
    ),
    Kind(
        "unverified_only", "person",
        (mark("Only numbers that nobody has verified: used in orange and red alone, and what is answered from them closes nothing"),
         mark("Let them sign in with the code that comes by it, or ask them for their number")),
        lambda _, keys: _people(register.person.c.profile_key.in_(keys)),
    ),
    Kind(
        "stale_contact", "person",
        (mark("No contact was tried or given within a year"), mark("Send a test, or ask whether the number is still right")), _stale,
    ),
    Kind(
        "review_overdue", "person",
        (mark("A review is overdue"), mark("Ask the answers again; they are used until then")),
        lambda today_, _: _facts(register.facts.c.review_due < today_, detail=register.facts.c.review_due),
    ),
    Kind(
        "old", "person",
        (mark("A review is overdue by half a year"), mark("Ask first of all: what officers read of them is marked old")),
        lambda today_, _: _facts(
            register.facts.c.review_due < _before(today_, MONTHS_SHORT), detail=register.facts.c.review_due
        ),
    ),
    Kind(
        "expired", "person",
        (mark("Something no longer holds by its own date"), mark("Ask whether it is still so; it is used until then")),
        lambda today_, _: _facts(
            register.facts.c.valid_until != "", register.facts.c.valid_until < today_, detail=register.facts.c.valid_until
        ),
    ),
    Kind(
        "outside", "person",
        (mark("Lives outside the areas of this register, or at no exact place"), mark("Look the place up: nobody there is warned")), _outside,
    ),
    Kind(
        "born_ahead", "person",
        (mark("The year of birth is still to come"), mark("Ask for it: they are taken for a child")), _born_ahead,
    ),
    Kind(
        "no_language", "person",
        (mark("A language is no tag, so that texts come in English"), mark("Write it as a tag, like zh, ug or en")),
        lambda _, keys: _people(register.person.c.profile_key.in_(keys)),
    ),
    Kind(
        "facility_plan", "facility",
        (mark("No evacuation plan of the last year with minutes by day and night"), mark("Ask the house for its plan")), _no_plan,
    ),
    Kind(
        "facility_duty_phone", "facility",
        (mark("Fewer than two duty phones"), mark("Ask the house for two numbers that are answered day and night")), _no_duty_phone,
    ),
    Kind(
        "conflict", "person",
        (mark("Two sources differ"), mark("Ask the person which is right, and settle it")),
        lambda _, __: sa.select(
            register.conflict.c.person_id.label("id"), register.conflict.c.field.label("detail")
        ).where(register.conflict.c.state == "open"),
    ),
    Kind(
        "missing", "person",
        (mark("No longer in a list that once named them"), mark("Ask that office whether they moved or died; nobody is deleted")), _missing,
    ),
    Kind(
        "old_list", "list",
        (mark("A list is older than a year"), mark("Ask its holder for a new one")),
        lambda today_, _: sa.select(register.source.c.name.label("id"), register.source.c.last_import.label("detail")).where(
            register.source.c.expires_on < today_
        ),
    ),
    Kind(
        "held", "list",
        (mark("A list would silence or move many people at once"), mark("Look at it with a second key, and confirm or reject it: tocsin registry held")),
        lambda _, __: sa.select(
            held_change.c.held_id.label("id"), sa.func.max(held_change.c.source).label("detail")
        ).where(held_change.c.state == "waiting").group_by(held_change.c.held_id),
    ),
    Kind(
        "worker_backup", "worker",
        (mark("A team has no backup"), mark("Name who takes over their grids")), lambda _, __: _workers(register.worker.c.backup_id == ""),
    ),
    Kind(
        "worker_vetting", "worker",
        (mark("Nobody noted when this team was vetted"), mark("Vet them, and enter the day")), lambda _, __: _workers(register.worker.c.vetted_on == ""),
    ),
    Kind(
        "supporter_not_accepted", "supporter",
        (mark("A supporter has not said yes"), mark("Ask them, or find another")),
        lambda _, __: sa.select(
            register.supporter.c.supporter_id.label("id"), register.supporter.c.person_id.label("detail")
        ).where(register.supporter.c.accepted_on == ""),
    ),
)  # fmt: skip
_BY_NAME = {kind.name: kind for kind in KINDS}


def _kept_by(who: Who, kind: Kind, asked: sa.Subquery) -> sa.ColumnElement[bool]:
    """Of what was found that about people and lists of theirs, or of nobody's; teams belong to no authority."""
    names = ("", who.authority, *who.over)
    person, source = register.person.c, register.source.c
    people = sa.select(person.person_id).where(person.authority.in_(names))
    lists = sa.select(source.name).where(source.authority.in_(names))
    held = sa.select(held_change.c.held_id).where(held_change.c.authority.in_(names))
    if kind.of == "list":
        return asked.c.id.in_(held if kind.name == "held" else lists)
    if kind.of == "supporter":
        return asked.c.detail.in_(people)
    return asked.c.id.in_(people) if kind.of != "worker" else sa.true()


async def find(
    db: Connection, who: Who | None = None, *, kind: str = "", after: str = "", limit: str = "", day: str = ""
) -> Findings:
    """All kinds with counts and the first ids of each. Of one `kind`, up to `limit` ids after the id `after`. For a
    caller what they and those below them keep; `who` is None for the house itself.

    A finding is {id, detail}: the date, list, field or person it is about. Refused where the kind is none.
    """
    if kind and kind not in _BY_NAME:
        raise Refused(
            f"{kind[:40]!r} is no kind of finding",
            field="kind",
            rule="known word",
            given=kind[:40],
            remedy=f"write one of {', '.join(_BY_NAME)}",
        )
    most = min(MOST, int(limit)) if limit.isdigit() and int(limit) else (SHOWN if kind else 10)
    day = day or today()
    asked_by = await _asked_by(db)
    found: list[FindingsOfKind] = []
    for one in [_BY_NAME[kind]] if kind else KINDS:
        asked = one.query(day, asked_by.get(one.name, [])).subquery()
        theirs = _kept_by(who, one, asked) if who is not None else sa.true()
        count = int(await db.scalar(sa.select(sa.func.count()).select_from(asked).where(theirs)) or 0)
        rows = await db.execute(
            sa.select(asked).where(asked.c.id > after, theirs).order_by(asked.c.id, asked.c.detail).limit(most)
        )
        found.append(
            {
                "kind": one.name,
                "of": one.of,
                "count": count,
                "what": t(one.words[0]),
                "do": t(one.words[1]),
                "found": [{"id": row.id, "detail": row.detail} for row in rows],
            }
        )
    return {"day": day, "findings": found}


async def _asked_by(db: Connection) -> dict[str, list[str]]:
    """By kind, what its query asks for: profile keys of those without a usable channel (with and without numbers that nobody has
    verified), of those with one (a supporter who accepted is a channel), of those whose language is none; and where the register's areas lie."""
    counts = await register.counts_by_profile(db)
    none: list[str] = []
    one: list[str] = []
    unverified: list[str] = []
    unread: list[str] = []
    for key, facts in (await register.profiles_of(db, counts)).items():
        n = len(facts.channels) + len(facts.supporters)
        guessed = n == 0 and facts.unverified
        (unverified if guessed else none if n == 0 else one if n == 1 else []).append(key)
        if not all(TAG.fullmatch(tag) for tag in facts.language.split(";")):
            unread.append(key)
    bounds = await learn(db, ())
    within = [bounds.south, bounds.west, bounds.north, bounds.east] if bounds is not None else []
    return {
        "no_channel": sorted(none),
        "unverified_only": sorted(unverified),
        "one_channel": sorted(one),
        "no_language": sorted(unread),
        "outside": [str(degrees) for degrees in within],
        "born_ahead": [db.dialect.name],
    }
