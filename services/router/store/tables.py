"""Stores warnings, one path a person, teams' room, tallies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import rows_of
from services.shared.ledger.answers import Logged, answer_log
from services.shared.ledger.tables import Delivery, among, delivery, delivery_cover
from services.shared.ledger.warnings import warning_state
from services.shared.messages import PersonEntry, Profile, WorkerEntry

warning = sa.Table(
    "router_warning",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("issued", sa.LargeBinary, nullable=False, comment="the WarningIssued message"),
    sa.Column("policy", sa.String(64), nullable=False, comment="a running warning keeps its policy"),
    sa.Column("pages", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_page", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("total", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("digest", sa.String(32), nullable=False, server_default=""),
    sa.Column("digest_seen", sa.String(32), nullable=False, server_default="0"),
    sa.Column("complete", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("area_left_out", sa.JSON, nullable=False, comment="area-wide channel > why it was not used"),
    sa.Column("unresolved", sa.JSON, nullable=False, comment="geocodes no table knows"),
)
policy_text = sa.Table(
    "router_policy",
    metadata,
    sa.Column("policy", sa.String(64), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)
profile = sa.Table(
    "router_profile",
    metadata,
    sa.Column("profile_key", sa.String(32), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
path = sa.Table(
    "router_path",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("person_id", Id, primary_key=True),
    sa.Column("profile_key", sa.String(32), nullable=False),
    sa.Column("household_id", Id, nullable=False),
    sa.Column("zone_id", sa.String(64), nullable=False),
    sa.Column("grid_id", sa.String(64), nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("entry", sa.LargeBinary, nullable=False, comment="the page row, with the sealed dossier"),
    sa.Column("state", sa.String(6), nullable=False),
    sa.Column("ending", sa.String(20), nullable=False, server_default=""),
    sa.Column("ended_at", sa.Float),
    sa.Column("end_reason", sa.String(60), nullable=False, server_default=""),
    sa.Column(
        "outside",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="an update no longer concerns them: told so, never walked, in no figure of it",
    ),
    sa.Column("next_step", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("next_at", sa.Float, comment="warning time of the next step"),
    sa.Column("react_at", sa.Float, comment="warning time to look at answers and unknown sends"),
    sa.Column("evidence", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("answer", sa.String(12), nullable=False, server_default=""),
    sa.Column("answer_by", sa.String(24), nullable=False, server_default=""),
    sa.Column(
        "milestones", sa.SmallInteger, nullable=False, server_default="0", comment="bits: delivered, reached, closed"
    ),
    sa.Column("help_at", sa.Float),
    sa.CheckConstraint("state IN ('open','ended')", name="state"),
    sa.CheckConstraint("(state = 'open') = (ending = '')", name="one_ending"),
)
IS_OPEN = among(path.c.state, "open")
sa.Index("ix_router_path_next", path.c.tier, path.c.next_at, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
sa.Index("ix_router_path_react", path.c.tier, path.c.react_at, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
worker = sa.Table(
    "router_worker",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("worker_id", Id, primary_key=True),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sa.Column("capacity", sa.Integer, nullable=False, comment="doors this team can do until it is too late"),
    sa.Column("assigned", sa.Integer, nullable=False, server_default="0", comment="doors ever given, for their places"),
)
policy_proposed = sa.Table(
    "router_policy_proposed",
    metadata,
    sa.Column("policy", sa.String(64), primary_key=True, comment="SHA-256 of a policy that waits for two persons"),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("since", sa.Float, nullable=False, comment="wall"),
    sa.Column("agreed", sa.JSON, nullable=False, comment="[[person or key, name]] who said yes"),
)
PART = "part"  # a job that speaks to the people of a part, of a warning that goes on
job = sa.Table(
    "router_job",
    metadata,
    sa.Column("warning_id", Id, primary_key=True, comment="the ending or update that speaks"),
    sa.Column("about_id", Id, primary_key=True, comment="the warning whose receivers it speaks to"),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("done", sa.Boolean, nullable=False, server_default=sa.false()),
)

watch = sa.Table(
    "router_watch",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("what", sa.String(80), primary_key=True, comment="what is looked at then"),
    sa.Column("due_at", sa.Float, index=True, comment="warning time; null: it came true and is kept"),
)


class Path(NamedTuple):
    """One person under one warning, as the router keeps it."""

    warning_id: str
    person_id: str
    profile_key: str
    household_id: str
    zone_id: str
    grid_id: str
    tier: int
    entry: bytes
    state: str
    ending: str
    ended_at: float | None
    end_reason: str
    outside: bool
    next_step: int
    next_at: float | None
    react_at: float | None
    evidence: int
    answer: str
    answer_by: str
    milestones: int
    help_at: float | None


class Running(NamedTuple):
    """A warning's count of its audience, and what was left out of it."""

    total: int
    complete: bool
    area_left_out: dict[str, str]
    unresolved: list[list[str]]


class OnShift(NamedTuple):
    """A team on shift for a warning."""

    warning_id: str
    worker_id: str
    entry: bytes
    capacity: int
    assigned: int


