"""What phones, cars and mailboxes write back by themselves is no call for help; a call beside it still is, and none is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channels.messages.frames import frame_for
from services.channels.messages.phrases import LINES
from services.channels.messages.render import MessageFacts, render
from services.channels.replies import meaning
from services.channels.replies import quoted_text as module
from services.channels.replies.meaning import Reply, Sense, read_reply
from services.channels.replies.quoted_text import findings, read_phone
from services.shared.database.batches import insert_all
from services.shared.ledger.evidence import Answer
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.warnings import warning_text
from services.shared.tiers import Tier
from tests.integration.channels.test_replies import PHONE, Exchange, there

__all__ = ["there"]  # the fixture

MENU = "Reply 1 leaving, 2 need help, 3 not there."
ACTION = "Leave now, on foot. Help your neighbours to the hall. If you are in danger call for help on 112."
WHOLE = f"Testshire: Red, flood. Low Lane. {ACTION} Sent Wed 02:10. No. 4721. {MENU}"
ZH = "【清水县应急局】山洪红色:南岭镇。现在离家。回1已走,回2要帮助,回3不在那里。10日02:10发。编号4721"
ES = "Testshire: Red. Low Lane. Responda 1 si puede hacerlo, 2 si necesita ayuda, 3 si no se encuentra en la zona."
FR = "Testshire: Low Lane. Répondez 1 si vous pouvez le faire, 2 si vous avez besoin d'aide, 3 si vous vous trouvez ailleurs."
HELPER = (
    "You are the named helper of Ann. Reply 4 7315 if you have spoken, 2 7315 if help is needed, 5 7315 if you cannot reach "
    "them."
)

QUESTION, PERHAPS, HELP = "question", "urgent", "help"
FORMS: tuple[tuple[str, str], ...] = (
    # reactions of a telephone's own, in its language
    (f"Liked “{MENU}”", QUESTION),
    (f"Loved “{WHOLE}”", QUESTION),
    (f"Laughed at “{WHOLE}”", QUESTION),
    (f"Emphasised “{MENU}”", QUESTION),
    (f"Disliked “{WHOLE}”", QUESTION),
    (f"Questioned “{MENU}”", QUESTION),
    (f"Removed a like from “{WHOLE}”", QUESTION),
    ("Removed a like from “…2 need help…”", QUESTION),
    (f"Removed a heart from “{MENU}", QUESTION),
    ("\u200a\u200b👍\u200b to “\u200a…Reply 1 going, 2 need help.\u200a”\u200a", QUESTION),
    (f"👍 to “{WHOLE}”", QUESTION),
    ("👍 to “…2 need help…”", QUESTION),
    (f"❤️ a “{ES}”", QUESTION),
    (f"😢 à « {FR} »", QUESTION),
    (f"Reacted 😂 to “{MENU}”", QUESTION),
    (f"Removed 👍🏽 from “{MENU}”", QUESTION),
    (f"‼️ to “{MENU}”", QUESTION),
    (f"Le gustó “{ES}”", QUESTION),
    (f"A aimé « {FR} »", QUESTION),
    (f"赞了“{ZH}”", QUESTION),
    ("对“…回2要帮助…”做了表情", HELP),  # phones word it in more ways than anybody lists: then it is help
    (f"Gefällt „{WHOLE}“", QUESTION),
    (f"Blah blah “{WHOLE}” blah", QUESTION),  # of a language nobody has listed, by the quotation alone
    # a quotation without a reaction
    (WHOLE, PERHAPS),  # the authority's own sentence about help may as well be theirs
    (MENU, QUESTION),
    (f"{ACTION} Help: reply 2.", PERHAPS),
    ("If you need help, reply 2 now.", QUESTION),
    (ZH, QUESTION),
    (HELPER, QUESTION),
    (f"what does this mean: {MENU}", QUESTION),
    ("Thank you. We have noted that you can do it. Help: reply 2.", QUESTION),
    ("1 leaving, 2 need help", PERHAPS),  # or one goes and two cannot
    ("call for help on 112", PERHAPS),
    ("Liked “help, the water is in the house”", PERHAPS),  # their own words of a moment ago
    # what a car or a mailbox answers
    ("I'm driving with Do Not Disturb While Driving turned on. I'll see your message when I get there.", QUESTION),
    ("I am out of the office until Monday. If you need help call 0117 496 0000.", QUESTION),
    ("Automatic reply: for urgent help contact the help desk.", QUESTION),
    ("Auto-Reply: Help! Your message was received", PERHAPS),
    ("I'm driving right now. If you need help, call Ann.", QUESTION),
    ("Abwesenheitsnotiz: if you need help write to the front office", QUESTION),
    ("Respuesta automática: si necesita ayuda llame al 900 000 000", QUESTION),
    ("Réponse automatique : si vous avez besoin d'aide, appelez le bureau.", QUESTION),
    ("自动回复:您好,我正在开车。如需帮助请打电话。", QUESTION),
    # a call for help beside one, and calls that look like one
    (f"Liked “{MENU}” help me please", HELP),
    (f"{MENU} 2", HELP),
    (f"2\n> {WHOLE}", HELP),
    (f"{MENU} help", HELP),
    (f"{HELPER}\n2", HELP),
    (f"{HELPER} 2", HELP),
    (f"> {HELPER}\n2\n> No. 4721. Testshire", HELP),
    (f"{HELPER} No. 4721. https://warn.example.org/a/0128ab-7\n2", HELP),
    (f"2\n{HELPER} No. 4721. https://warn.example.org/a/0128ab-7", HELP),
    (f"help\n\nOn Wed 2 Dec Testshire wrote:\n> {WHOLE}", HELP),
    (f"{ZH} 救命", HELP),
    (f"{ES} socorro", HELP),
    ("I'm driving, the car is in the water, help!", HELP),
    ("I'm driving. If you need help call Ann. Help, water everywhere", HELP),
    ("2 need help", HELP),
    ("need help", HELP),
    ("help call 999", HELP),
    ("回2要帮助", HELP),
    ("she shouts “help”", HELP),
    ("he cries “help me, I cannot get out” next door", HELP),
    (f"no help needed, {MENU}", PERHAPS),
)  # fmt: skip


def kind_of(reply: Reply) -> str:
    if reply.answer is Answer.HELP:
        return HELP
    return PERHAPS if reply.sense is Sense.PERHAPS_HELP else QUESTION if reply.answer is None else str(reply.answer)


async def test_every_form_on_a_ledger(there: Exchange) -> None:
    """Through the replies: help is a case, everything else a question for a person, at once or in its turn. None is lost."""
    parts = {"en-GB": {"source": "Testshire", "hazard": "flood", "place": "Low Lane", "action": ACTION}}
    async with there.database.write() as tx:
        row = {"warning_id": "w", "parts": {"languages": ["en-GB"], **parts}, "cap_xml": b""}
        await insert_all(tx, warning_text, [row])
    wrong = []
    for n, (text, kind) in enumerate(FORMS):
        phone = f"+8613900{n:06d}"
        one = await there.told(f"p{n}", phone)
        await there.says(text, phone)
        meant = [("help", "")] if kind == HELP else [("", kind)]
        if (said := await there.said_of(one)) != meant:
            wrong.append((text, meant, said))
    assert [] == wrong
    assert len(FORMS) > 50


async def test_a_machine_is_not_answered(there: Exchange) -> None:
    """Or it answers us, and so on; a reaction is, since a person made it."""
    await there.told("p", PHONE)
    assert "" == await there.says("Out of office: back on Monday")
    assert "" == await there.says("Automatic reply: if you need help call Ann")
    assert "A person will read this" in await there.says(f"Liked “{MENU}”")
    assert 3 == len(await there.log())


# ---- our own sentences, all of them


def everything_we_send() -> list[str]:
    """Each language's warnings of each tier, by what is asked, and every other sentence of ours."""
    found = []
    for language in ("en", "zh-CN", "zh-TW", "de", "es", "fr", "it", "pt", "th"):
        part = {
            "source": "Testshire", "tier": "T", "hazard": "flood", "place": "Low Lane", "time": "02:10.", "action": "Go up.",
            "description": "", "event": "flood",
        }  # fmt: skip
        for tier in (Tier.YELLOW, Tier.ORANGE, Tier.RED):
            for told in ("leave", "stay_in", "go_up", ""):
                for form in ("plain", "plain+ask_transport", "plain+backup_hours", "easy_read", "short_plain"):
                    parts = {"languages": [language], language: part, "instruction": told, "set": "flash_flood"}
                    facts = MessageFacts(
                        DeliveryKind.WARNING, "person", form, tier, parts, "4721", "7315", "12345", sms=True
                    )
                    found.append(render(facts, language).text)
        for kind, told in ((kind, told) for kind, texts in LINES["en"].endings.items() for told in texts):
            parts = {"languages": [language], language: part, "instruction": told}
            ending = MessageFacts(
                DeliveryKind.ENDING, "person", "plain", Tier.RED, parts, "4721", "7315", "12345", ending=kind, sms=True
            )
            found.append(render(ending, language).text)
        found.append(frame_for(language).call.format(hotline="12345"))
    for lines in LINES.values():
        found += [
            text.format(hotline="12345", case="H-01427")
            for text in (*lines.doing.values(), *lines.thanks.values(), lines.read_by_person, lines.which_yes)
        ]
    return sorted(set(found))


