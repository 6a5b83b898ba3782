"""A message in several parts: delivered is when every part is, in whatever order it is heard, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.channels.model.flight import Flight
from services.channels.model.report import PartReceipt, Report, Sent
from services.channels.outcomes.fold import write
from services.channels.outcomes.multipart import forget_old, message_part
from services.shared.bus.outbox import id_of
from services.shared.clock import wall
from services.shared.database.batches import insert_all
from services.shared.database.engine import Database
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.flights import batch, flight, state_now
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import attempt, delivery
from tests.integration.channels.test_claims import message
from tests.kit.flights import in_the_air

ONE, OTHER = id_of("delivery", 0), id_of("delivery", 1)
BOTH = sorted((ONE, OTHER))
FLIGHT = Flight(f"f{BOTH[0][1:]}", "b" * 32, "sms_smpp", 0.0, tells=False, left=99)


async def sending(empty: Database) -> None:
    """Two messages under way."""
    rows = [message(n) | {"due_at": 0.0, "driver": "sms_smpp"} for n in (0, 1)]
    async with empty.write() as tx:
        for table in (message_part, attempt, delivery, batch, flight):
            await tx.execute(sa.delete(table))
        await insert_all(tx, delivery, sorted(rows, key=lambda r: str(r["delivery_id"])))
        await in_the_air(tx, BOTH)


def accepted(*refs: str, delivery_id: str = ONE) -> Report:
    return Report(
        delivery_id, event_key=f"{delivery_id}:1:outcome", source="outcome", state=SendState.ACCEPTED,
        evidence=Evidence.ACCEPTED, attempt=1, reason="accepted", ref=refs[0], at=1.0,
        sent=Sent("sms_smpp", delivery_id, refs), flight=FLIGHT, provider="sms_smpp",
    )  # fmt: skip


def told(ref: str, state: str = "delivered", code: str = "") -> Report:
    return Report("", event_key=f"{ref}:{state}", part=PartReceipt("sms_smpp", ref, state, code), at=2.0)


async def after(empty: Database, batches: Sequence[list[Report]]) -> tuple[str, int, str]:
    """State, evidence and reason of the first message when each batch was written in a transaction of its own."""
    await sending(empty)
    for some in batches:
        async with empty.write() as tx:
            await write(tx, some, "drill")
    shown = sa.select(state_now(), delivery.c.evidence, delivery.c.state_reason)
    async with empty.read() as db:
        row: Any = (await db.execute(shown.where(delivery.c.delivery_id == ONE))).one()
    return tuple(row)


async def test_every_order_of_what_is_heard_ends_the_same(empty: Database) -> None:
    """Our own outcome may be the last to be written; the same receipt may come twice; all may come at once."""
    events = [accepted("a", "b"), told("a"), told("b")]
    for order in itertools.permutations(events):
        assert ("delivered", 2, "delivered") == await after(empty, [[e] for e in order])
    assert ("delivered", 2, "delivered") == await after(empty, [events])
    assert ("delivered", 2, "delivered") == await after(empty, [[e, e] for e in events] + [[told("a")]])


async def test_one_part_alone_is_not_the_message(empty: Database) -> None:
    """Half of it says nothing; a part that failed fails it, whenever that is heard, with the operator's code."""
    assert ("accepted", 1, "accepted") == await after(empty, [[accepted("a", "b")], [told("b")]])
    events = [accepted("a", "b"), told("a"), told("b", "failed", "021")]
    for order in itertools.permutations(events):
        assert ("failed", 1, "021") == await after(empty, [[e] for e in order])


async def test_a_part_that_arrived_after_all_is_delivered(empty: Database) -> None:
    """Failed and then delivered is delivered, and so is the other way round."""
    both = [told("a", "failed", "1"), told("a")]
    for order in itertools.permutations([accepted("a"), *both]):
        assert "delivered" == (await after(empty, [[e] for e in order]))[0]


async def test_a_name_that_is_given_out_again_speaks_of_the_new_message(empty: Database) -> None:
    """Operators count from the start again: an old receipt is none of the new message's."""
    await after(empty, [[accepted("a")], [told("a")]])
    async with empty.write() as tx:
        await write(tx, [accepted("a", delivery_id=OTHER)], "drill")
    async with empty.read() as db:
        state = await db.scalar(sa.select(delivery.c.send_state).where(delivery.c.delivery_id == OTHER))
    assert "accepted" == state


async def test_a_receipt_of_nobodys_message_changes_nothing_and_is_dropped_in_time(empty: Database) -> None:
    """It is kept for a week, as one that overtook its message would be."""
    assert ("sending", 0, "") == await after(empty, [[told("zz")]])
    async with empty.write() as tx:
        await tx.execute(sa.update(message_part).values(at=wall() - 8 * 86400))
        await forget_old(tx)
        assert 0 == await tx.scalar(sa.select(sa.func.count()).select_from(message_part))


async def test_a_part_whose_name_went_to_another_message_is_not_taken_for_delivered(empty: Database) -> None:
    """The rest of the first message says nothing of it: whoever must have all parts has not heard of all."""
    await after(empty, [[accepted("a", "b")], [accepted("a", delivery_id=OTHER)], [told("b")]])
    async with empty.read() as db:
        rows = await db.execute(sa.select(delivery.c.delivery_id, delivery.c.send_state))
        assert {ONE: "accepted", OTHER: "accepted"} == {row.delivery_id: row.send_state for row in rows}
