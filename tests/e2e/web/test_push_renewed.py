"""A browser that changes its push subscription by itself: the new one takes the old one's place, nobody else's does."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from playwright.async_api import Browser, Worker

from services.registry.resident import push
from services.registry.store import register
from services.shared.audit.trail import audit_log
from tests.e2e.web.test_device_page import SUBSCRIBE, WithPush, as_browsers_say, signed_in, town, vapid
from tests.integration.channels.test_web_push import Device
from tests.integration.registry.test_me import phone_of, record_of, somebody

__all__ = ["town", "vapid"]  # the fixtures
pytestmark = pytest.mark.asyncio(loop_scope="session")

# The browser changes a subscription when its push service says so: here the event is given to the real worker as it would
# come, with what a push service far away would bring.
CHANGED = """async ({ old, now }) => {
  const event = new Event("pushsubscriptionchange");
  const ended = new Promise((go) => { event.waitUntil = go; });
  event.oldSubscription = old && { toJSON: () => old };
  event.newSubscription = null;
  const manager = Object.getPrototypeOf(self.registration.pushManager);
  manager.getSubscription = async () => null;
  manager.subscribe = async (options) => {
    self.asked = { visible: options.userVisibleOnly, key: options.applicationServerKey.length };
    return { toJSON: () => now };
  };
  self.dispatchEvent(event);
  await ended;
  const kept = await (await caches.open("device")).match("/me/device/kept");
  return { asked: self.asked, kept: kept ? await kept.json() : null };
}"""


async def devices(town: WithPush, person_id: str) -> list[Any]:
    mine = sa.select(register.contact).where(
        register.contact.c.owner_id == person_id, register.contact.c.kind == "push"
    )
    return await town.tocsin.rows(mine)


async def renew(town: WithPush, before: Any, now: Any, **headers: str) -> int:
    """What a worker says, said by whoever; the answer's status."""

    def text(one: Any) -> Any:
        return json.loads(one.subscription.as_text()) if isinstance(one, Device) else one

    body = json.dumps({"before": text(before), "now": text(now)})
    async with (
        aiohttp.ClientSession() as session,
        session.post(town.tocsin.url + "/me/device/renew", data=body, headers=headers) as response,
    ):
        return response.status


async def with_device(town: WithPush) -> tuple[Any, Device]:
    one, device = await somebody(town.tocsin), Device(town.service.url)
    async with phone_of(town.tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        await phone.post("/me/device", subscription=device.subscription.as_text())
    return one, device


async def test_the_worker_tells_the_register_by_itself(town: WithPush, browser: Browser) -> None:
    """In a real browser, with nobody signed in any more: first by the old one the browser names, then by what it kept."""
    one, devices_of = await somebody(town.tocsin), [Device(f"{town.service.url}/{n}") for n in range(3)]
    page = await signed_in(browser, town, one.contacts[0].address)
    await page.add_init_script(SUBSCRIBE % as_browsers_say(devices_of[0]))
    await page.goto(f"{town.tocsin.url}/me/device")
    await page.get_by_role("button", name="Send messages to this device").click()
    await page.wait_for_url("**/me/device?saved=1")
    [first] = await devices(town, one.person_id)
    worker: Worker = page.context.service_workers[0]
    await page.context.clear_cookies()
    keys = [first.address_key]
    for n, named in ((1, True), (2, False)):
        given = [json.loads(as_browsers_say(device)) for device in devices_of]
        said = await worker.evaluate(CHANGED, {"old": given[n - 1] if named else None, "now": given[n]})
        assert {"visible": True, "key": 65} == said["asked"]
        assert json.loads(devices_of[n].subscription.as_text()) == said["kept"]
        [row] = await devices(town, one.person_id)
        keys.append(row.address_key)
    assert 3 == len(set(keys)), "each takes the place of the one before"
    assert {first.position} == {row.position for row in await devices(town, one.person_id)}
    log = await town.tocsin.rows(sa.select(audit_log).where(audit_log.c.subject == one.person_id))
    assert "their device renewed it" in str(log)
    assert town.service.url not in str(log)
    await page.context.close()


async def test_only_who_has_the_whole_old_one_may(town: WithPush) -> None:
    """An endpoint is seen by a push service: without its secret it is nobody's. A second time it is not known any more."""
    one, old = await with_device(town)
    new, stranger = Device(town.service.url + "/new"), Device(town.service.url + "/stranger")
    [before] = await devices(town, one.person_id)
    forged = json.loads(stranger.subscription.as_text()) | {"endpoint": old.subscription.endpoint}
    assert 404 == await renew(town, forged, new)
    assert 404 == await renew(town, stranger, new)
    assert 422 == await renew(town, "nonsense", new)
    assert 422 == await renew(town, old, json.loads(new.subscription.as_text()) | {"endpoint": "ftp://x.example/1"})
    assert 403 == await renew(town, old, new, Origin="https://evil.example")
    assert 204 == await renew(town, old, old)
    assert [before.address_key] == [row.address_key for row in await devices(town, one.person_id)]
    assert 204 == await renew(town, old, new)
    assert [before.address_key] != [row.address_key for row in await devices(town, one.person_id)]
    assert 404 == await renew(town, old, stranger)
    assert 1 == len(await devices(town, one.person_id))


async def test_a_push_service_must_be_one(town: WithPush, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device cannot point us at the inside of our own network."""
    one, old = await with_device(town)
    monkeypatch.setattr(town.tocsin.node.platform.settings, "push_private", False)
    assert 422 == await renew(town, old, Device("https://192.168.0.1/s/1"))
    assert 1 == len(await devices(town, one.person_id))


async def test_what_she_said_of_it_stays_said(town: WithPush) -> None:
    """Who wants no messages there gets none because a browser changed something."""
    one, old = await with_device(town)
    record = await record_of(town.tocsin, one.person_id)
    [contact_id] = [i for i, row in record.contacts.items() if row["kind"] == "push"]
    async with town.tocsin.node.platform.database.write() as tx:
        mine = sa.update(register.contact).where(register.contact.c.contact_id == contact_id)
        await tx.execute(mine.values(why_not="said_no", position=3))
    assert 204 == await renew(town, old, Device(town.service.url + "/again"))
    [row] = await devices(town, one.person_id)
    record = await record_of(town.tocsin, one.person_id)
    assert ("said_no", max(r["position"] for r in record.contacts.values())) == (row.why_not, row.position)
    assert row.position > 0
    assert contact_id != row.contact_id


async def test_it_is_bound_by_rate(town: WithPush, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device in a loop writes the register ten times a day, and guessers ask so often a minute."""
    one, device = await with_device(town)
    for n in range(push.A_DAY):
        after = Device(f"{town.service.url}/loop{n}")
        assert 204 == await renew(town, device, after)
        device = after
    assert 429 == await renew(town, device, Device(town.service.url))
    assert 1 == len(await devices(town, one.person_id))
    monkeypatch.setattr(push, "A_MINUTE", 0)
    assert 429 == await renew(town, Device(town.service.url), Device(town.service.url))
