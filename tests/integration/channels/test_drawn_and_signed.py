"""Drawings, films in sign language and the card at the door: beside the words, on the pages they are for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from services.channels.messages import list_links
from services.channels.messages.announcement import read_wav, silence, write_wav
from services.channels.messages.card_phrases import ANSWERS, PHRASES, findings, phrases_of, tags
from services.channels.pages import sign_videos
from services.channels.pages.store import LISTED
from services.commands import texts
from services.shared.hazards import known
from services.shared.hazards.instructions import INSTRUCTIONS, shown_at
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from services.shared.tiers import Tier
from services.shared.web import pictograms
from tests.kit import alerts
from tests.kit.town import Town, open_town


def test_every_instruction_and_hazard_is_drawn() -> None:
    """One drawing each, beside words and silent there; said where no word stands beside it; nothing for what is not drawn."""
    lacking = {*INSTRUCTIONS, *known(), *ANSWERS} - {*pictograms.NAMES}
    assert set() == lacking
    assert 'aria-hidden="true"' in pictograms.pictogram("leave")
    assert 'aria-label="&lt;Yes&gt;"' in pictograms.pictogram("yes", "<Yes>")
    assert "" == pictograms.pictogram("nothing_of_ours")


def test_phrases_are_whole_in_every_language() -> None:
    """Each phrase in each language, one thing a phrase; traditional script by conversion; English for a language without."""
    assert [] == list(findings())
    assert {"en", "zh", "es", "fr", "ar", "vi"} <= set(tags())
    for tag in tags():
        assert {*ANSWERS, *PHRASES} <= phrases_of(tag).keys()
        assert all(0 < len(phrases_of(tag)[key]) <= 70 for key in PHRASES)
    assert "這裡有危險。" == phrases_of("zh-TW")["danger"]
    assert phrases_of("en") == phrases_of("th")


async def answer_page(town: Town, number: str, language: str = "en", tier: str = "red") -> str:
    """The page behind the link of somebody's SMS."""
    warning_id = await town.warn(alerts.flood(number) if tier == "red" else alerts.held(number), tier, "safe")
    await town.settle()
    rows = await town.rows(
        sa.select(delivery).where(delivery.c.warning_id == warning_id, delivery.c.addressee_kind == "person")
    )
    token = town.node.platform.signer("links").token("answer", rows[0].delivery_id)
    async with town.session.get(f"{town.url}/a/{token}?lang={language}") as got:
        assert 200 == got.status
        return await got.text()


async def test_the_page_shows_what_to_do_and_says_that_there_is_no_film(tmp_path: Path) -> None:
    async with open_town(people=40) as town:
        page = await answer_page(town, "DRAWN-1")
    assert 2 == page.count('class="pictogram"')
    assert "There is no film in sign language for this warning." in page
    assert "I am leaving" in page
    assert "<video" not in page


async def test_a_film_of_the_operator_is_played(tmp_path: Path) -> None:
    """By hazard, instruction and sign language; in pieces; and no other file of that folder or beside it."""
    films = tmp_path / "films"
    films.mkdir()
    (films / "flash_flood.leave.csl.mp4").write_bytes(b"0123456789")
    (films / "flash_flood.stay_in.csl.mp4").write_bytes(b"no")
    (films / "notes.txt").write_text("secret")
    async with open_town(people=40, sign_videos=films) as town:
        page = await answer_page(town, "SIGNED-1")
        assert ["/a/signs/flash_flood.leave.csl.mp4"] == re.findall(r'<video[^>]*src="([^"]+)"', page)
        assert "There is no film" not in page
        async with town.session.get(
            f"{town.url}/a/signs/flash_flood.leave.csl.mp4", headers={"Range": "bytes=2-4"}
        ) as got:
            assert (206, b"234", "video/mp4") == (got.status, await got.read(), got.content_type)
        for other in ("notes.txt", "..%2Fnotes.txt", "flash_flood.leave.ase.mp4", "x"):
            async with town.session.get(f"{town.url}/a/signs/{other}") as got:
                assert 404 == got.status, other


