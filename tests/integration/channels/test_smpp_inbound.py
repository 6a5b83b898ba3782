"""What an operator's SMSC may write: texts in any parameter, alphabet and number of parts, receipts in any spelling."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from services.channels.drivers.smpp import deliver_sm
from services.channels.drivers.smpp.deliver_sm import Joiner, names
from services.channels.drivers.smpp.sms import SmsSmpp
from services.channels.model.inbound import Inbound
from services.channels.model.report import PartReceipt, Report, Sent
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from tests.integration.channels.test_replies import OTHER, PHONE, Exchange, there
from tests.integration.channels.test_smpp import Ears, bound, made
from tests.kit.smsc import Smsc, smsc

__all__ = ["there"]  # the fixture
HELP = "HELP trapped upstairs"
ZH = "帮助,水进来了"
UCS2 = HELP.encode("utf-16-be").hex()


class Hearing(Ears):
    """It says nothing back, so that all that comes in was wished for."""

    async def inbound(self, message: Inbound) -> str:
        await super().inbound(message)
        return ""


@pytest.fixture
def ears() -> Hearing:
    return Hearing()


@pytest.fixture
async def server() -> AsyncIterator[Smsc]:
    async with smsc("tocsin", "secret") as one:
        yield one


@pytest.fixture
async def driver(server: Smsc, ears: Hearing, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmsSmpp]:
    monkeypatch.setattr(deliver_sm, "JOIN_S", 0.3)
    one = made(server, monkeypatch)
    await one.start(ears.receivers)
    await bound(one)
    yield one
    await one.stop()


FROM = {"source_addr": "99970000001", "source_addr_ton": 1, "destination_addr": "12345"}
TEXTS: list[tuple[str, dict[str, Any], str]] = [
    ("message_payload", {"payload": HELP.encode().hex()}, HELP),
    ("message_payload, UCS-2", {"payload": ZH.encode("utf-16-be").hex(), "data_coding": 8}, ZH),
    ("UCS-2 of a message class", {"hex": UCS2, "data_coding": 0x18}, HELP),
    ("UCS-2 with a byte order", {"hex": "fffe" + ZH.encode("utf-16-le").hex(), "data_coding": 8}, ZH),
    ("8 bit with UTF-8", {"hex": ZH.encode().hex(), "data_coding": 0x04}, ZH),
    ("8 bit of a message class", {"hex": HELP.encode().hex(), "data_coding": 0xF5}, HELP),
    ("8 bit with Latin-1", {"hex": "à l'étage".encode("latin-1").hex(), "data_coding": 0x04}, "à l'étage"),
    ("default with UTF-8 in it", {"hex": ZH.encode().hex(), "data_coding": 0}, ZH),
    ("Cyrillic", {"hex": "помогите".encode("iso8859-5").hex(), "data_coding": 0x06}, "помогите"),
    ("Hebrew", {"hex": "הצילו".encode("iso8859-8").hex(), "data_coding": 0x07}, "הצילו"),
    ("Korean", {"hex": "도와주세요".encode("euc_kr").hex(), "data_coding": 0x0E}, "도와주세요"),
    ("GSM-7 of a message class", {"hex": HELP.encode().hex(), "data_coding": 0xF1}, HELP),
    ("ASCII", {"hex": HELP.encode().hex(), "data_coding": 1}, HELP),
    ("a user's acknowledgement", {"hex": HELP.encode().hex(), "esm_class": 0x10}, HELP),
]


async def test_no_text_is_lost_whatever_it_comes_in(driver: SmsSmpp, server: Smsc, ears: Hearing) -> None:
    """The SMSC has its ESME_ROK: what we cannot read then is lost for good."""
    wrong = []
    for n, (what, wish, text) in enumerate(TEXTS, 1):
        server.tell(deliver=FROM | wish)
        await ears.until(n)
        if ears.replies[-1].text != text:
            wrong.append((what, ears.replies[-1].text))
    assert [] == wrong
    assert {"+99970000001"} == {one.address for one in ears.replies}


@pytest.mark.parametrize(
    ("address", "ton"), [("00447400123456", 1), ("447400123456", 1), ("+447400123456", 1), ("00447400123456", 0)]
)
async def test_a_sender_is_the_number_in_the_register(
    driver: SmsSmpp, server: Smsc, ears: Hearing, address: str, ton: int
) -> None:
    """Whatever stands before its country code."""
    server.tell(deliver={"source_addr": address, "source_addr_ton": ton, "destination_addr": "12345", "hex": "32"})
    await ears.until(1)
    assert "+447400123456" == ears.replies[0].address


DATES = "submit date:2611220300 done date:2611220301"
RECEIPTS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"esm_class": 4, "text": f"id:00B8BE19 sub:001 dlvrd:001 {DATES} stat:DELIVRD err:000 text:x"},
        "b8be19",
        "delivered",
    ),
    ({"esm_class": 4, "text": f"Id:B8BE19 Sub:001 {DATES} Stat:DELIVERED Err:000 Text:"}, "b8be19", "delivered"),
    ({"esm_class": 4, "text": "ID: b8be19 STAT: delivrd"}, "b8be19", "delivered"),
    ({"esm_class": 0, "text": f"id:7f sub:001 dlvrd:001 {DATES} stat:DELIVRD err:000 text:HELP"}, "7f", "delivered"),
    ({"esm_class": 0, "receipted_message_id": "7F", "message_state": 2}, "7f", "delivered"),
    ({"esm_class": 4, "text": "id:7f stat:UNDELIVERABLE err:021"}, "7f", "failed"),
    ({"esm_class": 4, "text": "id:7f stat:Rejected err:0a1"}, "7f", "failed"),
    (
        {"esm_class": 4, "payload": f"id:7f sub:001 {DATES} stat:DELIVRD err:000 text:".encode().hex()},
        "7f",
        "delivered",
    ),
]


async def test_a_receipt_is_read_in_any_spelling_and_never_as_words(
    driver: SmsSmpp, server: Smsc, ears: Hearing
) -> None:
    """Also one whose esm_class says nothing: the "HELP" it quotes of our own text is nobody's."""
    for n, (wish, ref, state) in enumerate(RECEIPTS, 1):
        hexed = {"hex": wish["text"].encode().hex()} if "text" in wish else {}
        server.tell(deliver={**FROM, **{k: v for k, v in wish.items() if k != "text"}, **hexed})
        await ears.until(n)
        assert [] == ears.replies, wish
        assert (ref, state, ("key:+99970000001",)) == (ears.parts[-1].ref, ears.parts[-1].state, ears.parts[-1].to), (
            wish
        )


