"""Queries the ledger for pages: an officer's list, one delivery with its warning."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.ledger.answers import answer_log
from services.shared.ledger.deliveries import deliveries_where
from services.shared.ledger.params import Params, Visit
from services.shared.ledger.tables import DOOR_DRIVER, Delivery, delivery
from services.shared.ledger.warnings import warning_state

MET = ("leaving", "moving", "safe", "not_there")  # answers at a door after which nobody needs to go there again
LISTED = ("accepted", "delivered", "unconfirmed", "unknown", "failed")  # what the door driver has put on a list


class WithWarning(NamedTuple):
    """A delivery and its warning's state."""

    delivery_id: str
    warning_id: str
    person_id: str
    addressee_id: str
    addressee_kind: str
    driver: str
    form: str
    language: str
    slot: str
    contact_id: str
    sealed: bytes | None
    key_id: str
    dossier: bytes | None
    params: Params | None
    covers: int
    answer: str
    state: str
    number: str
    chain_id: str
    ending: str
    warning_tier: int
    expires_at_warning: float


class Later(NamedTuple):
    """An update or an ending of a chain."""

    warning_id: str
    kind: str
    ending: str
    number: str


class ListedUnder(NamedTuple):
    """The warning of an officer's list."""

    chain_id: str
    tier: int
    state: str
    number: str
    doors: str
    expires_at: float


async def visits(db: Connection, warning_id: str, worker_id: str) -> list[Delivery]:
    """The visits on one list, in the order they were put there; those taken off again are left out.

    Left out too is whoever was met since the door was asked for, on another visit that had been begun: nobody goes twice. The
    fire service's list has no such order: there whoever comes first where teams are too few stands first.
    """
    rows = await deliveries_where(
        db, delivery.c.warning_id == warning_id, delivery.c.slot == worker_id, delivery.c.driver == DOOR_DRIVER,
        delivery.c.send_state.in_(LISTED),
    )  # fmt: skip
    met = {
        row.person_id: row.at
        for row in await db.execute(
            sa.select(delivery.c.person_id, sa.func.max(delivery.c.answer_at).label("at")).where(
                delivery.c.warning_id == warning_id, delivery.c.driver == DOOR_DRIVER, delivery.c.answer.in_(MET),
                one_of(delivery.c.person_id, sorted({row.person_id for row in rows if not row.answer})),
            ).group_by(delivery.c.person_id)
        )
    }  # fmt: skip
    return sorted((r for r in rows if r.answer or met.get(r.person_id, r.due_at - 1) < r.due_at), key=_place)


def shape_of(warning: ListedUnder | None, rows: Sequence[Delivery], now: float) -> str:
    """Another text as soon as a list says something else than before: doors came or went, STOP, COME BACK; not an answer."""
    backs = [row.params.turn_back for row in rows if isinstance(row.params, Visit) and row.params.turn_back is not None]
    stands = (warning.state, warning.doors) if warning is not None else ()
    shown = (stands, [row.delivery_id for row in rows], sum(now >= at for at in backs))
    return hashlib.sha256(msgspec.json.encode(shown)).hexdigest()[:16]


def event_key(event: str) -> str:
    """What an officer's tap is kept under in the log of answers."""
    return f"visit:{event}"


async def known_events(db: Connection, keys: Iterable[str]) -> set[str]:
    """Those of the keys that were noted already."""
    found = sa.select(answer_log.c.event_key).where(one_of(answer_log.c.event_key, sorted(keys)))
    return set(await db.scalars(found))


async def last_taps(db: Connection, delivery_ids: Iterable[str]) -> dict[str, str]:
    """Door > the event of its last tap that was not taken back."""
    log = answer_log.c
    mine = (one_of(log.delivery_id, sorted(delivery_ids)), log.answer != "", log.event_key.like(event_key("%")))
    found = sa.select(log.delivery_id, log.event_key).where(*mine).order_by(log.at, log.event_key)
    return {row.delivery_id: row.event_key.removeprefix(event_key("")) for row in await db.execute(found)}


def _place(row: Delivery) -> tuple[int, int, str]:
    visit = row.params if isinstance(row.params, Visit) else None
    return (visit.order, visit.rank, row.delivery_id) if visit is not None else (0, 0, row.delivery_id)


async def doors_by_slot(db: Connection, warning_id: str) -> dict[str, int]:
    """Team, or the fire service > how many visits stand on its list."""
    found = sa.select(delivery.c.slot, sa.func.count()).where(
        delivery.c.warning_id == warning_id, delivery.c.driver == DOOR_DRIVER, delivery.c.send_state.in_(LISTED)
    )
    return {slot: n for slot, n in (await db.execute(found.group_by(delivery.c.slot))).all() if slot}


async def with_warning(db: Connection, delivery_id: str) -> WithWarning | None:
    """A delivery and its warning's state, or None."""
    state = warning_state.c
    its = sa.select(
        *(state.warning_id, state.state, state.number, state.chain_id, state.ending),
        *(state.tier.label("warning_tier"), state.expires_at.label("expires_at_warning")),
    ).subquery()
    found = sa.select(*columns(WithWarning, delivery, its)).join(its, its.c.warning_id == delivery.c.warning_id)
    return await row_of(db, WithWarning, found.where(delivery.c.delivery_id == delivery_id))


async def later_in_chain(db: Connection, chain_id: str) -> list[Later]:
    """The released updates and endings of a chain, newest first."""
    found = sa.select(*columns(Later, warning_state)).where(
        warning_state.c.chain_id == chain_id,
        warning_state.c.kind != "alert",
        warning_state.c.released_at.is_not(None),
    )
    return await rows_of(db, Later, found.order_by(warning_state.c.released_at.desc(), warning_state.c.sent.desc()))


async def was_told(db: Connection, ending_id: str, about: WithWarning) -> bool:
    """Whether that ending was said to whoever got this delivery, and holds for all it was for: on a shared phone it may be
    for some of them alone."""
    told = (
        delivery.c.warning_id == ending_id,
        delivery.c.person_id == about.person_id,
        delivery.c.covers >= about.covers,
    )
    return bool(await db.scalar(sa.select(sa.exists().where(*told, delivery.c.about_id == about.delivery_id))))


async def in_force(db: Connection, chain_id: str) -> str:
    """The newest warning of a chain that is in force and no ending; empty where there is none."""
    state = warning_state.c
    mine = sa.select(state.warning_id).where(
        state.chain_id == chain_id, state.state == "active", state.kind != "ending"
    )
    return str(await db.scalar(mine.order_by(state.released_at.desc(), state.warning_id).limit(1)) or "")


async def state_of(db: Connection, warning_id: str) -> ListedUnder | None:
    """The warning's state, or None."""
    found = sa.select(*columns(ListedUnder, warning_state)).where(warning_state.c.warning_id == warning_id)
    return await row_of(db, ListedUnder, found)
