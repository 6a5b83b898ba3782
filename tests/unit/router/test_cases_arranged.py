"""How a desk's cases are arranged: lives first, by village, and in place whoever has them."""

from __future__ import annotations

from typing import Any

from services.router.cases.arranging import Wanted, at_risk, by_village
from services.router.cases.view import CaseState


def one(case_id: str, zone: str, since: float, *needs: str, kind: str = "help", state: str = "open") -> CaseState:
    found: Any = {
        "case_id": case_id, "zone_id": zone, "opened_at": since, "needs": list(needs), "kind": kind, "state": state,
        "warning_id": "w", "person_id": "p", "owner": "", "team": "",
    }  # fmt: skip
    made: CaseState = found
    return made


CASES = [
    one("question", "a", 1.0, "power_medical", kind="question"),
    one("old", "a", 2.0, "blind"),
    one("oxygen", "b", 9.0, "power_medical", "blind"),
    one("wheelchair", "a", 8.0, "mobility", state="owned"),
    one("young", "b", 3.0),
]


def ids(asked: Wanted) -> list[tuple[str, list[str]]]:
    return [(v.zone_id, [c["case_id"] for c in v.cases]) for v in by_village(CASES, asked)]


def test_lives_come_first_then_who_waited_longest() -> None:
    assert [("a", ["wheelchair", "old", "question"]), ("b", ["oxygen", "young"])] == ids(Wanted())
    assert [False, False, True, True, False] == [at_risk(c) for c in CASES]


def test_who_takes_a_case_finds_it_where_it_was() -> None:
    before = ids(Wanted())
    taken: Any = [{**c, "state": "owned", "owner": "Li"} for c in CASES]
    after = [(v.zone_id, [c["case_id"] for c in v.cases]) for v in by_village(taken, Wanted())]
    assert before == after


def test_a_desk_may_leave_out_what_others_do() -> None:
    assert [("b", ["oxygen", "young"])] == ids(Wanted(village="b"))
    assert [("a", ["question"])] == ids(Wanted(kind="question"))
    assert [("a", ["wheelchair"])] == ids(Wanted(owner="some"))
    assert [("b", ["oxygen", "young"]), ("a", ["old", "question"])] == ids(Wanted(owner="none"))
    assert [] == ids(Wanted(village="nowhere"))