async def test_words_that_only_look_like_a_receipt_are_hers(driver: SmsSmpp, server: Smsc, ears: Hearing) -> None:
    """Nobody's call for help is taken for one."""
    for n, text in enumerate(("id: like help", "my status: bad, send help", "stat:help id:me", "id:4711 err: help"), 1):
        server.tell(deliver=FROM | {"hex": text.encode().hex()})
        await ears.until(n)
    assert [] == ears.parts


async def test_a_data_sm_is_refused_and_never_taken_and_lost(driver: SmsSmpp, server: Smsc, ears: Hearing) -> None:
    """The library knows no data_sm: the SMSC hears that it was not taken, and can send a deliver_sm instead."""
    server.tell(data={"source_addr": "99970000001", "destination_addr": "12345", "message_payload": HELP})
    await server.until(lambda said: any("answered" in one for one in said))
    assert 0 != next(one["answered"] for one in server.said if "answered" in one)
    server.tell(deliver=FROM | {"hex": HELP.encode().hex()})
    await ears.until(1)
    assert [HELP] == [one.text for one in ears.replies]


# ---- long replies


def pieces(form: str, texts: list[bytes], ref: int = 7) -> list[dict[str, Any]]:
    """The parts as deliver_sm, numbered by a header of 8 or 16 bits or by optional parameters."""
    found = []
    for n, one in enumerate(texts, 1):
        wish: dict[str, Any] = {**FROM, "data_coding": 8}
        if form == "sar":
            wish |= {
                "hex": one.hex(),
                "sar_msg_ref_num": ref,
                "sar_total_segments": len(texts),
                "sar_segment_seqnum": n,
            }
        else:
            head = bytes((5, 0, 3, ref, len(texts), n)) if form == "8 bit" else bytes((6, 8, 4, 1, ref, len(texts), n))
            wish |= {"hex": (head + one).hex(), "esm_class": 0x40}
            if form == "payload":
                head = bytes((5, 0, 3, ref, len(texts), n))
                wish |= {"hex": "", "payload": (head + one).hex()}
        found.append(wish)
    return found


WORDS = ["我妈妈走不动,水已经进来了,", "我们在二楼,一共三个人,", "请来帮助我们😀"]


@pytest.mark.parametrize("form", ["8 bit", "16 bit", "sar", "payload"])
async def test_the_parts_of_a_long_reply_are_one_text(driver: SmsSmpp, server: Smsc, ears: Hearing, form: str) -> None:
    """In every order, and cut within a character: one reply, its words as they were written."""
    octets = "".join(WORDS).encode("utf-16-be")
    texts = [octets[:31], octets[31:60], octets[60:]]
    for count, order in enumerate(itertools.permutations(range(3)), 1):
        made_of = pieces(form, texts, ref=count)
        for n in order:
            server.tell(deliver=made_of[n])
        await ears.until(count)
        assert "".join(WORDS) == ears.replies[-1].text, order
    assert 6 == len(ears.replies)


async def test_a_part_that_never_comes_keeps_nobody_waiting(driver: SmsSmpp, server: Smsc, ears: Hearing) -> None:
    """What there is is read after a while, with the gap marked; one that comes later still is read by itself."""
    parts = pieces("8 bit", [w.encode("utf-16-be") for w in WORDS])
    for n in (2, 0):
        server.tell(deliver=parts[n])
    await ears.until(1)
    assert f"{WORDS[0]} … {WORDS[2]}" == ears.replies[0].text
    server.tell(deliver=parts[1])
    await ears.until(2)
    assert f"… {WORDS[1]} …" == ears.replies[1].text


