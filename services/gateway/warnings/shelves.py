"""Lists warnings: what is in force whole and by tier, all the rest in pages.

What is in force went out, and everybody sees it; of the rest a caller sees what they may know of. However many drafts,
feeds and old warnings there are, none of them can push a live one off the first page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.gateway.store import LISTED, ListedWarning, message
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.errors import Refused
from services.shared.ledger.warnings import in_force, warning_state
from services.shared.powers.warnings import seen_by
from services.shared.powers.who import Who
from services.shared.tiers import Tier

PAGE = 50
LAST_PAGE = 10_000
LATE_S = (
    7 * 86400.0
)  # so long an orange or red one whose time is over, and that nobody has ended, stays among the first
_W = warning_state.c
_NEWEST = (message.c.received_at.desc(), _W.warning_id)
_WAITS = _W.state.in_(("draft", "held"))


@dataclass(frozen=True)
class Shelf:
    """One page of rows; whether there are more behind it."""

    rows: Sequence[ListedWarning]
    page: int
    more: bool


def _late(now: float) -> sa.ColumnElement[bool]:
    """Orange and red never end by themselves: time is over, a person has to send an update or end it."""
    over = sa.and_(_W.expires_at <= now, _W.expires_at > now - LATE_S)
    return sa.and_(_W.state == "active", over, _W.kind != "ending", _W.tier >= int(Tier.ORANGE))


async def running(db: Connection, now: float) -> Sequence[ListedWarning]:
    """All that is in force, endings too: the highest tier first, then the newest."""
    first = (_W.kind == "ending", _W.tier.desc(), _W.released_at.desc(), _W.warning_id)
    return await rows_of(db, ListedWarning, LISTED.where(in_force(now)).order_by(*first))


async def late(db: Connection, now: float) -> Sequence[ListedWarning]:
    """Orange and red whose time is over and that nobody has ended, within a week: the highest tier first."""
    order = (_W.tier.desc(), _W.expires_at.desc())
    return await rows_of(db, ListedWarning, LISTED.where(_late(now)).order_by(*order))


async def waiting(db: Connection, who: Who, page: int) -> tuple[Shelf, int]:
    """Drafts and held ones the caller may know of, and how many there are.

    Held before drafts, an unknown tier before red, then the newest.
    """
    unsure = sa.case((_W.tier == 0, int(Tier.RED) + 1), else_=_W.tier)
    order = ((_W.state == "held").desc(), sa.case((_W.state == "held", unsure), else_=0).desc(), *_NEWEST)
    mine = (_WAITS, seen_by(who))
    count = await db.scalar(sa.select(sa.func.count()).select_from(warning_state).where(*mine))
    return await _shelf(db, LISTED.where(*mine).order_by(*order), page), int(count or 0)


async def earlier(db: Connection, who: Who, now: float, page: int) -> Shelf:
    """What is over and the caller may know of, the newest first."""
    return await _shelf(db, LISTED.where(sa.not_(_WAITS), _not_first(now), seen_by(who)).order_by(*_NEWEST), page)


async def rest(db: Connection, who: Who, now: float, page: int) -> Shelf:
    """All that is neither in force nor late and the caller may know of, the newest first."""
    return await _shelf(db, LISTED.where(_not_first(now), seen_by(who)).order_by(*_NEWEST), page)


def _not_first(now: float) -> sa.ColumnElement[bool]:
    return sa.not_(sa.or_(in_force(now), _late(now)))


async def _shelf(db: Connection, query: sa.Select[*tuple[object, ...]], page: int) -> Shelf:
    rows = await rows_of(db, ListedWarning, query.offset((page - 1) * PAGE).limit(PAGE + 1))
    return Shelf(rows[:PAGE], page, len(rows) > PAGE)


def page_of(given: str, field: str) -> int:
    """A page's number from a query; Refused where it is none."""
    if not given:
        return 1
    if not (given.isascii() and given.isdigit() and 1 <= len(given) <= 5 and 1 <= int(given) <= LAST_PAGE):
        raise Refused(
            f"{field}: give the number of a page, 1 to {LAST_PAGE}", field=field, rule="number", given=given[:40]
        )
    return int(given)
