"""Tocsin as its users run it: a register of N people, `tocsin serve`, one warning by HTTP, until all are recorded.

A register is made once for a number of people and copied for each run. Everybody in it has one phone that takes texts
and no needs, so that N people are N deliveries are N messages.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import IO, Any

import psycopg

from bench.provider import ACCOUNT, SENDER, TOKEN
from services import migrations
from services.registry.importing.write import import_people, person_id_of
from services.registry.model.given import ContactIn, PersonIn
from services.shared.crypto.sealing import Keys
from services.shared.database.engine import Database
from services.shared.database.instance import check_plane
from services.shared.powers.who import ACTIONS
from services.shared.tiers import Tier
from services.shared.web.auth import create_key
from tools.servers.ports import free_ports
from tools.servers.postgres import Postgres

ROOT = Path(__file__).resolve().parents[1]
ROLES = ("gateway", "registry", "router", "channels")
SOUTH, WEST, SIDE = 30.0, 103.0, 0.2  # degrees: a town of some 20 km
STALL_S = 60.0
START_S = 120.0  # eight processes on two busy cores


class BenchFault(RuntimeError):
    """A run that did not do the whole work measures nothing."""


@dataclass(frozen=True)
class Home:
    """An installation: its folder (keys; with SQLite the database), its database and broker, a key to its API."""

    folder: Path
    key: str
    database_url: str = ""
    amqp_url: str = ""
    name: str = ""  # of its database, for the server

    @property
    def distributed(self) -> bool:
        return bool(self.amqp_url)


def number_of(n: int) -> str:
    """The n-th phone; the country code was never given out."""
    return f"+999{n:08d}"


def people(count: int) -> Iterator[PersonIn]:
    """Adults without needs, each with one phone, all over the town; the same at every call.

    They are away: whoever has one phone would get a door too, and what is measured is the text.
    """
    chance = random.Random(7)
    for n in range(count):
        yield PersonIn(
            person_id=person_id_of("bench", str(n)),
            call_name=f"Resident {n}",
            status="away",
            birth_year=1980,
            languages=("en",),
            lat=round(SOUTH + chance.random() * SIDE, 6),
            lon=round(WEST + chance.random() * SIDE, 6),
            contacts=(ContactIn(kind="sms", address=number_of(n), verified=True),),
        )


def make_home(folder: Path, count: int, server: Postgres | None = None, *, more: Sequence[PersonIn] = ()) -> Home:
    """A migrated database with `count` people (and `more`) and an API key: SQLite in the folder, or the server's."""
    name = f"people_{count}_{len(more)}" if server else ""
    database_url = server.database(name) if server else ""

    folder.mkdir(parents=True)

    async def fill() -> str:
        url = database_url or f"sqlite+aiosqlite:///{folder / 'tocsin.db'}"
        await asyncio.to_thread(migrations.upgrade, url)
        database = Database(url)
        await check_plane(database, "live")
        key = await _key(database, "bench")
        report = await import_people(
            database, Keys(folder / "keys"), chain(people(count), more), year=2026, actor="bench", fictional=True
        )
        await database.close()
        if report.read != count + len(more):
            raise BenchFault(f"{report.read} of {count} people went into the register: {report.issues[:3]}")
        return key

    home = Home(folder, asyncio.run(fill()), database_url, name=name)
    if database_url:
        with psycopg.connect(database_url.replace("+asyncpg", ""), autocommit=True) as db:
            db.execute("VACUUM ANALYZE")  # as a register that has stood there for a while
    return home


async def _key(database: Database, label: str) -> str:
    return await create_key(
        database, name="Bench County", label=label, actions=ACTIONS, max_tier=Tier.RED, alone=Tier.RED, area="",
        senders=[], events=[],
    )  # fmt: skip


def keys_of(home: Home, count: int) -> list[str]:
    """So many more keys, each a caller of its own."""

    async def made() -> list[str]:
        database = Database(home.database_url or f"sqlite+aiosqlite:///{home.folder / 'tocsin.db'}")
        found = [await _key(database, f"console {n}") for n in range(count)]
        await database.close()
        return found

    return asyncio.run(made())


def copied(home: Home, to: Path, server: Postgres | None = None, amqp_url: str = "") -> Home:
    """The same installation again, untouched by earlier runs."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(home.folder, to)
    if not home.database_url:
        return replace(home, folder=to)
    assert server is not None
    url = server.database("run", like=home.name)
    return replace(home, folder=to, database_url=url, amqp_url=amqp_url)


def on_broker(home: Home, amqp_url: str) -> Home:
    """The same installation, with a broker between its processes."""
    return replace(home, amqp_url=amqp_url)


LONG = {
    "source": "City Civil Protection", "hazard": "Flash flood warning until 21:00", "place": "Riverside ward",
    "action": "Move to higher ground now and do not drive through water.",
}  # fmt: skip
SHORT = {
    "source": "City",
    "hazard": "Flash flood",
    "place": "Riverside",
    "action": "Go uphill now.",
}  # one part of an SMS


def warning(
    identifier: str, *, tier: str = "orange", south: float = SOUTH, said: Mapping[str, str] = LONG
) -> dict[str, Any]:
    """A warning for the town, or for a square as large that begins elsewhere, as a sender's system posts it."""
    now = datetime.now(UTC).replace(microsecond=0)
    n, e, s, w = south + SIDE + 0.001, WEST + SIDE + 0.001, south - 0.001, WEST - 0.001
    return {
        "identifier": identifier,
        "sender": "bench@example.org",
        "sent": now.isoformat(),
        "expires": (now + timedelta(hours=6)).isoformat(),
        "tier": tier,
        "hazard": "flash_flood",
        "respond": "evacuate",
        "texts": {"en": dict(said)},
        "area": {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]},
    }


