"""Calls teams back from doors: by text, by call and by the siren, each team until it has said that it is in safety.

They come back when it is time to turn back, when the commander says that nobody may go, when an update forbids doors, and when
the warning has ended. Being all right is not being back: a team says so by its list, by text or by radio, or it is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from services.router.planning import area
from services.router.planning.notices import notice
from services.router.planning.plan import WarningContext
from services.shared.bus.outbox import id_of, publish
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.endings import GOES_ON
from services.shared.ledger import team_signs
from services.shared.ledger.params import Visit
from services.shared.ledger.tables import DOOR_DRIVER, ON_A_LIST, delivery
from services.shared.ledger.tally import Deltas
from services.shared.ledger.team_signs import SignKind, TeamStanding
from services.shared.messages import WorkerEntry

TIME, UNSAFE, FORBIDDEN, OVER = "time", "unsafe", "forbidden", "over"
TOLD = {TIME: "time_to_turn_back", UNSAFE: "turn_back", FORBIDDEN: "turn_back", OVER: "warning_over"}
LEAST_S = 300.0  # to come back and say so, however short the way out is


def why(ctx: WarningContext, turn_back: float | None, now: float) -> str:
    """Why a team has to come back now; empty where it need not."""
    if ctx.issued.kind == "ending":
        return "" if ctx.issued.ending in GOES_ON else OVER
    if ctx.doors in (UNSAFE, FORBIDDEN):
        return ctx.doors
    return TIME if turn_back is not None and now >= turn_back else ""


async def turn_backs(db: Connection, ctx: WarningContext, slots: Iterable[str]) -> dict[str, float]:
    """Team > when it has to turn back from the last of its doors; none where no impact ends visits."""
    usual = ctx.turn_back()
    if usual is None:
        return {}
    found = dict.fromkeys(slots, usual)
    theirs = sa.select(delivery.c.slot, delivery.c.params).where(
        delivery.c.warning_id == ctx.issued.warning_id, delivery.c.driver == DOOR_DRIVER, ON_A_LIST,
        one_of(delivery.c.slot, sorted(found)),
    )  # fmt: skip
    latest: dict[str, float] = {}
    for row in await db.execute(theirs):
        if isinstance(row.params, Visit) and row.params.turn_back is not None:
            latest[row.slot] = max(latest.get(row.slot, 0.0), row.params.turn_back)
    return found | latest


async def call_back(
    tx: Connection,
    ctx: WarningContext,
    teams: Mapping[str, TeamStanding],
    workers: Sequence[WorkerEntry],
    turn_back: Mapping[str, float],
    now: float,
    plane: str,
) -> None:
    """Each team that is out and has to come back is told once, and told again only where it was sent out again since."""
    warning_id = ctx.issued.warning_id
    before = await team_signs.last_of_kind(tx, warning_id, SignKind.RECALLED)
    sent = await team_signs.last_of_kind(tx, warning_id, SignKind.OUT)
    called = {
        slot: reason
        for slot, team in teams.items()
        if team.since is not None
        and team.recalled_at is None
        and sent.get(slot, 0.0) > before.get(slot, 0.0)
        and (reason := why(ctx, turn_back.get(slot, ctx.turn_back()), now))
    }
    if not called:
        return
    within = max(LEAST_S, ctx.policy.door_list.way_out_s)
    for slot, reason in called.items():
        team = teams[slot]
        sign_id = id_of(warning_id, slot, "recalled", team.since, team.sent_at)
        await team_signs.keep(tx, warning_id, slot, SignKind.RECALLED, now, reason, within_s=within, sign_id=sign_id)
    made = []
    for one in (w for w in workers if w.worker_id in called):
        kind = TOLD[called[one.worker_id]]
        about = f"{now:.0f}" if one.worker_id in before else ""
        if kind != TOLD[OVER]:  # the text goes to whoever had a door, with the ending itself
            made.append(notice(ctx, one, kind, plane, about))
        made.append(notice(ctx, one, kind, plane, about, voice=True))
    await publish(tx, [one for one in made if one is not None])
    if set(called.values()) != {OVER} and not await area.sounded(tx, warning_id, "recall"):
        deltas = Deltas(warning_id)
        await area.again(tx, ctx, deltas, "area_sound", "recall", "teams are called back", now)
        await deltas.add(tx)