async def test_the_warning_can_be_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A synthetic voice in the page's language, made once; the operator's own recording wins; none of what nobody asks."""
    recorded = write_wav([silence(0.25)])
    (tmp_path / "flash_flood.red.zh.wav").write_bytes(recorded)
    monkeypatch.setenv("TOCSIN_DEVICES_RECORDINGS", str(tmp_path))
    async with open_town(people=40) as town:
        page = await answer_page(town, "HEARD-1")
        (src,) = re.findall(r'<audio[^>]*src="([^"]+)"', page)
        async with town.session.get(f"{town.url}{src}") as got:
            spoken = await got.read()
            assert (200, "audio/wav") == (got.status, got.content_type)
        assert read_wav(spoken).seconds > 5
        async with town.session.get(f"{town.url}{src}") as got:
            assert spoken == await got.read()
        async with town.session.get(f"{town.url}{src.split('?')[0]}?lang=zh-CN") as got:
            assert recorded == await got.read()


async def test_below_red_no_drawing_and_no_film_sends_everybody_away(tmp_path: Path) -> None:
    """At orange the slow ones go and the others get ready: a film that says leave would tell deaf people alone to leave."""
    (tmp_path / "flash_flood.leave.csl.mp4").write_bytes(b"x")
    async with open_town(people=40, sign_videos=tmp_path) as town:
        page = await answer_page(town, "ORANGE-1", tier="orange")
    assert "Slow ones go now" in page
    assert 1 == page.count('class="pictogram"'), "the hazard's alone"
    assert "<video" not in page
    assert ["leave", "", "", "avoid"] == [
        shown_at(tier, told)
        for tier, told in (
            (Tier.RED, "leave"),
            (Tier.ORANGE, "leave"),
            (Tier.YELLOW, "stay_in"),
            (Tier.ORANGE, "avoid"),
        )
    ]


async def test_what_holds_no_longer_is_not_played(tmp_path: Path) -> None:
    """The link was kept: "leave now" is not heard after the end."""
    async with open_town(people=40) as town:
        page = await answer_page(town, "OVER-1")
        (src,) = re.findall(r'<audio[^>]*src="([^"]+)"', page)
        (active,) = await town.rows(sa.select(warning_state.c.warning_id).where(warning_state.c.state == "active"))
        status, _ = await town.call(
            "POST", f"/api/v1/warnings/{active.warning_id}/cancel", {"ending": "sent_by_mistake", "reason": "a test"}
        )
        assert 202 == status
        async with town.session.get(f"{town.url}{src}", headers={"Accept": "application/json"}) as got:
            assert 404 == got.status
            assert "holds no longer" in await got.text()


def test_a_film_that_nothing_finds_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose name is no hazard, no instruction or no language is played to nobody: `texts check` names it."""
    for name in ("flash_flood.leave.csl.mp4", "flod.leave.csl.mp4", "flash_flood.run.csl.mp4", "flash_flood.leave.mp4"):
        (tmp_path / name).write_bytes(b"x")
    said = sign_videos.findings(tmp_path)
    assert ["flash_flood.leave.mp4: name", "flash_flood.run.csl.mp4: run", "flod.leave.csl.mp4: flod"] == [
        " ".join(one.split()[:2]) for one in said
    ]
    monkeypatch.setenv("TOCSIN_SIGN_VIDEOS", str(tmp_path))
    assert "flod is no hazard" in CliRunner().invoke(texts.app, ["check"]).output


async def test_an_officer_shows_a_card_at_the_door() -> None:
    """On the list, without a network: drawings inline, the warning's words in each of its languages, phrases, yes, no, help."""
    async with open_town(people=60) as town:
        warning_id = await town.warn(alerts.flood("CARD-1"), "red", "safe")
        await town.at("+20 min")
        mine = (
            delivery.c.warning_id == warning_id, delivery.c.kind == "visit", delivery.c.slot != list_links.RESCUE,
            delivery.c.send_state.in_(LISTED),
        )  # fmt: skip
        slots = [row.slot for row in await town.rows(sa.select(delivery).where(*mine)) if row.slot]
        link = town.list_link(warning_id, slots[0])
        phone = await town.phone_for_lists(link)
        async with phone, phone.get(f"{link}?lang=en") as got:
            page = await got.text()
    card = page.split('id="card"')[1].split("</article>")[-1]
    assert 5 == card.count('class="pictogram"')
    assert "Leave now" in card
    assert "现在离家" in card
    for tag in tags():
        assert phrases_of(tag)["come"].replace("'", "&#39;") in card
    assert 'aria-label="Yes"' in card
