"""A preview is asked and answered over ways of their own: whatever comes first, the newest answer is what stands there."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from services.router.explaining import previews
from services.router.policy.engine import Policy
from services.router.policy.rules import PathPlan
from services.shared.bus.outbox import outbox, publish
from services.shared.messages import AudienceFound, Profile, WarningIssued
from services.shared.tiers import Tier
from tests.kit.router_alone import NOON, RouterTown, ident, router_town, worker

CROWD = Profile("k", "resident", ("deaf_signing",), ("high_support",), "en", ("sms",))


def question(number: int, at: float, warning: int = 7) -> WarningIssued:
    """Asked as of `at`, for a warning whose tier nobody decided yet."""
    return WarningIssued(
        msg_id=ident(1000 * warning + number), plane="live", warning_id=ident(warning), tier=0, kind="alert",
        purpose="preview", chain_id=ident(warning), hazard="flash_flood", respond="evacuate", sent=NOON,
        expires=NOON + 3600, released=at,
    )  # fmt: skip


def answer(asked: WarningIssued, people: int) -> AudienceFound:
    """What the registry counted for it."""
    return AudienceFound(
        msg_id=ident(int(asked.msg_id, 16) + 100), plane="live", warning_id=asked.warning_id, tier=0,
        purpose="preview", page=0, last=True, profiles=(CROWD,), counts=(people,), total=people, asked=asked,
    )  # fmt: skip


async def shown(here: RouterTown, warning: int = 7) -> previews.NewestPreview | None:
    async with here.platform.database.read() as db:
        return await previews.kept(db, ident(warning))


@pytest.mark.parametrize("later_s", [0.0, 5.0], ids=["at once", "later"])
async def test_in_any_order_the_newest_answer_stands(tmp_path: Path, later_s: float) -> None:
    """Two questions about one draft and their answers in all 24 orders; asked in one instant either may stand."""
    async with router_town(tmp_path) as here:
        for warning, order in enumerate(permutations(range(4))):
            first, second = question(1, NOON, warning), question(2, NOON + later_s, warning)
            messages = [first, answer(first, 10), second, answer(second, 20)]
            for one in order:
                await here.hand(messages[one])
            kept = await shown(here, warning)
            assert kept is not None
            assert kept.result is not None, order
            assert kept.result["people"] in ((20,) if later_s else (10, 20)), order
            assert ["blue", "yellow", "orange", "red"] == list(kept.result["tiers"])


async def test_asked_anew_nothing_old_is_shown(tmp_path: Path) -> None:
    """The figures of before go when somebody asks again, and those of now come."""
    async with router_town(tmp_path) as here:
        assert await shown(here) is None
        first, second = question(1, NOON), replace(question(2, NOON + 60), tier=int(Tier.RED))
        for message in (first, answer(first, 10), second):
            await here.hand(message)
        assert await shown(here) == (second, None)
        await here.hand(answer(second, 20))
        kept = await shown(here)
        assert kept is not None
        assert kept.result is not None
        assert {"red"} == kept.result["tiers"].keys()
        assert 20 == kept.result["tiers"]["red"]["by_group"]["deaf_signing"]["people"]


async def test_a_preview_counts_what_the_walk_does(tmp_path: Path) -> None:
    """Channels used while nobody answers, not those that could be; every door that a step brings at once."""
    lifted = Profile("l", "resident", ("mobility",), ("cannot_leave",), "en", ("sms", "voice_mobile"))
    many = Profile("m", "resident", ("basement",), ("opt_in_blue",), "en", ("sms", "voice_mobile", "email"))
    async with router_town(tmp_path) as here:
        asked = question(1, NOON)
        await here.hand(asked)
        await here.hand(replace(answer(asked, 30), profiles=(lifted, many), counts=(10, 20), total=30))
        kept = await shown(here)
        assert kept is not None
        assert kept.result is not None
        red, orange, blue = (kept.result["tiers"][tier] for tier in ("red", "orange", "blue"))
    assert {"sms": 30, "voice_mobile": 30, "email": 20, "door at 0": 10} == red["by_channel"]
    assert 10 == red["doors_at_0"]
    assert {"sms": 30, "voice_mobile": 30, "email": 20, "door at 0": 10} == orange["by_channel"]  # one tier early
    assert ({"sms": 20}, 10, 0) == (blue["by_channel"], blue["not_asked"], blue["doors_at_0"])


async def test_counts_wait_behind_no_crowd(tmp_path: Path) -> None:
    """Both ways of a preview go with the red: a blue warning to half a million stands before no decision."""
    async with router_town(tmp_path) as here:
        asked = question(1, NOON)
        live = replace(asked, msg_id=ident(3), purpose="live", tier=int(Tier.BLUE))
        async with here.platform.database.write() as tx:
            await publish(tx, [asked, answer(asked, 1), live])
            said = {r.msg_id: r.tier for r in await tx.execute(sa.select(outbox))}
        assert {ident(7001): Tier.RED, ident(7101): Tier.RED, ident(3): Tier.BLUE} == said


async def test_what_was_walked_just_now_is_not_walked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another area, asked a minute later: the same profiles under the same warning cost no walk and no plan, and count alike."""
    planned: list[str] = []
    plan = Policy.plan

    def counting(self: Policy, profile: Profile, *facts: Any, **more: Any) -> PathPlan:
        planned.append(profile.key)
        return plan(self, profile, *facts, **more)

    monkeypatch.setattr(Policy, "plan", counting)
    twins = tuple(replace(CROWD, key=f"twin {language}", language=language) for language in ("en", "zh-Hans", "ug"))
    async with router_town(tmp_path) as here:
        first, second = (replace(question(n, NOON + 60 * n, n), tier=int(Tier.RED)) for n in (1, 2))
        results = []
        for asked in (first, second):
            found = replace(answer(asked, 0), profiles=twins, counts=(1, 2, 3), total=6)
            for message in (asked, found):
                await here.hand(message)
            results.append((len(planned), await shown(here, 1 if asked is first else 2)))
    (at_first, one), (after, other) = results
    assert one is not None
    assert other is not None
    assert one.result is not None
    assert other.result is not None
    assert one.result["tiers"]["red"]["by_channel"] == other.result["tiers"]["red"]["by_channel"]
    assert 6 == one.result["tiers"]["red"]["by_group"]["deaf_signing"]["people"]
    assert ["twin en"] * at_first == planned  # the twins speak other languages, and are like the first
    assert after == at_first


