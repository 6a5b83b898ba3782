"""A rehearsal that may be killed: the real `serve` in a process of its own, the world outside in ours, one clock.

The server runs warning time RATE times as fast, from a clock that stands in its database; the world here computes the
same clock. When the server dies by SIGKILL a supervisor notes what it had in hand and starts it again without a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from services import migrations
from services.demo_view import example_alert
from services.gateway.incoming import from_cap
from services.registry.sample import Community, import_community, mint
from services.shared.auth import ACTIONS, create_key
from services.shared.clock import LinearClock, wall
from services.shared.db import Database, check_plane
from services.shared.sealing import Keys
from services.shared.tier import Tier
from services.sim.behaviour import Behaviour
from services.sim.world import World

RATE = 900.0
LIMIT_PER_SECOND = 50.0
PEOPLE = 60
# a longer day than the example's: on a loaded machine a restart alone takes hours of warning time
ALERT = (
    example_alert()
    .replace(b"2026-06-10T18:00:00", b"2026-06-11T09:00:00")
    .replace(b"2026-06-10T12:00", b"2026-06-10T19:00")
)
SENT = from_cap(ALERT, strict=False).sent
STARTS_WITHIN_S = 40.0
JUDGE = """
CREATE TABLE judge_move (n INTEGER PRIMARY KEY, delivery_id TEXT, before TEXT, after TEXT, token_before INT, token INT);
CREATE TRIGGER judge_inserted AFTER INSERT ON delivery BEGIN
  INSERT INTO judge_move (delivery_id, before, after, token_before, token)
  VALUES (new.delivery_id, '', new.send_state, 0, new.token);
END;
CREATE TRIGGER judge_moved AFTER UPDATE ON delivery
WHEN old.send_state <> new.send_state OR old.token <> new.token BEGIN
  INSERT INTO judge_move (delivery_id, before, after, token_before, token)
  VALUES (new.delivery_id, old.send_state, new.send_state, old.token, new.token);
END;
"""


@dataclass(frozen=True)
class Town:
    """A data directory with a community in it, to be copied; the ledger notes every move in a table of the judge's."""

    folder: Path
    community: Community
    key: str

    @property
    def everybody(self) -> set[str]:
        """Who must get a path: every person and every facility, all of whom live inside the area."""
        return {p.person_id for p in self.community.people} | {f.facility_id for f in self.community.facilities}

    @property
    def numbers(self) -> list[str]:
        """Every phone number of the community, without the plus."""
        owners: list[Any] = [*self.community.people, *self.community.facilities, *self.community.workers]
        owners += [s for p in self.community.people for s in p.supporters]
        return sorted({c.address.lstrip("+") for o in owners for c in o.contacts if c.address.startswith("+999")})


