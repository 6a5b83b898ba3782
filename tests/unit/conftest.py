"""The inner tier: a test here opens no connection and no database and starts no process; one that does fails at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

FORBIDDEN = frozenset(
    {"socket.bind", "socket.connect", "sqlite3.connect", "subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn"}
)
_running: list[str] = []


def _watch(event: str, given: tuple[object, ...]) -> None:
    if _running and event in FORBIDDEN:
        what = given[1] if event.startswith("socket.") else given[0]
        pytest.fail(f"{_running[-1]} is of the inner tier and did {event} {what!r}: move it to tests/integration")


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def _inner_tier(request: pytest.FixtureRequest) -> Iterator[None]:
    _running.append(request.node.nodeid)
    yield
    _running.pop()
