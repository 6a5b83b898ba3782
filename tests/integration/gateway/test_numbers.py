"""Short numbers never run out and never make anybody wait: freed when over, looked for in few places, then longer."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import sqlalchemy as sa

from services.gateway.warnings import short_numbers
from services.gateway.warnings.short_numbers import PLACES, RESTS_S, free_number
from services.shared.database.batches import insert_all
from services.shared.database.engine import Connection
from services.shared.ledger.warnings import warning_state
from tests.kit.square import SENT
from tests.kit.town import Town
from tests.kit.warning_rows import fill, row

EVERY_FOUR = [str(n) for n in range(1000, 10_000)]


async def test_the_search_ends_whatever_is_taken(desk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """One query a length; with every place of every length taken a number is shared and nothing refused."""
    asked: list[int] = []
    places = short_numbers.places_of

    def counted(warning_id: str, length: int) -> list[str]:
        asked.append(length)
        return places(warning_id, length)

    monkeypatch.setattr(short_numbers, "places_of", counted)
    taken = [n for length in short_numbers.LENGTHS for n in places("ab" * 16, length)]
    await fill(desk, [row(n) for n in dict.fromkeys(taken)])
    async with desk.node.platform.database.write() as tx:
        found = await free_number(tx, "ab" * 16, SENT)
        assert 8 == len(found)
        assert [4, 5, 6, 7, 8, 8] == asked
        assert free_places(places("cd" * 16, 4)) == {4}
        assert (
            await free_number(tx, "cd" * 16, SENT) == places("cd" * 16, 4)[0] == str(int("cdcdcdcd", 16) % 9000 + 1000)
        )


def free_places(found: list[str]) -> set[int]:
    assert PLACES <= len(found) <= PLACES + 1
    return {len(n) for n in found if not n.startswith("0")}


@pytest.mark.parametrize(
    ("held_by", "later", "free"),
    [
        ({}, 0, False),
        ({}, 3600 + 1, False),  # who has the text in hand is told about this one
        ({}, 3600 + RESTS_S + 1, True),
        ({"state": "cancelled", "ended_at": SENT + 60}, RESTS_S, False),
        ({"state": "cancelled", "ended_at": SENT + 60}, RESTS_S + 61, True),
        ({"state": "draft", "released_at": None}, 3599, False),
        ({"state": "draft", "released_at": None}, 3601, True),
        ({"state": "held", "released_at": None}, 3601, True),
        ({"state": "withdrawn", "released_at": None}, 0, True),
        ({"state": "stored", "released_at": None}, 0, True),
    ],
)
async def test_a_number_is_free_again_when_nobody_needs_it(
    desk: Town, held_by: dict[str, Any], later: float, free: bool
) -> None:
    """A draft's when its time is over, a sent one's three days after its end."""
    first = short_numbers.places_of("ab" * 16, 4)[0]
    await fill(desk, [row(first, **held_by)])
    async with desk.node.platform.database.write() as tx:
        assert free is (first == await free_number(tx, "ab" * 16, SENT + later))


async def _many(desk: Town, tx: Connection, count: int) -> list[str]:
    found = []
    for n in range(count):
        warning_id = hashlib.sha256(f"many {n}".encode()).hexdigest()[:32]
        number = await free_number(tx, warning_id, SENT)
        await tx.execute(sa.insert(warning_state).values(**row(number, warning_id=warning_id, chain_id=warning_id)))
        found.append(number)
    return found


async def test_numbers_taken_one_after_the_other_are_all_different(desk: Town) -> None:
    """With eight thousand in force already; those of four digits that are left come first."""
    async with desk.node.platform.database.write() as tx:
        await insert_all(tx, warning_state, [row(n) for n in EVERY_FOUR[:8000]])
        found = await _many(desk, tx, 400)
    assert 400 == len(set(found))
    assert not set(found) & set(EVERY_FOUR[:8000])
    assert {4} == {len(n) for n in found[:100]}
