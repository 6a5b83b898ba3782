"""Drafts: nobody is told anything of ours in a language nobody has checked, unless the operator names it; whole or not at all."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from services.channels.drivers.twilio.voice import document
from services.channels.messages import draft_rules, hazard_texts, own_texts
from services.channels.messages.forms import every_channel
from services.channels.messages.frames import frame_for, lines_for
from services.channels.messages.hazard_text_rules import findings as text_findings
from services.channels.messages.hazard_texts import FORMS, Texts, WordSet, compose, model_of, shipped
from services.channels.messages.phrases import LINES
from services.channels.messages.render import render
from services.commands import texts as texts_cli
from services.commands.texts_table import of_hazard
from services.shared import draft_languages
from services.shared.draft_languages import drafts, using
from services.shared.errors import Refused
from services.shared.ledger.kinds import DeliveryKind
from services.shared.settings import Settings
from services.shared.text.sentences import sentences
from services.shared.tiers import Tier
from tests.unit.channels.test_render import PARTS, facts

SPANISH = {
    "source": "Oficina de Emergencias", "tier": "", "hazard": "Inundación repentina", "place": "Nanling", "time": "10.6. 02:10.",
    "description": "", "action": "Deje su casa ahora y suba a la escuela. Lleve sus medicinas y el teléfono.", "next": "03:00",
}  # fmt: skip
ENGLISH: dict[str, Any] = PARTS["en-US"]  # type: ignore[assignment]
SHORT_SPANISH = "Salga ya. Vaya a un lugar alto."
BOTH: dict[str, Any] = {
    "languages": ["en", "es"], "instruction": "leave", "set": "flash_flood", "en": ENGLISH, "es": SPANISH,
}  # fmt: skip


@pytest.fixture(autouse=True)
def none_named() -> Iterator[None]:
    """Each test names its own."""
    with using():
        yield


def test_es_and_fr_are_whole_drafts_and_ours_are_none() -> None:
    """Every hazard English has stands in each of them, nobody has signed it, and English needs no naming."""
    assert {"es", "fr"} <= {*drafts()}
    assert not {"en", "zh"} & {*drafts()}
    for language in drafts():
        assert "draft" == LINES[language].state
        for words in shipped().values():
            assert ("draft", "") == (words.state(language), words.languages[language].checked_by)


@pytest.mark.parametrize("form", ["short_plain", "easy_read"])
def test_a_text_of_ours_stands_only_where_the_language_is_named(form: str) -> None:
    """Unnamed, whoever reads Spanish gets the authority's own words in that form; named, ours with its own answers."""
    made = facts(parts=BOTH, form=form)
    own = render(made, "es;en")
    assert "es" == own.language
    assert SHORT_SPANISH not in own.text
    assert SPANISH["action"].split(".", maxsplit=1)[0] in own.text
    with using("es"):
        named = render(made, "es;en")
    assert SHORT_SPANISH in named.text
    assert "esponda" in named.text
    assert "eply" not in own.text + named.text


def test_the_authoritys_own_words_stand_in_the_frame_of_their_language_either_way() -> None:
    """Whoever reads an authority's Spanish is told in Spanish how to answer; named, by what they are asked to do."""
    unnamed = render(facts(parts=BOTH), "es;en").text
    with using("es"):
        named = render(facts(parts=BOTH), "es;en").text
    assert unnamed.startswith("Oficina de Emergencias: Inundación repentina.")
    assert named.startswith("Oficina de Emergencias: Alerta roja, Inundación repentina.")
    assert "Responda 1 si puede hacerlo" in unnamed
    assert "Responda 1 salgo, 2 necesito ayuda" in named
    for text in (unnamed, named):
        assert "suba a la escuela" in text
        assert not {"Reply", "Leave", "until"} & {*text.split()}


