"""How fast people go in, are found and are counted, on both databases, beside PostGIS: `make bench-registry`.

Found means: read page by page, in order, with their contacts. The floor is the same pages read from a table that
already holds their ids in that order. PostGIS is Debian's on Debian's server, with a GiST index on geography-free
points; all ways must give the same ids, or the bench ends with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import shapely
import sqlalchemy as sa

from bench import machine
from bench.registry_list import SOUTH, WEST, write_list
from services import migrations
from services.registry.audience import audience, preview
from services.registry.audience.whereabouts import Moment
from services.registry.geo.areas import Shape
from services.registry.store import register
from services.shared.database.batches import chunks
from services.shared.database.engine import Connection, Database
from services.shared.messages import PAGE_PEOPLE
from tools.servers.postgres import Postgres

DEBIAN = Path("/usr/lib/postgresql/15/bin")
POSTGIS = Path("/usr/share/postgresql/15/extension/postgis.control")
TIMES = 3
Floats = npt.NDArray[np.float64]


class DebianPostgres(Postgres):
    """Debian's server in a cluster of its own on a free port; PostGIS in its database `postgres`."""

    def _reachable(self) -> Path:
        return DEBIAN

    @property
    def superuser(self) -> str:
        """As psycopg takes it."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/postgres"


@dataclass
class People:
    """Everybody in the register, as arrays, to know the truth without asking it."""

    ids: npt.NDArray[Any]
    lon: Floats
    lat: Floats


def area_with(people: People, wanted: int) -> Shape:
    """A star around the middle that holds about so many people: many edges, no straight border along the grid."""
    dx, dy = people.lon - (WEST + 0.5), people.lat - (SOUTH + 0.5)
    angle = np.arctan2(dy, dx)
    reach = np.hypot(dx, dy) / (1.0 + 0.2 * np.sin(7 * angle))
    size = float(np.partition(reach, min(wanted, len(reach)) - 1)[min(wanted, len(reach)) - 1])
    turn = np.linspace(0, 2 * np.pi, 500)
    out = size * (1 + 0.2 * np.sin(7 * turn))
    ring = np.column_stack((WEST + 0.5 + out * np.cos(turn), SOUTH + 0.5 + out * np.sin(turn)))
    return Shape.from_geojson(str(shapely.to_geojson(shapely.Polygon(ring))))


async def ours(db: Connection, area: Shape) -> list[str]:
    """As a warning's pages are made: found, with contacts."""
    ids: list[str] = []
    after = register.START
    while True:
        page = await audience.find_page(db, area, after)
        some = [row.person_id for row in page.people]
        await register.contacts_of(db, some)
        ids += some
        if page.last:
            return ids
        after = page.end(after)


async def floor(db: Connection, ids: int) -> list[str]:
    """The same pages from the table of ids that `prepare_floor` made."""
    found: list[str] = []
    wanted = sa.table("bench_ids", sa.column("n"), sa.column("person_id"))
    for first in range(0, ids, PAGE_PEOPLE):
        rows = await db.execute(
            sa.select(register.person)
            .join(wanted, wanted.c.person_id == register.person.c.person_id)
            .where(wanted.c.n >= first, wanted.c.n < first + PAGE_PEOPLE)
            .order_by(wanted.c.n)
        )
        some = [row.person_id for row in rows]
        await register.contacts_of(db, some)
        found += some
    return found


async def prepare_floor(tx: Connection, ids: list[str]) -> None:
    """A table of the ids in order."""
    await tx.execute(sa.text("CREATE TEMPORARY TABLE bench_ids (n integer PRIMARY KEY, person_id varchar(32))"))
    rows = [{"n": n, "p": one} for n, one in enumerate(ids)]
    for some in chunks(rows, 10_000):
        await tx.execute(sa.text("INSERT INTO bench_ids VALUES (:n, :p)"), list(some))
    if tx.dialect.name != "sqlite":
        await tx.execute(sa.text("ANALYZE bench_ids"))


async def timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    """(milliseconds, result)."""
    started = time.perf_counter()
    found = await work()
    return (time.perf_counter() - started) * 1000, found


