"""Two routers and three channels processes on one warning: each person once, on the channel as in the ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench import ours
from bench.campaign import Bench
from bench.ours import BenchFault, Look, Standin, wait_until

ROLES = ("gateway", "registry", "router", "router", "channels", "channels", "channels")
QUIET_S = 3.0  # waits so long for a message that must not come


@dataclass(frozen=True)
class Fifty:
    """What there is after one warning to `count` people; `right` where each has one row and was accepted once."""

    count: int
    rows: int
    accepted_rows: int
    attempts: int  # that the provider accepted
    not_made: int  # begun too long after their intent was written (a busy machine), and so not made; tried again
    accepts: int
    numbers: int
    most: int
    workers: int
    seconds: float
    fault: str = ""

    @property
    def right(self) -> bool:
        found = (self.rows, self.accepted_rows, self.attempts, self.accepts, self.numbers, self.most)
        return not self.fault and found == (*(self.count,) * 5, 1) and self.workers == ROLES.count("channels")

    def told(self) -> str:
        """One paragraph."""
        doubles, speed = self.accepts - self.numbers, self.count / self.seconds if self.seconds else 0.0
        verdict = "right" if self.right else f"WRONG {self.fault}".rstrip()
        return (
            f"**One warning to {self.count:,} people, {ROLES.count('router')} routers and {ROLES.count('channels')} "
            f"channels processes**: {self.rows:,} delivery rows, {self.accepted_rows:,} accepted by {self.attempts:,} "
            f"attempts of {self.workers} processes ({self.not_made:,} more given up unmade and tried again); the "
            f"provider accepted {self.accepts:,} for {self.numbers:,} numbers, {doubles} doubles, at most {self.most} a "
            f"number; {self.seconds:.1f} s, {speed:,.0f}/s: {verdict}"
        )


def measure(bench: Bench, count: int) -> Fifty:
    """Sends one warning; waits a little longer than it takes, for what is sent twice."""
    with Standin(0.0) as provider, bench.tocsin(bench.home("distributed", count), provider, ROLES) as server:
        look, fault = Look(server.home), ""
        begun = time.perf_counter()
        warning_id = server.release(ours.warning("bench-fifty"))
        recorded = lambda: look.accepted(warning_id)  # noqa: E731
        counted = lambda: look.counted(warning_id)  # noqa: E731
        try:
            wait_until(lambda: recorded() >= count, recorded, server, every_s=0.2)
            seconds = time.perf_counter() - begun
            wait_until(lambda: counted() >= count, counted, server, every_s=0.2)
            time.sleep(QUIET_S)
        except BenchFault as problem:
            seconds, fault = time.perf_counter() - begun, str(problem)
        rows = look.number("SELECT count(*) FROM delivery")
        attempts = look.number("SELECT count(*) FROM attempt WHERE outcome = 'accepted'")
        not_made = look.number("SELECT count(*) FROM attempt WHERE code = 'late_start'")
        workers = look.number("SELECT count(DISTINCT worker) FROM delivery WHERE worker <> ''")
        accepted = look.accepted(warning_id)
        look.close()
        found = provider.count()
    return Fifty(
        count,
        rows,
        accepted,
        attempts,
        not_made,
        found["accepts"],
        found["numbers"],
        found["most"],
        workers,
        seconds,
        fault,
    )
