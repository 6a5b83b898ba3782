"""The cases page in a real browser without JavaScript: what people wrote, whose it is, and the answer that goes back."""

from __future__ import annotations

import os

import aiohttp
import msgspec
import pytest
import sqlalchemy as sa
from playwright.async_api import Browser, Page

from services.router.store import tables
from services.router.store.cases import event
from services.shared.ledger.answers import answer_log
from services.shared.ledger.params import Callout
from services.shared.ledger.tables import delivery
from tests.e2e.web.conftest import PHONE
from tests.e2e.web.test_accessible import LOOK
from tests.integration.registry.conftest import opened_dossier
from tests.kit import alerts
from tests.kit.town import Town
from tools.servers import commands

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 60


async def writes(tocsin: Town, delivery_id: str, text: str, key: str) -> None:
    """The phone that a delivery came to writes back."""
    await tocsin.phone_of(delivery_id).writes(text, key)


async def texted(tocsin: Town, warning_id: str) -> list[str]:
    """Deliveries by SMS to one person each, that were handed over and not answered."""
    mine = sa.select(delivery.c.delivery_id).where(
        delivery.c.warning_id == warning_id, delivery.c.channel == "sms", delivery.c.covers == 1, delivery.c.answer == "",
        delivery.c.addressee_kind == "person", delivery.c.attempts > 0,
        delivery.c.address_key.in_(
            sa.select(delivery.c.address_key).where(delivery.c.warning_id == warning_id)
            .group_by(delivery.c.address_key).having(sa.func.count() == 1)
        ),
    )  # fmt: skip
    return [row.delivery_id for row in await tocsin.rows(mine.order_by(delivery.c.delivery_id))]


@pytest.mark.long
async def test_a_case_from_the_phone_to_its_answer(desk: Page, browser: Browser, tocsin: Town) -> None:
    """Help and a question come in, are told nobody's, taken by name, answered to the phone, handed over and closed."""
    warning_id = await tocsin.warn(alerts.flood("CASES-1"))
    first, second, third = (await texted(tocsin, warning_id))[:3]
    await writes(tocsin, first, "help please, my mother cannot walk <script>document.title='owned'</script>", "SMa")
    await writes(tocsin, second, "Where is the shelter? My dog is ill.", "SMb")
    await writes(tocsin, second, "Where is the shelter? My dog is ill.", "SMb")
    await writes(tocsin, third, "I don't need help", "SMc")
    await desk.goto(f"{tocsin.url}/live/{warning_id}?still=1")
    shown = await desk.inner_text("section[aria-labelledby=help]")
    assert "1 call for help is open, 2 questions" in shown
    assert "NO OWNER" in shown
    await desk.get_by_role("link", name="Take, answer or close them (3)").click()
    assert "3 cases are open, 3 without an owner" == await desk.inner_text("h1")
    help_case, urgent, question = (desk.locator("article").nth(n) for n in range(3))
    assert "my mother cannot walk <script>" in await help_case.inner_text()
    assert "2:00 left" in await help_case.inner_text()
    assert "I don't need help" in await urgent.inner_text()
    assert 1 == (await question.inner_text()).count("Where is the shelter?")

    await tocsin.at("+150 s")
    await desk.get_by_role("link", name="Look again").click()
    help_case = desk.locator("article", has_text="my mother cannot walk")  # others have asked for help meanwhile
    assert "2 min without an owner" in await help_case.inner_text()
    assert "nobody has it: told" in await help_case.inner_text()
    await help_case.get_by_role("button", name="I have it").click()
    await desk.wait_for_url("**/cases#case-*")
    taken = desk.locator("article", has_text="my mother cannot walk")
    assert "duty officer has it" in await taken.inner_text()

    asked = desk.locator("article", has_text="Where is the shelter?")
    await asked.locator("summary", has_text="Answer the phone").click()
    await asked.get_by_label("My own words:").check()
    await asked.get_by_role("button", name="Send").click()
    assert "text: write what is to be sent" in await desk.inner_text("#problem")
    asked = desk.locator("article", has_text="Where is the shelter?")
    await asked.get_by_label("My own words:").check()
    await asked.get_by_label("My own words (no names").fill("Nanling School is open. Dogs may come.")
    await asked.get_by_role("button", name="Send").click()
    await desk.wait_for_url("**/cases#case-*")
    await tocsin.settle()
    (sent,) = await tocsin.rows(sa.select(delivery).where(delivery.c.reason == "case_own"))
    (to,) = await tocsin.rows(sa.select(delivery).where(delivery.c.delivery_id == second))
    assert (to.address_key, "notice", "") == (sent.address_key, sent.kind, sent.warning_id)
    tocsin.phone_of(sent.delivery_id).expect_sms("Nanling School is open. Dogs may come.")

    await taken.locator("summary", has_text="Hand over or close").click()
    await taken.get_by_label("Hand over to (name)").fill("Li, fire service")
    await taken.get_by_role("button", name="Hand over").click()
    assert "Li, fire service has it" in await taken.inner_text()
    await taken.locator("summary", has_text="Hand over or close").click()
    await taken.get_by_label("Close, because").fill("fetched by boat")
    await taken.get_by_role("button", name="Close it").click()
    assert "fetched by boat" in await desk.inner_text("section[aria-labelledby=closed]")
    assert 0 == await desk.locator("article", has_text="my mother cannot walk").count()

    for size in (PHONE, {"width": 320, "height": 800}, {"width": 1280, "height": 900}):
        looked = await browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            bypass_csp=True, extra_http_headers={"Authorization": f"Bearer {tocsin.key}"},
        )  # fmt: skip
        page = await looked.new_page()
        await page.goto(f"{tocsin.url}/live/{warning_id}/cases")
        for summary in await page.locator("summary").all():
            await summary.click()
        assert [] == await page.evaluate(LOOK)
        await looked.close()