async def test_parts_of_two_phones_are_not_mixed(driver: SmsSmpp, server: Smsc, ears: Hearing) -> None:
    """The same reference, counts and all."""
    mine, theirs = pieces("8 bit", [w.encode("utf-16-be") for w in WORDS[:2]]), pieces("8 bit", [b"\0h\0e", b"\0l\0p"])
    for n in (0, 1):
        server.tell(deliver=mine[n])
        server.tell(deliver=theirs[n] | {"source_addr": "99970000002"})
    await ears.until(2)
    assert {("+99970000001", "".join(WORDS[:2])), ("+99970000002", "help")} == {
        (r.address, r.text) for r in ears.replies
    }


class Event:
    """A deliver_sm as the library hands it over."""

    def __init__(self, n: int, of: int = 2) -> None:
        self.source_addr, self.destination_addr, self.data_coding, self.esm_class = "1", "2", 0, 0x40
        self.short_message, self.tlvs = bytes((5, 0, 3, 9, of, n)) + f"part{n} ".encode(), ()


def part(n: int) -> Any:
    return Event(n)


async def test_a_text_that_could_not_be_handed_on_is_whole_when_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And many texts whose parts never come fill no memory: beyond a bound each part is read as it comes."""
    joiner, first = Joiner(), part(1)
    waiting = asyncio.create_task(joiner.whole(first))
    await asyncio.sleep(0)
    assert None is await joiner.whole(part(2))
    assert "part1 part2" == await waiting == await joiner.whole(first)
    joiner.done(first)
    monkeypatch.setattr(deliver_sm, "MOST_OPEN", 0)
    assert "part1 " == await joiner.whole(first)


async def test_nothing_is_waited_for_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop hands on what has come in."""
    joiner = Joiner()
    waiting = asyncio.create_task(joiner.whole(part(1)))
    await asyncio.sleep(0)
    joiner.no_more()
    assert "part1  …" == await waiting


# ---- whose a receipt is


@pytest.mark.parametrize(
    ("named", "receipt"),
    [
        ("00B8BE19", "B8BE19"), ("b8be19", "B8BE19"), ("B8BE19", "000b8be19"), ("12107289", "B8BE19"), ("b8be19", "12107289"),
        ("b8be19", "0012107289"), ("3f2c-9", "3F2C-9"), ("0", "000"), ("161", "a1"),
    ],
)  # fmt: skip
def test_a_part_is_known_by_every_spelling_of_its_name(named: str, receipt: str) -> None:
    """Case, leading zeros, and the other base both ways."""
    assert names(named)[0] in names(receipt)


async def known(there: Exchange, ref: str, phone: str) -> str:
    """A message of one part the provider took by that name."""
    one = await there.told("p", phone, state="sending")
    report = Report(
        one, f"{one}:o", "outcome", state=SendState.ACCEPTED, evidence=Evidence.ACCEPTED, ref=ref,
        sent=Sent("sms_smpp", one, (names(ref)[0],)), provider="sms_smpp", flight=there.flights[one], attempt=1,
    )  # fmt: skip
    await there.recorder.report(report)
    return one


async def told(there: Exchange, ref: str, *phones: str) -> None:
    first, *others = names(ref)
    to = tuple(key for phone in phones for key in there.board.keys_of(phone))
    part = PartReceipt("sms_smpp", first, "delivered", "", tuple(others), to)
    await there.recorder.report(Report("", event_key=f"{ref}:delivered", part=part))


async def states(there: Exchange, *ids: str) -> list[str]:
    async with there.database.read() as db:
        rows = await db.execute(sa.select(delivery.c.delivery_id, delivery.c.send_state))
        found = {r.delivery_id: r.send_state for r in rows}
    return [found[i] for i in ids]


async def test_a_receipt_in_the_other_base_finds_its_message(there: Exchange) -> None:
    """Hexadecimal and decimal, with and without the phone it is of."""
    one, two = await known(there, "00B8BE19", PHONE), await known(there, "4096", OTHER)
    await told(there, "12107289")
    await told(there, "01000", OTHER)
    assert ["delivered", "delivered"] == await states(there, one, two)


async def test_a_receipt_that_fits_two_messages_is_not_guessed(there: Exchange) -> None:
    """The phone tells them apart; without one, or with one that is both's, neither is called delivered."""
    one, two = await known(there, "10", PHONE), await known(there, "a", OTHER)
    await told(there, "10")
    assert ["accepted", "accepted"] == await states(there, one, two)
    await told(there, "10", OTHER)
    assert ["accepted", "delivered"] == await states(there, one, two)
    three = await known(there, "a", PHONE)
    await told(there, "10", PHONE)
    assert ["accepted", "accepted"] == await states(there, one, three)


async def test_a_receipt_of_another_phone_is_not_applied(there: Exchange) -> None:
    """A provider that gives a name out twice, or to another customer."""
    one = await known(there, "77", PHONE)
    await told(there, "77", OTHER)
    assert ["accepted"] == await states(there, one)
    await told(there, "77", PHONE)
    assert ["delivered"] == await states(there, one)
