"""No statement that is asked again and again looks at every row of a table that grows: the plans, on both databases."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from services.channels.model.report import Report
from services.channels.outcomes.fold import write
from services.channels.sending.claims import claim, due
from services.registry.store import register as registry
from services.router.doors.teams import lists_of
from services.router.report import team_board
from services.router.safety import out, rescue
from services.shared.bus.outbox import id_of
from services.shared.database.batches import insert_all, one_of
from services.shared.database.engine import Connection, Database
from services.shared.ledger import team_signs
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from tests.integration.channels.test_claims import ACTIVE, NOW, WARNING, message
from tests.kit.flights import rows_in, waiting

QUEUES = tuple((name, red) for name in ("bed_shaker_mqtt", "door", "email", "sms_twilio") for red in (True, False))
GROWS = (
    "delivery",
    "attempt",
    "answer_log",
    "router_path",
    "registry_person",
    "registry_contact",
    "registry_supporter",
)

OF_FEW = ("ix_delivery_slot", "ix_delivery_ambiguous")  # partial indexes


@pytest.fixture
async def crowded(empty: Database) -> Database:
    """Thousands of messages of one queue, half of them due; and the statistics of that."""
    rows = [message(n) | {"due_at": NOW} | ({"send_state": "delivered"} if n % 50 == 0 else {}) for n in range(6000)]
    async with empty.write() as tx:
        await insert_all(tx, warning_state, [ACTIVE])
        await waiting(tx, rows)

        await tx.execute(sa.text("ANALYZE"))
    return empty


@asynccontextmanager
async def plans(db: Connection) -> AsyncIterator[list[tuple[str, str]]]:
    """(statement, plan) of what is executed within; filled when it ends."""
    asked: list[tuple[str, Any]] = []
    found: list[tuple[str, str]] = []
    engine = db.sync_connection
    assert engine is not None

    def before(_c: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "WITH", "DELETE")):
            asked.append((statement, values[0] if many else values))

    sa.event.listen(engine, "before_cursor_execute", before)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", before)
    for statement, values in asked:
        word = "EXPLAIN QUERY PLAN" if db.dialect.name == "sqlite" else "EXPLAIN"
        rows = (await db.exec_driver_sql(f"{word} {statement}", tuple(values))).all()
        found.append((statement, "\n".join(str(row[-1]) for row in rows)))


def scans(found: list[tuple[str, str]]) -> list[str]:
    """Steps that read a whole table of those that grow."""
    tables = "|".join(GROWS)
    whole = re.compile(rf"SCAN ({tables})\b(?! USING (COVERING )?INDEX ({'|'.join(OF_FEW)}))|Seq Scan on ({tables})\b")
    return [
        f"{line.strip()}: {statement[:200]}"
        for statement, plan in found
        for line in plan.split("\n")
        if whole.search(line)
    ]


async def test_what_channels_ask_for_each_turn(crowded: Database) -> None:
    """Whether anything is due in any queue, the claim, and the writing down of an outcome and a receipt."""
    async with crowded.write() as tx:
        async with plans(tx) as found:
            assert {QUEUES.index(("sms_twilio", True)): [4]} == await due(tx, QUEUES, NOW)
            row, *_ = rows_in(await claim(tx, "sms_twilio", [4], 5, NOW, "w"))
            receipt = Report(id_of("delivery", 50), "e", state=SendState.DELIVERED, at=NOW)
            await write(
                tx, [receipt, Report(row.delivery_id, "f", source="outcome", state=SendState.UNKNOWN, at=NOW)], "live"
            )
        assert [] == scans(found)
        assert 6 == len(found)


async def test_a_list_of_ids_is_looked_up_one_by_one(crowded: Database) -> None:
    """Whatever they are compared with: SQLite has no booleans, and what is compared with 1 is no lookup."""
    async with crowded.read() as db, plans(db) as found:
        ids = [id_of("delivery", n) for n in range(20)]
        some = await db.scalars(sa.select(delivery.c.delivery_id).where(one_of(delivery.c.delivery_id, ids)))
        assert sorted(ids) == sorted(some)
        both = sa.and_(one_of(delivery.c.delivery_id, ids), delivery.c.tier == 4)
        assert 20 == len((await db.scalars(sa.select(delivery.c.delivery_id).where(both))).all())
    assert [] == scans(found)


async def test_what_the_router_asks_for_doors_each_turn(crowded: Database) -> None:
    """How full the pairs' lists are."""
    async with crowded.read() as db, plans(db) as found:
        assert ({}, {}) == await lists_of(db, WARNING)
    assert [] == scans(found)


async def test_what_is_looked_at_while_teams_are_out(crowded: Database) -> None:
    """Names that the fire service has not taken up, teams that rest with doors, the doors each team has left."""
    async with crowded.read() as db, plans(db) as found:
        if db.dialect.name == "postgresql":  # tables that are empty here are else read whole
            await db.exec_driver_sql("SET LOCAL enable_seqscan = off")
        assert [] == await rescue.waiting(db)
        assert None is (await rescue.of(db, WARNING)).waiting
        assert {} == await out.resting_with_doors(db, NOW)
        assert [] == await out.has_doors_under(db, "a" * 32)
        assert 0 == len((await team_board.of(db, None, WARNING, NOW)).teams)
        assert {} == await team_signs.cannot_and_not_relieved(db, NOW)
    assert [] == scans(found)


async def test_what_a_page_of_people_is_made_of(crowded: Database) -> None:
    """People of cells, their contacts and supporters."""
    async with crowded.read() as db:
        if db.dialect.name != "sqlite":
            await db.execute(sa.text("SET LOCAL enable_seqscan = off"))  # the register is empty here
        async with plans(db) as found:
            assert [] == await registry.people_in(db, [5, 7, 9], registry.START, 100)
            assert {} == await registry.contacts_of(db, ["a" * 32])
            assert {} == await registry.supporters_of(db, ["a" * 32])
    assert [] == scans(found)
