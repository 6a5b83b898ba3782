"""One warning while the public reads and consoles watch, beside the same with nobody looking.

Readers and watchers run on the machine that sends: what they take themselves is counted against us.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench import ours
from bench.campaign import Bench, say
from bench.ours import BenchFault, Look, Standin, Tocsin, wait_until
from tools.servers.crowd import Crowd
from tools.servers.watchers import Watchers

READERS, CONSOLES = 300, 20
MOST = 0.90  # of the rate alone, that has to be left


@dataclass(frozen=True)
class Watched:
    """What was sent, in seconds until all were recorded; `answers` the public had, `stream_kb` the consoles read."""

    system: str
    count: int
    round: int
    looked_at: bool
    seconds: float
    answers: int = 0
    stream_kb: float = 0.0
    fault: str = ""

    @property
    def rate(self) -> float:
        return self.count / self.seconds if self.seconds else 0.0


def measure(bench: Bench, systems: Sequence[str], count: int, turns: int) -> list[Watched]:
    """Alone and looked at in turn, each on a fresh copy and freshly started."""
    found: list[Watched] = []
    with Standin(0.0) as provider:
        for system in systems:
            for turn in range(turns):
                for looked_at in (False, True):
                    provider.reset()
                    try:
                        home = bench.home(system, count)
                        keys = ours.keys_of(home, CONSOLES) if looked_at else []
                        with bench.tocsin(home, provider) as server:
                            one = _sent(server, system, count, turn, keys)
                    except (BenchFault, RuntimeError) as problem:
                        one = Watched(system, count, turn, looked_at, 0.0, fault=str(problem))
                    found.append(one)
                    words = one.fault or f"{one.rate:,.0f} a second, {one.answers:,} answers to the public"
                    say(f"{'looked at' if looked_at else 'alone'}, {system}, round {turn + 1}: {words}")
    return found


def _sent(server: Tocsin, system: str, count: int, turn: int, keys: Sequence[str]) -> Watched:
    look = Look(server.home)
    public, console = (server.ports.get(role) or server.ports["tocsin"] for role in ("gateway", "router"))
    crowd = Crowd(public, READERS)
    with ExitStack() as stack:
        if keys:
            stack.enter_context(crowd)
        begun = time.perf_counter()
        warning_id = server.release(ours.warning("bench-watched"))
        watchers = Watchers(console, f"/live/{warning_id}/stream", keys)
        if keys:
            stack.enter_context(watchers)
        counted = lambda: look.counted(warning_id)  # noqa: E731  a few rows: looking at all would be what is measured
        wait_until(lambda: counted() >= count, counted, server, every_s=0.2)
        seconds = time.perf_counter() - begun
    look.close()
    return Watched(system, count, turn, bool(keys), seconds, crowd.answers, watchers.read / 1024)


def right(runs: Sequence[Watched]) -> bool:
    """Whether each did the whole work, and everybody who looked saw something."""
    return not any(run.fault or (run.looked_at and not (run.answers >= READERS and run.stream_kb)) for run in runs)


def table(runs: Sequence[Watched]) -> str:
    """A line a system."""
    lines = [
        f"**{READERS} connections on the public pages and {CONSOLES} consoles watching, while one warning goes out**",
        "",
        "| Tocsin | people | a second, alone | looked at | of alone | must | answers to the public | a console, KB a minute |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for system in dict.fromkeys(run.system for run in runs):
        mine = [run for run in runs if run.system == system]
        if faults := [run.fault for run in mine if run.fault]:
            lines.append(f"| {system} | {mine[0].count:,} | failed: {faults[0]} | | | | | |")
            continue
        alone, seen = (statistics.median(r.rate for r in mine if r.looked_at is at) for at in (False, True))
        last = [run for run in mine if run.looked_at]
        answers = statistics.median(run.answers for run in last)
        kb = statistics.median(run.stream_kb / CONSOLES / (run.seconds / 60) for run in last)
        lines.append(
            f"| {system} | {mine[0].count:,} | {alone:,.0f} | {seen:,.0f} | {seen / alone:.2f} | {MOST:.2f} "
            f"| {answers:,.0f} | {kb:.0f} |"
        )
    return "\n".join(lines)
