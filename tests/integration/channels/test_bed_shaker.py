"""A bed shaker over a real broker: from the register's contact to the hand that presses its button, told under the delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from services.channels.drivers.mqtt import device_store as store
from services.channels.drivers.mqtt.bed_shaker import BedShakerMqtt
from services.channels.model.driver import Outcome, Receivers, Tools
from services.channels.model.outbound import Outbound
from services.channels.model.report import Report
from services.registry.model.given import ContactIn
from services.shared.clock import LinearClock
from services.shared.crypto.sealing import address_key
from services.shared.crypto.signing import Signer
from services.shared.database.engine import Database
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from services.shared.settings import Settings
from tests.kit.device import Device, device
from tests.kit.square import cap
from tests.kit.town import open_town
from tools.servers.mosquitto import PASSWORD, USER, Mosquitto

DELIVERY = "0e" * 16
RED = "<parameter><valueName>awareness_level</valueName><value>4; red; Extreme</value></parameter>"


class Ears:
    """Desk and replies as the driver sees them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[Report] = []
        self.news = asyncio.Event()

    async def report(self, report: Report) -> None:
        self.told.append(report)
        self.news.set()

    @staticmethod
    def code_of(use: str, value: str) -> str:
        return f"{use}: {len(value)} signs"

    async def until(self, count: int) -> Sequence[Report]:
        async with asyncio.timeout(15):
            while len(self.told) < count:
                self.news.clear()
                await self.news.wait()
        return self.told


def settings(monkeypatch: pytest.MonkeyPatch, broker: Mosquitto, client: str) -> None:
    for key, value in {
        "broker": broker.url, "username": USER, "password": PASSWORD, "client": client,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"TOCSIN_DEVICES_{key.upper()}", value)


@pytest.fixture
def ears(empty: Database) -> Ears:
    return Ears(empty)


@pytest.fixture
async def channel(
    ears: Ears, mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BedShakerMqtt]:
    """Connected."""
    settings(monkeypatch, mosquitto, tmp_path.name)
    tools: Any = cast(Any, Tools)(
        None, ears.database, Signer(b"k" * 32), LinearClock(), "http://127.0.0.1", settings=Settings()
    )
    one = BedShakerMqtt(tools)
    await one.start(Receivers(ears, cast(Any, ears)))
    assert await one.link.wait_connected(15)
    yield one
    await one.stop()


@pytest.fixture
async def bed(mosquitto: Mosquitto) -> AsyncIterator[Device]:
    async with device(mosquitto, "shaker", "bed-17") as one:
        yield one


def message(to: str = "bed-17", **more: Any) -> Outbound:
    given: dict[str, Any] = {"tier": 4, "seconds_left": 600} | more
    return Outbound(DELIVERY, "0f" * 16, "bed_shaker", to, "secret text", "", "", "en", "", **given)


def said(command: str, digit: str) -> Callable[[list[dict[str, Any]]], object]:
    """Whether the device's last command is that."""
    return lambda told: (command, digit) == (told[-1]["command"], told[-1].get("digit"))


async def test_it_shakes_and_somebody_presses(channel: BedShakerMqtt, bed: Device, ears: Ears, empty: Database) -> None:
    """Shaking is delivered; a press is acknowledged, with the answer of its digit; on both databases."""
    assert (Outcome.ACCEPTED, DELIVERY) == ((await channel.send(message())).outcome, DELIVERY)
    await bed.until(lambda told: told)
    (told,) = bed.told
    assert ("wake", "red", 520, False) == (told["command"], told["tier"], told["tone_hz"], told["drill"])
    assert "secret text" not in str(told)
    await bed.say("received", token=told["token"])
    await bed.say("alive", battery=41)
    for n, (word, digit) in enumerate((("shaking", ""), ("pressed", ""), ("pressed", "2")), 1):
        await bed.say(word, token=told["token"], digit=digit)
        await ears.until(n)
        if word == "pressed":
            await bed.until(said("noted", digit))
    assert [("noted", ""), ("noted", "2")] == [(one["command"], one["digit"]) for one in bed.told[1:]]
    assert [
        (DELIVERY, SendState.DELIVERED, Evidence.DELIVERED, None),
        (DELIVERY, SendState.DELIVERED, Evidence.ACKNOWLEDGED, None),
        (DELIVERY, SendState.DELIVERED, Evidence.ACKNOWLEDGED, Answer.HELP),
    ] == [(r.delivery_id, r.state, r.evidence, r.answer) for r in ears.told]
    assert 3 == len({r.event_key for r in ears.told})
    assert all(len(r.event_key) <= 64 for r in ears.told)
    async with empty.read() as db:
        found = await store.devices(db, "shaker")
        assert [] == (await db.execute(sa.select(store.command))).all()  # nothing joins a device to a person's delivery
    assert [41] == [row.battery for row in found.values()]
    assert "bed-17" not in str(found)