@pytest.mark.parametrize(
    ("more", "english", "spanish"),
    [
        ({"kind": DeliveryKind.ENDING, "ending": "may_return"}, "You may go home.", "Puede volver a casa."),
        ({"kind": DeliveryKind.ENDING, "ending": "checking"}, "Until we write again", "Hasta que escribamos otra vez"),
        ({"addressee": "supporter", "about": "M. L.", "form": "helper"}, "named helper", "persona de apoyo"),
        ({"addressee": "worker", "about": "M. L.", "form": "officer"}, "Please contact", "Contacte con"),
        ({"kind": DeliveryKind.OFFICIAL, "form": "official"}, "You are on duty", "está de guardia"),
        ({"kind": DeliveryKind.CALLOUT, "skill": "translator"}, "A translator is needed", "Traductor: hace falta"),
    ],
)
def test_what_we_say_ourselves_comes_in_the_next_language_until_theirs_is_named(
    more: dict[str, Any], english: str, spanish: str
) -> None:
    """Endings, helpers, officers, volunteers: a whole text in English, or a whole one in Spanish."""
    made = facts(parts=BOTH, **more)
    unnamed = render(made, "es;en")
    assert "en" == unnamed.language
    assert english in unnamed.text
    assert SPANISH["source"] not in unnamed.text
    with using("es"):
        named = render(made, "es;en")
    assert "es" == named.language
    assert spanish in named.text
    assert SPANISH["source"] in named.text


@pytest.mark.parametrize("form", ["plain", "short_plain", "easy_read"])
def test_what_is_added_for_a_screen_reader_is_of_the_same_language(form: str) -> None:
    """English spells its "No." out; no English word comes into a Spanish text."""
    with using("es"):
        assert "Number" not in render(facts(parts=BOTH, form=f"{form}+screen_reader"), "es").text
    assert "Number 4721" in render(facts(parts=BOTH, form="plain+screen_reader"), "en").text


def test_thanks_and_questions_follow_the_persons_list() -> None:
    """Named or not, what is answered to a reply is in the first of their languages that may be used."""
    assert LINES["en"] is lines_for("es;en")
    assert LINES["zh"] is lines_for("es;zh;en")
    with using("es"):
        assert LINES["es"] is lines_for("es-MX;en")
        assert LINES["en"] is lines_for("fr;en")


def test_the_places_language_is_taken_where_it_may_be_used() -> None:
    """A reader of Uyghur in a place that speaks Spanish: an ending in Spanish where that is named, else the warning's first."""
    parts = {**BOTH, "of_place": "es"}
    ending = facts(parts=parts, kind=DeliveryKind.ENDING, ending="may_return")
    assert "en" == render(ending, "ug").language
    assert "es" == render(facts(parts=parts), "ug").language, "the authority's own words need no naming"
    with using("es"):
        assert "es" == render(ending, "ug").language


def test_an_ending_of_a_warning_in_no_language_of_ours_is_in_their_next() -> None:
    """Spanish alone and not named: who reads Chinese too, or lives where it is spoken, gets no English sentence."""
    alone = {"languages": ["es"], "instruction": "leave", "set": "flash_flood", "es": SPANISH}
    ending = facts(parts=alone, kind=DeliveryKind.ENDING, ending="may_return")
    assert "可以回家" in render(ending, "es;zh").text
    assert (
        "可以回家"
        in render(facts(parts={**alone, "of_place": "zh"}, kind=ending.kind, ending=ending.ending), "es").text
    )
    assert "You may go home" in render(ending, "es").text
    with using("es"):
        assert "Puede volver a casa" in render(ending, "es;zh").text


@pytest.mark.parametrize("form", ["short_plain", "easy_read"])
def test_a_text_nobody_can_read_by_machine_follows_those_that_can_be_read(form: str) -> None:
    """The English of the same warning keeps people in: our Spanish "leave" gives way, and why is said."""
    kept_in = {**BOTH, "en": {**ENGLISH, "action": "Stay indoors. Close doors and windows."}}
    with using("es"):
        made = facts(parts=kept_in, form=form)
        assert SHORT_SPANISH not in render(made, "es").text
        assert "stay_in" in own_texts.gave_way(made, "es")
        assert "" == own_texts.gave_way(facts(parts=BOTH, form=form), "es")


