"""Messages on this device: the one page with a script, in a real browser, to the notification and its link."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.async_api import Browser, Page

from services.registry.store import register
from services.shared.audit.trail import audit_log
from services.shared.ledger.tables import delivery
from tests.integration.channels.test_web_push import Device, Service, push_service, text64
from tests.integration.registry.test_me import phone_of, record_of, settle, somebody
from tests.kit import alerts
from tests.kit.town import Town, open_town
from tools.peers.judge import judge
from tools.peers.table import Told

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The browser's own push service is far away: a subscription at ours stands in for what `subscribe` would bring back.
SUBSCRIBE = """
PushManager.prototype.subscribe = async function (options) {
  window.asked = { visible: options.userVisibleOnly, key: options.applicationServerKey.length };
  return { toJSON: () => (%s) };
};
"""


@dataclass
class WithPush:
    tocsin: Town
    service: Service
    device: Device


@pytest.fixture(scope="module")
def vapid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    key = ec.generate_private_key(ec.SECP256R1())
    file: Path = tmp_path_factory.mktemp("vapid") / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOCSIN_PUSH_KEY", str(file))
        environment.setenv("TOCSIN_PUSH_CONTACT", "mailto:duty@example.org")
        environment.setenv("TOCSIN_PUSH_PRIVATE", "true")
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(vapid: None) -> AsyncIterator[WithPush]:
    async with push_service() as service, open_town(people=8, looks_at_once=True) as tocsin:
        yield WithPush(tocsin, service, Device(service.url))


def as_browsers_say(device: Device) -> str:
    s = device.subscription
    return json.dumps({"endpoint": s.endpoint, "expirationTime": None, "keys": {"p256dh": s.p256dh, "auth": s.auth}})


async def signed_in(browser: Browser, town: WithPush, number: str, scripts: bool = True) -> Page:
    """A page of a resident's browser, at home; their browser lets us show messages."""
    async with phone_of(town.tocsin, number) as phone:
        await phone.sign_in()
        cookies = [{"name": c.key, "value": c.value, "url": town.tocsin.url + "/me"} for c in phone.session.cookie_jar]
    context = await browser.new_context(java_script_enabled=scripts, locale="en-GB")
    context.set_default_timeout(10_000)
    await context.add_cookies(cookies)  # type: ignore[arg-type]
    await context.grant_permissions(["notifications"], origin=town.tocsin.url)
    return await context.new_page()


async def shown(page: Page, title: str) -> list[dict[str, str]]:
    """Notifications of the page's worker, once the one of that title is there."""
    script = """async (title) => {
      const worker = await navigator.serviceWorker.ready;
      for (let n = 0; n < 200; n += 1) {
        const all = await worker.getNotifications();
        if (all.some((one) => one.title === title)) {
          return all.map((one) => ({ title: one.title, body: one.body, tag: one.tag, link: one.data.link }));
        }
        await new Promise((go) => setTimeout(go, 25));
      }
      return [];
    }"""
    found: list[dict[str, str]] = await page.evaluate(script, title)
    return found


async def deliver(page: Page, origin: str, text: str) -> None:
    """As a push service delivers to the browser."""
    cdp = await page.context.new_cdp_session(page)
    known: list[str] = []
    cdp.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda e: known.extend(r["registrationId"] for r in e["registrations"]),
    )
    await cdp.send("ServiceWorker.enable")
    for _ in range(200):
        if known:
            break
        await page.wait_for_timeout(25)
    await cdp.send("ServiceWorker.deliverPushMessage", {"origin": origin, "registrationId": known[-1], "data": text})


async def delivered(page: Page, origin: str, text: str, title: str) -> list[dict[str, str]]:
    """Its notifications; a browser that was still waking its worker up gets it again: one tag is one notification."""
    found: list[dict[str, str]] = []
    for _ in range(4):
        await deliver(page, origin, text)
        if found := await shown(page, title):
            break
    return found


