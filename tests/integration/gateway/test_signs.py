"""No sign that turns the reading direction, and none that nobody sees, is on a page or in what is said, however it came in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.cap.text import clean
from services.shared.text.invisible_signs import BIDI, CONTROL, plain_signs
from services.shared.web.html import Written, rendered
from tests.kit.town import Town, open_town

SIGNS = "\u202e\u202a\u2066\u2069\x00\x1b\x9b\ufeff\U000e0041"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path / "data") as made:
        yield made


def body(**texts: str) -> dict[str, Any]:
    said = {"source": "County", "hazard": "Flood", "place": "Hedong", "action": "Leave now."} | texts
    return {
        "identifier": "J-1", "sender": "a@qingshui.example", "sent": "2026-06-10T01:10:00+00:00",
        "expires": "2026-06-10T07:10:00+00:00", "tier": "red", "texts": {"en": said},
        "circle": {"lat": 30.0, "lon": 103.0, "radius_km": 2},
    }  # fmt: skip


async def test_a_warning_given_as_json_turns_nothing_round(desk: Town) -> None:
    """On the check page, the console, the live page, its preview, the feeds and the document; RLM and ZWJ stay."""
    signs = SIGNS.replace("\x00", "")
    sent = body(
        source=f"{signs}County", hazard=f"Fl{signs}ood", place=f"Hed\u200fong{signs}", action=f"Leave{signs} now.\u200d"
    )
    status, taken = await desk.call("POST", "/api/v1/warnings?doors=safe", sent)
    assert 202 == status, taken
    while await desk.node.step():
        pass
    number = (await desk.call("GET", f"/api/v1/warnings/{taken['warning_id']}"))[1]["number"]
    mine = {"Authorization": f"Bearer {desk.key}", "Accept": "text/html"}
    pages = (
        f"/public/check?number={number}",
        "/console",
        f"/live/{taken['warning_id']}",
        "/cap/atom.xml",
        "/cap/feed.json",
    )
    for path in (*pages, f"/cap/{taken['warning_id']}.xml"):
        status, page, _ = await desk.get(path, mine)
        text = page.decode()
        assert 200 == status, path
        assert [] == [hex(ord(c)) for c in text if BIDI.match(c) or CONTROL.match(c)], path
    text = (await desk.get(pages[0]))[1].decode()
    assert "Hed\u200fong" in text
    assert "Leave now.\u200d" in text


async def test_nothing_but_such_signs_is_no_text(desk: Town) -> None:
    """What is left after cleaning is measured: a place of two signs nobody sees is no place."""
    status, told = await desk.call("POST", "/api/v1/warnings", body(place="\u202e\u202c\u2066"))
    assert (422, "texts.en.place") == (status, told["field"])


async def test_a_reason_somebody_gives_turns_no_page_round(desk: Town) -> None:
    """Not only texts: whatever a page shows of what was typed."""
    key = await desk.new_key(label="duty \u202eksed")
    status, page, _ = await desk.get("/console", {"Authorization": f"Bearer {key}", "Accept": "text/html"})
    assert (200, True, False) == (status, "duty ksed" in page.decode(), "\u202e" in page.decode())


@given(st.text())
def test_signs_are_the_same_for_both_ways_in(text: str) -> None:
    assert plain_signs(plain_signs(text)) == plain_signs(text)
    assert clean(text) == clean(plain_signs(text))


def test_what_somebody_goes_on_writing_is_shown_as_it_was_written() -> None:
    """A signed alert that is pasted again keeps every sign its signature is about."""
    text = rendered(
        "sign_in.html", who=None, wrong=False, text=Written("<alert>\u202e</alert>"), plane="live", people=False,
        options="", elsewhere="", office="", to="/console", problem="", login="",
    )  # fmt: skip
    assert "&lt;alert&gt;\u202e&lt;/alert&gt;" in text


@pytest.mark.parametrize(
    "language",
    ['xx"/><Dial>+88213123456</Dial><Say language="en', 'zh"', "en<", "", "x" * 200, "中文", 'en-GB" voice="x'],
)
def test_a_language_opens_no_call(language: str) -> None:
    """Whatever stands as a language in the register: the provider's document has our verbs and voices alone."""
    from lxml import etree

    from services.channels.drivers.twilio import voice

    said = voice.document("Leave <now> & go.", language, "https://warn.example.org/callbacks/x", keys="Press 1.")
    document = etree.fromstring(said.encode())
    assert {"Response", "Gather", "Say", "Pause"} == {one.tag for one in document.iter()}
    spoken = {one.get("language") for one in document.iter("Say")}
    assert spoken <= set(voice.VOICES.values())
