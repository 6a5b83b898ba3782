"""Doors against teams: room that comes back is used, help never waits for it, and one bad warning stops no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from services.router.doors.doors import Doors
from tests.integration.router.test_paths import said_in_log
from tests.kit.router_alone import NOON, ident, one, router_town, worker


async def test_a_door_that_closes_by_telephone_gives_its_place_to_who_was_left_over(tmp_path: Path) -> None:
    """Who is left over is named at once and waits in rank: the most urgent of them gets the team that has come free."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=2.2, hazard="storm")
        people = [one(n, "sms") for n in (1, 2)]
        people += [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (7, 8, 9)]
        await there.page(w, people, [worker("a", "g", per_hour=1)])
        await there.at(1)
        given = {r.person_id for r in await there.rows(channel="door") if r.slot}
        assert {ident(7), ident(8)} == given
        assert {"open"} == {(await there.paths(w))[ident(n)].state for n in (1, 2, 9)}
        named = {r.person_id for r in await there.rows(channel="fire_service_list")}
        assert {ident(n) for n in (1, 2, 9)} == named
        answered = next(r for r in await there.rows(person_id=ident(7)) if r.channel == "sms")
        await said_in_log(there, answered.delivery_id, "moving", "person", NOON + 120)
        await there.at(4)
        paths = await there.paths(w)
        assert "closed" == paths[ident(7)].ending
        assert ("open", "") == (paths[ident(9)].state, paths[ident(9)].ending)
        assert {ident(7), ident(8), ident(9)} == {r.person_id for r in await there.rows(channel="door") if r.slot}
        assert {"open"} == {paths[ident(n)].state for n in (1, 2)}
        await there.at(131)
        assert {"open"} == {(await there.paths(w))[ident(n)].state for n in (1, 2)}
        await there.at(133)
        assert {"no_capacity"} == {(await there.paths(w))[ident(n)].ending for n in (1, 2)}


async def test_who_calls_for_help_gets_a_team_though_all_are_full(tmp_path: Path) -> None:
    """Before everybody else on the list of the team that is soonest there; nobody's call for help ends for want of room."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=1, hazard="storm")
        people = [one(n, "sms", "voice_mobile") for n in (1,)]
        people += [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (8, 9)]
        await there.page(w, people, [worker("a", "g", per_hour=2)])
        await there.at(1)
        assert {ident(8), ident(9)} == {r.person_id for r in await there.rows(channel="door") if r.slot}
        told = next(r for r in await there.rows(person_id=ident(1)) if r.channel == "sms")
        await said_in_log(there, told.delivery_id, "help", "person", NOON + 120)
        await there.at(4)
        door = next(r for r in await there.rows(person_id=ident(1)) if r.channel == "door")
        assert door.slot
        path = (await there.paths(w))[ident(1)]
        assert ("open", "") == (path.state, path.ending)
        listed = sorted((r for r in await there.rows(channel="door") if r.slot), key=lambda r: r.params.order)
        assert ident(1) == listed[0].person_id


async def test_two_of_one_home_stand_beside_each_other_on_one_list(tmp_path: Path) -> None:
    """One is carried and has a door at once, the other is asked by telephone first; two teams, and one comes."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 80)
        he, she, third = (
            one(1, "sms", groups=("mobility",), flags=("cannot_leave",)),
            one(2, "sms", "voice_mobile"),
            one(3, "sms", groups=("mobility",), flags=("cannot_leave",)),
        )
        people = [he, (replace(she[0], household_id=he[0].household_id), she[1]), third]
        await there.page(w, people, [worker("a", "g"), worker("b", "g")])
        await there.at(1)
        assert {ident(1), ident(3)} == {r.person_id for r in await there.rows(channel="door")}
        await there.at(9)
        lists: dict[str, list[str]] = {}
        for row in sorted(await there.rows(channel="door"), key=lambda r: (r.params.order, r.person_id)):
            lists.setdefault(row.slot[:1], []).append(row.person_id)
        assert {"a": [ident(1), ident(2)], "b": [ident(3)]} == lists
        orders = [r.params.order for r in await there.rows(channel="door") if r.slot.startswith("a")]
        assert 1 == len(set(orders)), "one place on the list"


async def test_one_warning_whose_doors_fail_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again in a minute."""
    assign = Doors._assign

    async def broken(self: Doors, warning_id: str) -> bool:
        if warning_id.startswith("bad") and self._platform.clock.now() < NOON + 50:
            raise ValueError("a row that cannot be read")
        return await assign(self, warning_id)

    monkeypatch.setattr(Doors, "_assign", broken)
    async with router_town(tmp_path) as there:
        for name, number in (("bad", 1), ("good", 2)):
            w = await there.issue(name, doors="allowed", hazard="storm")
            await there.page(w, [one(number, "sms")], [worker("a", "g")])
        await there.at(0.5)
        assert {ident(2)} == {r.person_id for r in await there.rows(channel="door") if r.slot}
        await there.at(2)
        assert {ident(1), ident(2)} == {r.person_id for r in await there.rows(channel="door") if r.slot}
