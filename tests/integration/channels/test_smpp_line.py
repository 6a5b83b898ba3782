"""An SMPP line on a real socket, octet by octet: each message has one end, and each part one sequence number."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from services.channels.drivers.smpp import line, pdu, sms
from services.channels.drivers.smpp.session import SmppSession
from services.channels.drivers.smpp.sms import SmsSmpp
from services.channels.messages.sms_encoding import SmsPart
from services.channels.model.driver import Outcome, Result
from services.channels.model.outcome import LATE
from tests.integration.channels.test_smpp import LONG_ZH, Ears, bound
from tests.kit.driving import driving, message
from tests.kit.misbehaving import BIND, ENQUIRE, RESP, SUBMIT, UNBIND, reset

Pdu = tuple[int, int, int, bytes]  # command, status, sequence, body
DELIVER, DATA = 0x05, 0x103
WINDOW = 10


class Smsc:
    """Answers what it is set to; `came` is every PDU in order, `pieces` how many reads they came in."""

    def __init__(self) -> None:
        self.came: list[Pdu] = []
        self.pieces = 0
        self.silent = {ENQUIRE}  # commands it does not answer
        self.octets = 0  # it answers in pieces of so many, where that is set
        self.bind_status = 0
        self.port = 0
        self.writer: Any = None
        self.news = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer, buffer = writer, b""
        try:
            while data := await reader.read(1 << 20):
                self.pieces += 1
                buffer += data
                while len(buffer) >= 16 and len(buffer) >= (length := struct.unpack(">I", buffer[:4])[0]):
                    self._take(buffer[:length])
                    buffer = buffer[length:]
                self.news.set()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _take(self, whole: bytes) -> None:
        _, command, status, sequence = struct.unpack(">IIII", whole[:16])
        self.came.append((command, status, sequence, whole[16:]))
        if command not in self.silent and not command & RESP:
            name = b"%x\0" % len(self.came) if command == SUBMIT else b"here\0" if command == BIND else b""
            self.say(command | RESP, sequence, name, self.bind_status if command == BIND else 0)

    def say(self, command: int, sequence: int, body: bytes = b"", status: int = 0) -> None:
        whole = struct.pack(">IIII", 16 + len(body), command, status, sequence) + body
        step = self.octets or len(whole)
        for at in range(0, len(whole), step):
            self.writer.write(whole[at : at + step])

    def of(self, command: int) -> list[Pdu]:
        return [one for one in self.came if one[0] == command]

    async def until(self, command: int, count: int = 1) -> None:
        async with asyncio.timeout(5):
            while len(self.of(command)) < count:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def listening() -> AsyncIterator[Smsc]:
    smsc = Smsc()
    server = await asyncio.start_server(smsc.serve, "127.0.0.1", 0)
    smsc.port = server.sockets[0].getsockname()[1]
    yield smsc
    server.close()
    if smsc.writer is not None:
        smsc.writer.transport.abort()


@asynccontextmanager
async def sending(smsc: Smsc, patch: pytest.MonkeyPatch, ears: Ears | None = None, **more: str) -> AsyncIterator[Any]:
    """The driver, bound."""
    given = {"HOST": "127.0.0.1", "PORT": str(smsc.port), "SYSTEM_ID": "tocsin", "PASSWORD": "x", "SOURCE": "+12345"}
    for name, value in (given | more).items():
        patch.setenv(f"TOCSIN_SMPP_{name}", value)
    async with driving(SmsSmpp, receivers=(ears or Ears()).receivers) as driver:
        await bound(driver)
        yield driver


class Ends:
    """What came of each message; nobody is told twice."""

    def __init__(self, driver: Any) -> None:
        self.found: dict[int, Result] = {}
        self._driver = driver
        self._news = asyncio.Event()

    def begin(self, number: int, *, red: bool = False, text: str = "Go now.", go: bool = True) -> None:
        def done(result: Result) -> None:
            assert number not in self.found
            self.found[number] = result
            self._news.set()

        one = message(delivery_id=f"{number:032x}", to=f"+9997{number:06d}", text=text)
        self._driver.window(red).begin(one, done, lambda: go)

    async def until(self, count: int) -> dict[int, Result]:
        async with asyncio.timeout(5):
            while len(self.found) < count:
                self._news.clear()
                await self._news.wait()
        return self.found


def number_of(body: bytes) -> int:
    """Whom a submit is to."""
    return int(body.split(b"\0")[2].rpartition(b"9997")[2])


@pytest.mark.parametrize("octets", [0, 1, 3], ids=["whole", "octet by octet", "in threes"])
async def test_a_window_of_messages_has_one_end_each(octets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most the window's size under way; the writes of a turn are one; each submit has its own number."""
    async with listening() as smsc, sending(smsc, monkeypatch) as driver:
        ends, rooms = Ends(driver), list[int]()
        driver.window(False).on_room = lambda: rooms.append(driver.window(False).free)
        smsc.octets = octets
        pieces = smsc.pieces
        for n in range(WINDOW):
            ends.begin(n)
        assert ({}, 0) == (ends.found, driver.window(False).free)
        await smsc.until(SUBMIT, WINDOW)
        assert 1 == smsc.pieces - pieces
        for n in range(WINDOW, 100):
            ends.begin(n)
        found = await ends.until(100)
        assert {Outcome.ACCEPTED} == {one.outcome for one in found.values()}
        assert 100 == len({one.ref for one in found.values()}) == len({s for _, _, s, _ in smsc.of(SUBMIT)})
        assert set(range(100)) == {number_of(body) for *_, body in smsc.of(SUBMIT)}
        assert (WINDOW, WINDOW) == (driver.window(False).free, rooms[-1])
        assert len(rooms) < 100


