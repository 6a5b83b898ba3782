"""Locks are taken in one order: a wrong one fails on both databases, also where nobody else is there to wait for."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.shared.database import locks
from services.shared.database.engine import Database

SERVICES = Path(locks.__file__).parents[2]


async def test_a_lock_of_an_earlier_rank_is_refused_after_a_later_one(empty: Database) -> None:
    async with empty.write() as tx:
        await locks.doors(tx, "w", shared=True)
        await locks.plan(tx, "w", "v", shared=True)
        await locks.cases(tx, "v")
        await locks.cases(tx, "w")
        await locks.cases(tx, "v")  # held already
        with pytest.raises(locks.LockOrder, match="PLAN is taken after CASES"):
            await locks.plan(tx, "w", shared=True)


async def test_in_service_a_wrong_order_is_an_error_in_the_log_and_the_work_goes_on(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "strict", False)
    async with empty.write() as tx:
        await locks.cases(tx, "w")
        with capture_logs() as logged:
            await locks.plan(tx, "w", shared=True)
        assert [(line["event"], line["log_level"], line["lock"], line["after"]) for line in logged] == [
            ("locks.out_of_order", "error", "PLAN", "CASES")
        ]


async def test_of_one_rank_the_names_go_up_over_several_calls_too(empty: Database) -> None:
    """Two transactions that take w and v one by one, each in its own order, would wait for each other."""
    async with empty.write() as tx:
        await locks.cases(tx, "w")
        with pytest.raises(locks.LockOrder, match="all of one rank in one call"):
            await locks.cases(tx, "v")
    async with empty.write() as tx:
        await locks.cases(tx, "w", "v")


async def test_the_next_transaction_of_the_same_connection_begins_anew(empty: Database) -> None:
    for _ in range(20):  # more than a pool has
        async with empty.write() as tx:
            await locks.acts(tx)
            await locks.cases(tx, "w")


async def test_no_warning_is_no_lock(empty: Database) -> None:
    async with empty.write() as tx:
        await locks.cases(tx, "w")
        await locks.plan(tx)


async def test_a_lock_outside_of_a_transaction_is_refused(empty: Database) -> None:
    async with empty.read() as db:
        with pytest.raises(locks.LockOrder, match="outside of a transaction"):
            await locks.acts(db)


def test_every_rank_has_a_number_of_its_own() -> None:
    assert len(locks.Rank.__members__) == len(set(locks.Rank))


def test_nobody_takes_a_lock_by_a_string() -> None:
    theirs = [p for p in SERVICES.rglob("*.py") if p.name != "locks.py" and "migrations" not in p.parts]
    assert len(theirs) > 300
    found = [str(p.relative_to(SERVICES)) for p in theirs if "advisory" in p.read_text() or "locks._" in p.read_text()]
    assert found == []
