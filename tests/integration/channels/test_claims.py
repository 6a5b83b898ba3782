"""Claim and intent on both databases: never more than there is room for, never the same twice, never past the guard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from services.channels.sending.claims import MAX_CLAIMS, claim, due, intend
from services.shared.bus.outbox import id_of
from services.shared.database.batches import insert_all
from services.shared.database.engine import Database
from services.shared.ledger.tables import attempt, delivery
from services.shared.ledger.warnings import warning_state

NOW, QUEUE = 1000.0, ("sms_twilio", True)
WARNING = id_of("warning")
ACTIVE = {
    "warning_id": WARNING, "chain_id": WARNING, "tier": 4, "state": "active", "kind": "alert", "purpose": "live",
    "sent": NOW, "expires_at": NOW + 3600, "authority": "Qingshui County", "number": "1234", "doors": "allowed",
}  # fmt: skip


@pytest.fixture
async def database(empty: Database) -> Database:
    """One active red warning and thirty messages that are due."""
    async with empty.write() as tx:
        await insert_all(tx, warning_state, [ACTIVE])
        await insert_all(tx, delivery, sorted((message(n) for n in range(30)), key=lambda r: str(r["delivery_id"])))
    return empty


def message(n: int) -> dict[str, Any]:
    """The n-th message; a later one falls due later."""
    return {
        "delivery_id": id_of("delivery", n), "warning_id": WARNING, "kind": "warning", "tier": 4,
        "person_id": id_of("person", n), "addressee_id": id_of("person", n), "addressee_kind": "person",
        "step": "red.0", "channel": "sms", "driver": "sms_twilio", "form": "plain", "language": "en",
        "address_key": str(n), "reason": "test", "send_state": "pending", "due_at": NOW - 100 + n,
        "expires_at": NOW + 3600, "state_at": NOW, "params": None,
    }  # fmt: skip


async def change(database: Database, **values: Any) -> None:
    async with database.write() as tx:
        await tx.execute(sa.update(delivery).values(**values))


async def states(database: Database) -> dict[tuple[str, str], int]:
    async with database.read() as db:
        rows = await db.execute(
            sa.select(delivery.c.send_state, delivery.c.state_reason, sa.func.count()).group_by(
                delivery.c.send_state, delivery.c.state_reason
            )
        )
        return {(state, why): n for state, why, n in rows}


async def test_two_workers_share_what_is_due_and_neither_takes_more_than_it_has_room_for(database: Database) -> None:
    """The first by time, each once."""

    async def one(worker: str) -> list[str]:
        async with database.write() as tx:
            return [r.delivery_id for r in await claim(tx, QUEUE, 10, NOW, worker)]

    first, second = await asyncio.gather(one("a"), one("b"))
    assert (10, 10) == (len(first), len(second))
    assert {id_of("delivery", n) for n in range(20)} == {*first, *second}


async def test_what_is_not_due_expired_or_of_an_ended_warning_is_left(database: Database) -> None:
    async with database.read() as db:
        assert {0} == await due(db, (QUEUE, ("sms_twilio", False)), NOW)
        assert set() == await due(db, (QUEUE,), NOW - 200)
        assert set() == await due(db, (QUEUE,), NOW + 3600)
    async with database.write() as tx:
        await tx.execute(sa.update(warning_state).values(state="cancelled"))
        assert [] == list(await claim(tx, QUEUE, 10, NOW, "a"))


async def test_what_was_claimed_too_often_is_given_up_by_name(database: Database) -> None:
    """It must not stand due for ever: nobody would look further."""
    await change(database, claims=MAX_CLAIMS)
    async with database.write() as tx:
        assert [] == list(await claim(tx, QUEUE, 10, NOW, "a"))
    assert {("failed", "claims_exhausted"): 30} == await states(database)


async def test_an_intent_needs_the_claims_own_token_and_a_warning_that_goes_on(database: Database) -> None:
    """A late worker's token moves nothing, also not back; what was cancelled in between is given back."""
    async with database.write() as tx:
        tokens = {r.delivery_id: r.token for r in await claim(tx, QUEUE, 3, NOW, "a")}
    late, *fresh = sorted(tokens)
    async with database.write() as tx:
        stale = {late: tokens[late] - 1}
        assert set() == await intend(tx, stale, [WARNING], "sms_twilio", NOW)
    async with database.write() as tx:
        assert set(fresh) == await intend(tx, {i: tokens[i] for i in fresh}, [WARNING], "sms_twilio", NOW)
        assert set(fresh) == set((await tx.scalars(sa.select(attempt.c.delivery_id))).all())
    async with database.write() as tx:
        again = {r.delivery_id: r.token for r in await claim(tx, QUEUE, 3, NOW, "b")}
        await tx.execute(sa.update(warning_state).values(state="cancelled"))
        assert set() == await intend(tx, again, [WARNING], "sms_twilio", NOW)
    assert {"pending": 27, "leased": 1, "sending": 2} == {
        state: n for (state, _), n in (await states(database)).items()
    }
