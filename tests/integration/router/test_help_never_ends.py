"""A call for help opens whatever had ended, goes to the top of a list, and is ended by nobody's clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.router.report import report
from services.router.store import tables
from services.shared.ledger.evidence import ENDINGS
from services.shared.tiers import Tier
from tests.integration.router.test_paths import said_in_log
from tests.kit.router_alone import NOON, RouterTown, ident, one, router_town, worker

ANYBODY: dict[str, Any] = {"groups": ("general",), "kind": "subscriber"}


async def asks_for_help(there: RouterTown, number: int, minute: float, channel: str = "sms") -> None:
    """By the first message they had on a channel."""
    row = (await there.rows(person_id=ident(number), channel=channel))[0]
    await said_in_log(there, row.delivery_id, "help", "person", NOON + 60 * minute)


@pytest.mark.parametrize(
    "ending", sorted(set(ENDINGS) - {"superseded", "cancelled"})
)  # these stopped with their warning
async def test_help_opens_whatever_had_ended(tmp_path: Path, ending: str) -> None:
    """With a door at the top of a list, and it is still open when the warning is hours old."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=12)
        await there.page(w, [one(1, "sms", "voice_mobile", **ANYBODY), one(2, "sms")], [worker("a", "g")])
        await there.at(20)
        async with there.platform.database.write() as tx:
            mine = (tables.path.c.warning_id == w, tables.path.c.person_id == ident(1))
            ended = {"state": "ended", "ending": ending, "ended_at": NOON, "next_at": None, "react_at": None}
            await tx.execute(sa.update(tables.path).where(*mine).values(**ended))
        await asks_for_help(there, 1, 20)
        await there.at(21)
        path = (await there.paths(w))[ident(1)]
        assert ("open", "") == (path.state, path.ending)
        listed = [r for r in await there.rows(channel="door") if r.slot and not r.answer]
        assert ident(1) == min(listed, key=lambda r: r.params.order).person_id
        assert ("door_help", "a") in await there.notices()
        for minute, answer in ((30, "no_answer"), (80, "no_answer")):
            visit = [r for r in await there.rows(channel="door", person_id=ident(1)) if r.slot and not r.answer][-1]
            await said_in_log(there, visit.delivery_id, answer, "officer", NOON + 60 * minute)
            await there.at(minute + 41)
        await there.at(600)
        path = (await there.paths(w))[ident(1)]
        assert ("open", "") == (path.state, path.ending), "an empty house is no end of a call for help"


async def test_who_stands_on_a_list_is_moved_up(tmp_path: Path) -> None:
    """The old place is taken back; the new one is before all that was not begun."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        people = [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in range(1, 9)]
        await there.page(w, people, [worker("a", "g")])
        await there.at(1)
        before = sorted((r for r in await there.rows(channel="door") if r.slot), key=lambda r: r.params.order)
        last = before[-1]
        await said_in_log(there, before[0].delivery_id, "moving", "officer", NOON + 90)
        await asks_for_help(there, int(last.person_id, 16), 2)
        await there.at(3)
        after = [r for r in await there.rows(channel="door") if r.slot and not r.answer and r.send_state == "pending"]
        assert last.person_id == min(after, key=lambda r: r.params.order).person_id
        assert 1 == len([r for r in after if r.person_id == last.person_id])
        gone = next(r for r in await there.rows(channel="door") if r.delivery_id == last.delivery_id)
        assert "moved up: asked for help" == gone.state_reason


async def test_who_waits_in_rank_is_moved_up(tmp_path: Path) -> None:
    """No room on any list, and they are on one all the same."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=1)
        people = [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (1, 2, 3)]
        await there.page(w, people, [worker("a", "g", per_hour=1)])
        await there.at(1)
        assert not [r for r in await there.rows(channel="door", person_id=ident(3)) if r.slot]
        await asks_for_help(there, 3, 2)
        await there.at(3)
        assert [0] == [r.params.rank for r in await there.rows(channel="door", person_id=ident(3)) if r.slot]


