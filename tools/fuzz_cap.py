"""Fuzzes all that is done with alert and feed bytes: `python -m tools.fuzz_cap [SECONDS [SEED]]` (make fuzz-cap).

Sound, faulty and, where TOCSIN_CAP_CORPUS is set, real alerts, with bytes or elements changed. What is caught: anything
raised but our own refusals, a step above 1 s of CPU time, more than 200 MB on top of the start. The input is kept.
"""

from __future__ import annotations

import copy
import hashlib
import os
import random
import resource
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lxml import etree

from services.gateway.cap import read, verify, write
from services.gateway.cap.model import Alert
from services.gateway.cli.cap_check import check
from services.gateway.feeds.listing import listing
from services.gateway.intake.incoming import from_cap
from services.shared.errors import Refused
from tests.integration.cap.test_hostile import BOMBS, SEEDS, _broken

SECONDS = 1.0
MEGABYTES = 200
LARGEST_SEED = 200_000
NASTY = (
    "", " ", "-", "NaN", "1e999", "-0", "9" * 400, "\u202e", "<b>&lt;/b>", "&amp;amp;amp;lt;", "山" * 500,
    "90,180 -90,-180 90,-180 -90,180", "0,0 0,0 0,0 0,0", "1,2,3,4,5", "2026-13-40T99:99:99+99:99", "0000-00-00",
    "2026-06-10T00:00:00Z", "a,b,c " * 300, "0,0 1e308", "1,1 -1", "urn:x " * 200,
)  # fmt: skip


def main() -> int:
    """0 when nothing was found."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(2**32)
    dice = random.Random(seed)
    seeds = [*SEEDS, *BOMBS.values(), *_corpus()]
    _say(f"fuzz-cap: {seconds:.0f} s, seed {seed}, {len(seeds)} files to begin with")
    for data in seeds:
        _one(data, strict=False)
    before, begun, told = _peak(), time.monotonic(), time.monotonic()
    count, slowest, found = 0, 0.0, 0
    verdicts: Counter[str] = Counter()
    while time.monotonic() - begun < seconds:
        data = _changed(dice.choice(seeds), dice)
        count += 1
        wrong = ""
        try:
            strict = count % 4 == 0
            verdict, took = _one(data, strict=strict)
            if took > SECONDS:  # another process may have had the cache: it is slow if it is so every time
                took = min(_one(data, strict=strict)[1] for _ in range(3))
            verdicts[verdict] += 1
            slowest = max(slowest, took)
            if took > SECONDS:
                wrong = f"{took:.2f} s of CPU time"
        except Exception:  # noqa: BLE001  whatever it is, it is what we look for
            wrong = traceback.format_exc()
        if _peak() - before > MEGABYTES:
            wrong = wrong or f"{_peak() - before:.0f} MB more than at the start"
            before = _peak()
        if wrong:
            found += 1
            _say(f"fuzz-cap: {_kept(data)}\n{wrong}")
        if time.monotonic() - told > 60:
            told = time.monotonic()
            _say(f"fuzz-cap: {count} files, slowest {slowest:.2f} s, {found} found")
    shown = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common())
    _say(
        f"fuzz-cap: {count} files in {time.monotonic() - begun:.0f} s ({shown}); slowest step {slowest:.2f} s of CPU, "
        f"{max(0.0, _peak() - before):.0f} MB above the start; {found} faults (seed {seed})"
    )
    return 1 if found else 0


def _one(data: bytes, *, strict: bool) -> tuple[str, float]:
    """Everything we do with bytes from outside; the verdict, and the slowest step in seconds of CPU time."""
    slowest = 0.0

    def run(step: Callable[[], object]) -> object:
        nonlocal slowest
        begun = time.process_time()
        try:
            return step()
        except Refused:
            return None
        finally:
            slowest = max(slowest, time.process_time() - begun)

    verdict = run(lambda: check("x", data))
    run(lambda: from_cap(data, strict=strict))
    run(lambda: listing(data, "https://example.org/feed"))
    for alert in read(data).alerts[:3]:
        run(partial(verify, alert.raw, [], at=alert.sent))
        run(partial(_written, alert))
    return (str(verdict["verdict"]) if isinstance(verdict, dict) else "none"), slowest


def _written(alert: Alert) -> None:
    again = read(write(alert)).alerts
    if len(again) != 1:
        raise AssertionError(f"written once, read {len(again)} times")


def _changed(data: bytes, dice: random.Random) -> bytes:
    """Bytes changed, or elements moved, doubled, emptied and filled with what is hard to read."""
    if dice.random() < 0.5:
        return _broken(data, dice)
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return _broken(data, dice)
    for _ in range(dice.randrange(1, 6)):
        elements = [e for e in root.iter() if isinstance(e.tag, str)]
        one, other = dice.choice(elements), dice.choice(elements)
        match dice.randrange(5):
            case 0:
                one.text = dice.choice(NASTY)
            case 1 if one is not root and one.getparent() is not None:
                one.getparent().remove(one)  # type: ignore[union-attr]
            case 2:
                other.append(copy.deepcopy(one))
            case 3:
                one.text = f"{one.text or ''}{dice.choice(NASTY)}"
            case _:
                one.tag = other.tag
    return etree.tostring(root, encoding=dice.choice(("UTF-8", "UTF-16", "ISO-8859-1")))


def _corpus() -> list[bytes]:
    folder = os.environ.get("TOCSIN_CAP_CORPUS")
    files = sorted(Path(folder).glob("*/*")) if folder else []
    return [f.read_bytes() for f in files if f.is_file() and f.stat().st_size < LARGEST_SEED]


def _peak() -> float:
    """The most memory the process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _kept(data: bytes) -> Path:
    path = Path(tempfile.gettempdir()) / f"fuzz-cap-{hashlib.sha256(data).hexdigest()[:16]}.xml"
    path.write_bytes(data)
    return path


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
