"""A person is shown every kind of look at them, and whether it was in an emergency: the view in the database has each act."""

from __future__ import annotations

import pytest

from services.registry.resident.view import LOOKS, looks_at
from services.shared.audit import trail
from services.shared.database.engine import Database

ME = "5" * 32
# Under the warning whose list it was, not under the person.
OF_LISTS = "open_list"


@pytest.mark.parametrize("act", sorted(LOOKS.keys() - {OF_LISTS}))
async def test_every_kind_of_look_is_shown(database: Database, act: str) -> None:
    async with database.write() as tx:
        await trail.record(tx, "Li Na", act, ME, "case 12", {"unlock_id": "u" * 32})
        await trail.record(tx, "Li Na", act, ME, "case 13")
        await trail.record(tx, "Li Na", act, "6" * 32, "somebody else")
        await trail.record(tx, "Li Na", "sign_in", ME, "no look")
        await trail.record(tx, "self", act, ME, "their own")
    async with database.read() as db:
        shown = await looks_at(db, ME)
    assert [(LOOKS[act], False), (LOOKS[act], True)] == [(one["what"], one["emergency"]) for one in shown]
