"""The town every rehearsal begins with, made once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.faults.checker import Verdict
from tests.faults.harness import Town, build_town
from tests.faults.table import Line, in_words
from tests.servers.postgres import Postgres

LINES = "faults_table"  # the name under which lines travel with a test's report, also from a worker process


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of all faults of this run."""
    reports = [r for kind in terminalreporter.stats.values() for r in kind if isinstance(r, pytest.TestReport)]
    found = [value for r in reports if r.when == "call" for name, value in r.user_properties if name == LINES]
    lines = [Line(*value) for value in found if isinstance(value, list)]
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


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return asyncio.run(build_town(tmp_path_factory.mktemp("town") / "data"))


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Town:
    """The same people on PostgreSQL."""
    return asyncio.run(build_town(tmp_path_factory.mktemp("county") / "data", server=postgres))


@pytest.fixture(scope="session")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A dozen people, for what is tried in this process."""
    return asyncio.run(build_town(tmp_path_factory.mktemp("hamlet") / "data", people=12))
