"""Whatever a process writes is its owner's alone, and one that finds its files open to others does not start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import tempfile
from pathlib import Path

import aiohttp
import pytest

from services.shared.crypto.private_files import must_be_private
from services.shared.errors import Broken
from services.shared.settings import Settings
from tests.kit.square import cap
from tools.servers import commands
from tools.servers.ports import free_port
from tools.servers.serving import environment, served


def open_to_others(folder: Path) -> list[str]:
    return [str(p.relative_to(folder)) for p in [folder, *folder.rglob("*")] if stat.S_IMODE(p.lstat().st_mode) & 0o077]


async def said_by(data: Path, *words: str, **more: str) -> tuple[int | None, str]:
    done = await asyncio.wait_for(commands.run(*words, env=environment(data, free_port(), **more)), 60)
    return done.code, done.out + done.err


async def test_nothing_it_writes_is_readable_by_others_and_an_open_database_is_refused() -> None:
    """By the usual umask of 022: database, its -wal and -shm while it runs, keys, lock, the audit log's head; then chmod."""
    before = os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as after:
        after.callback(os.umask, before)
        data = Path(folder) / "data"
        async with served(data) as tocsin, aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {tocsin.key}", "Content-Type": "application/cap+xml"}
            url = f"{tocsin.url}/api/v1/warnings?strict=false&release=false"
            async with session.post(url, data=cap(), headers=headers) as taken:
                assert 202 == taken.status
            there = {p.name for p in data.rglob("*")}
            assert {"tocsin.db", "tocsin.db-wal", "tocsin.db-shm", "keys", "links", "lock"} <= there
            assert [] == open_to_others(data)
        for one in (data.parent, data):  # as homes and working folders often are
            one.chmod(0o755)
        (data / "tocsin.db").chmod(0o644)
        code, said = await said_by(data, "serve")
        assert (2, 1) == (code, len(said.splitlines())), said
        assert "tocsin.db can be read by everybody" in said
        assert f"chmod -R go-rwx {data}" in said
        code, said = await said_by(data, "check")
        assert 0 != code
        assert "can be read by everybody" in said


@pytest.mark.parametrize(
    ("modes", "who"),
    [
        ((0o755, 0o644), "everybody"),
        ((0o750, 0o640), "its group"),
        ((0o755, 0o640), "its group"),
        ((0o700, 0o644), ""),
        ((0o755, 0o600), ""),
        ((0o710, 0o604), ""),
    ],
)
def test_who_can_read_it_follows_from_all_folders_above(
    modes: tuple[int, int], who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in a folder nobody else enters is nobody else's, whatever its own mode."""
    folder, mode = modes
    place = tmp_path / "data"
    place.mkdir()
    file = place / "tocsin.db"
    file.write_bytes(b"x")
    file.chmod(mode)
    place.chmod(folder)
    monkeypatch.setattr(Path, "parents", property(lambda path: [place]))
    if not who:
        must_be_private([file, place / "not-there"])
        return
    with pytest.raises(Broken, match=rf"can be read by {who}.*chmod -R go-rwx"):
        must_be_private([file])


@pytest.mark.parametrize("variable", [{"TOCSIN_CLOCK_RATE": "60"}, {"TOCSIN_CLOCK_ANCHOR": "1000"}])
async def test_a_live_plane_keeps_real_time(
    variable: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rehearsal's clock on the live plane is refused with the variable's name, by serve; on a drill it is a rehearsal's."""
    code, said = await said_by(tmp_path / "data", "serve", **variable)
    assert (2, 1) == (code, len(said.splitlines())), said
    assert next(iter(variable)) in said
    assert "TOCSIN_PLANE=drill" in said
    assert not (tmp_path / "data").exists()
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    assert "drill" == Settings(plane="drill").plane
