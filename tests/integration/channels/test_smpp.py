"""SMPP against somebody else's SMSC: what it decodes is what was sent, and what it says is told as what it means."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import sqlalchemy as sa

from services.channels.drivers.smpp import session, sms
from services.channels.drivers.smpp.sms import SmsSmpp
from services.channels.model.driver import Outcome, Receivers, Result, Tools
from services.channels.model.final_check import Overtaken, checking
from services.channels.model.inbound import Inbound
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.channels.model.report import PartReceipt, Report
from services.shared.clock import LinearClock
from services.shared.crypto.signing import Signer
from services.shared.settings import Settings
from tests.kit.smsc import Smsc, smsc
from tools.peers.table import Told

DELIVERY = "0a" * 16
LONG_ZH = (
    "【清水县应急局】山洪红色(马上走):南岭镇河东、下湾。现在离家,步行往高处到南岭学校,不要过水,不要开车过水。"
    "洪水可能3时前到。回1已走,回2要帮助,回3不在家。10日2:10发,编号4721"
)
LONG_EN = (
    "Qingshui County Emergency Office: Red, flash flood. Nanling: Hedong and Xiawan. Leave now, on foot, uphill to Nanling "
    "School. Do not walk or drive through water. Water may arrive by 03:00. {Reply} 1 leaving, 2 need help, 3 not there. €"
)


class Ears:
    """Desk and replies as the driver sees them: what it reported, and what it handed on."""

    def __init__(self) -> None:
        self.parts: list[PartReceipt] = []
        self.replies: list[Inbound] = []
        self.news = asyncio.Event()
        self.receivers = Receivers(self, cast(Any, self))

    async def report(self, report: Report) -> None:
        assert report.part is not None
        self.parts.append(report.part)
        self.news.set()

    async def inbound(self, message: Inbound) -> str:
        self.replies.append(message)
        self.news.set()
        return "谢谢"

    @staticmethod
    def code_of(use: str, value: str) -> str:
        return hashlib.sha256(f"{use} {value}".encode()).hexdigest()

    @staticmethod
    def keys_of(number: str) -> list[str]:
        """Which phone a key is of stands in the key."""
        return [f"key:{number}"]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.parts) + len(self.replies) < count:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def server() -> AsyncIterator[Smsc]:
    async with smsc("tocsin", "secret") as one:
        yield one


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
async def driver(server: Smsc, ears: Ears, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmsSmpp]:
    """Bound as a transceiver."""
    one = made(server, monkeypatch)
    await one.start(ears.receivers)
    await server.until(lambda said: any(s.get("right") for s in said))
    await bound(one)
    yield one
    await one.stop()


def made(server: Smsc, monkeypatch: pytest.MonkeyPatch, **more: str) -> SmsSmpp:
    given = {
        "host": "127.0.0.1",
        "port": str(server.port),
        "system_id": "tocsin",
        "password": "secret",
        "source": "+12345",
    }
    for name, value in (given | more).items():
        monkeypatch.setenv(f"TOCSIN_SMPP_{name.upper()}", value)
    tools: Any = cast(Any, Tools)(None, None, Signer(b"k" * 32), LinearClock(), "http://127.0.0.1", settings=Settings())
    return SmsSmpp(tools)


async def bound(driver: SmsSmpp) -> None:
    async with asyncio.timeout(20):
        while driver._link.session is None:  # noqa: ASYNC110  the library tells nobody
            await asyncio.sleep(0.01)


def message(text: str, to: str = "+99970000001") -> Outbound:
    return Outbound(DELIVERY, "", "sms", to, text, "", "", "en", "", 3600)


@pytest.mark.parametrize(
    ("text", "parts", "coding"),
    [
        ("Leave now. Going: 1. Help: 2. [€]", 1, 0),
        (LONG_EN, 2, 0),
        (LONG_ZH, 2, 8),
        ("慢的先走", 1, 8),
        ("😀" * 40, 2, 8),
    ],
    ids=["gsm-7", "gsm-7 in two", "ucs-2 in two", "ucs-2", "surrogates"],
)
async def test_the_smsc_decodes_what_was_written(
    driver: SmsSmpp, server: Smsc, ears: Ears, peer: Told, text: str, parts: int, coding: int
) -> None:
    """Its parts put together are the text; each is named, and each receipt names one."""
    result = await driver.send(message(text))
    assert Outcome.ACCEPTED is result.outcome
    assert parts == len(result.parts)
    await ears.until(parts)
    await server.took(parts)
    assert text == "".join(m["text"] for m in server.messages)
    assert {coding} == {m["coding"] for m in server.messages}
    assert [(n, parts) for n in range(1, parts + 1)] == [place(m, parts) for m in server.messages]
    assert {("12345", 1, "99970000001")} == {(m["from"], m["ton"], m["to"]) for m in server.messages}
    assert all(3500 < m["validity"] <= 3600 for m in server.messages)
    assert sorted((ref, "delivered") for ref in result.parts) == sorted((p.ref, p.state) for p in ears.parts)
    peer("sms_smpp", "npm smpp 0.5.1", "as SMSC: texts of one and two parts, GSM-7 and UCS-2; its receipts are read")


async def test_forty_texts_of_every_kind_arrive_as_they_were(driver: SmsSmpp, server: Smsc) -> None:
    """Extended characters and surrogates at every edge of a part."""
    chance = random.Random(7)
    letters = ["aZ9 @", "€[]{}|^~\\", "慢的先走", "😀🌊"]
    texts = []
    for _ in range(40):
        kind = "".join(letters[: chance.randint(1, 4)])
        texts.append("".join(chance.choice(kind) for _ in range(chance.randint(1, 340))))
    for text in texts:
        before = len(server.messages)
        result = await driver.send(message(text))
        there = before + len(result.parts)
        assert text == "".join(m["text"] for m in (await server.took(there))[before:])


def place(part: dict[str, Any], parts: int) -> tuple[int, int]:
    """Number and count of a part, out of its header."""
    if parts == 1:
        assert part["udh"] is None
        return 1, 1
    octets = bytes.fromhex(part["udh"][0])[-3:]
    assert int(DELIVERY[:2], 16) == octets[0]
    return octets[2], octets[1]


@pytest.mark.parametrize(
    ("ending", "outcome", "code"),
    [
        ("58", Outcome.NOT_SENT, "0x00000058"),
        ("11", Outcome.PERMANENT, "0x0000000b"),
        ("69", Outcome.PROVIDER_FAULT, "0x0000000a"),
    ],
    ids=["throttled", "no such number", "sender not allowed"],
)
async def test_a_refusal_is_told_as_what_it_is(driver: SmsSmpp, ending: str, outcome: Outcome, code: str) -> None:
    """What passes is tried again, a number that is none fails alone, a sender that is not allowed fails nobody."""
    result = await driver.send(message("Leave now.", f"+999700000{ending}"))
    assert (outcome, code) == (result.outcome, result.code)
    assert (1.0 if ending == "58" else None) == result.retry_after


async def test_what_the_phone_never_got_is_failed_with_the_operators_code(driver: SmsSmpp, ears: Ears) -> None:
    """Accepted first, then a receipt that says undeliverable."""
    result = await driver.send(message("Leave now.", "+99970000077"))
    assert Outcome.ACCEPTED is result.outcome
    await ears.until(1)
    assert [(result.parts[0], "failed", "021", ("key:+99970000077",))] == [
        (one.ref, one.state, one.code, one.to) for one in ears.parts
    ]


async def test_a_line_that_breaks_under_a_message_leaves_it_unknown_and_is_made_again(
    driver: SmsSmpp, server: Smsc
) -> None:
    """It may have been taken; the next one goes out over the new session."""
    sending = asyncio.create_task(driver.send(message("Leave now.", "+99970000099")))
    await server.until(lambda said: any("to" in s for s in said))
    server.tell(drop=True)
    assert Outcome.AMBIGUOUS is (await sending).outcome
    await server.until(lambda said: len([s for s in said if s.get("right")]) == 2)
    await bound(driver)
    assert Outcome.ACCEPTED is (await driver.send(message("Leave now."))).outcome


async def test_half_a_text_that_is_out_is_unknown(driver: SmsSmpp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second part refused: whether they can read the first nobody knows, and it is not sent again by itself."""
    submit, calls = driver._submit, []

    def second_to_nobody(body: bytes, told: Any) -> None:
        calls.append(body)
        submit(body if len(calls) == 1 else body.replace(b"99970000001", b"99970000058"), told)

    monkeypatch.setattr(driver, "_submit", second_to_nobody)
    result = await driver.send(message(LONG_ZH))
    assert (Outcome.AMBIGUOUS, "part 2: 0x00000058") == (result.outcome, result.code)


