"""A migration killed at its n-th statement, again and again, each on a fresh copy of a database; a process of its own.

    python -m tests.kit.migration_killed FOLDER FROM STEP

makes a database at revision FROM (empty: none), kills an upgrade of it at every STEP-th statement by SIGKILL, and starts
another. Prints a line a kill that could not be gone on from, and at the end how many there were.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command

from services import migrations
from services.shared.database.soundness import damage


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def in_child(work: Any) -> int:
    """The child's exit code, negative for the signal that killed it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def upgrade(file: Path, dies_at: int) -> None:
    seen = 0

    @sa.event.listens_for(sa.Engine, "after_cursor_execute")
    def _count(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    migrations.upgrade(f"sqlite:///{file}")


def main(folder: Path, begun_from: str, step: int) -> None:
    template, kills, bad, at = folder / "template.db", 0, 0, 1
    if begun_from:
        command.upgrade(migrations.config(f"sqlite:///{template}"), begun_from)
    while True:
        file = folder / f"{at}.db"
        if begun_from:
            shutil.copy(template, file)
        if in_child(lambda at=at, file=file: upgrade(file, at)) == 0:
            break  # it has no more statements than that
        kills += 1
        if in_child(lambda file=file: upgrade(file, 0)) != 0 or damage(file) is not None:
            bad += 1
            say(f"killed at statement {at} of an upgrade from {begun_from or 'nothing'}: it cannot be gone on from")
        at += step
    say(f"{kills} kills, {bad} bad")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