async def test_no_more_are_under_way_than_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red has the next place; what waits is refused when it is not wanted any more, and leaves its place to the next."""
    async with listening() as smsc, sending(smsc, monkeypatch, CONCURRENCY="2") as driver:
        smsc.silent |= {SUBMIT}
        ends = Ends(driver)
        for n in range(4):
            ends.begin(n)
        ends.begin(4, red=True, go=False)
        ends.begin(5, red=True)
        await smsc.until(SUBMIT, 2)
        assert -4 == driver.window(True).free == driver.window(False).free
        sequences = [sequence for _, _, sequence, _ in smsc.of(SUBMIT)]
        for sequence in sequences:
            smsc.say(SUBMIT | RESP, sequence, b"a\0")
        await smsc.until(SUBMIT, 4)
        assert [0, 1, 5, 2] == [number_of(body) for *_, body in smsc.of(SUBMIT)]
        assert {0: Outcome.ACCEPTED, 1: Outcome.ACCEPTED, 4: Outcome.NOT_SENT} == {
            n: one.outcome for n, one in ends.found.items()
        }
        assert LATE == ends.found[4].code


async def test_red_hears_of_room_first(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bool] = []
    async with listening() as smsc, sending(smsc, monkeypatch) as driver:
        for red in (False, True):
            driver.window(red).on_room = lambda red=red: heard.append(red)
        ends = Ends(driver)
        ends.begin(1)
        await ends.until(1)
        assert [True, False] == heard


async def test_a_long_text_is_one_message_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts go one after the other, each once the one before was taken."""
    async with listening() as smsc, sending(smsc, monkeypatch, CONCURRENCY="1") as driver:
        ends = Ends(driver)
        ends.begin(1, text=LONG_ZH)
        ends.begin(2)
        found = await ends.until(2)
        assert [1, 1, 2] == [number_of(body) for *_, body in smsc.of(SUBMIT)]
        assert (2, 1) == (len(found[1].parts), len(found[2].parts))
        ends.begin(3, text="x" * 153 * 256)
        assert Result(Outcome.PERMANENT, code="too long") == (await ends.until(3))[3]
        assert 1 == driver.window(False).free