async def test_a_token_of_another_device_or_of_nobody_says_nothing(
    channel: BedShakerMqtt, bed: Device, ears: Ears, mosquitto: Mosquitto
) -> None:
    """A device speaks only of what it was sent itself."""
    await channel.send(message())
    await bed.until(lambda told: told)
    token = bed.told[0]["token"]
    async with device(mosquitto, "shaker", "bed-18") as other:
        await other.say("pressed", token=token, digit="1")
        await bed.say("pressed", token=token[:-1] + ("a" if token[-1] != "a" else "b"), digit="1")
        await bed.say("pressed", digit="1")
        await bed.say("dancing", token=token)
        await bed.say("failed", token=token, reason="motor")
    (said,) = await ears.until(1)
    assert (SendState.FAILED, Evidence.NONE, "motor") == (said.state, said.evidence, said.reason)


async def test_an_ending_wakes_nobody_no_device_is_refused_and_no_broker_fails_nobody(
    channel: BedShakerMqtt, bed: Device, empty: Database
) -> None:
    """Stop, without a word of waking; what would be another topic, or all of them, is no address; the fault is ours."""
    await channel.send(message(ending="may_return"))
    await bed.until(lambda told: told)
    assert ("stop", "may_return") == (bed.told[0]["command"], bed.told[0]["ending"])
    for to in ("", "a/b", "bed+", "#", "x" * 41):
        assert Outcome.PERMANENT is (await channel.send(message(to))).outcome
    await channel.stop()
    result = await channel.send(message())
    assert (Outcome.PROVIDER_FAULT, "no broker") == (result.outcome, result.code)


async def test_from_the_list_to_the_bed(tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deaf person's shaker, by night: woken, answered, and read back in their path."""
    settings(monkeypatch, mosquitto, tmp_path.name)
    rows = "id,name,lat,lon,hear,night_alert,languages,mobile,mobile_verified,bed_shaker,bed_shaker_verified\n"
    rows += "a,Mei,30.05,103.05,4,bed_shaker,en,+8613800138001,yes,bed-17; no such/one,yes\n"
    async with (
        open_town(tmp_path / "data", timezone="UTC", start=1_781_053_800.0 - 4 * 3600) as desk,
        device(mosquitto, "shaker", "bed-17") as bed,
    ):
        shakers = desk.node.channels.drivers["bed_shaker_mqtt"]
        assert isinstance(shakers, BedShakerMqtt)
        assert await shakers.link.wait_connected(15)
        told = await imported(desk, rows)
        assert "device id" in str(told)
        _, taken = await desk.post(cap(severity="Extreme", extra=RED, minutes=-240), strict="false")
        assert "active" == taken["state"], taken
        async with asyncio.timeout(30):
            while not bed.told:
                await desk.node.step()
                await asyncio.sleep(0.01)
        await bed.say("shaking", token=bed.told[0]["token"])
        await bed.say("pressed", token=bed.told[0]["token"], digit="1")
        async with asyncio.timeout(30):
            while True:
                async with desk.node.platform.database.read() as db:
                    row = (await db.execute(sa.select(delivery).where(delivery.c.channel == "bed_shaker"))).one()
                if row.answer:
                    break
                await asyncio.sleep(0.01)
    assert ("delivered", int(Evidence.ACKNOWLEDGED), "leaving", "person") == (
        row.send_state, row.evidence, row.answer, row.answer_by
    )  # fmt: skip
    assert b"bed-17" not in row.sealed


async def imported(desk: Any, rows: str) -> Any:
    """The report of a list that was read in."""
    headers = {"Authorization": f"Bearer {desk.key}", "Content-Type": "text/csv"}
    url = f"{desk.url}/people/import?source=clinic&kind=health&region=CN"
    async with desk.session.post(url, data=rows.encode(), headers=headers) as response:
        return await response.text()


def test_a_device_is_found_by_its_whole_id() -> None:
    """Not by the digits in it, as a telephone number is; another letter is another device."""
    key = b"k" * 32
    assert address_key(key, "bed_shaker", "bed-17") != address_key(key, "bed_shaker", "hall-17")
    with pytest.raises(ValueError, match="device's id"):
        ContactIn(kind="bed_shaker", address="bed 17")
