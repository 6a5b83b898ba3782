"""Where doors are forbidden: officers and helpers are asked to phone and told to stay away, whichever warning forbids it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit.router_alone import NOON, ident, one, router_town, worker

CANNOT_LEAVE: dict[str, Any] = {"groups": ("mobility",), "flags": ("cannot_leave",)}


@pytest.mark.parametrize(
    ("hazard", "doors", "phone"),
    [("toxic_release", "ask", True), ("tsunami", "ask", True), ("flash_flood", "unsafe", True),
     ("flash_flood", "allowed", False)],
)  # fmt: skip
async def test_who_is_asked_to_help_is_told_whether_anybody_may_go(
    tmp_path: Path, hazard: str, doors: str, phone: bool
) -> None:
    """Officers, their officials, and helpers outside the zone; one inside is never told to go."""
    async with router_town(tmp_path) as there:
        w = await there.issue(hazard=hazard, doors=doors)
        people = [one(1, "sms", "voice_mobile", helper="outside", **CANNOT_LEAVE), one(2, "sms", helper="inside")]
        await there.page(w, people, [worker("a", "g")])
        await there.at(16)
        rows = await there.rows(warning_id=w)
        helpers = {r.person_id: r.form for r in rows if r.addressee_kind == "supporter"}
        assert {ident(1): "helper_phone" if phone else "helper", ident(2): "helper_in"} == helpers
        officers = {r.form for r in rows if r.addressee_kind == "worker" and r.kind == "warning"}
        assert {"officer_phone" if phone else "officer"} == officers
        officials = {r.form for r in rows if r.kind == "official"}
        assert {"official_phone" if phone else "official"} == officials


async def test_officers_are_not_sent_to_a_silent_colleagues_doors_where_nobody_goes(tmp_path: Path) -> None:
    """Neither to that grid nor, where no phone answers, out on their own."""
    async with router_town(tmp_path) as there:
        w = await there.issue(hazard="toxic_release")
        people = [one(n, "sms", "voice_mobile", zone="far") for n in range(10)]
        await there.page(w, people, [worker("a", "g"), worker("b", "g")])
        await there.at(40)
        assert not {"go_to_grid", "officers_alone"} & {kind for kind, _ in await there.notices()}


async def test_a_plume_forbids_the_doors_of_a_flood_in_its_area(tmp_path: Path) -> None:
    """Chlorine is live; then a flood whose doors are safe: no door where the plume is, and doors elsewhere."""
    async with router_town(tmp_path) as there:
        plume = await there.issue("plume", hazard="toxic_release")
        await there.page(plume, [one(1, "sms", "voice_mobile", **CANNOT_LEAVE)], [worker("a", "g")])
        flood = await there.issue("flood", doors="allowed")
        both = [one(n, "sms", "voice_mobile", helper="outside", **CANNOT_LEAVE) for n in (1, 2)]
        await there.page(flood, both, [worker("a", "g")])
        await there.at(16)
        assert {ident(2)} == {r.person_id for r in await there.rows(warning_id=flood, channel="door")}
        named = await there.rows(warning_id=flood, channel="fire_service_list")
        assert [(ident(1), "door.barred")] == [(r.person_id, r.step) for r in named]
        assert {"helper_phone"} == {
            r.form for r in await there.rows(warning_id=flood, addressee_kind="supporter", person_id=ident(1))
        }
        await there.at(60)
        assert "open" == (await there.paths(flood))[ident(1)].state
        await there.issue("over", kind="ending", ending="may_return", replaces=["plume"], hazard="toxic_release")
        await there.end("plume")
        await there.at(80)
        assert ident(1) in {r.person_id for r in await there.rows(warning_id=flood, channel="door") if r.slot}


async def test_a_plume_that_comes_later_takes_its_doors_off_the_lists(tmp_path: Path) -> None:
    """The officers are told, the fire service has the names, and the doors elsewhere go on."""
    async with router_town(tmp_path) as there:
        flood = await there.issue("flood", doors="allowed")
        both = [one(n, "sms", "voice_mobile", **CANNOT_LEAVE) for n in (1, 2)]
        await there.page(flood, both, [worker("a", "g")])
        await there.at(1)
        assert {ident(1), ident(2)} == {
            r.person_id for r in await there.rows(warning_id=flood, channel="door") if r.slot
        }
        plume = await there.issue("plume", hazard="toxic_release")
        await there.page(plume, [one(1, "sms", "voice_mobile", **CANNOT_LEAVE)], [worker("a", "g")])
        await there.at(2)
        stands = {r.person_id for r in await there.rows(warning_id=flood, channel="door") if r.send_state == "pending"}
        assert {ident(2)} == stands
        assert {ident(1)} == {r.person_id for r in await there.rows(warning_id=flood, channel="fire_service_list")}
        assert ("doors_barred", "a") in await there.notices()
        assert {"open"} == {p.state for p in (await there.paths(flood)).values()}
        assert NOON < there.clock.now()
