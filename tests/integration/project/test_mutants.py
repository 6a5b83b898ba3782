"""Each mutant of the policy engine still has its place: a file that is there, and a text that stands in it once."""

from __future__ import annotations

import pytest

from tools.mutants import MUTANTS, ROOT, TESTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{n} {m.file}" for n, m in enumerate(MUTANTS, 1)])
def test_a_mutant_has_its_place(mutant: Mutant) -> None:
    text = (ROOT / "services" / "router" / mutant.file).read_text(encoding="utf-8")
    assert 1 == text.count(mutant.old)


def test_the_tests_that_judge_mutants_are_there() -> None:
    names = {name for some in TESTS.values() for name in some}
    assert set() == {name for name in names if not list((ROOT / "tests").glob(f"*/router/{name}"))}
    assert {mutant.file for mutant in MUTANTS} <= set(TESTS)
