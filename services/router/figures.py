"""Counts people with no path, open paths and calls for help, for an operator to watch."""

from __future__ import annotations

import sqlalchemy as sa

from services.router.store import tables
from services.router.store.cases import HELP, NOBODYS, OPEN, case
from services.shared.database.engine import Connection
from services.shared.figures import Figure, Values, by_tier
from services.shared.ledger.tally import tally
from services.shared.ledger.warnings import warning_state


async def _people(db: Connection) -> dict[int, dict[str, float]]:
    """Of warnings in force, by tier: people announced by the registry, targeted (they have a path), ended."""
    live = (warning_state.c.state == "active", warning_state.c.kind != "ending")
    found: dict[int, dict[str, float]] = {}
    counted = await db.execute(
        sa.select(warning_state.c.warning_id, warning_state.c.tier, tally.c.milestone, sa.func.sum(tally.c.n))
        .join(tally, tally.c.warning_id == warning_state.c.warning_id)
        .where(*live, tally.c.channel == "")
        .group_by(warning_state.c.warning_id, warning_state.c.tier, tally.c.milestone)
    )
    targeted: dict[str, float] = {}
    for warning_id, tier, milestone, n in counted.all():
        sums = found.setdefault(tier, {"targeted": 0.0, "ended": 0.0, "no_path": 0.0})
        if milestone == "targeted":
            sums["targeted"] += n
            targeted[warning_id] = n
        elif milestone.startswith("ended:"):
            sums["ended"] += n
    announced = await db.execute(
        sa.select(warning_state.c.warning_id, warning_state.c.tier, tables.warning.c.total)
        .join(tables.warning, tables.warning.c.warning_id == warning_state.c.warning_id)
        .where(*live, tables.warning.c.total >= 0)
    )
    for warning_id, tier, total in announced.all():
        sums = found.setdefault(tier, {"targeted": 0.0, "ended": 0.0, "no_path": 0.0})
        sums["no_path"] += max(0.0, total - targeted.get(warning_id, 0.0))
    return found


async def open_paths(db: Connection, now: float) -> Values:
    """People of warnings in force whose path has no ending yet."""
    return by_tier({tier: sums["targeted"] - sums["ended"] for tier, sums in (await _people(db)).items()})


async def no_path(db: Connection, now: float) -> Values:
    """People the registry announced, under a warning in force, who have no path."""
    return by_tier({tier: sums["no_path"] for tier, sums in (await _people(db)).items()})


async def help_open(db: Connection, now: float) -> Values:
    """Calls for help that are not closed, by whether somebody has taken them."""
    owned = sa.not_(NOBODYS).label("owned")  # grouped by its name: PostgreSQL takes two parameters for two things
    rows = await db.execute(sa.select(owned, sa.func.count()).select_from(case).where(OPEN, HELP).group_by("owned"))
    found: dict[tuple[str, ...], float] = {("yes",): 0.0, ("no",): 0.0}
    return found | {("yes" if row.owned else "no",): float(row[1]) for row in rows}


FIGURES = (
    Figure("tocsin_open_paths", "People of warnings in force whose path has not ended", ("tier",), open_paths),
    Figure("tocsin_no_path", "People announced for a warning in force who have no path", ("tier",), no_path),
    Figure("tocsin_help_open", "Calls for help not closed, by whether somebody owns them", ("owned",), help_open),
)
