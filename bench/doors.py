"""How many homes the sharing out of doors reaches beside OR-Tools, on seeded cases: `make bench-doors`.

Both are given the same homes, teams and times: what a visit takes by team, five minutes to another grid, when a team must be
away. OR-Tools (in .venv-bench) has seconds for each case and is told to reach as many homes as it can; beside it, as many by
need, where one that comes first is worth three that come next. Ours takes need first, as a policy does, and is done in
milliseconds. `--cases`, `--seconds`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from services.router.doors.assignment import TRAVEL_S, HomeToVisit, Team, in_time, share_out, timetable
from services.router.planning.contexts import SHIPPED
from services.router.policy.engine import Policy, load
from services.shared.messages import WorkerEntry

ROOT = Path(__file__).resolve().parents[1]
SOLVER = (str(ROOT / ".venv-bench" / "bin" / "python"), str(ROOT / "bench" / "peers" / "doors_solver.py"))
RANKS = 4
ASKS = ("lift_team", "officer+guide", "officer", "officer")  # by rank: who cannot leave comes first


class DoorsCase(NamedTuple):
    """Homes and teams of one village in need; `alike`: all of one need and one length."""

    homes: list[HomeToVisit]
    teams: list[Team]


def made(seed: int, *, alike: bool) -> DoorsCase:
    """60 to 140 homes, 4 to 9 teams, an hour to two and a half; half of the homes turn back a quarter of an hour earlier."""
    rng = Random(seed)
    grids = [f"g{n}" for n in range(rng.randrange(3, 9))]
    lead = rng.randrange(60, 151) * 60.0
    homes = []
    for n in range(rng.randrange(60, 141)):
        rank = 0 if alike else rng.choices(range(RANKS), (1, 2, 3, 6))[0]
        back = lead - (900.0 if rng.random() < 0.5 else 0.0)
        asks = "officer" if alike else ASKS[rank]
        quarters = int((back - 60 * (35 if asks == "lift_team" else 12)) // 900)
        homes.append(HomeToVisit(f"{n:03d}", rng.choice(grids), n, (asks,), rank + 2, max(0, quarters), back))
    teams = [
        Team(
            WorkerEntry(f"t{n}", tuple(rng.sample(grids, rng.randrange(1, 3))), (), rng.randrange(8, 13), "en", ()),
            lead,
        )
        for n in range(rng.randrange(4, 10))
    ]
    return DoorsCase(homes, teams)


def ours(policy: Policy, case: DoorsCase) -> set[str]:
    """Whose visit is over in time."""
    teams = [Team(one.entry, one.last) for one in case.teams]
    share_out(policy, case.homes, teams, 0.0)
    return {seen.stop.home.home_id for one in teams for seen in timetable(one, 0.0) if in_time(one, seen)}


def asked(case: DoorsCase, weights: Sequence[int], limit_s: float) -> str:
    """The case as the solver reads it."""
    return json.dumps({
        "homes": [
            {
                "grid": home.grid, "back": int(home.turn_back or 0), "weight": weight,
                "takes": [int(team.takes(home) * team.door_s) for team in case.teams],
            }
            for home, weight in zip(case.homes, weights, strict=True)
        ],
        "teams": [{"grids": list(team.entry.grids)} for team in case.teams],
        "travel": int(TRAVEL_S), "limit_s": limit_s,
    })  # fmt: skip


def spread(ratios: Sequence[float]) -> str:
    """The middle, and the spread around it."""
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} (from {min(ratios):.3f} to {max(ratios):.3f}, half of them {low:.3f} to {high:.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table; 2 where the environment of the bench is missing."""
    parser = argparse.ArgumentParser(prog="bench.doors")
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=2.0, help="of OR-Tools, for each case and each question")
    given = parser.parse_args(arguments)
    if not Path(SOLVER[0]).exists():
        sys.stderr.write("bench-doors: .venv-bench is missing: bash tools/setup.sh bench\n")
        return 2
    policy = load(SHIPPED)
    endless = policy.model_copy(update={"door_list": policy.door_list.model_copy(update={"per_team_max": 1000})})
    rows: dict[str, list[float]] = {"all of one need": [], "by need, homes": [], "by need, homes by their need": []}
    ms: list[float] = []
    with subprocess.Popen(SOLVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as solver:

        def theirs(case: DoorsCase, weights: Sequence[int]) -> list[int]:
            if solver.stdin is None or solver.stdout is None:
                raise RuntimeError("the solver has no pipes")
            solver.stdin.write(asked(case, weights, given.seconds) + "\n")
            solver.stdin.flush()
            found: list[int] = json.loads(solver.stdout.readline())
            return found

        for seed in range(given.cases):
            for alike in (True, False):
                case = made(seed, alike=alike)
                begun = time.perf_counter()
                done = ours(endless, case)
                ms.append(1000 * (time.perf_counter() - begun))
                one = [1] * len(case.homes)
                rows["all of one need" if alike else "by need, homes"].append(len(done) / len(theirs(case, one)))
                if not alike:
                    need = [3 ** (RANKS + 1 - home.rank) for home in case.homes]
                    mine = sum(weight for weight, home in zip(need, case.homes, strict=True) if home.home_id in done)
                    rows["by need, homes by their need"].append(mine / sum(need[n] for n in theirs(case, need)))
    sys.stdout.write(
        f"bench-doors: {given.cases} cases, OR-Tools {given.seconds:g} s a case; ours {statistics.median(ms):.1f} ms "
        f"(at most {max(ms):.1f})\n"
    )
    for name, ratios in rows.items():
        sys.stdout.write(f"  {name:30} ours / OR-Tools {spread(ratios)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
