"""The audit log as evidence: an export stands for itself, and nothing can be done to it that its reader does not see."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from services import migrations
from services.__main__ import app
from services.shared.audit import audit_export, checkpoints, trail
from services.shared.audit.audit_export import export, verify_export
from services.shared.audit.checkpoints import (
    EVERY_ENTRIES,
    EVERY_S,
    Signing,
    audit_checkpoint,
    is_due,
    make_checkpoint,
    verify_checkpoints,
)
from services.shared.clock import wall
from services.shared.database.engine import Database
from services.shared.errors import Broken, Conflict, Refused

KEY, OTHER = Signing(b"a" * 32), Signing(b"b" * 32)


async def acts(database: Database, count: int, checkpoint: bool = True) -> None:
    """So many looks at people, and a checkpoint after them."""
    async with database.write() as tx:
        for n in range(count):
            await trail.record(tx, "duty desk", "look", f"person-{n}", "case 7: 王 asks", {"n": n, "why": ["a", None]})
        if checkpoint:
            await make_checkpoint(tx, KEY)


def holds(data: bytes) -> bool:
    """Whether a reader with the public key accepts it."""
    try:
        verify_export(io.BytesIO(data), KEY.public)
    except Broken:
        return False
    return True


async def test_an_export_holds_and_says_until_when(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries over several pages with their checkpoints; it is readable by its owner alone; one is never written over."""
    monkeypatch.setattr(audit_export, "PAGE", 50)
    for count in (70, 90, 3):
        await acts(database, count)
    file = tmp_path / "log.jsonl"
    made = await export(database, KEY, file, "live", "tests")
    assert (164, 4) == (made.n, made.checkpoints)
    assert made == verify_export(io.BytesIO(file.read_bytes()), KEY.public)
    assert 0 <= wall() - made.at < 60
    assert 0o600 == file.stat().st_mode & 0o777
    with pytest.raises(Conflict, match="earlier export is evidence"):
        await export(database, KEY, file, "live", "tests")
    assert not file.with_name(".log.jsonl").exists()
    with pytest.raises(Broken, match="not signed by the owner of this public key"):
        verify_export(io.BytesIO(file.read_bytes()), OTHER.public)
    for wrong in ("", "zz" * 32, "ab"):
        with pytest.raises(Refused, match="64 hex digits"):
            verify_export(io.BytesIO(file.read_bytes()), wrong)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A log of 12 acts and 3 checkpoints as a file."""
    folder = tmp_path_factory.mktemp("audit")

    async def make() -> bytes:
        url = f"sqlite+aiosqlite:///{folder / 'tocsin.db'}"
        migrations.upgrade(url)
        made = Database(url, synchronous="OFF")
        for count in (5, 6):
            await acts(made, count)
        await export(made, KEY, folder / "log.jsonl", "live", "tests")
        await made.close()
        return (folder / "log.jsonl").read_bytes()

    return asyncio.run(make())


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damage_goes_unseen(exported: bytes, data: st.DataObject) -> None:
    """Any flipped bit, any line deleted, doubled, inserted or moved, any cut at a byte or a line."""
    assert holds(exported)
    lines = exported.splitlines(keepends=True)
    kind = data.draw(st.sampled_from(["flip", "delete", "double", "move", "insert", "cut", "cut_lines", "append"]))
    line = st.integers(0, len(lines) - 1)
    if kind == "flip":
        at = data.draw(st.integers(0, len(exported) - 1))
        damaged = bytearray(exported)
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
        assert not holds(bytes(damaged))
        return
    if kind == "cut":
        assert not holds(exported[: data.draw(st.integers(0, len(exported) - 1))])
        return
    if kind == "delete":
        at = data.draw(line)
        del lines[at : at + data.draw(st.integers(1, 5))]
    elif kind == "double":
        lines.insert(data.draw(line), lines[data.draw(line)])
    elif kind == "move":
        before, after = data.draw(st.tuples(line, line).filter(lambda two: lines[two[0]] != lines[two[1]]))
        lines[before], lines[after] = lines[after], lines[before]
    elif kind == "insert":
        lines.insert(data.draw(line), data.draw(st.binary(max_size=80)) + b"\n")
    elif kind == "cut_lines":
        lines = lines[: data.draw(line)]
    else:
        lines.append(data.draw(st.binary(min_size=1, max_size=40)))
    assert not holds(b"".join(lines))


def test_a_log_written_anew_without_the_key_is_seen(exported: bytes) -> None:
    """Whoever has the file and not the key may chain every entry anew: no checkpoint of his holds."""
    lines, previous = [], trail.GENESIS
    for line in exported.splitlines():
        value = json.loads(line)
        if "hash" in value:
            value["reason"] = "nothing to see"
            names = ("n", "at", "actor", "act", "subject", "reason", "detail")
            value["hash"] = previous = trail.entry_hash(previous, *(value[name] for name in names))
        lines.append(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))
    with pytest.raises(Broken, match="checkpoint"):
        verify_export(io.BytesIO("\n".join(lines).encode() + b"\n"), KEY.public)


def test_nothing_may_follow_the_end(exported: bytes) -> None:
    """Not even an entry that follows from the last one, which anybody can make."""
    last = json.loads(exported.splitlines()[-1])["end"]
    entry = {"n": last["n"] + 1, "at": 1.0, "actor": "a", "act": "b", "subject": "c", "reason": "d", "detail": {}}
    entry["hash"] = trail.entry_hash(last["hash"], *entry.values())
    line = checkpoints.canonical(entry).encode() + b"\n"
    with pytest.raises(Broken, match="something follows the end"):
        verify_export(io.BytesIO(exported + line), KEY.public)


async def test_an_older_export_shows_what_the_owner_of_the_key_wrote_anew(database: Database, tmp_path: Path) -> None:
    """Rewritten and signed again it holds by itself; beside the older one it does not. A longer true one does."""
    await acts(database, 4)
    await export(database, KEY, tmp_path / "old", "live", "tests")
    old = verify_export(io.BytesIO((tmp_path / "old").read_bytes()), KEY.public)
    await acts(database, 2)
    await export(database, KEY, tmp_path / "new", "live", "tests")
    assert 8 == verify_export(io.BytesIO((tmp_path / "new").read_bytes()), KEY.public, old).n
    async with database.write() as tx:
        await tx.execute(sa.delete(trail.audit_log))
        await tx.execute(sa.delete(audit_checkpoint))
    await acts(database, 6)
    await export(database, KEY, tmp_path / "false", "live", "tests")
    false = (tmp_path / "false").read_bytes()
    assert 7 == verify_export(io.BytesIO(false), KEY.public).n
    with pytest.raises(Broken, match="written anew"):
        verify_export(io.BytesIO(false), KEY.public, old)
    new = verify_export(io.BytesIO((tmp_path / "new").read_bytes()), KEY.public)
    with pytest.raises(Broken, match="before the earlier export"):
        verify_export(io.BytesIO((tmp_path / "old").read_bytes()), KEY.public, new)


async def test_checkpoints_come_by_number_and_by_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many entries at once, else 60 s after the last one; none where nothing was written since."""
    assert (1000, 60.0) == (EVERY_ENTRIES, EVERY_S)
    monkeypatch.setattr(checkpoints, "EVERY_ENTRIES", 20)

    async def due(later: float = 0.0) -> bool:
        async with database.read() as db:
            return await is_due(db, wall() + later)

    assert not await due()
    await acts(database, 1, checkpoint=False)
    assert await due()
    await acts(database, 0)
    assert not await due()
    assert not await due(EVERY_S + 1)
    await acts(database, 1, checkpoint=False)
    assert (False, True) == (await due(), await due(EVERY_S + 1))
    await acts(database, 18, checkpoint=False)
    assert not await due()
    await acts(database, 1, checkpoint=False)
    assert await due()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (sa.delete(trail.audit_log).where(trail.audit_log.c.n > 3), "its end was cut"),
        (sa.update(trail.audit_log).where(trail.audit_log.c.n == 4).values(hash="0" * 64), "replaced"),
        (sa.update(audit_checkpoint).values(signature="00" * 64), "not signed"),
        (sa.update(audit_checkpoint).values(at=1.0), "not signed"),
    ],
)
async def test_checkpoints_in_the_database_show_a_cut_end(database: Database, change: sa.UpdateBase, said: str) -> None:
    """Which the chain alone cannot: it ends where it ends."""
    await acts(database, 4)
    async with database.read() as db:
        assert 1 == await verify_checkpoints(db, KEY.public)
    async with database.write() as tx:
        await tx.execute(change)
    async with database.read() as db:
        with pytest.raises(Broken, match=said):
            await verify_checkpoints(db, KEY.public)


