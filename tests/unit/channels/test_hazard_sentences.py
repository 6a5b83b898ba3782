"""What each hazard's texts say, beside the rules of the linter: one for each mistake that has hurt or would."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.channels.messages.hazard_texts import MODEL, InstructionText, Texts, compose, shipped
from services.shared import hazards
from services.shared.hazards.instructions import told_in
from services.shared.tiers import Tier
from tests.unit.channels.test_words import found_in, red

LANGUAGES = ("en", "zh")
FORMS = ("plain", "short", "easy")
ASKED = {"evacuate": "leave", "shelter_in": "stay_in", "check_on": "check_on"}


def cells(*names: str) -> Iterator[tuple[str, str, Texts, Tier, str, InstructionText]]:
    """Hazard, language, its texts, tier, instruction and text, of these hazards or all."""
    for name, words in shipped().items():
        for language in LANGUAGES if not names or name in names else ():
            texts = words.languages[language]
            for tier, instruction in texts.cells():
                yield name, language, texts, tier, instruction, texts.texts[tier.word][instruction]


def test_what_a_hazard_is_reckoned_to_ask_can_be_said_at_red() -> None:
    """People leave, stay in or look after each other by its rule: there is a text for that."""
    for name, hazard in hazards.known().items():
        instruction = (
            "boil" if name == "water_supply" else ASKED.get(hazard.rule.respond)
        )  # looked after by bringing water
        if instruction:
            assert shipped()[name].languages["en"].of(Tier.RED, instruction), name


def test_where_one_word_for_all_would_kill_some_there_is_a_text_for_each() -> None:
    """A flood: leave, or go up, or keep out of the water; rain and a typhoon: leave, or stay in; a fire too late to flee."""
    for name, instructions in (
        ("river_flood", "leave go_up avoid"), ("flash_flood", "leave go_up avoid"), ("rainstorm", "leave stay_in"),
        ("typhoon", "leave stay_in"), ("wildfire", "leave stay_in"), ("toxic_release", "stay_in leave"),
        ("earthquake", "stay_in leave"), ("water_supply", "boil avoid"),
    ):  # fmt: skip
        assert set(instructions.split()) <= set(shipped()[name].languages["en"].texts["red"]), name
    assert "stay_in" not in shipped()["gas_leak"].languages["en"].texts["red"], "gas that burns is left"


@pytest.mark.parametrize("place", ["to Hill 66", "去66高地"])
def test_leave_is_said_whatever_the_place_is_called(place: str) -> None:
    """The word for leaving is in the text itself, not in the name of a school: a place called anything is gone to."""
    for name, language, _, tier, instruction, text in cells():
        if instruction == "leave":
            for form in FORMS:
                told = told_in(getattr(text, form).format(to=place), language)
                assert told is not None
                assert "leave" in told.anybody, (name, language, tier, form)


def test_a_place_stands_only_where_people_are_sent() -> None:
    for name, language, texts, tier, instruction, text in cells():
        sends = any("{to}" in getattr(text, form) for form in FORMS)
        assert sends == (instruction in ("leave", "leave_or_stay")), (name, language, tier, instruction)
        assert not sends or (texts.to and texts.away), name


def test_in_danger_areas_others_are_told_too() -> None:
    """Where only some leave, the plain text has a word for whoever reads it on a sixth floor."""
    for name in ("rainstorm", "typhoon"):
        for language, others in (("en", "Others: keep away"), ("zh", "其他人远离")):
            said = shipped()[name].languages[language].of(Tier.RED, "leave")
            assert said is not None
            assert others in said.plain, name


def test_no_colour_stands_beside_a_bare_gas() -> None:
    """Chlorine is yellow and green: "Yellow gas" names a gas to a reader whose language is signed."""
    for name, language, texts, _, _, text in cells("toxic_release", "gas_leak"):
        for said in (texts.name, text.name):
            assert said not in ("gas", "气", "气体"), (name, language)


def test_blue_frightens_nobody() -> None:
    """Nor is the name frightening: poison gas, a tsunami and an earthquake are something else there."""
    parts = dataclasses.replace(MODEL["en"], short_place="Hedong")
    for name, instruction, not_said in (
        ("toxic_release", "monitor", "poison"), ("tsunami", "none", "tsunami"), ("earthquake", "none", "ground shakes"),
    ):  # fmt: skip
        for form in FORMS:
            said = compose(shipped()[name], "en", Tier.BLUE, instruction, form, parts)
            assert not_said not in said.lower(), said
    for _, language, texts, tier, _, text in cells("toxic_release"):
        if language == "zh" and tier == Tier.BLUE:
            assert "毒" not in (text.name or texts.name) + (text.easy_name or texts.easy_name)


def test_what_may_come_is_not_said_to_be_there() -> None:
    """Easy read is taken at its word: "a flood" at blue is a flood. What is there already is said as it is."""
    there = {"fire_danger", "missing_person"}
    for name, language, texts, tier, _, text in cells():
        if tier == Tier.BLUE and name not in there:
            assert text.easy_name not in ("", texts.easy_name), (name, language)
    for name in ("flash_flood", "river_flood", "landslide", "dam_break", "toxic_release", "wildfire", "typhoon"):
        for language in LANGUAGES:
            texts = shipped()[name].languages[language]
            for text in texts.texts["yellow"].values():
                assert text.easy_name not in ("", texts.easy_name), (name, language)


def test_no_hour_where_none_is_known_or_makes_sense() -> None:
    without = ("earthquake", "aftershock", "landslide", "heat", "cold", "epidemic", "public_security", "missing_person",
               "fire_danger", "gas_leak", "water_supply")  # fmt: skip
    found = {name for name, words in shipped().items() if words.languages["en"].due is None}
    assert set(without) == found
    assert all(
        (words.languages["en"].due is None) == (words.languages["zh"].due is None) for words in shipped().values()
    )


def test_an_hour_is_never_certain() -> None:
    """Water "by 03:00" is read as safe until three: what comes may come, and may come before."""
    for words in shipped().values():
        for language, may in (("en", ("may", "Maybe")), ("zh", ("可能",))):
            if due := words.languages[language].due:
                assert any(word in due.by for word in may), due.by


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("en", r"\bhide\b"), ("zh", r"躲起来|藏起来"),  # drop, cover, hold on
        ("en", r"neighbour who has"), ("zh", r"有电的邻居"),  # nobody there has power either
        ("en", r"\btonight\b|\btomorrow\b|\bstay awake\b"), ("zh", r"今晚|明天|别睡[;。]"),  # read at any hour
        ("en", r"\bwe (?:bring|come|send|fetch)\b|somebody (?:comes|can bring)"), ("zh", r"我们(?:送|来)|有人送"),  # no promise
        ("zh", r"1(?:10|19|20)(?!\d)"),  # of one country: the hotline is the warning's own
        ("en", r"\b(?:phone|call) (?:the|a|an|your|somebody|old)\b"),  # who cannot phone tells them in another way
    ],
)  # fmt: skip
def test_words_that_are_in_no_text(language: str, word: str) -> None:
    for name, in_, _, tier, instruction, text in cells():
        if in_ == language:
            for form in ("headline", *FORMS):
                assert not re.search(word, getattr(text, form), re.IGNORECASE), (name, tier, instruction, form)


@pytest.mark.parametrize(
    ("hazard", "tier", "instruction", "en", "zh"),
    [
        ("earthquake", Tier.RED, "stay_in", "Drop", "趴下"),
        ("earthquake", Tier.RED, "leave", "lift", "不坐电梯"),
        ("gas_leak", Tier.RED, "leave", "switch", "开关"),
        ("flash_flood", Tier.RED, "go_up", "upstairs", "上楼"),
        ("power_cut", Tier.RED, "check_on", "machine to live", "靠机器"),
        ("power_cut", Tier.ORANGE, "check_on", "Reply 2 now", "现在回2"),
        ("toxic_release", Tier.RED, "stay_in", "doors", "关"),
        ("tsunami", Tier.RED, "leave", "Do not come back", "不要回来"),
        ("public_security", Tier.RED, "stay_in", "Lock the door", "锁"),
        ("water_supply", Tier.RED, "avoid", "help", "加热也没用"),
    ],
)
def test_what_saves_stands_in_every_form(hazard: str, tier: Tier, instruction: str, en: str, zh: str) -> None:
    """The one thing that must be done is in the long text, the short and the easy one, in both languages."""
    for language, words in (("en", en), ("zh", zh)):
        text = shipped()[hazard].languages[language].of(tier, instruction)
        assert text is not None
        for form in FORMS:
            said = getattr(text, form)
            assert words.lower() in said.lower() or (words == "Drop" and "Get down" in said), (language, form, said)


def test_who_is_outdoors_is_told_where_to() -> None:
    for hazard, instruction in (("toxic_release", "stay_in"), ("flash_flood", "go_up"), ("river_flood", "go_up"),
                                ("storm", "stay_in"), ("thunderstorm", "stay_in"), ("earthquake", "stay_in")):  # fmt: skip
        text = shipped()[hazard].languages["en"].of(Tier.RED, instruction)
        assert text is not None
        assert re.search(r"Outside|shed or boat|Go inside", text.plain), hazard


@pytest.mark.parametrize("key", ["name", "easy_name"])
def test_a_text_of_its_own_name_is_held_to_the_same(tmp_path: Path, key: str) -> None:
    """A name that a text brings at blue may not speak of danger either."""
    blue = red("gas", "monitor", f'plain: "Listen.", short: "Listen.", easy: "Listen.", {key}: "Danger. Gas"')
    found = found_in(tmp_path, blue.replace("red:", "blue:"))
    assert any(f"{key}: speaks of danger at blue" in fault for fault in found), found


@pytest.mark.parametrize(
    ("hazard", "tier", "instruction", "en", "zh"),
    [
        (
            "water_supply",
            Tier.RED,
            "avoid",
            "not good",
            "不能直接喝",
        ),  # that is water to boil, and boiling makes it no better
        ("dam_break", Tier.YELLOW, "prepare", "break", "溃坝"),  # a dam that is watched has not broken
        ("epidemic", Tier.RED, "stay_in", "flu", "流感"),  # the texts are for a coronavirus too
        ("gas_leak", Tier.ORANGE, "avoid", "in the house", "屋里"),  # told to keep away, not that it is in theirs
        ("power_cut", Tier.ORANGE, "prepare", "no power", "没电"),  # it is on until the hour that is named
        ("tsunami", Tier.BLUE, "none", "far away", "远处地震"),  # "far away. In Hedong."
    ],
)
def test_a_name_is_true_of_the_text_it_stands_before(
    hazard: str, tier: Tier, instruction: str, en: str, zh: str
) -> None:
    for language, false in (("en", en), ("zh", zh)):
        texts = shipped()[hazard].languages[language]
        text = texts.texts[tier.word][instruction]
        for name in (text.name or texts.name, text.easy_name or texts.easy_name):
            assert false not in name, (language, name)


def test_who_is_in_the_place_to_keep_away_from_is_told_what_to_do() -> None:
    """The area a warning is sent to is where the attacker is."""
    for language, words in (("en", "Are you in it?"), ("zh", "在里面的")):
        text = shipped()["public_security"].languages[language].of(Tier.RED, "avoid")
        assert text is not None
        assert words in text.plain


@pytest.mark.parametrize(("language", "words"), [("en", "while it shakes"), ("zh", "震时留在屋里")])
def test_people_stay_inside_only_while_it_shakes(language: str, words: str) -> None:
    """Taken at its word "stay inside" keeps people in a house that is cracked."""
    text = shipped()["earthquake"].languages[language].of(Tier.RED, "stay_in")
    assert text is not None
    assert all(words in said for said in (text.short, text.easy))


def test_cellars_and_weak_houses_are_in_the_short_forms_too() -> None:
    """They are where people die of rain and wind, and who is deaf lives there as well."""
    for hazard, en, zh in (("rainstorm", "cellar", "地下室"), ("typhoon", "weak house|shed", "危房")):
        for language, words in (("en", en), ("zh", zh)):
            text = shipped()[hazard].languages[language].of(Tier.RED, "leave")
            assert text is not None
            assert all(re.search(words, said) for said in (text.plain, text.short, text.easy)), (hazard, language)


def test_whoever_can_answer_one_is_told_so_in_the_short_form_of_both_languages() -> None:
    """An answer that stands in one language alone closes the paths of its readers alone."""
    parts = {language: dataclasses.replace(MODEL[language]) for language in LANGUAGES}
    for name, words in shipped().items():
        for tier, instruction in words.languages["en"].cells():
            short = {one: compose(words, one, tier, instruction, "short", parts[one]) for one in LANGUAGES}
            assert ("Reply 1" in short["en"]) == ("回1" in short["zh"]), (name, tier, instruction)
