"""Whoever approves a warning sees which of our sentences nobody has checked, and what a named language changes."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from services.shared.draft_languages import using
from tests.integration.gateway.test_commands import tocsin
from tests.kit.square import cap
from tests.kit.town import open_town

SPANISH = """<info><language>es</language><category>Met</category><event>Inundación repentina</event>
<responseType>Evacuate</responseType><urgency>Immediate</urgency><severity>Unknown</severity><certainty>Likely</certainty>
<expires>2026-06-10T07:10:00-00:00</expires><senderName>Oficina de Emergencias</senderName>
<headline>Inundación repentina</headline><instruction>Deje su casa y suba a la escuela.</instruction>
<area><areaDesc>Hedong</areaDesc><polygon>30.0,103.0 30.0,103.1 30.1,103.1 30.1,103.0 30.0,103.0</polygon></area></info>"""
IN_BOTH = cap(severity="Unknown").replace(b"</alert>", SPANISH.encode() + b"</alert>")
MARK = "Our own sentences here are a draft"


@pytest.mark.parametrize(
    ("named", "there", "not_there"),
    [("", "Responda 1 si puede", "Salga ya."), ("es", "Salga ya. Vaya a un lugar alto.", "1 si puede")],
)
async def test_the_preview_marks_a_draft(tmp_path: Path, named: str, there: str, not_there: str) -> None:
    """Beside the Spanish texts, never beside the English ones; named, our own short text stands there."""
    with using():
        async with open_town(tmp_path / "data", draft_languages=named) as desk, aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Accept": "text/html", "Origin": desk.url}
        ) as browser:  # fmt: skip
            _, taken = await desk.post(IN_BOTH)
            assert "held" == taken["state"]
            async with browser.post(f"{desk.url}/console/sign-in", data={"key": desk.key}) as answer:
                assert 200 == answer.status
            async with browser.get(f"{desk.url}/live/{taken['warning_id']}/preview?waited=99") as answer:
                page = await answer.text()
    english, spanish = page[page.index("<h3>en-US</h3>") :].split("<h3>es</h3>")
    assert MARK in spanish
    assert MARK not in english
    assert there in spanish
    assert not_there not in spanish


async def test_show_marks_a_draft_and_reads_the_setting(tmp_path: Path) -> None:
    """`tocsin cap show` says it above the texts of that language; a language that is no draft stops every command."""
    (tmp_path / "a.xml").write_bytes(IN_BOTH)
    code, out, _ = await tocsin("cap", "show", "a.xml", cwd=tmp_path, COLUMNS="200", TOCSIN_DRAFT_LANGUAGES="es")
    assert 0 == code
    english, spanish = out.split("What people will read [es]")
    assert "our own sentences are a draft: nobody has checked them" in spanish
    assert "draft" not in english
    assert "Salga ya. Vaya a un lugar alto." in spanish
    code, _, err = await tocsin("check", cwd=tmp_path, TOCSIN_DRAFT_LANGUAGES="es,tlh")
    assert 2 == code
    assert "TOCSIN_DRAFT_LANGUAGES: there are no drafts in 'tlh': use " in err
