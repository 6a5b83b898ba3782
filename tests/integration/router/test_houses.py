"""A house of many by the hour: an empty one is told and not fetched; whoever is on duty answers for all in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from services.router.explaining.explain import CHANNELS
from services.shared.ledger.tables import delivery
from services.shared.messages import Profile
from services.shared.tiers import Tier
from tests.integration.router.test_paths import said_in_log
from tests.kit.router_alone import MIDNIGHT, NOON, ident, one, router_town, worker
from tests.unit.router.test_steps import POLICY

KINDS = ("duty_phone_1", "sms")
WORKING = dict.fromkeys(CHANNELS, "")


@pytest.mark.parametrize(("start", "calls", "fetched"), [(NOON, 3, True), (MIDNIGHT, 1, False)])
async def test_a_school_at_night_is_told_once_and_nobody_is_sent(
    tmp_path: Path, start: float, calls: int, fetched: bool
) -> None:
    """By day its line is called three times and a team fetches the pupils."""
    async with router_town(tmp_path, start=start) as there:
        w = await there.issue(doors="allowed")
        flags = ("cannot_leave", "empty_by_night", "high_support")
        await there.page(w, [one(1, *KINDS, groups=("facility",), kind="facility", flags=flags)], [worker("a", "g")])
        await there.at(14, start)
        rows = await there.rows(person_id=ident(1))
        assert calls == len([r for r in rows if r.channel == "voice_duty"])
        assert 1 == len([r for r in rows if r.channel == "sms"])
        assert fetched is ("door" in {r.channel for r in rows})
        await there.at(60, start)
        assert ("" if fetched else "sent") == (await there.paths(w))[ident(1)].ending


@pytest.mark.parametrize(
    ("key", "ending", "answer"),
    [("leaving", "closed", "moving"), ("not_there", "closed", "safe"), ("help", "", "help")],
)
async def test_a_key_of_whoever_is_on_duty_speaks_for_the_house(
    tmp_path: Path, key: str, ending: str, answer: str
) -> None:
    """1 is moving, 3 is all out, and both close it; 2 needs transport: a case, and a team before all others."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        flags = ("cannot_leave", "high_support")
        await there.page(w, [one(1, *KINDS, groups=("facility",), kind="facility", flags=flags)], [worker("a", "g")])
        await there.at(1)
        call = (await there.rows(person_id=ident(1), channel="voice_duty"))[0]
        await said_in_log(there, call.delivery_id, key, "person", NOON + 60)
        await there.at(2)
        path = (await there.paths(w))[ident(1)]
        assert (ending, answer) == (path.ending, path.answer)
        assert (key == "help") is (True in {r.params.urgent for r in await there.rows(channel="door")})


@pytest.mark.parametrize("found", ["moving", "no_answer"])
async def test_whoever_lives_in_a_silent_house_is_met_by_way_of_it(tmp_path: Path, found: str) -> None:
    """A team goes to the house, not to forty rooms; where nobody there answers, each who lives there has a door after all."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 120)
        house = one(1, *KINDS, groups=("facility",), kind="facility", flags=("cannot_leave", "high_support"))
        lives = [one(n, "sms", groups=("facility",), flags=("cannot_leave", "high_support")) for n in range(2, 6)]
        lives = [(replace(entry, household_id=ident(1)), profile) for entry, profile in lives]
        await there.page(w, [house, *lives], [worker("a", "g", skills=["liaison_team"])])
        await there.at(30)
        assert {ident(1)} == {r.person_id for r in await there.rows(channel="door")}
        door = (await there.rows(channel="door", person_id=ident(1)))[0]
        assert (door.slot.rstrip("0"), door.params.facility) == ("a", True)
        if found == "moving":
            await said_in_log(there, door.delivery_id, found, "officer", NOON + 31 * 60)
        else:  # nobody was met: no evidence of anybody
            await there.said([delivery.c.delivery_id == door.delivery_id], answer=found, answer_at=NOON + 31 * 60)
        await there.at(45)
        doors = {r.person_id for r in await there.rows(channel="door")} - {ident(1)}
        paths = await there.paths(w)
        if found == "moving":
            assert (set(), {"closed"}) == (doors, {p.ending for p in paths.values()})
        else:
            assert {ident(n) for n in range(2, 6)} == doors
            assert {"open"} == {paths[ident(n)].state for n in range(2, 6)}


@pytest.mark.parametrize(
    ("flags", "team"), [((), "liaison_team"), (("custody",), "custody_service"), (("boat",), "water_rescue")]
)
def test_a_house_that_its_own_service_moves_is_left_to_it(flags: tuple[str, ...], team: str) -> None:
    """No liaison team unlocks a cell or boards a boat."""
    house = Profile("p", "facility", ("facility",), flags, "en", KINDS)
    assert team == POLICY.plan(house, Tier.RED, "flash_flood", False, WORKING).team


async def test_a_house_has_a_team_of_its_own_until_it_moves(tmp_path: Path) -> None:
    """From the first minute a team that can empty a house is kept for it; the house is alone on its list; then doors are."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 120)
        house = one(1, *KINDS, groups=("facility",), kind="facility", flags=("cannot_leave", "high_support"))
        people = [one(n, groups=("no_phone",), flags=("door_first",)) for n in range(2, 22)]
        await there.page(w, [house, *people], [worker("a", "g"), worker("h", "g", skills=["liaison_team"])])
        await there.at(1)
        assert {"a"} == {r.slot.rstrip("0") for r in await there.rows(channel="door") if r.slot}
        await there.at(6)
        theirs = {r.person_id for r in await there.rows(channel="door") if r.slot.startswith("h")}
        assert {ident(1)} == theirs
        door = (await there.rows(channel="door", person_id=ident(1)))[0]
        await said_in_log(there, door.delivery_id, "moving", "officer", NOON + 7 * 60)
        await there.at(9)
        theirs = {r.person_id for r in await there.rows(channel="door") if r.slot.startswith("h")}
        assert len(theirs) > 1, "the house is on its way: those who waited are given to its team"


async def test_one_team_at_least_is_left_to_single_doors(tmp_path: Path) -> None:
    """Two houses and two teams that could empty them: one of them goes to doors."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 120)
        houses = [
            one(n, *KINDS, groups=("facility",), kind="facility", flags=("cannot_leave", "high_support"))
            for n in (1, 2)
        ]
        people = [one(n, groups=("no_phone",), flags=("door_first",)) for n in range(3, 6)]
        await there.page(w, [*houses, *people], [worker(t, "g", skills=["liaison_team"]) for t in ("a", "b")])
        await there.at(1)
        given = [r.slot.rstrip("0") for r in await there.rows(channel="door") if r.slot]
        assert (3, 1) == (len(given), len(set(given)))
