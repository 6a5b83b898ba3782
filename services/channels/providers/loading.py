"""Finds installed drivers: every entry point of the group `tocsin.drivers`, ours and others'.

One that cannot be loaded stops nobody else: it is left out, said in the log, and `tocsin check` calls the installation not
sound. Two of one name are refused, both by name: nobody could say which of them sends. A setting that is wrong refuses the
start as everywhere, since whoever typed it is there to read it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import structlog

from services.channels.model.driver import Channel, Driver, Spec, Tools
from services.shared.errors import Broken, Fault

NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")
GROUP = "tocsin.drivers"
log = structlog.get_logger("channels")


@dataclass
class Installed:
    """Specs by name, and of those that cannot be used why: entry point > sentence."""

    specs: dict[str, Spec] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


@dataclass
class Loaded:
    """Drivers by name, and what could not be loaded or made."""

    drivers: dict[str, Driver] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


@cache
def _points(_path: tuple[str, ...]) -> Sequence[EntryPoint]:
    """Entry points of the group, looked for once a process and path: every package that is installed is opened."""
    return sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value))


def find() -> Installed:
    """What is installed; Broken where two channels have one name."""
    found, holders = Installed(), dict[str, EntryPoint]()
    for point in _points(tuple(sys.path)):
        if point.name in holders:
            raise Broken(
                f"two channels are called {point.name!r}: {_place(holders[point.name])}, and {_place(point)}; "
                "uninstall one of the two, or give it another name"
            )
        holders[point.name] = point
        try:
            spec = point.load()
        except Exception as problem:  # noqa: BLE001 - somebody else's module may raise anything while it is imported
            _leave_out(found.broken, point, f"cannot be imported: {type(problem).__name__}: {problem}")
            continue
        if not isinstance(spec, Spec):
            _leave_out(found.broken, point, "is no Spec: write DRIVER = Spec(name, make)")
        elif spec.name != point.name:
            _leave_out(found.broken, point, f"calls itself {spec.name!r}: give entry point and Spec one name")
        else:
            found.specs[spec.name] = spec
    return found


def load(tools: Tools) -> Loaded:
    """Every installed driver, made; a Fault of its settings goes on to whoever starts."""
    found = find()
    points = {point.name: point for point in _points(tuple(sys.path))}
    loaded = Loaded(broken=found.broken)
    for name, spec in found.specs.items():
        try:
            driver = spec.make(tools)
            why = _wrong_with(driver, name)
        except Fault:
            raise
        except Exception as problem:  # noqa: BLE001 - somebody else's driver may raise anything while it is made
            _leave_out(loaded.broken, points[name], f"cannot be made: {type(problem).__name__}: {problem}")
            continue
        if why:
            _leave_out(loaded.broken, points[name], why)
        else:
            loaded.drivers[name] = driver
    for name, why in loaded.broken.items():
        log.error("driver_left_out", driver=name, reason=why)
    return loaded


def _wrong_with(driver: Driver, name: str) -> str:
    if driver.name != name:
        return f"makes a driver called {driver.name!r}: its name and the entry point's are one"
    if not NAME.fullmatch(name):
        return f"is called {name!r}: give it a name of a-z, 0-9 and _, at most 24"
    if not all(isinstance(channel, Channel) for channel in driver.channels):
        return "has channels that are none: write Channel(...) for each"
    if driver.concurrency < 1:
        return f"has a concurrency of {driver.concurrency}: give at least 1"
    driver.why_not()
    return ""


def _leave_out(broken: dict[str, str], point: EntryPoint, why: str) -> None:
    broken[point.name] = f"{_place(point)} {why}"[:400]


def _place(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name if point.dist else 'an unknown package'}"
