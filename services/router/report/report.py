"""Reports coverage, the missing, one path, and whether anybody is unexplained."""

from __future__ import annotations

from typing import TypedDict

import sqlalchemy as sa

from services.router.callouts import callouts
from services.router.planning.contexts import Contexts
from services.router.report.words import callout_lines, lines, plain
from services.router.store import tables, tally
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.errors import NotFound
from services.shared.ledger.channels import LOG_DRIVER, channel
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import WarningState, state_at, warning_state

MISSING_SHOWN = 200
_NOT_MET = ("unconfirmed", "no_capacity", "handed_to_rescue", "unsafe_by_commander", "refused")


class Coverage(TypedDict):
    """Who is warned, reached and closed; `announced`: people the registry named, null while it counts."""

    warning_id: str
    state: str
    tier: int
    number: str
    doors: str
    counting: bool
    announced: int | None
    targeted: int
    delivered: int
    reached: int
    closed: int
    explained_not_closed: dict[str, int]
    open: int
    unexplained: int
    by_group: dict[str, tally.GroupFigures]
    by_channel: dict[str, dict[str, int]]
    area_left_out: dict[str, str]
    unresolved: list[list[str]]


# a delivery to a person or to somebody about them; times are seconds since 1970
DeliveryShown = TypedDict(
    "DeliveryShown",
    {
        "channel": str, "step": str, "why": str, "state": str, "try": int, "evidence": int, "answer": str,
        "due_at": float | None, "attempts": int,
    },
)  # fmt: skip


class PersonPath(TypedDict):
    """A person's path: `lines` for an officer, `plain` for the person."""

    person_id: str
    warning_id: str
    groups: list[str]
    kind: str
    facts: list[str]
    state: str
    ending: str
    zone_id: str
    policy: str
    lines: list[str]
    plain: list[str]
    deliveries: list[DeliveryShown]
    left_out: list[dict[str, str]]


async def coverage(db: Connection, warning_id: str, now: float) -> Coverage:
    """Its state at `now` (warning time); totals, by group and by channel.

    `explained_not_closed` stands beside closed, `unexplained` beside both.
    """
    mine = sa.select(*columns(tables.Running, tables.warning)).where(tables.warning.c.warning_id == warning_id)
    row = await row_of(db, tables.Running, mine)
    state = await row_of(db, WarningState, sa.select(warning_state).where(warning_state.c.warning_id == warning_id))
    if state is None:
        raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
    counted = await tally.coverage(db, warning_id)
    people, endings = counted.people, counted.endings
    closed = endings.get("closed", 0)
    explained = {name: n for name, n in endings.items() if name != "closed"}
    targeted = people["targeted"]
    announced = row.total if row is not None and row.total >= 0 else None
    return {
        "warning_id": warning_id,
        "state": state_at(state.state, state.expires_at, now),
        "tier": state.tier,
        "number": state.number,
        "doors": state.doors,
        "counting": row is None or not row.complete,
        "announced": announced,
        "targeted": targeted,
        "delivered": people["delivered"],
        "reached": people["reached"],
        "closed": closed,
        "explained_not_closed": explained,
        "open": targeted - closed - sum(explained.values()),
        "unexplained": await unexplained(db, warning_id, announced),
        "by_group": counted.by_group,
        "by_channel": await _without_logs(db, counted.by_channel),
        "area_left_out": row.area_left_out if row is not None else {},
        "unresolved": row.unresolved if row is not None else [],
    }


