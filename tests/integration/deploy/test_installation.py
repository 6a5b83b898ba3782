"""Putting up an installation of several processes: who makes keys, and what an operator does on a PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from services import migrations
from services.__main__ import app
from services.channels.drivers.twilio.http import TwilioSettings
from services.roles import ROLES, read_keys
from services.run import build
from services.shared.bus import rabbit_bus
from services.shared.crypto.sealing import USES, Keys
from services.shared.database.engine import FileLock
from services.shared.errors import Broken, Refused
from services.shared.settings import Settings
from tools.servers import commands
from tools.servers.postgres import Postgres

SIGN = {f"{use}/1.key" for use in USES}
NAMES = {"audit.key", "channels.key", "channels.pub", "index.key"} | SIGN
NEEDS = {  # deploy/README.md says the same
    "gateway": {"audit.key"},
    "registry": {"cookies/1.key", "residents/1.key", "orders/1.key", "index.key", "channels.pub"},
    "router": set(),
    "channels": SIGN - {"cookies/1.key"} | {"index.key", "channels.key"},
}
NOWHERE = "amqp://guest:guest@127.0.0.1:1/none"


async def tocsin(*arguments: str, cwd: Path, **environment: str) -> tuple[int, str, str]:
    """Runs the command as an operator does."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    done = await commands.run(*arguments, cwd=cwd, env={**clean, **environment})
    return done.code, done.out, done.err


@pytest.fixture
def url(postgres: Postgres) -> str:
    """An empty database, for those who only start or refuse to."""
    return postgres.database()


def given(data: Path, names: set[str]) -> None:
    """The keys of an installation, of which this host gets some."""
    keys = Keys(data / "keys")
    _ = keys.public
    keys.ring("links")
    for name in NAMES - names:
        (data / "keys" / name).unlink()


def there(folder: Path) -> dict[str, bytes]:
    """Every key of a folder, by its name in it."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("role", ROLES)
async def test_a_process_of_one_role_starts_with_the_keys_it_needs_and_makes_none(
    tmp_path: Path, url: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exactly those of the table it starts, and writes nothing beside them; with one less it names that one."""
    monkeypatch.setattr(rabbit_bus, "START_S", 0.05)  # how long it waits for a broker, of which there is none here
    given(tmp_path, NEEDS[role])
    settings = Settings(data_dir=tmp_path, port=0, database_url=url, amqp_url=NOWHERE)
    node = await build(settings, [role])
    await node.close()
    for name in sorted(NEEDS[role]):
        assert NEEDS[role] == there(settings.keys_dir).keys()
        file = settings.keys_dir / name
        kept = file.rename(tmp_path / "kept")
        with pytest.raises(Broken, match=f"keys/{re.escape(name)} is missing.* deploy/prepare.sh"):
            read_keys(settings, [role])
        kept.rename(file)


async def test_one_process_of_all_roles_makes_the_keys(tmp_path: Path, url: str) -> None:
    """On PostgreSQL as on SQLite, once; a second start finds them."""
    for at, database_url in (("postgres", url), ("sqlite", "")):
        settings = Settings(data_dir=tmp_path / at, port=0, database_url=database_url)
        seen = []
        for _ in range(2):
            node = await build(settings)
            await node.close()
            seen.append(there(settings.keys_dir))
        assert NAMES == seen[0].keys()
        assert seen[0] == seen[1]


def test_keys_that_cannot_be_read_or_made_are_one_sentence(tmp_path: Path) -> None:
    """A folder that is a file, a key that is a folder, a key of another size, a key others may read."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Broken, match=r"file/channels\.key cannot be made \(.*\): give a TOCSIN_DATA_DIR"):
        Keys(tmp_path / "file").ring("links")
    (tmp_path / "keys" / "links" / "1.key").mkdir(parents=True)
    with pytest.raises(Broken, match=r"links/1\.key cannot be read \(Is a directory\)"):
        Keys(tmp_path / "keys").ring("links")
    short = tmp_path / "keys" / "index.key"
    short.write_bytes(b"short")
    short.chmod(0o600)
    with pytest.raises(Broken, match="holds 5 bytes where 32 are needed"):
        _ = Keys(tmp_path / "keys").index
    short.chmod(0o644)
    with pytest.raises(Broken, match="chmod 600"):
        _ = Keys(tmp_path / "keys").index


def test_a_setting_that_does_not_fit_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a driver's own: the variable is named, and what is wrong with its value."""
    monkeypatch.setenv("TOCSIN_TWILIO_CONCURRENCY", "many")
    with pytest.raises(Refused, match=r"^TOCSIN_TWILIO_CONCURRENCY: give a whole number, not 'many'$") as refused:
        TwilioSettings()
    assert "TOCSIN_TWILIO_CONCURRENCY" == refused.value.field
    monkeypatch.setenv("TOCSIN_PORT", "eighty")
    with pytest.raises(Refused, match=r"^TOCSIN_PORT: "):
        Settings(data_dir=tmp_path)


