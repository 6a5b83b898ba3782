"""A preview: the registry's counts per profile, planned per profile; nobody is named and nothing is sent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from services.router import store
from services.router.contexts import Contexts
from services.router.plan import Context
from services.router.policy_words import OFFICER, SUPPORTER
from services.shared.db import Connection
from services.shared.errors import Broken, Busy
from services.shared.messages import AudienceFound, WarningIssued, decode
from services.shared.tier import Tier


async def plan_preview(tx: Connection, contexts: Contexts, message: AudienceFound) -> None:
    """Works out, for each tier a person may decide, whom the warning would reach by which road."""
    row = (await tx.execute(sa.select(store.preview).where(store.preview.c.warning_id == message.warning_id))).first()
    if row is None:
        raise Busy(f"counts came before their preview {message.warning_id}")
    issued = decode(row.issued)
    if not isinstance(issued, WarningIssued):
        raise Broken(f"the preview row of {message.warning_id} holds another message")
    channels, roads = await contexts.roads(tx)
    tiers = [Tier(issued.tier)] if issued.tier else list(Tier)
    result = {
        "people": sum(message.counts),
        "estimated": message.estimated,
        "unresolved": [list(u) for u in message.unresolved],
        "tiers": {
            tier.word: _tier(Context(_at(issued, tier), contexts.current, channels, roads), message) for tier in tiers
        },
    }
    await tx.execute(
        sa.update(store.preview).where(store.preview.c.warning_id == message.warning_id).values(result=result)
    )


def _at(issued: WarningIssued, tier: Tier) -> WarningIssued:
    return replace(issued, tier=int(tier))


def _tier(ctx: Context, message: AudienceFound) -> dict[str, Any]:
    groups: Counter[str] = Counter()
    no_path: Counter[str] = Counter()
    few: Counter[str] = Counter()
    roads: Counter[str] = Counter()
    doors = not_asked = none = 0
    for profile, count in zip(message.profiles, message.counts, strict=True):
        plan = ctx.plan(profile, ctx.start(profile))
        for group in profile.groups or ("general",):
            groups[group] += count
            if plan.usable == 0:
                no_path[group] += count
            elif plan.usable == 1:
                few[group] += count
        if not plan.asked:
            not_asked += count
            continue
        none += count if plan.usable == 0 else 0
        for use in plan.roads:
            if use.kind not in (SUPPORTER, OFFICER):
                roads[use.road] += count
        if plan.supporter:
            roads["supporter"] += count
        if plan.door_at_0:
            doors += count
            roads[f"{plan.door_where} at 0"] += count
    return {
        "by_group": {g: {"people": n, "one_road": few[g], "no_road": no_path[g]} for g, n in sorted(groups.items())},
        "by_road": dict(sorted(roads.items())),
        "doors_at_0": doors,
        "not_asked": not_asked,
        "no_road": none,
    }
