"""Broadcast: what broadcasters get is the signed document, each of them once though another was not there."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from services.channels.drivers.broadcast import CapBroadcast, read_urls
from services.channels.model import http_call
from services.channels.model.driver import Outcome, Tools
from services.channels.model.outbound import Outbound
from services.shared.clock import LinearClock
from services.shared.crypto.signing import Signer
from services.shared.errors import Refused
from services.shared.settings import Settings
from tests.integration.channels.test_loudspeaker import steps
from tests.kit.cap_keys import pair
from tests.kit.operator_gateway import gateway
from tests.kit.square import cap
from tests.kit.town import open_town

NONE: Any = None  # no recorder: nothing is reported


async def test_a_broadcaster_can_check_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """xmlsec1 verifies what was posted by our certificate, and refuses it with a letter changed."""
    key, cert = pair("Qingshui", "rsa")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(cert)
    settings: dict[str, Any] = {"cap_sign_key": tmp_path / "key.pem", "cap_sign_cert": tmp_path / "cert.pem"}
    async with gateway() as radio:
        monkeypatch.setenv("TOCSIN_BROADCAST_URLS", radio.url)
        async with open_town(tmp_path / "data", **settings) as desk:
            _, taken = await desk.post(cap())
            await steps(desk)
            published = (await desk.get(f"/cap/{taken['warning_id']}.xml"))[1]
        assert [published] == radio.came
        assert ["application/cap+xml"] == radio.said[0]["Content-Type"]
    assert await verified(tmp_path, radio.came[0])
    assert not await verified(tmp_path, radio.came[0].replace(b"Flash flood", b"Flash fl00d", 1))


async def verified(folder: Path, document: bytes) -> bool:
    """By somebody else's program, with the certificate in `folder`."""
    (folder / "came.xml").write_bytes(document)
    command = ["xmlsec1", "--verify", "--trusted-pem", str(folder / "cert.pem"), "--enabled-key-data", "x509"]
    done = await asyncio.to_thread(
        subprocess.run, [*command, str(folder / "came.xml")], capture_output=True, timeout=30, check=False
    )
    return done.returncode == 0


def message(delivery_id: str = "0a" * 16) -> Outbound:
    return Outbound(delivery_id, "0c" * 16, "broadcast", "", "", "", "", "", "", 3600, document=cap(), tier=3)


@pytest.mark.parametrize(
    ("how", "meant", "again"),
    [
        (503, Outcome.NOT_SENT, 2), (429, Outcome.NOT_SENT, 2), (401, Outcome.PROVIDER_FAULT, 2),
        ("close", Outcome.AMBIGUOUS, 2), ("hang", Outcome.AMBIGUOUS, 2), (422, Outcome.PERMANENT, 1),
    ],
)  # fmt: skip
async def test_who_took_it_is_not_asked_again(
    how: str | int, meant: Outcome, again: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor who refused the document for good; all others are, and the next warning goes to all."""
    monkeypatch.setattr(http_call, "TIMEOUT", aiohttp.ClientTimeout(total=0.5, connect=0.5))
    async with gateway() as radio, gateway(how=how) as sign, aiohttp.ClientSession() as session:
        monkeypatch.setenv("TOCSIN_BROADCAST_URLS", f"{radio.url}, {sign.url},{radio.url}")
        tools: Any = Tools(session, NONE, Signer(b"k" * 32), LinearClock(), "http://127.0.0.1", settings=Settings())
        channel = CapBroadcast(tools)
        first = await channel.send(message())
        assert meant is first.outcome
        sign.how = 200
        over = (Outcome.ACCEPTED, Outcome.PERMANENT)
        settled = {one.name: one.outcome for one in first.stations if one.outcome in over}
        second = await channel.send(replace(message(), again=True, settled=settled))
        assert (Outcome.PERMANENT if again == 1 else Outcome.ACCEPTED) is second.outcome
        assert (1, again) == (len(radio.came), len(sign.came))
        assert Outcome.ACCEPTED is (await channel.send(message("0b" * 16))).outcome
        assert 2 == len(radio.came)


async def test_one_that_surely_lacks_it_is_asked_again_though_another_is_unclear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Silence of one does not end the tries for the other."""
    async with gateway(how="close") as silent, gateway(how=503) as busy, aiohttp.ClientSession() as session:
        monkeypatch.setenv("TOCSIN_BROADCAST_URLS", f"{busy.url},{silent.url}")
        tools: Any = Tools(session, NONE, Signer(b"k" * 32), LinearClock(), "http://127.0.0.1", settings=Settings())
        assert Outcome.NOT_SENT is (await CapBroadcast(tools).send(message())).outcome


@pytest.mark.parametrize(
    "given", ["http://[bad/s3cret", "ftp://a.example/s3cret", "s3cret", "https:///s3cret", "http://a:0/s3cret"]
)
def test_what_is_no_address_is_refused_by_number(given: str) -> None:
    """In one sentence, which shows nothing of it: an address may hold the key to it."""
    with pytest.raises(Refused, match="TOCSIN_BROADCAST_URLS: number 2 is no address") as refused:
        read_urls(f"https://b.example/cap, {given}")
    assert ("TOCSIN_BROADCAST_URLS", "address", "number 2") == (
        refused.value.field, refused.value.rule, refused.value.given
    )  # fmt: skip
    assert "s3cret" not in str(refused.value)


def test_two_addresses_on_one_host_are_told_apart() -> None:
    """A receipt of one is not taken for the other's; no name shows a path, a query or a password."""
    urls = read_urls(
        "https://a.example/key1,https://u:pw@a.example/key2,https://b.example:8443/cap,https://a.example/key1"
    )
    assert {
        "a.example (1)": "https://a.example/key1", "a.example (2)": "https://u:pw@a.example/key2",
        "b.example:8443": "https://b.example:8443/cap",
    } == urls  # fmt: skip


async def test_a_host_that_does_not_answer_surely_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection within the time for one: it is tried again, as long as the warning lasts."""
    monkeypatch.setattr(http_call, "TIMEOUT", aiohttp.ClientTimeout(total=5, connect=0.2))
    monkeypatch.setenv("TOCSIN_BROADCAST_URLS", "http://a.example/cap")
    async with aiohttp.ClientSession() as session:
        connector: Any = session.connector

        async def never(*_: Any, **__: Any) -> Any:
            await asyncio.sleep(30)

        monkeypatch.setattr(connector._resolver, "resolve", never)
        tools: Any = Tools(session, NONE, Signer(b"k" * 32), LinearClock(), "http://127.0.0.1", settings=Settings())
        assert Outcome.NOT_SENT is (await CapBroadcast(tools).send(message())).outcome
