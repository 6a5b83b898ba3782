"""Who cannot go, and who has been out long: no new doors, and no reproach."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from services.router.report.team_board import arranged
from services.shared.ledger import team_signs
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import SignKind
from tests.integration.router.test_paths import said_in_log
from tests.integration.router.test_recall import told
from tests.integration.router.test_teams_out import alarmed, heard, two_teams
from tests.kit.router_alone import NOON, RouterTown, ident, one, router_town, worker


async def listed(there: RouterTown, team: str) -> set[str]:
    """Whose doors stand on its list and were not made."""
    rows = await there.rows(channel="door", slot=team.ljust(32, "0"))
    return {r.person_id for r in rows if r.send_state == "pending" and not r.answer}


async def test_whoever_cannot_go_gives_their_doors_to_the_others_and_is_called_silent_by_nobody(tmp_path: Path) -> None:
    """At once; the command is told; no calls until somebody has spoken, no alarm, and no new doors."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=8)
        people = [one(n, groups=("no_phone",), flags=("door_first",), grid="gh"[n % 2]) for n in (1, 2, 3, 4)]
        officers = [worker("a", "g"), worker("b", "h"), worker("d", skills=("duty_officer",))]
        await there.page(w, people, officers)
        await there.at(0.5)
        mine = await listed(there, "a")
        assert mine
        await heard(there, "a", SignKind.CANNOT)
        await there.at(1)
        assert set() == await listed(there, "a")
        assert mine <= await listed(there, "b") | await listed(there, "d")
        assert [("team_cannot", "d")] == await told(there, "team_cannot")
        async with there.platform.database.read() as db:
            (line,) = [
                line
                for line in arranged((await team_signs.of_chain(db, w, there.clock.now())).values(), {}, {}, 0).teams
                if line.team.slot.startswith("a")
            ]
        assert line.team.cannot
        calls = [r for r in await there.rows(step="official") if r.about_id.startswith("a")]
        await there.at(34)
        assert [] == [o for o in await told(there, "check_in", "partner_silent", "go_to_grid") if o[1] == "a"]
        assert len(calls) == len([r for r in await there.rows(step="official") if r.about_id.startswith("a")])
        await heard(there, "b")
        await there.at(60)
        assert "a" not in await alarmed(there)
        assert [("team_cannot", "d")] == await told(there, "team_cannot"), "once"
        await heard(there, "a", SignKind.OUT)
        more = await there.issue("x", hazard="storm", doors="allowed", hours=2)
        await there.page(more, [one(9, groups=("no_phone",), flags=("door_first",))], [worker("a", "g")])
        await there.at(61)
        assert {ident(9)} == await listed(there, "a"), "who says that they go again gets doors again"


async def test_whoever_cannot_go_and_goes_after_all_keeps_their_doors(tmp_path: Path) -> None:
    """Before anybody looked: a slip of the thumb, taken back on the next page."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=8)
        people = [one(n, groups=("no_phone",), flags=("door_first",), grid="gh"[n % 2]) for n in (1, 2)]
        await there.page(w, people, [worker("a", "g"), worker("b", "h"), worker("d", skills=("duty_officer",))])
        await there.at(0.5)
        mine = await listed(there, "a")
        assert mine
        await heard(there, "a", SignKind.CANNOT)
        there.clock.advance_to(there.clock.now() + 5)
        await heard(there, "a", SignKind.OUT)
        await there.at(2)
        assert mine == await listed(there, "a")
        assert [] == await told(there, "team_cannot")
        async with there.platform.database.read() as db:
            team = (await team_signs.of_slots(db, ["a".ljust(32, "0")], there.clock.now()))["a".ljust(32, "0")]
        assert (False, False) == (team.rests, team.since is None)


async def test_whoever_cannot_go_and_is_back_gets_no_doors_until_they_go_out_again(tmp_path: Path) -> None:
    """Being in safety is not going to the doors of others."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=8)
        await there.page(w, [one(1, groups=("no_phone",), flags=("door_first",))], [worker("a", "g")])
        await there.at(0.5)
        await heard(there, "a", SignKind.CANNOT)
        there.clock.advance_to(there.clock.now() + 5)  # nobody looks at the same instant
        await there.at(1)
        await heard(there, "a", SignKind.BACK)
        await there.at(5)
        assert set() == await listed(there, "a")
        await heard(there, "a", SignKind.OUT)
        await there.at(8)
        assert {ident(1)} == await listed(there, "a")