async def test_before_sending_doors_stand_against_teams(tmp_path: Path) -> None:
    """Forty minutes until it is time to turn back: two teams do twelve usual doors, and somebody who is carried takes five."""
    lifted = Profile("l", "resident", ("mobility",), ("cannot_leave",), "en", ("sms", "voice_mobile"))
    no_phone = Profile("n", "resident", ("no_phone",), ("door_first",), "en", ())
    phones = Profile("p", "resident", ("basement",), (), "en", ("sms", "voice_mobile"))
    teams = (worker("a", "g", per_hour=10), worker("b", "g", per_hour=8))
    async with router_town(tmp_path) as here:
        asked = replace(question(1, NOON), tier=int(Tier.RED), impact=NOON + 3600, expires=NOON + 7200)
        await here.hand(asked)
        found = replace(
            answer(asked, 30), profiles=(lifted, no_phone, phones), counts=(4, 3, 20), total=27, workers=teams
        )
        await here.hand(found)
        kept = await shown(here)
        assert kept is not None
        assert kept.result is not None
        red = kept.result["tiers"]["red"]
        # twelve usual doors: three without a phone, one who is carried; three who are carried are left, one team each
        assert (7, 7, 27) == (red["doors_at_0"], red["doors_of_teams"], red["doors_in_all"])
        assert (11, 2, 3, 3) == (red["doors_possible"], red["teams"], red["doors_left"], red["more_teams"])
        assert NOON + 2400 == red["turn_back"]
        assert 3600 * 23 / 18 - 2400 == red["doors_over_s"]
        await here.hand(replace(question(2, NOON + 1), tier=int(Tier.RED), impact=NOON + 1801, expires=NOON + 7200))
        await here.hand(replace(found, msg_id=ident(8), asked=replace(asked, released=NOON + 1, impact=NOON + 1801)))
        short = await shown(here)
        assert short is not None
        assert short.result is not None
        late = short.result["tiers"]["red"]
        assert (5, 0) == (late["doors_beyond"], late["more_teams"]), (
            "ten minutes: no team from elsewhere is there in them"
        )