class Look(NamedTuple):
    """Something that is looked at when its time has come."""

    warning_id: str
    what: str
    due_at: float | None


DELIVERED, REACHED, CLOSED = 1, 2, 4  # bits of path.steps


_DELIVERIES = (
    sa.select(delivery)
    .where(delivery.c.warning_id == sa.bindparam("w"), one_of(delivery.c.person_id, "people"))
    .order_by(delivery.c.due_at, delivery.c.delivery_id)
)
_COVERS = sa.select(delivery_cover).where(one_of(delivery_cover.c.person_id, "people"))
_ANSWERS = (
    sa.select(answer_log)
    .where(one_of(answer_log.c.delivery_id, "ids"), answer_log.c.answer != "")
    .order_by(answer_log.c.at, answer_log.c.event_key)
)
_UNDONE = sa.select(answer_log).where(one_of(answer_log.c.delivery_id, "ids"), answer_log.c.undone != "")
_PROFILES = sa.select(profile).where(one_of(profile.c.profile_key, "keys"))
_WORKERS = sa.select(worker).where(worker.c.warning_id == sa.bindparam("w")).order_by(worker.c.worker_id)


async def deliveries_of(db: Connection, warning_id: str, people: Sequence[str]) -> dict[str, list[Delivery]]:
    """Everything planned for these people under one warning, oldest first, by person; shared phones included."""
    found: dict[str, list[Delivery]] = {p: [] for p in people}
    for part in chunks(people, 500):
        for row in await rows_of(db, Delivery, _DELIVERIES, {"w": warning_id, "people": part}):
            found[row.person_id].append(row)
        for person_id, row in await _shared_with(db, warning_id, part):
            found[person_id].append(row)
    return found


async def _shared_with(db: Connection, warning_id: str, people: Sequence[str]) -> list[tuple[str, Delivery]]:
    """(person, delivery) for messages on a phone of somebody else's that are for these people too, oldest first.

    Most people share no phone: two looks by key are dear only for those who do, a join is for all.
    """
    covers = (await db.execute(_COVERS, {"people": people})).all()
    rows: dict[str, Delivery] = {}
    for part in chunks(sorted({c.delivery_id for c in covers}), 500):
        theirs = sa.select(delivery).where(one_of(delivery.c.delivery_id, part), delivery.c.warning_id == warning_id)
        rows |= {row.delivery_id: row for row in await rows_of(db, Delivery, theirs)}
    teams = [(c.person_id, rows[c.delivery_id]) for c in covers if c.delivery_id in rows]
    return sorted(teams, key=lambda team: (team[1].due_at, team[1].delivery_id, team[0]))


async def answers_of(db: Connection, delivery_ids: Sequence[str]) -> dict[str, list[Logged]]:
    """What was answered on these deliveries, oldest first, by delivery."""
    found: dict[str, list[Logged]] = {}
    for part in chunks(delivery_ids, 500):
        for row in await rows_of(db, Logged, _ANSWERS, {"ids": part}):
            found.setdefault(row.delivery_id, []).append(row)
    return found


async def workers_of_chain(db: Connection, warning_id: str) -> list[OnShift]:
    """Who was on shift for the newest warning of this one's chain that had anybody: an ending brings no officers."""
    chain = sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == warning_id).scalar_subquery()
    newest = (
        sa.select(worker.c.warning_id)
        .join(warning_state, warning_state.c.warning_id == worker.c.warning_id)
        .where(warning_state.c.chain_id == chain)
        .order_by(warning_state.c.released_at.desc(), warning_state.c.warning_id)
        .limit(1)
    )
    found = await db.scalar(newest)
    return await workers_of(db, str(found)) if found is not None else []


async def undone_of(db: Connection, delivery_ids: Sequence[str]) -> dict[str, set[str]]:
    """Answers an officer took back, by delivery."""
    found: dict[str, set[str]] = {}
    for row in await db.execute(_UNDONE, {"ids": sorted(delivery_ids)}):
        found.setdefault(row.delivery_id, set()).add(row.undone)
    return found


async def profiles_of(db: Connection, keys: Iterable[str]) -> dict[str, Profile]:
    """Profiles by key."""
    rows = await db.execute(_PROFILES, {"keys": sorted(set(keys))})
    return {row.profile_key: decode_profile(row.body) for row in rows}


async def workers_of(db: Connection, warning_id: str) -> list[OnShift]:
    """The teams on shift for a warning, by id."""
    return await rows_of(db, OnShift, _WORKERS, {"w": warning_id})


_person = msgspec.msgpack.Decoder(PersonEntry)
_profile = msgspec.msgpack.Decoder(Profile)
_worker = msgspec.msgpack.Decoder(WorkerEntry)


def decode_person(body: bytes) -> PersonEntry:
    return _person.decode(body)


def decode_profile(body: bytes) -> Profile:
    return _profile.decode(body)


def decode_worker(body: bytes) -> WorkerEntry:
    return _worker.decode(body)


encode = msgspec.msgpack.encode