def test_our_own_messages_sent_back_are_never_help() -> None:
    """In every language and tier: as a reaction never even urgent, bare at most urgent; with a call beside it, help."""
    sent = ["Go up.", "Low Lane", "Testshire", "flood"]
    texts = everything_we_send()
    holding = [t for t in texts if read_reply(t).answer is Answer.HELP]
    assert len(holding) > 40
    for text in texts:
        assert QUESTION == kind_of(read_phone(f"Liked “{text}”", sent=sent)), text
        assert QUESTION == kind_of(read_phone(f"👍 to “{text}”", sent=sent)), text
        assert HELP != kind_of(read_phone(text, sent=sent)) or len(text) < 20, text
        for beside in (f"Liked “{text}” SOS", f"{text}\n救命"):  # "you need not leave" beside it makes it perhaps help
            assert kind_of(read_phone(beside, sent=sent)) in (HELP, PERHAPS), beside


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    text=st.sampled_from([text for text, _ in FORMS]),
    around=st.lists(st.sampled_from(["1", "3", "safe", "stop", "yes", "N3", "1234", "“", "”", "👍"]), max_size=3),
)
def test_nothing_beside_a_quotation_closes(text: str, around: list[str]) -> None:
    """Only help counts there: an answer that closes a path is the whole text."""
    reply = read_phone(" ".join([*around, text]), sent=[ACTION])
    assert reply.answer in (None, Answer.HELP)
    assert reply.sense in (Sense.ANSWER, Sense.PERHAPS_HELP, Sense.QUESTION)