def test_a_text_nobody_can_read_by_machine_stands_only_on_the_senders_response() -> None:
    """An alert in Spanish alone: with the response "evacuate" ours stands; without one nothing is guessed."""
    alone = {"languages": ["es"], "set": "flash_flood", "es": SPANISH}
    with using("es"):
        asked = render(facts(parts={**alone, "instruction": "leave"}, form="easy_read"), "es").text
        unasked = render(facts(parts={**alone, "instruction": ""}, form="easy_read"), "es").text
    assert SHORT_SPANISH in asked
    assert SHORT_SPANISH not in unasked
    assert "suba a la escuela" in unasked


def test_where_the_set_is_missing_the_authoritys_words_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text of another hazard, tier, instruction or language comes in its place."""
    flood = shipped()["flash_flood"]
    without = WordSet("flash_flood", {tag: texts for tag, texts in flood.languages.items() if tag != "es"})
    monkeypatch.setattr(hazard_texts, "shipped", lambda: {"flash_flood": without})
    with using("es"):
        text = render(facts(parts=BOTH, form="easy_read"), "es").text
    assert "suba a la escuela" in text
    assert "Leave" not in text


@pytest.mark.parametrize("language", drafts())
def test_no_form_mixes_two_languages_or_keeps_a_place_open(language: str) -> None:
    """Each text of each hazard in each form: no brace, no sentence of English, and the values that were filled in."""
    english = {
        one
        for words in shipped().values()
        for row in words.languages["en"].texts.values()
        for text in row.values()
        for said in (text.plain, text.short, text.easy)
        for one in sentences(said.format(to=words.languages["en"].away))
    } | {one for menu in LINES["en"].menus.values() for one in menu.values()}
    seen = 0
    for words in shipped().values():
        for tier, instruction in words.languages[language].cells():
            for form in FORMS:
                model = model_of(language)
                text = compose(words, language, tier, instruction, form, model)
                assert not {*"{}"} & {*text}, (words.hazard, tier, instruction, form)
                assert not english & {*sentences(text)}, (words.hazard, tier, instruction, form, text)
                assert model.number in text or form == "spoken"
                seen += 1
    assert seen == len(FORMS) * sum(len(words.languages["en"].cells()) for words in shipped().values())


@pytest.mark.parametrize("language", drafts())
def test_every_message_of_a_named_draft_is_whole(language: str) -> None:
    """Each channel's text of a warning in that language and English: no place is left open, no sentence of ours is English."""
    own = {**SPANISH, "hazard": shipped()["flash_flood"].languages[language].about[0]}
    parts = {**BOTH, "languages": ["en", language], language: own}
    ours = {one for menu in LINES["en"].menus.values() for one in menu.values() if one} | {
        LINES["en"].check, LINES["en"].answer_here, LINES["en"].one_way.format(hotline="12345"),
    }  # fmt: skip
    with using(language):
        for one in every_channel(parts, Tier.RED, "4721", "12345", drill=False):
            if one.language == language:
                assert not {*"{}"} & {*one.text}, one
                assert not [said for said in ours if said in one.text], one
                assert one.draft or one.channel in ("cell_broadcast", "mail_subject"), one.channel
            else:
                assert not one.draft


ORDERS = {
    ("es", "leave"): r"\b[Ss]alga (?:ya|de la casa)", ("es", "boil"): r"\bHierva",
    ("es", "stay_in"): r"[Qq]uédese|\b[Ee]ntre\b|\bEsté en una casa",
    ("es", "go_up"): r"\bSuba ya", ("es", "avoid"): r"\bNo |\b[Ll]ejos|\bAléjese|\bEvite|\bSalga del cauce",
    ("fr", "leave"): r"(?:[Pp]artez|[Ss]ortez|Quittez)\b.* maintenant", ("fr", "boil"): r"bouillir",
    ("fr", "stay_in"): r"[Rr]estez|\bEntrez|\bSoyez dans une maison", ("fr", "go_up"): r"\bMontez à l'étage",
    ("fr", "avoid"): r"\bN(?:e |')|\b[Ll]oin|Évitez|\bPas de",
}  # fmt: skip


