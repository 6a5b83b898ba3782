"""Signatures of callbacks: what npm's twilio signs our check takes, what ours signs npm's takes, and nothing altered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import MultiDict
from twilio.request_validator import RequestValidator
from yarl import URL

from services.channels.drivers.twilio.http import TwilioAccount, TwilioSettings
from services.shared.errors import NotAllowed
from tools.peers.judge import Judge, judge
from tools.peers.table import Told

PUBLIC = "https://warn.example.org"
SECRET = "12345secret"
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("/callbacks/sms_twilio/status/tok.mac", {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+99970001111"}),
    (
        "/callbacks/voice_twilio/status/tok.mac?listen=40",
        {"CallSid": "CA1", "CallStatus": "completed", "CallDuration": "41"},
    ),
    ("/callbacks/sms_twilio/inbound", {"MessageSid": "SM2", "From": "+99970001111", "Body": "我要帮助 & 2+2=4 😀\n"}),
    ("/callbacks/sms_twilio/inbound?a=1&b=%E6%B0%B4&c=", {"Body": "", "NumMedia": "0"}),
    ("/callbacks/sms_twilio/inbound", {"Body": "two", "MediaUrl": ["https://b.example/1", "https://a.example/2"]}),
]


def pairs(form: dict[str, Any]) -> list[tuple[str, str]]:
    return [(k, v) for k, vs in form.items() for v in (vs if isinstance(vs, list) else [vs])]


@pytest.fixture
async def node() -> AsyncIterator[Judge]:
    async with judge() as one:
        yield one


@pytest.fixture
async def taken() -> AsyncIterator[Any]:
    """POSTs a form with a signature to our check, behind a proxy whose address is PUBLIC; whether it was taken."""
    async with aiohttp.ClientSession() as session:
        account = TwilioAccount(TwilioSettings(account_sid="AC1", auth_token=SECRET, from_number="+9"), session, PUBLIC)  # type: ignore[arg-type]

        async def check(request: web.Request) -> web.Response:
            try:
                await account.verified(request)
            except NotAllowed:
                return web.Response(status=403)
            return web.Response(status=204)

        app = web.Application()
        app.router.add_post("/{tail:.*}", check)
        async with TestServer(app) as server:

            async def post(path: str, form: dict[str, Any], signature: str) -> bool:
                url = str(server.make_url("/")).rstrip("/") + path
                headers = {"X-Twilio-Signature": signature}
                async with session.post(
                    URL(url, encoded=True), data=aiohttp.FormData(pairs(form)), headers=headers
                ) as answer:
                    return answer.status == 204

            yield post


@pytest.mark.parametrize(("path", "form"), CALLS)
async def test_what_theirs_signs_ours_takes(
    node: Judge, taken: Any, peer: Told, path: str, form: dict[str, Any]
) -> None:
    """Over the public address with its query; a changed sign, field or address is not taken."""
    signature = (await node.ask("sign", secret=SECRET, url=PUBLIC + path, form=form))["signature"]
    assert await taken(path, form, signature)
    assert not await taken(path, {**form, "MessageStatus": "read"}, signature)
    assert not await taken(path + ("&" if "?" in path else "?") + "x=1", form, signature)
    assert not await taken(
        path, form, (await node.ask("sign", secret="another", url=PUBLIC + path, form=form))["signature"]
    )
    assert not await taken(path, form, "")
    peer(
        "sms_twilio, voice_twilio",
        "npm twilio 6.2.0",
        "its signatures are taken: query, non-ASCII, empty and repeated fields",
    )


@pytest.mark.parametrize(("path", "form"), CALLS)
async def test_what_ours_signs_theirs_takes(node: Judge, peer: Told, path: str, form: dict[str, Any]) -> None:
    """The stand-in signs with the provider's Python library, as our check does."""
    signature = RequestValidator(SECRET).compute_signature(PUBLIC + path, MultiDict(pairs(form)))
    assert (await node.ask("valid", secret=SECRET, signature=signature, url=PUBLIC + path, form=form))["right"]
    assert not (await node.ask("valid", secret=SECRET, signature=signature, url=PUBLIC + path + "1", form=form))[
        "right"
    ]
    peer("sms_twilio, voice_twilio", "npm twilio 6.2.0", "it takes the signatures our check takes")