# ---- one rule at a time is taken away, and a form must notice


def _mutants() -> dict[str, Callable[[Any, pytest.MonkeyPatch], None]]:
    def setting(name: str, value: Any) -> Callable[[Any, pytest.MonkeyPatch], None]:
        return lambda module, patch: patch.setattr(module, name, value)

    def without(which: str) -> Callable[[Any, pytest.MonkeyPatch], None]:
        def make(module: Any, patch: pytest.MonkeyPatch) -> None:
            lists = {**module._lists(), which: frozenset()}
            patch.setattr(module, "_lists", lambda: lists)

        return make

    def marks(change: Callable[[list[int]], list[int]]) -> Callable[[Any, pytest.MonkeyPatch], None]:
        def make(module: Any, patch: pytest.MonkeyPatch) -> None:
            real = module._own_marked
            patch.setattr(module, "_own_marked", lambda *a, **k: change(real(*a, **k)))

        return make

    def nothing_sent(module: Any, patch: pytest.MonkeyPatch) -> None:
        real = module._index
        patch.setattr(module, "_index", lambda sent: real(()))

    def authority_is_ours(module: Any, patch: pytest.MonkeyPatch) -> None:
        real = module._index

        class Both:
            def __init__(self, index: Any) -> None:
                self.index = index

            def with_pair(self, pair: tuple[str, str]) -> list[Any]:
                return [one for kept in self.index for one in kept.with_pair(pair)]

        patch.setattr(module, "_index", lambda sent: real(())._replace(ours=Both(real(sent))))

    def as_it_was(module: Any, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "_beside", lambda whole, left, doubtful: whole)

    def any_words_are_a_reaction(module: Any, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "_is_reaction", lambda before, inside, after: bool(inside.strip()))

    def emojis_only(module: Any, patch: pytest.MonkeyPatch) -> None:
        listed = module._lists()["reactions"]
        patch.setattr(module, "_is_reaction", lambda b, i, a: meaning.plain(f"{b} {a}") in listed)

    def help_beside_is_lost(module: Any, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "_beside", lambda whole, left, doubtful: Reply(None, sense=Sense.QUESTION))

    def no_doubt(module: Any, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "_helps", lambda tokens: False)

    def help_of_a_machine(module: Any, patch: pytest.MonkeyPatch) -> None:
        real = module._by_itself
        patch.setattr(module, "_by_itself", lambda reply, left, *, machine: real(reply, left, machine=False))

    def all_by_itself(module: Any, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "_by_itself", lambda reply, left, *, machine: Reply(None))

    def edges_are_not_looked_at(module: Any, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "_edges", lambda tokens, marks, span: ())

    def no_figures(module: Any, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "_figures", lambda tokens: list(tokens))
        patch.setattr(module, "_ours", cache(module._ours.__wrapped__))

    return {
        "our own sentences are not known": marks(lambda found: [0] * len(found)),
        "what is ours is surely ours": marks(lambda found: [2 if one else 0 for one in found]),
        "what is ours is perhaps ours": marks(lambda found: [1 if one else 0 for one in found]),
        "two words in a row are ours": setting("_OWN_WORDS", 2.0),
        "only long sentences are ours": setting("_OWN_WORDS", 9.0),
        "the authority's words are not known": nothing_sent,
        "the authority's words are surely a quotation": authority_is_ours,
        "a quotation changes nothing": as_it_was,
        "help beside a quotation is lost": help_beside_is_lost,
        "what is perhaps theirs is ours": no_doubt,
        "quotation marks are not seen": setting("_parted", lambda text: (text, "", "")),
        "whatever stands in quotation marks is a reaction": any_words_are_a_reaction,
        "an emoji is no reaction": emojis_only,
        "reactions in words are not known": without("reactions"),
        "machines are not known": without("machine"),
        "what a busy person's phone says is not known": without("busy"),
        "offers of help are calls": without("offers"),
        "a machine calls for help": help_of_a_machine,
        "who drives needs no help": all_by_itself,
        "numbers are told apart": no_figures,
        "a digit behind a quotation is lost": edges_are_not_looked_at,
        "a line of their own is not looked at": setting("_own_lines", lambda text, index: ()),
        "lines marked as another's are theirs": setting("_unmarked", lambda text: text),
    }


@pytest.mark.parametrize("name", ["", *_mutants()])
def test_each_rule_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a form is read otherwise than it should be; with all of them none is."""
    if name:
        _mutants()[name](module, monkeypatch)
    wrong = [text for text, kind in FORMS if kind_of(module.read_phone(text, sent=[ACTION])) != kind]
    assert bool(wrong) is bool(name), wrong


def test_the_file_may_be_used() -> None:
    """No phrase that is taken out holds a word of help, and every offer does."""
    assert [] == list(findings())


def test_our_own_sentences_are_read_once_for_all_replies() -> None:
    """Hundreds call for help within a minute, on the loop that sends: each text costs its own words alone."""
    read_phone("help please", sent=[ACTION])
    calls = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(counted)
    try:
        read_phone("help please, my mother cannot walk", sent=[ACTION, "Another authority's own words."])
    finally:
        sys.setprofile(None)
    assert calls < 20_000, calls
