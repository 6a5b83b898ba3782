"""Brakes what is far larger than usual: another person looks, and types where it is, before it goes out.

One slip of a zone sent an evacuation to ten million phones (Los Angeles, January 2025). The measure is square kilometres
of the whole place, codes included: it is known at once, while people are still being counted. A place that only unknown
codes name has none. Once they are counted, a million people are another measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import median

import shapely
import sqlalchemy as sa

from services.shared.database.engine import Connection
from services.shared.errors import Refused
from services.shared.i18n import english
from services.shared.ledger.warnings import warning_preview, warning_scope, warning_state
from services.shared.powers.approval import LARGE_PEOPLE, in_short
from services.shared.powers.ground import km2 as km2_of
from services.shared.powers.who import Who
from services.shared.tiers import Tier

LARGE_KM2 = 20_000.0  # a large prefecture; Los Angeles County has 10,500
TIMES_USUAL = 40.0
USUAL_OF, USUAL_FROM = 20, 5  # of the newest so many that went out, once there are so many
LARGE_SHARE = 0.5  # of the whole area of the grant, where nothing says what is usual
SMALL_KM2 = 500.0  # never too large, whatever is usual


async def brake(db: Connection, who: Who, km2: float, tier: int) -> tuple[str, ...]:
    """Why somebody else must look before this goes out, in sentences; empty where its size is usual. `tier`: 0 for undecided."""
    if km2 <= SMALL_KM2:
        return ()
    newest = (
        sa.select(warning_scope.c.km2)
        .join(warning_state, warning_state.c.warning_id == warning_scope.c.warning_id)
        .where(
            warning_state.c.authority == who.authority,
            warning_state.c.released_at.is_not(None),
            warning_state.c.kind != "ending",
            warning_scope.c.km2 > 0.0,
        )
        .order_by(warning_state.c.released_at.desc(), warning_state.c.warning_id)
        .limit(USUAL_OF)
    )
    before = list(await db.scalars(newest))
    usual = median(before) if len(before) >= USUAL_FROM else 0.0
    if usual and km2 > TIMES_USUAL * usual:
        return (
            english(
                "it covers {km2} km2, {times} times the usual area of {authority}: look whether the place is right",
                km2=f"{km2:,.0f}", times=f"{km2 / usual:.0f}", authority=who.authority,
            ),
        )  # fmt: skip
    if not usual and km2 > LARGE_KM2:
        return (english("it covers {km2} km2: look whether the place is right", km2=f"{km2:,.0f}"),)
    heavy = tier == 0 or tier >= Tier.ORANGE  # a county-wide "be aware" is every week's
    whole = _km2_of_grant(who.area) if who.area and not usual and heavy else 0.0
    if whole and km2 > LARGE_SHARE * whole:
        return (
            english(
                "it covers {km2} km2, {percent} % of all the ground of {authority}: look whether the place is right",
                km2=f"{km2:,.0f}", percent=f"{100 * km2 / whole:.0f}", authority=who.authority,
            ),
        )  # fmt: skip
    return ()


@lru_cache(maxsize=64)
def _km2_of_grant(area: str) -> float:
    return km2_of(shapely.make_valid(shapely.from_geojson(area)))


async def must_be_typed(db: Connection, warning_id: str) -> bool:
    """Whether whoever sends it types its place: the brake held it, or a million people and more were counted there."""
    braked = sa.select(warning_scope.c.braked).where(warning_scope.c.warning_id == warning_id)
    if await db.scalar(braked):
        return True
    counted = sa.select(warning_preview.c.result).where(warning_preview.c.warning_id == warning_id)
    result = await db.scalar(counted)
    return result is not None and int(result["people"]) >= LARGE_PEOPLE


def check_typed(typed: str, places: Sequence[str]) -> None:
    """Refused where nothing was typed, or no name by which the warning calls its place, as a whole or in short."""
    said, names = _plain(typed), [in_short(place) for place in places]
    if said and said in {_plain(one) for one in (*names, *places)}:
        return
    raise Refused(
        f"place: this is far larger than usual. Type the place as the warning names it: {' / '.join(names)}",
        field="place", rule="typed", given=typed[:200],
    )  # fmt: skip


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()
