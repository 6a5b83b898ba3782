"""Writes files that no other user of the machine can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from services.shared.errors import Broken

OURS_ALONE = 0o077  # the umask of every command


def write_privately() -> None:
    """From now on whatever this process makes is readable and writable by its owner alone."""
    os.umask(OURS_ALONE)


def must_be_private(paths: Iterable[Path]) -> None:
    """Broken, with the remedy, where another user could read one of these: by its mode, and those of all folders above."""
    for path in paths:
        if path.exists() and (who := _readable_by(path)):
            raise Broken(
                f"{path} can be read by {who}, and with it where people live and what they need: run "
                f"chmod -R go-rwx {path.parent}"
            )


def of_database(file: Path) -> tuple[Path, ...]:
    """A SQLite file and what lies beside it while it is open."""
    return file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")


def _readable_by(path: Path) -> str:
    found = path.stat().st_mode
    above = [folder.stat().st_mode for folder in path.resolve().parents]
    for who, read, enter in (("everybody", stat.S_IROTH, stat.S_IXOTH), ("its group", stat.S_IRGRP, stat.S_IXGRP)):
        if found & read and all(mode & (enter | stat.S_IXOTH) for mode in above):
            return who
    return ""
