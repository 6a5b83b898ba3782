"""Takes every lock that is no row's: a function for each, in the one order a transaction may take them.

The order is that of `Rank`, from its first to its last. Whoever takes a lock of an earlier rank after one of a later rank
could wait in a circle with somebody who did it the other way round. The log says so as an error; in the tests LockOrder is
raised, on SQLite too, where nothing is locked since there is one writer. Locks of one rank are taken by name,
in one call or in several. Rows are locked after these, paths before deliveries, each by id; only CASES, and the rows of its
cases, come after both.

Locks end with their transaction. What is only tried, and never waited for, has no rank: it cannot be part of a circle. The
audit log's own lock has none either: an act writes entries before and after it waits for intents.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import IntEnum, auto
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql

from services.shared.database.engine import Connection, Database

log = structlog.get_logger("locks")
# The tests set it, and a wrong order raises. A warning's transaction goes on: a circle is ended by the database and tried again.
strict = False


class Rank(IntEnum):
    """The order in which locks are taken. Shared holders do not wait for each other."""

    CHANNELS = auto()  # the table of channels, as a starting process writes it
    LINK_TESTS = auto()
    WEIGHTS = auto()
    SIGN_IN_CODES = auto()
    REGISTER = auto()  # every writer of people
    HOUSE_KEYS = auto()
    SEALING_KEYS = auto()
    ACTS = auto()  # whoever acts on warnings: they are few, and their chains cannot fork
    INTENTS = auto()  # of a warning: shared by who writes intents to send, alone by who ends it
    PREVIEW = auto()
    DOORS = auto()  # of a warning: shared by evidence and steps, alone by its clock and by who shares out teams
    ENDING = auto()  # of a warning: shared by evidence, alone by who tells of its end
    PLAN = auto()  # of a warning: shared by whoever plans deliveries, alone by who stops it
    AREA = auto()  # of a warning: evidence of area channels, which have no path to be counted under
    HELP = auto()  # of an update: shared by a page that opens paths, alone by a call for help that is carried there
    CASES = auto()  # of a warning
    AUDIT_HEAD = auto()


class LockOrder(RuntimeError):
    """A transaction takes a lock of an earlier rank than one it holds: a fault of ours."""


# ---- one of each in a community


async def channels(tx: Connection) -> None:
    await _take(tx, Rank.CHANNELS)


async def link_tests(tx: Connection) -> None:
    await _take(tx, Rank.LINK_TESTS)


async def weights(tx: Connection) -> None:
    await _take(tx, Rank.WEIGHTS)


async def sign_in_codes(tx: Connection) -> None:
    """What one process sends the next counts."""
    await _take(tx, Rank.SIGN_IN_CODES)


async def register(tx: Connection) -> None:
    await _take(tx, Rank.REGISTER)


async def house_keys(tx: Connection) -> None:
    await _take(tx, Rank.HOUSE_KEYS)


async def sealing_keys(tx: Connection) -> None:
    await _take(tx, Rank.SEALING_KEYS)


async def acts(tx: Connection) -> None:
    await _take(tx, Rank.ACTS)


async def audit_head(tx: Connection) -> None:
    await _take(tx, Rank.AUDIT_HEAD)


async def audit_log(tx: Connection) -> None:
    """Entries are chained one after the other. No rank: an act writes some before it waits for INTENTS, and some after."""
    await _wait(tx, ["audit_log"])


# ---- one of each for a warning


async def intents(tx: Connection, warning_ids: Iterable[str], *, shared: bool = False) -> None:
    """Alone: waits for sends whose intent is being written; whoever comes later sees that the warning is over."""
    await _take(tx, Rank.INTENTS, warning_ids, shared=shared)


async def preview(tx: Connection, warning_id: str) -> None:
    await _take(tx, Rank.PREVIEW, (warning_id,))


async def doors(tx: Connection, *warning_ids: str, shared: bool = False) -> None:
    await _take(tx, Rank.DOORS, warning_ids, shared=shared)


async def ending(tx: Connection, *warning_ids: str, shared: bool = False) -> None:
    await _take(tx, Rank.ENDING, warning_ids, shared=shared)


async def plan(tx: Connection, *warning_ids: str, shared: bool = False) -> None:
    """Alone: waits for a page or step under way; a later one sees the end."""
    await _take(tx, Rank.PLAN, warning_ids, shared=shared)


async def area(tx: Connection, warning_id: str) -> None:
    await _take(tx, Rank.AREA, (warning_id,))


async def help_of(tx: Connection, update_id: str, *, shared: bool = False) -> None:
    """Alone: waits for a page under way; a later one sees the call."""
    await _take(tx, Rank.HELP, (update_id,), shared=shared)


async def cases(tx: Connection, *warning_ids: str) -> None:
    await _take(tx, Rank.CASES, warning_ids)


# ---- tried and never waited for


def audit_checkpoint(database: Database) -> AbstractAsyncContextManager[bool]:
    return _alone(database, "audit_checkpoint")


def feed(database: Database, name: str) -> AbstractAsyncContextManager[bool]:
    return _alone(database, f"feed:{name}")


def webhook(database: Database, webhook_id: str) -> AbstractAsyncContextManager[bool]:
    return _alone(database, f"webhook:{webhook_id}")


def audience(database: Database, warning_id: str) -> AbstractAsyncContextManager[bool]:
    return _alone(database, f"audience:{warning_id}")


async def try_worker(tx: Connection, worker: str) -> bool:
    """Holds the name of a worker if nobody does; whether it could: then no such worker is connected."""
    return await _try(tx, _worker(worker))


async def worker_while_connected(connection: Connection, worker: str) -> bool:
    """Holds the name of a worker until this connection ends, however it ends; whether it could. PostgreSQL only."""
    return bool(await connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_hashed(sa.literal(_worker(worker)))))))


def _worker(worker: str) -> str:
    return f"worker:{worker}"


@asynccontextmanager
async def _alone(database: Database, name: str) -> AsyncIterator[bool]:
    """Whether no other process is at `name` just now; if so none begins it before the block ends.

    Spares work and guards nothing: the lock goes with its connection.
    """
    if database.is_sqlite:
        yield True
        return
    async with database.read() as db:
        yield bool(await db.scalar(_ALONE, {"name": name}))


# ---- how


_EVERYWHERE = ("",)


async def _take(tx: Connection, rank: Rank, whose: Iterable[str] = _EVERYWHERE, *, shared: bool = False) -> None:
    """Until the end of the transaction nobody else holds any of these (or only others who share them)."""
    names = sorted({f"{rank.name.lower()}:{one}" for one in whose})
    if not names:
        return
    _keep_order(tx, rank, names)
    await _wait(tx, names, shared=shared)


async def _wait(tx: Connection, names: list[str], *, shared: bool = False) -> None:
    if tx.dialect.name != "sqlite":
        await tx.execute(_HOLD_SHARED if shared else _HOLD, {"names": names})


class _Taken(NamedTuple):
    """What a transaction took last: its rank, and all names of it."""

    transaction: object
    rank: Rank
    names: frozenset[str]


def _keep_order(tx: Connection, rank: Rank, names: Sequence[str]) -> None:
    """What a transaction took last stands beside its connection; of one rank the names go up too, as in one call."""
    connection = tx.sync_connection
    transaction = connection.get_transaction() if connection is not None else None
    if connection is None or transaction is None:
        raise LockOrder(f"{rank.name} is taken outside of a transaction: it would end at once")
    last: _Taken | None = connection.info.get("last_lock")
    if last is None or last.transaction is not transaction:
        last = _Taken(transaction, rank, frozenset())
    held = last.names if rank == last.rank else frozenset()
    new = [name for name in names if name not in held]
    if rank < last.rank or (held and new and new[0] < max(held)):
        if strict:
            raise LockOrder(
                f"{rank.name} is taken after {last.rank.name}: take it before, or all of one rank in one call, see "
                "services/shared/database/locks.py"
            )
        log.error("locks.out_of_order", lock=rank.name, after=last.rank.name)
    connection.info["last_lock"] = _Taken(transaction, rank, held.union(names))


async def _try(tx: Connection, name: str) -> bool:
    """Holds `name` to the end of the transaction if nobody does; whether it could. Always on SQLite."""
    if tx.dialect.name == "sqlite":
        return True
    return bool(await tx.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_hashed(sa.literal(name))))))


def _hashed(name: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    return sa.func.hashtextextended(name, 0)


# for as long as the block takes: the lock goes with its transaction
_ALONE = sa.select(sa.func.pg_try_advisory_xact_lock(_hashed(sa.bindparam("name", type_=sa.Text)))).where(
    sa.func.set_config("idle_in_transaction_session_timeout", "0", True) == "0"
)
_names = sa.func.unnest(sa.bindparam("names", type_=postgresql.ARRAY(sa.Text))).table_valued("name").render_derived()
_HOLD = sa.select(sa.func.pg_advisory_xact_lock(_hashed(_names.c.name))).select_from(_names)
_HOLD_SHARED = sa.select(sa.func.pg_advisory_xact_lock_shared(_hashed(_names.c.name))).select_from(_names)
