"""A list on its way in never stands in the way of a red warning of the same process: measured, and how it gives way."""

from __future__ import annotations

import asyncio
import io
import statistics
import sys
import threading
import time

import aiohttp
import pytest

from bench import ours
from bench.ours import SOUTH, WEST, Standin, Tocsin, wait_until

PEOPLE, ROWS, ROUNDS = 300, 60_000, 3
NOW = 1_000_000.0


def a_list(rows: int) -> bytes:
    """People some way off the warning, with the columns a list has."""
    head = "id,name,lat,lon,mobile,hear,walk,languages,address,birth_year\n"
    lines = [
        f"{n},Resident {n},{SOUTH + 0.5 + n % 100 / 1000:.4f},{WEST + 0.5:.4f},138{n:08d},1,{n % 4 + 1},zh,Mill Lane {n},1950\n"
        for n in range(rows)
    ]
    return (head + "".join(lines)).encode()


class Importing:
    """A list on its way to the server as long as the block lasts; `rows` are in."""

    def __init__(self, server: Tocsin, body: bytes) -> None:
        self._server, self._body, self._ending = server, body, threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()))
        self.rows = 0

    async def _send(self) -> None:
        url = f"http://127.0.0.1:{self._server.ports['tocsin']}/people/import?source=list&region=CN&bounds=off"
        header = {"Authorization": f"Bearer {self._server.home.key}", "Accept": "application/x-ndjson"}
        async with (
            aiohttp.ClientSession(headers=header) as session,
            session.post(url, data=io.BytesIO(self._body)) as answer,
        ):
            async for line in answer.content:
                if b'"share"' in line:
                    self.rows = int(line.rpartition(b":")[2].strip(b" }\n"))
                if self._ending.is_set():
                    return

    def __enter__(self) -> Importing:
        self._thread.start()
        wait_until(lambda: self.rows > 0, lambda: self.rows, self._server)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(30)


def sent(server: Tocsin, provider: Standin, name: str, tier: str = "red") -> tuple[float, float, float]:
    """Seconds from release until the provider had the first, the middle and the 99th of a hundred messages."""
    provider.reset("+999")
    released = time.time()
    server.release(ours.warning(name, tier=tier))
    watched = lambda: provider.watched()["watched"]  # noqa: E731
    wait_until(lambda: watched() >= PEOPLE, watched, server)
    waits = sorted(at - released for at in provider.times().values())
    return waits[0], statistics.median(waits), waits[-1 - len(waits) // 100]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_red_beside_an_import_takes_no_longer_than_half_as_long_again(tmp_path):
    """Whole server, real list of some 4 MB; the middle of three rounds of each, in turn."""
    body = a_list(ROWS)
    home = ours.make_home(tmp_path / "home", PEOPLE)
    found: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
    with Standin(0.05) as provider:
        for turn in range(ROUNDS):
            for beside in (False, True):
                mine = ours.copied(home, tmp_path / f"run{turn}{beside}")
                with Tocsin(mine, provider.port) as server:
                    sent(server, provider, "warm", "orange")
                    if not beside:
                        found[False].append(sent(server, provider, "red"))
                        continue
                    with Importing(server, body) as importing:
                        before = importing.rows
                        found[True].append(sent(server, provider, "red"))
                        assert importing.rows < ROWS, "the list was over before red was"
                        sys.stdout.write(f"rows that went in meanwhile: {importing.rows - before}\n")
    idle, beside_ = ([statistics.median(one[n] for one in found[key]) for n in range(3)] for key in (False, True))
    sys.stdout.write(f"first, middle, 99th in seconds: idle {idle}, beside an import {beside_}\n")
    assert all(theirs <= 1.5 * alone for theirs, alone in zip(beside_, idle, strict=True)), (idle, beside_)