async def _without_logs(db: Connection, by_channel: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """A channel that is only written to a log reaches nobody: nothing of it was accepted, and it has a word of its own."""
    logs = set(await db.scalars(sa.select(channel.c.channel).where(channel.c.driver == LOG_DRIVER)))
    found = {}
    for name, n in by_channel.items():
        logged = n["accepted"] if name in logs else 0
        found[name] = {"planned": n["planned"], "logged": logged, **n, "accepted": n["accepted"] - logged}
    return found


async def unexplained(db: Connection, warning_id: str, announced: int | None) -> int:
    """People the registry announced who have no path, and open paths with nothing that can move them any more."""
    has = sa.exists().where(
        delivery.c.warning_id == tables.path.c.warning_id,
        delivery.c.person_id == tables.path.c.person_id,
        delivery.c.send_state.in_(("pending", "retry", "accepted", "unknown", "delivered")),
    )
    stuck = await db.scalar(
        sa.select(sa.func.count()).where(
            tables.path.c.warning_id == warning_id,
            tables.path.c.state == "open",
            tables.path.c.next_at.is_(None),
            tables.path.c.react_at.is_(None),
            sa.not_(has),
        )
    )
    paths = await db.scalar(
        sa.select(sa.func.count()).where(tables.path.c.warning_id == warning_id, sa.not_(tables.path.c.outside))
    )
    return int(stuck or 0) + max(0, (announced or 0) - int(paths or 0))


async def missing(db: Connection, warning_id: str, *, whole: bool = False) -> list[tables.Path]:
    """Open paths and those that ended without a meeting, unmet help first: the first MISSING_SHOWN, or the `whole`."""
    return await rows_of(
        db,
        tables.Path,
        sa.select(tables.path)
        .where(
            tables.path.c.warning_id == warning_id,
            sa.or_(
                tables.path.c.state == "open",
                tables.path.c.help_at.is_not(None),
                tables.path.c.ending.in_(_NOT_MET),
            ),
        )
        .order_by(
            tables.path.c.help_at.is_(None), tables.path.c.milestones, tables.path.c.state, tables.path.c.person_id
        )
        .limit(None if whole else MISSING_SHOWN),
    )


async def path(db: Connection, contexts: Contexts, warning_id: str, person_id: str) -> PersonPath:
    """One person's path in words, for an officer (`lines`) and for themselves (`plain`); they appear by id only."""
    mine = (tables.path.c.warning_id == warning_id, tables.path.c.person_id == person_id)
    row = await row_of(db, tables.Path, sa.select(tables.path).where(*mine))
    if row is None:
        raise NotFound(
            f"{person_id} has no path under warning {warning_id}: look for the id on the live page",
            field="person_id",
            given=person_id,
        )
    ctx = await contexts.of(db, warning_id)
    about = tables.warning.c.warning_id == warning_id
    area: dict[str, str] | None = await db.scalar(sa.select(tables.warning.c.area_left_out).where(about))
    if ctx is None or area is None:
        raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
    profile = (await tables.profiles_of(db, {row.profile_key}))[row.profile_key]
    plan = ctx.plan(profile, ctx.start(profile))
    deliveries = (await tables.deliveries_of(db, warning_id, [person_id]))[person_id]
    answers = await tables.answers_of(db, [d.delivery_id for d in deliveries])
    return {
        "person_id": person_id,
        "warning_id": warning_id,
        "groups": list(profile.groups),
        "kind": profile.kind,
        "facts": sorted(fact.replace("_", " ") for fact in plan.facts),
        "state": row.state,
        "ending": row.ending,
        "zone_id": row.zone_id,
        "policy": ctx.policy.name,
        "lines": lines(
            row, plan, deliveries, area, answers, ctx.issued.offset_at, policy=ctx.policy.name
        )
        + callout_lines(await callouts.words(db, warning_id, person_id), ctx.issued.offset_at),
        "plain": plain(row, plan, deliveries, answers, ctx.issued.offset_at),
        "deliveries": [
            {
                "channel": d.channel, "step": d.step, "why": d.reason, "state": d.send_state, "try": d.try_no,
                "evidence": d.evidence, "answer": d.answer, "due_at": d.due_at, "attempts": d.attempts,
            }
            for d in deliveries
        ],
        "left_out": [{"channel": channel, "why": why} for channel, why in plan.left_out],
    }  # fmt: skip
