"""When there is little time before the impact: an order for each lead, nobody given up while there is time and a team."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.router.planning.contexts import SHIPPED
from services.shared.tiers import Tier
from tests.integration.router.test_help_never_ends import asks_for_help
from tests.integration.router.test_paths import said_in_log
from tests.kit.router_alone import NOON, ident, one, router_town, worker

HOUSE: dict[str, Any] = {"groups": ("facility",), "kind": "facility", "flags": ("cannot_leave", "high_support")}
LIVES_THERE: dict[str, Any] = {"groups": ("facility",), "flags": ("cannot_leave", "high_support")}


@pytest.mark.parametrize("lead", [30, 60, 90])
async def test_the_order_of_doors_whatever_the_lead(tmp_path: Path, lead: int) -> None:
    """No channel of their own first, then who cannot leave; who has a phone is asked by it, and is no door at minute 0."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * lead)
        people = [one(n, "sms", "voice_mobile", "email") for n in range(20, 40)]
        people += [one(10, "sms", "voice_mobile", **LIVES_THERE)]
        people += [one(11, "sms", "voice_mobile", groups=("mobility",), flags=("cannot_leave",))]
        people += [one(12, groups=("no_phone", "older_alone"), flags=("door_first", "high_support"))]
        await there.page(w, people, [worker("a", "g", per_hour=10)])
        await there.at(0)
        visits = await there.rows(channel="door")
        assert {ident(11), ident(12)} == {r.person_id for r in visits}, (
            "a house of many is called before who lives there"
        )
        first = min(visits, key=lambda r: (r.params.rank, r.person_id))
        assert ident(12) == first.person_id
        listed = sorted((r for r in visits if r.slot), key=lambda r: r.params.order)
        assert ident(12) == listed[0].person_id, "also where a lift takes longer than a knock"
        assert {"open"} == {p.state for p in (await there.paths(w)).values()}
        await there.at(lead - 1)
        assert {"open"} == {p.state for p in (await there.paths(w)).values()}, "there is time, and a team may come free"
        asked = {r.person_id for r in await there.rows(channel="door")}
        assert {ident(n) for n in range(20, 40)} <= asked, "whoever was silent has a door or a place in rank"
        await there.at(lead + 1)
        endings = [p.ending for p in (await there.paths(w)).values()]
        assert "no_capacity" in endings
        assert 0 < len([r for r in await there.rows(channel="door") if r.slot])


async def test_who_waits_in_rank_gets_the_next_team_that_comes_free(tmp_path: Path) -> None:
    """A door done earlier than thought makes room: the time that is left counts, not what was reckoned at the release."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 90)
        people = [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (1, 2, 3)]
        await there.page(w, people, [worker("a", "g", per_hour=2)])
        await there.at(1)
        given = [r for r in await there.rows(channel="door") if r.slot]
        assert {ident(1), ident(2)} == {r.person_id for r in given}
        for n, row in enumerate(given):
            await said_in_log(there, row.delivery_id, "moving", "officer", NOON + 60 * (3 + n))
        await there.at(5)
        assert {ident(1), ident(2), ident(3)} == {r.person_id for r in await there.rows(channel="door") if r.slot}
        assert "open" == (await there.paths(w))[ident(3)].state


async def test_a_house_of_many_comes_before_what_is_on_a_full_list(tmp_path: Path) -> None:
    """It is one door for eighty people: it waits for no room, and those who live there are ranked as people."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 60)
        people = [one(n, groups=("no_phone",), flags=("door_first",)) for n in range(10, 30)]
        people += [one(1, "duty_phone_1", "duty_phone_2", "sms", **HOUSE), one(2, "sms", "voice_mobile", **LIVES_THERE)]
        await there.page(w, people, [worker("a", "g", per_hour=10)])
        await there.at(1)
        full = {r.person_id for r in await there.rows(channel="door") if r.slot}
        assert 6 == len(full)  # done in forty minutes: who goes sets out for safety twenty before the water
        done = next(r for r in await there.rows(channel="door") if r.slot)
        await said_in_log(there, done.delivery_id, "moving", "officer", NOON + 120)
        await there.at(7)
        listed = [r for r in await there.rows(channel="door") if r.slot and not r.answer]
        assert ident(1) == min(listed, key=lambda r: r.params.order).person_id
        resident = next(r for r in await there.rows(channel="door", person_id=ident(2)))
        assert not resident.params.facility
        assert resident.params.rank > next(r for r in listed if r.person_id == ident(1)).params.rank


@pytest.mark.parametrize(("hazard", "ends"), [("flash_flood", "no_capacity"), ("heat", "")])
async def test_an_impact_ends_no_visits_where_the_hazard_lets_people_out(
    tmp_path: Path, hazard: str, ends: str
) -> None:
    """Water forbids the doors after it; the afternoon's heat asks for them."""
    async with router_town(tmp_path) as there:
        w = await there.issue(tier=Tier.RED, hazard=hazard, doors="allowed", impact=NOON + 60 * 60)
        people = [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (1, 2)]
        await there.page(w, people, [worker("a", "g", per_hour=2)])
        await there.at(75)
        assert ends in {p.ending for p in (await there.paths(w)).values()}
        assert (1 if ends else 2) == len([r for r in await there.rows(channel="door") if r.slot])


