"""In which language a page and a problem document are: what was chosen, else what the caller accepts, else English."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.shared import i18n
from tests.kit import pseudo
from tests.kit.town import Town, open_town

PAGE = {"Accept": "text/html"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path / "data") as made:
        yield made


async def test_a_page_is_in_the_language_that_is_accepted(desk: Town) -> None:
    """Said in the page and to caches, with a link to every other language that keeps what was asked."""
    for accepted, tag, words in (
        ("", "en", "Is this message real?"),
        ("zh-CN,en;q=0.5", "zh-Hans", "这条信息是真的吗?"),
    ):
        _, body, headers = await desk.get("/public/check?number=4721", PAGE | {"Accept-Language": accepted})
        assert f'<html lang="{tag}" dir="ltr">' in body.decode()
        assert words in body.decode()
        assert "Accept-Language" in headers["Vary"]
        for other in ("en", "zh-Hans"):
            assert f'href="?number=4721&amp;lang={other}"' in body.decode()


async def test_a_chosen_language_is_kept(desk: Town) -> None:
    """By a cookie no script reads, for every page from then on; a word that is no language of ours chooses nothing."""
    _, _, headers = await desk.get("/public/check?lang=zh", PAGE)
    assert headers["Set-Cookie"].startswith("tocsin_lang=zh-Hans;")
    assert "HttpOnly" in headers["Set-Cookie"]
    kept = PAGE | {"Cookie": "tocsin_lang=zh-Hans"}
    _, body, _ = await desk.get("/console/sign-in", kept)
    assert "登录以发布预警" in body.decode()
    _, body, headers = await desk.get("/console/sign-in?lang=tlh", kept)
    assert "登录以发布预警" in body.decode()
    assert "Set-Cookie" not in headers


async def test_a_problem_document_says_its_sentences_in_the_callers_language(desk: Town) -> None:
    """Title and remedy; field, rule and what was given are a machine's and stay."""
    found = {}
    for accepted in ("en", "zh"):
        body = b'{"texts": 3}'
        headers = {"Authorization": f"Bearer {desk.key}", "Content-Type": "text/plain", "Accept-Language": accepted}
        async with desk.session.post(f"{desk.url}/api/v1/warnings", data=body, headers=headers) as response:
            found[accepted] = json.loads(await response.read())
    assert "content type text/plain is not known" in found["en"]["title"]
    assert "不认识内容类型text/plain" in found["zh"]["title"]
    assert {k: v for k, v in found["en"].items() if k != "title"} == {
        k: v for k, v in found["zh"].items() if k != "title"
    }
    _, body, _ = await desk.get("/api/v1/nothing", {"Accept-Language": "zh"})
    assert "这个地址什么都没有" == json.loads(body)["title"]


async def test_a_page_is_read_from_right_to_left(desk: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a language that was added as a folder: direction on the page, the switch shows it, no English is left."""
    pseudo.write(tmp_path / "locale")
    monkeypatch.setattr(i18n, "FOLDER", tmp_path / "locale")
    _, body, _ = await desk.get("/public/check?lang=ar-XB", PAGE)
    assert '<html lang="ar-XB" dir="rtl">' in body.decode()
    assert pseudo.said("Is this message real?") in body.decode()
    assert f'lang="ar-XB" hreflang="ar-XB" dir="rtl" aria-current="true">{pseudo.NAME}' in body.decode()
    assert "message" not in body.decode()
