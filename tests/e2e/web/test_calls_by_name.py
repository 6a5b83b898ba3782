"""Whoever may look sees who calls for help, by name, street and number, in one step, for a reason asked once a sign-in."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
import sqlalchemy as sa
from playwright.async_api import Page, expect

from services.router.store import tables
from services.router.store.cases import case
from services.shared.audit.trail import audit_log
from services.shared.powers.who import ACTIONS
from tests.e2e.web.test_accessible import LOOK
from tests.e2e.web.test_cases import texted, writes
from tests.integration.registry.conftest import opened_dossier
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 40
REASON = "I call back whoever asks for help"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def called(tocsin: Town) -> tuple[str, str]:
    """A warning under which two people have called for help, and the first one's id."""
    warning_id = await tocsin.warn(alerts.flood("NAMES-1"))
    for n, delivery_id in enumerate((await texted(tocsin, warning_id))[:2]):
        await writes(tocsin, delivery_id, "help please", f"SMnames{n}")
    await tocsin.settle()
    rows = await tocsin.rows(sa.select(case).where(case.c.warning_id == warning_id).order_by(case.c.opened_at))
    return warning_id, rows[0].person_id


async def looks_at(tocsin: Town, person_id: str) -> int:
    mine = (audit_log.c.act == "calls.open", audit_log.c.subject == person_id)
    return len(await tocsin.rows(sa.select(audit_log.c.n).where(*mine)))


async def test_names_in_one_step_for_a_reason_once(desk: Page, tocsin: Town, called: tuple[str, str]) -> None:
    warning_id, person_id = called
    (row,) = await tocsin.rows(
        sa.select(tables.path).where(tables.path.c.warning_id == warning_id, tables.path.c.person_id == person_id)
    )
    platform = tocsin.node.platform
    who = await opened_dossier(platform.database, platform.keys, tables.decode_person(row.entry).dossier, person_id)
    await desk.goto(f"{tocsin.url}/live/{warning_id}/cases")
    assert who.call_name not in await desk.content()
    await desk.get_by_label("Why you look").fill(REASON)
    await desk.get_by_role("button", name="Names, streets and telephones").click()
    shown = await desk.inner_text("main")
    assert who.call_name in shown
    assert who.address in shown
    assert re.fullmatch(r"tel:\+?[0-9]+", str(await desk.locator("a.button").first.get_attribute("href")))
    assert [] == await desk.evaluate(LOOK)

    await desk.goto(f"{tocsin.url}/live/{warning_id}/cases")
    assert 0 == await desk.get_by_label("Why you look").count()
    await desk.get_by_role("button", name="Names, streets and telephones").click()
    assert who.call_name in await desk.inner_text("main")
    looks = await tocsin.rows(
        sa.select(audit_log).where(audit_log.c.act == "calls.open", audit_log.c.subject == person_id)
    )
    assert [REASON, REASON] == [look.reason for look in looks]

    await desk.context.clear_cookies()  # another sign-in is asked again
    await desk.context.request.post(f"{tocsin.url}/console/sign-in", form={"key": tocsin.key})
    await desk.goto(f"{tocsin.url}/live/{warning_id}/cases")
    assert 1 == await desk.get_by_label("Why you look").count()
    await desk.get_by_label("Why you look").fill(" a   b")
    await desk.evaluate("document.querySelector('#reason').form.noValidate = true")
    await desk.get_by_role("button", name="Names, streets and telephones").click()
    assert who.call_name not in await desk.content()
    assert "say why you look" in await desk.inner_text("main")


async def test_what_is_taken_stays_in_its_place(desk: Page, tocsin: Town, called: tuple[str, str]) -> None:
    warning_id, _ = called
    await desk.goto(f"{tocsin.url}/live/{warning_id}/cases?kind=help")
    before = await desk.eval_on_selector_all("article", "found => found.map(one => one.id)")
    await desk.locator("article").first.get_by_role("button", name="I have it").click()
    await desk.wait_for_url(f"**/cases?*kind=help*#{before[0]}")
    assert before == await desk.eval_on_selector_all("article", "found => found.map(one => one.id)")
    await expect(desk.locator(f"#{before[0]}")).to_be_focused()
    assert "has it" in await desk.inner_text(f"#{before[0]}")
    assert [] == await desk.evaluate(LOOK)


async def test_who_may_not_look_gets_not_one_byte_of_a_name(desk: Page, tocsin: Town, called: tuple[str, str]) -> None:
    """Nor the order; and another's order opens nothing."""
    warning_id, person_id = called
    await desk.goto(f"{tocsin.url}/live/{warning_id}/cases")
    before = await looks_at(tocsin, person_id)
    await desk.get_by_label("Why you look").fill(REASON)
    await desk.get_by_role("button", name="Names, streets and telephones").click()
    await desk.wait_for_url("**/open/calls/*")
    order, before = desk.url.rpartition("/")[2], before + 1
    blind = await tocsin.new_key(label="desk without look", actions=[a for a in ACTIONS if a != "look"])
    other = await tocsin.new_key(label="another desk", actions=list(ACTIONS))
    status, body, _ = await tocsin.get(f"/live/{warning_id}/cases", {"Authorization": f"Bearer {blind}"})
    assert (200, False, False) == (status, b"/names" in body, b"/path/" in body)
    for key in (blind, other):
        status, _, _ = await tocsin.get(f"/open/calls/{order}", {"Authorization": f"Bearer {key}"})
        assert status in (401, 403)
    assert 403 == (await tocsin.get(f"/open/calls/{'f' * 32}", {"Authorization": f"Bearer {tocsin.key}"}))[0]
    assert before == await looks_at(tocsin, person_id)
