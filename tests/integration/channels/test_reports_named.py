"""A provider's report or record counts only for the message it is of: its number, the provider's name of it, our account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from services.channels.drivers.twilio.http import TwilioAccount, TwilioSettings
from services.channels.drivers.twilio.sms import SmsTwilio
from services.channels.drivers.twilio.voice import VoiceTwilio
from services.channels.model.driver import Receivers, StatusQuestion
from services.channels.model.report import Report
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from tests.integration.channels.test_replies import OTHER, PHONE, Exchange, there
from tests.kit.driving import driving

__all__ = ["there"]  # the fixture
ACCOUNT, SECRET, PUBLIC = "AC" + "1" * 32, "sesame", "https://warn.example.org"


class Provider:
    """Signs what it says to our two drivers."""

    def __init__(self, url: str, session: aiohttp.ClientSession, drivers: dict[str, Any], there: Exchange) -> None:
        self._url, self._session, self._drivers, self._there = url, session, drivers, there

    async def says(self, use: str, delivery_id: str, **form: str) -> str:
        """Posts a signed callback about a delivery; the body of our answer."""
        name = "sms" if use == "sms/status" else "voice"
        token = self._drivers[name]._tools.signer.token(name, delivery_id)
        path = f"/callbacks/{name}_twilio/{use.split('/')[1]}/{token}"
        headers = {"X-Twilio-Signature": RequestValidator(SECRET).compute_signature(PUBLIC + path, form)}
        async with self._session.post(self._url + path, data=form, headers=headers) as response:
            assert response.status in (200, 204)
            return await response.text()

    async def row(self, delivery_id: str) -> Any:
        async with self._there.database.read() as db:
            return (await db.execute(sa.select(delivery).where(delivery.c.delivery_id == delivery_id))).one()


@pytest.fixture
async def provider(there: Exchange, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    for name, value in (("ACCOUNT_SID", ACCOUNT), ("AUTH_TOKEN", SECRET), ("FROM_NUMBER", "+15550001111")):
        monkeypatch.setenv(f"TOCSIN_TWILIO_{name}", value)
    receivers, database = Receivers(there.recorder, there.board), there.database
    async with driving(SmsTwilio, database=database) as sms, driving(VoiceTwilio, database=database) as voice:
        app = web.Application()
        for one in (sms, voice):
            app.add_routes(one.routes(receivers))
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            yield Provider(str(server.make_url("")).rstrip("/"), session, {"sms": sms, "voice": voice}, there)


async def sent(there: Exchange, ref: str, *, attempts: int = 1, phone: str = PHONE, state: str = "accepted") -> str:
    one = await there.told("p", phone, state=state)
    async with there.database.write() as tx:
        mine = sa.update(delivery).where(delivery.c.delivery_id == one)
        await tx.execute(mine.values(provider_ref=ref, attempts=attempts))
    return one


DELIVERED = {"MessageStatus": "delivered", "MessageSid": "SM1", "To": PHONE, "AccountSid": ACCOUNT}
HEARD = {"CallStatus": "completed", "CallDuration": "60", "CallSid": "CA1", "To": PHONE, "AccountSid": ACCOUNT}
PRESSED = {"Digits": "1", "CallSid": "CA1", "To": PHONE, "AccountSid": ACCOUNT}


@pytest.mark.parametrize(
    ("wrong", "ref"),
    [
        ({"To": OTHER}, "own"),
        ({"To": OTHER}, ""),
        ({"To": ""}, "own"),
        ({"AccountSid": "AC" + "2" * 32}, "own"),
        ({"AccountSid": ""}, ""),
        ({"sid": "XX9"}, "own"),
    ],
    ids=["number", "number, before our answer", "no number", "account", "no account", "name"],
)
async def test_what_is_of_another_message_is_not_applied(
    there: Exchange, provider: Provider, wrong: dict[str, str], ref: str
) -> None:
    """Signed by the provider, at this delivery's own address, and of another message all the same."""
    for use, form, name in (
        ("sms/status", DELIVERED, "MessageSid"),
        ("voice/status", HEARD, "CallSid"),
        ("voice/key", PRESSED, "CallSid"),
    ):
        one = await sent(there, form[name] if ref else "")
        given = {**form, **wrong}
        if sid := given.pop("sid", ""):
            given[name] = sid
        await provider.says(use, one, **given)
        row = await provider.row(one)
        assert ("accepted", 0, "") == (row.send_state, row.evidence, row.answer), use
        assert row.provider_ref == (form[name] if ref else ""), use
        await provider.says(use, one, **form)
        assert "delivered" == (await provider.row(one)).send_state, use