async def test_what_is_wrong_is_said_and_changes_nothing(client: aiohttp.ClientSession, tocsin: Town) -> None:
    """No key, a key that may only read, no such case, a word nobody knows, a case that is closed."""
    warning_id = await tocsin.warn(alerts.flood("CASES-2"))
    await writes(tocsin, (await texted(tocsin, warning_id))[0], "which road is open?", "SMd")
    url = f"{tocsin.url}/report/{warning_id}/cases"
    may, reads = ({"Authorization": f"Bearer {key}"} for key in (tocsin.key, tocsin.reader))
    async with client.get(url) as response:
        assert 401 == response.status
    async with client.get(f"{tocsin.url}/report/{'0' * 32}/cases", headers=reads) as response:
        assert 404 == response.status
    async with client.get(url, headers=reads) as response:
        told_of = await response.json()
    (hidden,) = told_of["cases"]
    assert ("", [], "") == (hidden["person_id"], hidden["needs"], hidden["zone_id"])
    assert not any(e["words"] for e in hidden["history"])
    for address in (f"/live/{warning_id}", f"/live/{warning_id}/cases"):
        async with client.get(tocsin.url + address, headers=reads) as response:
            assert "which road is open" not in await response.text()
    async with client.get(url, headers=may) as response:
        told_of = await response.json()
    (found,) = told_of["cases"]
    assert found["case_id"] == hidden["case_id"]
    assert {"open": 1, "help": 0, "question": 1, "nobodys": 1} == told_of["totals"]
    assert ("question", "open") == (found["kind"], found["state"])
    shown = await commands.run("cases", warning_id, "--url", tocsin.url, "--key", tocsin.key, env=os.environ)
    told = shown.out.splitlines()
    assert 0 == shown.code, shown.err
    assert f"question {found['person_id'][:8]}, 0 min: NO OWNER, 600 s left" == told[0]
    assert [
        "  'which road is open?'",
        f"1 open; take, answer or close them at {tocsin.url}/live/{warning_id}/cases",
    ] == told[1:]
    one = f"{url}/{found['case_id']}"
    before = await tocsin.rows(sa.select(event))
    for headers, where, body, status, field in (
        (reads, one, {"act": "take"}, 403, "Authorization"),
        (may, f"{url}/{'0' * 32}", {"act": "take"}, 404, "case_id"),
        (may, one, {"act": "forget"}, 422, "act"),
        (may, one, {"act": "close"}, 422, "reason"),
        (may, one, {"act": "hand_over", "to": "x"}, 422, "to"),
        (may, one, {"act": "answer", "sentence": "own", "text": "x" * 301}, 422, "text"),
        (may, one, {"act": "take", "extra": 1}, 422, "extra"),
    ):
        async with client.post(where, headers=headers, json=body) as response:
            assert (status, field) == (response.status, (await response.json(content_type=None))["field"])
    assert before == await tocsin.rows(sa.select(event))
    async with client.post(one, headers=may, json={"act": "close", "reason": "told by the warden"}) as response:
        assert "closed" == (await response.json())["state"]
    async with client.post(one, headers=may, json={"act": "take"}) as response:
        assert 409 == response.status


