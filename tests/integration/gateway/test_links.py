"""Links in what authorities write: only those to allowed hosts reach people, and what was taken out is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.cap import read
from services.shared.errors import Refused
from services.shared.ledger.warnings import warning_text
from services.shared.settings import Settings
from tests.kit import alerts
from tests.kit.town import Town, open_town

EVIL = "http://evil.test/pay"


def linked() -> str:
    """A flood whose words, page and contact lead elsewhere."""
    info = alerts.info(instruction=f"Leave now, uphill. More at {EVIL}. Do not drive.")
    info = info.replace("<instruction>", f"<instruction>{EVIL} ").replace(
        "</instruction>", f"</instruction><web>{EVIL}</web><contact>12345 or {EVIL}</contact>"
    )
    return alerts.alert("LINKED-1", info)


async def parts_of(desk: Town, warning_id: str) -> str:
    rows = await desk.rows(warning_text.select().where(warning_text.c.warning_id == warning_id))
    return str(rows[0].parts)


@pytest.mark.parametrize("release", ["true", "false"])
async def test_a_link_elsewhere_goes_and_the_warning_goes_out(tmp_path: Path, release: str) -> None:
    """From texts, drafts' too, and from what we publish; the note names link and hosts."""
    async with open_town(tmp_path, start=alerts.START, public_url="https://warn.example.org") as desk:
        desk.url = "http://127.0.0.1:{1}".format(*desk.node.runner.addresses[0])
        status, taken = await desk.post(linked().encode(), strict="false", release=release)
        assert 202 == status
        (note,) = [note for note in taken["notes"] if note.startswith("links are taken out")]
        assert f"({EVIL})" in note
        assert "only those to warn.example.org" in note
        await desk.call("POST", f"/api/v1/warnings/{taken['warning_id']}/release", {})
        parts = await parts_of(desk, taken["warning_id"])
        assert "evil" not in parts.replace(note, "")
        assert "Leave now, uphill. More at. Do not drive." in parts
        _, document, _ = await desk.get(f"/cap/{taken['warning_id']}.xml")
        assert b"evil" not in document
        (info,) = read(document).alerts[0].infos
        number = (await desk.warning(taken["warning_id"])).number
        assert f"https://warn.example.org/public/check?number={number}" == info.web
        assert info.contact.startswith("12345 or")


async def test_a_link_to_an_allowed_host_stays(tmp_path: Path) -> None:
    """As it is, without a note; hosts are those of the setting and all below them."""
    async with open_town(tmp_path, start=alerts.START, link_hosts="met.example, evil.test") as desk:
        status, taken = await desk.post(linked().replace("evil.test", "www.evil.test").encode(), strict="false")
        assert (202, []) == (status, [note for note in taken["notes"] if "links" in note])
        assert "More at http://www.evil.test/pay." in await parts_of(desk, taken["warning_id"])
        _, document, _ = await desk.get(f"/cap/{taken['warning_id']}.xml")
        assert "http://www.evil.test/pay" == read(document).alerts[0].infos[0].web


def test_a_host_is_a_name() -> None:
    """Not an address."""
    with pytest.raises(Refused, match=r"TOCSIN_LINK_HOSTS: 'https://met.example' is no name of a host"):
        Settings(link_hosts="a.example,https://met.example")
