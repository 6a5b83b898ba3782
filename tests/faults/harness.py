"""A rehearsal that may be killed: the real `serve` in processes of its own, the world outside in ours, one clock.

A town lives in a SQLite file and one process serves it; a county lives in a PostgreSQL, a RabbitMQ joins its processes
and Caddy stands before them. Warning time runs RATE times as fast, from a clock that stands in the database; the world
here computes the same clock. When a process dies by SIGKILL its supervisor notes what stood SENDING on disk and starts
it again without a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from services import migrations
from services.demo_view import example_alert
from services.gateway.intake.incoming import from_cap
from services.registry.sample.sample import Community, import_community, mint
from services.rights import role_of
from services.roles import ROLES
from services.shared.clock import LinearClock, wall
from services.shared.crypto.sealing import Keys
from services.shared.database.engine import Database
from services.shared.database.instance import check_plane
from services.shared.powers.who import ACTIONS
from services.shared.tiers import Tier
from services.shared.web.auth import create_key
from services.shared.web.proxy_file import caddyfile
from services.sim.behaviour import Behaviour
from services.sim.habits import Habits
from services.sim.world import World
from tests.faults.ground import Ground, PostgresGround, SqliteGround
from tests.kit.own_rights import as_service, give_rights
from tools.servers import commands
from tools.servers.ports import free_port
from tools.servers.postgres import Postgres

RATE = 900.0
LIMIT_PER_SECOND = 50.0
PEOPLE = 30
# a longer day than the example's: on a loaded machine a restart alone takes hours of warning time
ALERT = (
    example_alert()
    .replace(b"2026-06-10T18:00:00", b"2026-06-11T09:00:00")
    .replace(b"2026-06-10T12:00", b"2026-06-10T19:00")
)
SENT = from_cap(ALERT, strict=False).sent
STARTS_WITHIN_S = 40.0
NAMES_NOT_TAKEN = (  # warnings with names on the fire service's list that came after its last word
    "SELECT DISTINCT d.warning_id FROM delivery AS d WHERE d.slot = 'fireservice' AND d.kind = 'rescue' AND d.due_at > "
    "coalesce((SELECT max(s.at) FROM team_sign AS s WHERE s.slot = d.slot AND s.warning_id = d.warning_id), 0)"
)
OFFICERS_PATIENCE_S = (
    100_000.0  # of warning time: their two hours are eight seconds of this clock, a restart takes longer
)
BETWEEN = (502, 503, 504)  # what a proxy says while the process behind it is away


@dataclass(frozen=True)
class Member:
    """One process: its name and the services it is told to serve (none: all four)."""

    name: str
    roles: tuple[str, ...] = ()


ALONE = (Member("all"),)
APART = (
    Member("gateway", ("gateway",)),
    Member("registry", ("registry",)),
    Member("router-1", ("router",)),
    Member("router-2", ("router",)),
    Member("channels-1", ("channels",)),
    Member("channels-2", ("channels",)),
)


@dataclass(frozen=True)
class Prepared:
    """A data directory with a community in it, to be copied; the ledger notes every move in a table of the judge's.

    Where `server` is given the community lies in its database `template`, and the directory holds the keys alone.
    """

    folder: Path
    community: Community
    key: str
    server: Postgres | None = None
    template: str = ""

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

    def copy(self, data: Path) -> Ground:
        """A town of one's own in the directory `data`."""
        shutil.copytree(self.folder, data)
        if self.server is None:
            return SqliteGround(data / "tocsin.db")
        return PostgresGround(self.server, self.server.database(like=self.template))


