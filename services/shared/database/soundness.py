"""Checks whether a SQLite file is a sound database of ours.

A damaged file may answer for hours and then lose what was said yes to. PostgreSQL looks after its own files (and
checksums them), so nothing is asked there.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from services.shared.errors import Broken

AT_START_S = 20.0  # a look that takes longer goes on beside the work
REMEDY = "stop everything that uses it, keep a copy of it, and restore the last backup"


def file_of(url: str) -> Path | None:
    """The file of a SQLite database; None for another."""
    return Path(url.partition(":///")[2]) if url.startswith("sqlite") else None


def must_be_ours(file: Path) -> None:
    """Broken where the file cannot be a database of ours: empty beside keys, another program's, or no database."""
    if not file.exists():
        return
    if file.stat().st_size == 0:
        keys = file.parent / "keys"
        if keys.is_dir() and any(keys.iterdir()):
            raise Broken(
                f"{file} is empty, though the keys of a database lie beside it: it was lost; {REMEDY}, or move both away "
                "to begin anew"
            )
        return
    try:
        with closing(_opened(file)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.OperationalError:  # locked, or not to be read by us: said by who opens it next
        return
    except sqlite3.DatabaseError as problem:
        raise Broken(f"{file} is damaged or no database ({problem}): {REMEDY}") from problem
    if tables and not {"alembic_version", "instance"} <= tables and tables != {"alembic_version"}:
        raise Broken(f"{file} is another program's database: give another TOCSIN_DATA_DIR or TOCSIN_DATABASE_URL")


def damage(file: Path, within: float | None = None) -> str | None:
    """What SQLite's own look through every page finds wrong; None where nothing is, or where `within` seconds did not do."""
    if not file.exists() or not file.stat().st_size:
        return None
    ends = None if within is None else time.monotonic() + within
    try:
        with closing(_opened(file)) as connection:
            if ends is not None:
                connection.set_progress_handler(lambda: int(time.monotonic() > ends), 100_000)
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError as problem:
        return None if "interrupted" in str(problem) else str(problem)
    except sqlite3.DatabaseError as problem:
        return str(problem)
    return None if found == ["ok"] else "; ".join(found)


def must_be_sound(file: Path, within: float | None = AT_START_S) -> None:
    """Broken names what is damaged."""
    found = damage(file, within)
    if found is not None:
        raise Broken(f"{file} is damaged ({' '.join(found.split())[:200]}): {REMEDY}")


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=5.0)