async def test_the_only_team_cannot_go_and_the_names_are_given_out(tmp_path: Path) -> None:
    """Nobody is left to take the doors: the fire service has the names at once, the paths stay open."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=8)
        await there.page(w, [one(1, groups=("no_phone",), flags=("door_first",))], [worker("a", "g")])
        await there.at(0.5)
        assert {ident(1)} == await listed(there, "a")
        await heard(there, "a", SignKind.CANNOT)
        await there.at(1)
        assert set() == await listed(there, "a")
        assert [ident(1)] == [r.person_id for r in await there.rows(channel="fire_service_list")]
        assert "open" == (await there.paths(w))[ident(1)].state


async def test_who_lives_behind_a_door_of_a_team_that_was_out_long_stands_on_its_list(tmp_path: Path) -> None:
    """One of a home did not open, the other was not asked: the second knock is made when the team goes there."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=12)
        (first, profile), (second, _) = (one(n, groups=("no_phone",), flags=("door_first",)) for n in (1, 3))
        home = [(first, profile), (replace(second, household_id=first.household_id), profile)]
        await there.page(w, home, [worker("a", "g"), worker("b", "h")])
        await there.at(1)
        await there.said([delivery.c.step == "official"], answer="spoke", answer_at=there.clock.now())
        assert {ident(1), ident(3)} == await listed(there, "a")
        for minute in range(25, 240, 25):
            await there.at(minute)
            await heard(there, "a")
        await there.at(241)
        assert [("relief", "a")] == await told(there, "relief")
        (knocked,) = await there.rows(channel="door", person_id=ident(3))
        await said_in_log(there, knocked.delivery_id, "no_answer", "officer", there.clock.now())
        await there.at(300)
        assert ({ident(1), ident(3)}, set()) == (await listed(there, "a"), await listed(there, "b"))


async def test_who_is_out_for_four_hours_gets_no_new_doors_and_keeps_what_is_begun(tmp_path: Path) -> None:
    """Told once by text. A new door goes to the other team; who was back and goes out again begins anew."""
    async with router_town(tmp_path) as there:
        w = await two_teams(there, hours=12)
        await there.said([delivery.c.step == "official"], answer="spoke", answer_at=there.clock.now())
        for minute in range(25, 240, 25):
            await there.at(minute)
            await heard(there, "a")
            await heard(there, "b", SignKind.BACK if minute == 100 else SignKind.HERE)
        mine = await listed(there, "a")
        assert {ident(1)} == mine
        await there.at(239)
        assert [] == await told(there, "relief")
        await there.at(241)
        assert [("relief", "a")] == await told(there, "relief"), "b was in meanwhile"
        assert mine == await listed(there, "a"), "what is begun stays"
        more = await there.issue("x", hazard="storm", doors="allowed", hours=2)
        people = [one(9, groups=("no_phone",), flags=("door_first",))]
        await there.page(more, people, [worker("a", "g"), worker("b", "h")])
        await there.at(242)
        assert ident(9) in await listed(there, "b")
        assert ident(9) not in await listed(there, "a")
        await heard(there, "a", SignKind.BACK)
        await there.at(250)
        async with there.platform.database.read() as db:
            team = (await team_signs.of_slots(db, ["a".ljust(32, "0")], there.clock.now()))["a".ljust(32, "0")]
        assert team.rests
        assert set() == await listed(there, "a"), "whoever rests in safety keeps no door"
        assert mine <= await listed(there, "b")
        await heard(there, "a", SignKind.OUT)
        async with there.platform.database.read() as db:
            team = (await team_signs.of_slots(db, ["a".ljust(32, "0")], there.clock.now()))["a".ljust(32, "0")]
        assert (False, NOON + 250 * 60) == (team.rests, team.since)
        given = [r.slot[0] for r in await there.rows(channel="door", warning_id=w, person_id=ident(1)) if r.slot]
        assert ["a", "b"] == given