async def select_all(
    name: str, url: str, people: People, sizes: list[int], gis: psycopg.Connection[Any] | None
) -> list[str]:
    """A row a size: floor, ours, PostGIS, medians of TIMES interleaved runs, and the ids compared with the truth."""
    lines = []
    database = Database(url)
    for wanted in sizes:
        area = area_with(people, wanted)
        truth = set(people.ids[area.holds(people.lon, people.lat)].tolist())
        spent: dict[str, list[float]] = {"floor": [], "ours": [], "PostGIS": []}
        async with database.write() as tx:
            if not database.is_sqlite:  # it rests while PostGIS is asked
                await tx.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            _, first = await timed(lambda area=area, tx=tx: ours(tx, area))  # type: ignore[misc]
            await prepare_floor(tx, first)
            ids = len(first)
            for _ in range(TIMES):
                ms, found = await timed(lambda tx=tx, n=ids: floor(tx, n))  # type: ignore[misc]
                spent["floor"].append(ms)
                same(truth, found, "floor")
                ms, found = await timed(lambda area=area, tx=tx: ours(tx, area))  # type: ignore[misc]
                spent["ours"].append(ms)
                same(truth, found, name)
                if gis is not None:
                    ms, found = await asyncio.to_thread(by_postgis, gis, area)
                    spent["PostGIS"].append(ms)
                    same(truth, found, "PostGIS")
            await tx.execute(sa.text("DROP TABLE bench_ids"))
        mid = {way: median(ms) for way, ms in spent.items() if ms}
        gis_ms = f"{mid['PostGIS']:,.0f}" if "PostGIS" in mid else "-"
        ratio = mid["ours"] / mid["floor"]
        lines.append(f"| {name} | {len(truth):,} | {mid['floor']:,.0f} | {mid['ours']:,.0f} | {ratio:.2f} | {gis_ms} |")
    await database.close()
    return lines


def same(truth: set[str], found: list[str], way: str) -> None:
    """Ends the bench where a way finds other people, or somebody twice."""
    if len(found) != len(set(found)) or truth != set(found):
        raise SystemExit(f"{way} found {len(found)} people and not the {len(truth)} there are")


def fill_postgis(superuser: str, url: str) -> psycopg.Connection[Any]:
    """The same people and contacts in a table with a GiST index; a connection to ask it with."""
    gis = psycopg.connect(superuser, autocommit=True)
    gis.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    gis.execute("CREATE TABLE gis_person (person_id varchar(32), household_id varchar(32), dossier bytea, at geometry)")
    gis.execute(
        "CREATE TABLE gis_contact (owner_id varchar(32), kind varchar(16), address_key varchar(64), sealed bytea)"
    )
    plain = url.replace("+asyncpg", "")
    with psycopg.connect(plain) as source:
        copies = (
            ("SELECT person_id, household_id, dossier, lon, lat FROM registry_person",
             "INSERT INTO gis_person VALUES (%s, %s, %s, ST_MakePoint(%s, %s))"),
            ("SELECT owner_id, kind, address_key, sealed FROM registry_contact",
             "INSERT INTO gis_contact VALUES (%s, %s, %s, %s)"),
        )  # fmt: skip
        for read, write in copies:
            with source.cursor(name="all") as rows, gis.transaction():
                rows.itersize = 5000
                rows.execute(read)
                while some := rows.fetchmany(5000):
                    gis.cursor().executemany(write, some)
    gis.execute("CREATE INDEX ON gis_person USING gist (at)")
    gis.execute("CREATE INDEX ON gis_contact (owner_id)")
    gis.execute("VACUUM ANALYZE gis_person")
    gis.execute("VACUUM ANALYZE gis_contact")
    gis.execute("SET jit = off")
    return gis


def by_postgis(gis: psycopg.Connection[Any], area: Shape) -> tuple[float, list[str]]:
    """(milliseconds, ids): everybody within, and their contacts, in two statements."""
    started = time.perf_counter()
    shape = area.wkb()
    inside = "SELECT person_id FROM gis_person WHERE ST_Intersects(at, ST_GeomFromWKB(%s))"
    rows = gis.execute(
        "SELECT person_id, household_id, dossier FROM gis_person WHERE ST_Intersects(at, ST_GeomFromWKB(%s)) "
        "ORDER BY household_id, person_id",
        (shape,),
    ).fetchall()
    gis.execute(f"SELECT * FROM gis_contact WHERE owner_id IN ({inside})", (shape,)).fetchall()  # noqa: S608  no input
    return (time.perf_counter() - started) * 1000, [row[0] for row in rows]


async def preview_all(name: str, url: str, people: People) -> str:
    """One row: how long the counts of everybody by profile take."""
    database = Database(url)
    everywhere = Shape.from_geojson(str(shapely.to_geojson(shapely.box(WEST - 1, SOUTH - 1, WEST + 2, SOUTH + 2))))
    spent = []
    counted = 0
    for _ in range(TIMES):
        async with database.read() as db:
            ms, counts = await timed(lambda db=db: preview.count(db, everywhere, Moment(0.0, 0)))  # type: ignore[misc]
        spent.append(ms)
        counted = sum(counts.by_profile.values())
    await database.close()
    if counted != len(people.ids):
        raise SystemExit(f"the preview counts {counted} people of {len(people.ids)}")
    return f"| {name} | {counted:,} | {median(spent):,.0f} |"


