"""A warning to nobody is an alarm with its reason, and goes with the warning; alarms reach who is on duty."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.router.clock import alarm_messages
from services.shared import alarms
from services.shared.tiers import Tier
from tests.kit.router_alone import RouterTown, one, router_town, worker

DUTY = worker("duty", skills=("duty_officer",))


async def standing(there: RouterTown) -> list[str]:
    async with there.platform.database.read() as db:
        return [row.said for row in await alarms.standing(db)]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_messages, "EVERY_S", 0.0)


async def test_each_kind_of_nobody_has_its_words(tmp_path: Path) -> None:
    """Nobody registered; codes nobody knows; people of whom none has a channel; codes missed beside people."""
    async with router_town(tmp_path) as there:
        w = await there.issue("a")
        await there.page(w, [], [DUTY])
        assert ["No. 4721: NOBODY is warned by name. Nobody is registered in its area: is the area right?"] == (
            await standing(there)
        )
        w = await there.issue("b")
        await there.page(w, [], [DUTY], [("GB2260", str(n)) for n in range(7)])
        codes = ", ".join(f"GB2260 {n}" for n in range(5))
        assert (
            f"No. 4721: NOBODY is warned by name. No table here knows the area {codes} and 2 more: load it"
            in ((await standing(there))[1])
        )
        w = await there.issue("c", doors="unsafe", tier=Tier.YELLOW)
        await there.page(w, [one(1, kind="subscriber", groups=())], [DUTY])
        assert "No. 4721: 1 people are concerned and NOBODY has a channel that works: see /channels" in await standing(
            there
        )
        before = len(await standing(there))
        w = await there.issue("e", doors="allowed")
        await there.page(w, [one(3, kind="subscriber", groups=())], [DUTY])
        assert before + 1 == len(await standing(there)), "a door is no channel"
        w = await there.issue("d")
        await there.page(w, [one(2, "sms")], [DUTY], [("GB2260", "510000")])
        assert (await standing(there))[-1].startswith("No. 4721: people are missed: no table here knows")


async def test_a_warning_that_reaches_people_and_an_ending_are_no_alarm(tmp_path: Path) -> None:
    async with router_town(tmp_path) as there:
        w = await there.issue("a")
        await there.page(w, [one(1, "sms")], [DUTY])
        await there.issue("b", kind="ending", ending="checking", replaces=["a"])
        assert [] == await standing(there)


async def test_it_goes_when_the_warning_is_over_or_replaced(tmp_path: Path) -> None:
    """By its time as by a person's word."""
    async with router_town(tmp_path) as there:
        w = await there.issue("a", hours=1)
        await there.page(w, [], [DUTY])
        await there.at(59)
        assert 1 == len(await standing(there))
        await there.at(61)
        assert [] == await standing(there)


async def test_the_duty_officers_of_the_most_urgent_warning_get_word_once(tmp_path: Path) -> None:
    """By text and by call; an alarm without a warning in force wakes nobody, and waits."""
    async with router_town(tmp_path) as there:
        async with there.platform.database.write() as tx:
            await alarms.sound(tx, "provider:sms_twilio", "sms_twilio takes nothing")
        await there.at(0)
        assert [] == await there.notices()
        for name, tier in (("o", Tier.ORANGE), ("r", Tier.RED), ("y", Tier.YELLOW)):
            w = await there.issue(name, tier=tier)
            await there.page(w, [one(ord(name), "sms")], [DUTY, worker("other")])
        await there.at(1)
        await there.at(2)
        told = [who for kind, who in await there.notices() if kind == "alarm_provider"]
        assert ["duty", "duty"] == told
        async with there.platform.database.write() as tx:
            await alarms.sound(tx, "audit", "the chain was rewritten")
        await there.at(3)
        assert ["duty", "duty"] == [who for kind, who in await there.notices() if kind == "alarm"]
