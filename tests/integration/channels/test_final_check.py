"""A connection that takes its time does not carry a message past the cancel that came meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from services.channels.model.final_check import Overtaken, checking, traced
from services.channels.sending import driver_call
from services.shared.bus.outbox import id_of, publish
from services.shared.ledger.tables import attempt, delivery
from services.shared.messages import ContactEntry, NoticeRequested
from tests.integration.channels.test_loudspeaker import steps
from tests.kit.operator_gateway import Gateway, gateway, name
from tests.kit.square import SENT, cap
from tests.kit.town import Town, open_town


class SlowNames:
    """Names are resolved once they are let."""

    def __init__(self, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.let = asyncio.Event(), asyncio.Event()
        connector: Any = session.connector
        usual = connector._resolver.resolve

        async def resolve(*given: Any, **more: Any) -> Any:
            self.asked.set()
            await self.let.wait()
            return await usual(*given, **more)

        monkeypatch.setattr(connector._resolver, "resolve", resolve)


async def held(
    desk: Town, radio: Gateway, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, SlowNames, asyncio.Task[None]]:
    """A warning whose broadcast waits for its connection."""
    names = SlowNames(desk.node.channels.session, monkeypatch)
    _, taken = await desk.post(cap())
    sending = asyncio.create_task(steps(desk))
    async with asyncio.timeout(10):
        await names.asked.wait()
    assert [] == radio.came
    return str(taken["warning_id"]), names, sending


async def of_the_warning(desk: Town, warning_id: str) -> tuple[str, list[tuple[str, str]]]:
    """The state of its broadcast, and (outcome, code) of each attempt."""
    mine = (delivery.c.warning_id == warning_id, delivery.c.channel == "broadcast")
    async with desk.node.platform.database.read() as db:
        state = str(await db.scalar(sa.select(delivery.c.send_state).where(*mine)))
        tries = sa.select(attempt.c.outcome, attempt.c.code).join(
            delivery, delivery.c.delivery_id == attempt.c.delivery_id
        )
        return state, [(r.outcome, r.code) for r in await db.execute(tries.where(*mine).order_by(attempt.c.n))]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_what_is_cancelled_while_it_connects_is_not_sent(
    cancelled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is not goes out, however long the connection took."""
    monkeypatch.setattr(driver_call, "STALE_INTENT_S", 0.2)
    async with AsyncExitStack() as stack:
        radio = await stack.enter_async_context(gateway())
        monkeypatch.setenv("TOCSIN_BROADCAST_URLS", radio.url.replace("127.0.0.1", "localhost"))
        desk = await stack.enter_async_context(open_town(tmp_path / "data"))
        warning_id, names, sending = await held(desk, radio, monkeypatch)
        if cancelled:
            path = f"/api/v1/warnings/{warning_id}/cancel"
            status, _ = await desk.call("POST", path, {"ending": "sent_by_mistake", "reason": "wrong county"})
            assert 202 == status
        await asyncio.sleep(0.3)  # wall time: an intent grows old by it
        names.let.set()
        await sending
        await steps(desk)
        state, tries = await of_the_warning(desk, warning_id)
        published = name((await desk.get(f"/cap/{warning_id}.xml"))[1])
        if cancelled:
            desk.clock.advance_to(SENT + 300)
            await steps(desk)
            assert published not in [name(one) for one in radio.came]
            assert ("retry", {("not_sent", "late_start")}) == (state, set(tries))  # and no claim finds it any more
        else:
            assert [published] == [name(one) for one in radio.came]
            assert ("accepted", ("accepted", "")) == (state, tries[-1])


async def test_where_nobody_can_say_it_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that finds no database lets nothing out, not even the first byte; the next call is asked again."""

    async def nobody() -> None:
        raise Overtaken

    async with gateway() as radio, aiohttp.ClientSession(trace_configs=[traced()]) as session:
        with checking(nobody), pytest.raises(Overtaken):
            await session.post(radio.url, data=b"x")
        assert [] == radio.came
        async with session.post(radio.url, data=cap()) as response:
            assert 200 == response.status


async def test_a_notice_that_comes_after_the_end_of_its_warning_waits_for_nobody(tmp_path: Path) -> None:
    """Asked for while the broker was away: it is cancelled when it comes, and stands as due for nobody."""
    async with open_town(tmp_path / "data") as desk:
        _, taken = await desk.post(cap())
        await steps(desk)
        path = f"/api/v1/warnings/{taken['warning_id']}/cancel"
        for name, state in (("before", "pending"), ("after", "cancelled")):
            if name == "after":
                await desk.call("POST", path, {"ending": "sent_by_mistake", "reason": "wrong county"})
            notice = NoticeRequested(
                msg_id=id_of(name), plane="live", warning_id=taken["warning_id"], tier=3, notice_id=id_of("notice", name),
                kind="update_due", addressee_id=id_of("worker"), contact=ContactEntry(id_of("c"), "officer_sms", "k", b"", ""),
                language="en", expires=SENT + 3600, params={},
            )  # fmt: skip
            platform = desk.node.platform
            async with platform.database.write() as tx:
                await publish(tx, [notice])
            async with asyncio.timeout(10):
                while await desk.node.bus.run_due():
                    pass
            async with platform.database.read() as db:
                mine = delivery.c.delivery_id == id_of("notice", name)
                assert state == await db.scalar(sa.select(delivery.c.send_state).where(mine))
