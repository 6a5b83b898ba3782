"""What people write back, in many languages and hands: help is never lost, nothing unclear closes anything, STOP is kept."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.channels.drivers.twilio.http import outcome
from services.channels.messages.prepare import reference
from services.channels.model.flight import Flight
from services.channels.model.http_call import Response
from services.channels.model.inbound import Inbound
from services.channels.model.report import Report
from services.channels.outcomes import opted_out
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.replies.inbox import ReplyInbox
from services.channels.replies.meaning import FILE, WHOLE, Sense, findings, plain, read_reply, words
from services.shared.bus.embedded import EmbeddedBus
from services.shared.bus.outbox import outbox
from services.shared.clock import StepClock
from services.shared.crypto.sealing import Keys, address_key
from services.shared.database.batches import insert_all
from services.shared.database.engine import Database
from services.shared.i18n import in_each_language
from services.shared.ledger.answers import answer_log
from services.shared.ledger.deliveries import deliveries_where
from services.shared.ledger.evidence import Answer
from services.shared.ledger.params import Callout, DoorReaches, Params
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from services.shared.service import Platform
from services.shared.settings import Settings
from tests.kit.flights import in_the_air, waiting

DATA: dict[str, dict[str, Any]] = in_each_language(FILE)
HELP_WORDS = sorted({w for lists in DATA.values() for w in lists["help"]})
ANY_WORD = sorted({w for lists in DATA.values() for name in ("help", "yes", *WHOLE) for w in lists.get(name, ())})
CLOSING = {Answer.LEAVING, Answer.NOT_THERE, Answer.SAFE, Answer.MOVING, Answer.SPOKE, Answer.CANNOT_REACH}
PUNCTUATION = st.text(st.sampled_from(" .!?,;:-…。！？，、()\"'\u00a0\u200b\u3000\n"), max_size=4)
ZEROS = {
    "latin": 0x30,
    "arabic": 0x660,
    "persian": 0x6F0,
    "hindi": 0x966,
    "bengali": 0x9E6,
    "tibetan": 0xF20,
    "wide": 0xFF10,
}


def test_the_file_may_be_used() -> None:
    """No word means two things, none is empty, and none of those that close holds a word of help."""
    assert [] == list(findings())
    assert {"en", "zh-Hans", "es", "fr", "ar", "ru", "pt", "hi", "bn", "ug", "bo", "vi"} == set(DATA)


@pytest.mark.parametrize(
    ("text", "answer", "sense"),
    [
        ("help please my mother cannot walk", Answer.HELP, Sense.ANSWER),
        ("HELP!!!", Answer.HELP, Sense.ANSWER),
        ("🆘", Answer.HELP, Sense.ANSWER),
        ("1 but my neighbour needs help", Answer.HELP, Sense.ANSWER),
        ("我妈妈走不动，要帮助", Answer.HELP, Sense.ANSWER),
        ("我要幫助", Answer.HELP, Sense.ANSWER),
        ("ayudame por favor", Answer.HELP, Sense.ANSWER),
        ("J’ai besoin d’aide", Answer.HELP, Sense.ANSWER),
        ("نحتاج إلى مساعدة", Answer.HELP, Sense.ANSWER),
        ("Помогите, мама не может идти", Answer.HELP, Sense.ANSWER),
        ("socorro, a água está a subir", Answer.HELP, Sense.ANSWER),
        ("हमें मदद चाहिए", Answer.HELP, Sense.ANSWER),
        ("আমাদের সাহায্য লাগবে", Answer.HELP, Sense.ANSWER),
        ("ياردەم كېرەك", Answer.HELP, Sense.ANSWER),
        ("རོགས་རམ་གནང་།", Answer.HELP, Sense.ANSWER),
        ("ང་ལ་རོགས་དགོས།", Answer.HELP, Sense.ANSWER),
        ("Cứu tôi với, nước vào nhà", Answer.HELP, Sense.ANSWER),
        ("can giup", Answer.HELP, Sense.ANSWER),
        ("không cần giúp", None, Sense.PERHAPS_HELP),
        ("no help needed", None, Sense.PERHAPS_HELP),
        ("I don't need help", None, Sense.PERHAPS_HELP),
        ("I don’t need food, I need help", None, Sense.PERHAPS_HELP),
        ("不要帮助", None, Sense.PERHAPS_HELP),
        ("不需要帮助", None, Sense.PERHAPS_HELP),
        ("no necesito ayuda", None, Sense.PERHAPS_HELP),
        ("सहायता नहीं चाहिए", None, Sense.PERHAPS_HELP),
        ("2 people cannot get out", None, Sense.PERHAPS_HELP),
        ("２", Answer.HELP, Sense.ANSWER),
        ("۲", Answer.HELP, Sense.ANSWER),
        ("2️⃣", Answer.HELP, Sense.ANSWER),
        ("②", Answer.HELP, Sense.ANSWER),
        ("1️⃣👍🏽", None, Sense.QUESTION),
        ("1 1 1", Answer.LEAVING, Sense.ANSWER),
        ("We are leaving.", Answer.LEAVING, Sense.ANSWER),
        ("已动身", Answer.LEAVING, Sense.ANSWER),
        ("not going", None, Sense.QUESTION),
        ("are we safe", None, Sense.QUESTION),
        ("安全吗", None, Sense.QUESTION),
        ("no", None, Sense.QUESTION),
        ("是", None, Sense.YES),
        ("Sí.", None, Sense.YES),
        ("👍", None, Sense.YES),
        ("Stop", None, Sense.STOP),
        ("STOP ALL", None, Sense.STOP),
        ("退订", None, Sense.STOP),
        ("please stop the water", None, Sense.QUESTION),
        ("start", None, Sense.START),
        ("", None, Sense.QUESTION),
    ],
)
def test_what_a_text_means(text: str, answer: Answer | None, sense: Sense) -> None:
    """A word of help anywhere is help; beside its denial a person reads it; the rest has to be the whole text."""
    reply = read_reply(text)
    assert (answer, sense) == (reply.answer, reply.sense)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("N4", 4), ("n 12", 12), ("we are 4", 4), ("We're four.", 4), ("4 of us", 4), ("there are 3 of us", 3),
        ("我们4个人", 4), ("我们四个人", 4), ("我們 ４ 個人", 4), ("somos 5", 5), ("nous sommes 3", 3), ("нас ٤", 4),
        ("हम ५ लोग", 5),
    ],
)  # fmt: skip
def test_how_many_are_together(text: str, count: int) -> None:
    """In words or digits of any script; only where the text says nothing else."""
    reply = read_reply(text)
    assert (None, count, Sense.COUNT) == (reply.answer, reply.count, reply.sense)


def test_a_count_beside_other_words_is_read_by_a_person() -> None:
    """A bare 4 stays the digit's; a count beside help counts; zero and a slip of the finger count nothing."""
    assert Answer.SPOKE is read_reply("4").answer
    assert (Answer.HELP, 4) == (read_reply("we are 4, help").answer, read_reply("we are 4, help").count)
    assert Sense.QUESTION is read_reply("we are 4 and the water comes in").sense
    for nothing in ("n0", "N999", "we are 0"):
        assert (0, Sense.QUESTION) == (read_reply(nothing).count, read_reply(nothing).sense)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    word=st.sampled_from(ANY_WORD), before=PUNCTUATION, after=PUNCTUATION, wide=st.booleans(), case=st.integers(0, 2)
)
def test_case_width_space_and_punctuation_never_change_the_meaning(
    word: str, before: str, after: str, wide: bool, case: int
) -> None:
    """However a phone writes it: capitals, full width, composed or not, what stands around it."""
    said = (word, word.upper(), word.title())[case]
    said = "".join(chr(ord(c) + 0xFEE0) if wide and 0x21 <= ord(c) <= 0x7E else c for c in said).replace(" ", " \t ")
    meant = read_reply(word)
    for form in ("NFC", "NFD"):
        read = read_reply(before + unicodedata.normalize(form, said) + after)
        assert (meant.answer, meant.sense) == (read.answer, read.sense), (word, said)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(digit=st.integers(1, 5), script=st.sampled_from(sorted(ZEROS)), around=PUNCTUATION)
