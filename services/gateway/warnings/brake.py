"""Brakes what is far larger than usual: another person looks before it goes out.

One slip of a zone sent an evacuation to ten million phones (Los Angeles, January 2025). The measure is square kilometres
of the whole place, codes included: it is known at once, while people are still being counted. A place that only unknown
codes name has none.
"""

from __future__ import annotations

from statistics import median

import sqlalchemy as sa

from services.shared.database.engine import Connection
from services.shared.i18n import english
from services.shared.ledger.warnings import warning_scope, warning_state
from services.shared.powers.who import Who

LARGE_KM2 = 20_000.0  # a large prefecture; Los Angeles County has 10,500
TIMES_USUAL = 40.0
USUAL_OF, USUAL_FROM = 20, 5  # of the newest so many that went out, once there are so many
SMALL_KM2 = 500.0  # never too large, whatever is usual


async def brake(db: Connection, who: Who, km2: float) -> tuple[str, ...]:
    """Why somebody else must look before this goes out, in sentences; empty where its size is usual."""
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
    return ()
