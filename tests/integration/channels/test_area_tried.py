"""Channels to a whole area tried end to end while nobody hears or sees it; one that fails is told, and used all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from lxml import etree

from services.channels.providers import link_tests
from services.channels.providers.link_document import link_document
from services.channels.providers.provider_store import link_test
from services.gateway.cap.reader import read
from services.shared.errors import Refused
from services.shared.ledger.channels import channel
from services.shared.ledger.tables import delivery
from tests.integration.channels.test_loudspeaker import settings, town
from tests.kit.device import Device, device
from tests.kit.operator_gateway import Gateway, gateway
from tests.kit.square import SENT, cap
from tests.kit.town import Town, open_town
from tools.servers.mosquitto import Mosquitto

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at whenever a step is made."""
    monkeypatch.setattr(link_tests, "LOOK_S", 0.0)


def asked(monkeypatch: pytest.MonkeyPatch, folder: Path, *tests: str) -> None:
    (folder / "tests.yaml").write_text("\n".join(f"- {{{one}}}" for one in tests))
    monkeypatch.setenv("TOCSIN_LINK_TESTS", str(folder / "tests.yaml"))


async def told(desk: Town, name: str, holds: Any) -> Any:
    """The test's row once it is so; each look is a turn of Tocsin."""
    async with asyncio.timeout(20):
        while True:
            await desk.node.channels.tidy()
            async with desk.node.platform.database.read() as db:
                row = (await db.execute(sa.select(link_test).where(link_test.c.channel == name))).first()
            if row is not None and not row.delivery_id and holds(row):
                return row
            await asyncio.sleep(0.01)


async def due_again(desk: Town, name: str) -> None:
    async with desk.node.platform.database.write() as tx:
        await tx.execute(sa.update(link_test).where(link_test.c.channel == name).values(due_at=0))


async def page_of(desk: Town, path: str) -> bytes:
    """As the warning authority sees it."""
    headers = {"Authorization": f"Bearer {desk.key}", "Accept": "text/html"}
    status, body, _ = await desk.get(path, headers)
    assert 200 == status
    return body


async def channel_of(desk: Town, name: str) -> Any:
    async with desk.node.platform.database.read() as db:
        return (await db.execute(sa.select(channel).where(channel.c.channel == name))).one()


@asynccontextmanager
async def answering(broker: Mosquitto, name: str) -> AsyncIterator[Device]:
    """A speaker that answers each check."""
    async with device(broker, "speaker", name) as one:
        answered: list[str] = []

        async def answer() -> None:
            while True:
                await one.until(lambda all_told: len(all_told) > len(answered))
                token = one.told[len(answered)]["token"]
                await one.say("received", token=token)
                answered.append(token)

        task = asyncio.create_task(answer())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.long