@pytest.mark.parametrize(("hazard", "sounds"), [("flash_flood", 1), ("heat", 0)])
async def test_a_shortage_wakes_nobody_where_the_hazard_needs_no_siren(
    tmp_path: Path, hazard: str, sounds: int
) -> None:
    """The loudspeakers stand in for doors that nobody can go to, in a flood and not in heat."""
    async with router_town(tmp_path) as there:
        w = await there.issue(hazard=hazard, doors="allowed", hours=1)
        people = [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (1, 2, 3)]
        await there.page(w, people, [worker("a", "g", per_hour=1)])
        await there.at(1)
        assert {ident(2), ident(3)} <= {r.person_id for r in await there.rows(channel="fire_service_list")}
        assert sounds == len(await there.rows(channel="area_sound", step="shortage"))


async def test_nobody_is_sent_where_the_way_out_is_longer_than_the_time(tmp_path: Path) -> None:
    """Ten minutes before the water no team sets out. The fire service has the names at once, and everybody is still called."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 10)
        people = [
            one(1, "sms", groups=("mobility",), flags=("cannot_leave",)),
            one(2, "sms"),
            one(3, groups=("no_phone",)),
        ]
        await there.page(w, people, [worker("a", "g")])
        await there.at(1)
        assert [] == [r for r in await there.rows(channel="door") if r.slot]
        named = {r.person_id for r in await there.rows(channel="fire_service_list")}
        assert {ident(1), ident(3)} <= named
        assert {"open"} == {p.state for p in (await there.paths(w)).values()}
        await there.at(11)
        assert "no_capacity" in {p.ending for p in (await there.paths(w)).values()}


@pytest.mark.parametrize(("zone", "way_out"), [("far", 30), ("near", 10)])
async def test_a_list_is_taken_back_when_it_is_time_to_turn_back(tmp_path: Path, zone: str, way_out: int) -> None:
    """Impact less the zone's way out and ten minutes: what is left is the fire service's, the team is told."""
    policy = SHIPPED.read_text(encoding="utf-8").replace("way_out_by_zone_min: {}", "way_out_by_zone_min: {far: 30}")
    async with router_town(tmp_path, policy=policy) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 90)
        people = [one(n, groups=("no_phone",), flags=("door_first",), zone=zone) for n in (1, 2)]
        await there.page(w, people, [worker("a", "g")])
        await there.at(1)
        visit = next(r for r in await there.rows(channel="door") if r.slot and r.person_id == ident(1))
        await said_in_log(there, visit.delivery_id, "moving", "officer", NOON + 120)
        last = 90 - way_out - 10
        await there.at(last - 1)
        assert ["pending"] == [r.send_state for r in await there.rows(channel="door", person_id=ident(2))]
        await there.at(last)
        left = await there.rows(channel="door", person_id=ident(2))
        assert ["suppressed"] == [r.send_state for r in left]
        assert [ident(2)] == [r.person_id for r in await there.rows(channel="fire_service_list")]
        assert ("time_to_turn_back", "a") in await there.notices()
        assert "open" == (await there.paths(w))[ident(2)].state


async def test_people_alike_turn_back_each_by_their_own_zone(tmp_path: Path) -> None:
    """Planned on one page for people of one profile: the far valley's way out is longer, and its doors come earlier."""
    policy = SHIPPED.read_text(encoding="utf-8").replace("way_out_by_zone_min: {}", "way_out_by_zone_min: {far: 30}")
    async with router_town(tmp_path, policy=policy) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 120)
        people = [
            one(n, groups=("no_phone",), flags=("door_first",), zone=zone) for n, zone in ((1, "near"), (2, "far"))
        ]
        await there.page(w, people, [worker("a", "g")])
        await there.at(1)
        doors = sorted(await there.rows(channel="door"), key=lambda r: r.params.order)
        assert [(ident(2), 80.0, 4), (ident(1), 100.0, 5)] == [
            (r.person_id, (r.params.turn_back - NOON) / 60, r.params.slack_quarters) for r in doors
        ]


async def test_a_call_for_help_after_the_time_to_turn_back_is_the_fire_services(tmp_path: Path) -> None:
    """No team goes into the water for it, and it is ended by nobody's clock."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 60)
        await there.page(w, [one(1, "sms")], [worker("a", "g")])
        await there.at(41)
        await asks_for_help(there, 1, 42)
        await there.at(43)
        assert [] == [r for r in await there.rows(channel="door") if r.slot and r.send_state != "suppressed"]
        assert [ident(1)] == [r.person_id for r in await there.rows(channel="fire_service_list")]
        await there.at(65)
        assert "open" == (await there.paths(w))[ident(1)].state
