"""Announcements as sound: a text by espeak-ng, or the operator's own recording, said twice. WAV, 16 bit, mono, 22,050 Hz.

A recording is `<hazard>.<tier or ending>.<language>.wav` in TOCSIN_DEVICES_RECORDINGS, as flash_flood.red.zh.wav; a language
without region serves all its regions.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.shared.errors import Broken, Refused

RATE = 22_050
WIDTH = 2  # octets a sample
SPEAK_S = 8.0
PAUSE_S, BETWEEN_S = 1.5, 2.5  # between the two times, and between languages
WORDS_A_MINUTE = "140"
_VOICES = {"zh": "cmn", "zh-hk": "yue", "zh-mo": "yue", "no": "nb"}  # where espeak-ng's name is another


@dataclass(frozen=True)
class Sound:
    """Samples without a header."""

    samples: bytes

    @property
    def seconds(self) -> float:
        return len(self.samples) / (RATE * WIDTH)


def silence(seconds: float) -> Sound:
    """Nothing to be heard."""
    return Sound(bytes(int(RATE * seconds) * WIDTH))


def read_wav(data: bytes) -> Sound:
    """Refused where it is not what every speaker can play."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            samples = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as problem:
        raise Refused(f"this is no WAV file: {problem}", rule="wav") from problem
    if shape != (1, WIDTH, RATE):
        raise Refused(
            f"a recording has 1 channel, 16 bits, {RATE} samples a second; this one {shape[0]}, {8 * shape[1]}, {shape[2]}",
            rule="wav.shape",
            given=shape,
            remedy=f"sox in.wav -b 16 -c 1 -r {RATE} out.wav",
        )
    if not samples:
        raise Refused("this recording is empty", rule="wav.empty")
    return Sound(samples)


def write_wav(sounds: Iterable[Sound]) -> bytes:
    """One after the other, as a whole file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(WIDTH)
        file.setframerate(RATE)
        file.writeframes(b"".join(one.samples for one in sounds))
    return out.getvalue()


def said_twice(sounds: Sequence[Sound]) -> list[Sound]:
    """Each language twice, with a pause, before the next."""
    found: list[Sound] = []
    for sound in sounds:
        found += [silence(BETWEEN_S)] if found else []
        found += [sound, silence(PAUSE_S), sound]
    return found


def can_speak() -> bool:
    """Whether espeak-ng is installed."""
    return shutil.which("espeak-ng") is not None


async def speak(text: str, language: str) -> Sound | None:
    """The text in a synthetic voice; None where there is no voice for the language, or none at all."""
    base = language.lower().replace("_", "-")
    for voice in dict.fromkeys((_VOICES.get(base, base), _VOICES.get(base.split("-")[0], base.split("-")[0]))):
        if (found := await _espeak(text, voice)) is not None:
            return found
    return None


async def _espeak(text: str, voice: str) -> Sound | None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "said.wav"
        try:
            process = await asyncio.create_subprocess_exec(
                "espeak-ng", "-v", voice, "-s", WORDS_A_MINUTE, "-a", "150", "-w", str(out), "--stdin",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:
            return None
        try:
            async with asyncio.timeout(SPEAK_S):
                await process.communicate(text.encode())
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:  # also where whoever asked no longer waits
                process.kill()
                await process.wait()
        if process.returncode or not await asyncio.to_thread(out.exists):
            return None
        try:
            return read_wav(await asyncio.to_thread(out.read_bytes))
        except Refused:
            return None


@dataclass(frozen=True)
class Recordings:
    """The operator's own, by hazard, tier or ending, and language; `faults` says what in the folder cannot be used."""

    found: dict[tuple[str, str, str], Path]
    faults: tuple[str, ...] = ()

    def of(self, hazard: str, word: str, language: str) -> Sound | None:
        """The one that fits, read now; None where there is none."""
        low = language.lower()
        path = self.found.get((hazard, word, low)) or self.found.get((hazard, word, low.split("-")[0]))
        try:
            return read_wav(path.read_bytes()) if path is not None else None
        except (OSError, Refused):
            return None  # it was whole at the start: the voice says it instead


def read_recordings(folder: Path | None) -> Recordings:
    """Every WAV file of the folder, tried; Broken where the folder cannot be read."""
    if folder is None:
        return Recordings({})
    try:
        files = sorted(folder.glob("*.wav"))
        if not folder.is_dir():
            raise Broken(f"TOCSIN_DEVICES_RECORDINGS: {folder.name} is no folder")
    except OSError as problem:
        raise Broken(f"TOCSIN_DEVICES_RECORDINGS: {folder.name} cannot be read: {problem}") from problem
    found, faults = {}, []
    for path in files:
        words = path.name.removesuffix(".wav").split(".")
        if len(words) != 3 or not all(words):
            faults.append(f"{path.name}: name it <hazard>.<tier or ending>.<language>.wav")
            continue
        try:
            read_wav(path.read_bytes())
        except (OSError, Refused) as problem:
            faults.append(f"{path.name}: {problem}")
        else:
            found[words[0], words[1], words[2].lower()] = path
    return Recordings(found, tuple(faults))