async def test_a_report_that_overtakes_our_answer_is_kept_and_names_the_message(
    there: Exchange, provider: Provider
) -> None:
    """Number and account fit: the name is kept from then on, until our own call's answer says it."""
    one = await sent(there, "", state="sending", attempts=0)
    await provider.says("sms/status", one, **{**DELIVERED, "MessageStatus": "sent"})
    assert "SM1" == (await provider.row(one)).provider_ref
    await provider.says("sms/status", one, **{**DELIVERED, "MessageSid": "SM2"})
    assert "delivered" != (await provider.row(one)).send_state
    await there.recorder.report(
        Report(
            one, f"{one}:1:outcome", "outcome", state=SendState.ACCEPTED, evidence=Evidence.ACCEPTED, ref="SM3", attempt=1,
            flight=there.flights[one],
        )
    )  # fmt: skip
    await provider.says("sms/status", one, **{**DELIVERED, "MessageSid": "SM3"})
    assert ("delivered", "SM3") == ((row := await provider.row(one)).send_state, row.provider_ref)


async def test_a_message_sent_twice_has_two_names(there: Exchange, provider: Provider) -> None:
    """A receipt for either counts: both are this message, to this number, from our account."""
    one = await sent(there, "SM0", attempts=2)
    await provider.says("sms/status", one, **DELIVERED)
    assert "delivered" == (await provider.row(one)).send_state


async def test_the_same_number_in_another_legal_form_is_the_same(there: Exchange, provider: Provider) -> None:
    """A Mexican mobile, with the 1 of old."""
    one = await sent(there, "SM1", phone="+525512345678")
    await provider.says("sms/status", one, **{**DELIVERED, "To": "+5215512345678"})
    assert "delivered" == (await provider.row(one)).send_state


@pytest.mark.parametrize(
    ("wrong", "pool", "known"),
    [
        ({}, False, True),
        ({"to": OTHER}, False, False),
        ({"to": None}, False, False),
        ({"sid": "SM2"}, False, False),
        ({"account_sid": "AC" + "2" * 32}, False, False),
        ({"from": "+15559999999"}, False, False),
        ({"from": "+15559999999"}, True, True),
        ({"from": None, "account_sid": None}, False, True),
    ],
    ids=["ours", "number", "no number", "name", "account", "sender", "sender of a pool", "silent"],
)
@pytest.mark.parametrize("by_name", [True, False])
async def test_a_record_of_another_message_says_nothing(
    wrong: dict[str, Any], pool: bool, known: bool, by_name: bool
) -> None:
    """A 200 with a record that names our SID and another number is no word about them, nor is one found in a list."""
    record = {
        "sid": "SM1", "to": PHONE, "from": "+15550001111", "account_sid": ACCOUNT, "status": "delivered", "body": "Go",
        "date_created": "Wed, 02 Dec 2026 02:10:00 +0000", **wrong,
    }  # fmt: skip
    pooled = "MG1" if pool else ""
    settings = TwilioSettings(
        account_sid=ACCOUNT, auth_token=SecretStr(SECRET), from_number="+15550001111", messaging_service_sid=pooled
    )
    async with aiohttp.ClientSession() as session:
        account = TwilioAccount(settings, session, PUBLIC)

        async def get(resource: str, query: Any = None) -> Any:
            return record if query is None else {"messages": [record]}

        account.get = get  # type: ignore[method-assign]
        found = await account.record("Messages", StatusQuestion("SM1" if by_name else "", PHONE, "Go", 0.0), body="Go")
    assert bool(found) is (known or (not by_name and "sid" in wrong))
