"""A SQLite file that is damaged, cut off, empty or another's is told in one sentence; a killed migration is gone on from."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from services import migrations
from services.demo_view import example_alert
from services.gateway.intake.incoming import from_cap
from services.registry.sample.sample import import_community, mint
from services.run import build
from services.shared import alarms
from services.shared.crypto.sealing import Keys
from services.shared.database.engine import Database
from services.shared.database.instance import check_plane
from services.shared.database.soundness import damage
from services.shared.errors import Broken
from services.shared.operations.soundness_watch import FIRST_S, SoundnessWatch
from services.shared.settings import Settings
from tools.servers import commands

WHERE = from_cap(example_alert(), strict=False)


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | more


async def killed(*arguments: str) -> tuple[int, str]:
    """Exit code and all it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.migration_killed", *arguments, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment(),
    )  # fmt: skip
    async with asyncio.timeout(580):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a few hundred pages of a real register and its keys."""
    folder = tmp_path_factory.mktemp("sound")
    url = f"sqlite+aiosqlite:///{folder / 'tocsin.db'}"
    migrations.upgrade(url)

    async def fill() -> None:
        database = Database(url, synchronous="OFF")
        await check_plane(database, "live")
        keys = Keys(folder / "keys")
        _ = keys.ring("links"), keys.audit, keys.private
        await import_community(database, keys, mint(WHERE.area, WHERE.geocodes, people=300, seed=1))
        await database.close()

    asyncio.run(fill())
    with closing(sqlite3.connect(folder / "tocsin.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def head_overwritten(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"not what it was " * 8)


def pages_overwritten(file: Path) -> None:
    """Heads of pages in the middle, as a bad disk leaves them."""
    chance = random.Random(5)
    pages = file.stat().st_size // 4096
    with file.open("r+b") as opened:
        for page in range(2, pages, 3):
            opened.seek(page * 4096)
            opened.write(chance.randbytes(32))


def somebody_elses(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (cut_off, "is damaged"),
        (emptied, "is empty, though the keys of a database lie beside it"),
        (head_overwritten, "is damaged or no database"),
        (pages_overwritten, "is damaged"),
        (somebody_elses, "is another program's database"),
    ],
)
async def test_check_and_serve_say_what_is_wrong_and_promise_nothing(
    harm: Callable[[Path], None], says: str, sound: Path, tmp_path: Path
) -> None:
    """One sentence that says what to do, no traceback, nothing served, the file left as it is."""
    data = tmp_path / "data"
    await asyncio.to_thread(shutil.copytree, sound, data)
    harm(data / "tocsin.db")
    before = await asyncio.to_thread((data / "tocsin.db").read_bytes)
    with pytest.raises(Broken, match=says):
        await build(Settings(data_dir=data, port=0))
    done = await commands.run("check", env=environment(TOCSIN_DATA_DIR=str(data), TOCSIN_PORT="0"))
    said = done.out + done.err
    assert done.code in (1, 2), said
    assert says in said
    assert "Traceback" not in said
    assert re.search("restore the last backup|give another TOCSIN_DATA_DIR|move both away", said)
    assert before == await asyncio.to_thread((data / "tocsin.db").read_bytes)


def test_what_a_newer_release_has_changed_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tocsin.db'}"
    migrations.upgrade(url)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Broken, match="stands at 9999, which this release does not know"):
        migrations.upgrade(url)


async def test_damage_while_running_is_an_alarm_by_the_nightly_look(sound: Path, tmp_path: Path) -> None:
    """And it is over once a look finds nothing."""
    data, now = tmp_path / "data", 0.0
    await asyncio.to_thread(shutil.copytree, sound, data)
    file = data / "tocsin.db"
    database = Database(f"sqlite+aiosqlite:///{file}", synchronous="OFF")
    watch = SoundnessWatch(database, file, lambda: now)

    async def looked(found: str | None) -> list[str]:
        nonlocal now
        now += FIRST_S + 24 * 3600.0
        await watch.turn()
        assert watch._look is not None
        await asyncio.wait([watch._look])
        await watch.turn()
        async with database.read() as db:
            return [row.said for row in await alarms.standing(db, "database")]

    assert [] == await looked(None)
    with file.open("r+b") as opened:  # an index page in the middle that no row of ours needs now
        pages = file.stat().st_size // 4096
        opened.seek((pages - 3) * 4096)
        opened.write(b"\xff" * 64)
    assert damage(file) is not None
    (said,) = await looked("damage")
    assert "the database is damaged" in said
    await database.close()


@pytest.mark.long
async def test_an_upgrade_killed_anywhere_is_gone_on_from(tmp_path: Path) -> None:
    """Every seventh statement after the first schema here; each of all in the slow one."""
    code, said = await killed(str(tmp_path), "0001", "7")
    assert (0, True) == (code, said.strip().endswith(" 0 bad")), said


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("begun_from", ["", *sorted(migrations.revisions())[:-1]])
async def test_an_upgrade_killed_at_each_statement_is_gone_on_from(begun_from: str, tmp_path: Path) -> None:
    code, said = await killed(str(tmp_path), begun_from, "1")
    assert (0, True) == (code, said.strip().endswith(" 0 bad")), said
