"""STOP from many numbers within minutes is told to whoever is on duty; what is kept of unknown numbers has a bound."""

from __future__ import annotations

import aiohttp
import pytest
import sqlalchemy as sa
from playwright.async_api import Page
from twilio.request_validator import RequestValidator

from services.channels.outcomes import opted_out
from services.shared.clock import wall
from services.shared.database.batches import insert_all
from services.shared.ledger.tables import delivery
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.long]
PEOPLE = 24
LOOKS_AT_ONCE = True


async def says(tocsin: Town, number: str, text: str) -> int:
    """A text from a phone, by the provider's signed call."""
    url = f"{tocsin.url}/callbacks/sms_twilio/inbound"
    form = {"From": number, "Body": text, "MessageSid": f"SM{number}{text}"}
    signature = RequestValidator(tocsin.outside.auth_token).compute_signature(url, form)
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=form, headers={"X-Twilio-Signature": signature}) as answer,
    ):
        return answer.status


async def figure(tocsin: Town) -> str:
    """The alarm as Prometheus reads it."""
    async with aiohttp.ClientSession() as session, session.get(f"{tocsin.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next(line.rpartition(" ")[2] for line in lines if line.startswith('tocsin_alarm{kind="stop_flood"}'))


async def test_a_flood_of_stops_is_an_alarm_to_the_duty_officer(desk: Page, tocsin: Town) -> None:
    """Not before the fiftieth; then on console and live page, as a figure, and once to each duty officer by text and call."""
    warning_id = await tocsin.warn(alerts.flood("FLOOD-STOP"))
    for n in range(49):
        assert 200 == await says(tocsin, f"+86138{n:08d}", "STOP")
    assert 200 == await says(tocsin, "+8613800000000", "STOP")  # again from the same phone: still forty-nine
    await desk.goto(f"{tocsin.url}/console")
    assert "said STOP" not in await desk.inner_text("main")
    assert 200 == await says(tocsin, "+8613900000000", "stop")
    for path in ("/console", f"/live/{warning_id}?still=1"):
        await desk.goto(tocsin.url + path)
        words = await desk.inner_text("[role=alert]")
        assert words.startswith("ALARM 50 or more numbers said STOP within 10 minutes"), path
    await tocsin.settle()
    told = await tocsin.rows(sa.select(delivery).where(delivery.c.reason == "alarm_stop_flood"))
    assert told
    assert {"officer_sms", "officer_voice"} == {row.channel for row in told}
    assert len(told) == len({(row.addressee_id, row.channel) for row in told})
    assert 200 == await says(tocsin, "+8613900000001", "STOP")
    await tocsin.settle()
    again = await tocsin.rows(sa.select(delivery.c.delivery_id).where(delivery.c.reason == "alarm_stop_flood"))
    assert len(told) == len(again)
    sent = [a for a in tocsin.outside.sandbox.accepts if a.delivery in {row.delivery_id for row in told}]
    assert len(sent) == len(told)
    assert "1.0" == await figure(tocsin)


async def test_the_alarm_ends_after_a_quiet_hour(tocsin: Town) -> None:
    """Not before."""
    database = tocsin.node.platform.database
    from services.shared.alarms import alarm

    assert not await opted_out.settle(database)
    async with database.write() as tx:
        await tx.execute(sa.update(alarm).values(seen_at=wall() - opted_out.QUIET_S - 1))
    assert await opted_out.settle(database)
    assert [] == await tocsin.rows(sa.select(alarm))


async def test_numbers_made_up_cannot_fill_the_table(tocsin: Town) -> None:
    """Of those we never wrote to the newest ten thousand are kept, and of those we wrote to every one."""
    database, now = tocsin.node.platform.database, tocsin.clock.now()
    rows = [{"address_key": f"stranger-{n}", "at": now - 100_000 + n, "said_by": "phone", "known": False}
            for n in range(opted_out.STRANGERS)]  # fmt: skip
    written_to = [
        r.address_key for r in await tocsin.rows(sa.select(delivery.c.address_key).where(delivery.c.channel == "sms"))
    ]
    mine = written_to[0]
    async with database.write() as tx:
        await tx.execute(sa.delete(opted_out.opted_out_table))
        await insert_all(tx, opted_out.opted_out_table, rows)
        # theirs came when we had not written yet; its mark is old, and it is the oldest of all
        await tx.execute(
            sa.insert(opted_out.opted_out_table).values(address_key=mine, at=1.0, said_by="phone", known=False)
        )
        assert 1 == await opted_out.stop(tx, ["one more"], "phone", now, "live")
    kept = {r.address_key for r in await tocsin.rows(sa.select(opted_out.opted_out_table))}
    assert {mine, "one more", f"stranger-{opted_out.STRANGERS - 1}"} <= kept
    assert "stranger-0" not in kept
    assert opted_out.STRANGERS + 1 == len(kept)
    async with database.write() as tx:
        for n in range(20):
            await opted_out.stop(tx, [f"later-{n}"], "phone", now + n, "live")
    assert opted_out.STRANGERS + 1 == len(await tocsin.rows(sa.select(opted_out.opted_out_table.c.address_key)))
    async with database.read() as db:
        assert {mine} == await opted_out.has_opted_out(db, [mine, "stranger-1"])
