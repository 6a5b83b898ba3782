"""Where a rehearsal's ledger lies: a SQLite file or a PostgreSQL database, read beside the services that write it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg

from tools.servers.postgres import Postgres

IN_THE_AIR = """{row}.send_state IN ('pending', 'retry') AND EXISTS (SELECT 1 FROM flight f WHERE f.batch_id = {row}.batch_id
 AND f.open AND replace(f.ids, ',' || {row}.delivery_id || ',', '') <> f.ids)"""
_NOW = "CASE WHEN " + IN_THE_AIR + " THEN 'sending' ELSE {row}.send_state END"
_BEFORE, _HELD = _NOW.format(row="old"), _NOW.format(row="d")
STANDING = f"SELECT delivery_id FROM delivery d WHERE {_HELD} = ?"  # noqa: S608  words of our own
# a flight that opens is a move to SENDING of each that it holds: noted before it stands, so that two that hold one are seen
SQLITE_JUDGE = f"""
CREATE TABLE judge_move (n INTEGER PRIMARY KEY, delivery_id TEXT, before TEXT, after TEXT);
CREATE TRIGGER judge_inserted AFTER INSERT ON delivery BEGIN
  INSERT INTO judge_move (delivery_id, before, after) VALUES (new.delivery_id, '', new.send_state);
END;
CREATE TRIGGER judge_moved AFTER UPDATE ON delivery
WHEN old.send_state <> new.send_state OR old.attempts <> new.attempts BEGIN
  INSERT INTO judge_move (delivery_id, before, after) VALUES (new.delivery_id, {_BEFORE}, new.send_state);
END;
CREATE TRIGGER judge_flew BEFORE INSERT ON flight BEGIN
  INSERT INTO judge_move (delivery_id, before, after) SELECT d.delivery_id, {_HELD}, 'sending' FROM delivery d
  WHERE d.delivery_id IN (SELECT value FROM json_each('["' || replace(trim(new.ids, ','), ',', '","') || '"]'));
END;
"""  # noqa: S608
POSTGRES_JUDGE = f"""
CREATE TABLE judge_move (n BIGSERIAL PRIMARY KEY, delivery_id TEXT, before TEXT, after TEXT);
CREATE FUNCTION judge_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO judge_move (delivery_id, before, after) VALUES (new.delivery_id, '', new.send_state);
  ELSIF old.send_state <> new.send_state OR old.attempts <> new.attempts THEN
    INSERT INTO judge_move (delivery_id, before, after) VALUES (new.delivery_id, {_BEFORE}, new.send_state);
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION judge_flew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO judge_move (delivery_id, before, after) SELECT d.delivery_id, {_HELD}, 'sending' FROM delivery d
  WHERE d.delivery_id = ANY (string_to_array(trim(new.ids, ','), ','));
  RETURN new;
END $$;
CREATE TRIGGER judge AFTER INSERT OR UPDATE ON delivery FOR EACH ROW EXECUTE FUNCTION judge_note();
CREATE TRIGGER judge BEFORE INSERT ON flight FOR EACH ROW EXECUTE FUNCTION judge_flew();
"""  # noqa: S608


BACK_WITHIN_S = 30.0


class Ground(Protocol):
    """One database of one run."""

    url: str

    def rows(self, statement: str, *values: object) -> list[Any]:
        """Rows by name or place; `?` marks a value."""
        ...

    def change(self, statement: str, *values: object) -> None:
        """One statement, committed."""
        ...

    def script(self, statements: str) -> None:
        """Several statements, committed."""
        ...

    def judge(self) -> None:
        """From now on every move in the ledger is noted in a table of the judge's."""
        ...

    def noted(self) -> bool:
        """Whether moves were noted."""
        ...

    def standing(self, state: str) -> set[str]:
        """Deliveries in a state on disk, whoever has died."""
        ...

    def at_rest(self) -> Mapping[str, bytes]:
        """All that is stored, as bytes, by place: to look for what must not stand there open."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...


class SqliteGround:
    """A file in a data directory."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite+aiosqlite:///{file}"

    def rows(self, statement: str, *values: object) -> list[Any]:
        with contextlib.closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(statement, values).fetchall()

    def change(self, statement: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.file)) as db:
            db.execute(statement, values)
            db.commit()

    def script(self, statements: str) -> None:
        with contextlib.closing(sqlite3.connect(self.file)) as db:
            db.executescript(statements)

    def judge(self) -> None:
        self.script(SQLITE_JUDGE)
        self.script("PRAGMA wal_checkpoint(TRUNCATE)")

    def noted(self) -> bool:
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'judge_move'"))

    def standing(self, state: str) -> set[str]:
        """Read from a copy: a judge who opens a dead server's file would mend it for him."""
        with tempfile.TemporaryDirectory(dir=self.file.parent.parent) as place:
            for name in (self.file.name, self.file.name + "-wal"):
                if (self.file.parent / name).exists():
                    shutil.copy(self.file.parent / name, Path(place) / name)
            with contextlib.closing(sqlite3.connect(Path(place) / self.file.name)) as db:
                rows = db.execute(STANDING, (state,)).fetchall()
        return {r[0] for r in rows}

    def at_rest(self) -> Mapping[str, bytes]:
        """The bytes of the files: what was deleted lies there still, and sealed blobs show nothing."""
        places = {}
        for name in ("", "-wal"):
            file = self.file.with_name(self.file.name + name)
            if file.exists():
                places[file.name] = file.read_bytes()
        return places

    def close(self) -> None:
        """Nothing is held."""


class Row(tuple[Any, ...]):
    """A row by place or by name, as sqlite3.Row is."""

    names: Mapping[str, int]

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names[key] if isinstance(key, str) else key)


def _row_factory(cursor: psycopg.Cursor[Any]) -> Any:
    names = {column.name: i for i, column in enumerate(cursor.description or ())}
    made = type("Row", (Row,), {"names": names})
    return lambda values: made(values)


class PostgresGround:
    """A database of a server of ours, over one connection that is made again when the server was away."""

    def __init__(self, server: Postgres, url: str) -> None:
        self.server = server
        self.url = url
        self._connection: psycopg.Connection[Any] | None = None

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.lstrip("/")

    def _run(self, statement: Any, values: Sequence[object]) -> psycopg.Cursor[Any]:
        end = time.monotonic() + BACK_WITHIN_S
        while True:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = self.server.connect(self.url)
                    self._connection.autocommit = True
                    self._connection.row_factory = _row_factory
                return self._connection.execute(statement, values or None)
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                self.close()
                time.sleep(0.1)

    def rows(self, statement: str, *values: object) -> list[Any]:
        return self._run(statement.replace("?", "%s"), values).fetchall()

    def change(self, statement: str, *values: object) -> None:
        self._run(statement.replace("?", "%s"), values)

    def script(self, statements: str) -> None:
        self._run(statements, ())

    def judge(self) -> None:
        self.script(POSTGRES_JUDGE)

    def noted(self) -> bool:
        return bool(self.rows("SELECT 1 FROM pg_tables WHERE tablename = 'judge_move'"))

    def standing(self, state: str) -> set[str]:
        return {r[0] for r in self.rows(STANDING, state)}

    def at_rest(self) -> Mapping[str, bytes]:
        """Every row of every table as text, byte strings as what they hold."""
        places = {}
        for (table,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            places[table] = b"\n".join(
                bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                for row in self.rows(f'SELECT * FROM "{table}"')  # noqa: S608  a table of our own
                for value in row
            )
        return places

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
