"""Measures a stranger's YAML and JSON, its size, depth and aliases, before it is read.

The limits stand here alone. A reader that is given more says so at once and does no work for it.
"""

from __future__ import annotations

from typing import Any

import orjson
import yaml

MIB = 1024 * 1024
COLUMN_MAP_BYTES = 16 * 1024  # it travels in an address
FILE_BYTES = 8 * MIB  # a file beside the settings: a county's loudspeakers are below 2 MiB
DEPTH = 32
# Safe both; the first is ten times as fast.
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TooMuch(yaml.YAMLError):
    """It is larger, deeper or more twisted than anything that is read here."""


def check_yaml(text: str, most: int = FILE_BYTES) -> None:
    """Raises TooMuch where the text exceeds `most` bytes, nests deeper than DEPTH, or refers to another part of
    itself. Another yaml.YAMLError says that it is no YAML.

    An alias lets 300 bytes stand for more memory than there is. Events are looked at one by one, so nothing is built.
    """
    if len(text) > most or len(text.encode(errors="replace")) > most:
        raise TooMuch(f"it is longer than {most} bytes: give a shorter one")
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.AliasEvent):
                line = _line(event)
                raise TooMuch(f"line {line} refers to another by *: write out what is meant")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEPTH:
                    line = _line(event)
                    raise TooMuch(f"line {line} nests deeper than {DEPTH}: nothing here is that deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except (ValueError, UnicodeError) as wrong:  # a sign YAML does not take
        raise yaml.YAMLError(str(wrong)) from wrong


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0


def json_of(data: bytes | str, most: int = FILE_BYTES) -> Any:
    """What the JSON says. Raises ValueError where it is none, longer than `most` bytes, or deeper than 1,024."""
    if len(data) > most:
        raise ValueError(f"it is longer than {most} bytes")
    return orjson.loads(data)
