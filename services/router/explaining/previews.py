"""Previews a warning: the registry's counts per profile, each profile walked in memory; nothing is sent.

Over a broker a question and its answer take different ways to different processes, and a draft may be asked about twice
at once: whatever comes first, the newest question's answer is what stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec.structs import replace

from services.router.doors.capacity import foretold
from services.router.explaining.outcomes import Outcomes, ProfileOutcome
from services.router.planning.contexts import Contexts
from services.router.planning.plan import WarningContext
from services.shared.database import locks
from services.shared.database.batches import upsert
from services.shared.database.engine import Connection
from services.shared.errors import Broken
from services.shared.ledger.warnings import warning_preview
from services.shared.messages import AudienceFound, WarningIssued, decode, encode
from services.shared.tiers import Tier


async def ask(tx: Connection, asked: WarningIssued) -> None:
    """Somebody waits for it: nothing is shown until the answer comes, which may have come already."""
    await locks.preview(tx, asked.warning_id)
    before = await kept(tx, asked.warning_id)
    if before is None or before.asked.released < asked.released:
        await _keep(tx, asked, None)


async def counted(db: Connection, contexts: Contexts, outcomes: Outcomes, message: AudienceFound) -> dict[str, Any]:
    """For each tier a person may decide, whom the warning would reach by which channel; others have their turn meanwhile."""
    asked = message.asked
    if asked is None:
        raise Broken(f"counts for a preview of {message.warning_id} came without their question")
    drivers, channels = await contexts.channels(db)
    tiers = [Tier(asked.tier)] if asked.tier else list(Tier)
    found = {}
    for tier in tiers:
        ctx = WarningContext(_at(asked, tier), contexts.current, drivers, channels)
        known = await outcomes.of(ctx, contexts.current_key, message.profiles)
        found[tier.word] = _tier(ctx, known, message)
    return {
        "people": sum(message.counts),
        "estimated": message.estimated,
        "unresolved": [list(u) for u in message.unresolved],
        "tiers": found,
    }


async def answer(tx: Connection, message: AudienceFound, result: dict[str, Any]) -> None:
    """Keeps what was counted, unless somebody has asked anew since; that answer comes too."""
    await locks.preview(tx, message.warning_id)
    before = await kept(tx, message.warning_id)
    if message.asked is not None and (before is None or before.asked.released <= message.asked.released):
        await _keep(tx, message.asked, result)


class NewestPreview(NamedTuple):
    """The newest question about a warning, and its result where it was answered."""

    asked: WarningIssued
    result: dict[str, Any] | None


async def kept(db: Connection, warning_id: str) -> NewestPreview | None:
    """None where nobody asked; Broken where the row cannot be read."""
    row = (await db.execute(sa.select(warning_preview).where(warning_preview.c.warning_id == warning_id))).first()
    if row is None:
        return None
    asked = decode(row.issued)
    if not isinstance(asked, WarningIssued):
        raise Broken(f"the preview row of {warning_id} holds another message")
    return NewestPreview(asked, row.result)


async def _keep(tx: Connection, asked: WarningIssued, result: dict[str, Any] | None) -> None:
    row = {"warning_id": asked.warning_id, "issued": encode(asked), "result": result}
    await upsert(tx, warning_preview, [row], ["warning_id"], replace=["issued", "result"])


def _at(issued: WarningIssued, tier: Tier) -> WarningIssued:
    return replace(issued, tier=int(tier))


def _tier(ctx: WarningContext, known: Mapping[str, ProfileOutcome], message: AudienceFound) -> dict[str, Any]:
    groups: Counter[str] = Counter()
    no_path: Counter[str] = Counter()
    few: Counter[str] = Counter()
    channels: Counter[str] = Counter()
    not_asked = none = unverified = at_once = in_all = 0
    doors: list[tuple[int, str, int]] = []
    seconds = ctx.last_door() - ctx.issued.released
    for profile, count in zip(message.profiles, message.counts, strict=True):
        seen = known[profile.key]
        for group in profile.groups or ("general",):
            groups[group] += count
            if seen.usable == 0 and not seen.guessed:
                no_path[group] += count
            elif seen.usable == 1:
                few[group] += count
        if not seen.asked:
            not_asked += count
            continue
        none += count if seen.usable == 0 and not seen.guessed else 0
        unverified += count if seen.guessed else 0
        for channel in seen.told:
            channels[channel] += count
        if seen.door_min is None:
            continue
        in_all += count if seen.by_team and 60 * seen.door_min < seconds else 0
        if seen.at_once:
            at_once += count
            channels["door at 0" if seen.by_team else "fire_service_list at 0"] += count
            if seen.by_team:
                doors.append((seen.rank, seen.team, count))
    can = foretold(doors, message.workers, seconds)
    return {
        "by_group": {
            g: {"people": n, "one_channel": few[g], "no_channel": no_path[g]} for g, n in sorted(groups.items())
        },
        "by_channel": dict(sorted(channels.items())),
        "doors_at_0": at_once,
        "doors_of_teams": can.doors,
        "doors_possible": can.possible,
        "doors_in_all": in_all,
        "teams": can.teams,
        "doors_over_s": can.over_s,
        "doors_left": can.left,
        "more_teams": can.more_teams,
        "doors_beyond": can.beyond,
        "turn_back": ctx.last_door(),
        "not_asked": not_asked,
        "no_channel": none,
        "unverified_only": unverified,
    }