async def test_stop_by_text_ends_texts_and_never_the_path(desk: Page, tocsin: Town) -> None:
    """The number said STOP: the path says so, goes on by another channel or to the door, and the answer is not lost."""
    await tocsin.at("+1 s")  # the newest warning is the one a phone speaks of
    warning_id = await tocsin.warn(alerts.flood("STOP-1"), doors="safe")
    (first, *_) = await texted(tocsin, warning_id)
    (row,) = await tocsin.rows(sa.select(delivery).where(delivery.c.delivery_id == first))
    await writes(tocsin, first, "STOP", "SMe")
    assert [("", "", "STOP")] == [
        (a.answer, a.asks, a.note)
        for a in await tocsin.rows(sa.select(answer_log).where(answer_log.c.delivery_id == first))
    ]
    again = await tocsin.warn(alerts.flood("STOP-2"), doors="safe")
    await tocsin.at("+5 s")
    (mine,) = await tocsin.rows(
        sa.select(delivery).where(
            delivery.c.warning_id == again, delivery.c.person_id == row.person_id, delivery.c.channel == "sms"
        )
    )
    assert ("suppressed", "stopped", 0) == (mine.send_state, mine.state_reason, mine.attempts)
    await desk.goto(f"{tocsin.url}/live/{again}/path/{row.person_id}")
    shown = await desk.inner_text("main")
    assert "this number said STOP" in shown
    others = await tocsin.rows(
        sa.select(delivery.c.channel).where(delivery.c.warning_id == again, delivery.c.person_id == row.person_id)
    )
    assert "door" in {o.channel for o in others}


