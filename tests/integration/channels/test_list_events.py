"""What a phone kept while it had no network is noted at its own time, once, and each tap for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.channels.messages import list_links
from services.channels.pages.list_events import MOST
from services.shared.audit import trail
from services.shared.audit.trail import audit_log
from services.shared.bus.outbox import new_id
from services.shared.errors import Busy
from services.shared.ledger.answers import answer_log
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import team_sign
from services.shared.ledger.warnings import warning_state
from tests.kit import alerts
from tests.kit.town import Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR_MS = 3_600_000.0


@dataclass
class OfficersPhone:
    """A phone on which a team's list is open; `ahead_ms` is by how much its clock is wrong. `doors`: nobody was at yet."""

    town: Town
    link: str
    doors: list[str]
    session: aiohttp.ClientSession
    ahead_ms: float = 0.0

    def tapped(self, door: str, outcome: str, minutes_ago: float = 0.0, **more: Any) -> dict[str, Any]:
        at = self.town.clock.now() * 1000 + self.ahead_ms - minutes_ago * 60_000
        return {"event": new_id(), "door": door, "outcome": outcome, "at": at} | more

    async def sends(self, *events: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        body = {"now": self.town.clock.now() * 1000 + self.ahead_ms, "events": list(events)}
        async with self.session.post(f"{self.link}/events", json=body) as answer:
            found = await answer.json()
        await self.town.settle()
        return answer.status, found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phone() -> AsyncIterator[OfficersPhone]:
    async with open_town(people=150) as town:
        warning_id = await town.warn(alerts.flood("OFFLINE"), doors="safe")
        await town.at("+20 min")
        officer = (await town.officers_of(warning_id))[0]
        mine = sa.select(delivery.c.delivery_id).where(
            delivery.c.warning_id == warning_id, delivery.c.slot == officer, delivery.c.driver == "door",
            delivery.c.send_state == "accepted",
        )  # fmt: skip
        doors = [row.delivery_id for row in await town.rows(mine)]
        assert len(doors) > 12, len(doors)
        session = await town.phone_for_lists(town.list_link(warning_id, officer))
        await town.at("+30 min")
        yield OfficersPhone(town, town.list_link(warning_id, officer), doors, session)
        await session.close()


async def stands(town: Town, door: str) -> tuple[str, float | None]:
    """The answer that counts at a door, and when it was given."""
    (row,) = await town.rows(sa.select(delivery.c.answer, delivery.c.answer_at).where(delivery.c.delivery_id == door))
    return row.answer, row.answer_at


async def acts(town: Town, door: str) -> list[str]:
    return [r.act for r in await town.rows(sa.select(audit_log.c.act).where(audit_log.c.subject == door))]


@pytest.mark.parametrize("ahead_ms", [0.0, HOUR_MS, -HOUR_MS], ids=["right", "an hour ahead", "an hour behind"])
async def test_a_tap_counts_at_its_own_time_whatever_the_phones_clock_says(
    phone: OfficersPhone, ahead_ms: float
) -> None:
    phone.ahead_ms = ahead_ms
    door = phone.doors.pop()
    said_at = phone.tapped(door, "no_answer", 12)
    status, said = await phone.sends(said_at)
    assert (200, [said_at["event"]], []) == (status, said["taken"], said["refused"])
    answer, answered_at = await stands(phone.town, door)
    assert "no_answer" == answer
    assert pytest.approx(phone.town.clock.now() - 720, abs=1) == answered_at
    phone.ahead_ms = 0.0


async def test_the_same_event_sent_again_is_taken_and_changes_nothing(phone: OfficersPhone) -> None:
    door = phone.doors.pop()
    seen, slip = phone.tapped(door, "gone", 9), phone.tapped(door, "help", 8)
    undo = phone.tapped(door, "undo", 7, of=slip["event"])
    for _ in range(3):  # the answer was lost on its way, twice
        status, said = await phone.sends(seen, slip, undo)
        assert (200, 3, []) == (status, len(said["taken"]), said["refused"])
    assert "not_there" == (await stands(phone.town, door))[0]
    assert ["visit_outcome", "visit_outcome", "visit_undone"] == await acts(phone.town, door)
    kept = await phone.town.rows(sa.select(answer_log).where(answer_log.c.delivery_id == door))
    assert {("not_there", ""), ("", "help")} == {(row.answer, row.undone) for row in kept}, "nothing is deleted"


async def test_what_comes_late_does_not_take_the_place_of_what_was_said_after_it(phone: OfficersPhone) -> None:
    door = phone.doors.pop()
    async with phone.session.post(f"{phone.link}/{door}", data={"outcome": "gone"}) as answer:
        assert 200 == answer.status
    now = phone.town.clock.now()
    await phone.sends(phone.tapped(door, "no_answer", 10))
    assert ("not_there", now) == await stands(phone.town, door)
    kept = await phone.town.rows(sa.select(answer_log.c.answer).where(answer_log.c.delivery_id == door))
    assert {"not_there", "no_answer"} == {row.answer for row in kept}, "both are kept"


async def test_a_clock_that_is_put_right_in_between_does_not_turn_the_order_round(phone: OfficersPhone) -> None:
    """The phone was two hours ahead, found the right time, and the officer corrected what they had said."""
    door = phone.doors.pop()
    slip, seen = phone.tapped(door, "no_answer", -110), phone.tapped(door, "help", 5)
    status, said = await phone.sends(slip, seen)
    assert (200, 2) == (status, len(said["taken"]))
    assert "help" == (await stands(phone.town, door))[0]
    undo = phone.tapped(door, "undo", 0, of=seen["event"])
    await phone.sends(undo)
    assert "no_answer" == (await stands(phone.town, door))[0]


async def test_an_undo_names_what_it_takes_back(phone: OfficersPhone) -> None:
    """One that is sent again would take back what was said before."""
    door = phone.doors.pop()
    undo = phone.tapped(door, "undo")
    _, said = await phone.sends(phone.tapped(door, "gone", 2), phone.tapped(door, "help", 1), undo)
    assert [(undo["event"], "of: name the event that is taken back")] == [
        (r["event"], r["why"]) for r in said["refused"]
    ]
    assert "help" == (await stands(phone.town, door))[0]


async def test_a_server_that_dies_before_the_audit_entry_has_taken_nothing(
    phone: OfficersPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phone sends it again, and then it stands in the log of answers and in the audit log."""
    door = phone.doors.pop()
    seen = phone.tapped(door, "gone")

    async def dies(*_: object) -> None:
        raise Busy("the machine went away")

    with monkeypatch.context() as broken:
        broken.setattr(trail, "record", dies)
        assert 503 == (await phone.sends(seen))[0]
    assert "" == (await stands(phone.town, door))[0]
    _, said = await phone.sends(seen)
    assert [seen["event"]] == said["taken"]
    assert "not_there" == (await stands(phone.town, door))[0]
    assert ["visit_outcome"] == await acts(phone.town, door)


async def test_another_button_of_a_page_that_is_still_there_is_another_tap(phone: OfficersPhone) -> None:
    """After Back the page is the same one: what is corrected on it counts, the same button twice is one tap."""
    door = phone.doors.pop()
    for outcome in ("no_answer", "no_answer", "help"):
        form = {"outcome": outcome, "event": "a" * 32}
        async with phone.session.post(f"{phone.link}/{door}", data=form) as answer:
            assert 200 == answer.status
        phone.town.clock.advance_to(phone.town.clock.now() + 30)
    assert "help" == (await stands(phone.town, door))[0]
    assert ["visit_outcome"] * 2 == await acts(phone.town, door)


async def test_an_undo_that_is_pressed_twice_takes_back_one(phone: OfficersPhone) -> None:
    door = phone.doors.pop()
    page = ""
    for outcome in ("no_answer", "help"):
        async with phone.session.post(f"{phone.link}/{door}", data={"outcome": outcome}) as answer:
            page = await answer.text()
        phone.town.clock.advance_to(phone.town.clock.now() + 30)
    of = page.partition(f'id="v{door}"')[2].partition('name="of" value="')[2][:32]
    for _ in range(2):
        async with phone.session.post(f"{phone.link}/{door}", data={"outcome": "undo", "of": of}) as answer:
            assert 200 == answer.status
    assert "no_answer" == (await stands(phone.town, door))[0]


async def test_a_sign_of_life_counts_each_time_it_is_given_from_whatever_page(phone: OfficersPhone) -> None:
    """After Back the page is the same one: "all right" half an hour later is another sign, and "back" is no "all right"."""
    slot_signs = sa.select(team_sign.c.kind, team_sign.c.at).where(team_sign.c.by == "list").order_by(team_sign.c.at)
    before = len(await phone.town.rows(slot_signs))
    now = phone.town.clock.now()
    for n, said in enumerate(("here", "here", "back", "back")):
        phone.town.clock.advance_to(now + 60 * (n + 1))
        async with phone.session.post(f"{phone.link}/sign", data={"sign": said, "event": "b" * 32}) as answer:
            assert 200 == answer.status
    kept = [tuple(row) for row in (await phone.town.rows(slot_signs))[before:]]
    assert [("here", now + 60), ("here", now + 120), ("back", now + 180)] == kept


async def test_one_that_cannot_be_taken_leaves_the_others(phone: OfficersPhone) -> None:
    door = phone.doors.pop()
    wrong = [
        phone.tapped("f" * 32, "gone"), phone.tapped(door, "asleep"), phone.tapped(door, "undo", of="e" * 32),
    ]  # fmt: skip
    right = phone.tapped(door, "refused")
    status, said = await phone.sends(*wrong, right)
    assert (200, [right["event"]]) == (status, said["taken"])
    why = {one["event"]: one["why"] for one in said["refused"]}
    assert "this door is not on your list: open the list again" == why[wrong[0]["event"]]
    assert why[wrong[1]["event"]].startswith("outcome: choose one of can_go")
    assert "nothing is noted at this door: there is nothing to take back" == why[wrong[2]["event"]]
    assert "refused" == (await stands(phone.town, door))[0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "now"), ({"now": -1, "events": []}, "now"), ({"now": 1, "events": [{"event": "x"}]}, "events.0.event"),
        ({"now": 1, "events": [{"event": "a" * 32, "door": "b" * 32, "outcome": "gone", "at": 1, "by": "me"}]}, "events.0.by"),
        ({"now": 1, "events": [{"event": "a" * 32, "door": "b" * 32, "outcome": "gone", "at": 1}] * (MOST + 1)}, "events"),
    ],
)  # fmt: skip
async def test_a_body_that_is_none_is_refused_by_its_field(
    phone: OfficersPhone, body: dict[str, Any], field: str
) -> None:
    async with phone.session.post(f"{phone.link}/events", json=body) as answer:
        assert (422, field) == (answer.status, (await answer.json())["field"])


async def test_a_sign_of_life_is_an_event_without_a_door(phone: OfficersPhone) -> None:
    """At its own time, once; whoever cannot go is asked again, on the list alone."""
    kept = sa.select(team_sign.c.at).where(team_sign.c.kind == "here", team_sign.c.by == "list")
    written = sa.select(audit_log.c.act).where(audit_log.c.act == "team_sign")
    before = {row.at for row in await phone.town.rows(kept)}, len(await phone.town.rows(written))
    here, cannot = phone.tapped("", "here", 4), phone.tapped("", "cannot")
    for _ in range(2):
        status, said = await phone.sends(here, cannot)
        assert (200, [here["event"]]) == (status, said["taken"])
        assert "outcome: without a door choose one of here, back" == said["refused"][0]["why"]
    (sign,) = {row.at for row in await phone.town.rows(kept)} - before[0]
    assert pytest.approx(phone.town.clock.now() - 240, abs=1) == sign
    assert before[1] + 1 == len(await phone.town.rows(written))


async def test_another_phone_says_nothing(phone: OfficersPhone) -> None:
    async with aiohttp.ClientSession() as stranger:
        body = {"now": 1, "events": [phone.tapped(phone.doors[0], "gone")]}
        async with stranger.post(f"{phone.link}/events", json=body) as answer:
            assert 403 == answer.status
    assert "" == (await stands(phone.town, phone.doors[0]))[0]


async def test_the_list_says_that_it_is_another_one(phone: OfficersPhone) -> None:
    _, before = await phone.sends()
    _, said = await phone.sends(phone.tapped(phone.doors[0], "gone"))
    assert before["list"] == said["list"], "what the phone says itself is no news to it"
    _, said = await phone.sends()  # a team that is done with a door may have got another
    async with phone.session.get(phone.link) as page:
        assert f'data-list="{said["list"]}"' in await page.text()
    word = sa.update(warning_state).values(doors="unsafe", doors_by="W")
    async with phone.town.node.platform.database.write() as tx:
        await tx.execute(word)
    before = said
    _, said = await phone.sends()
    assert before["list"] != said["list"], "nobody may be sent any more"


async def test_what_is_taken_back_is_taken_back_under_what_the_warning_replaced_too(phone: OfficersPhone) -> None:
    """An update came, the phone was lost after it: whoever holds it speaks for the team by no older link."""
    door = sa.select(delivery.c.warning_id, delivery.c.slot).where(delivery.c.delivery_id == phone.doors[0])
    (old,) = await phone.town.rows(door)
    (row,) = await phone.town.rows(sa.select(warning_state).where(warning_state.c.warning_id == old.warning_id))
    update, now = "d" * 32, phone.town.clock.now()
    async with phone.town.node.platform.database.write() as tx:
        await tx.execute(
            sa.update(warning_state).where(warning_state.c.warning_id == old.warning_id).values(state="superseded")
        )
        await tx.execute(sa.insert(warning_state).values(**(dict(row._mapping) | {"warning_id": update})))
    assert 200 == (await phone.sends())[0], "a team that has not heard of the update yet"
    async with phone.town.node.platform.database.write() as tx:
        await list_links.recall(tx, update, old.slot, now)
    assert 403 == (await phone.sends())[0]
    async with phone.session.post(f"{phone.link}/sign", data={"sign": "back"}) as answer:
        assert 403 == answer.status
