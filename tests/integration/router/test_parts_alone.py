"""Whose path a part's pages end, and who is told by whose phone: a router alone, its pages written by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.shared.bus.outbox import id_of
from services.shared.endings import PART_RETURNS
from services.shared.errors import Busy
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import delivery
from services.shared.messages import PersonEntry, Profile
from tests.kit.router_alone import RouterTown, ident, one, router_town
from tools.servers.postgres import Postgres

Resident = tuple[PersonEntry, Profile]


@pytest.fixture(params=["sqlite", "postgres"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RouterTown]:
    url = ""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.database()
    async with router_town(tmp_path, url=url) as opened:
        yield opened


def by_the_phone_of(owner: Resident, guest: Resident) -> Resident:
    """The guest, with no phone but the owner's."""
    entry, profile = guest
    return replace(entry, contacts=owner[0].contacts), profile


async def part(town: RouterTown) -> str:
    return await town.issue("part", kind="ending", ending=PART_RETURNS, replaces=("w",))


async def told(town: RouterTown, ending: str) -> list[tuple[str, int]]:
    """About which delivery, and for how many of those it was for."""
    await town.at(0, town.clock.now())
    return [(row.about_id, row.covers) for row in await town.rows(warning_id=ending, kind=DeliveryKind.ENDING)]


async def state_of(town: RouterTown, warning_id: str, person: Resident) -> str:
    return str((await town.paths(warning_id))[person[0].person_id].state)


async def test_a_part_waits_for_the_last_page_of_its_warning(town: RouterTown) -> None:
    """Else a path that opens after it would tell somebody of the part to leave."""
    first, second = one(1, "sms"), one(2, "sms")
    warning_id = await town.issue("w")
    await town.page(warning_id, [first], last=False)
    ending = await part(town)
    with pytest.raises(Busy, match="last page of its warning"):
        await town.page(ending, [first, second])
    await town.page(warning_id, [second], before=[[ident(1)]])
    await town.page(ending, [first, second])
    assert ["ended", "ended"] == [await state_of(town, warning_id, who) for who in (first, second)]


async def test_who_works_in_the_part_and_lives_elsewhere_in_the_place_is_not_told(town: RouterTown) -> None:
    """Their home is no part of it: that they may go home would send them into danger."""
    warning_id = await town.issue("w")
    resident, worker = one(1, "sms"), one(2, "sms")
    await town.page(warning_id, [resident, worker])
    await town.said((delivery.c.warning_id == warning_id,), send_state="delivered")
    ending = await part(town)
    at_work = replace(worker[0], household_id=id_of("stay", worker[0].household_id, 30.0, 103.0)), worker[1]
    await town.page(ending, [resident, at_work])
    theirs = {row.delivery_id: row.person_id for row in await town.rows(warning_id=warning_id)}
    assert {resident[0].person_id} == {theirs[about] for about, _ in await told(town, ending)}
    assert "open" == await state_of(town, warning_id, worker)


async def test_a_phone_shared_within_the_part_stops_though_its_people_come_on_two_pages(town: RouterTown) -> None:
    owner = one(1, "sms")
    guest = by_the_phone_of(owner, one(2, "sms"))
    warning_id = await town.issue("w")
    await town.page(warning_id, [owner, guest])
    [message] = await town.rows(warning_id=warning_id, channel="sms")
    assert 2 == message.covers
    ending = await part(town)
    await town.page(ending, [owner], last=False)
    [still] = await town.rows(delivery_id=message.delivery_id)
    assert "pending" == still.send_state, "as far as this page knows, somebody else is told by it"
    await town.page(ending, [guest], before=[[ident(1)]])
    [stopped] = await town.rows(delivery_id=message.delivery_id)
    assert "cancelled" == stopped.send_state


@pytest.mark.parametrize("inside", [1, 2], ids=["whose phone it is", "who shares it"])
async def test_a_phone_shared_with_somebody_outside_hears_of_the_part_for_one_of_two(
    town: RouterTown, inside: int
) -> None:
    """By the part's name; what it says to leave stays, and its page goes on: the ending is not for all it was for."""
    owner = one(1, "sms")
    guest = by_the_phone_of(owner, one(2, "sms"))
    warning_id = await town.issue("w")
    await town.page(warning_id, [owner, guest, one(3, "sms")])
    [message] = await town.rows(warning_id=warning_id, channel="sms", person_id=ident(1))
    await town.said((delivery.c.warning_id == warning_id,), send_state="delivered")
    ending = await part(town)
    await town.page(ending, [(owner, guest)[inside - 1]])
    assert [(message.delivery_id, 1)] == await told(town, ending)
    states = await town.paths(warning_id)
    assert "ended" == states[ident(inside)].state
    assert "open" == states[ident(3 - inside)].state
    noted = await town.paths(ending)
    assert {(ident(inside), "sent", False)} == {(p.person_id, p.ending, bool(p.outside)) for p in noted.values()}


async def test_who_was_told_for_one_part_is_not_told_again_for_a_larger_one(town: RouterTown) -> None:
    warning_id = await town.issue("w")
    near, far = one(1, "sms"), one(2, "sms")
    await town.page(warning_id, [near, far])
    await town.said((delivery.c.warning_id == warning_id,), send_state="delivered")
    first = await part(town)
    await town.page(first, [near])
    assert 1 == len(await told(town, first))
    larger = await town.issue("larger", kind="ending", ending=PART_RETURNS, replaces=("w",))
    await town.page(larger, [near, far])
    theirs = {row.delivery_id: row.person_id for row in await town.rows(warning_id=warning_id)}
    assert {far[0].person_id} == {theirs[about] for about, _ in await told(town, larger)}