@pytest.mark.parametrize("answer", ["help", "leaving"])
async def test_a_robot_does_not_call_who_has_answered(tmp_path: Path, answer: str) -> None:
    """Three calls in five minutes end with the first answer, also one that closes nothing: she cannot judge."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        people = [one(1, "voice_mobile", "sms", flags=("cannot_judge",)), one(2, "voice_mobile", "sms")]
        await there.page(w, people, [worker("a", "g")])
        row = (await there.rows(person_id=ident(1), channel="sms"))[0]
        await said_in_log(there, row.delivery_id, answer, "person", NOON + 60)
        await there.at(10)
        mine = await there.rows(person_id=ident(1), channel="voice_mobile")
        assert 3 == len(mine)
        assert {("suppressed", "answered: no more calls")} == {(r.send_state, r.state_reason) for r in mine}
        assert {"pending"} == {r.send_state for r in await there.rows(person_id=ident(2), channel="voice_mobile")}
        assert "open" == (await there.paths(w))[ident(1)].state


async def test_a_robot_does_not_call_on_another_channel_who_has_answered_on_one(tmp_path: Path) -> None:
    """The next step's other channel is a call; who has written needs none."""
    async with router_town(tmp_path) as there:
        kinds = ("sms", "voice_mobile", "voice_landline")
        people = [one(n, *kinds, groups=("speech",), flags=("cannot_judge",)) for n in (1, 2)]
        await there.page(await there.issue(tier=Tier.ORANGE, doors="allowed"), people, [worker("a", "g")])
        row = (await there.rows(person_id=ident(1), channel="sms"))[0]
        await said_in_log(there, row.delivery_id, "leaving", "person", NOON + 60)
        await there.at(11)
        assert [ident(2)] == [r.person_id for r in await there.rows(channel="voice_landline")]


async def test_help_before_the_last_step_is_no_ones_to_end(tmp_path: Path) -> None:
    """Who is not registered with a need ends unconfirmed when all is tried; not once they have asked for help."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [one(n, "sms", "voice_mobile", **ANYBODY) for n in (1, 2)], [worker("a", "g")])
        await there.at(1)
        await asks_for_help(there, 1, 2)
        await there.at(60)
        paths = await there.paths(w)
        assert ("open", "unconfirmed") == (paths[ident(1)].state, paths[ident(2)].ending)
        named = {r.person_id for r in await there.rows(channel="fire_service_list")}
        assert {ident(1)} == named, "the register may know little of their home: rescue has ways to find a phone"


async def test_a_second_knock_after_help_is_as_urgent_and_stays_on_its_list(tmp_path: Path) -> None:
    """An empty house is knocked at again, and whatever is heard meanwhile takes the knock away from nobody."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [one(1, "sms", "voice_mobile")], [worker("a", "g")])
        await there.at(1)
        await asks_for_help(there, 1, 2)
        await there.at(3)
        visit = (await there.rows(channel="door", person_id=ident(1)))[-1]
        await said_in_log(there, visit.delivery_id, "no_answer", "officer", NOON + 600)
        await there.at(11)
        await asks_for_help(there, 1, 5)
        await there.at(20)
        again = [r for r in await there.rows(channel="door", person_id=ident(1)) if not r.answer]
        assert [(True, "pending")] == [(r.params.urgent, r.send_state) for r in again]


async def test_the_time_to_turn_back_ends_no_call_for_help(tmp_path: Path) -> None:
    """Also one that came while its door still waited in rank."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=1)
        people = [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (1, 2, 3)]
        await there.page(w, people, [worker("a", "g", per_hour=1)])
        await there.at(59)
        async with there.platform.database.write() as tx:  # another process has heard it, and has not walked it yet
            mine = (tables.path.c.warning_id == w, tables.path.c.person_id == ident(3))
            await tx.execute(sa.update(tables.path).where(*mine).values(help_at=NOON))
        await there.at(61)
        paths = await there.paths(w)
        assert ("no_capacity", "open") == (paths[ident(2)].ending, paths[ident(3)].state)


async def test_unmet_help_stands_first_among_the_missing_and_the_unconfirmed_are_among_them(tmp_path: Path) -> None:
    """Whoever nobody has heard of is missing, however their path ended."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=4)
        people = [one(n, "sms", "voice_mobile", **ANYBODY) for n in (1, 2, 3)]
        await there.page(w, people, [worker("a", "g")])
        await there.at(40)
        assert {"unconfirmed"} == {p.ending for p in (await there.paths(w)).values()}
        await asks_for_help(there, 3, 41)
        await there.at(42)
        async with there.platform.database.read() as db:
            missing = [p.person_id for p in await report.missing(db, w)]
        assert ident(3) == missing[0]
        assert {ident(1), ident(2)} == set(missing[1:])