async def everybody(url: str) -> People:
    """All people of the register."""
    database = Database(url)
    rows: list[Any] = []
    async with database.read() as db:
        last = ""
        while some := list(
            await db.execute(
                sa.select(register.person.c.person_id, register.person.c.lon, register.person.c.lat)
                .where(register.person.c.person_id > last)
                .order_by(register.person.c.person_id)
                .limit(100_000)
            )
        ):
            rows += some
            last = some[-1].person_id
    await database.close()
    return People(
        np.array([row.person_id for row in rows]),
        np.array([row.lon for row in rows]),
        np.array([row.lat for row in rows]),
    )


def import_one(name: str, url: str, folder: Path, path: Path, times: Sequence[str]) -> list[str]:
    """A row a time: the list's first import, and the same list again, each in a process of its own, with its memory."""
    lines = []
    for what in times:
        command = [sys.executable, "-m", "bench.registry_one", url, str(folder / "keys"), str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        largest = whole = 0.0
        while process.poll() is None:
            sizes = [_resident_mb(pid) for pid in machine.tree(process.pid)]
            largest, whole = max([largest, *sizes]), max(whole, sum(sizes))
            time.sleep(0.2)
        out = process.stdout.read() if process.stdout else b""
        if process.returncode:
            raise SystemExit(f"the import into {name} ended with {process.returncode}")
        found = json.loads(out)
        people = found["read"] + found["unchanged"]
        took = found["seconds"]
        lines.append(
            f"| {name}, {what} | {people:,} | {took:,.0f} | {people / took:,.0f} | {largest:,.0f} | {whole:,.0f} |"
        )
    return lines


def _resident_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0.0


@contextmanager
def _server(wanted: bool) -> Iterator[DebianPostgres | None]:
    if not wanted:
        yield None
        return
    with DebianPostgres(settings={"shared_buffers": "'512MB'", "max_wal_size": "'4GB'"}) as server:
        yield server


def main() -> None:
    """Parses the options, runs, prints the tables."""
    asked = argparse.ArgumentParser(prog="make bench-registry", description=__doc__)
    asked.add_argument("--people", type=int, default=1_000_000, help="how many are in the list")
    asked.add_argument("--first-only", action="store_true", help="import the list once, not a second time")
    asked.add_argument("--sqlite-only", action="store_true", help="no PostgreSQL, no PostGIS")
    asked.add_argument("--postgres-only", action="store_true", help="no SQLite")
    chosen = asked.parse_args()
    if chosen.sqlite_only and chosen.postgres_only:
        raise SystemExit("--sqlite-only and --postgres-only leave nothing to measure: give one of them")
    if not chosen.sqlite_only and not POSTGIS.exists():
        raise SystemExit("PostGIS is not installed: run  bash tools/postgis.sh  as root, or give --sqlite-only")
    sizes = sorted({max(1, n * chosen.people // 1_000_000) for n in (1_000, 100_000, 500_000)})
    say = sys.stdout.write
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name, _server(not chosen.sqlite_only) as server:
        folder = Path(name)
        path = folder / "people.csv"
        times = ("first",) if chosen.first_only else ("first", "again")
        write_list(path, chosen.people)
        urls = {"SQLite": f"sqlite+aiosqlite:///{folder / 'bench.db'}"}
        if chosen.postgres_only:
            urls.clear()
        if server is not None:
            urls["PostgreSQL"] = server.database("bench")
        say(f"{chosen.people:,} people, {path.stat().st_size / 1e6:,.0f} MB of CSV; {machine.described()}\n\n")
        say(
            "| import | people | seconds | people/s | largest process MB | all processes MB |\n|---|---|---|---|---|---|\n"
        )
        for database, url in urls.items():
            migrations.upgrade(url)
            say("\n".join(import_one(database, url, folder, path, times)) + "\n")
            sys.stdout.flush()
        people = asyncio.run(everybody(next(iter(urls.values()))))
        gis = fill_postgis(server.superuser, urls["PostgreSQL"]) if server is not None else None
        say("\n| selection | found | floor ms | Tocsin ms | ratio | PostGIS ms |\n|---|---|---|---|---|---|\n")
        for database, url in urls.items():
            say("\n".join(asyncio.run(select_all(database, url, people, sizes, gis))) + "\n")
            sys.stdout.flush()
        say("\n| preview | people | ms |\n|---|---|---|\n")
        for database, url in urls.items():
            say(asyncio.run(preview_all(database, url, people)) + "\n")
        if gis is not None:
            gis.close()
    say("\nAll ways found the same people.\n")


if __name__ == "__main__":
    main()
