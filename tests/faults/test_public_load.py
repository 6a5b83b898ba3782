"""Five hundred on the public pages beside a red warning: what an authority's call and red's first message take, by idle."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import ours
from bench.ours import Standin, Tocsin, wait_until
from tools.servers.crowd import Crowd

CONNECTIONS, PEOPLE, TRIES, ROUNDS = 500, 100, 12, 3
MOST = 1.5


def red(server: Tocsin, provider: Standin, name: str) -> tuple[float, float]:
    """Seconds an authority's call took, and from then until the provider had the first message."""
    provider.reset("+999")
    begun = time.time()
    server.release(ours.warning(name, tier="red"))
    taken = time.time()
    watched = lambda: provider.watched()["watched"]  # noqa: E731
    wait_until(lambda: watched() >= PEOPLE, watched, server)
    return taken - begun, min(provider.times().values()) - begun


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_public_pages_take_nothing_from_those_who_warn(
    tmp_path: Path, ratios: Callable[[str, dict[str, tuple[float, float]], float], None]
) -> None:
    """Medians of tries in turn, idle and beside 500 connections that never rest."""
    home = ours.make_home(tmp_path / "home", PEOPLE)
    idle: list[tuple[float, float]] = []
    beside: list[tuple[float, float]] = []
    with Standin(0.02) as provider, Tocsin(home, provider.port) as server:
        for n in range(4):
            red(server, provider, f"warm{n}")
        for turn in range(ROUNDS):
            idle += [red(server, provider, f"idle{turn}-{n}") for n in range(TRIES // ROUNDS)]
            with Crowd(server.ports["tocsin"], CONNECTIONS) as crowd:
                beside += [red(server, provider, f"beside{turn}-{n}") for n in range(TRIES // ROUNDS)]
            assert crowd.answers >= CONNECTIONS, "everybody of the crowd was answered too"
    found = {
        what: (statistics.median(one[n] for one in idle), statistics.median(one[n] for one in beside))
        for n, what in enumerate(("an authority's call", "red's first message"))
    }
    ratios(f"{CONNECTIONS} on public pages", found, MOST)
