"""Holds how many lines of `services` say `Any`: the number may only go down."""

from __future__ import annotations

import re
from pathlib import Path

SERVICES = Path(__file__).parents[3] / "services"
CEILING = 80


def test_any_is_said_on_no_more_lines_than_before() -> None:
    lines = (line for file in sorted(SERVICES.rglob("*.py")) for line in file.read_text().splitlines())
    found = sum(bool(re.search(r"\bAny\b", line)) for line in lines)
    assert found <= CEILING, (
        f"{found} lines of services say Any, {CEILING} may: give a row of a query a NamedTuple (database/rows.py), "
        "JSON of a known shape a TypedDict or struct, a validator's value `object`, a library without types a Protocol"
    )
