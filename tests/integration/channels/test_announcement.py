"""Announcements as sound files, read by Python's own wave module; and which speakers stand in an area."""

from __future__ import annotations

import io
import math
import struct
import wave
from pathlib import Path
from typing import Any

import pytest

from services.channels.drivers.mqtt.devices_file import Speaker, inside
from services.channels.messages.announcement import (
    RATE,
    Sound,
    read_recordings,
    read_wav,
    said_twice,
    silence,
    speak,
    write_wav,
)
from services.channels.messages.cap_document import DocumentArea, read_document
from services.shared.errors import Broken, Refused
from tests.kit.square import cap


def loudest(samples: bytes) -> int:
    return int(max(abs(s) for (s,) in struct.iter_unpack("<h", samples)))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("洪水来了,请现在离家。", "zh-CN"),
        ("Flash flood. Leave now.", "en"),
        ("-v --help 100 %", "en-GB"),
        ("Vete ya.", "es_MX"),
    ],
)
async def test_a_text_is_spoken_and_said_twice(text: str, language: str) -> None:
    """16 bit, mono; the second half is the first again after a pause; loud enough to be a voice and not clipped flat."""
    sound = await speak(text, language)
    assert sound is not None
    data = write_wav(said_twice([sound]))
    with wave.open(io.BytesIO(data)) as file:
        assert (1, 2, RATE, "NONE") == (
            file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getcomptype()
        )  # fmt: skip
        samples = file.readframes(file.getnframes())
    size = len(sound.samples)
    assert (sound.samples, sound.samples) == (samples[:size], samples[-size:])
    assert 0 == loudest(samples[size:-size])
    assert 0.5 < sound.seconds < 20
    assert 3000 < loudest(sound.samples) <= 32768


async def test_a_language_without_a_voice_is_none() -> None:
    """Tibetan has none here: nobody is read to in another language's sounds."""
    assert await speak("བཀྲ་ཤིས", "bo") is None


async def test_no_program_no_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing breaks where espeak-ng is not installed."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert await speak("Leave now.", "en") is None


def wav(channels: int = 1, width: int = 2, rate: int = RATE, frames: int = 100) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(frames * channels * width))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (wav(channels=2), "wav.shape"), (wav(width=1), "wav.shape"), (wav(rate=8000), "wav.shape"), (wav(frames=0), "wav.empty"),
        (b"", "wav"), (b"RIFF", "wav"), (b"ID3 mp3", "wav"),
    ],
)  # fmt: skip
def test_a_recording_that_speakers_could_not_play_is_refused(data: bytes, rule: str) -> None:
    """By rule, with what to do."""
    with pytest.raises(Refused) as fault:
        read_wav(data)
    assert rule == fault.value.rule


def test_recordings_are_found_by_hazard_word_and_language(tmp_path: Path) -> None:
    """The region's own first, then the language's; none of another tier."""
    (tmp_path / "flash_flood.red.zh.wav").write_bytes(write_wav([silence(1)]))
    (tmp_path / "flash_flood.red.zh-HK.wav").write_bytes(write_wav([silence(2)]))
    found = read_recordings(tmp_path)

    def seconds(*what: str) -> float | None:
        sound = found.of(*what)
        return None if sound is None else sound.seconds

    assert (1, 2, None, None) == (
        seconds("flash_flood", "red", "zh-CN"), seconds("flash_flood", "red", "zh-HK"),
        seconds("flash_flood", "orange", "zh"), seconds("storm", "red", "zh"),
    )  # fmt: skip
    (tmp_path / "flash_flood.red.zh.wav").write_bytes(b"broken since")
    assert seconds("flash_flood", "red", "zh-CN") is None
    with pytest.raises(Broken, match="is no folder"):
        read_recordings(tmp_path / "nowhere")


def test_each_language_twice_before_the_next() -> None:
    """With a longer pause between them."""
    one, two = Sound(b"\1\0" * 10), Sound(b"\2\0" * 10)
    assert [one, one, two, two] == [s for s in said_twice([one, two]) if any(s.samples)]


