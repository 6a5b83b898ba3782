"""What people are told at the end, by what they had been told to do: true for every hazard that tells them that."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from services.channels.messages.phrases import LINES, of_instruction
from services.shared.hazards.instructions import INSTRUCTIONS

TOLD = (*INSTRUCTIONS, "")


def said(language: str, kind: str, *instructions: str) -> Iterator[str]:
    for instruction in instructions or TOLD:
        yield of_instruction(LINES[language].endings[kind], instruction)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_ending_says_of_what_and_where(language: str) -> None:
    """Two warnings may hold at once: a number alone is looked up by nobody."""
    for kind in LINES[language].endings:
        for text in said(language, kind):
            assert {"{source}", "{hazard}", "{place}", "{number}"} <= set(re.findall(r"\{\w+\}", text)), (kind, text)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_whoever_is_asked_to_reply_can_call_as_well(language: str) -> None:
    """An ending goes out by calls, mail and channels that take no reply too."""
    reply = {"en": "Reply 2", "zh": "回2"}[language]
    for kind in LINES[language].endings:
        assert all("{hotline}" in text for text in said(language, kind) if reply in text), kind


@pytest.mark.parametrize(
    ("language", "asked", "windows"), [("en", "Was it gas or smoke?", "windows"), ("zh", "如是毒气或烟:", "门窗")]
)
def test_houses_are_aired_only_after_gas(language: str, asked: str, windows: str) -> None:
    """People stay in for a blizzard, a typhoon, an attacker and an illness too: nobody opens the windows for these."""
    (text,) = said(language, "may_return", "stay_in")
    assert asked in text
    assert text.index(asked) < text.index(windows)
    (lower,) = said(language, "danger_lower_stay_away", "stay_in")
    assert not re.search("air|windows|空气|窗", lower), lower


@pytest.mark.parametrize(
    ("language", "unless"),
    [("en", "Get out only if the house burns or has new cracks"), ("zh", "着火、有新裂缝才出来")],
)
def test_nobody_is_held_in_a_house_that_falls(language: str, unless: str) -> None:
    """After an earthquake people have answered that they are inside: they are not told to stay in a cracked house."""
    texts = [*said(language, "danger_lower_stay_away", "stay_in"), *said(language, "checking", "stay_in")]
    for text in (*texts, LINES[language].doing["stay_in"]):
        assert unless in text, text


@pytest.mark.parametrize(
    ("language", "lower", "taps", "mistake"),
    [
        ("en", "boil the tap water until", "let each cold tap run", "need not boil"),
        ("zh", "还要烧开", "放水五分钟", "不用烧开"),
    ],
)
def test_who_boils_water_is_told_about_water(language: str, lower: str, taps: str, mistake: str) -> None:
    for kind, words in (("danger_lower_stay_away", lower), ("may_return", taps), ("sent_by_mistake", mistake)):
        (text,) = said(language, kind, "boil")
        assert words in text, text


@pytest.mark.parametrize(("language", "down"), [("en", "come down"), ("zh", "可以下来")])
def test_who_went_up_for_a_mistake_is_told_to_come_down(language: str, down: str) -> None:
    (text,) = said(language, "sent_by_mistake", "go_up")
    assert down in text


@pytest.mark.parametrize(
    ("language", "holds"), [("en", "do as it says|stay inside|stay upstairs"), ("zh", "照它做|留在屋里|留在楼上")]
)
def test_while_a_message_is_checked_its_order_holds(language: str, holds: str) -> None:
    """ "Stay where you are safe" left whoever had not gone yet to guess; and nobody goes back meanwhile."""
    assert all(re.search(holds, text) for text in said(language, "checking"))
    assert all({"en": "do not go back", "zh": "先不要回去"}[language] in t for t in said(language, "checking", "leave"))


def test_three_is_not_there_and_never_not_at_home() -> None:
    """The answer closes a path: a guest of a hotel in the area is not at home, and is there."""
    zh = LINES["zh"]
    menus = [text for row in zh.menus.values() for text in row.values()]
    for text in (*menus, *zh.keys.values(), zh.not_understood, zh.which_yes, zh.thanks["not_there"]):
        assert "不在家" not in text, text
    assert "3不在那里" in menus[-1]


@pytest.mark.parametrize(
    ("language", "promise"),
    [("en", r"somebody (?:still )?(?:comes|is sent)"), ("zh", "(?:会|仍会|等)有人(?:来|上门)|有人来接")],
)
def test_nobody_is_promised_who_may_not_come(language: str, promise: str) -> None:
    lines = LINES[language]
    for text in (lines.stopped, lines.supporter_home, *lines.thanks.values(), *lines.doing.values()):
        assert not re.search(promise, text), text
