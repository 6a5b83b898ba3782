"""What everybody may read is made once in ten seconds and read from memory; a release or an ending is seen at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from services.gateway import public_cache
from services.gateway.public_cache import Made, PublicCache
from services.gateway.web import feed, pages
from services.shared.clock import StepClock
from tests.kit.square import cap
from tests.kit.town import Town, open_town

PUBLIC = ("/cap/atom.xml", "/cap/feed.json", "/public/check", "/public/check?number=1234")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path / "data") as made:
        yield made


def counted(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[str]:
    """Has an entry for each time that function is called from now on."""
    calls: list[str] = []
    real = getattr(module, name)

    def count(*given: Any, **named: Any) -> Any:
        calls.append(name)
        return real(*given, **named)

    monkeypatch.setattr(module, name, count)
    return calls


async def test_public_pages_are_built_once_in_ten_seconds(desk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """By counting what is built: of twenty at once and twenty later one of each; after ten seconds one more."""
    built = [
        *(counted(monkeypatch, feed, name) for name in ("atom_of", "json_of")),
        counted(monkeypatch, pages, "rendered"),
    ]
    _, taken = await desk.post(cap(), strict="false")
    number = (await desk.call("GET", f"/api/v1/warnings/{taken['warning_id']}"))[1]["number"]
    mine = f"/public/check?number={number}"
    for _ in range(2):
        await asyncio.gather(*(desk.get(path) for path in (*PUBLIC, mine) for _ in range(20)))
    assert [1, 1, 3] == [len(one) for one in built]
    desk.clock.advance_to(desk.clock.now() + public_cache.LASTS_S)
    await asyncio.gather(*(desk.get(path) for path in (*PUBLIC, mine) for _ in range(5)))
    assert [2, 2, 6] == [len(one) for one in built]


async def test_numbers_that_are_not_ours_build_nothing_and_are_shown_as_typed(
    desk: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are tried: one page, with the number filled in; nothing of one caller's number in another's page."""
    built = counted(monkeypatch, pages, "rendered")
    bodies = [(await desk.get(f"/public/check?number={n}"))[1].decode() for n in range(5000, 5050)]
    for n, body in zip(range(5000, 5050), bodies, strict=True):
        assert f'value="{n}"' in body
        assert "We cannot confirm this yet" in body
        assert "\ue000" not in body
        assert [] == [other for other in range(5000, 5050) if other != n and str(other) in body]
    assert 1 == len(built)
    hostile = (await desk.get("/public/check?number=%3Cscript%3E12%22%3E"))[1].decode()
    assert 'value="12"' in hostile


async def test_a_release_and_an_ending_are_seen_at_once(desk: Town) -> None:
    """Though all pages are kept: the number, the feed and the document, before, after and ended."""
    for path in PUBLIC:
        await desk.get(path)
    _, taken = await desk.post(cap(), strict="false")
    warning_id = taken["warning_id"]
    number = (await desk.call("GET", f"/api/v1/warnings/{warning_id}"))[1]["number"]
    assert b"is from us" in (await desk.get(f"/public/check?number={number}"))[1]
    assert warning_id.encode() in (await desk.get("/cap/feed.json"))[1]
    assert warning_id.encode() in (await desk.get("/cap/atom.xml"))[1]
    assert 200 == (await desk.get(f"/cap/{warning_id}.xml"))[0]
    await desk.cancel(warning_id, "may_return")
    assert b"It has ended. If you left, you may go home." in (await desk.get(f"/public/check?number={number}"))[1]
    assert b"may return" in (await desk.get("/cap/atom.xml"))[1]
    held = await desk.post(cap("A-2"), strict="false", release="false")
    assert 404 == (await desk.get(f"/cap/{held[1]['warning_id']}.xml"))[0]
    assert 202 == (await desk.call("POST", f"/api/v1/warnings/{held[1]['warning_id']}/release", {"tier": "red"}))[0]
    assert 200 == (await desk.get(f"/cap/{held[1]['warning_id']}.xml"))[0]


async def test_a_warning_whose_time_is_over_is_over_at_that_moment(desk: Town) -> None:
    """Not ten seconds later: what is kept ends with what it says."""
    _, taken = await desk.post(cap(expires=1), strict="false")
    number = (await desk.call("GET", f"/api/v1/warnings/{taken['warning_id']}"))[1]["number"]
    desk.clock.advance_to(desk.clock.now() + 59)
    for path in (f"/public/check?number={number}", "/cap/feed.json", "/cap/atom.xml"):
        assert b"THIS WARNING IS OVER" not in (body := (await desk.get(path))[1])
        assert b"expired" not in body
    desk.clock.advance_to(desk.clock.now() + 2)
    assert b"THIS WARNING IS OVER" in (await desk.get(f"/public/check?number={number}"))[1]
    assert b"expired" in (await desk.get("/cap/feed.json"))[1]
    assert b"expired" in (await desk.get("/cap/atom.xml"))[1]


async def test_whoever_has_the_page_gets_no_second_copy(desk: Town) -> None:
    for path in (*PUBLIC, "/static/tocsin.css"):
        status, body, headers = await desk.get(path)
        assert 200 == status
        assert body
        assert (304, b"") == (await desk.get(path, {"If-None-Match": headers["ETag"]}))[:2]


async def test_what_is_kept_has_a_bound_and_one_builder() -> None:
    """A thousand names and 32 MiB at most; two things are never made at the same time; a change in between is not lost."""
    held = PublicCache(StepClock(0.0).now)
    making = most = 0

    async def make(size: int = 10) -> Made:
        nonlocal making, most
        making += 1
        most = max(most, making)
        await asyncio.sleep(0)
        making -= 1
        return Made(b"x" * size, "text/plain")

    await asyncio.gather(*(held.of(n, make) for n in range(public_cache.MOST + 100)))
    assert (public_cache.MOST, 1) == (len(held._kept), most)
    for n in range(20):
        await held.of(("large", n), lambda: make(public_cache.MOST_BYTES // 8))
    assert held._bytes <= public_cache.MOST_BYTES
    assert held._bytes == sum(size for _, size, *_ in held._kept.values())

    async def changed_meanwhile() -> Made:
        held.forget()
        return Made(b"old", "text/plain")

    assert b"old" == (await held.of("page", changed_meanwhile)).body
    assert b"x" * 10 == (await held.of("page", make)).body, "what was begun before a change is not kept"


async def test_a_failure_is_not_kept() -> None:
    held = PublicCache(time.time)

    async def fail() -> Made:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        await held.of("page", fail)
    assert b"ok" == (await held.of("page", lambda: asyncio.sleep(0, Made(b"ok", "text/plain")))).body