SQUARE = ((30.0, 103.0), (30.0, 103.1), (30.1, 103.1), (30.1, 103.0), (30.0, 103.0))
OVER = ((-1, 179.5), (-1, -179.99), (1, -179.99), (1, 179.5), (-1, 179.5))
KILOMETRE = 1 / 111.195  # degrees of latitude


def speaker(name: str = "a", **more: Any) -> Speaker:
    return Speaker(id=name, **{"heard_m": 500} | more)


@pytest.mark.parametrize(
    ("one", "area", "used"),
    [
        (speaker(lat=30.05, lon=103.05), DocumentArea(polygons=(SQUARE,)), True),
        (speaker(lat=30.1 + 0.4 * KILOMETRE, lon=103.05), DocumentArea(polygons=(SQUARE,)), True),  # heard inside
        (speaker(lat=30.1 + 0.6 * KILOMETRE, lon=103.05), DocumentArea(polygons=(SQUARE,)), False),
        (speaker(lat=30.05, lon=103.1 + 0.4 * KILOMETRE / math.cos(math.radians(30))), DocumentArea(polygons=(SQUARE,)), True),
        (speaker(lat=30.05, lon=103.1 + 0.6 * KILOMETRE / math.cos(math.radians(30))), DocumentArea(polygons=(SQUARE,)), False),
        (speaker(lat=30.0, lon=103.0), DocumentArea(circles=((30.0, 103.0, 0.0),)), True),
        (speaker(lat=30.0 + 5.4 * KILOMETRE, lon=103.0), DocumentArea(circles=((30.0, 103.0, 5000.0),)), True),
        (speaker(lat=30.0 + 5.6 * KILOMETRE, lon=103.0), DocumentArea(circles=((30.0, 103.0, 5000.0),)), False),
        (speaker(lat=0, lon=-179.999), DocumentArea(polygons=(OVER,)), True),  # over the antimeridian
        (speaker(), DocumentArea(polygons=(SQUARE,)), True),  # nobody knows where it stands
        (speaker(zone="Z1"), DocumentArea(polygons=(SQUARE,)), True),  # nor in which area that zone lies
        (speaker(zone="Z1"), DocumentArea(polygons=(SQUARE,), geocodes=frozenset({"Z1"})), True),
        (speaker(zone="Z2", lat=10, lon=10), DocumentArea(polygons=(SQUARE,), geocodes=frozenset({"Z1"})), False),
        (speaker(zone="Z2", lat=10, lon=10), DocumentArea(polygons=(SQUARE,), geocodes=frozenset({"Z2"})), True),
        (speaker(zone="Z2", lat=10, lon=10), DocumentArea(), True),
    ],
)  # fmt: skip
def test_who_is_used_for_an_area(one: Speaker, area: DocumentArea, used: bool) -> None:
    """Whoever may be heard in it, and whoever that cannot be told of."""
    assert used is bool(inside([one], area))


def test_codes_alone_choose_by_zone_and_unknown_codes_choose_all() -> None:
    """A code that no speaker's zone knows could be anywhere."""
    both = (speaker("a", zone="Z1"), speaker("b", zone="Z2"), speaker("c", lat=30, lon=103))
    assert ["a", "c"] == [one.id for one in inside(both, DocumentArea(geocodes=frozenset({"Z1"})))]
    assert ["a", "b", "c"] == [one.id for one in inside(both, DocumentArea(geocodes=frozenset({"Z9"})))]


def test_a_document_is_read_as_it_was_written() -> None:
    """Area, codes, tier and whether it is a drill; anything that is none of ours is told."""
    found = read_document(
        cap(status="Exercise", extra="<parameter><valueName>tocsin:tier</valueName><value>red</value></parameter>")
    )
    assert (True, "red", 1) == (found.drill, found.tier, len(found.area.polygons))
    assert found.area.within(30.05, 103.05, 0)
    for wrong in (b"", b"<a/>", b"<html>", cap().replace(b"30.0,103.0", b"30.0,east")):
        with pytest.raises(Broken):
            read_document(wrong)
