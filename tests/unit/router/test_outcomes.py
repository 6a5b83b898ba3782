"""What a preview keeps of a profile is what a walk of that very profile says: no kind swallows a difference that counts."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace

from services.registry.model.needs import keyed, profile
from services.registry.sample.sample import mint
from services.router.explaining.explain import WORKING
from services.router.explaining.foresee import foresee, made_up_warning
from services.router.explaining.outcomes import Outcomes, to_the_quarter
from services.router.planning.plan import WarningContext
from services.router.planning.rows import rank
from services.shared.messages import Profile
from services.shared.tiers import Tier
from tests.unit.router.test_steps import POLICY

SQUARE = '{"type":"Polygon","coordinates":[[[103,30],[103.1,30],[103.1,30.1],[103,30.1],[103,30]]]}'
NIGHT = 3 * 60


def county() -> list[Profile]:
    """The profiles of a made-up county, each also with another language and in other words of no effect."""
    found = {one.key: one for one in (profile(person, 2026) for person in mint(SQUARE, people=500, seed=5).people)}
    twins = [keyed(replace(one, language="ug", supporters=one.supporters * 2)) for one in found.values()]
    return [*found.values(), *twins]


PROFILES = county()


@pytest.mark.parametrize(
    ("tier", "hazard", "hour", "lead"),
    [
        (tier, hazard, hour, lead)
        for (tier, hour), (hazard, lead) in product(
            product(Tier, (NIGHT, 12 * 60, 20 * 60)),
            (("flash_flood", 90), ("heat", None), ("power_cut", 200), ("chemical", 30)),
        )
    ],
)
async def test_each_kind_is_like_every_one_of_it(tier: Tier, hazard: str, hour: int, lead: float | None) -> None:
    ctx = made_up_warning(POLICY, tier, hazard, hour, WORKING, impact_min=lead)
    ctx = WarningContext(ctx.issued, ctx.policy, ctx.drivers, ctx.channels)  # before the commander has spoken
    known = await Outcomes().of(ctx, "policy", PROFILES)
    for one in PROFILES:
        seen, kept = foresee(ctx, one, ()), known[one.key]
        told = frozenset(
            act.channel.partition(":")[0] for act in seen.acts if act.to in ("person", "facility", "supporter")
        )
        assert (seen.plan.asked, seen.plan.usable, told) == (kept.asked, kept.usable, kept.told)
        minute = seen.door_minute()
        assert (minute, minute == seen.held_min) == (kept.door_min, kept.at_once)
        asked_for = "door" in seen.channels(), seen.plan.team, rank(ctx.policy, seen.plan, one, urgent=False)
        assert asked_for == (kept.by_team, kept.team, kept.rank)


def test_a_quarter_of_an_hour_is_one_question() -> None:
    """Minutes of a quarter are one; where the night begins within it, or the impact lies in it, no time is moved."""
    first, later = (
        made_up_warning(POLICY, Tier.RED, "flash_flood", hour, WORKING, impact_min=lead)
        for hour, lead in ((12 * 60 + 1, 89), (12 * 60 + 14, 76))
    )
    assert to_the_quarter(first) == to_the_quarter(later)
    near = made_up_warning(POLICY, Tier.RED, "flash_flood", 12 * 60 + 10, WORKING, impact_min=-3)
    assert near.issued.released == to_the_quarter(near).released
    minute = int(first.issued.released // 60)
    for past, moved in ((5, True), (0, False)):  # so many minutes of the night have gone
        issued = replace(first.issued, utc_offset_min=POLICY.clock.night[0] + past - minute)
        at_dusk = WarningContext(issued, POLICY, first.drivers, first.channels)
        assert (to_the_quarter(at_dusk).released < issued.released) is moved