def test_the_commands_of_an_operator_and_of_an_auditor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Key and export where Tocsin runs; verify anywhere, with no settings, keys or database beside it."""
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    monkeypatch.delenv("TOCSIN_DATABASE_URL", raising=False)

    def tocsin(where: Path, *words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(where)
        code = app(list(words), standalone_mode=False)
        return code or 0, *capsys.readouterr()

    key = tocsin(home, "audit", "key")[1].strip()
    assert 64 == len(key)
    code, out, err = tocsin(home, "audit", "export", str(away / "log.jsonl"))
    assert 0 == code, err
    assert "entries 1 to 1" in out
    (away / "key.txt").write_text(key + "\n")
    for given_key in (key, "key.txt"):
        code, out, err = tocsin(away, "audit", "verify", "log.jsonl", "--public-key", given_key)
        assert (0, "") == (code, err)
        assert "holds: entries 1 to 1 stood so on" in out
        assert "no export can show" in out
    (away / "cut.jsonl").write_bytes((away / "log.jsonl").read_bytes().rpartition(b'{"end"')[0])
    code, out, err = tocsin(away, "audit", "verify", "cut.jsonl", "--public-key", key)
    assert (1, "") == (code, out)
    assert "DOES NOT HOLD: the file has no end" in err
    assert 2 == tocsin(away, "audit", "verify", "none.jsonl", "--public-key", key)[0]
    assert ["cut.jsonl", "key.txt", "log.jsonl"] == sorted(p.name for p in away.iterdir())
