"""Lists the teams that were sent to doors: who is out, heard of when, whose sign of life has not come, who is back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.safety import recall
from services.router.safety.hand_on import NOT_MADE
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.ledger import team_signs
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import TeamStanding


class TeamLine(NamedTuple):
    """One team; `turn_back` is when it has to turn back from its last door, None where no impact ends visits; `left` are the
    doors on its list that it was not at."""

    team: TeamStanding
    turn_back: float | None
    late: bool
    left: int


class TeamBoard(NamedTuple):
    """Every team of a warning and what it replaced: who is late first, then who is out, then who is in.

    `recalled` are those that were called back and have not gone out since, `away` those of them that have not said that they
    are in safety.
    """

    teams: Sequence[TeamLine]
    out: int
    late: int
    back: int
    recalled: int
    away: Sequence[TeamLine]


def arranged(
    teams: Iterable[TeamStanding], turn_back: Mapping[str, float], left: Mapping[str, int], now: float
) -> TeamBoard:
    """The board by how it stands with each; `left`: team > doors it was not at."""
    order = sorted(teams, key=lambda t: (t.due is None, t.due or 0.0, t.slot))
    lines = [TeamLine(t, turn_back.get(t.slot), t.due is not None and now > t.due, left.get(t.slot, 0)) for t in order]
    out = [line for line in lines if line.team.since is not None]
    called = [line for line in lines if line.team.recalled_at is not None]
    return TeamBoard(
        lines, len(out), sum(line.late for line in lines), len(lines) - len(out), len(called),
        [line for line in called if line.team.since is not None],
    )  # fmt: skip


async def of(db: Connection, ctx: WarningContext | None, warning_id: str, now: float) -> TeamBoard:
    """The board at one moment."""
    teams = await team_signs.of_chain(db, warning_id, now)
    back = await recall.turn_backs(db, ctx, teams) if ctx is not None and teams else {}
    return arranged(teams.values(), back, await _left(db, warning_id, teams) if teams else {}, now)


async def _left(db: Connection, warning_id: str, slots: Iterable[str]) -> dict[str, int]:
    theirs = (delivery.c.warning_id == warning_id, one_of(delivery.c.slot, sorted(slots)), NOT_MADE)
    found = sa.select(delivery.c.slot, sa.func.count().label("n")).where(*theirs).group_by(delivery.c.slot)
    return {row.slot: int(row.n) for row in await db.execute(found)}
