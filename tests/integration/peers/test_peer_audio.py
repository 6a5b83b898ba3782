"""What loudspeakers fetch, judged by ffprobe and ffmpeg: the format we say, as long as we say, and not silent."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest

from services.channels.messages.announcement import RATE, read_wav, said_twice, speak, write_wav
from tools.peers.table import Told


async def run(*command: str) -> str:
    """What it prints, on either stream."""
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("text", "language"), [("现在离家,步行往高处。", "zh"), ("Leave now, on foot, uphill.", "en")])
async def test_ffmpeg_reads_an_announcement(text: str, language: str, tmp_path: Path, peer: Told) -> None:
    """PCM of 16 bits, one channel; its length to a tenth of a second; a voice, then a pause, then the voice."""
    sound = await speak(text, language)
    assert sound is not None
    data = write_wav(said_twice([sound]))
    path = tmp_path / "said.wav"
    path.write_bytes(data)
    found = json.loads(await run("ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)))
    (stream,) = found["streams"]
    assert ("pcm_s16le", str(RATE), 1) == (stream["codec_name"], stream["sample_rate"], stream["channels"])
    assert float(found["format"]["duration"]) == pytest.approx(read_wav(data).seconds, abs=0.1)
    levels = await run("ffmpeg", "-hide_banner", "-i", str(path), "-af", "volumedetect", "-f", "null", "-")
    level = re.search(r"max_volume: (-?[\d.]+) dB", levels)
    assert level is not None
    assert -20 < float(level[1]) <= 0
    quiet = await run(
        "ffmpeg", "-hide_banner", "-i", str(path), "-af", "silencedetect=n=-60dB:d=1.4", "-f", "null", "-"
    )
    assert re.search(r"silence_duration: 1\.[4-9]|silence_duration: 2", quiet)
    seconds = float(found["format"]["duration"])
    peer(
        "loudspeaker_mqtt", "Debian ffmpeg", f"{language}: {RATE} Hz, 16 bits, {seconds:.1f} s, said twice with a pause"
    )
