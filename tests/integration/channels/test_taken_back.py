"""What is committed between two statements of a take-back or an intent: nothing is taken back and sent, or sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import sqlalchemy as sa

from services.channels.model.driver import Outcome, Result
from services.channels.model.outcome import LATE
from services.channels.outcomes.fold import write
from services.channels.outcomes.transition import told
from services.channels.sending.claims import Claimed, Intents, claim, give_back, intend
from services.shared.database.engine import Connection, Database
from services.shared.ledger.flights import lock_batches
from services.shared.ledger.moves import UNSENT, move
from services.shared.ledger.states import SendState
from tests.integration.channels.test_over_in_hand import DRIVER, Ledger
from tools.servers.postgres import Postgres


async def test_what_is_due_again_since_is_not_taken_back(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its call is late while somebody who takes it back waits for its batch; it is due in another batch, and begun."""
    database = Database(postgres.database())
    try:
        ledger = Ledger(database)
        await ledger.begin()
        await ledger.claims()
        assert await ledger.intends()
        again: list[Claimed] = []

        async def and_the_call_ends(tx: Connection, *where: sa.ColumnElement[bool]) -> list[str]:
            locked = await lock_batches(tx, *where)
            if again:
                return locked
            flown, (row,) = ledger.flight
            report = told(row, flown, Result(Outcome.NOT_SENT, code=LATE), ledger.clock.now(), exhausted=False)
            async with database.write() as other:
                await write(other, [report], "live")
            async with database.write() as other:
                again.extend(await claim(other, DRIVER, [4], 1, ledger.clock.now(), ledger.leases.worker))
            return locked

        monkeypatch.setattr("services.shared.ledger.moves.lock_batches", and_the_call_ends)
        async with database.write() as tx:
            taken = await move(tx, ["d" * 32], SendState.SUPPRESSED, at=ledger.clock.now(), only=UNSENT)
            (one,) = again
            intent = asyncio.create_task(_intend(database, one, ledger))
            await asyncio.wait([intent], timeout=0.05)
        begun = await intent
        assert 1 == len(taken) + len(begun.flights), "taken back where it stands now, or called: never both"
        assert (SendState.SUPPRESSED if taken else SendState.SENDING) == await ledger.state()
    finally:
        await database.close()


async def _intend(database: Database, one: Claimed, ledger: Ledger) -> Intents:
    async with database.write() as tx:
        wanted, now = {DRIVER: one.rows}, ledger.clock.now()
        return await intend(tx, wanted, {one.batch_id}, ledger.leases.worker, now, "live")


class _Between:
    """A transaction that lets something else be committed once it has locked its batches and read what flies of them."""

    def __init__(self, tx: Connection, between: Callable[[], Awaitable[None]]) -> None:
        self._tx = tx
        self._between = between
        self._read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def execute(self, *asked: Any) -> Any:
        found = await self._tx.execute(*asked)
        self._read += 1
        if self._read == 2:  # after the lock that a cancel waits for
            await self._between()
        return found


async def test_an_outcome_written_while_an_intent_looks_is_seen(postgres: Postgres) -> None:
    """A part of a batch is in the air; the rest is claimed again, and between two looks of its intent the part lands."""
    database = Database(postgres.database())
    try:
        ledger = Ledger(database)
        await ledger.begin()
        await ledger.claims()
        name, rows = ledger.batch.batch_id, ledger.batch.rows
        async with database.write() as tx:
            part = await intend(tx, {DRIVER: rows}, (), ledger.leases.worker, ledger.clock.now(), "live")
            await give_back(tx, {name}, ledger.leases.worker)
        async with database.write() as tx:
            (one,) = await claim(tx, DRIVER, [4], 1, ledger.clock.now(), "another")

        async def lands() -> None:
            flown, (row,) = part.flights[0]
            report = told(row, flown, Result(Outcome.ACCEPTED), ledger.clock.now(), exhausted=False)
            async with database.write() as other:
                await write(other, [report], "live")

        async with database.write() as tx:
            beside = cast("Connection", _Between(tx, lands))
            twice = await intend(beside, {DRIVER: one.rows}, {name}, "another", ledger.clock.now(), "live")
        assert [] == twice.flights, "sent twice"
        assert SendState.ACCEPTED == await ledger.state()
    finally:
        await database.close()
