"""Tocsin's command in a process of its own, forked from one that has loaded the libraries: it starts in tenths of a second.

It is a process all the same: its own pid, memory, descriptors, directory and environment, killed by signals, and its end
told by the system. Where loading itself is what is tested, or something else is put before it, a test starts an
interpreter.

    started = await start("serve", env=environment, out=log)        done = await run("status", cwd=folder, env=environment)

`python -m tools.servers.commands FD` is the process they are forked from, which ends with the one that started it.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO

LOADED = (  # not the commands themselves: they read the environment when they are loaded
    "services.run", "services.gateway.service", "services.registry.service", "services.router.service",
    "services.channels.service", "services.channels.messages.forms", "services.shared.bus.rabbit_bus", "services.demo",
    "typer", "rich.console", "rich.table", "uvloop", "asyncpg", "aiosqlite", "psycopg", "alembic.command",
)  # fmt: skip
MOST = 1 << 18  # octets of one request


class Started:
    """A process that was forked: what asyncio says of one it started itself."""

    def __init__(self, pid: int, told: IO[bytes]) -> None:
        self.pid = pid
        self._told = told
        self._code: int | None = None
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(told.fileno(), self._hear)

    def _hear(self) -> None:
        if self._code is None:
            asyncio.get_running_loop().remove_reader(self._told.fileno())
            self._code = int(self._told.readline() or -signal.SIGKILL)
            self._told.close()
            self._ended.set()

    @property
    def returncode(self) -> int | None:
        return self._code

    async def wait(self) -> int:
        await self._ended.wait()
        assert self._code is not None
        return self._code

    def send_signal(self, signum: int) -> None:
        if self._code is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass(frozen=True)
class Request:
    """What a child shall be."""

    words: list[str]
    env: dict[str, str]
    cwd: str
    files: int


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


async def start(
    *words: str, env: Mapping[str, str], cwd: Path | None = None, out: IO[bytes], err: IO[bytes] | None = None,
    files: int = 0,
) -> Started:  # fmt: skip
    """`tocsin` with these words; `files` is how many it may open. It reads nothing from its input."""
    told, telling = os.pipe()
    request = Request(list(words), dict(env), str(cwd or Path.cwd()), files)
    fds = [out.fileno(), (err or out).fileno(), telling]
    source = await asyncio.to_thread(_source)
    socket.send_fds(source, [json.dumps(asdict(request)).encode()], fds)
    os.close(telling)
    reader = os.fdopen(told, "rb", buffering=0)
    return Started(int(await asyncio.to_thread(reader.readline)), reader)


async def run(*words: str, env: Mapping[str, str], cwd: Path | None = None) -> Done:
    """`tocsin` with these words, to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = await (await start(*words, env=env, cwd=cwd, out=out, err=err)).wait()
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return Done(code, *said)


@cache
def _source() -> socket.socket:
    """The connection to the process that is forked, one for this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())], pass_fds=[theirs.fileno()], start_new_session=True,
            stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[2], env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(control: socket.socket) -> list[str] | None:
    """In each child the words it was asked for; None at the end, once nobody asks any more."""
    running: dict[int, int] = {}  # pid > where its end is told
    woken, wake = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    asked = selectors.DefaultSelector()
    asked.register(control, selectors.EVENT_READ)
    asked.register(woken, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj for key, _ in asked.select()}
        if woken in ready:
            os.read(woken, 512)
            for pid in list(running):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    _tell(running.pop(pid), os.waitstatus_to_exitcode(status))
        if control not in ready:
            continue
        body, fds, _, _ = socket.recv_fds(control, MOST, 3)
        if not body:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            return None
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (woken, wake, *running.values()):
                os.close(fd)
            asked.close()
            control.close()
            return _become(Request(**json.loads(body)), fds)
        *outputs, told = fds
        for fd in outputs:
            os.close(fd)
        os.write(told, b"%d\n" % pid)
        running[pid] = told


def _tell(fd: int, code: int) -> None:
    try:
        os.write(fd, b"%d\n" % code)
    except BrokenPipeError:  # whoever asked does not care any more
        return
    finally:
        os.close(fd)


def _become(request: Request, fds: list[int]) -> list[str]:
    """This child has the descriptors, directory, limits, environment and places of modules it was asked with."""
    for number, fd in enumerate((os.open(os.devnull, os.O_RDONLY), *fds[:2])):
        os.dup2(fd, number)
        os.close(fd)
    os.close(fds[2])
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.env)
    if request.files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (request.files, request.files))
    if "LD_PRELOAD" in request.env:  # what is loaded before an interpreter is not in one that was forked
        os.execve(sys.executable, [sys.executable, "-m", "services", *request.words], request.env)  # noqa: S606 - our own command
    sys.path[:0] = [
        place for place in request.env.get("PYTHONPATH", "").split(os.pathsep) if place not in ("", *sys.path)
    ]
    from services.shared import fault_points, steady_clock

    importlib.reload(fault_points)  # it reads the environment
    steady_clock.PROCESS.set_to(time.time())
    return request.words


_code: int | None = None  # with which a child ends, once it does so by itself


def _leave() -> None:
    """Ends a child after its threads and whatever else is told of an end. Taking its interpreter down would copy, page by
    page, all that was loaded before it was forked, which takes longer than many a command."""
    if _code is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_code)


def main() -> None:
    """The process that is forked, or a child that is the command."""
    atexit.register(_leave)  # first, so that it is called last
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    words = _serve(control)
    if words is None:
        return
    sys.argv = ["tocsin", *words]
    from services.__main__ import main as command

    try:
        command()
    except SystemExit as ended:
        global _code
        _code = ended.code if isinstance(ended.code, int) else None
        raise


if __name__ == "__main__":
    main()
