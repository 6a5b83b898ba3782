"""Recognises a full disk among a database's faults, and sees it coming."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from services.shared.errors import Busy
from services.shared.i18n import english, mark

LOW_BYTES, LOW_SHARE = 2 * 1024**3, 0.05  # below both there is little: a county's warning writes some hundred MB
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_DISK_FULL = "53100"  # PostgreSQL's disk_full


FULL = mark("the disk is full: make room on it, then send it again")


class DiskFull(Busy):
    """There is no room to write; what was committed before stands."""


def is_full(problem: BaseException) -> bool:
    """Whether a fault means that a disk is full, here or under the database."""
    if isinstance(problem, sa.exc.DBAPIError) and problem.orig is not None:
        return is_full(problem.orig)
    if isinstance(problem, OSError):
        return problem.errno in _NO_SPACE
    if isinstance(problem, sqlite3.Error):
        return getattr(problem, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or "disk is full" in str(problem)
    return getattr(problem, "sqlstate", None) == _DISK_FULL


def full(done: str = "") -> DiskFull:
    """The fault to raise; `done` says what stands."""
    return DiskFull(f"{FULL}; {done}" if done else FULL, retry_after=60)


def low(folder: Path) -> str:
    """How little room is left where `folder` lies, in words; empty where there is enough, or nobody can say."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    try:
        usage = shutil.disk_usage(there)
    except OSError:
        return ""
    if usage.free >= LOW_BYTES or usage.free >= LOW_SHARE * usage.total:
        return ""
    free, size = usage.free / 1024**2, usage.total / 1024**3
    return english(
        "{free:.0f} MB of {size:.0f} GB are free under {folder}: make room", free=free, size=size, folder=there
    )