def test_a_digit_means_the_same_in_every_script(digit: int, script: str, around: str) -> None:
    """Who types with a Persian, Hindi or Tibetan keyboard means the same key."""
    written = chr(ZEROS[script] + digit)
    assert read_reply(str(digit)) == read_reply(around + written + around)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(
    word=st.sampled_from(HELP_WORDS),
    before=st.lists(st.sampled_from([*ANY_WORD, "1", "3", "no", "不", "N3", "1234"]) | st.text(max_size=8), max_size=3),
    after=st.lists(st.sampled_from([*ANY_WORD, "1", "4", "stop", "4 1234"]) | st.text(max_size=8), max_size=3),
)
def test_no_text_with_a_word_of_help_ever_closes(word: str, before: list[str], after: list[str]) -> None:
    """Whatever stands around it, in whatever language: it is help, or a person reads it at once."""
    text = " ".join([*before, word, *after])
    assume(words().within("help", plain(text)))  # a combining mark just behind it makes another word of it
    reply = read_reply(text)
    assert reply.answer not in CLOSING
    assert reply.answer is Answer.HELP or reply.sense is Sense.PERHAPS_HELP


@settings(max_examples=300, derandomize=True, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_has_a_meaning(text: str) -> None:
    """Nothing a phone sends is refused or loses its way."""
    assert isinstance(read_reply(text).sense, Sense)


# ---- on a ledger


PHONE, OTHER = "+8613900000001", "+8613900000002"


class Exchange:
    """A replies on a real ledger with one warning; phones write to it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        keys = Keys(folder / "keys")
        self.index = keys.index
        settings = Settings(data_dir=folder, hotline="12345")
        bus = EmbeddedBus(database)
        self.clock = StepClock(1_700_000_000.0)
        platform = Platform(settings, database, bus, self.clock, keys, "http://127.0.0.1")
        self.recorder = OutcomeRecorder(database, bus, self.clock, settings.plane, 0.001)
        self.board = ReplyInbox(platform, self.recorder, cast(Any, None))
        self._n = 0
        self.flights: dict[str, Flight] = {}

    def key(self, phone: str) -> str:
        return address_key(self.index, "sms", phone)

    async def told(
        self, person: str, phone: str = PHONE, *, kind: str = "person", tier: int = 4, state: str = "accepted", covers: int = 1,
        form: str = "plain", due: float = 0.0, channel: str = "sms", warning: str = "w", reason: str = "",
        params: Params | None = None,
    ) -> str:  # fmt: skip
        """A delivery to this phone; its id."""
        self._n += 1
        one = f"{self._n:032x}"
        kind_of = {"official": "official", "callout": "callout"}
        row = {
            "delivery_id": one, "warning_id": warning, "kind": kind_of.get(form, "warning"), "tier": tier, "person_id": person,
            "addressee_id": person or "official", "addressee_kind": kind, "step": "red.1", "channel": channel,
            "driver": "sms_twilio", "form": form, "about_id": one, "language": "en", "address_key": self.key(phone),
            "reason": "test", "send_state": "pending" if state == "sending" else state,
            "due_at": due, "expires_at": 9e9, "state_at": 0.0,
            "attempts": 0 if state in ("pending", "sending", "suppressed") else 1, "covers": covers, "state_reason": reason,
            "params": params,
        }  # fmt: skip
        async with self.database.write() as tx:
            await waiting(tx, [row])
            if state == "sending":
                self.flights[one] = await in_the_air(tx, [one])
        return one

    async def says(self, text: str, phone: str = PHONE, *, event: str = "", opt_out: str = "") -> str:
        self._n += 1
        self.clock.advance_to(self.clock.now() + 1)
        return await self.board.inbound(Inbound("sms", phone, text, event or f"in:{self._n}", opt_out))

    async def log(self) -> list[tuple[str, str, str]]:
        """(answer, asks, note) of all that was said, oldest first."""
        async with self.database.read() as db:
            rows = await db.execute(sa.select(answer_log).order_by(answer_log.c.at, answer_log.c.event_key))
            return [(r.answer, r.asks, r.note) for r in rows]

    async def said_of(self, delivery_id: str) -> list[tuple[str, str]]:
        """(answer, asks) of what was said of one delivery, oldest first."""
        async with self.database.read() as db:
            mine = sa.select(answer_log).where(answer_log.c.delivery_id == delivery_id)
            rows = await db.execute(mine.order_by(answer_log.c.at, answer_log.c.event_key))
            return [(r.answer, r.asks) for r in rows]

    async def updated(self) -> None:
        """An update takes the place of the warning; nothing of it is planned yet."""
        new = {
            "warning_id": "w2", "chain_id": "w", "tier": 4, "state": "active", "kind": "update", "purpose": "live",
            "sent": 1.0, "expires_at": 9e9, "authority": "A", "number": "4722", "doors": "ask", "released_at": 1.0,
        }  # fmt: skip
        async with self.database.write() as tx:
            await tx.execute(sa.update(warning_state).values(state="superseded"))
            await insert_all(tx, warning_state, [new])

    async def state(self, delivery_id: str) -> tuple[str, str]:
        async with self.database.read() as db:
            row = (await db.execute(sa.select(delivery).where(delivery.c.delivery_id == delivery_id))).one()
        return row.send_state, row.state_reason


@pytest.fixture
async def there(empty: Database, tmp_path: Path) -> Exchange:
    state = {
        "warning_id": "w", "chain_id": "w", "tier": 4, "state": "active", "kind": "alert", "purpose": "live", "sent": 0.0,
        "expires_at": 9e9, "authority": "A", "number": "4721", "doors": "ask", "released_at": 0.0,
    }  # fmt: skip
    async with empty.write() as tx:
        await insert_all(tx, warning_state, [state])
    return Exchange(empty, tmp_path)


async def test_free_text_is_kept_for_a_person_and_help_at_once(there: Exchange) -> None:
    """The words are kept once, how soon they must be read beside them; the same text told twice is one."""
    await there.told("p")
    assert "A person will read this" in await there.says("where is the shelter?", event="in:1")
    await there.says("where is the shelter?", event="in:1")
    await there.says("I don't need help")
    assert "request for help" in await there.says("help, my mother cannot walk")
    assert [
        ("", "question", "where is the shelter?"),
        ("", "urgent", "I don't need help"),
        ("help", "", "help, my mother cannot walk"),
    ] == await there.log()


async def test_a_bare_yes_is_asked_back_once(there: Exchange) -> None:
    """Red asks several things; the second yes is read by a person. It never counts as an answer."""
    await there.told("p")
    assert (await there.says("YES")).startswith("Yes to what?")
    assert "A person will read this" in await there.says("yes!")
    assert [("", "", "yes"), ("", "question", "yes!")] == await there.log()


async def test_yes_means_what_was_asked_where_that_is_one_thing(there: Exchange) -> None:
    """Yellow asks who needs help; an official is asked whether they have read it."""
    await there.told("p", tier=3 - 1)
    await there.told("", OTHER, kind="worker", form="official")
    await there.says("yes")
    await there.says("好的", OTHER)
    assert ["help", "spoke"] == [answer for answer, _, _ in await there.log()]


async def test_help_never_waits_for_a_number_or_a_choice(there: Exchange) -> None:
    """Two people are helped from one phone: for whom is asked, and a person reads it meanwhile."""
    await there.told("her", kind="supporter")
    await there.told("him", kind="supporter")
    assert "more than one message" in await there.says("2")
    assert "more than one message" in await there.says("4")
    assert "more than one message" in await there.says("help 0000")
    assert [("", "urgent", "2"), ("", "urgent", "help 0000")] == await there.log()


async def test_an_officer_who_needs_help_is_read_at_once(there: Exchange) -> None:
    """The call to an official is about nobody who has a path: their call for help opens no path's case, so it asks a person."""
    await there.told("", kind="worker", form="official")
    await there.told("p", OTHER)
    await there.says("help, the bridge is gone")
    await there.says("2", OTHER)
    assert [("help", "urgent", "help, the bridge is gone"), ("help", "", "")] == await there.log()


async def test_how_many_counts_for_the_last_answer(there: Exchange) -> None:
    """'We are 3' after '1' closes for three; before any answer it is only noted."""
    one = await there.told("p", covers=3)
    assert "noted how many" in await there.says("we are 3")
    assert "How many are with you?" in await there.says("1")
    await there.says("我们3个人")
    async with there.database.read() as db:
        rows = (await db.execute(sa.select(answer_log).order_by(answer_log.c.at))).all()
        shown = (await db.execute(sa.select(delivery).where(delivery.c.delivery_id == one))).one()
    assert [("", 3), ("leaving", 1), ("leaving", 3)] == [(r.answer, r.covers) for r in rows]
    assert ("leaving", 3) == (shown.answer, shown.answer_covers)


async def test_stop_takes_back_what_was_not_sent_and_start_lifts_it(there: Exchange) -> None:
    """The number gets nothing more, the router hears of it, it is confirmed once; other numbers go on."""
    await there.told("p")
    waiting = await there.told("p", state="pending", due=9e8)
    others = await there.told("q", OTHER, state="pending", due=9e8)
    call = await there.told("p", state="pending", due=9e8, channel="voice_mobile")
    assert "No more messages to this number" in await there.says("Stop.")
    assert "" == await there.says("STOP")
    assert (SendState.SUPPRESSED, "stopped") == await there.state(waiting)
    assert (SendState.PENDING, "") == await there.state(others)
    assert (SendState.PENDING, "") == await there.state(call), "the same number is still called"
    async with there.database.read() as db:
        assert {there.key(PHONE)} == await opted_out.has_opted_out(db, [there.key(PHONE), there.key(OTHER)])
        topics = (await db.scalars(sa.select(outbox.c.topic))).all()
    assert "EvidenceRecorded" in topics
    assert "again" in await there.says("START")
    async with there.database.read() as db:
        assert set() == await opted_out.has_opted_out(db, [there.key(PHONE)])


async def test_nobody_is_promised_a_visit_who_gets_none(there: Exchange) -> None:
    """STOP is answered by what is true of whoever has the phone; one resident on it is enough."""
    await there.told("p")
    await there.told("q", OTHER)
    await there.told("r", OTHER, params=DoorReaches())
    said = await there.says("STOP")
    assert "look to sirens, radio, TV and the people near you" in said
    assert "try to come to your door" not in said
    assert "try to come to your door" in await there.says("STOP", OTHER)


async def test_what_is_claimed_for_a_stopped_number_is_not_sent(there: Exchange) -> None:
    """A message that was planned after the STOP is left out at the last moment, and says why."""
    await there.told("p")
    await there.says("stop")
    late, other = (
        await there.told("p", state="pending", due=1.0),
        await there.told("q", OTHER, state="pending", due=1.0),
    )
    call = await there.told("p", state="pending", due=1.0, channel="voice_mobile")
    async with there.database.write() as tx:
        await tx.execute(sa.update(delivery).values(sealed=b"x"))
    async with there.database.write() as tx:
        claimed = await deliveries_where(tx, delivery.c.delivery_id.in_([late, other, call]))
        left = await opted_out.leave_out(tx, claimed, there.clock.now(), "live")
    assert [other, call] == [row.delivery_id for row in left]
    assert (SendState.SUPPRESSED, "stopped") == await there.state(late)


async def test_a_number_nobody_knows_hears_nothing_and_is_kept_all_the_same(there: Exchange) -> None:
    """Its STOP holds should it ever stand in the register; START and anything else get the same silence."""
    for text in ("STOP", "START", "help", "hello"):
        assert "" == await there.says(text, "+8613911111111")
    assert "" == await there.says("STOP", "+8613911111111")
    async with there.database.read() as db:
        assert {there.key("+8613911111111")} == await opted_out.has_opted_out(db, [there.key("+8613911111111")])
    assert [] == await there.log()


async def test_the_provider_keeps_a_list_too(there: Exchange) -> None:
    """Its STOP in any language is ours, and confirmed by it; its refusal of an unsubscribed number is the same fact."""
    one = await there.told("p", state="sending")
    assert "" == await there.says("arretez", opt_out="STOP")
    assert "" == await there.says("unstop", opt_out="START")
    refused = outcome(Response(400, body=b'{"code": 21610}'))
    await there.recorder.report(
        Report(
            one,
            "1:outcome",
            "outcome",
            state=SendState.FAILED,
            code=refused.code,
            reason="permanent",
            attempt=1,
            flight=there.flights[one],
        )
    )
    assert (SendState.FAILED, "stopped") == await there.state(one)
    async with there.database.read() as db:
        assert {there.key(PHONE)} == await opted_out.has_opted_out(db, [there.key(PHONE)])


async def test_what_a_volunteer_says_is_heard_of_whom_she_was_called_for(there: Exchange) -> None:
    """Help always; from a video call, that the person was spoken with or not reached; nothing that would close, and once.

    Who was only asked, and has it no more or not yet, ends no video call.
    """
    call, visit = await there.told("p", "+8613900000009"), await there.told("q", "+8613900000008")
    only_asked, third = await there.told("r", "+8613900000007"), "+8613900000003"
    for phone, about, video in ((PHONE, call, True), (OTHER, visit, False), (third, only_asked, True)):
        asked = await there.told("", phone, kind="worker", form="callout")
        params = Callout("sign_volunteer", about, video=video, holds=phone != third)
        async with there.database.write() as tx:
            await tx.execute(sa.update(delivery).where(delivery.c.delivery_id == asked).values(params=params))
    for phone in (PHONE, OTHER, third):
        for text in ("yes", "4", "2", "5", "3"):
            await there.says(text, phone, event=f"in:{phone}:{text}")
            await there.says(text, phone, event=f"in:{phone}:{text}")
    async with there.database.read() as db:
        rows = (await db.execute(sa.select(answer_log).order_by(answer_log.c.event_key))).all()
    heard = sorted((r.delivery_id == call, r.answer, r.by) for r in rows if r.delivery_id in (call, visit))
    assert [
        (False, "help", "officer"),
        (True, "cannot_reach", "officer"), (True, "help", "officer"), (True, "spoke", "officer"),
    ] == heard  # fmt: skip
    assert ["help"] == [r.answer for r in rows if r.delivery_id == only_asked]
    asked_said = sorted(r.answer for r in rows if r.delivery_id not in (call, visit, only_asked))
    assert sorted(["leaving", "spoke", "help", "cannot_reach", "not_there"] * 3) == asked_said


async def test_who_said_stop_can_still_ask_for_help(there: Exchange) -> None:
    """The STOP outlives the warning it was said to: of the next one they are sent nothing, and their call for help is heard.

    Anything that would close is read by a person: they answer no message of this warning. Evidence there is none.
    """
    kept = await there.told("p", state="suppressed", reason="stopped")
    await there.told("q", OTHER, state="suppressed", reason="path closed")
    assert "request for help" in await there.says("help, the water comes in")
    assert "A person will read this" in await there.says("1")
    assert "A person will read this" in await there.says("where to?")
    assert "" == await there.says("help", OTHER), "taken back for another reason: nothing was ever to come of it"
    assert [("help", ""), ("", "question"), ("", "question")] == await there.said_of(kept)
    async with there.database.read() as db:
        row = (await db.execute(sa.select(delivery).where(delivery.c.delivery_id == kept))).one()
    assert ("help", 0, "suppressed") == (row.answer, row.evidence, row.send_state)


async def test_help_after_an_update_is_heard_before_the_new_text_is_there(there: Exchange) -> None:
    """Of the old message while the update has nothing for them, then of the new one, sent or not; by number as well.

    What would close stays with the message they answer, and never takes the new text back.
    """
    old = await there.told("p")
    await there.updated()
    assert "request for help" in await there.says("help")
    new = await there.told("p", state="pending", due=9e8, warning="w2")
    assert "request for help" in await there.says("2")
    assert "request for help" in await there.says(f"2 {reference(old)}")
    assert "A person will read this" in await there.says("which channel?")
    await there.says("1")
    assert [("help", ""), ("leaving", "")] == await there.said_of(old)
    assert [("help", ""), ("help", ""), ("", "question")] == await there.said_of(new)
    assert (SendState.PENDING, "") == await there.state(new)


async def test_what_a_cancel_has_ended_takes_no_replies(there: Exchange) -> None:
    """Only an update goes on with the same people."""
    await there.told("p")
    async with there.database.write() as tx:
        await tx.execute(sa.update(warning_state).values(state="cancelled"))
    assert "" == await there.says("help")


@pytest.mark.parametrize(
    "text", ["mother cannot walk, 1204 oak street", "we are trapped at house 1830", "1 person hurt at flat 1204"]
)
@pytest.mark.parametrize("shared", [False, True])
async def test_a_number_of_a_house_makes_no_message_of_it(there: Exchange, text: str, shared: bool) -> None:
    """Four digits that name no message of this phone are words like others: a person reads them, whoever shares the phone."""
    await there.told("p")
    if shared:
        await there.told("q")
    assert "A person will read this" in await there.says(text)
    assert [("", "question", text)] == await there.log()


async def test_only_a_message_of_this_phone_is_named_by_its_number(there: Exchange) -> None:
    """With it the answer is that message's, also for STOP and YES; only 4 and 5 take words between. An unknown number
    stands in the way of no call for help, and closes nothing."""
    one, other = await there.told("p"), await there.told("q")
    ref = reference(one)
    await there.says(f"1 {ref}")
    await there.says(f"1 person hurt at flat {ref}")
    assert [("leaving", ""), ("", "question")] == await there.said_of(one)
    assert (await there.says(f"YES {reference(other)}")).startswith("Yes to what?")
    single = await there.told("r", OTHER)
    await there.says("2 1830", OTHER)
    await there.says("1 1830", OTHER)
    assert [("help", ""), ("", "question")] == await there.said_of(single)
    assert "No more messages to this number" in await there.says(f"STOP {ref}")


def test_a_number_beside_stop_and_yes_changes_nothing() -> None:
    """As people write who were told to add it."""
    assert [Sense.STOP, Sense.START, Sense.YES] == [read_reply(f"{w} 1234").sense for w in ("STOP", "start", "Yes")]
    assert Sense.QUESTION is read_reply("yes 1234", {"4321"}).sense
