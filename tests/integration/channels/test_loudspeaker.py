"""Loudspeakers over a real broker: from a CAP alert to what a speaker plays, and back to what is known of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from services.channels.drivers.mqtt import device_store as store
from services.channels.drivers.mqtt import loudspeaker
from services.channels.drivers.mqtt.loudspeaker import LoudspeakerMqtt
from services.channels.messages import announcement
from services.channels.messages.announcement import RATE, read_wav, silence, write_wav
from services.channels.model.driver import Outcome, Tools
from services.channels.model.outbound import Outbound
from services.channels.sending import driver_call
from services.check import check_installation
from services.shared.clock import LinearClock, wall
from services.shared.crypto.signing import Signer
from services.shared.errors import Broken, Refused
from services.shared.ledger.channels import channel
from services.shared.ledger.tables import delivery
from services.shared.settings import Settings
from tests.kit.cap_keys import pair
from tests.kit.device import Device, device
from tests.kit.square import SENT, SQUARE, cap
from tests.kit.town import Town, open_town
from tools.peers.table import Told
from tools.servers.mosquitto import PASSWORD, USER, Mosquitto

LIST = """speakers:
  - {id: school, name: "School, roof", lat: 30.05, lon: 103.05}
  - {id: bridge, name: Bridge, lat: 30.02, lon: 103.02, kind: siren}
  - {id: shop, name: Shop, lat: 30.03, lon: 103.03, kind: voice, languages: [en]}
  - {id: far, name: Another valley, lat: 31.5, lon: 103.05}
"""
DELIVERY = "0b" * 16
NAMES = ("school", "bridge", "shop", "far")


def settings(monkeypatch: pytest.MonkeyPatch, folder: Path, broker: Mosquitto, text: str = LIST, **more: str) -> None:
    """TOCSIN_DEVICES_... for this broker and this list of speakers."""
    (folder / "speakers.yaml").write_text(text)
    given = {
        "broker": broker.url, "username": USER, "password": PASSWORD, "client": folder.name,
        "list": str(folder / "speakers.yaml"),
    } | more  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"TOCSIN_DEVICES_{name.upper()}", value)


def speakers(desk: Town) -> LoudspeakerMqtt:
    found = desk.node.channels.drivers["loudspeaker_mqtt"]
    assert isinstance(found, LoudspeakerMqtt)
    return found


@asynccontextmanager
async def town(folder: Path, plane: str = "live") -> AsyncIterator[Town]:
    """The whole Tocsin, connected to the broker."""
    async with open_town(folder / "data", plane=plane) as desk:
        assert await speakers(desk).link.wait_connected(15)
        yield desk


async def steps(desk: Town) -> None:
    """Everything due by now, to its end."""
    async with asyncio.timeout(30):
        while await desk.node.step():  # noqa: ASYNC110  a call under way is no event of ours
            await asyncio.sleep(0.01)


async def area_row(desk: Town) -> Any:
    async with desk.node.platform.database.read() as db:
        rows = await db.execute(
            sa.select(delivery).where(delivery.c.channel == "area_sound").order_by(delivery.c.due_at)
        )
        return rows.all()[-1]


async def facts(desk: Town) -> dict[tuple[str, str], tuple[bool, ...]]:
    """(device, word) > whether it was received, playing, played, failed."""
    async with desk.node.platform.database.read() as db:
        rows = await db.execute(sa.select(store.command))
        return {
            (r.device_id, r.word): tuple(x is not None for x in (r.received_at, r.playing_at, r.played_at, r.failed_at))
            for r in rows
        }


async def known(desk: Town, name: str, holds: Any) -> Any:
    """What is known of a speaker once it is so."""
    async with asyncio.timeout(15):
        while True:
            async with desk.node.platform.database.read() as db:
                row = (await store.devices(db, "speaker")).get(name)
            if row is not None and holds(row):
                return row
            await asyncio.sleep(0.01)


async def test_a_red_warning_sounds_in_its_area_and_each_speaker_says_what_became_of_it(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch, peer: Told
) -> None:
    """Siren, silence, speech, to those inside alone; one delivery, accepted; what they report is theirs and no person's."""
    settings(monkeypatch, tmp_path, mosquitto)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        school, bridge, shop, far = [await stack.enter_async_context(device(mosquitto, "speaker", n)) for n in NAMES]
        _, taken = await desk.post(cap(severity="Extreme", extra=_tier("red")), strict="false")
        assert "active" == taken["state"], taken
        await steps(desk)
        await school.until(lambda told: len(told) == 2)
        await bridge.until(lambda told: told)
        await shop.until(lambda told: told)
        assert ["siren", "speak"] == [one["command"] for one in school.told]
        assert (["siren"], ["speak"], []) == tuple([c["command"] for c in d.told] for d in (bridge, shop, far))
        siren, speech = school.told
        pattern = siren["siren"]
        lasts = (pattern["on_s"] + pattern["off_s"]) * pattern["times"]
        assert 0 == siren["wait_s"]
        assert lasts < speech["wait_s"] <= lasts + 10
        assert ("red", False) == (siren["tier"], siren["drill"])
        assert time.time() < siren["until"] <= time.time() + 36_000
        await _heard_whole(desk, speech)

        row = await area_row(desk)
        assert ("loudspeaker_mqtt", "accepted", 1) == (row.driver, row.send_state, row.evidence)
        await school.say("received", token=siren["token"])
        await school.say("playing", token=siren["token"])
        await school.say("playing", token=siren["token"])
        await shop.say("failed", token=shop.told[0]["token"], reason="amplifier off")
        await bridge.say("played", token=siren["token"])  # another speaker's token: not believed
        await bridge.say("alive", battery=7, trouble="rain in the horn")
        await known(desk, "bridge", lambda r: r.battery == 7 and r.trouble == "rain in the horn")
        await known(desk, "shop", lambda r: True)
        async with asyncio.timeout(15):
            while not (await facts(desk))["school", "siren"][1]:  # noqa: ASYNC110  another connection's report
                await asyncio.sleep(0.01)
        found = await facts(desk)
        assert (True, True, False, False) == found["school", "siren"]
        assert (False, False, False, False) == found["school", "speak"]
        assert (False, False, False, True) == found["shop", "speak"]
        assert (False, False, False, False) == found["bridge", "siren"]
        await steps(desk)
        row = await area_row(desk)
        assert ("accepted", 1, "") == (row.send_state, row.evidence, row.answer)
        peer("loudspeaker_mqtt", "Debian mosquitto", "commands to the speakers inside alone, and what each became")


