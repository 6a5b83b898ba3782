"""The head of the audit log is kept outside the database: a history written anew is signed by nobody and told everywhere."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from services import migrations
from services.shared.alarms import standing
from services.shared.audit import audit_head, trail
from services.shared.audit.audit_export import export, verify_export
from services.shared.audit.audit_head import HeadFile, Keeper, accept, advance, read_head
from services.shared.audit.checkpoints import EVERY_S, Signing, audit_checkpoint, last_entry
from services.shared.audit.trail import audit_log
from services.shared.clock import wall
from services.shared.database.engine import Database
from services.shared.errors import Broken
from tests.kit.audit_rewriting import checkpoints, rewrite

KEY, OTHER = Signing(b"a" * 32), Signing(b"b" * 32)


@pytest.fixture
def heads(tmp_path: Path) -> HeadFile:
    return HeadFile(tmp_path / "audit" / "head.json", KEY)


async def acts(database: Database, count: int, reason: str = "case 7") -> None:
    async with database.write() as tx:
        for n in range(count):
            await trail.record(tx, "duty desk", "look", f"person-{n}", reason, {"n": n})


async def later(database: Database) -> None:
    """A checkpoint is due."""
    async with database.write() as tx:
        await tx.execute(sa.update(audit_checkpoint).values(at=wall() - EVERY_S - 1))


async def alarms(database: Database) -> list[str]:
    async with database.read() as db:
        return [row.name for row in await standing(db)]


async def test_what_extends_the_head_is_signed_and_kept(database: Database, heads: HeadFile) -> None:
    """0600, whole, signed; it follows every entry, also those that need no checkpoint yet."""
    keeper = Keeper(database, KEY, heads)
    assert not await keeper.inspect(sign=True)
    await acts(database, 3)
    assert await keeper.inspect(sign=True)
    assert 0o600 == heads.path.stat().st_mode & 0o777
    assert 3 == read_head(heads.path.read_bytes(), KEY.public, "head").n
    await acts(database, 2)
    assert not await keeper.inspect(sign=True)  # none is due, and the head is kept all the same
    found = HeadFile(heads.path, KEY).read()
    assert found is not None
    async with database.read() as db:
        assert (found.n, found.hash) == await last_entry(db)
    await later(database)
    assert await keeper.inspect(sign=True)
    assert 2 == await checkpoints(database)
    assert [] == await alarms(database)
    assert {".lock", "head.json"} == {found.name for found in heads.path.parent.iterdir()}
    with pytest.raises(Broken, match="not signed with the audit key here"):
        HeadFile(heads.path, OTHER).read()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(0, 8), st.booleans())
def test_no_rewritten_history_is_signed(without: int, more: int, cut: bool) -> None:
    """Whichever entry goes, however many come after, and whether the end is cut: an alarm, no checkpoint, no export holds."""

    async def one(folder: Path) -> None:
        url = f"sqlite+aiosqlite:///{folder / 'tocsin.db'}"
        migrations.upgrade(url)
        database = Database(url, synchronous="OFF")
        heads = HeadFile(folder / "audit" / "head.json", KEY)
        try:
            await acts(database, 12)
            assert await Keeper(database, KEY, heads).inspect(sign=True)
            if cut:
                async with database.write() as tx:
                    await tx.execute(sa.delete(audit_log).where(audit_log.c.n >= without))
                    await tx.execute(sa.delete(audit_checkpoint))
            else:
                await rewrite(database, without)
            await acts(database, more, "harmless")
            assert not await Keeper(database, KEY, HeadFile(heads.path, KEY)).inspect(sign=True)
            assert 0 == await checkpoints(database)
            assert ["audit_rewritten"] == await alarms(database)
            made = await export(database, KEY, folder / "log.jsonl", "live", "tests", heads)
            assert "rewritten" in made.broken
            with pytest.raises(Broken, match="it was not signed for: the audit log was rewritten"):
                verify_export(io.BytesIO((folder / "log.jsonl").read_bytes()), KEY.public)
        finally:
            await database.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(one(Path(folder)))


async def test_the_file_cannot_be_forged_or_taken_away_unseen(database: Database, heads: HeadFile) -> None:
    """Altered, another installation's, cut: an alarm. Taken away while a gateway runs: it remembers, and puts it back."""
    keeper = Keeper(database, KEY, heads)
    await acts(database, 5)
    await keeper.inspect(sign=True)
    whole = heads.path.read_bytes()
    said = json.loads(whole)
    for wrong in (b"", b"{}", whole[:-9], json.dumps(said | {"n": 4}).encode(), json.dumps(said | {"n": "x"}).encode()):
        heads.path.write_bytes(wrong)
        assert not await Keeper(database, KEY, heads).inspect(sign=True)
        assert ["audit_rewritten"] == await alarms(database)
    heads.path.write_bytes(whole)
    heads.path.unlink()
    await acts(database, 1)
    await keeper.inspect(sign=True)
    assert 6 == read_head(heads.path.read_bytes(), KEY.public, "head").n
    heads.path.unlink()
    await rewrite(database, 2)
    again = Keeper(database, KEY, heads)
    assert not await again.inspect(sign=True)
    assert ["audit_rewritten"] == await alarms(database)


