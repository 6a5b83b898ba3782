"""Serves /livez, /readyz and /metrics on the process's own port; no proxy shows them to the outside.

/livez    200: the event loop turns. Looks at nothing else, so that a dead database restarts no process.
/readyz   200, or 503 with the reasons: may requests be sent here? JSON, each check "ok" or what is wrong; and what a
          person on duty must be told, which takes nobody out of the proxy: all would go at once.
/metrics  Prometheus text: figures from the tables, this process's own counts, memory and file descriptors.

Whether a broker is connected is a figure and no reason to be unready: without it everything still works, slower.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import aiohttp
import prometheus_client
import sqlalchemy as sa
import structlog
from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from services.shared import alarms, telemetry
from services.shared.clock import Clock, wall
from services.shared.database import disk
from services.shared.database.batches import upsert
from services.shared.database.engine import Connection, Database
from services.shared.database.instance import instance
from services.shared.figures import Figure, Values
from services.shared.operations.ledger_figures import LEDGER
from services.shared.web.answers import Json

Checks = Callable[[], Mapping[str, str | None]]  # name > what is wrong, None where nothing is


@dataclass(frozen=True)
class Readiness:
    """Each check with what is wrong or None, and the alarms that stand: they make nobody unready."""

    checks: Mapping[str, str | None]
    alarms: Mapping[str, str] = field(default_factory=dict)


T = TypeVar("T")

log = structlog.get_logger("health")
PATIENCE_S = 3.0  # a database that takes longer to commit nothing is not ready
READY_KEEP_S = 1.0
FIGURES_KEEP_S = 5.0
GIVE_UP_S = 30.0  # on a connection that hangs: another look takes another one
_alembic = sa.table("alembic_version", sa.column("version_num"))


def routes(
    database: Database,
    clock: Clock,
    checks: Checks,
    *,
    plane: str,
    revisions: Sequence[str],
    figures: Sequence[Figure] = LEDGER,
    bus: Callable[[], Mapping[str, object]] | None = None,
    source: Callable[[], float] = time.monotonic,
) -> list[web.RouteDef]:
    """The three routes. `checks` answers at once, from memory: bus, loops, draining.

    `revisions` are the schema revisions this program knows, newest first: an older database is not ready, a newer one
    is (while a new release is rolled out, the old one goes on). `bus` is the bus's own health, shown as figures.
    """
    look = Probe(database, clock, plane, revisions, figures)
    readiness = Once(look.readiness, READY_KEEP_S, source)
    values = Once(look.values, FIGURES_KEEP_S, source)

    async def livez(request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def ready() -> Readiness:
        found = await readiness.get(PATIENCE_S) or Readiness({"database": f"took no write within {PATIENCE_S:g} s"})
        return Readiness({**found.checks, **checks()}, found.alarms)

    async def readyz(request: web.Request) -> web.Response:
        found = await ready()
        sound = all(wrong is None for wrong in found.checks.values())
        told = {name: wrong or "ok" for name, wrong in found.checks.items()}
        body = {"ready": sound, "checks": told, "alarms": found.alarms}
        return Json(body, status=200 if sound else 503)

    async def metrics(request: web.Request) -> web.Response:
        known, read = await ready(), await values.get(PATIENCE_S)
        registry = prometheus_client.CollectorRegistry()
        registry.register(_Families(lambda: _families(known.checks, figures, read or {}, bus() if bus else {})))
        prometheus_client.ProcessCollector(registry=registry)
        prometheus_client.PlatformCollector(registry=registry)
        return web.Response(
            body=prometheus_client.generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        )

    return [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]


class Once(Generic[T]):
    """A look that many may ask for: one at a time, kept `keep` seconds, given up after GIVE_UP_S."""

    def __init__(self, look: Callable[[], Awaitable[T]], keep: float, source: Callable[[], float]) -> None:
        self._look = look
        self._keep = keep
        self._source = source
        self._task: asyncio.Task[T] | None = None
        self._begun_at = self._done_at = 0.0

    async def get(self, patience: float) -> T | None:
        """What was seen at most `keep` seconds ago; None where nothing was seen within `patience`."""
        task, now = self._task, self._source()
        if task is not None and not task.done() and now - self._begun_at > GIVE_UP_S:
            task.cancel()
            task = None
        if task is None or (task.done() and now - self._done_at >= self._keep):
            self._begun_at = now
            task = self._task = asyncio.create_task(self._once(), name="health")
        await asyncio.wait([task], timeout=patience)
        return task.result() if task.done() else None

    async def _once(self) -> T:
        try:
            return await self._look()
        finally:
            self._done_at = self._source()


class Probe:
    """The queries behind /readyz and /metrics; whatever a database does, they end in words."""

    def __init__(
        self, database: Database, clock: Clock, plane: str, revisions: Sequence[str], figures: Sequence[Figure]
    ) -> None:
        self._database = database
        self._clock = clock
        self._plane = plane
        self._revisions = revisions
        self._figures = figures

    async def readiness(self) -> Readiness:
        """database, schema, plane: what is wrong with each, or None."""
        try:
            async with self._database.write() as tx:
                await self._write(tx)
                plane = await tx.scalar(sa.select(instance.c.value).where(instance.c.name == "plane"))
                revision = await tx.scalar(sa.select(_alembic.c.version_num))
                told = {row.name: row.said for row in await alarms.standing(tx)}
        except Exception as problem:  # noqa: BLE001  whatever a driver raises, the answer is that we are not ready
            log.warning("not_ready", reason=type(problem).__name__)
            why = "the disk is full" if disk.is_full(problem) else type(problem).__name__
            return Readiness({"database": f"takes no write: {why}"})
        checks = {
            "database": None,
            "schema": None
            if revision not in self._revisions[1:] and revision is not None
            else f"stands at {revision or 'nothing'}, not {self._revisions[0]}: run tocsin migrate",
            "plane": None if plane == self._plane else f"the database is for {plane}, this process for {self._plane}",
        }
        return Readiness(checks, told)

    async def _write(self, tx: Connection) -> None:
        """Makes this transaction one that writes, without a row that another process's frozen probe could hold."""
        if self._database.is_sqlite:
            await upsert(tx, instance, [{"name": "probe", "value": repr(wall())}], ["name"], replace=["value"])
        else:
            await tx.execute(sa.select(sa.func.pg_logical_emit_message(True, "tocsin", "ready")))

    async def values(self) -> dict[str, Values]:
        """Every figure that could be read."""
        read: dict[str, Values] = {}
        try:
            async with self._database.read() as db:
                for figure in self._figures:
                    read[figure.name] = await figure.query(db, self._clock.now())
        except Exception as problem:  # noqa: BLE001  whatever a driver raises, the rest of /metrics is still wanted
            unread = [figure.name for figure in self._figures if figure.name not in read]
            log.warning("no_figures", unread=unread, reason=type(problem).__name__)
        return read


