"""What a warning costs stays as low as it is, by what hangs on no machine: statements, commits, Python calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import counts, ours
from tools.servers.postgres import Postgres

PEOPLE = 2_000


@pytest.fixture(scope="module")
def provider() -> Iterator[ours.Standin]:
    with ours.Standin(0.0) as process:
        yield process


@pytest.fixture(params=["embedded", "distributed"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> ours.Home:
    """An installation with PEOPLE people, whom one text each reaches."""
    if request.param == "embedded":
        return ours.make_home(tmp_path / "home", PEOPLE)
    server: Postgres = request.getfixturevalue("postgres")
    made = ours.make_home(tmp_path / "home", PEOPLE, server)
    return ours.on_broker(made, request.getfixturevalue("vhost"))


async def test_a_recipient_costs_no_more_than_it_did(home: ours.Home, provider: ours.Standin) -> None:
    """Whoever makes it dearer sees by what: the failure names each statement and function, the most frequent first."""
    provider.reset()
    found = await counts.count(home, provider, PEOPLE)
    assert {"accepts": PEOPLE, "numbers": PEOPLE, "most": 1, "smpp": 0} == provider.count()
    most = counts.MOST[home.distributed]
    assert found.statements_per_1000 <= most.statements, found.told()
    assert found.commits_per_1000 <= most.commits, found.told()
    assert found.calls_each <= most.calls, found.told()
