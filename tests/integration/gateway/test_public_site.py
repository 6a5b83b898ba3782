"""The public's pages: what is in force, what ended and how, one page a warning, a fragment to embed, and no drill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.gateway.publish import board as boards
from services.gateway.web import public_pages
from services.shared.ledger.warnings import warning_state
from tests.kit.square import cap
from tests.kit.town import Town, open_town

PAGES = ("/", "/public/warnings", "/public/status")
MOST = 30 * 1024


async def text(desk: Town, path: str, status: int = 200, **headers: str) -> str:
    found, body, _ = await desk.get(path, {"Accept": "text/html", **headers})
    assert status == found, path
    return body.decode()


async def sent(desk: Town, *given: str, **named: object) -> tuple[str, str]:
    """(id, number) of a warning that went out."""
    _, taken = await desk.post(cap(*given, **named), strict="false")  # type: ignore[arg-type]
    number = (await desk.call("GET", f"/api/v1/warnings/{taken['warning_id']}"))[1]["number"]
    return taken["warning_id"], number


async def test_the_first_page_says_what_is_in_force_and_how_to_go_on(desk: Town) -> None:
    """Nothing first; then tier, what to do, what, where, since, number; the ways in; the console stands last and small."""
    assert "No warning is in force." in await text(desk, "/")
    warning_id, number = await sent(desk)
    page = await text(desk, "/")
    for said in (
        "ORANGE",
        "Leave now.",
        "Flash flood",
        "Hedong",
        "Qingshui Met",
        "Since ",
        f"No. {number}: read all of it",
    ):
        assert said in page, said
    for way in ("/me", "/public/warnings", "/public/check", "/console", f"/public/warnings/{warning_id}"):
        assert f'"{way}"' in page, way
    assert page.index('"/me"') < page.index('"/console"')
    assert "<script" not in page


async def test_a_mistake_says_so_first_on_every_page(desk: Town) -> None:
    """At once, though all pages are kept: not in force any more, the mistake above what was said, no "leave now"."""
    warning_id, number = await sent(desk)
    for path in (*PAGES, f"/public/warnings/{number}"):
        assert "Leave now." in await text(desk, path)
    await desk.cancel(warning_id, "sent_by_mistake")
    for path in (*PAGES, f"/public/warnings/{number}", f"/public/warnings/{warning_id}"):
        page = await text(desk, path)
        assert "It was our mistake." in page, path
        assert "Leave now." not in page, path
    page = await text(desk, f"/public/warnings/{number}")
    assert page.index("It was our mistake.") < page.index("Flash flood ·")
    assert 'property="og:title" content="It was our mistake.' in page


async def test_we_are_checking_stands_above_what_still_holds(desk: Town) -> None:
    warning_id, number = await sent(desk)
    await desk.cancel(warning_id, "checking")
    for path in (*PAGES, f"/public/warnings/{number}"):
        page = await text(desk, path)
        main = page[page.index("<main") :]
        assert main.index("WE ARE CHECKING") < main.index("Leave now."), path
    assert 'property="og:title" content="WE ARE CHECKING IT' in await text(desk, f"/public/warnings/{number}")
    assert "<title>WE ARE CHECKING IT" in await text(desk, f"/public/warnings/{number}")


async def test_what_was_replaced_leads_to_the_newer_one_and_is_not_listed(desk: Town) -> None:
    """Whoever shared the old page gets a link to the new one, and not the old text."""
    first, number = await sent(desk)
    later, newer = await sent(desk, "A-2", kind="Update", names=[("A-1", 0)], minutes=1, event="Dam break")
    page = await text(desk, f"/public/warnings/{first}")
    assert "A newer message has replaced this one" in page
    assert f'"/public/warnings/{newer if newer != number else later}"' in page or f'"/public/warnings/{newer}"' in page
    assert "Leave now." not in page
    for path in PAGES:
        page = await text(desk, path)
        assert first not in page
        assert later in page


async def test_past_warnings_come_in_pages_and_a_page_that_is_none_is_refused(
    desk: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "PAGE", 2)
    ids = []
    for n in range(5):
        one, _ = await sent(desk, f"A-{n}")
        await desk.cancel(one, "may_return")
        ids.append(one)
    first, last = await text(desk, "/public/warnings"), await text(desk, "/public/warnings?page=3")
    assert ['rel="next"' in first, 'rel="prev"' in first] == [True, False]
    assert ['rel="next"' in last, 'rel="prev"' in last] == [False, True]
    pages = [await text(desk, f"/public/warnings?page={n}") for n in (1, 2, 3)]
    assert [2, 2, 1] == [sum(f'"/public/warnings/{one}"' in page for one in ids) for page in pages]
    for wrong in ("0", "-1", "x", "501", "99999999"):
        assert "give the number of a page" in await text(desk, f"/public/warnings?page={wrong}", 422)


async def test_a_draft_and_what_was_never_sent_are_there_for_nobody(desk: Town) -> None:
    _, held = await desk.post(cap(), strict="false", release="false")
    for path in PAGES:
        assert held["warning_id"] not in await text(desk, path)
    await text(desk, f"/public/warnings/{held['warning_id']}", 404)
    for name in ("0001", "%3Cscript%3E", "a" * 32, "..%2f..%2fconsole"):
        assert "<script>" not in await text(desk, f"/public/warnings/{name}", 404)


async def test_no_drill_is_among_the_warnings_of_the_public(tmp_path: Path) -> None:
    """Not even on the server of a drill, which says on each page what it is."""
    async with open_town(tmp_path / "data", plane="drill") as drill:
        warning_id, number = await sent(drill, status="Exercise")
        for path in PAGES:
            page = await text(drill, path)
            assert warning_id not in page
            assert "Leave now." not in page
            assert "DRILL" in page
        await text(drill, f"/public/warnings/{number}", 404)


async def test_the_fragment_alone_may_stand_in_a_frame_and_json_is_for_any_origin(desk: Town) -> None:
    warning_id, number = await sent(desk)
    framed = {path: (await desk.get(path))[2]["Content-Security-Policy"] for path in PAGES}
    assert {"/public/status"} == {path for path, csp in framed.items() if "frame-ancestors *" in csp}
    assert all("script-src 'none'" in csp for csp in framed.values())
    status, body, headers = await desk.get("/public/status.json")
    said = json.loads(body)
    assert (200, "*") == (status, headers["Access-Control-Allow-Origin"])
    assert [(number, "orange", "active", False)] == [
        (one["number"], one["tier"], one["state"], one["checking"]) for one in said["in_force"]
    ]
    assert said["in_force"][0]["cap"].endswith(f"/cap/{warning_id}.xml")
    assert said["stale"] is False


async def test_the_first_page_stays_while_the_database_is_away(desk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known last, with its time and with what it is; and anew as soon as the database answers."""
    warning_id, _ = await sent(desk)
    await text(desk, "/")

    async def away(*_: object) -> boards.PublicBoard:
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"), connection_invalidated=True)

    monkeypatch.setattr(public_pages, "board", away)
    desk.clock.advance_to(desk.clock.now() + 60)
    for path in ("/", "/public/status"):
        page = await text(desk, path)
        assert "We cannot ask anew just now. This is what we knew at" in page
        assert warning_id in page
    assert json.loads((await desk.get("/public/status.json"))[1])["stale"] is True
    monkeypatch.undo()
    desk.clock.advance_to(desk.clock.now() + public_pages.BOARD_S)
    assert "We cannot ask anew" not in await text(desk, "/")