async def test_several_gateways_share_or_have_their_own(database: Database, heads: HeadFile, tmp_path: Path) -> None:
    """In turns and at once, on one machine and on two; one that comes back after a while goes on from where it was."""
    there = HeadFile(tmp_path / "elsewhere" / "head.json", KEY)
    here = [Keeper(database, KEY, HeadFile(heads.path, KEY)) for _ in range(3)]
    away = Keeper(database, KEY, there)
    await acts(database, 3)
    await away.inspect(sign=True)
    for n in range(6):
        await acts(database, 2)
        await later(database)
        await asyncio.gather(*(keeper.inspect(sign=m == n % 3) for m, keeper in enumerate(here)))
    assert 3 == (there.read() or pytest.fail("kept")).n
    assert 15 == (heads.read() or pytest.fail("kept")).n
    await acts(database, 1)
    assert not await away.inspect(sign=False)
    assert 16 == (there.read() or pytest.fail("kept")).n
    assert [] == await alarms(database)
    older = heads.read()
    assert older is not None
    there.keep(older)  # an older look that ends later puts nothing back
    assert 16 == (there.read() or pytest.fail("kept")).n


async def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_signed(
    database: Database, tmp_path: Path
) -> None:
    """Warnings go on; the alarm says what to do, and ends when it is mended."""
    (tmp_path / "audit").write_text("a file where a folder should be")
    keeper = Keeper(database, KEY, HeadFile(tmp_path / "audit" / "head.json", KEY))
    await acts(database, 1)
    assert not await keeper.inspect(sign=True)
    kinds = await alarms(database)
    assert 1 == len(kinds)
    assert 0 == await checkpoints(database)
    (tmp_path / "audit").unlink()
    assert await keeper.inspect(sign=True)
    assert [] == await alarms(database)


async def test_a_long_stop_is_caught_up_with_in_pieces(
    database: Database, heads: HeadFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No look is longer for there being more; what is signed is what was looked at."""
    monkeypatch.setattr(audit_head, "PAGE", 5)
    monkeypatch.setattr(audit_head, "PAGES", 2)
    await acts(database, 23)
    keeper = Keeper(database, KEY, heads)
    seen = []
    for _ in range(3):
        await keeper.inspect(sign=True)
        await later(database)
        seen.append((heads.read() or pytest.fail("kept")).n)
    assert [10, 20, 23] == seen
    async with database.read() as db:
        signed = list(await db.scalars(sa.select(audit_checkpoint.c.n).order_by(audit_checkpoint.c.n)))
    assert [10, 20, 23] == signed


async def test_an_old_entry_is_looked_at_again_within_the_hour(
    database: Database, heads: HeadFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Altered or taken out, with nothing behind it written anew: a gateway that starts sees it, one that runs does later."""
    monkeypatch.setattr(audit_head, "PAGE", 5)
    await acts(database, 23)
    keeper = Keeper(database, KEY, heads)
    for _ in range(8):
        await keeper.inspect(sign=True)
    async with database.write() as tx:
        row = (await tx.execute(sa.select(audit_log).where(audit_log.c.n == 13))).one()
        await tx.execute(sa.delete(audit_log).where(audit_log.c.n == 13))
    await keeper.inspect(sign=True)
    assert [] == await alarms(database)
    keeper._walk_again = 0.0
    for one in (keeper, Keeper(database, KEY, heads)):
        for _ in range(4):
            await one.inspect(sign=True)
        assert ["audit_rewritten"] == await alarms(database)
        await later(database)
        assert not await one.inspect(sign=True)
    async with database.write() as tx:
        await tx.execute(sa.insert(audit_log).values(**row._mapping))
    for _ in range(8):
        await keeper.inspect(sign=True)
    assert [] == await alarms(database)


async def test_a_backup_that_was_put_back_is_accepted_by_a_person(database: Database, heads: HeadFile) -> None:
    """By an entry that says what was seen before; from there it goes on. A log that does not hold is not accepted."""
    keeper = Keeper(database, KEY, heads)
    await acts(database, 9)
    await keeper.inspect(sign=True)
    async with database.write() as tx:
        await tx.execute(sa.delete(audit_log).where(audit_log.c.n > 6))
        await tx.execute(sa.delete(audit_checkpoint))
    assert not await keeper.inspect(sign=True)
    head = await accept(database, KEY, HeadFile(heads.path, KEY), "tests", "the backup of Monday")
    assert 7 == head.n
    async with database.read() as db:
        entry = (await db.execute(sa.select(audit_log).where(audit_log.c.n == 7))).one()
        assert await advance(db, head)
    assert ("audit.accept", "the backup of Monday") == (entry.act, entry.reason)
    assert (9, 6) == (entry.detail["seen"], entry.detail["stood"])
    assert await keeper.inspect(sign=True)
    assert [] == await alarms(database)
    async with database.write() as tx:
        await tx.execute(sa.update(audit_log).where(audit_log.c.n == 3).values(reason="another"))
    with pytest.raises(Broken, match="does not follow at entry 3"):
        await accept(database, KEY, heads, "tests", "no")
