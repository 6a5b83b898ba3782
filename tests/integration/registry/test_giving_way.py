"""How a list gives way to red: it waits while there is something to send, and never for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from services.registry.importing import yield_to_warnings
from services.registry.importing.list_import import ListImportOptions, import_file
from services.registry.importing.yield_to_warnings import GivingWay, red_in_hand
from services.registry.store import register
from services.registry.store.tables import job
from services.shared.database.batches import insert_all
from services.shared.ledger.flights import batch
from services.shared.ledger.warnings import warning_state
from tests.integration.registry.conftest import YEAR
from tests.kit.flights import in_the_air, waiting

NOW = 1_000_000.0
ROWS = 450
LIST = "id,lat,lon\n" + "".join(f"{n},30.05,103.05\n" for n in range(ROWS))


def a_warning(**more: Any) -> dict[str, Any]:
    return {
        "warning_id": "w", "chain_id": "w", "tier": 4, "state": "active", "kind": "alert", "purpose": "live", "sent": NOW,
        "expires_at": 9e9, "authority": "A", "number": "4721", "doors": "ask", "released_at": NOW - 3600,
    } | more  # fmt: skip


def a_message(**more: Any) -> dict[str, Any]:
    return {
        "delivery_id": "d" * 32, "warning_id": "w", "kind": "warning", "tier": 4, "person_id": "p", "addressee_id": "p",
        "addressee_kind": "person", "step": "red.1", "channel": "sms", "driver": "sms_twilio", "form": "plain", "language": "en",
        "address_key": "k", "reason": "test", "send_state": "pending", "due_at": NOW - 1, "expires_at": 9e9, "state_at": 0.0,
        "attempts": 0, "covers": 1, "state_reason": "",
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("warning", "message", "waits"),
    [
        (a_warning(), None, False),
        (a_warning(released_at=NOW - 10), None, True),
        (a_warning(released_at=NOW - 10, tier=3), None, False),
        (a_warning(), a_message(), True),
        (a_warning(), a_message(send_state="retry"), True),
        (a_warning(), a_message(state_reason="in the air"), True),
        (a_warning(), a_message(send_state="accepted"), False),
        (a_warning(), a_message(send_state="unknown"), False),
        (a_warning(), a_message(due_at=NOW + 600), False),
        (a_warning(), a_message(tier=3), False),
        (a_warning(), a_message(driver="door", channel="officer_door"), False),
    ],
)
async def test_when_red_has_something_in_hand(registry, warning, message, waits):
    """Just released, due, or under way; not what is over, due later, of another tier, or a pair's to do."""
    async with registry.database.write() as tx:
        await insert_all(tx, warning_state, [warning])
        await waiting(tx, [message] if message else [])
        if message and message["state_reason"] == "in the air":
            await in_the_air(tx, [message["delivery_id"]])
    async with registry.database.read() as db:
        assert waits == await red_in_hand(db, NOW)


async def test_a_warning_that_is_being_spread_counts(registry):
    row = {
        "warning_id": "w", "tier": 4, "plane": "drill", "state": "open", "opened_at": NOW, "utc_offset_min": 0, "shape": b"",
        "unresolved": [], "page": 1, "cursor_cell": 0, "cursor_household": "", "cursor_person": "", "total": 0, "digest": "",
    }  # fmt: skip
    names = {c.name for c in job.columns}
    async with registry.database.write() as tx:
        await insert_all(tx, job, [{k: v for k, v in row.items() if k in names}])
    async with registry.database.read() as db:
        assert await red_in_hand(db, NOW)


async def people(registry) -> int:
    async with registry.database.read() as db:
        return int(await db.scalar(sa.select(sa.func.count()).select_from(register.person)) or 0)


async def test_no_page_goes_in_while_red_is_due_and_all_do_afterwards(registry, tmp_path, monkeypatch):
    """A page is small; one goes in now and then while red is stuck, and the rest as soon as it is not."""
    looks = 0

    async def quickly(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 120:  # two pages' longest waits and a part of a third
            async with registry.database.write() as tx:
                assert 2 * yield_to_warnings.ROWS == await people(registry)
                await tx.execute(sa.delete(batch))

    monkeypatch.setattr("services.registry.importing.yield_to_warnings.asyncio.sleep", quickly)
    async with registry.database.write() as tx:
        await insert_all(tx, warning_state, [a_warning()])
        await waiting(tx, [a_message()])
    path = tmp_path / "list"
    path.write_text(LIST)
    way = GivingWay(registry.database, lambda: NOW)
    report = await asyncio.wait_for(
        import_file(registry.database, registry.keys, path, ListImportOptions("town", YEAR), gently=way), 60
    )
    assert ROWS == report.read == await people(registry)
    assert looks >= 120


@pytest.mark.long
async def test_a_long_list_is_read_in_a_process_that_is_served_last(registry, tmp_path, monkeypatch):
    """And gives the same register and report as one that is read at once."""
    monkeypatch.setattr(yield_to_warnings, "LONG", 1000)
    path = tmp_path / "list"
    path.write_text(LIST + "x,nowhere,1\n")
    way = GivingWay(registry.database, lambda: NOW)
    report = await import_file(registry.database, registry.keys, path, ListImportOptions("town", YEAR), gently=way)
    assert (ROWS, 1) == (report.read, report.refused)
    again = await import_file(registry.database, registry.keys, path, ListImportOptions("town", YEAR))
    assert (0, ROWS, 1) == (again.read, again.unchanged, again.refused)
