"""A house of many on the live page: one addressee, how many of its people have moved, by what whoever is on duty writes."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.router.report import snapshot
from services.router.store.tables import path
from services.shared.ledger.tables import delivery
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_so_many_of_its_people_have_moved(desk: Page, tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """By text, before any key was pressed: `N12` is twelve who have gone, and the house is on its way."""
    monkeypatch.setattr(snapshot, "KEPT_S", 0.0)  # the board is counted at each look
    warning_id = await tocsin.warn(alerts.flood("HOUSE-1"))
    texts = await tocsin.rows(
        sa.select(delivery.c.delivery_id, delivery.c.person_id).where(
            delivery.c.warning_id == warning_id, delivery.c.addressee_kind == "facility", delivery.c.channel == "sms",
            delivery.c.answer == "",
        )
    )  # fmt: skip
    delivery_id, house = texts[0]
    await desk.goto(f"{tocsin.url}/live/{warning_id}")
    before = await desk.inner_text("section[aria-labelledby=board]")
    assert (heads := re.search(r"([\d,]+) of ([\d,]+) people in them have moved", before))
    assert 0 == int(heads[1])
    await tocsin.phone_of(delivery_id).writes("N12", "house-n12")
    (row,) = await tocsin.rows(sa.select(path).where(path.c.warning_id == warning_id, path.c.person_id == house))
    assert ("closed", "moving") == (row.ending, row.answer)
    await desk.goto(f"{tocsin.url}/live/{warning_id}")
    board = await desk.inner_text("section[aria-labelledby=board]")
    assert re.search(r"12 of [\d,]+ people in them have moved", board), board
    assert f"12 of {heads[2]} people moved" in board
    assert "out or going" in board
