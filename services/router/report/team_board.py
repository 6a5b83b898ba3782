"""Lists the teams that were sent to doors: who is out, heard of when, and whose sign of life has not come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.shared.database.engine import Connection
from services.shared.ledger import team_signs
from services.shared.ledger.team_signs import TeamStanding


class TeamBoard(NamedTuple):
    """Every team of a warning and what it replaced, who is late first; how many are out, late, and back in safety."""

    teams: Sequence[TeamStanding]
    out: int
    late: int
    back: int


def is_late(team: TeamStanding, now: float) -> bool:
    """Whether its sign of life has not come in time."""
    return team.due is not None and now > team.due


def arranged(teams: Iterable[TeamStanding], now: float) -> TeamBoard:
    """Those that are late first, the longest first; then those out; then those that are in."""
    order = sorted(teams, key=lambda t: (t.due is None, t.due or 0.0, t.slot))
    out = [t for t in order if t.since is not None]
    return TeamBoard(order, len(out), sum(is_late(t, now) for t in out), len(order) - len(out))


async def of(db: Connection, warning_id: str, now: float) -> TeamBoard:
    """The board at one moment."""
    return arranged((await team_signs.of_chain(db, warning_id, now)).values(), now)