def test_a_data_directory_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Broken, match=r"file cannot be used \(.*\): give a TOCSIN_DATA_DIR that Tocsin may write to"):
        FileLock(tmp_path / "file").acquire()


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Runs the command in this process: exit code, output, errors."""
    code = app(list(words), standalone_mode=False)
    said = capsys.readouterr()
    return code or 0, said.out, said.err


async def test_two_hosts_may_bring_a_new_database_up_at_once(tmp_path: Path, postgres: Postgres) -> None:
    """`migrate` on PostgreSQL, its address from a file as deployed: one waits for the other, no lock file is left."""
    url = postgres.database(migrated=False)
    (tmp_path / "tocsin_database_url").write_text(url)
    here = {"TOCSIN_DATA_DIR": str(tmp_path / "data"), "TOCSIN_SECRETS_DIR": str(tmp_path)}
    both = await asyncio.gather(*(tocsin("migrate", cwd=tmp_path, **here) for _ in range(2)))
    assert [(0, "the schema is the newest\n", "")] * 2 == list(both)
    with postgres.connect(url) as db:
        assert [(migrations.revisions()[0],)] == db.execute("SELECT version_num FROM alembic_version").fetchall()
    assert not (tmp_path / "data").exists()


def test_an_operator_puts_up_a_postgresql(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """migrate, key create, registry sample and check: no lock file, and no key made by looking."""
    url = postgres.database(migrated=False)
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TOCSIN_DATABASE_URL", url)
    alert = Path(migrations.__file__).parents[1] / "example_alert.xml"
    create = (
        "key",
        "create",
        "--authority",
        "Qingshui County",
        "--label",
        "duty desk",
        "--max-tier",
        "red",
        "--anywhere",
    )
    sample = ("registry", "sample", "--around", str(alert), "--people", "20")

    for _ in range(2):
        assert (0, "the schema is the newest\n", "") == command(capsys, "migrate")
    assert 0 == command(capsys, *create)[0]
    for words, name in ((("check",), "links/1.key"), (sample, "channels.pub")):
        code, out, err = command(capsys, *words)
        assert (2, "") == (code, out)
        assert f"keys/{name} is missing" in err
    assert not (tmp_path / "data").exists()

    _ = Keys(tmp_path / "data" / "keys").public
    assert (0, f"20 fictional people live around {alert.name} now\n", "") == command(capsys, *sample)
    code, out, err = command(capsys, "check")
    assert (0, "") == (code, err)
    assert {"database: schema is the newest, plane live", "channel door: ready (door)"} <= set(out.splitlines())
    with postgres.connect(url) as db:
        assert [("duty desk",)] == db.execute("SELECT label FROM api_key").fetchall()
        assert 20 <= db.execute("SELECT count(*) FROM registry_person").fetchall()[0][0]
    assert ["keys"] == [file.name for file in (tmp_path / "data").iterdir()]


async def test_a_start_that_fails_is_one_sentence(tmp_path: Path, url: str) -> None:
    """No database (and not its password), no key, no port: exit 3 or 2, no traceback, and what to do."""
    away = "postgresql+asyncpg://tocsin:hidden@127.0.0.1:1/tocsin"
    ended = await asyncio.gather(
        tocsin("serve", cwd=tmp_path, TOCSIN_DATABASE_URL=away, TOCSIN_PORT="0"),
        tocsin("serve", "registry", cwd=tmp_path, TOCSIN_DATABASE_URL=url, TOCSIN_AMQP_URL=NOWHERE, TOCSIN_PORT="0"),
    )
    wanted = ((3, "Connection refused"), (2, "data/keys/cookies/1.key is missing"))
    for (code, out, err), (exits, said) in zip(ended, wanted, strict=True):
        assert (exits, "", 1) == (code, out, len(err.strip().splitlines())), err
        assert said in err
        assert "hidden" not in err
    assert not (tmp_path / "data").exists()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        taken = server.sockets[0].getsockname()[1]
        with pytest.raises(Refused, match=f"listen on 127.0.0.1:{taken} .*: stop who does"):
            await build(Settings(data_dir=tmp_path, port=taken, database_url=url))
