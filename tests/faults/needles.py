"""Looks for a text in bytes, however a program may have written it; and through the memory of a running process."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

CHUNK = 8 << 20


def forms(text: str) -> dict[str, bytes]:
    """Name of an encoding > the bytes it makes of the text; a phone number also without its plus."""
    raw = text.encode()
    found = {
        "utf-8": raw,
        "utf-16": text.encode("utf-16-le"),  # also Python's own inside
        "utf-16 big end first": text.encode("utf-16-be"),
        "utf-32": text.encode("utf-32-le"),
        "hex": raw.hex().encode(),
        "json": json.dumps(text)[1:-1].encode(),
        "url": quote(text, safe="").encode(),
    }
    for shift in range(3):  # base64 of something longer that holds it, at each of three places
        padded = base64.b64encode(b"\0" * shift + raw)
        found[f"base64 at {shift}"] = padded[(0, 2, 3)[shift] : len(padded) - (0, 4, 4)[(len(raw) + shift) % 3]]
    if re.fullmatch(r"\+\d+", text):
        found["digits"] = text[1:].encode()
        found["digits, utf-16"] = text[1:].encode("utf-16-le")
        found["digits, utf-32"] = text[1:].encode("utf-32-le")
    return found


def found_in(places: Mapping[str, bytes] | Iterable[tuple[str, bytes]], texts: Iterable[str]) -> list[str]:
    """'text, as encoding, in place' of everything found."""
    wanted = [(text, name, needle) for text in texts for name, needle in forms(text).items()]
    items = places.items() if isinstance(places, Mapping) else places
    return sorted(
        {
            f"{text} as {name} in {place}"
            for place, content in items
            for text, name, needle in wanted
            if needle in content
        }
    )


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below it; one that goes meanwhile is gone."""
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                yield str(path.relative_to(folder)), path.read_bytes()
        except OSError:
            continue


def memory(pid: int, name: str) -> Iterator[tuple[str, bytes]]:
    """What a core file of a running process would hold: all it can write to, in chunks that overlap."""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            for at in range(start, end, CHUNK):
                try:
                    mem.seek(at)
                    yield f"memory of {name}", mem.read(min(CHUNK + 4096, end - at))
                except (OSError, OverflowError, ValueError):
                    break
