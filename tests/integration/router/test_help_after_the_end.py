"""A call for help is never lost in a path that had ended: it opens again, gets its case and its door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from services.demo import run_demo
from services.node import Node
from services.router.cases import view
from services.router.report import report
from services.router.store import tables
from services.shared.ledger.tables import delivery
from services.shared.powers.who import ACTIONS
from services.shared.tiers import Tier
from services.shared.web.auth import create_key

ALERT = Path(__file__).parents[3] / "services" / "example_alert.xml"


@pytest.mark.long
async def test_help_after_closed_opens_the_path_again() -> None:
    """Somebody who said 'leaving' and was closed asks for help by the answer page: open, case, door at once."""
    seen: dict[str, Any] = {}

    async def inspect(embedded: Node, warning_id: str) -> None:
        platform = embedded.platform
        async with platform.database.read() as db:
            before = await report.coverage(db, warning_id, platform.clock.now())
            row = (
                await db.execute(
                    sa.select(delivery.c.delivery_id, delivery.c.person_id)
                    .join(
                        tables.path,
                        (tables.path.c.warning_id == delivery.c.warning_id)
                        & (tables.path.c.person_id == delivery.c.person_id),
                    )
                    .where(
                        delivery.c.warning_id == warning_id, delivery.c.addressee_kind == "person",
                        delivery.c.answer == "leaving", delivery.c.covers == 1, tables.path.c.ending == "closed",
                    )
                    .order_by(delivery.c.delivery_id)
                )
            ).first()  # fmt: skip
        assert row is not None
        token = platform.signer("links").token("answer", row.delivery_id)
        async with aiohttp.ClientSession() as session:
            form = {"answer": "help", "event": "e" * 32}
            async with session.post(f"{platform.public_url}/a/{token}", data=form) as response:
                assert 200 == response.status
        for _ in range(40):
            await embedded.step()
        key = await create_key(
            platform.database, name="Qingshui County", label="t", actions=ACTIONS, max_tier=Tier.RED, alone=Tier.RED
        )
        url = f"{platform.public_url}/report/{warning_id}/path/{row.person_id}"
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
            session.get(url) as response,
        ):
            seen["path"] = await response.json()
        async with platform.database.read() as db:
            seen["after"] = await report.coverage(db, warning_id, platform.clock.now())
            seen["cases"] = [c["person_id"] for c in await view.cases(db, warning_id, platform.clock.now())]
        seen.update(before=before, person=row.person_id)

    await run_demo(ALERT.read_bytes(), people=30, seed=5, inspect=inspect)
    assert "open" == seen["path"]["state"]
    assert seen["person"] in seen["cases"]
    assert {"door", "fire_service_list"} & {d["channel"] for d in seen["path"]["deliveries"]}
    assert seen["before"]["closed"] - 1 == seen["after"]["closed"]
    assert seen["before"]["open"] + 1 == seen["after"]["open"]
    assert 0 == seen["after"]["unexplained"]
