"""The ledger: only the table's transitions happen, evidence climbs, terminal states stay."""

from __future__ import annotations

from itertools import product

import pytest
import sqlalchemy as sa

from services.shared.database.engine import Database
from services.shared.ledger.evidence import ENDINGS, Answer
from services.shared.ledger.moves import may_be_sent, move
from services.shared.ledger.states import TRANSITIONS, SendState
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from tests.kit.flights import in_the_air

S = SendState
# The table once more, as reliability asks for it: a row that is lost or added there differs from here.
NOT_BEGUN = {S.ACCEPTED, S.DELIVERED, S.FAILED, S.CANCELLED, S.EXPIRED, S.SUPERSEDED, S.SUPPRESSED}
MOVES = {
    S.PENDING: NOT_BEGUN | {S.SENDING},
    S.RETRY: NOT_BEGUN | {S.SENDING},
    S.SENDING: {S.ACCEPTED, S.DELIVERED, S.FAILED, S.RETRY, S.UNKNOWN},
    S.ACCEPTED: {S.DELIVERED, S.FAILED, S.SUPERSEDED, S.UNCONFIRMED},
    S.UNKNOWN: {S.ACCEPTED, S.DELIVERED, S.FAILED, S.RETRY, S.UNCONFIRMED},
    S.FAILED: {S.DELIVERED},
    S.UNCONFIRMED: {S.DELIVERED},
}
TERMINAL = {S.EXPIRED, S.CANCELLED, S.SUPERSEDED, S.SUPPRESSED, S.DELIVERED}


def row(delivery_id: str, state: SendState, **more: object) -> dict[str, object]:
    return {
        "delivery_id": delivery_id, "warning_id": "w", "kind": "warning", "tier": 4, "person_id": delivery_id,
        "addressee_id": delivery_id, "addressee_kind": "person", "step": "red.0", "channel": "sms", "driver": "sms_twilio",
        "form": "plain", "language": "en", "address_key": delivery_id, "reason": "r", "send_state": state,
        "due_at": 0.0, "expires_at": 100.0, "state_at": 0.0, **more,
    }  # fmt: skip


async def test_every_pair_outside_the_table_is_refused(database: Database) -> None:
    """144 pairs: a move happens exactly where the table allows it. Sending is what an open flight holds; none is moved there."""
    pairs = [(n, before, after) for n, (before, after) in enumerate(product(S, S))]
    rows = [row(f"{n:032x}", S.PENDING if before is S.SENDING else before) for n, before, _ in pairs]
    async with database.write() as tx:
        await tx.execute(sa.insert(delivery), rows)
        await in_the_air(tx, [f"{n:032x}" for n, before, _ in pairs if before is S.SENDING])
        for n, before, after in pairs:
            if after is S.SENDING:
                continue
            moved = await move(tx, [f"{n:032x}"], after, at=1.0) if any(a == after for _, a in TRANSITIONS) else []
            assert bool(moved) is ((before, after) in TRANSITIONS), (before, after)


def test_the_table_itself() -> None:
    """Nothing goes from an ambiguous send straight back, nothing leaves a final state but for a late receipt."""
    assert {(before, after) for before, moves in MOVES.items() for after in moves} == TRANSITIONS
    assert (S.SENDING, S.PENDING) not in TRANSITIONS
    assert (S.UNKNOWN, S.SENDING) not in TRANSITIONS
    assert not [(a, b) for a, b in TRANSITIONS if a in TERMINAL]
    assert {(S.UNCONFIRMED, S.DELIVERED), (S.FAILED, S.DELIVERED)} == {
        (a, b) for a, b in TRANSITIONS if a in (S.UNCONFIRMED, S.FAILED)
    }


def test_help_is_the_most_serious_answer() -> None:
    """The order in which answers are shown."""
    assert Answer.HELP == list(Answer)[-1]
    assert "closed" in ENDINGS
    assert len(set(ENDINGS)) == len(ENDINGS)


@pytest.mark.parametrize(
    ("state", "doors", "expires", "driver", "slot", "sent"),
    [
        ("active", "ask", 100.0, "sms_twilio", "", True),
        ("cancelled", "ask", 100.0, "sms_twilio", "", False),
        ("superseded", "allowed", 100.0, "sms_twilio", "", False),
        ("held", "allowed", 100.0, "sms_twilio", "", False),
        ("active", "allowed", 5.0, "sms_twilio", "", False),
        ("active", "ask", 100.0, "door", "w1", False),
        ("active", "allowed", 100.0, "door", "w1", True),
        ("active", "allowed", 5.0, "door", "w1", True),
        ("active", "unsafe", 100.0, "door", "w1", False),
        ("cancelled", "allowed", 100.0, "door", "w1", False),
    ],
)
async def test_what_may_be_sent(
    database: Database, state: str, doors: str, expires: float, driver: str, slot: str, sent: bool
) -> None:
    """Only for an active warning that has not expired; a visit waits for the word and is not stopped by the clock."""
    async with database.write() as tx:
        await tx.execute(
            sa.insert(warning_state).values(
                warning_id="w", chain_id="w", tier=4, state=state, kind="alert", purpose="live", sent=0.0,
                expires_at=expires, authority="a", number="1", doors=doors,
            )
        )  # fmt: skip
        channel = "door" if driver == "door" else "sms"
        one = row("d", S.PENDING, driver=driver, expires_at=expires, slot=slot, channel=channel)
        await tx.execute(sa.insert(delivery), [one])
        found = (await tx.execute(sa.select(delivery.c.delivery_id).where(may_be_sent(10.0)))).all()
    assert sent is bool(found)