@pytest.mark.parametrize(
    ("wish", "phone", "text"),
    [
        ({"from": "99970000001", "to": "12345", "text": "2", "ton": 1}, "+99970000001", "2"),
        ({"from": "13800138000", "to": "12345", "text": "要帮助", "ton": 2}, "+8613800138000", "要帮助"),
    ],
    ids=["international", "national"],
)
async def test_a_reply_is_handed_on_with_the_number_as_it_is_in_the_register(
    server: Smsc, ears: Ears, monkeypatch: pytest.MonkeyPatch, wish: dict[str, Any], phone: str, text: str
) -> None:
    """And what the replies says goes back to that phone; the key of it holds neither number nor words."""
    one = made(server, monkeypatch, region="CN")
    await one.start(ears.receivers)
    await bound(one)
    server.tell(reply=wish)
    await ears.until(1)
    assert [("sms", phone, text)] == [(r.kind, r.address, r.text) for r in ears.replies]
    assert phone.strip("+") not in ears.replies[0].event_key
    await server.until(lambda said: any("to" in s for s in said))
    assert [(phone.strip("+"), "谢谢")] == [(m["to"], m["text"]) for m in server.messages]
    await one.stop()
    await server.until(lambda said: any("unbind" in s for s in said))


async def test_a_receipt_in_words_alone_is_read(driver: SmsSmpp, server: Smsc, ears: Ears) -> None:
    """Without the optional parameters: id, stat and err stand in the text."""
    server.tell(
        receipt={
            "source_addr": "1",
            "destination_addr": "2",
            "short_message": "id:7F sub:001 stat:EXPIRED err:0a1 text:",
        }
    )
    await ears.until(1)
    assert [PartReceipt("sms_smpp", "7f", "failed", "0a1", ("127",))] == ears.parts


