"""Unlocks one zone in an emergency: while orange or red is in force, for hours only, everybody is shown.

Outside it, who only looks sees those who agreed to be shared with officers in peacetime. An unlock ends by its time or
with its warning, whichever is first; who was seen under it finds that on their own page, with the reason. It stands
under a warning of one's own, within its area, and shows only to the authority that opened it and those above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from services.registry.geo.areas import Shape
from services.registry.store import register
from services.registry.store.lookup_tables import look, unlock
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.engine import Connection, Database
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Refused
from services.shared.ledger.warnings import warning_scope, warning_state
from services.shared.powers.may import holds, may, must
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.tiers import Tier

HOURS = (1, 2, 4, 8, 12)
MIN_REASON = 8


class Declared(NamedTuple):
    """A warning in force that allows an unlock."""

    warning_id: str
    number: int
    tier: int
    authority: str
    expires_at: float


class Unlocked(NamedTuple):
    """An unlock in force."""

    unlock_id: str
    warning_id: str
    zone: str
    by: str
    authority: str
    reason: str
    until: float


def checked_reason(text: str) -> str:
    """The reason as it is kept; Refused where it says nothing."""
    reason = " ".join(text.split())[:400]
    if len(reason) < MIN_REASON:
        raise Refused(
            "say why you look: the person reads it later",
            field="reason",
            rule="required",
            given=reason,
            remedy=f"write at least {MIN_REASON} characters, with the case or the order it belongs to",
        )
    return reason


async def declared(db: Connection, who: Who, now: float) -> list[Declared]:
    """Warnings in force under which this caller may unlock: their own or below, orange and red, newest first."""
    found = (
        warning_state.c.state == "active",
        warning_state.c.purpose == "live",
        warning_state.c.kind != "ending",
        warning_state.c.tier >= int(Tier.ORANGE),
        warning_state.c.expires_at > now,
        warning_state.c.authority.in_((who.authority, *who.over)),
    )
    every = await rows_of(
        db, Declared, sa.select(*columns(Declared, warning_state)).where(*found).order_by(warning_state.c.sent.desc())
    )
    things = [await warning_thing(db, who, one.warning_id) for one in every]
    return [one for one, thing in zip(every, things, strict=True) if may(who, Power.UNLOCK, thing) is None]


async def open_unlock(
    tx: Connection, who: Who, *, warning_id: str, zone: str, hours: int, reason: str, now: float
) -> str:
    """Opens one, audited; its id. `now` is warning time. Refused names what it lacks.

    It shows those of the zone who live in the warning's area, to this authority and its superiors.
    """
    reason = checked_reason(reason)
    must(who, Power.UNLOCK, await warning_thing(tx, who, warning_id))
    if warning_id not in {w.warning_id for w in await declared(tx, who, now)}:
        raise Refused(
            "an unlock needs a warning in force of tier orange or red",
            field="warning_id",
            rule="declared",
            given=warning_id[:32],
            remedy="release the warning first, or ask those who agreed to be shared",
        )
    if hours not in HOURS:
        raise Refused("choose how long", field="hours", rule="closed_list", given=hours, remedy=f"one of {HOURS}")
    zone = zone.strip()[:32]
    here = sa.or_(register.person.c.zone_id == zone, register.person.c.grid_id == zone)
    people = (
        (await tx.execute(sa.select(register.person.c.lat, register.person.c.lon).where(here))).all() if zone else []
    )
    if not within(who, await warned_area(tx, warning_id), people).any():
        raise Refused(
            "nobody lives in that zone or grid within the warning's area and yours",
            field="zone",
            rule="known",
            given=zone,
            remedy="give a zone or grid of that area as the register names it",
        )
    opened = wall()
    row = {
        "unlock_id": new_id(), "warning_id": warning_id, "zone": zone, "by": who.label, "authority": who.authority,
        "reason": reason, "opened_at": opened, "until": opened + hours * 3600.0, "closed_at": None,
    }  # fmt: skip
    await tx.execute(sa.insert(unlock).values(**row))
    detail = {"warning_id": warning_id, "hours": hours, "unlock_id": row["unlock_id"]}
    await trail.record(tx, who.label, "unlock.open", zone, reason, detail)
    return str(row["unlock_id"])


class Placed(Protocol):
    """What has a place."""

    @property
    def lat(self) -> float: ...

    @property
    def lon(self) -> float: ...


async def warned_area(db: Connection, warning_id: str) -> Shape | None:
    """How far a warning reaches: polygon and codes, as the areas of now resolve them."""
    scope = sa.select(warning_scope.c.area, warning_scope.c.geocodes).where(warning_scope.c.warning_id == warning_id)
    row = (await db.execute(scope)).first()
    return (await register.area_of(db, row.area, [(a, b) for a, b in row.geocodes]))[0] if row is not None else None


def within(who: Who, area: Shape | None, people: Sequence[Placed]) -> npt.NDArray[np.bool_]:
    """Who of these lives in the area, and in that of the key."""
    lon, lat = [one.lon for one in people], [one.lat for one in people]
    if area is None or not people:
        return np.zeros(len(people), dtype=np.bool_)
    inside = area.holds(lon, lat)
    return inside & holds(who.area, lon, lat) if who.area else inside


async def open_ones(db: Connection, who: Who, now: float) -> list[Unlocked]:
    """Those in force that this caller's authority, or one below it, opened. `now` is warning time."""
    return [one for one in await in_force(db, now) if who.speaks_for(one.authority)]


async def in_force(db: Connection, now: float) -> list[Unlocked]:
    """Those in force: not over, not closed, their warning still active. `now` is warning time."""
    found = (
        sa.select(*(unlock.c[name] for name in Unlocked._fields))
        .join(warning_state, warning_state.c.warning_id == unlock.c.warning_id)
        .where(
            unlock.c.closed_at.is_(None), unlock.c.until > wall(), warning_state.c.state == "active",
            warning_state.c.expires_at > now,
        )
        .order_by(unlock.c.until)
    )  # fmt: skip
    return await rows_of(db, Unlocked, found)


async def close_over(database: Database, now: float) -> int:
    """Writes down those that have ended, with how many people were seen under each; how many. `now` is warning time.

    They showed nobody since the moment they ended: this only says so.
    """
    async with database.read() as db:
        if await db.scalar(sa.select(unlock.c.unlock_id).where(unlock.c.closed_at.is_(None)).limit(1)) is None:
            return 0
    async with database.write() as tx:
        still = {row.unlock_id for row in await in_force(tx, now)}
        waiting = (await tx.execute(sa.select(unlock).where(unlock.c.closed_at.is_(None)).with_for_update())).all()
        over = [row for row in waiting if row.unlock_id not in still]
        for row in over:
            people = sa.select(sa.func.count(look.c.person_id.distinct())).where(look.c.unlock_id == row.unlock_id)
            seen = await tx.scalar(people)
            await tx.execute(sa.update(unlock).where(unlock.c.unlock_id == row.unlock_id).values(closed_at=wall()))
            detail = {"unlock_id": row.unlock_id, "people_seen": seen}
            await trail.record(tx, "register", "unlock.closed", row.zone, "it ended by itself", detail)
    return len(over)
