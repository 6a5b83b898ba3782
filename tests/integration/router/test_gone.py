"""A device that takes no push messages any more: their next channel at once, and somebody goes where too few are left."""

from __future__ import annotations

from pathlib import Path

from services.shared.ledger.states import GONE, SendState
from services.shared.ledger.tables import delivery
from services.shared.tiers import Tier
from tests.kit.router_alone import RouterTown, ident, one, router_town, worker


async def gone(there: RouterTown, person: int, channel: str = "push", reason: str = GONE) -> None:
    """What channels write where the push service knows the subscription no more, and the hint; twice."""
    for _ in range(2):
        where = [delivery.c.person_id == ident(person), delivery.c.channel == channel]
        await there.said(where, send_state=SendState.FAILED, state_reason=reason)
        while await there.router.run_due():
            pass


async def test_a_device_that_is_gone_is_no_channel_of_hers(tmp_path: Path) -> None:
    """The third channel comes at once; where one is left, the door; a message that failed otherwise leaves the escalation."""
    async with router_town(tmp_path) as there:
        w = await there.issue(tier=Tier.ORANGE, hazard="storm", doors="allowed")
        people = [
            one(1, "push", "sms", "email"), one(2, "push", "sms"), one(3, "push", "sms", "email"),
            one(4, "push", "sms", "email", "voice_mobile"),
        ]  # fmt: skip
        await there.page(w, people, [worker("a", "g")])
        await there.at(1)
        assert {"push", "sms"} == {r.channel for r in await there.rows(person_id=ident(1))}
        await gone(there, 1)
        await gone(there, 2)
        await gone(there, 3, reason="413 too large")
        for channel in sorted({r.channel for r in await there.rows(person_id=ident(4))}):
            await gone(there, 4, channel)

        async def instead(person: int) -> list[tuple[str, str]]:
            return [(r.channel, r.reason) for r in await there.rows(person_id=ident(person), step="stopped")]

        why = "their device takes no push messages any more"
        assert [("email", f"{why}; other channel")] == await instead(1)
        assert [("door", f"{why}; fewer than two channels left")] == await instead(2)
        assert [] == await instead(3)
        assert 2 == len(await instead(4)), "a second channel that falls out is made up for too"