async def test_a_line_that_is_lost_leaves_what_was_submitted_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waited for a place was surely not sent; nor is what begins without a line."""
    async with listening() as smsc, sending(smsc, monkeypatch, CONCURRENCY="3") as driver:
        smsc.silent |= {SUBMIT}
        ends = Ends(driver)
        for n in range(900):
            ends.begin(n)
        await smsc.until(SUBMIT, 3)
        reset(smsc.writer)
        found = await ends.until(900)
        assert [Result(Outcome.AMBIGUOUS, code="line lost")] * 3 == [found[n] for n in range(3)]
        assert {Result(Outcome.NOT_SENT, code="not_bound")} == {found[n] for n in range(3, 900)}
        ends.begin(901)
        assert 901 not in ends.found
        assert "not_bound" == (await ends.until(901))[901].code
        assert 3 == driver.window(False).free


async def test_what_is_not_answered_in_time_is_unknown_and_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that comes later is nobody's; a nack says nothing of whether it was taken."""
    monkeypatch.setattr(sms, "CALL_S", 0.1)
    async with listening() as smsc, sending(smsc, monkeypatch) as driver:
        smsc.silent |= {SUBMIT}
        ends = Ends(driver)
        for n in range(3):
            ends.begin(n)
        await smsc.until(SUBMIT, 3)
        first, second, _ = [sequence for _, _, sequence, _ in smsc.of(SUBMIT)]
        smsc.say(pdu.GENERIC_NACK, second, status=3)
        found = await ends.until(3)
        assert ["TimeoutError", "generic_nack 0x00000003", "TimeoutError"] == [found[n].code for n in range(3)]
        assert {Outcome.AMBIGUOUS} == {one.outcome for one in found.values()}
        smsc.say(SUBMIT | RESP, first, b"late\0")
        smsc.silent -= {SUBMIT}
        ends.begin(3)
        assert Outcome.ACCEPTED is (await ends.until(4))[3].outcome
        assert WINDOW == driver.window(False).free


async def test_a_caller_who_goes_away_submits_no_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while it waits for a place, nor between its parts."""
    async with listening() as smsc, sending(smsc, monkeypatch, CONCURRENCY="1") as driver:
        smsc.silent |= {SUBMIT}
        long = asyncio.create_task(driver.send(message(text=LONG_ZH, to="+99971")))
        await smsc.until(SUBMIT)
        waits = asyncio.create_task(driver.send(message(text="Go.", to="+99972")))
        await asyncio.sleep(0)
        for task in (waits, long):
            task.cancel()
        await asyncio.gather(long, waits, return_exceptions=True)
        smsc.say(SUBMIT | RESP, smsc.of(SUBMIT)[0][2], b"a\0")
        smsc.silent -= {SUBMIT}
        assert Outcome.ACCEPTED is (await driver.send(message(text="Go.", to="+99973"))).outcome
        assert [1, 3] == [number_of(body) for *_, body in smsc.of(SUBMIT)]
        assert 1 == driver.window(False).free


# ---- the line


async def test_a_silent_line_is_asked_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers is kept."""
    monkeypatch.setattr(line, "ENQUIRE_S", 0.02)
    monkeypatch.setattr(sms, "CALL_S", 0.1)
    async with listening() as smsc, sending(smsc, monkeypatch):
        smsc.silent -= {ENQUIRE}
        await smsc.until(ENQUIRE, 3)
        assert 1 == len(smsc.of(BIND))
        smsc.silent |= {ENQUIRE}
        await smsc.until(BIND, 2)  # made again


