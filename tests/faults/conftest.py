"""The town every rehearsal begins with, made once."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.harness import Town, build_town
from tests.faults.table import Line, in_words

LINES: list[Line] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of all kills of this run."""
    if LINES:
        terminalreporter.section("kill -9, and what it cost")
        for line in in_words(LINES):
            terminalreporter.write_line(line)


@pytest.fixture
def table() -> list[Line]:
    """Where a test puts its line."""
    return LINES


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return asyncio.run(build_town(tmp_path_factory.mktemp("town") / "data"))


@pytest.fixture(scope="session")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A dozen people, for what is tried in this process."""
    return asyncio.run(build_town(tmp_path_factory.mktemp("hamlet") / "data", people=12))
