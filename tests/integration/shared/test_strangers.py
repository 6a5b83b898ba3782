"""Where a request comes from, and how strangers come in by turns."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from services.shared.client_address import counted, networks_of, origin_of
from services.shared.errors import Busy, Refused
from services.shared.settings import Settings
from services.shared.web.fair_turns import MOST_EACH, Turns
from tests.kit.town import Town, open_town

OURS = networks_of("127.0.0.0/8,::1,10.0.0.9,fd00:1::/64")
V4 = st.ip_addresses(v=4).filter(lambda a: not any(a in n for n in OURS))
V6 = st.ip_addresses(v=6).filter(lambda a: not any(a in n for n in OURS) and int(a) >> 65)  # below stands IPv4


@pytest.fixture
async def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Town, list[str]]]:
    """An office, and the origins of those who had to wait."""
    seen: list[str] = []
    real = Turns.mine

    async def mine(self: Turns, origin: str) -> None:
        seen.append(origin)
        await real(self, origin)

    monkeypatch.setattr(Turns, "mine", mine)
    async with open_town(tmp_path / "data") as made:
        yield made, seen


def asked(peer: str, *forwarded: str) -> Any:
    return SimpleNamespace(remote=peer, headers=CIMultiDict([("X-Forwarded-For", one) for one in forwarded]))


@given(V6, st.integers(0, 2**64 - 1))
def test_of_ipv6_a_household_is_one(address: ipaddress.IPv6Address, host: int) -> None:
    other = ipaddress.IPv6Address(int(address) >> 64 << 64 | host)
    assert origin_of(asked(str(address)), OURS) == origin_of(asked(str(other)), OURS)
    neighbour = ipaddress.IPv6Address(int(address) ^ (1 << 64))
    assert counted(neighbour) != counted(address)


@given(V4 | V6, st.text(max_size=40))
def test_nobody_but_our_own_proxies_is_believed(stranger: Any, forged: str) -> None:
    """A private or a public peer that is none of ours chooses no origin, whatever it writes."""
    plain = origin_of(asked(str(stranger)), OURS)
    assert plain == origin_of(asked(str(stranger), forged, "203.0.113.7"), OURS)
    assert counted(ipaddress.ip_address("192.168.1.4")) == origin_of(asked("192.168.1.4", "198.51.100.1"), OURS)


@given(V4 | V6, st.lists(st.sampled_from(["203.0.113.1", "junk", "", "10.1.1.1", "::2"]), max_size=4), st.booleans())
def test_the_rightmost_hop_that_is_not_ours_is_the_caller(client: Any, forged: list[str], second: bool) -> None:
    """What the caller wrote himself stands to the left of it, in one header or in several, and is never read."""
    written = ", ".join([*forged, str(client), *(["10.0.0.9"] if second else [])])
    assert counted(client) == origin_of(asked("127.0.0.1", written), OURS)
    assert counted(client) == origin_of(asked("::1", ", ".join(forged), str(client)), OURS)
    assert counted(client) == origin_of(asked("::ffff:127.0.0.1", written), OURS)


def test_a_proxy_that_says_nonsense_counts_for_itself() -> None:
    assert "10.0.0.9" == origin_of(asked("127.0.0.1", "203.0.113.4, not-an-address, 10.0.0.9"), OURS)
    assert "203.0.113.4" == origin_of(asked("127.0.0.1", '"203.0.113.4:4711"'), OURS)


@pytest.mark.parametrize("wrong", ["10.0.0.300", "10.0.0.1/24", "proxy.example", "0.0.0.0/0"])
def test_a_setting_that_would_believe_anybody_is_refused(wrong: str) -> None:
    with pytest.raises(Refused, match="TOCSIN_TRUSTED_PROXIES"):
        Settings(trusted_proxies=wrong)


async def test_a_neighbour_waits_behind_no_crowd() -> None:
    """Of a laptop with 200 that wait and a neighbour with one, the neighbour's is among the next two."""
    turns = Turns(per_second=200.0, at_once=1.0)
    order: list[str] = []

    async def one(origin: str) -> None:
        await turns.mine(origin)
        order.append(origin)

    crowd = [asyncio.create_task(one("laptop")) for _ in range(200)]
    await asyncio.sleep(0.02)
    before = len(order)
    neighbour = asyncio.create_task(one("neighbour"))
    await neighbour
    assert len(order) - before <= 3
    assert len(order) < 100, "the crowd is held to its pace"
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    await asyncio.wait_for(one("later"), 2)  # whoever went away holds nobody up


async def test_those_who_rest_come_in_at_once_and_too_many_are_told() -> None:
    turns = Turns(per_second=1.0, at_once=5.0)
    turns._fill()
    for _ in range(5):
        await asyncio.wait_for(turns.mine("a"), 0.2)
    waiting = [asyncio.create_task(turns.mine("a")) for _ in range(MOST_EACH)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await turns.mine("a")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


CASES = {
    "a page for all": ("/public/check", {}, 1),
    "a page for all, by somebody signed in": ("/public/check", {"Cookie": "tocsin=whatever"}, 1),
    "no key": ("/api/v1/warnings", {}, 1),
    "a wrong key": ("/api/v1/warnings", {"Authorization": "Bearer toc_none"}, 1),
    "a wrong cookie": ("/console", {"Cookie": "tocsin=whatever"}, 1),
    "a wrong link": ("/a/nobody.xxxx", {}, 1),
    "a wrong list": ("/l/nobody.xxxx", {}, 1),
    "a callback that is none": ("/callbacks/none", {}, 1),
    "health, through a proxy": ("/readyz", {"X-Forwarded-For": "203.0.113.1"}, 1),
    "health, of this machine": ("/readyz", {}, 0),
}


@pytest.mark.parametrize("case", CASES)
async def test_whoever_has_nothing_of_ours_waits_for_a_turn(case: str, strangers: tuple[Town, list[str]]) -> None:
    desk, turns = strangers
    path, headers, waits = CASES[case]
    turns.clear()
    await desk.get(path, headers)
    assert waits == len(turns), turns


async def test_whoever_has_a_key_never_does(strangers: tuple[Town, list[str]]) -> None:
    desk, turns = strangers
    turns.clear()
    for path in ("/api/v1/warnings", "/console", "/people/summary", "/channels/state"):
        assert 200 == (await desk.get(path, {"Authorization": f"Bearer {desk.key}"}))[0]
    assert [] == turns