async def test_we_answer_when_we_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether we are there; an unbind; and that we know no data_sm. What needs no answer gets none."""
    async with listening() as smsc, sending(smsc, monkeypatch):
        for command, sequence in ((ENQUIRE, 71), (pdu.ALERT, 72), (pdu.OUTBIND, 73), (DATA, 74), (UNBIND, 75)):
            smsc.say(command, sequence, b"")
        await smsc.until(UNBIND | RESP)
        assert [(ENQUIRE | RESP, 0, 71, b""), (pdu.GENERIC_NACK, 3, 74, b""), (UNBIND | RESP, 0, 75, b"")] == smsc.came[
            1:
        ]


async def test_we_say_good_bye(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as smsc:
        async with sending(smsc, monkeypatch):
            pass
        assert [BIND, UNBIND] == [command for command, *_ in smsc.came]


async def test_what_is_no_smpp_ends_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for octets in (b"HTTP/1.1 400 Bad Request\r\n", struct.pack(">IIII", 15, ENQUIRE, 0, 1)):
        async with listening() as smsc, sending(smsc, monkeypatch):
            smsc.writer.write(octets)
            await smsc.until(BIND, 2)


@pytest.mark.parametrize("octets", [0, 1])
async def test_what_is_delivered_is_answered_and_heard(octets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also two at once, and octet by octet; what cannot be read is refused and not lost in silence."""
    ears = Ears()
    async with listening() as smsc, sending(smsc, monkeypatch, ears):
        smsc.octets = octets
        whole = smpp34.DeliverSm("99970000001", "12345", b"2", source_addr_ton=1).encode()
        for sequence in (7, 8):
            smsc.say(DELIVER, sequence, whole[16:])
        smsc.say(DELIVER, 9, b"\0\1")
        await smsc.until(DELIVER | RESP, 3)
        await ears.until(2)
        assert [(7, 0), (8, 0), (9, pdu.BROKEN)] == [(s, status) for _, status, s, _ in smsc.of(DELIVER | RESP)]
        assert ["+99970000001"] * 2 == [one.address for one in ears.replies]


async def test_why_it_is_not_bound_is_said() -> None:
    """A status of the SMSC's, a field that is too long, nobody there."""
    said: list[str] = []

    async with listening() as smsc:
        smsc.bind_status = 0x0E

        async def bind(heard: Any) -> line.SmppLine:
            try:
                return await line.SmppLine.bound("127.0.0.1", smsc.port, None, pdu.bind("a", "b", ""), heard, 1.0)
            except line.NotBound as problem:
                said.append(str(problem))
                raise

        session = SmppSession(bind, waits=(0.001,))
        session.start(Ears().report)  # type: ignore[arg-type]
        await smsc.until(BIND, 2)
        await session.stop()
    assert "bind refused with command_status 0x0000000e: check system_id, password and system_type" == said[0]
    with pytest.raises(ValueError, match="password: SMPP has room for 8 signs of ASCII, and this has 9"):
        pdu.bind("a", "123456789", "")


# ---- PDUs

SOURCES = st.sampled_from(["+12345", "4711", "Tocsin", ""])


@given(
    SOURCES, st.from_regex(r"[0-9]{0,20}", fullmatch=True), st.binary(max_size=160), st.sampled_from([0, 8]),
    st.sampled_from([0, 0x40]), st.integers(0, 40 * 86400),
)  # fmt: skip
def test_a_submit_is_what_a_library_writes(
    source: str, to: str, octets: bytes, coding: int, esm_class: int, seconds: int
) -> None:
    who, until = pdu.sender(source), pdu.period(seconds)
    theirs = smpp34.SubmitSm(
        who.address, to, octets, source_addr_ton=who.ton, source_addr_npi=who.npi, dest_addr_ton=1, dest_addr_npi=1,
        esm_class=esm_class, data_coding=coding, registered_delivery=1, validity_period=until.decode(), sequence_number=9,
    ).encode()  # fmt: skip
    ours = pdu.submit(who.before, to.encode(), SmsPart(octets, coding, esm_class), until)
    assert theirs == pdu.pdu(pdu.SUBMIT, 9, ours)


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "000000000001000R"), (3661, "000000010101000R"), (40 * 86400, "000031000000000R")]
)
def test_how_long_it_is_good_for(seconds: int, told: str) -> None:
    assert told.encode() == pdu.period(seconds)
