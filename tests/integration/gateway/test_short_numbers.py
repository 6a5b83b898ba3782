"""The gateway takes thousands of messages, and every number of four digits taken stops nobody."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.gateway import store
from services.gateway.intake.incoming import from_cap
from services.shared.ledger.warnings import warning_state
from services.shared.web.auth import who_is
from tests.kit.square import SENT, cap
from tests.kit.town import Town, open_town
from tests.kit.warning_rows import fill, row

EVERY_FOUR = [str(n) for n in range(1000, 10_000)]


async def number_of(desk: Town, warning_id: str) -> str:
    _, found = await desk.call("GET", f"/api/v1/warnings/{warning_id}")
    return str(found["number"])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("state", ["active", "held", "draft"])
async def test_with_every_four_digits_taken_the_next_warning_goes_out_at_once(desk: Town, state: str) -> None:
    """With five digits; a cancel and the next one too, and the process still writes."""
    await fill(desk, [row(n, state=state, released_at=SENT if state == "active" else None) for n in EVERY_FOUR])
    began = time.monotonic()
    _, taken = await desk.post(cap("A-1"))
    assert "active" == taken["state"]
    assert 5 == len(await number_of(desk, taken["warning_id"]))
    await desk.cancel(taken["warning_id"], "may_return")
    _, after = await desk.post(cap("A-2"))
    assert "active" == after["state"]
    assert await number_of(desk, after["warning_id"]) != await number_of(desk, taken["warning_id"])
    assert time.monotonic() - began < 5


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_twenty_thousand_messages_one_after_the_other(tmp_path: Path) -> None:
    """Each by the acts of the gateway; a thousand takes no longer for there being more (four times: others work beside)."""
    async with open_town(tmp_path / "data") as desk:
        database, admission = desk.node.platform.database, desk.node.gateway.admission
        async with database.read() as db:
            who = await who_is(db, desk.key)
        assert who is not None
        took: list[float] = []
        for thousand in range(20):
            began = time.monotonic()
            for n in range(1000):
                incoming = from_cap(cap(f"M-{thousand}-{n}"), strict=True)
                taken = await admission.admit(who, incoming, release=False)
                assert "draft" == taken.state
            took.append(time.monotonic() - began)
            print(f"thousand {thousand + 1}: {took[-1]:.1f} s")  # noqa: T201  shown where it fails
        async with database.read() as db:
            found = (await db.scalars(sa.select(warning_state.c.number))).all()
            assert 20_000 == await db.scalar(sa.select(sa.func.count()).select_from(store.message))
        assert 20_000 == len(set(found))
        assert took[-1] < 4 * took[1], took
