"""Looks after teams at doors: a sign of life is due again and again; who is not heard of is asked, then looked for.

A team goes out with its first door. What it notes at a door, taps on its list or writes by text is a sign, so is what the desk
heard by radio. A sign that is five minutes late: the team and its partner are asked by text. Ten more: an alarm stands on
the live page, and the command is told by text and call. Whatever is heard of the team then ends both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from msgspec.structs import replace

from services.router.cases import cases
from services.router.planning.notices import notice, on_duty
from services.router.planning.plan import WarningContext
from services.router.policy.rules import DoorList
from services.router.safety import recall
from services.router.safety.hand_on import NOT_MADE, hand_on
from services.router.store import tables
from services.shared import alarms
from services.shared.bus.outbox import id_of, publish
from services.shared.database.engine import Connection
from services.shared.i18n import english
from services.shared.ledger import team_signs
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import SignKind, TeamStanding
from services.shared.ledger.warnings import warning_state
from services.shared.messages import NoticeRequested, WorkerEntry
from services.shared.powers.power import Power

log = structlog.get_logger("router")
LOOK = "teams"  # the look at those that are out
RESTS = "the team was relieved and is back: given to another team"
CANNOT_GO = "the team cannot go: given to another team"


class Silence(NamedTuple):
    """When a team that is out has missed its sign of life: to ask it and its partner, to tell the command."""

    ask_at: float
    alarm_at: float


def silence(team: TeamStanding, rule: DoorList) -> Silence | None:
    """By its last sign; None while it is in."""
    due = team.due
    if due is None:
        return None
    return Silence(due + rule.check_in_grace_s, due + rule.check_in_grace_s + rule.check_in_alarm_s)


def relief_at(team: TeamStanding, rule: DoorList) -> float | None:
    """When a team that is out gets no new doors any more; None where it was called back, or is relieved."""
    if team.since is None or team.recalled_at is not None or team.relieved_at is not None:
        return None
    return team.since + rule.relief_s


def next_look(teams: Iterable[TeamStanding], rule: DoorList, now: float) -> float | None:
    """When something may have to be done about one of them; None where nobody is out.

    Nobody says here that a team was heard: so it is looked no later than when a sign that comes now would be followed by none.
    """
    found = []
    for team in teams:
        if (missed := silence(team, rule)) is not None:
            found.append(now + (team.within_s if team.recalled_at is None else team.return_s) + rule.check_in_grace_s)
            found += [missed.ask_at] if team.asked_at is None else []
            found += [missed.alarm_at] if team.missed_at is None else []
            found += [relief] if (relief := relief_at(team, rule)) is not None else []
    return max(now, min(found)) if found else None


def partner(
    silent: WorkerEntry, teams: Mapping[str, TeamStanding], workers: Sequence[WorkerEntry]
) -> WorkerEntry | None:
    """Who is asked about a team that is silent: of those that are out and heard of, one of its grids, else any; the last heard
    first. None where nobody else is out."""
    others = [
        (w, team)
        for w in workers
        if w.worker_id != silent.worker_id
        and (team := teams.get(w.worker_id)) is not None
        and team.since is not None
        and team.asked_at is None
    ]
    others.sort(
        key=lambda one: (
            not set(one[0].grids) & set(silent.grids), -(one[1].heard_at or one[1].since or 0.0), one[0].worker_id,
        )
    )  # fmt: skip
    return others[0][0] if others else None


async def sent(tx: Connection, ctx: WarningContext, slots: Iterable[str], now: float) -> None:
    """Doors were given to these teams: whoever was not out is out from now on."""
    slots, rule = sorted(set(slots)), ctx.policy.door_list
    known = await team_signs.of_slots(tx, slots, now)
    for slot in slots:
        team = known.get(slot, TeamStanding(slot))
        at = team_signs.goes_out_at(team, now)
        await team_signs.keep(
            tx, ctx.issued.warning_id, slot, SignKind.OUT, at, "", within_s=rule.check_in_s,
            sign_id=id_of(ctx.issued.warning_id, slot, "out", at if team.since is None else team.since, team.recalled_at),
        )  # fmt: skip
    if slots:
        looks = [now + rule.check_in_s + rule.check_in_grace_s, *(at for at in ctx.last_doors() if at > now)]
        await cases.set_clock(tx, ctx.issued.warning_id, min(looks), LOOK)


async def begin(tx: Connection, ctx: WarningContext, now: float) -> None:
    """An update or an ending: whoever is out under what it replaces is looked after under it."""
    teams = await team_signs.of_chain(tx, ctx.issued.warning_id, now)
    if any(team.since is not None for team in teams.values()):
        await cases.set_clock(tx, ctx.issued.warning_id, now, LOOK)


async def review(tx: Connection, ctx: WarningContext, now: float, plane: str) -> None:
    """One look at all that are out under the warning or were under what it replaced; when the next is due."""
    warning_id, rule = ctx.issued.warning_id, ctx.policy.door_list
    teams = await _teams(tx, ctx, now)
    workers = ctx.workers or [tables.decode_worker(w.entry) for w in await tables.workers_of_chain(tx, warning_id)]
    entries = {w.worker_id: w for w in workers}
    back = await recall.turn_backs(tx, ctx, teams)
    await recall.call_back(tx, ctx, teams, workers, back, now, plane)
    teams = await _teams(tx, ctx, now)
    made: list[NoticeRequested | None] = []
    for slot, team in teams.items():
        relief = relief_at(team, rule)
        if relief is not None and now >= relief:
            sign_id = id_of(warning_id, slot, "relieved", team.since)
            await team_signs.keep(tx, warning_id, slot, SignKind.RELIEVED, now, "time", sign_id=sign_id)
            made += [notice(ctx, entries[slot], "relief", plane, f"{team.since:.0f}")] if slot in entries else []
        missed = silence(team, rule)
        if missed is None or now < missed.ask_at:
            continue
        entry = entries.get(slot)
        near = partner(entry, teams, workers) if entry is not None else None
        if team.asked_at is None:
            await _keep(tx, warning_id, team, SignKind.ASKED, now)
            made += _ask(ctx, team, entry, near, plane)
        if team.missed_at is None and (now >= missed.alarm_at or near is None):
            await _keep(tx, warning_id, team, SignKind.MISSED, now)
            await _alarm(tx, ctx, team)
    await publish(tx, [one for one in made if one is not None])
    teams = await _teams(tx, ctx, now)
    following = [at for slot, at in back.items() if at > now and teams[slot].since is not None]
    if (look := next_look(teams.values(), rule, now)) is not None:
        await cases.set_clock(tx, warning_id, min([look, *following]), LOOK)


async def has_doors_under(db: Connection, slot: str) -> list[str]:
    """Warnings in force with doors on its list that it was not at."""
    open_ = (delivery.c.slot == slot, NOT_MADE, warning_state.c.state == "active")
    found = sa.select(delivery.c.warning_id).join(warning_state, warning_state.c.warning_id == delivery.c.warning_id)
    return sorted((await db.scalars(found.where(*open_).distinct())).all())


async def resting_with_doors(db: Connection, now: float) -> dict[str, list[str]]:
    """Team that was relieved and is in safety > warnings in force with doors on its list that it was not at."""
    slots = await team_signs.relieved_and_back(db, now)
    return {slot: under for slot in slots if (under := await has_doors_under(db, slot))}


async def let_go(
    tx: Connection,
    slot: str,
    said_under: WarningContext | None,
    under: Sequence[WarningContext],
    now: float,
    plane: str,
) -> None:
    """A team has said that it cannot go: its doors go to the others at once, the command is told. It asks for no reason."""
    for ctx in under:
        await hand_on(tx, ctx, slot, CANNOT_GO, "team.cannot", now, plane)
    told = under[0] if under else said_under
    if told is None:
        return
    warning_id = told.issued.warning_id
    mine = warning_state.c.warning_id == warning_id
    number = str(await tx.scalar(sa.select(warning_state.c.number).where(mine)))
    asked = await on_duty(tx, told, Power.HANDLE)
    made = asked.notices(told, "team_cannot", plane, f"{slot}:{now:.0f}", number=number, expires=now + 3600.0)
    params = {"about": warning_id, "number": number}
    await publish(tx, [replace(one, warning_id="", expires=now + 3600.0, params=one.params | params) for one in made])


async def _teams(tx: Connection, ctx: WarningContext, now: float) -> dict[str, TeamStanding]:
    """Those to look after; a warning that has ended leaves to another one who was sent out under it."""
    teams = await team_signs.of_chain(tx, ctx.issued.warning_id, now)
    if ctx.issued.kind != "ending":
        return teams
    elsewhere = await team_signs.out_for_another(tx, ctx.issued.warning_id, now)
    return {slot: team for slot, team in teams.items() if slot not in elsewhere}


async def _keep(tx: Connection, warning_id: str, team: TeamStanding, kind: SignKind, now: float) -> None:
    """Once for each silence."""
    about = id_of(warning_id, team.slot, kind, team.due)
    await team_signs.keep(tx, warning_id, team.slot, kind, now, "", sign_id=about)


def _ask(
    ctx: WarningContext, team: TeamStanding, entry: WorkerEntry | None, near: WorkerEntry | None, plane: str
) -> list[NoticeRequested | None]:
    about = f"{team.slot}:{team.due:.0f}"
    made = [notice(ctx, entry, "check_in", plane, about)] if entry is not None else []
    if near is not None and entry is not None:
        asked = notice(ctx, near, "partner_silent", plane, about)
        where = ", ".join(entry.grids)
        made += [replace(asked, params=asked.params | {"where": where}) if asked is not None else None]
    log.warning("team_asked", warning_id=ctx.issued.warning_id, team=team.slot, partner=near is not None)
    return made


async def _alarm(tx: Connection, ctx: WarningContext, team: TeamStanding) -> None:
    mine = warning_state.c.warning_id == ctx.issued.warning_id
    number = str(await tx.scalar(sa.select(warning_state.c.number).where(mine)))
    values = {"number": number, "team": team.slot[:8]}
    if team.recalled_at is None:
        said = english(
            "No. {number}: team {team} at the doors gives no sign of life. Call it, ask whoever is near, then send rescue.",
            **values,
        )
    else:
        said = english(
            "No. {number}: team {team} was called back and has not said that it is in safety. Call it, ask whoever is near, then "
            "send rescue.",
            **values,
        )
    await alarms.sound(tx, f"{team_signs.ALARM}:{team.slot}", said)
