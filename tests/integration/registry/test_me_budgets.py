"""Nobody uses up another's sign-in codes: not with numbers of nobody, not from many addresses, not by asking for a neighbour."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.registry.importing.write import import_people
from services.registry.model.given import PersonIn
from services.registry.resident import access, code_budget
from services.registry.store.resident_tables import challenge
from tests.integration.registry.test_me import settle, somebody
from tests.kit.town import Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMIT = re.compile(r"\b(\d{6})\b")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tocsin() -> AsyncIterator[Town]:
    async with open_town(people=4, looks_at_once=True) as made:
        yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_asked_for(tocsin: Town) -> None:
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.delete(challenge))


class Callers:
    """Callers by address, as a proxy beside us tells of them, and the codes that came."""

    def __init__(self, tocsin: Town) -> None:
        self.tocsin = tocsin

    async def ask(self, number: str, address: str) -> tuple[int, str]:
        """(status, where it leads) of one request for a code."""
        return await self._post("/me/start", address, number=number)

    async def _post(self, path: str, address: str, **form: str) -> tuple[int, str]:
        headers = {"Accept": "text/html", "X-Forwarded-For": address}
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(self.tocsin.url + path, data=form, headers=headers, allow_redirects=False) as response,
        ):
            await response.read()
            return response.status, response.headers.get("Location", "")

    def codes(self, number: str) -> list[str]:
        return [found[1] for text in self.tocsin.phone(number).texts if (found := LIMIT.search(text))]

    async def signs_in(self, number: str, address: str, to: str = "") -> bool:
        """Whether somebody at this address gets a code to their phone and is in by it."""
        before = len(self.codes(to or number))
        status, where = await self.ask(number, address)
        await settle(self.tocsin)
        if status != 303 or len(self.codes(to or number)) == before:
            return False
        code = self.codes(to or number)[-1]
        status, where = await self._post("/me/code", address, c=where.partition("c=")[2], code=code)
        return (status, where) != (422, "") and where.startswith("/me")


async def test_numbers_of_nobody_use_up_nothing(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand in four seconds locked everybody out for an hour; and the queue of them keeps nobody waiting."""
    monkeypatch.setattr(tocsin.node.platform.settings, "codes_per_hour", 3)
    one, town = await somebody(tocsin), Callers(tocsin)
    for n in range(120):
        assert 303 == (await town.ask(f"+9996660{n:04d}", f"198.51.100.{n}"))[0]
    assert await town.signs_in(one.contacts[0].address, "203.0.113.5")
    row = (await tocsin.rows(sa.select(sa.func.count()).where(challenge.c.sent == 1).select_from(challenge)))[0]
    assert 1 == row[0]


async def test_all_codes_that_go_out_have_a_bound_that_nobody_sees(
    tocsin: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tocsin.node.platform.settings, "codes_per_hour", 2)
    people, town = [await somebody(tocsin) for _ in range(3)], Callers(tocsin)
    answers = [await town.ask(p.contacts[0].address, f"203.0.113.{n}") for n, p in enumerate(people)]
    await settle(tocsin)
    assert [303] * 3 == [status for status, _ in answers]
    assert [1, 1, 0] == [len(town.codes(p.contacts[0].address)) for p in people]


async def test_strangers_lock_no_neighbour_out(tocsin: Town) -> None:
    """Three who ask as often as they may, and the resident still gets a code; where they signed in before, always."""
    one, town = await somebody(tocsin), Callers(tocsin)
    number = one.contacts[0].address
    for stranger in range(3):
        for _ in range(5):
            await town.ask(number, f"198.51.100.{stranger}")
    await settle(tocsin)
    assert await town.signs_in(number, "203.0.113.5")
    for stranger in range(3, 40):
        await town.ask(number, f"198.51.100.{stranger}")
    await settle(tocsin)
    assert len(town.codes(number)) <= code_budget.STRANGERS + 1, "and their phone is no target either"
    assert await town.signs_in(number, "203.0.113.5"), "a share of their own address"


async def test_a_household_by_ipv6_is_one_caller(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "PER_ORIGIN", 4)
    town = Callers(tocsin)
    answers = [(await town.ask(f"+9996670{n:04d}", f"2001:db8:1:2::{n:x}"))[0] for n in range(6)]
    assert [303] * 4 + [429] * 2 == [303 if s == 303 else 429 for s in answers]
    assert 303 == (await town.ask("+99966709999", "2001:db8:1:3::1"))[0], "the neighbour is another"


async def test_whoever_is_no_proxy_of_ours_chooses_no_address(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller in the same private network that writes another address each time."""
    monkeypatch.setattr(tocsin.node.platform.settings, "trusted_proxies", "10.0.0.9")
    monkeypatch.setattr(access, "PER_ORIGIN", 4)
    town = Callers(tocsin)
    answers = [(await town.ask(f"+9996680{n:04d}", f"198.51.100.{n}"))[0] for n in range(6)]
    assert [303] * 4 == answers[:4]
    assert 303 not in answers[4:]


@pytest.mark.parametrize(
    ("kept", "typed"),
    [("+5491123456789", "+541123456789"), ("+541123456780", "+5491123456780"), ("+525512345678", "+5215512345678")],
)
async def test_any_legal_form_of_her_number_gets_the_code(tocsin: Town, kept: str, typed: str) -> None:
    """An Argentine mobile with or without its 9, a Mexican one with its old 1; both forms share one budget."""
    town = Callers(tocsin)
    one: dict[str, Any] = (await somebody(tocsin)).model_dump()
    for contact in one["contacts"]:
        contact["address"] = kept
    one |= {"person_id": f"{int(kept[-4:]):032x}", "household_id": ""}
    platform = tocsin.node.platform
    report = await import_people(platform.database, platform.keys, [PersonIn.model_validate(one)], year=2026, actor="t")
    assert 1 == report.read, report
    assert await town.signs_in(typed, "203.0.113.5", to=kept)
    assert await town.signs_in(kept, "203.0.113.5", to=kept)
    assert await town.signs_in(typed, "203.0.113.5", to=kept)
    assert not await town.signs_in(kept, "203.0.113.5", to=kept), "one budget for both"
