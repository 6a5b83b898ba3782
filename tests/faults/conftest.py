"""The town every rehearsal begins with, made once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.faults.checker import Verdict
from tests.faults.harness import Prepared, build_town
from tests.faults.table import Beside, Line, beside_in_words, in_words
from tools.servers.postgres import Postgres

LOADS = "loads_table"
LINES = "faults_table"  # the name under which lines travel with a test's report, also from a worker process


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of all faults of this run."""
    reports = [r for kind in terminalreporter.stats.values() for r in kind if isinstance(r, pytest.TestReport)]
    found = [value for r in reports if r.when == "call" for name, value in r.user_properties if name == LINES]
    lines = [Line(*value) for value in found if isinstance(value, list)]
    loads = [v for r in reports if r.when == "call" for name, v in r.user_properties if name == LOADS]
    if loads:
        terminalreporter.section("what a load costs those who warn")
        for line in beside_in_words([Beside(*value) for value in loads if isinstance(value, list)]):
            terminalreporter.write_line(line)
    if lines:
        terminalreporter.section("faults, and what they cost")
        for line in in_words(lines):
            terminalreporter.write_line(line)


@pytest.fixture
def table(record_property: Callable[[str, object], None]) -> Callable[[str, Verdict, float], None]:
    """Where a test puts its line: which fault, the judge's verdict, wall seconds until somebody answered again."""

    def put(fault: str, verdict: Verdict, recovered_s: float) -> None:
        figures = (verdict.deliveries, verdict.lost, verdict.ambiguous, verdict.doubled)
        record_property(LINES, [fault, *figures, recovered_s])

    return put


@pytest.fixture
def ratios(
    record_property: Callable[[str, object], None],
) -> Callable[[str, dict[str, tuple[float, float]], float], None]:
    """Where a test puts what things take idle and beside a load (seconds); it fails where that is more than `most` times."""

    def put(load: str, found: dict[str, tuple[float, float]], most: float) -> None:
        for what, (idle, beside) in found.items():
            record_property(LOADS, [load, what, idle, beside, most])
        assert all(beside <= most * idle for idle, beside in found.values()), found

    return put


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return asyncio.run(build_town(tmp_path_factory.mktemp("town") / "data"))


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Prepared:
    """The same people on PostgreSQL."""
    return asyncio.run(build_town(tmp_path_factory.mktemp("county") / "data", server=postgres))


@pytest.fixture(scope="session")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A dozen people, for what is tried in this process."""
    return asyncio.run(build_town(tmp_path_factory.mktemp("hamlet") / "data", people=12))
