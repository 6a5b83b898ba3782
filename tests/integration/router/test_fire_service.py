"""A name on the fire service's list that nobody there has acknowledged is nobody's: no path ends by it, and an alarm stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.router.clock.alarm_messages import AlarmWord
from services.router.doors.left_over import TIME_TO_GO
from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.safety import rescue
from services.shared import alarms
from services.shared.ledger import team_signs
from services.shared.ledger.team_signs import SignKind
from tests.integration.router.test_paths import said_in_log
from tests.kit.router_alone import NOON, RouterTown, ident, one, router_town, worker


async def acknowledges(there: RouterTown, w: str, by: str = "Sgt Wu, fire station 3") -> None:
    async with there.platform.database.write() as tx:
        await team_signs.keep(tx, w, FIRE_SERVICE, SignKind.HERE, there.clock.now(), by, sign_id=there.msg_id())


async def alarmed(there: RouterTown) -> list[str]:
    """As the router's look at alarms leaves them."""
    await AlarmWord(there.platform, there.router.contexts).run_due()
    async with there.platform.database.read() as db:
        return [row.said for row in await alarms.standing(db, rescue.KIND)]


async def at_the_door(there: RouterTown, answer: str) -> None:
    """Whatever stands on a list and was not made is made now, with that outcome."""
    for row in await there.rows(channel="door"):
        if row.slot and not row.answer and row.send_state == "pending":
            await said_in_log(there, row.delivery_id, answer, "officer", there.clock.now())


@pytest.mark.parametrize("how", ["unsafe", "no_answer"])
async def test_a_name_alone_ends_no_path_and_an_acknowledged_one_does(tmp_path: Path, how: str) -> None:
    """Unsafe to go there, nobody answers twice: rescue has the name once somebody there says so."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=8)
        await there.page(w, [one(1, groups=("no_phone",), flags=("door_first",))], [worker("a", "g")])
        await there.at(1)
        await at_the_door(there, how)
        if how == "no_answer":
            await there.at(45)
            await at_the_door(there, how)
        minute = (there.clock.now() - NOON) / 60
        await there.at(minute + 9)
        assert [ident(1)] == [r.person_id for r in await there.rows(channel="fire_service_list")]
        assert ("open", "") == ((path := (await there.paths(w))[ident(1)]).state, path.ending)
        assert [] == await alarmed(there)
        await there.at(minute + 60)
        assert "open" == (await there.paths(w))[ident(1)].state
        (said,) = await alarmed(there)
        assert "No. 4721: the fire service has not said that it has the name on its list." in said
        await acknowledges(there, w)
        assert [] == await alarmed(there)
        await there.at(minute + 66)
        assert "handed_to_rescue" == (await there.paths(w))[ident(1)].ending


async def test_an_acknowledgement_holds_for_the_names_that_stood_there(tmp_path: Path) -> None:
    """The next name is nobody's again; the first stays where it is."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=8)
        people = [one(n, groups=("no_phone",), flags=("door_first",)) for n in (1, 2)]
        await there.page(w, people, [worker("a", "g")])
        await there.at(1)
        rows = {r.person_id: r for r in await there.rows(channel="door") if r.slot}
        await said_in_log(there, rows[ident(1)].delivery_id, "unsafe", "officer", there.clock.now())
        await there.at(2)
        await acknowledges(there, w)
        await there.at(10)
        assert "handed_to_rescue" == (await there.paths(w))[ident(1)].ending
        await said_in_log(there, rows[ident(2)].delivery_id, "unsafe", "officer", there.clock.now())
        await there.at(25)
        assert "open" == (await there.paths(w))[ident(2)].state
        assert 1 == len(await alarmed(there))
        async with there.platform.database.read() as db:
            found = await rescue.of(db, w)
        assert found.waiting is not None
        assert found.taken is not None
        assert (1, "Sgt Wu, fire station 3") == (found.waiting.n, found.taken.by)


async def test_an_answer_closes_a_path_whose_name_stands_there(tmp_path: Path) -> None:
    """They are met by somebody: the name is nobody's business any more, and no alarm stands for it."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=8)
        await there.page(w, [one(1, "sms", groups=("mobility",), flags=("cannot_leave",))], [worker("a", "g")])
        await there.at(1)
        await at_the_door(there, "unsafe")
        await there.at(20)
        assert 1 == len(await alarmed(there))
        text = next(r for r in await there.rows(person_id=ident(1)) if r.channel == "sms")
        await said_in_log(there, text.delivery_id, "moving", "person", there.clock.now())
        await there.at(21)
        assert "closed" == (await there.paths(w))[ident(1)].ending
        assert [] == await alarmed(there)


async def test_nobody_goes_a_second_time_to_a_refuser_after_the_time_to_turn_back(tmp_path: Path) -> None:
    """Refused ten minutes after noon, water at one: the second visit would be at ten to one, and nobody goes then."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 60)
        await there.page(w, [one(1, groups=("no_phone",), flags=("door_first",))], [worker("a", "g")])
        await there.at(10)
        await at_the_door(there, "refused")
        await there.at(39)
        (again,) = [r for r in await there.rows(channel="door", person_id=ident(1)) if r.try_no > 1]
        assert again.due_at > NOON + 40 * 60, "before it is due no list shows it"
        await there.at(41)
        (again,) = [r for r in await there.rows(channel="door", person_id=ident(1)) if r.try_no > 1]
        assert ("suppressed", TIME_TO_GO) == (again.send_state, again.state_reason)
        await there.at(70)
        assert 2 == len(await there.rows(channel="door", person_id=ident(1))), "nor a third"
        assert "open" == (await there.paths(w))[ident(1)].state, "and a name on a list is no end of it"


async def test_whoever_refused_in_time_is_visited_once_more(tmp_path: Path) -> None:
    """With three hours there is time for it."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 180 * 60)
        await there.page(w, [one(1, groups=("no_phone",), flags=("door_first",))], [worker("a", "g")])
        await there.at(10)
        await at_the_door(there, "refused")
        await there.at(60)
        again = [r for r in await there.rows(channel="door", person_id=ident(1)) if r.try_no > 1]
        assert [1] == [len(r.slot) // 32 for r in again]
