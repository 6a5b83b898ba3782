"""A full disk ends an import with its reason and at once, keeps what was in, and is told before and everywhere else."""

from __future__ import annotations

import asyncio
import errno
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
import sqlalchemy as sa
from aiohttp.test_utils import TestClient, TestServer

from services.check import check_installation
from services.registry.store import register
from services.shared.database import disk
from services.shared.settings import Settings
from services.shared.web.edge import make_app
from tests.integration.registry.test_api import key

ROWS = 500
LIST = "id,lat,lon,name,address\n" + "".join(
    f"{n},30.05,103.05,Resident {n},{'Mill CallWindow ' * 12}\n" for n in range(ROWS)
)


@pytest.fixture
async def client(registry) -> AsyncIterator[TestClient]:
    app = make_app(registry.database)
    app.router.add_routes(registry.service.routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def room_for(registry, pages: int | None) -> None:
    """The database may grow by so many pages and no more: SQLite itself then says that the disk is full."""
    async with registry.database.write() as tx:
        now = int(await tx.scalar(sa.text("PRAGMA page_count")) or 0)
        await tx.execute(sa.text(f"PRAGMA max_page_count={now + pages if pages is not None else 2**30}"))


async def there(registry) -> int:
    async with registry.database.read() as db:
        return int(await db.scalar(sa.select(sa.func.count()).select_from(register.person)) or 0)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_import_ends_with_its_reason(registry, client, stream):
    """The stream ends with the fault, not after a minute of tries; with room again, the same list is whole."""
    header = await key(registry, "register") | ({"Accept": "application/x-ndjson"} if stream else {})
    await room_for(registry, 150)
    begun = time.monotonic()
    async with asyncio.timeout(20):
        answer = await client.post("/people/import?source=town", data=LIST.encode(), headers=header)
        last = json.loads((await answer.text()).splitlines()[-1])
    assert time.monotonic() - begun < 15
    said = last["fault"] if stream else last["title"]
    assert "the disk is full: make room on it" in said
    assert (200 if stream else 503) == answer.status
    in_ = await there(registry)
    assert 0 < in_ < ROWS
    assert f"{in_} rows are in" in said
    await room_for(registry, None)
    answer = await client.post("/people/import?source=town", data=LIST.encode(), headers=header)
    report = json.loads((await answer.text()).splitlines()[-1])
    report = report["report"] if stream else report
    assert (ROWS - in_, in_) == (report["read"], report["unchanged"])
    assert ROWS == await there(registry)


async def test_any_request_says_that_the_disk_is_full(registry, client):
    """And not that the database does not answer."""
    header = await key(registry, "register")
    await room_for(registry, 0)
    place = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"code": str(n), "name": "x" * 200}, "geometry": {"type": "Polygon", "coordinates": [
            [[103, 30], [103.1, 30], [103.1, 30.1], [103, 30]]]}} for n in range(300)]}  # fmt: skip
    answer = await client.post("/people/areas?as=areas&value_name=GB", data=json.dumps(place).encode(), headers=header)
    assert 503 == answer.status
    assert "the disk is full" in (await answer.json())["title"]
    assert answer.headers["Retry-After"]


async def test_an_upload_that_finds_no_room_says_so(registry, client, monkeypatch):
    """The list is kept in a file while it is read."""
    header = await key(registry, "register")

    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("services.registry.api._save", full)
    answer = await client.post("/people/import?source=town", data=LIST.encode(), headers=header)
    assert (503, True) == (answer.status, "the disk is full" in (await answer.json())["title"])


async def test_postgresql_says_it_too(postgres):
    """By its own code, through asyncpg as through psycopg."""
    engine = sa.create_engine(postgres.database("disk").replace("+asyncpg", "+psycopg"))
    with engine.connect() as db, pytest.raises(sa.exc.DBAPIError) as raised:
        db.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$"))
    engine.dispose()
    assert isinstance(raised.value.orig, psycopg.Error)
    assert disk.is_full(raised.value)


@pytest.mark.parametrize(
    "problem", [sqlite3.OperationalError("database is locked"), OSError(errno.EIO, "x"), ValueError("disk is full")]
)
def test_other_faults_are_not_taken_for_it(problem: Exception) -> None:
    assert not disk.is_full(problem)
    assert not disk.is_full(sa.exc.OperationalError("x", None, problem))


@pytest.mark.parametrize(
    ("free", "total", "little"),
    [(0, 10**12, True), (10**9, 10**12, True), (10**9, 2 * 10**9, False), (10**11, 10**13, False)],
)
async def test_check_sees_how_much_room_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, total: int, little: bool
) -> None:
    """Little is not sound, with what to do; a small disk that is half empty is."""
    usage = SimpleNamespace(total=total, used=total - free, free=free)
    monkeypatch.setattr("services.shared.database.disk.shutil.disk_usage", lambda _: usage)
    lines, sound = await check_installation(Settings(data_dir=tmp_path))
    told = [line for line in lines if line.startswith("NOT SOUND: disk: ")]
    assert (little, not little) == (bool(told), sound), lines
    assert all("make room" in line for line in told)