@pytest.mark.parametrize(("language", "instruction"), [*ORDERS])
def test_each_form_holds_the_word_of_its_order(language: str, instruction: str) -> None:
    """No machine reads these languages: at least the word that everything hangs on stands in each form, and in no softer text the
    word for leaving."""
    seen = 0
    for words in shipped().values():
        for tier, other in words.languages[language].cells():
            said = words.languages[language].of(tier, other)
            assert said is not None
            for text in (said.plain, said.short, said.easy):
                if other == instruction:
                    assert re.search(ORDERS[language, instruction], text), (words.hazard, tier, text)
                    seen += 1
                elif instruction == "leave" and other in ("prepare", "monitor", "none", "check_on", "boil"):
                    assert "{to}" not in text
                    assert not re.search(r"Salga ya|Partez maintenant|Sortez maintenant", text), (
                        words.hazard,
                        tier,
                        text,
                    )
    assert seen >= 3


def test_who_approves_sees_that_it_is_a_draft() -> None:
    """A frame that is one, and a whole language; English is the project's own."""
    unnamed = [one for one in every_channel(BOTH, Tier.RED, "4721", "12345", drill=False) if one.language == "es"]
    ours = {one.channel for one in unnamed if one.draft}
    assert {"sms", "sms_short", "sms_easy", "call", "mail"} <= ours, "its frame is a draft"
    assert not {"helper", "officer"} & ours, "they are told in English"
    thai = {**BOTH, "languages": ["th"], "th": SPANISH}
    assert not any(one.draft for one in every_channel(thai, Tier.RED, "4721", "12345", drill=False)), (
        "nothing of ours is in it"
    )


def test_a_page_of_texts_says_how_far_each_was_checked() -> None:
    """The heading of a column; on a page to be signed by a council stand the languages people are told."""
    table = CliRunner().invoke(texts_cli.app, ["table", "--languages", "es,zh"]).output
    assert "es (draft: nobody has checked it)" in table
    assert "zh (translated, not checked)" in table
    assert "Salga ya. Vaya a Nanling School." in table
    assert ">es (" not in of_hazard("flash_flood")
    with using("es"):
        assert ">es (draft: nobody has checked it)<" in of_hazard("flash_flood")
    listed = CliRunner().invoke(texts_cli.app, ["list"]).output
    assert f"drafts that people are told: none, of {', '.join(drafts())}" in listed


@pytest.mark.parametrize(
    ("named", "wrong"),
    [
        ("en", "en is one of our own two languages"),
        ("es,tlh", "no drafts in 'tlh': use"),
        ("es;fr", "no drafts in 'es;fr'"),
    ],
)
def test_a_language_that_is_no_draft_is_refused_at_the_start(named: str, wrong: str) -> None:
    with pytest.raises(Refused, match=wrong) as refused:
        Settings(draft_languages=named)
    assert "TOCSIN_DRAFT_LANGUAGES" == refused.value.field


def test_named_languages_are_read_from_the_setting() -> None:
    assert ("es", "fr") == Settings(draft_languages="es, FR,es").drafts
    assert () == Settings().drafts
    assert draft_languages.usable("de", "checked"), "what readers have checked needs no naming"
    assert draft_languages.usable("zh-Hant", "draft")


