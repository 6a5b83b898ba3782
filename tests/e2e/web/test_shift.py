"""What a shift hands over: a note that outlives an update, who did what, the whole to print, and files no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.router.report import report
from services.router.store.tables import path
from services.shared.audit.trail import audit_log
from services.shared.powers.who import ACTIONS
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24


async def test_a_note_is_kept_for_the_next_shift(desk: Page, tocsin: Town, tmp_path: Path) -> None:
    warning_id = await tocsin.warn(alerts.flood("SHIFT-1"))
    await desk.goto(f"{tocsin.url}/live/{warning_id}?still=1")
    await desk.get_by_role("link", name="Handover, acts, print, lists").click()
    await desk.get_by_label("What the next one must know").fill("x")
    await desk.evaluate("document.querySelector('#text').form.noValidate = true")
    await desk.get_by_role("button", name="Keep it").click()
    assert "2 to 2,000 characters" in await desk.inner_text("#problem")
    await desk.get_by_label("What the next one must know").fill("The bridge is closed.\nAsk Li <b>first</b>.")
    await desk.get_by_role("button", name="Keep it").click()
    await desk.wait_for_url("**/shift")
    shown = await desk.inner_text("main")
    assert "The bridge is closed.\nAsk Li <b>first</b>." in shown
    assert "wrote a handover note" in shown
    assert "sent the warning" in shown
    assert 0 == await desk.locator("main code").count()
    assert [] == await desk.evaluate(LOOK)
    await desk.goto(f"{tocsin.url}/live/{warning_id}/all")
    whole = await desk.inner_text("main")
    for said in ("The bridge is closed.", "people open", "By village", "Who did what, when", "Who is missing"):
        assert said in whole
    assert [] == await desk.evaluate(LOOK)
    pdf = await desk.pdf(path=tmp_path / "all.pdf", format="A4")
    assert pdf.startswith(b"%PDF")


async def test_files_say_what_the_page_says(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file names all who are missing, also where the page shows the first of them."""
    monkeypatch.setattr(report, "MISSING_SHOWN", 3)
    warning_id = await tocsin.warn(alerts.flood("SHIFT-2"))
    mine = {"Authorization": f"Bearer {tocsin.key}"}
    status, body, headers = await tocsin.get(f"/live/{warning_id}/figures.csv", mine)
    assert (200, True) == (status, headers["Content-Disposition"].startswith("attachment"))
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    paths = await tocsin.rows(sa.select(path).where(path.c.warning_id == warning_id, sa.not_(path.c.outside)))
    assert ["all", "", str(len(paths))] == rows[1][:3]
    assert len(paths) == sum(int(row[2]) for row in rows if row[0] == "village")
    status, body, _ = await tocsin.get(f"/live/{warning_id}/missing.csv", mine)
    found = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
    assert (200, {p.person_id for p in paths if p.state == "open"}) == (status, {row["person"] for row in found})
    assert 1 == len(await tocsin.rows(sa.select(audit_log).where(audit_log.c.act == "missing.file")))


async def test_what_is_printed_is_everybody(desk: Page, tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """All who are missing stand there, where the live page shows the first; and it says that nobody is left off."""
    monkeypatch.setattr(report, "MISSING_SHOWN", 3)
    warning_id = await tocsin.warn(alerts.flood("SHIFT-4"))
    paths = await tocsin.rows(sa.select(path).where(path.c.warning_id == warning_id, path.c.state == "open"))
    assert len(paths) > 3
    await desk.goto(f"{tocsin.url}/live/{warning_id}/all")
    section = desk.locator("section[aria-labelledby=missing]")
    assert len(paths) == await section.locator("tbody tr").count()
    assert "Who is missing" == await section.locator("h2").inner_text()


async def test_who_may_not_look_gets_no_person(tocsin: Town) -> None:
    warning_id = await tocsin.warn(alerts.flood("SHIFT-3"))
    key = await tocsin.new_key(label="watches", actions=[a for a in ACTIONS if a not in ("look", "command")])
    mine = {"Authorization": f"Bearer {key}"}
    people = [p.person_id for p in await tocsin.rows(sa.select(path).where(path.c.warning_id == warning_id))]
    assert people
    for address in ("all", "shift", "figures.csv"):
        status, body, _ = await tocsin.get(f"/live/{warning_id}/{address}", mine)
        assert (200, []) == (status, [p for p in people if p[:8].encode() in body]), address
    assert 403 == (await tocsin.get(f"/live/{warning_id}/missing.csv", mine))[0]
    other = await tocsin.new_key(name="Beitan Village", label="beitan")
    for address in ("all", "shift", "figures.csv", "missing.csv"):
        status, _, _ = await tocsin.get(f"/live/{warning_id}/{address}", {"Authorization": f"Bearer {other}"})
        assert status in (403, 404), address