async def build_town(folder: Path, people: int = PEOPLE, seed: int = 3) -> Town:
    """Makes the data directory: schema, plane, key, community."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    incoming = from_cap(ALERT, strict=False)
    community = mint(incoming.area, incoming.geocodes, people=people, seed=seed)
    url = f"sqlite+aiosqlite:///{folder / 'tocsin.db'}"
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url, synchronous="OFF")
    await check_plane(database, "drill")
    await import_community(database, Keys(folder / "keys"), community)
    key = await create_key(database, name="Qingshui County", label="tests", actions=ACTIONS, max_tier=Tier.RED)
    await database.close()
    with contextlib.closing(sqlite3.connect(folder / "tocsin.db")) as db:
        db.executescript(JUDGE)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Town(folder, community, key)


@dataclass(frozen=True)
class Death:
    """One end of the server: wall time, exit code, and the deliveries that stood SENDING on disk at that moment."""

    at: float
    code: int
    sending: frozenset[str]


@dataclass(frozen=True)
class Arrival:
    """A request to the provider as it came in, before the stand-in did anything with it."""

    delivery: str
    at_wall: float


@dataclass
class Rehearsal:
    """One run: `async with Rehearsal(town, folder, fault="after_intent:3") as run`."""

    town: Town
    folder: Path
    fault: str = ""
    rate: float = RATE
    seed: int = 3
    environment: Mapping[str, str] = field(default_factory=dict)
    before_sent: bool = False  # leave warning time before the alert's own: a sender whose clock is fast
    deaths: list[Death] = field(default_factory=list)
    recovered_s: list[float] = field(default_factory=list)
    promised: list[str] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    _stopping: bool = False

    async def __aenter__(self) -> Self:
        self.data = self.folder / "data"
        shutil.copytree(self.town.folder, self.data)
        started = wall() + (60.0 if self.before_sent else 1.0)
        with contextlib.closing(sqlite3.connect(self.data / "tocsin.db")) as db:
            values = {"clock_started": started, "clock_anchor": SENT, "clock_rate": self.rate}
            db.executemany("INSERT INTO instance VALUES (?, ?)", [(k, repr(v)) for k, v in values.items()])
            db.commit()
        behaviour = Behaviour(seed=self.seed, limit_per_second=LIMIT_PER_SECOND)
        clock = LinearClock(SENT, self.rate, started)
        self.world = World(self.town.community, clock, self.seed, utc_offset_min=480, behaviour=behaviour)
        self.world.sandbox.app.middlewares.append(self._note_arrival())
        await self.world.start()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.world.set_target(self.url)
        self._over = asyncio.Event()
        self._agenda = asyncio.create_task(self.world.agenda.run_live(self._over))
        self.session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.town.key}"})
        self.process: asyncio.subprocess.Process | None = None
        self._supervisor = asyncio.create_task(self._supervise())
        try:
            await self.ready()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await self.stop()
        self._over.set()
        await asyncio.gather(self._agenda, self._supervisor, return_exceptions=True)
        await self.session.close()
        await self.world.stop()

    async def stop(self, signum: int = signal.SIGTERM) -> int | None:
        """Ends the server for good; its exit code."""
        self._stopping = True
        process = self.process
        if process is None:
            return None
        if process.returncode is None:
            process.send_signal(signum)
            try:
                async with asyncio.timeout(30):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        return process.returncode

    def _note_arrival(self) -> Any:
        from services.sim.sandbox import _delivery_of

        @web.middleware
        async def note(request: web.Request, handler: Any) -> web.StreamResponse:
            at = wall()
            if request.method == "POST" and request.path.endswith(("Messages.json", "Calls.json")):
                form = {k: str(v) for k, v in (await request.post()).items()}
                self.arrivals.append(Arrival(_delivery_of(form), at))
            answered: web.StreamResponse = await handler(request)
            return answered

        return note

    async def _supervise(self) -> None:
        fault = self.fault
        while not self._stopping:
            with (self.folder / "server.log").open("ab") as log:
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "services", "serve", env=self._environment(fault), stdout=log, stderr=log
                )
            code = await self.process.wait()
            if self._asked_to_stop():
                return
            died = wall()
            self.deaths.append(Death(died, code, frozenset(self.on_disk("sending"))))
            if code != -signal.SIGKILL:
                return
            fault = ""
            self.process = None
            self._back = asyncio.create_task(self._note_recovery(died))

    def _asked_to_stop(self) -> bool:
        return self._stopping

    def _environment(self, fault: str) -> dict[str, str]:
        mine = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
        mine |= self.world.environment | {
            "TOCSIN_DATA_DIR": str(self.data),
            "TOCSIN_PORT": str(self.port),
            "TOCSIN_PLANE": "drill",
            "TOCSIN_UTC_OFFSET_MIN": "480",
            "TOCSIN_CLOCK_RATE": str(self.rate),
            "TOCSIN_CLOCK_ANCHOR": str(SENT),
        }
        if fault:
            mine["TOCSIN_FAULT_AT"] = fault
        return mine | dict(self.environment)

    def on_disk(self, state: str) -> set[str]:
        """Deliveries in a state, read from a copy: a judge who opens a dead server's file would mend it for him."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            for name in ("tocsin.db", "tocsin.db-wal"):
                if (self.data / name).exists():
                    shutil.copy(self.data / name, Path(place) / name)
            with contextlib.closing(sqlite3.connect(Path(place) / "tocsin.db")) as db:
                rows = db.execute("SELECT delivery_id FROM delivery WHERE send_state = ?", (state,)).fetchall()
        return {r[0] for r in rows}

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What the running server's database says."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'tocsin.db'}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(statement, values).fetchall()

    async def ready(self) -> None:
        """Until the server answers; its death by anything but SIGKILL fails the test with what it said."""
        async with asyncio.timeout(STARTS_WITHIN_S):
            while True:
                self._must_live()
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with self.session.get(f"{self.url}/api/v1/warnings") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def _note_recovery(self, died: float) -> None:
        await self.ready()
        self.recovered_s.append(wall() - died)

    def _must_live(self) -> None:
        if self.deaths and self.deaths[-1].code != -signal.SIGKILL:
            raise AssertionError(f"the server ended with {self.deaths[-1].code}:\n{self.log()[-4000:]}")

    def log(self) -> str:
        """What the server has written."""
        return (self.folder / "server.log").read_text(errors="replace")

    async def call(self, method: str, resource: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """One request, made again while nobody answers: the caller cannot know whether it was heard."""
        sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        async with asyncio.timeout(STARTS_WITHIN_S):
            while True:
                self._must_live()
                try:
                    async with self.session.request(
                        method, self.url + resource, headers=dict(headers or {}), **sent
                    ) as response:
                        answer = await response.text()
                        assert response.status < 300, f"{method} {resource}: {response.status} {answer}"
                        return json.loads(answer)
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    async def warn(self, alert: bytes = ALERT, doors: str = "safe") -> str:
        """Sends an alert; its id, which a 2xx has promised."""
        headers = {"Content-Type": "application/cap+xml", "Idempotency-Key": f"warn-{len(self.promised)}"}
        taken = await self.call("POST", f"/api/v1/warnings?strict=false&doors={doors}", alert, headers)
        assert taken["state"] == "active", taken
        self.promised.append(taken["warning_id"])
        return str(taken["warning_id"])

    async def cancel(self, warning_id: str, ending: str = "sent_by_mistake") -> str:
        """Ends a warning; the ending's id."""
        body = {"ending": ending, "reason": "test"}
        taken = await self.call("POST", f"/api/v1/warnings/{warning_id}/cancel", body)
        self.promised.append(taken["warning_id"])
        return str(taken["warning_id"])

    async def coverage(self, warning_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.call("GET", f"/report/{warning_id}/coverage")
        return found

    async def until(self, true: Callable[[], bool], seconds: float = 25.0) -> None:
        """Until something is so."""
        async with asyncio.timeout(seconds):
            while not true():
                self._must_live()
                await asyncio.sleep(0.005)

    async def until_over(self, warning_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """Until every path has ended and the ledger is quiet; what coverage says then, also where time ran out."""
        end = wall() + seconds
        while True:
            found = await self.coverage(warning_id)
            if not found["counting"] and found["open"] == 0 and self.quiet() and not self.awaiting_restart():
                return found
            if wall() > end:
                return found
            await asyncio.sleep(0.1)

    def awaiting_restart(self) -> bool:
        """Whether the fault has not struck yet, or the server it struck is not back."""
        return self.process is None or self.process.returncode is not None or len(self.recovered_s) < len(self.deaths)

    def quiet(self) -> bool:
        """Nothing in the outbox, nothing in hand, nothing due, no job of pages or endings open."""
        now = self.world.agenda.clock.now()
        busy = self.rows(
            "SELECT (SELECT count(*) FROM outbox)"
            " + (SELECT count(*) FROM registry_job WHERE state = 'open')"
            " + (SELECT count(*) FROM router_job WHERE NOT done)"
            " + (SELECT count(*) FROM delivery WHERE send_state IN ('leased', 'sending', 'unknown')"
            "    OR (send_state IN ('pending', 'retry') AND due_at <= ? AND (channel <> 'door' OR slot <> '')))",
            now + 60,
        )
        return bool(busy[0][0] == 0)

    async def settled(self, seconds: float = 30.0) -> None:
        """Until the ledger has been quiet twice running."""
        end, seen = wall() + seconds, 0
        while seen < 2:
            seen = seen + 1 if self.quiet() else 0
            assert wall() < end, f"not quiet after {seconds} s: {self.in_words()}"
            await asyncio.sleep(0.15)

    def in_words(self) -> str:
        """What is still going on."""
        states = "SELECT purpose, channel, send_state, count(*) FROM delivery GROUP BY 1, 2, 3"
        paths = "SELECT person_id, next_step, next_at, react_at FROM router_path WHERE state = 'open'"
        found = {
            "states": [tuple(r) for r in self.rows(states)],
            "open": [tuple(r) for r in self.rows(paths)],
            "outbox": [tuple(r) for r in self.rows("SELECT topic, tries, not_before FROM outbox")],
            "now": self.world.agenda.clock.now(),
        }
        return json.dumps(found, default=str)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def rehearsal(town: Town, folder: Path, **more: Any) -> AsyncIterator[Rehearsal]:
    """A running rehearsal."""
    async with Rehearsal(town, folder, **more) as run:
        yield run
