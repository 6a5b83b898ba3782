"""What the router asks of its database, and when: no statement reads a whole warning, and no wake that says nothing asks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.router.clock.lookout import READ_AGAIN_S
from services.router.store import tables
from services.router.store.statistics import SMALL
from services.shared.clock import wall
from services.shared.database.batches import insert_all
from services.shared.database.engine import Database
from services.shared.ledger.flights import flight
from services.shared.ledger.tables import delivery
from services.shared.tiers import Tier
from tests.integration.channels.test_claims import message
from tests.kit.flights import in_the_air
from tests.kit.router_alone import RouterTown, ident, one, router_town
from tools.servers.postgres import Postgres

# all rows of a table that grows with a warning, or all of one warning; partial indexes hold few
WHOLE = re.compile(
    r"SCAN (delivery|router_path)\b(?! USING (COVERING )?INDEX (ix_delivery_slot|ix_delivery_unassigned|ix_router_path_\w+))"
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


async def test_a_batch_of_due_paths_is_read_in_the_order_of_an_index(town: RouterTown) -> None:
    """However many are due beside it: neither are all of them read nor sorted, and the most urgent tier goes first."""
    first = await town.issue("b", tier=Tier.ORANGE, hours=24)
    await town.page(first, [one(n, "sms", "voice_mobile") for n in range(3)], last=False)
    second = await town.issue("r", hours=24)
    await town.page(second, [one(n, "sms", "voice_mobile") for n in range(3)], last=False)
    async with town.platform.database.write() as tx:
        await tx.execute(sa.update(tables.path).values(next_at=town.clock.now()))
    with asked() as statements:
        assert await town.router.run_due()
    due = [(statement, values) for statement, values in statements if "router_path.next_at <=" in statement]
    assert due
    async with town.platform.database.read() as db:
        for statement, values in due:
            plan = (await db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))).all()
            steps = "\n".join(str(row[-1]) for row in plan)
            assert "ix_router_path_next (tier=? AND next_at<?)" in steps
            assert "FOR ORDER BY" not in steps
    walked = [
        warning for warning in (first, second) if town.clock.now() < (await town.paths(warning))[ident(1)].next_at
    ]
    assert [second] == walked


async def test_doors_are_looked_for_by_one_statement_where_there_are_none(town: RouterTown) -> None:
    await town.page(await town.issue(tier=Tier.YELLOW, doors="allowed"), [one(n, "sms") for n in range(5)], last=False)
    with asked() as statements:
        assert not await town.router.run_due()
    of_deliveries = [statement for statement, _ in statements if "FROM delivery" in statement]
    assert 1 == len([one for one in of_deliveries if "AS since" not in one]), (
        "beside the look at the fire service's names"
    )


async def turns(town: RouterTown) -> list[str]:
    """Statements of the router's loop until it has nothing more to do."""
    loop = next(iter(town.router.loops()))
    with asked() as statements:
        while await loop.turn():
            pass
    return [statement for statement, _ in statements]


async def test_a_plain_accept_and_a_receipt_bring_no_look(town: RouterTown) -> None:
    """Nor does a tick while nothing is due; what is due by the clock is taken at its time, and what is answered at once."""
    warning = await town.issue()
    await town.page(warning, [one(n, "sms", "voice_mobile") for n in range(3)], last=False)
    assert await turns(town)
    assert [] == await turns(town)
    await town.said([delivery.c.channel == "sms"], send_state="accepted", evidence=1)
    assert [] == await turns(town)
    await town.said([delivery.c.channel == "sms"], send_state="delivered", evidence=2)
    assert [] == await turns(town)
    following = await town.router.next_at()
    assert following is not None
    town.clock.advance_to(following - 0.001)
    assert [] == await turns(town)
    town.clock.advance_to(following)
    assert await turns(town)
    assert [] == await turns(town)
    await town.said([delivery.c.person_id == ident(1)], send_state="unknown")
    assert await turns(town)


async def test_a_page_lowers_the_time_of_the_next_look(town: RouterTown) -> None:
    """Its steps are walked at their own time, though nobody wakes the clockwork then."""
    warning = await town.issue(hours=24)
    await turns(town)
    town.clock.advance_to(town.clock.now() + 1)
    await town.page(warning, [one(1, "sms", "voice_mobile", "voice_landline")], last=False)
    async with town.platform.database.read() as db:
        due = await db.scalar(sa.select(sa.func.min(tables.path.c.next_at)))
    assert [] == await turns(town)
    town.clock.advance_to(due)
    await turns(town)
    assert due < (await town.paths(warning))[ident(1)].next_at


async def test_what_others_wrote_is_seen_within_a_second(town: RouterTown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another router's paths, or an act in another process; an act in this one wakes."""
    seconds = [wall()]
    monkeypatch.setattr("services.router.clock.lookout.wall", lambda: seconds[0])
    warning = await town.issue()
    await town.page(warning, [one(1, "sms")], last=False)
    await turns(town)
    async with town.platform.database.write() as tx:
        await tx.execute(sa.update(tables.path).values(next_at=town.clock.now()))
    assert [] == await turns(town)
    seconds[0] += READ_AGAIN_S
    assert await turns(town)
    assert [] == await turns(town)
    town.platform.wake.router.set()
    assert await turns(town)


async def test_a_job_that_waits_for_a_message_under_way_is_looked_at_when_that_is_known(town: RouterTown) -> None:
    """An ending goes to who may have got the warning: an accept that comes after it is no plain one."""
    warning = await town.issue()
    await town.page(warning, [one(1, "sms")])
    await turns(town)
    mine = [delivery.c.warning_id == warning, delivery.c.channel == "sms"]
    async with town.platform.database.write() as tx:
        await in_the_air(tx, (await tx.scalars(sa.select(delivery.c.delivery_id).where(*mine))).all())
    ending = await town.issue("e", kind="ending", ending="may_return", replaces=["w"])
    await turns(town)
    assert [] == await town.rows(warning_id=ending, kind="ending")
    async with town.platform.database.write() as tx:
        await tx.execute(sa.update(flight).values(open=False))
    await town.said(mine, send_state="accepted", evidence=1)
    await turns(town)
    assert 1 == len(await town.rows(warning_id=ending, kind="ending"))


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