def environment_of(home: Home, provider: int, concurrency: int) -> dict[str, str]:
    """What a process on this installation is told, to send through the stand-in at `provider` (a port)."""
    return {
        "TOCSIN_DATA_DIR": str(home.folder),
        "TOCSIN_DATABASE_URL": home.database_url,
        "TOCSIN_AMQP_URL": home.amqp_url,
        "TOCSIN_LOG_LEVEL": "WARNING",
        "TOCSIN_RATE": "1000000",  # round after round from one key
        "TOCSIN_UTC_OFFSET_MIN": str((12 - datetime.now(UTC).hour) * 60),  # noon: nothing waits for the morning
        "TOCSIN_TWILIO_BASE_URL": f"http://127.0.0.1:{provider}",
        "TOCSIN_TWILIO_ACCOUNT_SID": ACCOUNT,
        "TOCSIN_TWILIO_AUTH_TOKEN": TOKEN,
        "TOCSIN_TWILIO_FROM_NUMBER": SENDER,
        "TOCSIN_TWILIO_CONCURRENCY": str(concurrency),
    }


@dataclass
class Tocsin:
    """Its processes on one installation, sending through the stand-in at `provider` (a port)."""

    home: Home
    provider: int
    concurrency: int = 50
    smpp: int = 0  # the stand-in's port for SMPP: texts go there, and not over HTTP
    more: Mapping[str, str] = field(default_factory=dict)
    roles: Sequence[str] = ROLES  # of a distributed one; a role named twice is two processes
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Tocsin:
        names = _numbered(self.roles) if self.home.distributed else ["tocsin"]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        callbacks = self.ports["channels" if self.home.distributed else "tocsin"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
            "TOCSIN_PUBLIC_URL": f"http://127.0.0.1:{callbacks}",
            **environment_of(self.home, self.provider, self.concurrency),
        }
        if self.smpp:
            environment |= {
                "TOCSIN_TWILIO_ACCOUNT_SID": "", "TOCSIN_SMPP_HOST": "127.0.0.1", "TOCSIN_SMPP_PORT": str(self.smpp),
                "TOCSIN_SMPP_SYSTEM_ID": "bench", "TOCSIN_SMPP_PASSWORD": "bench", "TOCSIN_SMPP_SOURCE": SENDER,
                "TOCSIN_SMPP_CONCURRENCY": str(self.concurrency),
            }  # fmt: skip
        environment |= self.more
        for name in names:
            command = [sys.executable, "-m", "services", "serve"]
            command += [name.partition("-")[0]] if self.home.distributed else []
            log: IO[bytes] = (self.home.folder / f"{name}.log").open("wb")
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=environment | {"TOCSIN_PORT": str(self.ports[name])}, stdout=log, stderr=log
            )
            log.close()
        try:
            self._wait_listening()
        except BenchFault:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self.processes.values()]

    def stop(self) -> None:
        """In order, as an operator would; by force after 20 s."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def release(self, body: dict[str, Any]) -> str:
        """Posts the warning; its id, once it is on disk and active."""
        return release(self.ports.get("gateway") or self.ports["tocsin"], self.home.key, body)

    def check_alive(self) -> None:
        """A process that ended has said why in its log."""
        for role, process in self.processes.items():
            if process.poll() is not None:
                log = (self.home.folder / f"{role}.log").read_text(errors="replace")
                raise BenchFault(f"{role} ended with {process.returncode}:\n{log[-2000:]}")

    def _wait_listening(self) -> None:
        until = time.monotonic() + START_S
        for port in self.ports.values():
            while True:
                self.check_alive()
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise BenchFault(f"nobody listens on {port} after {START_S:.0f} s") from None
                    time.sleep(0.05)


class Look:
    """A connection beside the running server, to count; read only."""

    def __init__(self, home: Home) -> None:
        self._pg = (
            psycopg.connect(home.database_url.replace("+asyncpg", ""), autocommit=True) if home.database_url else None
        )
        self._lite = None if self._pg else sqlite3.connect(f"file:{home.folder / 'tocsin.db'}?mode=ro", uri=True)

    def number(self, query: str, *values: object) -> int:
        """The one number a query finds (`?` stands for a value), 0 where it finds nothing."""
        if self._pg is not None:
            row = self._pg.execute(query.replace("?", "%s").encode(), values).fetchone()
        else:
            assert self._lite is not None
            row = self._lite.execute(query, values).fetchone()
        return int(row[0] or 0) if row else 0

    def accepted(self, warning_id: str) -> int:
        """Deliveries that the ledger has as accepted, or further."""
        return self.number(
            "SELECT count(*) FROM delivery WHERE warning_id = ? AND send_state IN ('accepted', 'delivered')", warning_id
        )

    def counted(self, warning_id: str) -> int:
        """How many of them the coverage page shows."""
        return self.number(
            "SELECT sum(n) FROM tally WHERE warning_id = ? AND channel = 'sms' AND milestone = 'accepted'",
            warning_id,
        )

    def close(self) -> None:
        for connection in (self._pg, self._lite):
            if connection is not None:
                connection.close()


def wait_until(done: Any, progress: Any, server: Tocsin | None = None, *, every_s: float = 0.05) -> None:
    """Until `done()`; BenchFault where `progress()` has not changed for a minute."""
    last, since = progress(), time.monotonic()
    while not done():
        time.sleep(every_s)
        if server is not None:
            server.check_alive()
        now = progress()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STALL_S:
            raise BenchFault(f"nothing has moved for {STALL_S:.0f} s at {now}")


def ask(
    port: int, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 600
) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=data,
        method=method,
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refused:
        raise BenchFault(f"{method} {path}: {refused.code} {refused.read().decode()[:400]}") from refused


def release(port: int, key: str, body: dict[str, Any]) -> str:
    """Posts the warning to the gateway there; its id, once it is on disk and active."""
    answer = ask(port, "POST", "/api/v1/warnings", body, {"Authorization": f"Bearer {key}"})
    if answer["state"] != "active":
        raise BenchFault(f"the warning is {answer['state']}: {answer['notes']}")
    return str(answer["warning_id"])


def _numbered(roles: Sequence[str]) -> list[str]:
    """A name for each process: router, router-2, router-3."""
    return [
        role if role not in roles[:at] else f"{role}-{roles[: at + 1].count(role)}" for at, role in enumerate(roles)
    ]


class Standin:
    """The provider's process (`bench.provider`)."""

    def __init__(self, latency_s: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.provider", str(latency_s)],
            cwd=ROOT,
            stdin=subprocess.PIPE,  # closes when we end, and it with it
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port, self.smpp_port = map(int, self._process.stdout.readline().split())
        self.pid = self._process.pid

    def __enter__(self) -> Standin:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def reset(self, watched: str = "+") -> None:
        """Forgets every message; `times` is of numbers that begin with `watched` from now on."""
        ask(self.port, "POST", "/reset", {"watched": watched})

    def watched(self) -> dict[str, int]:
        """watched (how many watched numbers have theirs), accepts (of all numbers)."""
        found: dict[str, int] = ask(self.port, "GET", "/watched")
        return found

    def count(self) -> dict[str, int]:
        """accepts, numbers, most (accepts of one number), smpp (how many of the accepts came by it)."""
        found: dict[str, int] = ask(self.port, "GET", "/count")
        return found

    def times(self) -> dict[str, float]:
        """Watched number > wall time its first message was accepted."""
        found: dict[str, float] = ask(self.port, "GET", "/times")
        return found

    def call_back(self, status: str, connections: int, to: str = "") -> dict[str, float]:
        """Tells whoever listens at `to` (http://host:port) the status of every message accepted; told, seconds, bad."""
        wish = {"status": status, "connections": connections, "to": to}
        found: dict[str, float] = ask(self.port, "POST", "/callbacks", wish)
        return found


@dataclass(frozen=True)
class Sent:
    """One warning sent: seconds until all were accepted and recorded, and until they were counted for the page."""

    warning_id: str
    recorded_s: float
    counted_s: float


def send_all(server: Tocsin, provider: Standin, count: int, identifier: str, **words: Any) -> Sent:
    """Releases one warning to `count` people and waits; BenchFault where one got none, two, or by the wrong door."""
    look = Look(server.home)
    begun = time.perf_counter()
    warning_id = server.release(warning(identifier, **words))
    accepts = lambda: provider.count()["accepts"]  # noqa: E731
    wait_until(lambda: accepts() >= count, accepts, server)
    recorded = lambda: look.accepted(warning_id)  # noqa: E731
    wait_until(lambda: recorded() >= count, recorded, server)
    recorded_s = time.perf_counter() - begun
    counted = lambda: look.counted(warning_id)  # noqa: E731
    wait_until(lambda: counted() >= count, counted, server)
    counted_s = time.perf_counter() - begun
    look.close()
    found = provider.count()
    if found != {"accepts": count, "numbers": count, "most": 1, "smpp": count if server.smpp else 0}:
        raise BenchFault(f"{count} people, but {found}")
    return Sent(warning_id, recorded_s, counted_s)
