"""Tells what came of a demo: figures by group and channel, doubled messages, and a few people's paths in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.node import Node
from services.router.report import before_impact, report
from services.router.report.before_impact import ImpactFigures
from services.router.report.goals import GoalsMeasured, goals
from services.router.store import tables
from services.router.store.tally import GroupFigures
from services.shared.database.engine import Connection
from services.shared.ledger.tables import delivery
from services.shared.tiers import Tier
from services.sim.world import World

EXAMPLES = ("deaf_signing", "no_phone", "cognitive", "facility", "mobility", "blind")


class ByGroupAndChannel(TypedDict):
    """People by group, messages by channel and milestone."""

    by_group: dict[str, GroupFigures]
    by_channel: dict[str, dict[str, int]]


class DemoFigures(ByGroupAndChannel):
    """What `--json` prints; `unregistered` people live there and are in no register, so that nobody knows what they heard."""

    targeted: int
    reached: int
    closed: int
    explained_not_closed: dict[str, int]
    open: int
    unexplained: int
    provider_accepts: int
    ambiguous: int
    doubled: int
    unregistered: int
    before_impact: ImpactFigures | None


class DemoProgress(NamedTuple):
    """People so far; `announced` is how many there will be, 0 where that is not known yet."""

    targeted: int
    announced: int
    delivered: int
    reached: int
    open: int


class DemoPath(NamedTuple):
    """A person's path in words."""

    person_id: str
    groups: list[str]
    lines: list[str]


class DemoDetails(NamedTuple):
    """What the alert meant here, and how the warning stands at the end."""

    tier: str
    hazard: str
    state: str
    doors: str
    area_left_out: dict[str, str]
    warning_id: str


@dataclass
class DemoResult:
    """`figures` is what --json prints; `paths` are a few people's paths in words."""

    figures: DemoFigures
    paths: list[DemoPath]
    world: dict[str, int]
    details: DemoDetails
    goals: GoalsMeasured | None


async def result_of(embedded: Node, world: World, warning_id: str, hazard: str, unregistered: int = 0) -> DemoResult:
    """The result of a demo that has ended."""
    async with embedded.platform.database.read() as db:
        figures = await report.coverage(db, warning_id, embedded.platform.clock.now())
        ambiguous = {
            row.delivery_id: row.ambiguous
            for row in await db.execute(
                sa.select(delivery.c.delivery_id, delivery.c.ambiguous).where(delivery.c.ambiguous > 0)
            )
        }
        paths = await _examples(db, embedded, warning_id)
        ctx = await embedded.router.contexts.of(db, warning_id)
        measured = None if ctx is None else await before_impact.of(db, ctx, unregistered)
        reached_by = None if ctx is None else await goals(db, ctx, embedded.platform.clock.now())
    accepts = world.sandbox.accepts_per_delivery()
    doubled = sum(1 for one, n in accepts.items() if n > 1 + ambiguous.get(one, 0))
    chosen: DemoFigures = {
        "targeted": figures["targeted"],
        "reached": figures["reached"],
        "closed": figures["closed"],
        "explained_not_closed": figures["explained_not_closed"],
        "open": figures["open"],
        "unexplained": figures["unexplained"],
        "by_group": figures["by_group"],
        "by_channel": figures["by_channel"],
        "provider_accepts": sum(accepts.values()),
        "ambiguous": sum(ambiguous.values()),
        "doubled": doubled,
        "unregistered": unregistered,
        "before_impact": measured,
    }
    details = DemoDetails(
        Tier(figures["tier"]).word, hazard, figures["state"], figures["doors"], figures["area_left_out"], warning_id
    )
    return DemoResult(chosen, paths, world.summary(), details, reached_by)


async def _examples(db: Connection, embedded: Node, warning_id: str) -> list[DemoPath]:
    """Three people whose paths differ most: the first of each of a few groups that ended."""
    rows = (
        await db.execute(
            sa.select(tables.path.c.person_id, tables.path.c.profile_key, tables.path.c.ending)
            .where(tables.path.c.warning_id == warning_id)
            .order_by(tables.path.c.ending != "closed", tables.path.c.person_id)
        )
    ).all()
    profiles = await tables.profiles_of(db, {r.profile_key for r in rows})
    found: list[DemoPath] = []
    for group in EXAMPLES:
        one = next((r for r in rows if group in profiles[r.profile_key].groups), None)
        if one is not None and len(found) < 3:
            path = await report.path(db, embedded.router.contexts, warning_id, one.person_id)
            found.append(DemoPath(one.person_id, path["groups"], path["lines"]))
    return found
