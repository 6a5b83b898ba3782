"""Whoever is paged opens the draft on a phone: a passkey, then one press, and it is out."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from playwright.async_api import Browser

from services.shared.ledger.params import Notice
from services.shared.ledger.tables import delivery
from services.shared.powers.pagers import pager
from tests.kit import alerts
from tests.kit.staff import browsing, invited, origin, stale
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 20
NUMBER = "+8613800138077"


@pytest.mark.long
async def test_paged_at_night_and_sent_by_one_press_after_the_passkey(browser: Browser, tocsin: Town) -> None:
    """The author asks for a second person; the approver's number gets text and call, and the page they lead to sends."""
    author_link, approver_link = (
        await invited(tocsin, "Sun Yu", "author"),
        await invited(tocsin, "Qian Lin", "approver"),
    )
    async with browsing(browser, tocsin) as author, browsing(browser, tocsin) as approver:
        await author.join(author_link)
        await approver.join(approver_link)
        await approver.goto("/people/pager")
        await approver.page.fill("#phone", NUMBER)
        await approver.page.get_by_role("button", name="Keep it, and send me a test").click()
        await approver.page.get_by_text("You are paged at …077, in place 1.").wait_for()
        await approver.page.get_by_role("button", name="Sign out").click()
        await approver.page.wait_for_url("**/console/sign-in")

        await author.goto("/console")
        await author.page.fill("#text", alerts.flood("PAGED-1"))
        await author.page.get_by_role("button", name="See whom it reaches").click()
        await author.page.wait_for_url("**/preview")
        warning_id = author.page.url.split("/live/")[1].split("/")[0]
        await tocsin.settle()
        await author.goto(f"/live/{warning_id}/preview")
        assert 0 == await author.page.locator("form[action$='/send']").count()
        await author.page.get_by_role("button", name="Ask a second person to send it").click()
        await author.page.get_by_text("Sun Yu asked for a second person").wait_for()
        await tocsin.settle()

        rows = await tocsin.rows(sa.select(delivery).where(delivery.c.kind == "notice", delivery.c.about_id != ""))
        (actor,) = [row.actor for row in await tocsin.rows(sa.select(pager))]
        pages = [r for r in rows if isinstance(r.params, Notice) and r.params.notice == "approve"]
        assert {("officer_sms", actor), ("officer_voice", actor)} == {(r.channel, r.addressee_id) for r in pages}
        assert {warning_id} == {r.params.words["about"] for r in pages}
        numbers = {await tocsin.opened(r.sealed, r.key_id, r.contact_id) for r in pages}
        assert {NUMBER.encode()} == numbers

        await approver.page.set_viewport_size({"width": 390, "height": 844})
        await approver.sign_in(f"/live/{warning_id}/preview")
        await stale(tocsin)
        await approver.goto(f"/live/{warning_id}/preview")
        await approver.page.locator("form[action$='/send'] button.danger").click()
        await approver.confirm()
        assert approver.page.url == f"{origin(tocsin)}/live/{warning_id}"
    assert "active" == await tocsin.state(warning_id)
    await tocsin.cancel(warning_id, "sent_by_mistake")
