"""Reads what the public may know of warnings: what is in force, what has ended lately, what is past, and one by its name.

Only what was sent in earnest (CAP status Actual) stands here: a drill is never among the warnings of the public.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.gateway.store import StoredSense, Texts, message
from services.shared.clock import iso
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.endings import GOES_ON
from services.shared.ledger.warnings import in_force, state_at, warning_state
from services.shared.tiers import Tier

ENDED_SHOWN_S = 86_400.0  # so long what has ended stands on the first page, above all a mistake
PAGE = 20
LAST_PAGE = 500
_W = warning_state.c
_NEWEST = (_W.released_at.desc(), _W.sent.desc(), _W.warning_id)


class PublicWarning(NamedTuple):
    """A warning, or what ended one, as everybody may read it; times in seconds since 1970 UTC."""

    warning_id: str
    chain_id: str
    tier: int
    state: str
    kind: str
    ending: str
    sent: float
    expires_at: float
    authority: str
    number: str
    released_at: float
    ended_at: float | None
    texts: Texts
    sense: StoredSense


class StatusEntry(TypedDict):
    """A warning of /public/status.json. Machines get tier, state and times by the words of the API.

    `texts`: language > source, hazard, place, action. `checking`: it goes on while the authority checks it.
    """

    number: str
    warning_id: str
    tier: str
    state: str
    ending: str
    checking: bool
    since: str
    sent: str
    expires: str
    texts: Texts
    page: str
    cap: str


@dataclass(frozen=True)
class PublicStanding:
    """A warning with the newest word about it. `ending` is empty while it holds as it was said.

    `checking`: what was said of it while it goes on, as "we are checking". `first_at`: when its chain first went out.
    """

    warning: PublicWarning
    state: str
    ending: str
    first_at: float
    checking: PublicWarning | None = None
    replaced_by: str = ""

    @property
    def holds(self) -> bool:
        """Whether people are still to do what it says."""
        return self.state == "active"


@dataclass(frozen=True)
class PublicBoard:
    """What is in force at `at` (warning time), the highest tier first, and what ended within a day, the newest first.

    `stale`: the database does not answer, and this is what it said last.
    """

    at: float
    live: Sequence[PublicStanding]
    ended: Sequence[PublicStanding]
    stale: bool = False

    @property
    def changes_at(self) -> Iterable[float]:
        """Warning times from which it says something that is not so."""
        return [one.warning.expires_at for one in self.live]


def _public(*where: sa.ColumnElement[bool]) -> sa.Select[*tuple[object, ...]]:
    """Released in earnest, the newest first."""
    found = sa.select(*columns(PublicWarning, warning_state, message)).join(
        message, message.c.warning_id == warning_state.c.warning_id
    )
    return found.where(_W.released_at.is_not(None), message.c.status == "Actual", *where).order_by(*_NEWEST)


async def board(db: Connection, now: float) -> PublicBoard:
    """What the first page shows."""
    lately = sa.or_(
        _W.ended_at > now - ENDED_SHOWN_S, sa.and_(_W.state == "active", _W.expires_at > now - ENDED_SHOWN_S)
    )
    rows = await rows_of(db, PublicWarning, _public(_W.kind != "ending", sa.or_(in_force(now), lately)))
    said = await _said(db, rows)
    found = [standing(row, said.get(row.chain_id, ()), now) for row in rows if row.state != "superseded"]
    live = sorted((one for one in found if one.holds), key=lambda one: (-one.warning.tier, -one.warning.released_at))
    return PublicBoard(now, live, [one for one in found if not one.holds])


async def past(db: Connection, now: float, page: int) -> tuple[list[PublicStanding], bool]:
    """A page (from 1) of warnings that are over, each by the last that was said of it; whether there are more."""
    over = sa.and_(_W.kind != "ending", _W.state != "superseded", sa.not_(in_force(now)))
    some = _public(over).offset((page - 1) * PAGE).limit(PAGE + 1)
    rows = await rows_of(db, PublicWarning, some)
    said = await _said(db, rows)
    return [standing(row, said.get(row.chain_id, ()), now) for row in rows[:PAGE]], len(rows) > PAGE


async def named(db: Connection, name: str, now: float) -> PublicStanding | None:
    """The warning with this short number (the newest of it) or id; of an ending what it ended; None where there is none."""
    mine = _W.warning_id == name if len(name) == 32 else _W.number == name
    rows = await rows_of(db, PublicWarning, _public(mine).limit(1))
    if not rows:
        return None
    found = rows[0]
    chain = await rows_of(db, PublicWarning, _public(_W.chain_id == found.chain_id))
    warned = [one for one in chain if one.kind != "ending"]
    if found.kind == "ending":
        found = warned[0] if warned else found
    newest = warned[0] if warned else found
    known = standing(found, chain, now)
    if found.state == "superseded" and newest.warning_id != found.warning_id:
        return PublicStanding(found, "superseded", "", known.first_at, replaced_by=newest.number or newest.warning_id)
    return known


def standing(row: PublicWarning, chain: Sequence[PublicWarning], now: float) -> PublicStanding:
    """How a warning stands, by the others of its chain (the newest first)."""
    first_at = min((one.released_at for one in chain if one.kind != "ending"), default=row.released_at)
    state = state_at(row.state, row.expires_at, now)
    since = next((one for one in chain if one.kind == "ending" and one.released_at >= row.released_at), None)
    if state == "active":
        return PublicStanding(
            row, state, "", first_at, checking=since if since is not None and since.ending in GOES_ON else None
        )
    return PublicStanding(row, state, row.ending or (since.ending if since is not None else ""), first_at)


async def _said(db: Connection, rows: Sequence[PublicWarning]) -> dict[str, list[PublicWarning]]:
    """chain > all of it, the newest first."""
    found: dict[str, list[PublicWarning]] = {}
    if rows:
        chains = sorted({row.chain_id for row in rows})
        for one in await rows_of(db, PublicWarning, _public(_W.chain_id.in_(chains))):
            found.setdefault(one.chain_id, []).append(one)
    return found


def as_json(one: PublicStanding, public_url: str) -> StatusEntry:
    """One warning as /public/status.json tells it."""
    warning = one.warning
    return {
        "number": warning.number,
        "warning_id": warning.warning_id,
        "tier": Tier(warning.tier).word,
        "state": one.state,
        "ending": one.ending,
        "checking": one.checking is not None and one.checking.ending == "checking",
        "since": iso(one.first_at),
        "sent": iso(warning.sent),
        "expires": iso(warning.expires_at),
        "texts": warning.texts,
        "page": f"{public_url}/public/warnings/{warning.warning_id}",
        "cap": f"{public_url}/cap/{warning.warning_id}.xml",
    }
