"""The table of peers: which program of others decoded what one of our drivers sent, and what it read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

PROPERTY = "peer"  # of a test's report: it crosses from a worker to whoever prints


class Row(NamedTuple):
    """`decoded` is what the peer read out of it, in a few words."""

    driver: str
    peer: str
    decoded: str


Told = Callable[[str, str, str], None]


def teller(record: Callable[[str, Any], None]) -> Told:
    """What the fixture `peer` gives: call it with driver, peer and what was decoded, once the peer has agreed."""

    def told(driver: str, peer: str, decoded: str) -> None:
        record(PROPERTY, json.dumps(Row(driver, peer, " ".join(decoded.split())), ensure_ascii=False))

    return told


def rows_of(reports: Iterable[Any]) -> list[Row]:
    """Of passed tests' reports; what two tests tell alike is told once."""
    found = {
        Row(*json.loads(value))
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == PROPERTY
    }
    return sorted(found)


def in_words(rows: list[Row]) -> list[str]:
    """A line each."""
    wide = [max(len(row[n]) for row in (Row("driver", "peer", ""), *rows)) for n in range(2)]
    lines = [Row("driver", "peer", "decoded"), *rows]
    return [f"{line.driver:{wide[0]}}  {line.peer:{wide[1]}}  {line.decoded}" for line in lines]