async def test_names_that_were_hexadecimal_and_come_back_decimal_are_known_again(
    server: Smsc, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As operators are known to do it; TOCSIN_SMPP_RECEIPT_IDS says so."""
    one = made(server, monkeypatch, receipt_ids="decimal")
    await one.start(ears.receivers)
    await bound(one)
    result = await one.send(message("Leave now.", "+99970000099"[:-2] + "01"))
    assert (str(0xA1),) == result.parts
    await one.stop()


async def test_what_waits_for_the_window_is_looked_at_once_more_and_was_not_sent(
    server: Smsc, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full window: ours, and no fault of the provider's. A cancel that came meanwhile: not a part goes out."""
    monkeypatch.setattr(sms, "WINDOW_S", 0.1)
    monkeypatch.setattr(sms, "CALL_S", 0.5)
    driver = made(server, monkeypatch)
    await driver.start(ears.receivers)
    await bound(driver)
    silent: list[Result] = []
    for _ in range(10):
        driver.window(False).begin(message("Go.", "+99970000099"), silent.append, lambda: True)
    result = await driver.send(message("Leave now."))
    assert (Outcome.NOT_SENT, LATE, []) == (result.outcome, result.code, silent)
    async with asyncio.timeout(5):
        while driver.window(False).free < 10:  # noqa: ASYNC110  they are silent for good
            await asyncio.sleep(0.02)
    assert [Outcome.AMBIGUOUS] * 10 == [one.outcome for one in silent]

    async def cancelled() -> None:
        raise Overtaken

    with checking(cancelled), pytest.raises(Overtaken):
        await driver.send(message("Leave now."))
    assert Outcome.ACCEPTED is (await driver.send(message("Go now."))).outcome
    assert ["Go."] * 10 + ["Go now."] == [one["text"] for one in await server.took(11)]
    await driver.stop()


async def test_without_a_session_nothing_was_sent(server: Smsc, ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password: the channel says that it is not bound, each message is due again, and nobody is failed."""
    one = made(server, monkeypatch, password="wrong")
    await one.start(ears.receivers)
    await server.until(lambda said: any(s.get("right") is False for s in said))
    result = await one.send(message("Leave now."))
    assert (Outcome.NOT_SENT, "not_bound") == (result.outcome, result.code)
    await one.stop()


async def test_a_reply_that_comes_while_the_database_is_away_is_tried_again(
    server: Smsc, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SMSC sends nothing twice; the same key each time, so that what was written after all is one reply."""
    away = [sa.exc.OperationalError("select", {}, Exception("gone")), TimeoutError()]
    keys = []

    class Away(Ears):
        async def inbound(self, message: Inbound) -> str:
            keys.append(message.event_key)
            if away:
                raise away.pop()
            return await super().inbound(message)

    monkeypatch.setattr(session, "PATIENCE_S", (0.01, 0.01, 0.01))
    minutes = iter(range(0, 6000, 60))
    monkeypatch.setattr("services.channels.drivers.smpp.session.wall", lambda: float(next(minutes)))
    there = Away()
    one = made(server, monkeypatch)
    await one.start(there.receivers)
    await bound(one)
    server.tell(reply={"from": "99970000001", "to": "12345", "text": "2", "ton": 1})
    await there.until(1)
    await one.stop()
    assert (["2"], 3, 1) == ([r.text for r in there.replies], len(keys), len(set(keys)))


async def test_what_cannot_be_taken_is_given_up_at_once_or_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the text's own is not tried again, and a database that stays away not for ever."""
    monkeypatch.setattr(session, "PATIENCE_S", (0.001, 0.001))
    for problem, tries in ((ValueError("no text"), 1), (OSError("away"), 3)):
        heard: list[float] = []

        async def hear(_event: Any, came: float, problem: Exception = problem, heard: list[float] = heard) -> None:
            heard.append(came)
            raise problem

        await session.SmppSession(cast(Any, None))._hand_on(hear, cast(Any, object()))
        assert (tries, 1) == (len(heard), len(set(heard)))