def test_a_voice_that_cannot_say_a_named_language_says_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call fails because a language was named that the provider has no voice for."""
    monkeypatch.setitem(LINES, "tlh", LINES["es"])
    with using("tlh"):
        assert 'language="en-GB"' in document("...", "tlh", "https://x/k", keys="")
        assert 'language="es-ES"' in document("...", "es", "https://x/k", keys="")


def texts_with(language: str, **more: str) -> WordSet:
    """The flood's texts with others for what is said at red to people who leave, as this language's."""
    flood = shipped()["flash_flood"].languages
    row = flood["es"].texts["red"]
    red = {**row, "leave": row["leave"].model_copy(update=more)}
    changed = flood["es"].model_copy(update={"texts": {**flood["es"].texts, "red": red}})
    return WordSet("flash_flood", {"en": flood["en"], language: changed})


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"short": "Salga ya. Evite el agua."}, "{to} is missing"),
        ({"headline": "inundación {to}"}, "{to} does not stand in English"),
        ({"easy": "Salga ya. Vaya {to"}, "a brace is open"),
        ({"short": "Leave now. Go {to}. Avoid water."}, "is the English"),
        ({"plain": " "}, "is empty"),
    ],
)  # fmt: skip
def test_a_draft_is_held_against_english(more: dict[str, str], fault: str) -> None:
    words = texts_with("es", **more)
    found = [*draft_rules.beside_english(words, words)]
    assert [one for one in found if "red, leave" in one and fault in one], found


def test_a_draft_that_lacks_what_english_has_is_told() -> None:
    """A text, a hazard, and an order that people are never told by machine."""
    flood = shipped()["flash_flood"].languages
    texts = {tier: row for tier, row in flood["es"].texts.items() if tier != "blue"}
    less = WordSet("flash_flood", {"en": flood["en"], "es": flood["es"].model_copy(update={"texts": texts})})
    assert "flash_flood, es: has no text for blue, monitor, which English has" in [
        *draft_rules.beside_english(less, less)
    ]
    sets = [*shipped().values()]
    assert [] == [*draft_rules.findings(sets)]
    only = [WordSet(one.hazard, {"en": one.languages["en"]}) if one.hazard == "heat" else one for one in sets]
    assert any(one.startswith("heat, es: has no texts") for one in draft_rules.findings(only))


def test_forms_and_lines_are_held_against_english_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out of a form or of our own sentences is told with its place."""
    made = {tag: {**rules} for tag, rules in hazard_texts.forms().items()}
    made["es"] |= {"short": {"limit": 3, "text": "{short_source}: {name}. {action} {menu} No.{number}"}}
    del made["fr"]["crawl"]
    monkeypatch.setattr(draft_rules, "forms", lambda: made)
    thanks = {**LINES["es"].thanks, "help": "We have your request for help, {case}."}
    monkeypatch.setitem(LINES, "es", dataclasses.replace(LINES["es"], thanks=thanks, one_way="Ayuda: llame."))
    found = [*draft_rules.findings([*shipped().values()])]
    for fault in (
        "forms.yaml, es, short: {colour} is missing", "forms.yaml, fr: crawl is missing", "es, one_way: {hotline} is missing",
        "es, thanks, help: {hotline} is missing",
    ):  # fmt: skip
        assert [one for one in found if fault in one], (fault, found)


def test_a_place_nothing_fills_is_a_fault_and_no_crash() -> None:
    words = texts_with("es", short="Salga ya. Vaya {lugar}.")
    assert any("holds {lugar}, which nothing fills" in one for one in text_findings(words))


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [
        ("ar", "اخرج الآن. اذهب {to}.", ""),
        ("ar", "اخرج now. اذهب {to}.", "now."),
        ("ug", "ھازىر چىقىڭ. 30 km.", ""),
        ("bo", "ད་ལྟ་ཐོན།", ""),
        ("bo", "Leave ད་ལྟ།", "Leave"),
        ("vi", "Rời đi ngay. Đi {to}.", ""),
        ("tlh", "nuqneH", ""),
    ],
)
def test_a_text_is_written_in_the_script_of_its_language(language: str, text: str, word: str) -> None:
    """Whatever direction it is written in; of a language whose script is not known nothing is claimed."""
    assert word == draft_rules.foreign_letters(text, language)


def test_a_translated_set_needs_no_naming_but_its_sentences_around_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Menus, endings and texts go together: a checked text stands in no frame of another language."""
    flood = shipped()["flash_flood"]
    checked = flood.languages["es"].model_copy(
        update={"state": "checked", "checked_by": "A. B.", "checked_on": "2026-11-01"}
    )
    words = WordSet("flash_flood", {**flood.languages, "es": checked})
    assert not words.usable("es")
    monkeypatch.setitem(LINES, "es", dataclasses.replace(LINES["es"], state="translated"))
    assert words.usable("es")
    assert not flood.usable("es")
    assert frame_for("es").answer_here


def test_the_model_of_a_set_is_read_in_any_language() -> None:
    assert model_of("en") == model_of("fr")
    assert isinstance(shipped()["heat"].languages["fr"], Texts)
