"""One process's health over a migrated database, asked over HTTP; what is wrong with it is set by hand, time is moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from services import migrations
from services.router.figures import FIGURES
from services.shared.alarms import FIGURES as ALARMS
from services.shared.clock import StepClock
from services.shared.database.engine import Database
from services.shared.database.instance import stamp
from services.shared.operations.health import routes
from services.shared.operations.ledger_figures import LEDGER
from services.shared.telemetry import canonical_line

NOW = 1_700_000_000.0


class Station:
    """One process's health over a migrated database; `wrong` is what the process says of itself, time is moved."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.wrong: dict[str, str | None] = {"bus": None, "loops": None, "draining": None}
        self.bus: dict[str, object] = {"connected": True, "confirm_age": 1.5, "who": "rabbit"}
        self.time = 0.0
        self.revisions: list[str] = []
        self.plane = "live"

    def application(self) -> web.Application:
        app = web.Application(middlewares=[canonical_line])
        app.add_routes(
            routes(
                self.database,
                StepClock(NOW),
                lambda: self.wrong,
                plane=self.plane,
                revisions=self.revisions,
                figures=[*LEDGER, *FIGURES, *ALARMS],
                bus=lambda: self.bus,
                source=lambda: self.time,
            )
        )
        return app

    async def readyz(self) -> tuple[int, dict[str, Any]]:
        """Status and the whole answer, asked afresh."""
        self.time += 10
        async with TestClient(TestServer(self.application())) as client, client.get("/readyz") as response:
            return response.status, await response.json()

    async def ready(self) -> tuple[int, dict[str, str]]:
        """Status and checks, asked afresh."""
        status, body = await self.readyz()
        return status, body["checks"]

    async def figures(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample by name and labels."""
        text = await self.text()
        return {
            (s.name, frozenset(s.labels.items())): s.value
            for family in text_string_to_metric_families(text)
            for s in family.samples
        }

    async def text(self) -> str:
        """/metrics as it is."""
        async with TestClient(TestServer(self.application())) as client, client.get("/metrics") as response:
            assert "text/plain; version=0.0.4; charset=utf-8" == response.headers["Content-Type"]
            return await response.text()


@asynccontextmanager
async def over(url: str) -> AsyncIterator[Station]:
    """A station over this database, of the live plane."""
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url)
    await stamp(database, "plane", "live")
    made = Station(database)
    made.revisions = [*migrations.revisions(), "older"]
    yield made
    await database.close()