async def build_town(
    folder: Path, people: int = PEOPLE, seed: int = 3, server: Postgres | None = None, judged: bool = True,
    change: Callable[[Community], None] = lambda community: None,
) -> Prepared:  # fmt: skip
    """Makes the data directory, and the database: schema, plane, key, community as `change` leaves it."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    incoming = from_cap(ALERT, strict=False)
    community = mint(incoming.area, incoming.geocodes, people=people, seed=seed)
    change(community)
    template = f"town_{os.getpid()}_{people}" if server is not None else ""
    url = await asyncio.to_thread(server.database, template) if server else f"sqlite+aiosqlite:///{folder}/tocsin.db"
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url, synchronous="OFF")
    await check_plane(database, "drill")
    await import_community(database, Keys(folder / "keys"), community)
    key = await create_key(
        database, name="Qingshui County", label="tests", actions=ACTIONS, max_tier=Tier.RED, alone=Tier.RED
    )
    await database.close()
    if judged:
        ground: Ground = PostgresGround(server, url) if server else SqliteGround(folder / "tocsin.db")
        ground.judge()
        ground.close()
    return Prepared(folder, community, key, server, template)


@dataclass(frozen=True)
class Death:
    """One end of a process: wall time, exit code, and the deliveries that stood SENDING on disk at that moment."""

    at: float
    code: int
    sending: frozenset[str]
    member: str = "all"


@dataclass(frozen=True)
class Arrival:
    """A request to the provider as it came in, before the stand-in did anything with it."""

    delivery: str
    at_wall: float


class Process:
    """One process of ours under a supervisor that starts it again when it was killed."""

    def __init__(self, run: Rehearsal, member: Member, fault: str) -> None:
        self.run = run
        self.member = member
        self.fault = fault
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: commands.Started | None = None
        self.task = asyncio.create_task(self._supervise(), name=member.name)
        self.stopping = False
        self._back: asyncio.Task[None] | None = None

    async def _supervise(self) -> None:
        fault = self.fault
        while not self.stopping:
            with (self.run.folder / f"{self.member.name}.log").open("ab") as log:
                self.process = await commands.start(
                    "serve", *self.member.roles, env=self.run.environment_of(self, fault), out=log
                )
            code = await self.process.wait()
            if self._asked_to_stop():
                return
            died = wall()
            self.run.deaths.append(Death(died, code, frozenset(self.run.on_disk("sending")), self.member.name))
            if code != -signal.SIGKILL:
                return
            fault = ""
            self.process = None
            self._back = asyncio.create_task(self._note_recovery(died))

    def _asked_to_stop(self) -> bool:
        return self.stopping

    async def ready(self) -> None:
        """Until it says that it is; its death by anything but SIGKILL fails the test with what it said."""
        async with asyncio.timeout(STARTS_WITHIN_S):
            while True:
                self.run.must_live()
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with self.run.session.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def _note_recovery(self, died: float) -> None:
        await self.ready()
        self.run.recovered_s.append(wall() - died)

    @property
    def away(self) -> bool:
        return self.process is None or self.process.returncode is not None

    async def stop(self, signum: int = signal.SIGTERM) -> int | None:
        """Ends it for good; its exit code."""
        self.stopping = True
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


@dataclass
class Rehearsal:
    """One run: `async with rehearsal(town, folder, fault="after_flight:3") as run`.

    `fault` strikes the processes named in `where`. Apart, `amqp_url` is a fresh vhost of a broker.
    """

    town: Prepared
    folder: Path
    fault: str = ""
    where: str = "all"
    members: Sequence[Member] = ALONE
    amqp_url: str = ""
    rate: float = RATE
    seed: int = 3
    limit_per_second: float = LIMIT_PER_SECOND
    environment: Mapping[str, str] = field(default_factory=dict)
    keys_of: Mapping[str, Iterable[str]] = field(default_factory=dict)  # role > key files, as on hosts of their own
    as_itself: bool = False  # each process signs in to database and broker as its service, with the rights of that
    before_sent: bool = False  # leave warning time before the alert's own: a sender whose clock is fast
    deaths: list[Death] = field(default_factory=list)
    recovered_s: list[float] = field(default_factory=list)
    promised: list[str] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    _caddy: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self.data = self.folder / "data"
        self.ground = await asyncio.to_thread(self.town.copy, self.data)
        self.started = wall() + (60.0 if self.before_sent else 1.0)
        values = {"clock_started": self.started, "clock_anchor": SENT, "clock_rate": self.rate}
        for name, value in values.items():
            self.ground.change("INSERT INTO instance VALUES (?, ?)", name, repr(value))
        if self.as_itself:
            assert isinstance(self.ground, PostgresGround)
            await asyncio.to_thread(give_rights, self.ground.server, self.ground.url)
            for service in ROLES:  # the judge notes each move as whoever made it
                self.ground.script(f"GRANT ALL ON judge_move, judge_move_n_seq TO {role_of(service)}")
        behaviour = Behaviour(seed=self.seed, limit_per_second=self.limit_per_second)
        clock = LinearClock(SENT, self.rate, self.started)
        habits = Habits(gives_up_after_s=OFFICERS_PATIENCE_S)
        self.world = World(
            self.town.community, clock, self.seed, utc_offset_min=480, behaviour=behaviour, habits=habits
        )
        self.world.sandbox.app.middlewares.append(self._note_arrival())
        await self.world.start()
        self._over = asyncio.Event()
        self.session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.town.key}"})
        self._agenda: asyncio.Task[None] | None = None
        try:
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            for member in self.members:
                self.processes[member.name] = Process(
                    self, member, self.fault if member.name in self.where.split() else ""
                )
            if len(self.members) == 1:
                self.url = next(iter(self.processes.values())).url
            else:
                await self._proxy(port)
            self.world.set_target(self.url)
            self._agenda = asyncio.create_task(self.world.agenda.run_live(self._over))
            await self.ready()
        except BaseException:
            await self._close()
            raise
        return self

    async def _proxy(self, port: int) -> None:
        upstreams = {
            role: [f"127.0.0.1:{p.port}" for p in self.processes.values() if role in p.member.roles] for role in ROLES
        }
        file = self.folder / "Caddyfile"
        file.write_text(caddyfile(upstreams, f"http://127.0.0.1:{port}"))
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        with (self.folder / "caddy.log").open("ab") as log:
            self._caddy = await asyncio.create_subprocess_exec(
                "caddy", "run", "--adapter", "caddyfile", "--config", str(file),
                env={**os.environ, **home}, stdout=log, stderr=log,
            )  # fmt: skip

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await self.stop()
        self._over.set()
        tasks = [p.task for p in self.processes.values()]
        await asyncio.gather(*tasks, *([self._agenda] if self._agenda else []), return_exceptions=True)
        await self.session.close()
        await self.world.stop()
        if self._caddy is not None and self._caddy.returncode is None:
            self._caddy.terminate()
            await self._caddy.wait()
        self.ground.close()

    async def stop(self, signum: int = signal.SIGTERM) -> int | None:
        """Ends all processes for good; the exit code of one, 0 only where it is that of all."""
        codes = await asyncio.gather(*(p.stop(signum) for p in self.processes.values()))
        return next((c for c in codes if c != 0), 0)

    @property
    def process(self) -> commands.Started | None:
        """The one process of a town."""
        return self.processes["all"].process

    def _note_arrival(self) -> Any:
        from services.sim.sandbox import delivery_of

        @web.middleware
        async def note(request: web.Request, handler: Any) -> web.StreamResponse:
            at = wall()
            if request.method == "POST" and request.path.endswith(("Messages.json", "Calls.json")):
                form = {k: str(v) for k, v in (await request.post()).items()}
                self.arrivals.append(Arrival(delivery_of(form), at))
            answered: web.StreamResponse = await handler(request)
            return answered

        return note

    def environment_of(self, process: Process, fault: str = "") -> dict[str, str]:
        """The variables a process is started with."""
        mine = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
        mine |= self.world.environment | {
            "TOCSIN_DATA_DIR": str(self.data_of(process)),
            "TOCSIN_PORT": str(process.port),
            "TOCSIN_PUBLIC_URL": self.url,
            "TOCSIN_PLANE": "drill",
            "TOCSIN_UTC_OFFSET_MIN": "480",
            "TOCSIN_CLOCK_RATE": str(self.rate),
            "TOCSIN_CLOCK_ANCHOR": str(SENT),
            "TOCSIN_RATE": "1000000",
        }
        if isinstance(self.ground, PostgresGround):
            mine |= {"TOCSIN_DATABASE_URL": self.ground.url, "TOCSIN_AMQP_URL": self.amqp_url}
            if self.as_itself:
                (service,) = process.member.roles
                mine |= {
                    "TOCSIN_DATABASE_URL": as_service(self.ground.url, service),
                    "TOCSIN_AMQP_URL": as_service(self.amqp_url, service),
                }
        if fault:
            mine["TOCSIN_FAULT_AT"] = fault
        return mine | dict(self.environment)

    def data_of(self, process: Process) -> Path:
        """A process's data directory: the town's, or one with the keys of `keys_of` its roles alone."""
        if not self.keys_of:
            return self.data
        mine = self.folder / f"data-{process.member.name}"
        if not mine.exists():
            (mine / "keys").mkdir(parents=True)
            for name in {name for role in process.member.roles for name in self.keys_of[role]}:
                (mine / "keys" / name).parent.mkdir(exist_ok=True)
                shutil.copy(self.data / "keys" / name, mine / "keys" / name)
        return mine

    def on_disk(self, state: str) -> set[str]:
        """Deliveries in a state, whoever has died."""
        return self.ground.standing(state)

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What the database says just now."""
        return self.ground.rows(statement, *values)

    async def ready(self) -> None:
        """Until every process is, and whoever stands before them lets requests through."""
        await asyncio.gather(*(p.ready() for p in self.processes.values()))
        await self.call("GET", "/api/v1/warnings")

    def must_live(self) -> None:
        if self.deaths and self.deaths[-1].code != -signal.SIGKILL:
            last = self.deaths[-1]
            raise AssertionError(f"{last.member} ended with {last.code}:\n{self.log()[-4000:]}")

    def log(self) -> str:
        """What the processes have written."""
        files = [self.folder / f"{name}.log" for name in self.processes]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    async def call(
        self,
        method: str,
        resource: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        conflict: bool = False,
    ) -> Any:
        """One request, made again while nobody answers: the caller cannot know whether it was heard.

        `conflict`: a 409 is an answer too, for somebody or something was quicker.
        """
        sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        async with asyncio.timeout(STARTS_WITHIN_S):
            while True:
                self.must_live()
                with contextlib.suppress(aiohttp.ClientError):
                    async with self.session.request(
                        method, self.url + resource, headers=dict(headers or {}), **sent
                    ) as response:
                        answer = await response.text()
                        if response.status not in BETWEEN:
                            fine = response.status < 300 or (conflict and response.status == 409)
                            assert fine, f"{method} {resource}: {response.status} {answer}"
                            return json.loads(answer)
                await asyncio.sleep(0.05)

    async def warn(self, alert: bytes = ALERT, doors: str = "safe") -> str:
        """Sends an alert; its id, which a 2xx has promised."""
        headers = {"Content-Type": "application/cap+xml", "Idempotency-Key": f"warn-{len(self.promised)}"}
        if not self.before_sent:  # a server that starts quickly is up before warning time is the alert's
            await asyncio.sleep(max(0.0, self.started - wall()))
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

    async def until(self, true: Callable[[], bool], seconds: float = 45.0) -> None:
        """Until something is so."""
        async with asyncio.timeout(seconds):
            while not true():
                self.must_live()
                await asyncio.sleep(0.005)

    async def duty_desk(self) -> None:
        """An officer says "I have it" of every call for help that is nobody's: told again for ever nothing grows quiet. The fire
        service says that it has the names on its list, without which no path ends by one."""
        open_ones = (
            "SELECT warning_id, case_id FROM router_case WHERE closed_at IS NULL AND taken_by = '' AND due_at > 0"
        )
        for row in self.rows(open_ones):
            await self.call("POST", f"/report/{row[0]}/cases/{row[1]}", {"act": "take"}, conflict=True)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for (warning_id,) in self.rows(NAMES_NOT_TAKEN):
            await self.call("POST", f"/channels/lists/{warning_id}/taken", b"name=the+watch+room", form)

    async def until_over(self, warning_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """Until every path has ended and the ledger is quiet; what coverage says then, also where time ran out."""
        end = wall() + seconds
        while True:
            await self.duty_desk()
            found = await self.coverage(warning_id)
            if not found["counting"] and found["open"] == 0 and self.quiet() and not self.awaiting_restart():
                return found
            if wall() > end:
                return found
            await asyncio.sleep(0.1)

    def awaiting_restart(self) -> bool:
        """Whether the fault has not struck yet, or the server it struck is not back."""
        return any(p.away for p in self.processes.values()) or len(self.recovered_s) < len(self.deaths)

    def quiet(self) -> bool:
        """Nothing in the outbox, nothing in hand, nothing due, no job of pages or endings open."""
        now = self.world.agenda.clock.now()
        busy = self.rows(
            "SELECT (SELECT count(*) FROM outbox)"
            " + (SELECT count(*) FROM registry_job WHERE state = 'open')"
            " + (SELECT count(*) FROM router_job WHERE NOT done)"
            " + (SELECT count(*) FROM flight WHERE open) + (SELECT count(*) FROM batch WHERE worker <> '')"
            " + (SELECT count(*) FROM delivery WHERE send_state = 'unknown'"
            "    OR (send_state IN ('pending', 'retry') AND due_at <= ? AND (driver <> 'door' OR slot <> '')))",
            now + 60,
        )
        return bool(busy[0][0] == 0)

    async def settled(self, seconds: float = 30.0) -> None:
        """Until the ledger has been quiet twice running."""
        end, seen = wall() + seconds, 0
        while seen < 2:
            await self.duty_desk()
            seen = seen + 1 if self.quiet() else 0
            assert wall() < end, f"not quiet after {seconds} s: {self.in_words()}"
            await asyncio.sleep(0.15)

    def in_words(self) -> str:
        """What is still going on."""
        states = "SELECT kind, driver, send_state, count(*) FROM delivery GROUP BY 1, 2, 3"
        paths = "SELECT person_id, next_step, next_at, react_at FROM router_path WHERE state = 'open'"
        still = (
            "SELECT d.person_id, d.step, d.channel, d.try_no, d.send_state, d.evidence, d.answer, d.slot, d.due_at, d.state_at,"
            " d.addressee_kind, d.delivery_id"
            " FROM delivery d JOIN router_path p ON p.person_id = d.person_id AND p.warning_id = d.warning_id"
            " WHERE p.state = 'open' ORDER BY d.person_id, d.due_at"
        )
        said = "SELECT a.* FROM answer_log a JOIN delivery d USING (delivery_id) JOIN router_path p USING (person_id)"
        found = {
            "states": [tuple(r) for r in self.rows(states)],
            "open": [tuple(r) for r in self.rows(paths)],
            "their_deliveries": [tuple(r) for r in self.rows(still)],
            "their_answers": [tuple(r) for r in self.rows(said + " WHERE p.state = 'open'")],
            "outside": dict(self.world.officers.outcomes) | dict(self.world.browser.counts),
            "outbox": [tuple(r) for r in self.rows("SELECT topic, tries, not_before FROM outbox")],
            "now": self.world.agenda.clock.now(),
        }
        return json.dumps(found, default=str)


@asynccontextmanager
async def rehearsal(town: Prepared, folder: Path, **more: Any) -> AsyncIterator[Rehearsal]:
    """A running rehearsal."""
    async with Rehearsal(town, folder, **more) as run:
        yield run
