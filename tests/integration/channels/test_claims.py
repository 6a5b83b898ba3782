"""Claim and intent on both databases: never more than there is room for, never the same twice, never past the guard."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from services.channels.model.report import Report
from services.channels.outcomes.fold import write
from services.channels.outcomes.opted_out import opted_out_table
from services.channels.sending.claims import MAX_CLAIMS, claim, due, give_back, intend
from services.shared.bus.outbox import id_of
from services.shared.database.batches import insert_all
from services.shared.database.engine import Database
from services.shared.ledger.flights import batch, state_now
from services.shared.ledger.moves import UNSENT, move, move_all
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from tests.kit.flights import rows_in, waiting

S = SendState

NOW, DRIVER, TIERS = 1000.0, "sms_twilio", [4]
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
        await waiting(tx, [message(n) for n in range(30)])
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


async def states(database: Database) -> dict[tuple[str, str], int]:
    async with database.read() as db:
        rows = (await db.execute(sa.select(state_now(), delivery.c.state_reason))).all()
        return Counter((state, why) for state, why in rows)


async def test_two_workers_share_what_is_due_and_none_of_it_is_claimed_twice(database: Database) -> None:
    """Batches by time, each once, as many as there is room for."""

    async def one(worker: str) -> list[str]:
        async with database.write() as tx:
            return [r.delivery_id for r in rows_in(await claim(tx, DRIVER, TIERS, 10, NOW, worker))]

    first, second = await asyncio.gather(one("a"), one("b"))
    assert (10, 10) == (len(first), len(second))
    assert {id_of("delivery", n) for n in range(20)} == {*first, *second}


async def test_what_falls_due_together_is_claimed_together(empty: Database) -> None:
    """Five hundred messages of one moment are three batches, claimed whole."""
    async with empty.write() as tx:
        await insert_all(tx, warning_state, [ACTIVE])
        await waiting(tx, [message(n) | {"due_at": NOW} for n in range(500)])
        assert 3 == await tx.scalar(sa.select(sa.func.count()).select_from(batch))
        one = await claim(tx, DRIVER, TIERS, 10, NOW, "a")
        others = await claim(tx, DRIVER, TIERS, 400, NOW, "b")
        assert (1, 2, 500) == (len(one), len(others), len({row.delivery_id for row in rows_in([*one, *others])}))
        assert [] == await claim(tx, DRIVER, TIERS, 250, NOW, "c")


async def test_what_is_not_due_expired_or_of_an_ended_warning_is_left(database: Database) -> None:
    queue = (DRIVER, True)
    async with database.read() as db:
        assert {0: [4]} == await due(db, (queue, (DRIVER, False)), NOW)
        assert {} == await due(db, (queue,), NOW - 200)
        assert {} == await due(db, (queue,), NOW + 3600)
    async with database.write() as tx:
        await tx.execute(sa.update(warning_state).values(state="cancelled"))
        assert [] == await claim(tx, DRIVER, TIERS, 10, NOW, "a")


async def test_what_was_claimed_too_often_is_given_up_by_name(database: Database) -> None:
    """It must not stand due for ever: nobody would look further."""
    async with database.write() as tx:
        await tx.execute(sa.update(batch).values(claims=MAX_CLAIMS))
    for _ in range(30):  # each alone
        async with database.write() as tx:
            assert [] == await claim(tx, DRIVER, TIERS, 100, NOW, "a")
    assert {("failed", "claims_exhausted"): 30} == await states(database)


async def test_one_that_ends_every_process_that_claims_it_keeps_no_other(empty: Database) -> None:
    """A batch that led nowhere is halved until the one that is why stands alone, and is given up; the others are sent."""
    poison = id_of("delivery", 77)
    async with empty.write() as tx:
        await insert_all(tx, warning_state, [ACTIVE])
        await waiting(tx, [message(n) | {"due_at": NOW} for n in range(70, 86)])
    sent: set[str] = set()
    for n in range(60):
        async with empty.write() as tx:
            claimed = await claim(tx, DRIVER, TIERS, 1000, NOW, f"w{n}")
            for one in claimed:
                if poison in {row.delivery_id for row in one.rows}:
                    break  # the process is gone with what it had in hand
                wanted = {DRIVER: one.rows}
                opened = await intend(tx, wanted, {one.batch_id}, f"w{n}", NOW, "live")
                sent |= {row.delivery_id for made in opened.flights for row in made.rows}
            await tx.execute(sa.update(batch).values(worker="", lease_until=None))
    assert (15, False) == (len(sent), poison in sent)
    assert 1 == (await states(empty))["failed", "claims_exhausted"]


async def test_an_intent_needs_the_claim_and_a_warning_that_goes_on(database: Database) -> None:
    """Who lost a claim to another opens nothing, and takes nothing back; what was cancelled in between is given back."""
    async with database.write() as tx:
        late, *fresh = await claim(tx, DRIVER, TIERS, 3, NOW, "a")
        await tx.execute(sa.update(batch).where(batch.c.batch_id == late.batch_id).values(worker="b"))
        opened = await intend(tx, {DRIVER: late.rows}, {late.batch_id}, "a", NOW, "live")
        assert ([], {late.batch_id}) == opened
        assert "b" == await tx.scalar(sa.select(batch.c.worker).where(batch.c.batch_id == late.batch_id))
    async with database.write() as tx:
        done = {one.batch_id for one in fresh}
        opened = await intend(tx, {DRIVER: rows_in(fresh)}, done, "a", NOW, "live")
        assert 2 == len(opened.flights)
    async with database.write() as tx:
        again = await claim(tx, DRIVER, TIERS, 3, NOW, "b")
        await tx.execute(sa.update(warning_state).values(state="cancelled"))
        opened = await intend(tx, {DRIVER: rows_in(again)}, set(), "b", NOW, "live")
        assert ([], {one.batch_id for one in again}) == opened
        assert 27 == await tx.scalar(sa.select(sa.func.count()).where(batch.c.worker == ""))
    assert {"pending": 28, "sending": 2} == {state: n for (state, _), n in (await states(database)).items()}


async def test_what_is_in_the_air_is_not_sent_beside_it(empty: Database) -> None:
    """A batch that was given back, or whose lease ran out, with a part of it begun: only the rest of it flies."""
    async with empty.write() as tx:
        await insert_all(tx, warning_state, [ACTIVE])
        await waiting(tx, [message(n) | {"due_at": NOW} for n in range(10)])
        (mine,) = await claim(tx, DRIVER, TIERS, 10, NOW, "a")
        (first,) = (await intend(tx, {DRIVER: mine.rows[:4]}, set(), "a", NOW, "live")).flights
        await give_back(tx, [mine.batch_id], "a")
        (again,) = await claim(tx, DRIVER, TIERS, 10, NOW, "a")
        (rest,) = (await intend(tx, {DRIVER: again.rows}, {again.batch_id}, "a", NOW, "live")).flights
        late = await intend(tx, {DRIVER: mine.rows}, {mine.batch_id}, "a", NOW, "live")
    flown = [row.delivery_id for one in (first, rest) for row in one.rows]
    assert (10, 10, []) == (len(flown), len(set(flown)), late.flights)


async def test_a_late_report_of_an_earlier_call_does_not_slip_between_the_look_and_the_flight(
    database: Database,
) -> None:
    """It is due once more, and its first call is confirmed just then: either nothing flies, or the report comes after."""
    async with database.write() as tx:
        await tx.execute(sa.update(delivery).values(attempts=1, ambiguous=1, send_state="retry"))
        one, *_ = rows_in(claimed := await claim(tx, DRIVER, TIERS, 3, NOW, "a"))
    reported = asyncio.Event()

    async def report() -> None:
        async with database.write() as tx:
            await write(tx, [Report(one.delivery_id, "late", state=S.DELIVERED, at=NOW)], "live")
        reported.set()

    async with database.write() as tx:
        opened = await intend(tx, {DRIVER: rows_in(claimed)}, set(), "a", NOW, "live")
        late = asyncio.create_task(report())
        await asyncio.wait([late], timeout=0.3)
        assert not reported.is_set()
    await late
    assert one.delivery_id in [row.delivery_id for each in opened.flights for row in each.rows]


async def test_what_was_taken_back_after_the_claim_is_in_no_flight(database: Database) -> None:
    """Its path closed, or its number said STOP, while it was in hand; what is in a flight is nobody's to take back."""
    async with database.write() as tx:
        claimed = await claim(tx, DRIVER, TIERS, 3, NOW, "a")
        closed, stopped, flies = rows_in(claimed)
        assert [closed.delivery_id] == await move(tx, [closed.delivery_id], S.SUPPRESSED, at=NOW, only=UNSENT)
        await tx.execute(sa.insert(opted_out_table).values(address_key=stopped.address_key, at=NOW, said_by="phone"))
        opened = await intend(tx, {DRIVER: rows_in(claimed)}, set(), "a", NOW, "live")
        assert [flies.delivery_id] == [row.delivery_id for one in opened.flights for row in one.rows]
        assert [] == await move(tx, [flies.delivery_id], S.SUPPRESSED, at=NOW, only=UNSENT)
        assert 0 == await move_all(tx, S.CANCELLED, at=NOW, where=(delivery.c.delivery_id == flies.delivery_id,))
    found = await states(database)
    assert {("pending", ""): 27, ("suppressed", ""): 1, ("suppressed", "stopped"): 1, ("sending", ""): 1} == found
