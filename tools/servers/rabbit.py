"""A private RabbitMQ node for tests, measurements and demonstrations: Debian's broker, one folder, loopback only.

Everything blocks: from a coroutine call through `asyncio.to_thread`. The node belongs to a keeper process that waits
on a pipe from us, so it ends with us, however we end.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tools.servers.ports import free_ports

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
START_S = 60.0

# Says the child's pid, then waits for the end of its input: the other end closes when our process ends, in any way.
_KEEPER = 'said=$1; shift; "$@" </dev/null & echo $! >"$said"; cat >/dev/null; kill -9 $!; wait $!'


class RabbitFault(Exception):
    """The broker did not do what it was asked."""


class _Kept:
    """A child process that ends when we do."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path, log: Path) -> None:
        said = folder / f"{log.stem}.pid"
        said.unlink(missing_ok=True)
        with log.open("ab") as out:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "keeper", str(said), *command],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,  # ctrl-C is for the tests; they stop us
            )
        deadline = time.monotonic() + START_S
        while not (said.exists() and said.read_text().strip()):
            if time.monotonic() > deadline:
                raise RabbitFault(f"{command[0]} did not start: see {log}")
            time.sleep(0.01)
        self.pid = int(said.read_text())

    @property
    def alive(self) -> bool:
        """Whether the child runs (a dead one stays a zombie until its keeper goes)."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        return state != "Z"

    def end(self) -> None:
        """Kills the child if it runs, and lets the keeper go."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(timeout=60)


class Rabbit:
    """One node in `folder`: own name, own epmd, own three ports. `start` it, then `vhost` gives addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self._epmd_port, self._dist_port = free_ports(3, lasting=True)
        self.node = f"tocsin{self.port}@localhost"
        self._vhosts: list[str] = []
        self._unused: list[str] = []
        self._made = 0
        self._epmd: _Kept | None = None
        self._beam: _Kept | None = None
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\n"
            "disk_free_limit.absolute = 10MB\n"
            "vm_memory_high_watermark.absolute = 1GB\n"
            "collect_statistics_interval = 60000\n"
            "log.console = false\n"
            "log.file.level = warning\n"
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the node and its commands run in: nothing of the machine's own broker."""
        folder = self.folder
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
            "RABBITMQ_PID_FILE": str(folder / "node.pid"),
            "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the node: one process, one pid
            "RABBITMQ_SERVER_START_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +A 4 +SDio 2",
            "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 +A 1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_BYTES": "0",
        }

    def url(self, vhost: str) -> str:
        """Where to connect."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{vhost}"

    @property
    def pid(self) -> int:
        """The node's process."""
        assert self._beam is not None
        return self._beam.pid

    @property
    def alive(self) -> bool:
        """Whether the node's process is there, if only frozen."""
        return self._beam is not None and self._beam.alive

    def start(self) -> None:
        """Returns when AMQP is answered."""
        for name in ("mnesia", "log", "generated", "schema"):
            (self.folder / name).mkdir(exist_ok=True)
        if self._epmd is None:
            command = [shutil.which("epmd") or "epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = _Kept(command, self.environment, self.folder, self.folder / "epmd.log")
            _wait_for(lambda: _answers(self._epmd_port, b""), START_S, "epmd")
        self._beam = _Kept(
            [str(SCRIPTS / "rabbitmq-server")], self.environment, self.folder, self.folder / "rabbit.log"
        )
        beam = self._beam

        def up() -> bool:
            if not beam.alive:
                raise RabbitFault(f"the broker ended at start: see {self.folder / 'rabbit.log'}")
            return _answers(self.port, b"AMQP\x00\x00\x09\x01")

        _wait_for(up, START_S, "the broker")

    def kill(self) -> None:
        """kill -9: what was not on disk is gone."""
        if self._beam is not None:
            if self._beam.alive:
                os.kill(self._beam.pid, signal.SIGKILL)
            self._beam.end()
            self._beam = None

    def stop(self, *, in_order: bool = True) -> None:
        """Ends node and epmd; in order it may take seconds, and is what a later start on the same folder likes best."""
        beam = self._beam
        if in_order and beam is not None and beam.alive:
            os.kill(beam.pid, signal.SIGCONT)
            os.kill(beam.pid, signal.SIGTERM)
            with suppress(RabbitFault):
                _wait_for(lambda: not beam.alive, 15, "the broker's end")
        self.kill()
        if self._epmd is not None:
            self._epmd.end()
            self._epmd = None

    def restart(self) -> None:
        """As the machine's power going and coming."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Loses everything the broker ever held; its vhosts, which an operator defines, are there again, empty."""
        self.kill()
        shutil.rmtree(self.folder / "mnesia")
        self.start()
        again, self._vhosts = self._vhosts, []
        self.vhosts(*again)

    def ctl(self, *args: str) -> str:
        """rabbitmqctl on this node (about a second); what it prints."""
        done = subprocess.run(
            [str(SCRIPTS / "rabbitmqctl"), "--silent", *args],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise RabbitFault(f"rabbitmqctl {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def vhost(self, name: str) -> str:
        """Makes a vhost and returns its address."""
        return self.vhosts(name)[0]

    def unused(self) -> str:
        """The address of a vhost nobody has had; made eight at once, as each command to the node takes a second."""
        if not self._unused:
            self._unused = self.vhosts(*(f"t{self._made + n}" for n in range(8)))
            self._made += 8
        return self._unused.pop(0)

    def vhosts(self, *names: str) -> list[str]:
        """Makes vhosts, all in the time of one command."""
        new = [name for name in names if name not in self._vhosts]
        if any(not name.replace("-", "").replace("_", "").isalnum() for name in new):
            raise RabbitFault(f"a vhost's name here is letters, digits, - and _: not {new}")
        if new:
            listed = ",".join(f'<<"{name}">>' for name in new)
            self.ctl(
                "eval",
                f'[begin ok = rabbit_vhost:add(V, <<"tests">>), ok = rabbit_auth_backend_internal:set_permissions('
                f'<<"guest">>, V, <<".*">>, <<".*">>, <<".*">>, <<"tests">>) end || V <- [{listed}]], ok.',
            )
            self._vhosts += new
        return [self.url(name) for name in names]

    def drop(self, *names: str) -> None:
        """Removes vhosts with all that is in them."""
        known = [name for name in names if name in self._vhosts]
        if known:
            listed = ",".join(f'<<"{name}">>' for name in known)
            self.ctl("eval", f'[rabbit_vhost:delete(V, <<"tests">>) || V <- [{listed}]], ok.')
            self._vhosts = [name for name in self._vhosts if name not in known]

    def __enter__(self) -> Rabbit:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None) -> None:
        self.stop(in_order=False)


def _answers(port: int, say: bytes) -> bool:
    """Whether something listens and, given `say`, answers the AMQP way (its header, or connection.start)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            if say:
                link.sendall(say)
                return bool(link.recv(8))
    except OSError:
        return False
    return True


def _wait_for(ready: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise RabbitFault(f"{what} did not answer within {seconds:g} s")
        time.sleep(0.05)