async def test_from_the_button_to_the_notification(town: WithPush, browser: Browser, peer: Told) -> None:
    """They press a button; a test of the channel reaches the push service; what it holds is shown, and leads to their page."""
    one = await somebody(town.tocsin)
    page = await signed_in(browser, town, one.contacts[0].address)
    await page.add_init_script(SUBSCRIBE % as_browsers_say(town.device))
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    await page.goto(f"{town.tocsin.url}/me/device")
    await page.get_by_role("button", name="Send messages to this device").click()
    await page.wait_for_url("**/me/device?saved=1")
    assert [] == complaints, "nothing on the page breaks its policy"
    record = await record_of(town.tocsin, one.person_id)
    [row] = [row for row in record.contacts.values() if row["kind"] == "push"]
    assert ("…", "self", "") == (row["mask"], row["given_by"], row["why_not"])
    assert town.service.url.encode() not in row["sealed"]
    await page.goto(f"{town.tocsin.url}/me/channels")
    await page.get_by_role("button", name=re.compile("Test it now.*device")).click()
    await settle(town.tocsin)
    headers, body = town.service.seen[-1]
    async with judge() as node:
        answer = await node.ask(
            "push", body=base64.b64encode(body).decode(), device=town.device.private, auth=text64(town.device.secret)
        )
    message = json.loads(answer["text"])
    assert "only a test of your warning channel" in message["body"]
    [notification] = await delivered(page, town.tocsin.url, answer["text"], message["title"])
    assert (message["body"], headers["Topic"]) == (notification["body"], notification["tag"])
    assert f"{town.tocsin.url}/me" == notification["link"]
    peer(
        "web_push",
        f"Chromium {browser.version.partition('.')[0]}",
        "a notification with text, tag and link, by our worker",
    )
    await page.goto(f"{town.tocsin.url}/me/channels")
    assert "handed to the network" in await page.inner_text("main")
    await page.context.close()


