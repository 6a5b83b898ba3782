"""Teams are called back by text, call and siren, and each is waited for until it has said that it is in safety."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.router.report.team_board import TeamBoard, arranged
from services.shared.ledger import team_signs
from services.shared.ledger.team_signs import SignKind, TeamStanding
from tests.integration.router.test_paths import said_in_log
from tests.integration.router.test_teams_out import alarmed, heard, two_teams
from tests.kit.router_alone import NOON, RouterTown, ident, one, router_town, worker


async def board(there: RouterTown, w: str) -> TeamBoard:
    async with there.platform.database.read() as db:
        found = await team_signs.of_chain(db, w, there.clock.now())
    return arranged(found.values(), {}, {}, there.clock.now())


async def told(there: RouterTown, *kinds: str) -> list[tuple[str, str]]:
    return sorted(one for one in await there.notices() if one[0] in kinds)


async def test_the_commanders_word_calls_every_team_back_and_counts_who_is_in_safety(tmp_path: Path) -> None:
    """Also a team that has no door left to do: by text and by call, and the siren once. Being all right is not being back."""
    async with router_town(tmp_path) as there:
        w = await two_teams(there)
        done = next(r for r in await there.rows(channel="door") if r.slot.startswith("b"))
        await said_in_log(there, done.delivery_id, "moving", "officer", there.clock.now())
        await there.at(10)
        await there.word(w, "unsafe")
        assert [("turn_back", "a"), ("turn_back", "a"), ("turn_back", "b"), ("turn_back", "b")] == await told(
            there, "turn_back"
        ), "a text and a call each"
        assert 1 == len(await there.rows(channel="area_sound", step="recall"))
        assert (2, 2) == ((seen := await board(there, w)).recalled, len(seen.away))
        await there.at(12)
        await heard(there, "a", SignKind.BACK)
        await heard(there, "b")
        seen = await board(there, w)
        assert (2, ["b"]) == (seen.recalled, [line.team.slot.rstrip("0") for line in seen.away])
        await there.at(28)
        assert [("check_in", "b")] == await told(there, "check_in", "partner_silent"), (
            "ten minutes after it was heard, and five"
        )
        assert ["b"] == await alarmed(there), "nobody else is out whom to ask"
        await heard(there, "b", SignKind.BACK)
        assert ([], 2) == ((seen := await board(there, w)).away, seen.recalled)
        await there.at(90)
        assert 1 == len(await told(there, "check_in"))


async def test_the_time_to_turn_back_is_a_recall(tmp_path: Path) -> None:
    """At the time of the last door, also where it was made."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 60)
        people = [one(n, groups=("no_phone",), flags=("door_first",)) for n in (1, 2)]
        await there.page(w, people, [worker("a", "g")])
        await there.at(5)
        for n in (1, 2):
            row = next(r for r in await there.rows(channel="door", person_id=ident(n)))
            await said_in_log(there, row.delivery_id, "moving", "officer", there.clock.now())
        await heard(there, "a")
        await there.at(39)
        assert [] == await told(there, "time_to_turn_back")
        await there.at(40)
        assert [("time_to_turn_back", "a")] * 2 == await told(there, "time_to_turn_back")
        assert 1 == (await board(there, w)).recalled


@pytest.mark.parametrize(("how", "kind"), [("forbids", "turn_back"), ("ends", "warning_over")])
async def test_an_update_that_forbids_doors_and_an_ending_call_back(tmp_path: Path, how: str, kind: str) -> None:
    """Under the newer warning: there is nobody's list under it."""
    async with router_town(tmp_path) as there:
        await two_teams(there)
        await there.at(10)
        if how == "forbids":
            v = await there.issue(
                "v", kind="update", replaces=["w"], chain="w", hazard="toxic_release", doors="forbidden"
            )
        else:
            v = await there.issue("v", kind="ending", ending="may_return", replaces=["w"], chain="w")
        await there.at(11)
        assert {("a"), ("b")} == {to for _, to in await told(there, kind)}
        assert 2 == len((await board(there, v)).away)
        await heard(there, "a", SignKind.BACK)
        await there.at(30)
        assert ["b"] == await alarmed(there)


async def test_what_is_only_being_checked_calls_nobody_back(tmp_path: Path) -> None:
    """The warning goes on."""
    async with router_town(tmp_path) as there:
        w = await two_teams(there)
        await there.at(10)
        await there.issue("v", kind="ending", ending="checking", replaces=["w"], chain="w")
        await there.at(30)
        assert [] == await told(there, "warning_over", "turn_back")
        assert 0 == (await board(there, w)).recalled


async def test_who_goes_out_again_is_called_back_again(tmp_path: Path) -> None:
    """The second recall of one warning is told like the first: a notice of the same words once before is no reason not to."""
    async with router_town(tmp_path) as there:
        w = await two_teams(there)
        await there.at(10)
        await there.word(w, "unsafe")
        await there.at(11)
        await there.word(w, "allowed")
        async with there.platform.database.write() as tx:
            await team_signs.keep(
                tx,
                w,
                "a".ljust(32, "0"),
                SignKind.OUT,
                there.clock.now(),
                "list",
                sign_id=there.msg_id(),
                within_s=1800,
            )
        await there.at(14)
        assert ["b"] == [line.team.slot.rstrip("0") for line in (await board(there, w)).away]
        first = len([one for one in await told(there, "turn_back") if one[1] == "a"])
        await there.word(w, "unsafe")
        await there.at(60)
        assert 2 * first == len([one for one in await told(there, "turn_back") if one[1] == "a"])
        assert 2 == (await board(there, w)).recalled


async def test_an_ending_calls_back_nobody_who_is_out_for_another_warning(tmp_path: Path) -> None:
    """The flood is over, the power cut is not: the team that has doors for it goes on, and the other comes back."""
    async with router_town(tmp_path) as there:
        await two_teams(there)
        other = await there.issue("p", hazard="power_outage", doors="allowed", hours=8)
        await there.page(other, [one(3, groups=("no_phone",), flags=("door_first",))], [worker("a", "g")])
        await there.at(10)
        assert 1 == len([r for r in await there.rows(channel="door", warning_id=other) if r.slot])
        ended = await there.issue("v", kind="ending", ending="may_return", replaces=["w"], chain="w")
        await there.at(12)
        assert ["b"] == [line.team.slot.rstrip("0") for line in (await board(there, ended)).away]
        assert 0 == (await board(there, other)).recalled
        await there.at(36)
        assert ("check_in", "a") in await told(there, "check_in"), "under the warning that goes on"


def test_the_board_has_first_who_is_late() -> None:
    """The longest first; then who is out; then who is in."""
    teams = [
        TeamStanding("in", heard="back", heard_at=5000, in_at=5000),
        TeamStanding("fine", since=0, heard="here", heard_at=9000, within_s=1800.0),
        TeamStanding("late", since=0, heard="here", heard_at=5000, within_s=1800.0),
        TeamStanding("never", since=0, within_s=1800.0),
        TeamStanding("away", since=0, recalled_at=9500, return_s=600, within_s=1800.0),
    ]
    found = arranged(teams, {"fine": 12_000.0}, {"fine": 2}, 10_000)
    assert ["never", "late", "away", "fine", "in"] == [line.team.slot for line in found.teams]
    assert (4, 2, 1, 1, ["away"]) == (
        found.out, found.late, found.back, found.recalled, [line.team.slot for line in found.away],
    )  # fmt: skip
    assert [None, None, None, 12_000.0, None] == [line.turn_back for line in found.teams]
    assert [0, 0, 0, 2, 0] == [line.left for line in found.teams]