async def test_speakers_are_asked_without_a_sound_and_the_channel_is_used_though_all_are_silent(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of four answer: passed, the silent ones named. None does, twice: told on /channels and live, and still sounded."""
    settings(monkeypatch, tmp_path, mosquitto)
    asked(monkeypatch, tmp_path, "channel: area_sound, to: all, within: 5")
    async with town(tmp_path) as desk:
        tests = desk.node.channels.link_tests
        tests.tests["area_sound"] = tests.tests["area_sound"].model_copy(update={"within": 1.5})
        async with answering(mosquitto, "school") as school, answering(mosquitto, "bridge"):
            row = await told(desk, "area_sound", lambda r: r.ok_at or r.failures)
            assert (0, "2 of 4 answered; silent: far, shop") == (row.failures, row.said)
            assert ["check"] == [one["command"] for one in school.told]
            assert not {"siren", "speak"} & set(school.told[0])
        tests.tests["area_sound"] = tests.tests["area_sound"].model_copy(update={"within": 0.3})
        await due_again(desk, "area_sound")
        row = await told(desk, "area_sound", lambda r: r.failures == 1)
        assert "" == (await channel_of(desk, "area_sound")).why  # once is not enough
        await due_again(desk, "area_sound")
        row = await told(desk, "area_sound", lambda r: r.failures == 2)
        assert "0 of 4 answered; silent: bridge, far, school ..." == row.said
        failing = await channel_of(desk, "area_sound")
        assert failing.working
        assert failing.why.startswith("link test: loudspeaker_mqtt: 0 of 4 answered")
        assert b"FAILS</strong>, used all the same" in await page_of(desk, "/channels")
        async with device(mosquitto, "speaker", "shop") as shop:
            _, taken = await desk.post(cap(severity="Extreme", extra=RED), strict="false")
            while await desk.node.step():  # noqa: ASYNC110  a call under way is no event of ours
                await asyncio.sleep(0.01)
            await shop.until(lambda all_told: any(one["command"] == "speak" for one in all_told))
        assert b"it is used all the same" in await page_of(desk, f"/live/{taken['warning_id']}")


RED = "<parameter><valueName>awareness_level</valueName><value>4; red; Extreme</value></parameter>"


async def test_a_dead_broker_is_a_failed_test(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection, no wait."""
    settings(monkeypatch, tmp_path, mosquitto)
    monkeypatch.setenv("TOCSIN_DEVICES_BROKER", "mqtt://127.0.0.1:1")
    asked(monkeypatch, tmp_path, "channel: area_sound, to: 'school, bridge'")
    async with open_town(tmp_path / "data") as desk:
        row = await told(desk, "area_sound", lambda r: r.failures)
        assert (1, "no broker") == (row.failures, row.said)


async def test_every_route_of_every_operator_takes_a_document_that_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second route counts too: it is needed on the day the first is gone. Each gets its own token."""
    async with AsyncExitStack() as stack:
        first, second, other = [await stack.enter_async_context(gateway()) for _ in range(3)]
        monkeypatch.setenv("TOCSIN_CELL_BROADCAST_OPERATORS", f"one={first.url}|{second.url},two={other.url}")
        monkeypatch.setenv("TOCSIN_CELL_BROADCAST_TOKENS", "two=t0ken")
        asked(monkeypatch, tmp_path, "channel: cell_broadcast, to: all")
        desk = await stack.enter_async_context(open_town(tmp_path / "data"))
        assert "taken by all 3" == (await told(desk, "cell_broadcast", lambda r: r.ok_at)).said
        for one, token in ((first, None), (second, None), (other, ["Bearer t0ken"])):
            _shows_nothing(one)
            assert token == one.said[0].get("Authorization")
        second.how = 503
        await due_again(desk, "cell_broadcast")
        await told(desk, "cell_broadcast", lambda r: r.failures == 1)
        assert "" == (await channel_of(desk, "cell_broadcast")).why
        await due_again(desk, "cell_broadcast")
        row = await told(desk, "cell_broadcast", lambda r: r.failures == 2)
        assert "one, route 2: 503" == row.said
        assert (True, "link test: cell_broadcast: one, route 2: 503") == (
            (found := await channel_of(desk, "cell_broadcast")).working,
            found.why,
        )
        second.how = 200
        await due_again(desk, "cell_broadcast")
        await told(desk, "cell_broadcast", lambda r: r.failures == 0)
        assert "" == (await channel_of(desk, "cell_broadcast")).why
        async with desk.node.platform.database.read() as db:
            assert 0 == await db.scalar(sa.select(sa.func.count()).select_from(delivery))


async def test_a_broadcaster_is_tried_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody else of the channel."""
    async with gateway() as radio, gateway() as television:
        monkeypatch.setenv("TOCSIN_BROADCAST_URLS", f"{radio.url},{television.url}")
        asked(monkeypatch, tmp_path, f"channel: broadcast, to: '{urlsplit(radio.url).netloc}'")
        async with open_town(tmp_path / "data") as desk:
            assert "taken by all 1" == (await told(desk, "broadcast", lambda r: r.ok_at)).said
            stand = {one["channel"]: one for one in json.loads(await page_of(desk, "/channels/state"))}
            assert "taken by all 1" == stand["broadcast"]["providers"][0]["test"]
        _shows_nothing(radio)
        assert [] == television.came


async def test_a_test_whose_process_ended_says_nothing_of_the_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is lost, and made again; two restarts must not call a healthy channel broken."""
    async with gateway(how="hang") as radio:
        monkeypatch.setenv("TOCSIN_BROADCAST_URLS", radio.url)
        asked(monkeypatch, tmp_path, "channel: broadcast, to: all")
        async with open_town(tmp_path / "data") as desk:
            tests = desk.node.channels.link_tests
            await tests.step()
            async with asyncio.timeout(10):
                while not radio.came:  # noqa: ASYNC110  a request is no event of ours
                    await asyncio.sleep(0.01)
            await tests.stop()
            radio.how = 200
            desk.clock.advance_to(SENT + 300)
            row = await told(desk, "broadcast", lambda r: r.ok_at)
            assert (0, "taken by all 1", 2) == (row.failures, row.said, len(radio.came))


def _shows_nothing(one: Gateway) -> None:
    """Status System, scope Private, no text, no area, and no identifier of a cell broadcast beside it."""
    document = etree.fromstring(one.came[0])
    words = {name: document.findtext(f"{CAP}{name}") for name in ("status", "scope", "msgType")}
    assert {"status": "System", "scope": "Private", "msgType": "Alert"} == words
    assert document.find(f"{CAP}info") is None
    assert "Cell-Broadcast" not in one.said[0]


def test_the_document_is_one_by_the_standard() -> None:
    """Our own reader has nothing against its form, and would show nobody a word of it; two are never taken for one."""
    documents = [link_document("https://warn.example.org") for _ in range(2)]
    assert documents[0] != documents[1]
    first = read(documents[0], strict=True)
    assert {"not_actual", "info_missing"} == {one.code for one in first.findings}
    assert first.verdict == "reject"


@pytest.mark.parametrize("to", ["three", "one, three"])
async def test_a_station_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    monkeypatch.setenv("TOCSIN_CELL_BROADCAST_OPERATORS", "one=https://a.example/cap,two=https://b.example/cap")
    asked(monkeypatch, tmp_path, f"channel: cell_broadcast, to: '{to}'")
    with pytest.raises(Refused, match="'three' is not on that channel: use all, one, two"):
        async with open_town(tmp_path / "data"):
            pass