def _tier(word: str) -> str:
    return f"<parameter><valueName>awareness_level</valueName><value>4; {word}; Extreme</value></parameter>"


async def _heard_whole(desk: Town, command: dict[str, Any]) -> bytes:
    """The speaker fetches the sound: as long, and of the digest, that it was told; said twice. Other addresses give nothing."""
    said = command["speak"]
    signer, path = desk.node.platform.signer("callbacks"), "/callbacks/loudspeaker_mqtt/sound/"
    assert 404 == (await desk.get(path + signer.token("sound", "0" * 64)))[0]
    assert 403 == (await desk.get(path + signer.token("device", said["sha256"])))[0]
    status, body, headers = await desk.get(said["url"].removeprefix(desk.url))
    assert (200, "audio/wav") == (status, headers["Content-Type"])
    assert (said["bytes"], said["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    sound = read_wav(body)
    assert said["seconds"] == pytest.approx(sound.seconds, abs=0.1)
    samples = sound.samples
    first = samples[: len(samples) // 2 - RATE]
    assert 0 < samples.find(first[RATE : 3 * RATE], len(samples) // 2 - RATE)
    return body


async def test_an_ending_stops_the_siren_and_is_spoken(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop first, then the ending's own words; no siren."""
    settings(monkeypatch, tmp_path, mosquitto)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        school = await stack.enter_async_context(device(mosquitto, "speaker", "school"))
        _, taken = await desk.post(cap(severity="Extreme", extra=_tier("red")), strict="false")
        await steps(desk)
        await school.until(lambda told: len(told) == 2)
        desk.clock.advance_to(SENT + 300)
        body = {"ending": "sent_by_mistake", "reason": "wrong county"}
        status, answer = await desk.call("POST", f"/api/v1/warnings/{taken['warning_id']}/cancel", body)
        assert status < 300, answer
        await steps(desk)
        await school.until(lambda told: len(told) == 4)
        assert ["stop", "speak"] == [one["command"] for one in school.told[2:]]
        assert {"sent_by_mistake"} == {one["ending"] for one in school.told[2:]}
        assert school.told[1]["speak"]["sha256"] != school.told[3]["speak"]["sha256"]
        assert 0 == school.told[3]["wait_s"]


async def test_a_drill_goes_to_the_drill_plane_alone_and_never_sounds_like_the_real_one(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A speaker that listens to the live plane hears nothing; the other has one tone and is told that it is a drill."""
    settings(monkeypatch, tmp_path, mosquitto)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path, "drill"))
        live = await stack.enter_async_context(device(mosquitto, "speaker", "school"))
        drill = await stack.enter_async_context(device(mosquitto, "speaker", "bridge", "drill"))
        _, taken = await desk.post(cap(severity="Extreme", status="Exercise", extra=_tier("red")), strict="false")
        assert "active" == taken["state"], taken
        await steps(desk)
        await drill.until(lambda told: told)
        assert (True, {"on_s": 2, "off_s": 0, "times": 1}) == (drill.told[0]["drill"], drill.told[0]["siren"])
        assert [] == live.told


def message(area: str = SQUARE, status: str = "Actual", **more: Any) -> Outbound:
    """What the driver is handed."""
    document = cap(severity="Extreme", status=status, polygon=area).decode()
    given: dict[str, Any] = {
        "delivery_id": DELIVERY, "warning_id": "0c" * 16, "channel": "area_sound", "to": "", "text": "", "spoken": "",
        "subject": "", "language": "en", "link": "", "seconds_left": 3600, "document": document.encode(), "tier": 4,
        "hazard": "flash_flood", "spoken_in": {"en": "Leave now.", "zh": "现在离家。"},
    } | more  # fmt: skip
    return Outbound(**given)


async def test_the_broker_goes_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed: nothing is accepted and nothing fails for good. Back: accepted, and a speaker obeys each command once."""
    monkeypatch.setattr("services.channels.drivers.mqtt.link.WAITS_S", (0.05,))
    with Mosquitto(tmp_path / "broker") as broker:
        settings(monkeypatch, tmp_path, broker)
        async with AsyncExitStack() as stack:
            desk = await stack.enter_async_context(town(tmp_path))
            driver = speakers(desk)
            assert Outcome.ACCEPTED is (await driver.send(message())).outcome
            await asyncio.to_thread(broker.kill)
            async with asyncio.timeout(15):
                while driver.link.connected:  # noqa: ASYNC110  the library tells nobody
                    await asyncio.sleep(0.01)
            result = await driver.send(message(delivery_id="0d" * 16))
            assert (Outcome.PROVIDER_FAULT, "no broker") == (result.outcome, result.code)
            await asyncio.to_thread(broker.start)
            assert await driver.link.wait_connected(15)
            async with device(broker, "speaker", "school") as school:
                assert Outcome.ACCEPTED is (await driver.send(message(delivery_id="0d" * 16))).outcome
                assert Outcome.ACCEPTED is (await driver.send(message(delivery_id="0d" * 16))).outcome
                await school.until(lambda _: len(school.again) == 2)
                assert ["siren", "speak"] == [one["command"] for one in school.told]


async def test_a_broker_that_is_away_for_long_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More tries than any provider gets: the delivery waits, and is accepted soon after the broker is there."""
    monkeypatch.setattr("services.channels.drivers.mqtt.link.WAITS_S", (0.05,))
    broker = Mosquitto(tmp_path / "broker")
    settings(monkeypatch, tmp_path, broker)
    async with open_town(tmp_path / "data") as desk:
        await desk.post(cap(severity="Extreme", extra=_tier("red")), strict="false")
        for n in range(10):
            desk.clock.advance_to(SENT + 60 * n)
            await steps(desk)
        row = await area_row(desk)
        assert ("retry", True) == (row.send_state, row.attempts > 6), row
        with broker:
            assert await speakers(desk).link.wait_connected(15)
            desk.clock.advance_to(SENT + 700)
            await steps(desk)
            assert "accepted" == (await area_row(desk)).send_state


async def test_a_broker_that_has_stopped_answering_is_no_acceptance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen: within the call's limit the driver says that the broker is slow or lost, and is asked again."""
    monkeypatch.setattr("services.channels.drivers.mqtt.link.CALL_S", 0.3)
    with Mosquitto(tmp_path / "broker") as broker:
        settings(monkeypatch, tmp_path, broker)
        async with town(tmp_path) as desk:
            broker.freeze()
            result = await speakers(desk).send(message())
            assert (Outcome.PROVIDER_FAULT, "broker lost") == (result.outcome, result.code)
            await asyncio.to_thread(broker.kill)


async def test_a_wrong_password_is_our_fault_and_is_said(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is there and does not let us in: no speaker is failed for it."""
    settings(monkeypatch, tmp_path, mosquitto, password="wrong")
    async with open_town(tmp_path / "data") as desk:
        driver = speakers(desk)
        async with asyncio.timeout(15):
            while driver.link.fault != "broker refuses us":  # noqa: ASYNC110  the library tells nobody
                await asyncio.sleep(0.01)
        result = await driver.send(message())
        assert (Outcome.PROVIDER_FAULT, "broker refuses us") == (result.outcome, result.code)


async def test_what_is_never_played(tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exercise on the live plane; an area in which nobody could hear it."""
    settings(monkeypatch, tmp_path, mosquitto)
    async with town(tmp_path) as desk:
        for given, code in (
            ({"status": "Exercise"}, "Exercise on live"),
            ({"area": "10,10 10,11 11,11 10,10"}, "no speaker in the area"),
            ({"document": b"<html>"}, "no document of ours"),
        ):
            result = await speakers(desk).send(message(**given))
            assert (Outcome.PERMANENT, code) == (result.outcome, result.code)


async def test_without_a_voice_the_siren_sounds_alone(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches more than nothing; `tocsin check` says what to install. With voices alone the channel says why not."""
    monkeypatch.setattr(loudspeaker, "can_speak", lambda: False)
    monkeypatch.setattr(loudspeaker, "speak", _dumb)
    settings(monkeypatch, tmp_path, mosquitto)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        school, shop = [await stack.enter_async_context(device(mosquitto, "speaker", n)) for n in ("school", "shop")]
        assert Outcome.ACCEPTED is (await speakers(desk).send(message())).outcome
        await school.until(lambda told: told)
        assert (["siren"], []) == ([one["command"] for one in school.told], shop.told)
        said = await speakers(desk).told()
        assert any("espeak-ng is not installed" in line for line in said)
    settings(monkeypatch, tmp_path, mosquitto, "speakers:\n  - {id: shop, kind: voice}\n")
    async with open_town(tmp_path / "other") as desk:
        assert speakers(desk).why_not().startswith("no_voice: install espeak-ng")


async def _dumb(text: str, language: str) -> None:
    return None


def hung(folder: Path, monkeypatch: pytest.MonkeyPatch, voice: str = "*") -> Path:
    """An espeak-ng that never ends in this voice, and is the real one in others; the file its process ids stand in."""
    real, pids = shutil.which("espeak-ng"), folder / "pids"
    (folder / "bin").mkdir()
    script = folder / "bin" / "espeak-ng"
    script.write_text(f'#!/bin/sh\ncase "$2" in {voice}) echo $$ >>{pids}; exec sleep 60;; esac\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(loudspeaker, "VOICE_S", 0.8)
    return pids


async def test_a_voice_that_takes_its_time_is_not_heard_after_a_cancel(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The siren is out; the speech of a warning that was cancelled meanwhile would be spoken over the all-clear."""
    settings(monkeypatch, tmp_path, mosquitto)
    monkeypatch.setattr(driver_call, "STALE_INTENT_S", 0.2)
    begun, go = asyncio.Event(), asyncio.Event()
    usual = announcement.speak

    async def slow(text: str, language: str) -> Any:
        begun.set()
        await go.wait()
        return await usual(text, language)

    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        school = await stack.enter_async_context(device(mosquitto, "speaker", "school"))
        monkeypatch.setattr(loudspeaker, "speak", slow)
        _, taken = await desk.post(cap(severity="Extreme", extra=_tier("red")), strict="false")
        sending = asyncio.create_task(steps(desk))
        await asyncio.wait_for(begun.wait(), 10)
        await school.until(lambda told: told)
        path = f"/api/v1/warnings/{taken['warning_id']}/cancel"
        await desk.call("POST", path, {"ending": "sent_by_mistake", "reason": "wrong county"})
        await asyncio.sleep(0.3)  # wall time: an intent grows old by it
        go.set()
        await sending
        assert "siren" == school.told[0]["command"]
        assert [] == [one for one in school.told if one["command"] == "speak" and not one["ending"]]


async def test_the_siren_waits_for_no_voice(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A voice that hangs: the siren is out before it, is accepted, and it is said; voices alone, or an end, are tried again."""
    pids = hung(tmp_path, monkeypatch)
    settings(monkeypatch, tmp_path, mosquitto)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        school, shop = [await stack.enter_async_context(device(mosquitto, "speaker", n)) for n in ("school", "shop")]
        sent = asyncio.create_task(speakers(desk).send(message()))
        await school.until(lambda told: told)
        assert not sent.done()
        result = await sent
        assert (Outcome.ACCEPTED, "voice too slow") == (result.outcome, result.code)
        assert (["siren"], []) == ([one["command"] for one in school.told], shop.told)
        result = await speakers(desk).send(message(ending="over", delivery_id="0e" * 16))
        assert (Outcome.NOT_SENT, "voice too slow") == (result.outcome, result.code)
        await school.until(lambda told: len(told) == 2)
        assert "stop" == school.told[1]["command"]
    for pid in pids.read_text().split():
        with pytest.raises(ProcessLookupError):  # a voice nobody waits for is ended
            os.kill(int(pid), 0)


async def test_a_language_that_hangs_silences_no_other(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said by then is spoken, after the siren's pattern."""
    hung(tmp_path, monkeypatch, "cmn|zh")
    settings(monkeypatch, tmp_path, mosquitto)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        school = await stack.enter_async_context(device(mosquitto, "speaker", "school"))
        assert Outcome.ACCEPTED is (await speakers(desk).send(message())).outcome
        await school.until(lambda told: len(told) == 2)
        siren, speech = school.told
        assert (["en"], "siren") == (speech["speak"]["languages"], siren["command"])
        assert speech["wait_s"] > (siren["siren"]["on_s"] + siren["siren"]["off_s"]) * siren["siren"]["times"]


async def test_the_operators_recording_goes_before_the_voice(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For its hazard, tier and language; another tier is spoken; a file that is no such WAV is told and left out."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    tone = write_wav([silence(1.0)])
    (folder / "flash_flood.red.zh.wav").write_bytes(tone)
    (folder / "flash_flood.orange.zh.wav").write_bytes(tone[:30])
    (folder / "flood.wav").write_bytes(tone)
    settings(monkeypatch, tmp_path, mosquitto, recordings=str(folder))
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        school = await stack.enter_async_context(device(mosquitto, "speaker", "school"))
        only = {"zh-CN": "现在离家。"}
        assert Outcome.ACCEPTED is (await speakers(desk).send(message(spoken_in=only))).outcome
        assert (
            Outcome.ACCEPTED
            is (await speakers(desk).send(message(spoken_in=only, tier=3, delivery_id="1a" * 16))).outcome
        )
        await school.until(lambda told: len(told) == 4)
        said = [one["speak"]["seconds"] for one in school.told if one["command"] == "speak"]
        assert said[0] == pytest.approx(3.5)  # one second, a pause, and again
        assert said[1] != said[0]
        told = await speakers(desk).told()
        assert ["flash_flood.orange.zh.wav", "flood.wav"] == [
            line.split("left out: ")[1].split(":")[0] for line in told if "left out" in line
        ]


async def test_a_report_that_cannot_be_read_stops_no_other(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one after it is taken."""
    settings(monkeypatch, tmp_path, mosquitto)
    broken = [
        b"",
        b"\xff",
        b"[]",
        b'{"word": 3}',
        b'{"word": "alive", "battery": "full"}',
        b'{"word":"' + b"x" * 5000,
        b"null",
    ]
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        school: Device = await stack.enter_async_context(device(mosquitto, "speaker", "school"))
        for battery, payload in enumerate(broken):
            await school.raw(payload)
            await school.say("alive", battery=battery)
            await known(desk, "school", lambda r, want=battery: r.battery == want)


async def test_speakers_known_and_silent_are_told(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A speaker heard lately is not silent, one never heard or not for long is; a bad entry is told by line and rule."""
    text = LIST + "  - {id: school}\n  - {id: mill, lat: 91, lon: 3}\n  - {id: inn, lat: 3}\n  - [1]\n"
    settings(monkeypatch, tmp_path, mosquitto, text)
    async with town(tmp_path) as desk:
        async with desk.node.platform.database.write() as tx:
            await store.heard(tx, "speaker", "school", store.Health())
            await store.heard(tx, "speaker", "shop", store.Health())
            long_ago = sa.update(store.device).where(store.device.c.device_id == "shop").values(seen_at=wall() - 3600)
            await tx.execute(long_ago)
        said = await speakers(desk).told()
    assert "loudspeakers: 4 known, 3 silent: bridge, shop, far" == said[0]
    faults = [line.partition("speakers.yaml: ")[2] for line in said[1:]]
    assert "line 6, speakers.5.id: school stands further up too; give each its own" == faults[0]
    assert "line 7, speakers.6.lat: give a number of at most 90, not 91" == faults[1]
    assert "line 8, speakers.7: give lat and lon, or neither" == faults[2]
    assert "line 9, speakers.8: give entries in { }, not [1]" == faults[3]


async def test_the_devices_as_json_as_a_page_and_one_of_them_tried(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only with a key; silent ones first; a tone of one second is written down, and what it came to is shown."""
    settings(monkeypatch, tmp_path, mosquitto, LIST + "  - {id: '<b>'}\n")
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(town(tmp_path))
        bridge = await stack.enter_async_context(device(mosquitto, "speaker", "bridge"))
        assert 401 == (await desk.get("/open/devices"))[0]
        await bridge.say("alive", battery=7, trouble="<script>rain</script>")
        await known(desk, "bridge", lambda r: r.battery == 7)
        assert 404 == (await tried(desk, "shop"))[0]  # it has no tone
        assert 403 == (await tried(desk, "bridge", await desk.new_key(actions=["read"])))[0]
        assert 202 == (await tried(desk, "bridge"))[0]
        await bridge.until(lambda told: told)
        assert ("test", True, 1) == (
            bridge.told[0]["command"],
            bridge.told[0]["drill"],
            bridge.told[0]["siren"]["on_s"],
        )
        await bridge.say("played", token=bridge.told[0]["token"])
        await known(desk, "bridge", lambda r: r.tested_at is not None)
        status, found = await desk.call("GET", "/open/devices")
        assert (200, "connected", 3) == (status, found["broker"], found["silent"])
        assert ["far", "school", "shop", "bridge"] == [one["id"] for one in found["speakers"]]
        last = found["speakers"][3]
        assert (False, 7, True, True) == (
            last["silent"],
            last["battery"],
            last["tested_s"] < 60,
            "test" in last["last"],
        )
        assert 1 == len(found["left_out"])
        _, body, headers = await desk.get(
            "/open/devices", {"Authorization": f"Bearer {desk.key}", "Accept": "text/html"}
        )
        assert headers["Content-Type"].startswith("text/html")
        assert b"<script>rain" not in body
        assert b"4 known, 3 silent" in body


async def tried(desk: Town, name: str, key: str = "") -> tuple[int, bytes]:
    """A press of the page's button."""
    headers = {"Authorization": f"Bearer {key or desk.key}"}
    async with desk.session.post(f"{desk.url}/open/devices/test", data={"device": name}, headers=headers) as response:
        return response.status, await response.read()


# paho leaves the socket of a refused handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:.*unclosed <ssl.SSLSocket.*:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket.*:pytest.PytestUnraisableExceptionWarning")
async def test_over_tls_only_to_a_broker_that_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its certificate is checked against TOCSIN_DEVICES_CA; without that file there is no broker for us."""
    key, cert = pair("broker", host="127.0.0.1")
    (tmp_path / "broker.key").write_bytes(key)
    (tmp_path / "broker.pem").write_bytes(cert)
    with Mosquitto(tmp_path / "broker", tls=(tmp_path / "broker.pem", tmp_path / "broker.key")) as broker:
        settings(monkeypatch, tmp_path, broker)
        async with open_town(tmp_path / "a") as desk:
            link = speakers(desk).link
            async with asyncio.timeout(15):
                while "CERTIFICATE_VERIFY_FAILED" not in link.why:  # noqa: ASYNC110  the library tells nobody
                    await asyncio.sleep(0.01)
            assert not link.connected
        settings(monkeypatch, tmp_path, broker, ca=str(tmp_path / "broker.pem"))
        async with town(tmp_path) as desk:
            assert Outcome.ACCEPTED is (await speakers(desk).send(message())).outcome


async def test_tocsin_check_names_the_channels_and_counts_the_silent(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without connecting to anything."""
    settings(monkeypatch, tmp_path, mosquitto)
    monkeypatch.setenv("TOCSIN_CELL_BROADCAST_OPERATORS", "one=https://cb.one.example/cap")
    lines, sound = await check_installation(Settings(data_dir=tmp_path / "data"))
    assert sound, lines
    for said in (
        "channel area_sound: ready (loudspeaker_mqtt)", "channel bed_shaker: ready (bed_shaker_mqtt)",
        "channel cell_broadcast: ready (cell_broadcast)",
        "loudspeakers: 4 known, 4 silent: school, bridge, shop, far", "bed shakers: 0 heard so far, 0 silent now",
        "cell broadcast: 1 operators, identifiers by eu_alert", "cell broadcast: one has one route: give a second one behind |",
    ):  # fmt: skip
        assert said in lines


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BROKER", "http://broker", "give mqtts://host"),
        ("BROKER", "mqtt://user:pw@broker", "give mqtts://host"),
        ("TOPIC", "a/#", "TOPIC"),
        ("LIST", "missing.yaml", "a file that can be read"),
        ("SILENT_S", "1", "SILENT_S"),
        ("RECORDINGS", "nowhere", "is no folder"),
    ],
)
async def test_a_setting_that_does_not_fit_is_named_at_the_start(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which one, and what to give."""
    monkeypatch.setenv(f"TOCSIN_DEVICES_{variable}", value)
    tools: Any = cast(Any, Tools)(None, None, Signer(b"k" * 32), LinearClock(), "http://127.0.0.1", settings=Settings())
    with pytest.raises((Refused, Broken), match=said) as fault:
        LoudspeakerMqtt(tools)
    assert f"TOCSIN_DEVICES_{variable}" in str(fault.value)


async def test_without_speakers_the_log_keeps_the_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before; with a list and a broker the loudspeakers have it (in the first test)."""
    async with open_town(tmp_path / "data") as desk, desk.node.platform.database.read() as db:
        found = await db.scalar(sa.select(channel.c.driver).where(channel.c.channel == "area_sound"))
    assert "log" == found


def test_the_commands_are_json_that_a_small_device_can_read() -> None:
    """Whole numbers and words; nothing of a person."""
    assert {"on_s": 2, "off_s": 1, "times": 15} == json.loads(json.dumps(vars(loudspeaker.PATTERNS[4])))  # type: ignore[index]
