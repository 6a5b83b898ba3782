"""The tiers of tests are kept: nothing outside them, and the inner one stays inside its process."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
TIERS = {"unit", "integration", "e2e", "faults"}


def test_every_test_is_in_a_tier_and_the_kit_holds_none() -> None:
    """A test file elsewhere would run with no tier's target."""
    found = [file.relative_to(TESTS) for file in TESTS.rglob("test_*.py")]
    assert TIERS == {file.parts[0] for file in found}


def connect() -> None:
    with socket.socket() as link:
        link.connect(("127.0.0.1", 9))


def bind() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))


@pytest.mark.parametrize(
    "leaves",
    [
        connect,
        bind,
        lambda: sqlite3.connect(":memory:"),
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        lambda: asyncio.run(asyncio.create_subprocess_exec(sys.executable, "-c", "")),
    ],
    ids=["connection", "server", "database", "process", "process of a loop"],
)
def test_a_test_of_the_inner_tier_that_leaves_its_process_fails(leaves: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="is of the inner tier"):
        leaves()
