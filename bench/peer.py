"""Runs one of the peers in its own environment: workers, then the producer, until every message is recorded as sent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import aio_pika
import psycopg

from bench.machine import cpu_s
from bench.ours import ROOT, BenchFault, Standin, wait_until
from bench.provider import ACCOUNT, SENDER, TOKEN

VENV = ROOT / ".venv-bench" / "bin"
START_S = 30.0
QUIET_CELERY = ("-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True)
class Peer:
    """How it is started. `workers` is empty where there is no broker and the producer does it all."""

    name: str
    words: str
    producer: str
    queue: str = ""
    workers: tuple[tuple[str, ...], ...] = ()
    consumers: int = 1
    smpp: bool = False


def _celery(*words: str, app: str = "celery_app") -> tuple[str, ...]:
    return (str(VENV / "celery"), "-A", f"bench.peers.{app}", "worker", *words, *QUIET_CELERY)


_TASKIQ = ("worker", "bench.peers.taskiq_app:broker", "--max-async-tasks", "100", "--log-level", "ERROR")
PEERS: dict[str, Peer] = {
    p.name: p
    for p in (
        Peer(
            "celery-prefork", "Celery, prefork 4, sync client", "celery_app", "bench.celery",
            (_celery("-P", "prefork", "-c", "4"),),
        ),
        Peer(
            "celery-threads", "Celery, 10 threads, sync client", "celery_app", "bench.celery",
            (_celery("-P", "threads", "-c", "10"),),
        ),
        Peer(
            "taskiq", "taskiq on aio-pika, 2 workers", "taskiq_app", "bench.taskiq",
            ((str(VENV / "taskiq"), *_TASKIQ, "--workers", "2"),), consumers=2,
        ),
        Peer(
            "faststream", "FastStream on aio-pika, 2 workers", "faststream_app", "bench.faststream",
            ((str(VENV / "python"), "-m", "bench.peers.faststream_app"),) * 2, consumers=2,
        ),
        Peer(
            "celery-smpp", "Celery, prefork 4, python-smpplib", "celery_smpp", "bench.celery",
            (_celery("-P", "prefork", "-c", "4", app="celery_smpp"),), smpp=True,
        ),
        Peer("apprise", "Apprise, a loop without a broker", "apprise_loop"),
    )
}  # fmt: skip


@dataclass
class Workers:
    """A peer's worker processes, while they run."""

    peer: Peer
    environment: Mapping[str, str]
    amqp_url: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Workers:
        for command in self.peer.workers:
            self.processes.append(_started(command, self.environment, self.folder / f"{self.peer.name}.log"))
        try:
            if self.processes:
                asyncio.run(self._consuming())
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _consuming(self) -> None:
        """Waits until every worker takes from the queue."""
        until = time.monotonic() + START_S
        async with await aio_pika.connect(self.amqp_url) as connection:
            while time.monotonic() < until:
                self.check_alive()
                channel = await connection.channel()
                try:
                    queue = await channel.declare_queue(self.peer.queue, passive=True)
                    if (queue.declaration_result.consumer_count or 0) >= self.peer.consumers:
                        return
                except aio_pika.exceptions.ChannelClosed:
                    pass  # not declared yet; the broker has closed the channel for asking
                await asyncio.sleep(0.2)
        raise BenchFault(f"{self.peer.name} takes nothing from {self.peer.queue}: see {self.folder}")

    def check_alive(self) -> None:
        """A worker that ended has said why."""
        for process in self.processes:
            if process.poll() is not None:
                words = (self.folder / f"{self.peer.name}.log").read_text(errors="replace")
                raise BenchFault(f"{self.peer.name} ended with {process.returncode}:\n{words[-2000:]}")

    def stop(self) -> None:
        """In order, by force after 10 s."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass(frozen=True)
class Done:
    """Seconds from the producer's start until all were recorded, and CPU seconds of producer and workers."""

    seconds: float
    app_cpu_s: float


def environment_of(database_url: str, amqp_url: str, provider: Standin) -> dict[str, str]:
    """What a peer is told."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCH_AMQP_URL": amqp_url,
        "BENCH_DATABASE_URL": database_url.replace("+asyncpg", ""),
        "BENCH_PROVIDER_URL": f"http://127.0.0.1:{provider.port}",
        "BENCH_SMPP": f"127.0.0.1:{provider.smpp_port}",
        "BENCH_ACCOUNT": ACCOUNT,
        "BENCH_TOKEN": TOKEN,
        "BENCH_SENDER": SENDER,
    }


def run(workers: Workers, database_url: str, provider: Standin, count: int) -> Done:
    """Hands over `count` messages; BenchFault where one was not sent, sent twice, or by the wrong door."""
    peer = workers.peer
    with psycopg.connect(database_url.replace("+asyncpg", ""), autocommit=True) as database:
        before = cpu_s(p.pid for p in workers.processes)
        begun = time.perf_counter()
        command = (str(VENV / "python"), "-m", f"bench.peers.{peer.producer}", str(count))
        producer = _started(command, workers.environment, workers.folder / f"{peer.name}-producer.log")

        def accepts() -> int:
            workers.check_alive()
            return provider.count()["accepts"]

        def recorded() -> int:
            row = database.execute("SELECT count(*) FROM message WHERE state = 'sent'").fetchone()
            return int(row[0]) if row else 0

        wait_until(lambda: accepts() >= count, accepts)
        wait_until(lambda: recorded() >= count, recorded)
        seconds = time.perf_counter() - begun
        _, status, usage = os.wait4(producer.pid, 0)
        producer.returncode = os.waitstatus_to_exitcode(status)
        if producer.returncode:
            raise BenchFault(f"the producer of {peer.name} ended with {producer.returncode}: see {workers.folder}")
        app = cpu_s(p.pid for p in workers.processes) - before + usage.ru_utime + usage.ru_stime
    found = provider.count()
    if found != {"accepts": count, "numbers": count, "most": 1, "smpp": count if peer.smpp else 0}:
        raise BenchFault(f"{peer.name}: {count} people, but {found}")
    return Done(seconds, app)


def _started(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    out: IO[bytes] = log.open("ab")
    with out:
        return subprocess.Popen(
            command, cwd=log.parent, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
