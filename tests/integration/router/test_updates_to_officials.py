"""An update that concerns an official is theirs by the call of its own: "no longer covers your place" goes to those it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from services.shared.ledger.tables import delivery
from services.shared.tiers import Tier
from tests.kit.router_alone import one, router_town, worker

TIERS = [Tier.RED, Tier.ORANGE, Tier.YELLOW]


@pytest.mark.parametrize("tier", TIERS)
async def test_only_officials_whom_an_update_leaves_are_told_so(tmp_path: Path, tier: Tier) -> None:
    """Of three who got the first call: one has the same grid still, one's is out of the area now, one is off shift."""
    async with router_town(tmp_path) as there:
        teams = [worker("a", "g"), worker("b", "h"), worker("c", "g")]
        old = await there.issue()
        await there.page(old, [one(1, "sms"), one(2, "sms", grid="h")], teams)
        await there.at(0)
        await there.said(
            [delivery.c.warning_id == old, delivery.c.driver != "door"], send_state="delivered", attempts=1
        )
        new = await there.issue("n", kind="update", replaces=["w"], tier=tier)
        await there.page(new, [one(1, "sms")], teams[:2])
        await there.at(1)
        told = await there.rows(warning_id=new, kind="ending")
        officials = {
            (r.addressee_id.rstrip("0"), r.channel) for r in told if r.addressee_kind == "worker" and not r.person_id
        }
        assert {(who, channel) for who in "bc" for channel in ("officer_sms", "officer_voice")} == officials
        assert {one(2)[0].person_id} == {r.person_id for r in told if r.addressee_kind == "person"}
        called = {r.addressee_id.rstrip("0") for r in await there.rows(warning_id=new, step="official")}
        assert called == ({"a"} if tier >= Tier.ORANGE else set())


async def test_an_end_is_told_to_every_official(tmp_path: Path) -> None:
    """Who began must hear that it is over."""
    async with router_town(tmp_path) as there:
        old = await there.issue()
        await there.page(old, [one(1, "sms")], [worker("a", "g")])
        await there.at(0)
        await there.said([delivery.c.step == "official"], send_state="delivered", attempts=1)
        await there.issue("e", kind="ending", ending="danger_lower_stay_away", replaces=["w"])
        await there.at(1)
        async with there.platform.database.read() as db:
            rows = (await db.execute(sa.select(delivery).where(delivery.c.kind == "ending"))).all()
        assert ["officer_sms", "officer_voice"] == sorted(r.channel for r in rows if r.addressee_kind == "worker")