@pytest.mark.long
async def test_a_volunteer_sees_where_to_go_only_while_she_has_it(
    browser: Browser, client: aiohttp.ClientSession, tocsin: Town
) -> None:
    """The text asks, the page takes it, then shows the door and how to talk; the team's list says that they come."""
    await tocsin.at("+1 s")
    warning_id = await tocsin.warn(alerts.flood("CALLED-1"))
    pairs = await tocsin.rows(sa.select(tables.worker).where(tables.worker.c.warning_id == warning_id))
    signs = [p.worker_id for p in pairs if "sign_volunteer" in tables.decode_worker(p.entry).skills]
    # who signs does no doors today, and speaks what somebody there speaks and no team does
    (volunteer,) = (tables.decode_worker(p.entry) for p in pairs if p.worker_id in signs)
    speaks = msgspec.structs.replace(volunteer, skills=(*volunteer.skills, "translator"), language="ne")
    async with tocsin.node.platform.database.write() as tx:
        mine = sa.update(tables.worker).where(tables.worker.c.worker_id.in_(signs))
        await tx.execute(mine.values(capacity=0, entry=tables.encode(speaks)))
    body, headers = {"word": "safe", "commander": "Chen"}, {"Authorization": f"Bearer {tocsin.key}"}
    async with client.post(f"{tocsin.url}/report/{warning_id}/doors", headers=headers, json=body) as response:
        assert 200 == response.status
    await tocsin.at("+2 s")
    asked = await tocsin.rows(
        sa.select(delivery).where(
            delivery.c.warning_id == warning_id, delivery.c.step == "callout", delivery.c.attempts > 0
        )
    )
    assert signs == [r.addressee_id for r in asked]
    row = asked[0]
    token = tocsin.node.platform.signer("links").token("callout", row.delivery_id)
    text = tocsin.phone_of(row.delivery_id).expect_sms(token)
    assert "is needed at a door there" in text or "上门需要" in text
    (visit,) = await tocsin.rows(sa.select(delivery).where(delivery.c.delivery_id == row.params.visit_id))
    platform = tocsin.node.platform
    where = (await opened_dossier(platform.database, platform.keys, visit.dossier, visit.person_id)).address
    url = f"{tocsin.url}/a/v/{tocsin.node.platform.signer('links').token('callout', row.delivery_id)}"
    context = await browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(url)
    assert where not in await page.inner_text("main")
    await page.get_by_role("button", name="I take it").click()
    await tocsin.settle()
    await page.goto(url)
    assert "You have it. Go to" in await page.inner_text("main")
    assert where in await page.inner_text("main")
    looked = await browser.new_context(viewport={"width": 320, "height": 800}, bypass_csp=True)
    other = await looked.new_page()
    await other.goto(url)
    assert [] == await other.evaluate(LOOK)
    await tocsin.open_list(other, tocsin.list_link(warning_id, visit.slot))
    assert "A volunteer with the skill comes to this door" in await other.inner_text("main")
    await looked.close()
    await tocsin.at("+1 s")
    await page.get_by_role("button", name="I can't").click()
    await tocsin.settle()
    await page.goto(url)
    assert where not in await page.inner_text("main")
    await context.close()


async def test_on_a_video_call_the_persons_own_answer_is_passed_on(
    browser: Browser, client: aiohttp.ClientSession, tocsin: Town
) -> None:
    """The number is shown to who has it; what they pass on stands with the person's call, and only while they have it."""
    await tocsin.at("+1 s")
    warning_id = await tocsin.warn(alerts.flood("VIDEO-1"))
    call = (await texted(tocsin, warning_id))[0]
    pairs = await tocsin.rows(
        sa.select(delivery).where(delivery.c.warning_id == warning_id, delivery.c.step == "official")
    )
    asked = pairs[0].delivery_id
    platform = tocsin.node.platform

    async def held(*, holds: bool) -> None:
        asks = Callout("sign_volunteer", call, video=True, holds=holds)
        values = {"kind": "callout", "form": "callout", "params": asks}
        async with platform.database.write() as tx:
            await tx.execute(sa.update(delivery).where(delivery.c.delivery_id == asked).values(**values))

    async def passed_on() -> list[tuple[str, str]]:
        rows = await tocsin.rows(sa.select(answer_log).where(answer_log.c.delivery_id == call))
        return [(r.answer, r.by) for r in rows]

    (row,) = await tocsin.rows(sa.select(delivery).where(delivery.c.delivery_id == call))
    number = (await tocsin.opened(row.sealed, row.key_id, row.contact_id)).decode()
    url = f"{tocsin.url}/a/v/{platform.signer('links').token('callout', asked)}"
    await held(holds=False)
    async with client.get(url) as response:
        assert number not in await response.text()
    async with client.post(url, data={"answer": "safe"}) as response:
        assert 409 == response.status
    async with client.post(url, data={"answer": "maybe"}) as response:
        assert 422 == response.status
    assert [] == await passed_on()
    await held(holds=True)
    looked = await browser.new_context(viewport={"width": 320, "height": 800}, bypass_csp=True)
    page = await looked.new_page()
    await page.goto(url)
    assert number in await page.inner_text("main")
    assert [] == await page.evaluate(LOOK)
    await page.get_by_role("button", name="THEY NEED HELP").click()
    await tocsin.settle()
    assert [("help", "person")] == await passed_on()
    await looked.close()