class _Families:
    """The shape prometheus-client asks a collector to have."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        return self._families()


def _families(
    known: Mapping[str, str | None], figures: Sequence[Figure], read: Mapping[str, Values], bus: Mapping[str, object]
) -> Iterator[Metric]:
    check = GaugeMetricFamily("tocsin_check", "1 where a check of /readyz is right", labels=["check"])
    for name, wrong in known.items():
        check.add_metric([name], float(wrong is None))
    yield check
    for figure in figures:
        gauge = GaugeMetricFamily(figure.name, figure.help, labels=figure.labels)
        for labels, value in sorted(read.get(figure.name, {}).items()):
            gauge.add_metric(labels, value)
        yield gauge
    facts = GaugeMetricFamily("tocsin_bus", "What the bus knows of its broker; 1 is yes", labels=["fact"])
    for fact, told in bus.items():
        if isinstance(told, bool | int | float):
            facts.add_metric([fact], float(told))
    yield facts
    sends = CounterMetricFamily("tocsin_sends", "Attempts by driver and outcome", labels=["driver", "outcome"])
    for (driver, outcome), n in sorted(telemetry.sends.items()):
        sends.add_metric([driver, outcome], n)
    yield sends
    refused = CounterMetricFamily(
        "tocsin_reports_refused", "Providers' reports of another message than they name", labels=["driver", "why"]
    )
    for (driver, why), n in sorted(telemetry.refused.items()):
        refused.add_metric([driver, why], n)
    yield refused
    requests = SummaryMetricFamily(
        "tocsin_request_seconds", "Requests answered and the time they took", labels=["method", "route", "status"]
    )
    for (method, route, status), (number, seconds) in sorted(telemetry.requests.items()):
        requests.add_metric([method, route, str(status)], count_value=int(number), sum_value=seconds)
    yield requests


class Pulses:
    """When each loop of a process last went round: a task that hangs is found, not only one that died."""

    def __init__(self, source: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._last: dict[str, float] = {}
        self._within: dict[str, float] = {}

    def expect(self, name: str, within: float = 60.0) -> None:
        """From now on `name` is to beat at least every `within` wall seconds."""
        self._within[name] = within
        self._last[name] = self._source()

    def beat(self, name: str) -> None:
        """`name` went round; costs a dictionary write."""
        self._last[name] = self._source()

    def wrong(self) -> str | None:
        """Which loop has not gone round for too long, in words; None where all have."""
        now = self._source()
        silent = [f"{n} for {now - self._last[n]:.0f} s" for n, s in self._within.items() if now - self._last[n] > s]
        return f"nothing from the loop {', '.join(silent)}" if silent else None


async def ask(url: str) -> list[str]:
    """What the process at `url` says is wrong with it, a sentence each; empty where it is ready."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2 * PATIENCE_S)) as session,
            session.get(f"{url.rstrip('/')}/readyz") as response,
        ):
            found = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as problem:
        return [f"no process answers at {url} ({type(problem).__name__})"]
    checks = found.get("checks") if isinstance(found, dict) else None
    if not isinstance(checks, dict):
        return [f"{url} is no process of Tocsin's"]
    wrong = [f"{name}: {said}" for name, said in sorted(checks.items()) if said != "ok"]
    return wrong if response.status != 200 else []
