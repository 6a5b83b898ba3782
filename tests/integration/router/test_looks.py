"""What the router asks of its database at each page and each look: no statement that reads a whole warning."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.router.store.statistics import SMALL
from services.shared.database.batches import insert_all
from services.shared.database.engine import Database
from services.shared.ledger.tables import delivery
from services.shared.tiers import Tier
from tests.integration.channels.test_claims import message
from tests.kit.router_alone import RouterTown, ident, one, router_town
from tools.servers.postgres import Postgres

# all rows of a table that grows with a warning, or all of one warning; partial indexes hold few
WHOLE = re.compile(
    r"SCAN (delivery|router_path)\b(?! USING (COVERING )?INDEX (ix_delivery_slot|ix_delivery_due|ix_router_path_\w+))"
    r"|SEARCH (delivery|router_path) USING (COVERING )?INDEX \w+ \(warning_id=\?\)$",
    re.MULTILINE,
)


@contextmanager
def asked() -> Iterator[list[tuple[str, Any]]]:
    """(statement, values) of what is executed within, by whichever connection."""
    found: list[tuple[str, Any]] = []

    def before(_c: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        found.append((statement, values[0] if many else values))

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)


async def whole_reads(database: Database, statements: list[tuple[str, Any]]) -> list[str]:
    """Statements whose plan on SQLite reads a whole table, or all of one warning."""
    found = []
    async with database.read() as db:
        for statement, values in statements:
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                plan = (await db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))).all()
                if WHOLE.search("\n".join(str(row[-1]) for row in plan)):
                    found.append(statement)
    return found


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[RouterTown]:
    async with router_town(tmp_path) as made:
        yield made


async def test_a_page_reads_no_more_than_its_people(town: RouterTown) -> None:
    """Whatever stands under the warning already; a phone that somebody has already is found by its key."""
    warning = await town.issue()
    await town.page(warning, [one(n, "sms") for n in range(5)], last=False)
    with asked() as statements:
        await town.page(warning, [one(n, "sms") for n in range(5, 10)], last=False)
    shared = [statement for statement, _ in statements if "delivery.address_key IN" in statement]
    assert 1 == len(shared)
    assert [] == await whole_reads(town.platform.database, statements)


@pytest.mark.parametrize("doors", ["ask", "allowed", "unsafe"])
async def test_a_look_that_finds_nothing_reads_no_warning(town: RouterTown, doors: str) -> None:
    """Neither where people may be sent nor where they are called back."""
    warning = await town.issue(doors=doors)
    await town.page(warning, [one(n, "sms", groups=("mobility",), flags=("high_support",)) for n in range(5)])
    await town.at(0)
    with asked() as statements:
        assert not await town.router.run_due()
    assert [] == await whole_reads(town.platform.database, statements)


async def test_doors_are_looked_for_by_one_statement_where_there_are_none(town: RouterTown) -> None:
    await town.page(await town.issue(tier=Tier.YELLOW, doors="allowed"), [one(n, "sms") for n in range(5)], last=False)
    with asked() as statements:
        assert not await town.router.run_due()
    assert 1 == len([statement for statement, _ in statements if "FROM delivery" in statement])


@asynccontextmanager
async def _on_postgres(server: Postgres, folder: Path) -> AsyncIterator[RouterTown]:
    async with router_town(folder, url=server.database()) as made:
        yield made


async def test_the_first_page_tells_postgresql_how_the_ledger_is(postgres: Postgres, tmp_path: Path) -> None:
    """Else every later page is planned by what was found of empty tables."""
    rows_known = sa.text("SELECT relname, reltuples FROM pg_class WHERE relname IN ('delivery', 'router_path')")
    async with _on_postgres(postgres, tmp_path) as town:
        warning = await town.issue()
        await town.page(warning, [one(n, "sms") for n in range(30)], last=False)
        async with town.platform.database.read() as db:
            known = {row.relname: row.reltuples for row in await db.execute(rows_known)}
        assert 30 == known["router_path"]
        assert 30 <= known["delivery"]
        with asked() as statements:
            await town.page(warning, [one(n, "sms") for n in range(30, 60)], last=False)
        assert not [statement for statement, _ in statements if "ANALYZE" in statement]


async def test_a_large_ledger_is_left_to_autovacuum(postgres: Postgres, tmp_path: Path) -> None:
    """A look at all of it for each warning would be dear, and what is known of it holds."""
    async with _on_postgres(postgres, tmp_path) as town:
        async with town.platform.database.write() as tx:
            await insert_all(tx, delivery, [message(n) | {"delivery_id": ident(n)} for n in range(SMALL)])
            await tx.execute(sa.text("ANALYZE delivery"))
        with asked() as statements:
            await town.page(await town.issue("v"), [one(1, "sms")])
        assert not [statement for statement, _ in statements if "ANALYZE" in statement]


async def test_sqlite_writes_its_log_back_by_the_32_megabytes(town: RouterTown) -> None:
    async with town.platform.database.write() as tx:
        assert 8000 == await tx.scalar(sa.text("PRAGMA wal_autocheckpoint"))
