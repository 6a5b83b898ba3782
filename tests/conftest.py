"""What every test shares: tests on material from outside the project are collected only where that is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tools.peers import table

if TYPE_CHECKING:  # the process that only shares the files out among workers loads nothing of ours: they wait for it
    from tools.servers.mosquitto import Mosquitto
    from tools.servers.postgres import Postgres
    from tools.servers.rabbit import Rabbit

# A test file of this name reads, from the place the variable gives, what we may not ship.
NEEDS = {
    "test_corpus_*.py": ("TOCSIN_CAP_CORPUS", "real and official CAP alerts"),
    "test_spec_*.py": ("TOCSIN_TWILIO_SPEC", "the provider's published OpenAPI document"),
}

# Longest first, save that two which start six processes each do not stand side by side.
LONG_FIRST = (
    "faults/test_apart.py", "faults/test_provider.py", "web/test_every_page.py", "web/test_whole_way.py", "faults/test_kill.py",
    "faults/test_bus.py",
    "demo/test_corpus_alerts.py", "demo/test_demo.py", "faults/test_cancel.py", "web/test_said_truly.py",
    "demo/test_over_servers.py", "web/test_cases.py", "channels/test_outside_driver.py", "deploy/test_behind_proxy.py",
    "project/test_command_line.py", "faults/test_asking.py", "registry/test_audience.py", "faults/test_recorder.py",
)  # fmt: skip

# The same examples in every run, so that a red run can be had again; HYPOTHESIS_PROFILE=explore looks for new ones, and
# quick for a few of the same.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=10)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

_left_out = {pattern: need for pattern, need in NEEDS.items() if not os.environ.get(need[0])}


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that serves, whose rounds cost a fraction; in the inner tier the standard one, as uvloop's sockets and
    processes are not told to the audit hook that watches there."""
    if item.path.is_relative_to(Path(__file__).parent / "unit"):
        return {"asyncio": asyncio.new_event_loop}
    import uvloop

    return {"uvloop": uvloop.new_event_loop}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the files whose material is not here; say nothing (None) of all others."""
    return True if any(collection_path.match(pattern) for pattern in _left_out) else None


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever tells the table of peers something is one of `make test-peers`; the long files come first.

    A file is one worker's: of two workers one would be idle while the other ends a long one it began last.
    """
    for item in items:
        if "peer" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.peer)
    places = {name: n for n, name in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: places.get(f"{item.path.parent.name}/{item.path.name}", len(places)))


@pytest.fixture(autouse=True)
def _in_english() -> None:
    """A command that was asked in another language speaks it to the end of its process, which here is every test's."""
    from services.shared import i18n

    i18n.speak(i18n.SOURCE)


def pytest_collection_finish() -> None:
    """The collector leaves alone what every test needs to the end, as in a process that serves."""
    from services.run import leave_the_loaded_alone

    leave_the_loaded_alone()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each kind of test that was left out; then which peer decoded what."""
    for pattern, (variable, material) in _left_out.items():
        terminalreporter.write_line(f"not collected: {pattern}, as {variable} is unset ({material})")
    if rows := table.rows_of(terminalreporter.stats.get("passed", ())):
        terminalreporter.write_sep("-", "what programs of others decoded")
        for line in table.in_words(rows):
            terminalreporter.write_line(line)


@pytest.fixture
def peer(record_property: Callable[[str, Any], None]) -> table.Told:
    """peer(driver, peer, decoded): a line of the table of peers, if this test passes."""
    return table.teller(record_property)


@pytest.fixture(scope="session", autouse=True)
def _made_once() -> Iterator[None]:
    """A new SQLite database is a copy of one that the migrations made, statements are compiled once; a lock out of order is
    a fault."""
    import structlog

    from services import migrations
    from services.shared.database import locks
    from tests.kit import compiled
    from tools.servers.sqlite import copying

    locks.strict = True
    # Else each traceback is painted with all its locals, which took a test of a full disk twenty seconds.
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    with pytest.MonkeyPatch.context() as patch:
        compiled.share(patch)
        patch.setattr(migrations, "upgrade", copying())
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for this worker (or the one TOCSIN_DATABASE_URL names); `postgres.database()` is a fresh, migrated URL.

    Without fsync: what a test kills are processes, and the machine's cache outlives those.
    """
    from tools.servers.postgres import Postgres

    with Postgres.from_environment(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """A RabbitMQ node of this worker, to be killed, frozen and wiped; started by the first test that asks."""
    from tools.servers.rabbit import Rabbit

    with Rabbit(tmp_path_factory.mktemp("rabbit")) as node:
        yield node


@pytest.fixture(scope="session")
def shared_vhost(request: pytest.FixtureRequest) -> str:
    """A vhost on that node for all tests that only want a broker, or the one TOCSIN_AMQP_URL names, as it is.

    What earlier tests left in it are hints of messages that nobody has: they do nothing.
    """
    if outside := os.environ.get("TOCSIN_AMQP_URL"):
        return outside
    node: Rabbit = request.getfixturevalue("rabbit")
    return node.vhost("shared")


@pytest.fixture
def vhost(rabbit: Rabbit) -> str:
    """A vhost of this test's own."""
    return rabbit.unused()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """An MQTT broker of this worker; a test that kills one starts its own."""
    from tools.servers.mosquitto import Mosquitto

    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker
