"""OR-Tools beside the sharing out of doors: reads cases as JSON lines, writes how much of each it reaches. Runs in .venv-bench.

A case: `homes` (grid, minutes by team, when a team must be away, weight), `teams` (grids), `travel` and `limit_s`. Times are
whole seconds from now. It maximises the weight of homes whose visit is over in time.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

FOR_A_LONG_TIME = 10 * 86400
HOME = 1_000_000  # a home against a second on the way: the quicker of two ways to reach as many


def reached(case: dict[str, Any]) -> list[int]:
    """The homes on the best routes found in the time, by index."""
    homes, teams, travel = case["homes"], case["teams"], case["travel"]
    manager = pywrapcp.RoutingIndexManager(len(homes) + 1, len(teams), 0)
    routing = pywrapcp.RoutingModel(manager)
    arcs = []
    for n, team in enumerate(teams):
        # from the end of one visit to the end of the next; a team ends where it is
        first = [0, *(home["takes"][n] + (0 if home["grid"] in team["grids"] else travel) for home in homes)]
        rows = [
            [0, *(home["takes"][n] + (0 if home["grid"] == before["grid"] else travel) for home in homes)]
            for before in homes
        ]
        arcs.append(routing.RegisterTransitMatrix([first, *rows]))
        routing.SetArcCostEvaluatorOfVehicle(arcs[n], n)
    routing.AddDimensionWithVehicleTransits(arcs, 0, FOR_A_LONG_TIME, True, "time")
    time = routing.GetDimensionOrDie("time")
    for n, home in enumerate(homes, 1):
        index = manager.NodeToIndex(n)
        time.CumulVar(index).SetMax(home["back"])
        routing.AddDisjunction([index], HOME * home["weight"])
    how = pywrapcp.DefaultRoutingSearchParameters()
    how.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    how.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    how.time_limit.FromMilliseconds(round(1000 * case["limit_s"]))
    found = routing.SolveWithParameters(how)
    if found is None:
        return []
    routed = []
    for n in range(len(homes)):
        index = manager.NodeToIndex(n + 1)
        if found.Value(routing.NextVar(index)) != index:
            routed.append(n)
    return routed


def main() -> int:
    """One line in, one line out."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(reached(json.loads(line))) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
