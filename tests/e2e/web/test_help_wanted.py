"""What somebody who calls for help wants: asked after the call, all of it open, read at the desk and on the officer's list."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.shared.ledger.help_wanted import help_number, help_wanted
from services.shared.ledger.tables import delivery
from tests.e2e.web.test_accessible import LOOK
from tests.e2e.web.test_cases import texted
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 40
CALL_BACK = "+99970004444"
SMALL = {"width": 320, "height": 640}


async def test_what_help_is_asked_after_the_call_and_may_be_left_open(page: Page, desk: Page, tocsin: Town) -> None:
    """The same number on the page, at the desk and in the text; the number to call back is sealed, and opened by name."""
    warning_id = await tocsin.warn(alerts.flood("WANTED-1"), doors="safe")
    delivery_id = (await texted(tocsin, warning_id))[0]
    [row] = await tocsin.rows(sa.select(delivery).where(delivery.c.delivery_id == delivery_id))
    number = help_number((await tocsin.warning(warning_id)).chain_id, row.person_id)
    await page.set_viewport_size(SMALL)  # type: ignore[arg-type]
    link = tocsin.answer_link(delivery_id)
    await page.goto(f"{link}?lang=en")
    assert 0 == await page.locator("#wanted").count(), "nobody has called for help"
    await page.context.request.post(f"{link}/help", form={"what": "carry"})
    assert [] == await tocsin.rows(sa.select(help_wanted))
    await page.get_by_role("button", name="I need help").click()
    await tocsin.settle()
    said = await page.inner_text("main")
    assert f"We have your request. Number {number}." in said
    assert "If life is in danger call 12345." in said
    assert [] == await page.evaluate(LOOK)
    await page.get_by_label("Somebody to carry or support us").check()
    await page.fill("#people", "many")
    await page.fill("#number", "12")
    await page.get_by_role("button", name="Send this").click()
    assert "Type how many people need help" in await page.inner_text("[role=alert]")
    assert "12" == await page.input_value("#number"), "what was typed stands there still"
    assert await page.get_by_label("Somebody to carry or support us").is_checked()
    await page.fill("#people", "3")
    await page.get_by_role("button", name="Send this").click()
    assert "That is no phone number" in await page.inner_text("[role=alert]")
    await page.fill("#number", CALL_BACK)
    await page.get_by_role("button", name="Send this").click()
    assert "What you told us is kept." in await page.inner_text("main")
    assert "" == await page.input_value("#number")
    await page.get_by_label("A vehicle to leave with").check()  # changed, and the number stays
    await page.get_by_role("button", name="Send this").click()
    [kept] = await tocsin.rows(sa.select(help_wanted))
    assert ("carry,transport", 3) == (kept.what, kept.people)
    assert CALL_BACK.encode() not in kept.sealed
    assert CALL_BACK.encode() == await tocsin.opened(kept.sealed, kept.key_id, f"{delivery_id}:call back")
    await tocsin.settle()

    await desk.goto(f"{tocsin.url}/live/{warning_id}/cases")
    shown = await desk.inner_text("main")
    assert number in shown
    assert "Somebody to carry or support us" in shown
    assert "3 people" in shown
    assert "they gave a number to call back" in shown
    assert CALL_BACK not in await desk.content()
    await desk.get_by_label("Why you look").fill("I call back whoever asks for help")
    await desk.get_by_role("button", name="Names, streets and telephones").click()
    assert f"they asked to be called at {CALL_BACK}" in await desk.inner_text("main")
    status, told = await tocsin.call("GET", f"/report/{warning_id}/cases")
    assert 200 == status
    [one] = [c for c in told["cases"] if c["person_id"] == row.person_id]
    assert (number, ["carry", "transport"], 3, True) == tuple(
        one[name] for name in ("help_number", "wanted", "people", "call_back")
    )
    _, told = await tocsin.call("GET", f"/report/{warning_id}/cases", key=tocsin.reader)
    assert ("", [], 0) == tuple(told["cases"][0][name] for name in ("help_number", "wanted", "people"))

    await tocsin.at("+2 min")
    visits = await tocsin.rows(
        sa.select(delivery.c.slot).where(
            delivery.c.warning_id == warning_id, delivery.c.person_id == row.person_id, delivery.c.kind == "visit",
            delivery.c.slot != "",
        )
    )  # fmt: skip
    assert visits, "somebody goes there"
    await page.goto(f"{tocsin.url}/me?lang=en")
    await tocsin.open_list(page, tocsin.list_link(warning_id, visits[-1].slot))
    listed = await page.inner_text("main")
    assert "They called for help." in listed
    assert number in listed
    assert CALL_BACK in listed


async def test_the_text_says_the_number_too(tocsin: Town) -> None:
    """Whoever writes 2 gets the number that the desk reads."""
    warning_id = await tocsin.warn(alerts.flood("WANTED-2"))
    delivery_id = (await texted(tocsin, warning_id))[0]
    [row] = await tocsin.rows(sa.select(delivery).where(delivery.c.delivery_id == delivery_id))
    sender = tocsin.phone_of(delivery_id).number
    said = await tocsin.outside.sandbox.inbound(sender=sender, to="+15550100", body="2", key="SMwanted")
    number = help_number((await tocsin.warning(warning_id)).chain_id, row.person_id)
    assert re.fullmatch(r"H-\d{5}", number)
    assert number in str(said), said