async def test_a_warning_comes_to_the_device_and_is_answered_by_its_link(town: WithPush, browser: Browser) -> None:
    """The message links to their answer page; what they say there is their answer on that channel."""
    one, device = await somebody(town.tocsin, own_channels=["push"]), Device(town.service.url)
    async with phone_of(town.tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        await phone.post("/me/device", subscription=device.subscription.as_text())
        assert "/me/device?saved=1" == phone.url
        before = len(town.service.seen)
        warning_id = await town.tocsin.warn(alerts.flood("PUSH-1"), "red", "safe")
        await town.tocsin.at("+1 min")
        bodies = [base64.b64encode(body).decode() for _, body in town.service.seen[before:]]
        assert bodies
        async with judge() as node:
            keys = {"device": device.private, "auth": text64(device.secret)}
            answers = [await node.ask("push", body=body, **keys) for body in bodies]  # others' devices are warned too
        message = next(json.loads(answer["text"]) for answer in answers if "text" in answer)
        assert message["urgent"]
        assert "reply" not in message["body"].lower(), "nobody reads what is written back to a device"
        path = message["link"].removeprefix(town.tocsin.url)
        await phone.get(path)
        assert 200 == phone.status
        await phone.post(path, answer="leaving")
    await town.tocsin.settle()
    mine = sa.select(delivery).where(delivery.c.person_id == one.person_id, delivery.c.channel == "push")
    rows = await town.tocsin.rows(mine.where(delivery.c.warning_id == warning_id))
    assert ["leaving"] == [row.answer for row in rows]
    await town.tocsin.cancel(warning_id, "sent_by_mistake")


async def test_the_last_device_counts_and_she_may_stop(town: WithPush) -> None:
    """One device a person: a second takes the first one's place; each change is in the audit log without the address."""
    one = await somebody(town.tocsin)
    async with phone_of(town.tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        for device in (town.device, Device(town.service.url)):
            await phone.post("/me/device", subscription=device.subscription.as_text())
            assert "/me/device?saved=1" == phone.url
        found = await town.tocsin.rows(
            sa.select(register.contact).where(
                register.contact.c.owner_id == one.person_id, register.contact.c.kind == "push"
            )
        )
        assert 1 == len(found)
        assert "A device of yours gets messages." in await phone.get("/me/device")
        await phone.post("/me/device", do="stop")
        record = await record_of(town.tocsin, one.person_id)
        assert [] == [row for row in record.contacts.values() if row["kind"] == "push"]
        log = await town.tocsin.rows(sa.select(audit_log.c.detail).where(audit_log.c.subject == one.person_id))
        assert town.service.url not in str(log)


BAD: list[tuple[Any, str]] = [
    ("", "a browser&#39;s push subscription is a JSON object"),
    ('{"endpoint": "ftp://push.example.org/s/1", "p256dh": "%s", "auth": "%s"}', "https:// in front"),
    ('{"endpoint": "https://push.example.org/s/1", "p256dh": "%s", "auth": "short"}', "auth is 16 bytes"),
]


@pytest.mark.parametrize(("given", "told"), BAD)
async def test_what_is_no_subscription_changes_nothing(town: WithPush, given: str, told: str) -> None:
    one = await somebody(town.tocsin)
    s = town.device.subscription
    async with phone_of(town.tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        text = await phone.post("/me/device", subscription=given % ((s.p256dh, s.auth)[: given.count("%s")]))
        assert 422 == phone.status
        assert told in text
    record = await record_of(town.tocsin, one.person_id)
    assert "push" not in {row["kind"] for row in record.contacts.values()}


async def test_a_private_address_is_refused_on_the_page(town: WithPush, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(town.tocsin.node.platform.settings, "push_private", False)
    one = await somebody(town.tocsin)
    async with phone_of(town.tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        for endpoint in (town.service.url, "https://192.168.0.1/s/1"):
            text = await phone.post("/me/device", subscription=Device(endpoint).subscription.as_text())
            assert 422 == phone.status
            assert "a push service" in text


async def test_one_page_alone_may_run_our_script(town: WithPush) -> None:
    """Also there nothing inline and nothing of others; nobody signed in gets no page."""
    one = await somebody(town.tocsin)
    async with phone_of(town.tocsin, one.contacts[0].address) as phone:
        assert "/me" == (await phone.get("/me/device"), phone.url)[1]
        await phone.sign_in()
        for path in ("/me/home", "/me/channels", "/me/stored", "/me/device"):
            async with phone.session.get(town.tocsin.url + path) as response:
                policy = response.headers["Content-Security-Policy"]
                assert ("script-src 'self';" in policy) is (path == "/me/device")
                assert "unsafe" not in policy
        for name in ("device.js", "device-worker.js"):
            async with phone.session.get(f"{town.tocsin.url}/me/{name}") as response:
                assert response.headers["Content-Type"].startswith(("text/javascript", "application/javascript"))


@pytest.mark.parametrize(
    ("scripts", "hide", "told"),
    [
        (False, "", "Your browser runs no script here"),
        (True, "delete window.PushManager", "This browser cannot get messages."),
        (True, "Notification.requestPermission = async () => 'denied'", "was told not to allow messages"),
        (
            True,
            "PushManager.prototype.subscribe = async () => { throw new Error('far away') }",
            "It did not work just now.",
        ),
    ],
)
async def test_a_browser_that_cannot_is_told_so(
    town: WithPush, browser: Browser, scripts: bool, hide: str, told: str
) -> None:
    one = await somebody(town.tocsin)
    page = await signed_in(browser, town, one.contacts[0].address, scripts)
    if hide:
        await page.add_init_script(hide)
    await page.goto(f"{town.tocsin.url}/me/device")
    button = page.get_by_role("button", name="Send messages to this device")
    if scripts and await button.is_visible():
        await button.click()
    await page.get_by_text(told).wait_for()
    assert 1 == await page.locator("[data-state]:visible, .note:visible").count()
    await page.context.close()
