"""A batch of rows goes in as it is given, whichever of its columns are the same in all of them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from services.shared.database.batches import array_text, insert_new, sql_array
from services.shared.database.engine import Database
from services.shared.ledger.params import Visit
from services.shared.ledger.tables import delivery
from services.shared.tiers import Tier
from tests.integration.channels.test_claims import message
from tests.integration.router.test_looks import asked
from tools.servers.postgres import Postgres

VISIT = Visit("team", "default", "evacuate", 1, 2, False, False, None)


@pytest.mark.parametrize("n", [3, 60])
@pytest.mark.parametrize("params", [None, VISIT])
async def test_what_is_read_is_what_was_given(empty: Database, n: int, params: Visit | None) -> None:
    """Texts, numbers, bytes, times, what is empty and what a column type of ours writes; a row that is there stays."""
    rows = [
        {
            **message(i),
            "sealed": b"s" if i % 2 else None,
            "sent_at": None,
            "evidence_at": 1.5,
            "dossier": b"d",
            "params": params,
        }
        for i in range(n)
    ]
    async with empty.write() as tx:
        assert 1 == await insert_new(tx, delivery, rows[:1])
        assert n - 1 == await insert_new(tx, delivery, [row | {"language": row["language"]} for row in rows])
        assert 0 == await insert_new(tx, delivery, rows)
        stored = (await tx.execute(sa.select(*(delivery.c[name] for name in rows[0])))).mappings().all()
    key: Any = lambda row: row["delivery_id"]  # noqa: E731
    assert sorted(rows, key=key) == sorted((dict(row) for row in stored), key=key)


async def test_a_column_that_is_the_same_is_bound_once(postgres: Postgres) -> None:
    """PostgreSQL gets an array for each column that differs, and no more."""
    database = Database(postgres.database())
    rows = [message(n) | {"params": None} for n in range(60)]
    differ = {name for name in rows[0] if len({repr(row[name]) for row in rows}) > 1}
    async with database.write() as tx:
        with asked() as statements:
            await insert_new(tx, delivery, rows)
    await database.close()
    ((_, values),) = statements
    assert len(differ) == len([value for value in values if isinstance(value, list) or str(value).startswith("\x1f")])


@pytest.mark.parametrize(
    "given",
    [
        ["a", 'say "no"', "back\\slash", "{x,y}", "", "NULL", " ", "马上走\n", "None"],
        [None, "a", None],
        ["", None],
        [],
        [""],
        ["a\x1fb", "\x1e", None, "\x01"],
    ],
    ids=["signs", "nothing", "empty and nothing", "none", "an empty one", "our own signs"],
)
async def test_texts_come_back_as_they_were(postgres: Postgres, given: list[str | None]) -> None:
    """One text holds the whole list, whatever its elements hold."""
    database = Database(postgres.database())
    async with database.read() as db:
        texts = sa.text(f"SELECT array_to_json({sql_array(':one')})").bindparams(one=array_text(given))
        numbers = sa.text(f"SELECT array_to_json(CAST({sql_array(':one')} AS float[]))")
        found = await db.scalar(texts)
        counted = await db.scalar(numbers.bindparams(one=array_text([1.5, None, 2.0, 1e300])))
    await database.close()
    assert given == found
    assert [1.5, None, 2.0, 1e300] == counted


def test_a_tier_is_the_number_it_is() -> None:
    """An IntEnum's repr is no number, and a batch with one in it was refused whole."""
    assert array_text([4, None, 1]) == array_text([Tier.RED, None, 1])
