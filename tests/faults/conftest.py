"""The town every rehearsal begins with, made once."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.harness import Town, build_town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return asyncio.run(build_town(tmp_path_factory.mktemp("town") / "data"))


@pytest.fixture(scope="session")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A dozen people, for what is tried in this process."""
    return asyncio.run(build_town(tmp_path_factory.mktemp("hamlet") / "data", people=12))