async def test_the_list_stays_while_the_database_is_away(desk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its time, past warnings too where they were read before; else what is in force; and anew once it answers."""
    over, _ = await sent(desk, expires=60)
    desk.clock.advance_to(desk.clock.now() + 7200)
    warning_id, _ = await sent(desk, "A-2")
    assert over in await text(desk, "/public/warnings")

    async def away(*_: object) -> boards.PublicBoard:
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"), connection_invalidated=True)

    monkeypatch.setattr(public_pages, "board", away)
    desk.clock.advance_to(desk.clock.now() + 60)
    page = await text(desk, "/public/warnings")
    assert "We cannot ask anew just now. This is what we knew at" in page
    assert warning_id in page
    assert over in page
    assert "is not known just now" in await text(desk, "/public/warnings?page=2", 503), "that one was never read"
    monkeypatch.undo()
    desk.clock.advance_to(desk.clock.now() + public_pages.BOARD_S)
    assert "We cannot ask anew" not in await text(desk, "/public/warnings")


async def test_the_list_says_what_the_first_page_knew(desk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody had asked for the list before, it names what is in force all the same."""
    warning_id, _ = await sent(desk)
    await text(desk, "/")

    async def away(*_: object) -> boards.PublicBoard:
        raise TimeoutError

    monkeypatch.setattr(public_pages, "board", away)
    desk.clock.advance_to(desk.clock.now() + 60)
    page = await text(desk, "/public/warnings")
    assert "We cannot ask anew just now." in page
    assert warning_id in page


async def test_a_first_page_that_never_knew_anything_says_so(desk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> boards.PublicBoard:
        raise TimeoutError

    monkeypatch.setattr(public_pages, "board", away)
    assert "is not known just now" in await text(desk, "/", 503)
    assert "is not known just now" in await text(desk, "/public/warnings", 503)


async def test_every_page_is_small_in_each_language(desk: Town) -> None:
    """Under 30 KB with its style, with ten warnings in force."""
    css = len((await desk.get("/static/tocsin.css"))[1])
    number = [(await sent(desk, f"A-{n}"))[1] for n in range(10)][-1]
    for path in (*PAGES, f"/public/warnings/{number}"):
        for lang in ("en", "zh-Hans"):
            assert css + len((await desk.get(f"{path}?lang={lang}"))[1]) < MOST, path


async def test_a_warning_of_yesterday_is_past_and_not_among_what_ended_today(desk: Town) -> None:
    warning_id, _ = await sent(desk, expires=60)
    desk.clock.advance_to(desk.clock.now() + 3600 + boards.ENDED_SHOWN_S - 60)
    assert warning_id in await text(desk, "/")
    assert "The time of this warning is over" in await text(desk, "/")
    desk.clock.advance_to(desk.clock.now() + 120)
    assert warning_id not in await text(desk, "/")
    assert warning_id in await text(desk, "/public/warnings")
    assert await desk.rows(sa.select(warning_state.c.warning_id).where(warning_state.c.state == "active"))
