"""Renders one message from a warning's parts: for a form, a language and a road; counts SMS segments. Pure.

Parts (made by the gateway): {"languages": [..], "<language>": {source, tier, hazard, place, action, time}}, and where
they are known "set" and "respond" (which set of `words/` fits) and, a language or for all, "to": {"name", "open"} (where
people may go) and "impact". Order of every message: source, hazard, place, action, time, number. The authority's own action is
said in the plain forms; the short and the easy form are a set's sentences where one fits, since those were written one
idea a sentence. An SMS is kept to two segments (one in the short form): the action is cut at a sentence's end, never
the source, the place or the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.channels import wordsets
from services.channels.segments import Segments, segments
from services.channels.texts import LANGUAGES, LINES, Lines
from services.shared import languages
from services.shared.tier import Tier

_PLAIN_ASCII = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " ", "\t": " "}
)
__all__ = ["Facts", "Rendered", "Segments", "choose_language", "lines_for", "render", "segments", "tidy"]
_LINKS = re.compile(r"\s*https?://\S+")
_SETS = {"short_plain": "short", "easy_read": "easy"}  # forms that a set's own sentences are for
_CARDS = ("large_print", "large_print_card")
_SENTENCE = re.compile(r"(?<=[.!?。！？;；])\s*")


@dataclass(frozen=True)
class Facts:
    """All a text is made of. `parts` as above; `about` is the person a helper is told of."""

    purpose: str
    addressee: str
    kind: str
    form: str
    tier: Tier
    parts: Mapping[str, Any]
    number: str
    ref: str
    hotline: str
    about: str = ""
    about_place: str = ""
    link: str = ""
    link_apart: bool = False  # the road carries the link beside the text
    sms: bool = False
    notice: str = ""
    skill: str = ""  # what a volunteer is called out for
    by_video: bool = False  # to a video call, not to a door
    drill: bool = False
    links: bool = True  # the road lets a link through
    two_way: bool = True  # the road takes a reply


@dataclass(frozen=True)
class Rendered:
    """`text` for the eye, `spoken` for the ear (said twice by the voice road), `subject` for e-mail."""

    text: str
    spoken: str
    subject: str
    language: str


def choose_language(wanted: str, available: list[str]) -> str:
    """The first of the wanted languages that is there, or one of its base; else English, else the first there is."""
    if not available:
        return "en"
    if found := languages.choose(wanted, available):
        return found
    english = [one for one in available if one.lower().split("-")[0] == "en"]
    return (english or available)[0]


def lines_for(language: str) -> Lines:
    """Our own sentences in the language's base, or English."""
    return LINES[languages.first_of(language, LANGUAGES) or "en"]


def render(facts: Facts, wanted: str) -> Rendered:
    """The message in the person's language, or the nearest that the warning brings."""
    found = _rendered(facts, wanted)
    drill = lines_for(found.language).drill
    if facts.drill and not found.subject.startswith(drill):
        found = replace(found, subject=f"{drill} {found.subject}")
    return found if facts.links else replace(found, text=_LINKS.sub("", found.text))


def _rendered(facts: Facts, wanted: str) -> Rendered:
    language = choose_language(wanted, list(facts.parts["languages"]))
    part = facts.parts[language]
    lines = lines_for(language)
    if facts.drill:
        part = {**part, "source": f"{lines.drill} {part['source']}"}
    if facts.purpose == "notice":
        text = lines.notices[facts.notice].format(source=part["source"], number=facts.number, link=facts.link)
        return Rendered(text, text, part["source"], language)
    if facts.addressee == "supporter" and facts.purpose == "warning":
        pattern = lines.supporter_inside if facts.form == "helper_in" else lines.supporter
        return _helper(facts, part, pattern, language)
    if facts.addressee == "worker" and facts.purpose == "warning":
        if facts.form == "callout":
            called = lines.callout_video if facts.by_video else lines.callout
            return _helper(facts, part, called, language, lines.skills.get(facts.skill, facts.skill))
        official = lines.superior if facts.form == "official_above" else lines.official
        return _helper(facts, part, official if facts.form.startswith("official") else lines.officer, language)
    if facts.purpose == "ending":
        return _ending(facts, part, lines, language)
    return _warning(facts, part, lines, language)


def _warning(facts: Facts, part: Mapping[str, str], lines: Lines, language: str) -> Rendered:
    """To the person, the house or the area."""
    form, *extras = facts.form.split("+")
    menu = lines.menu[facts.tier]
    by_link = bool(facts.link) and not facts.sms
    if by_link:
        menu = ""  # nobody reads what is written back to it
    elif menu and not facts.two_way:
        menu = lines.one_way.format(hotline=facts.hotline)
    more = " ".join(lines.extras[e].format(link="") for e in extras if e in lines.extras and e != "sign_video")
    own = _of_set(facts, part, language, form)
    if form == "crawl":
        text = tidy(
            f"{part['tier']}: {part['hazard']}. {part['place']}. {part['action']} {part['time']} {part['source']}, "
            f"{lines.number} {facts.number}. {lines.check} {facts.hotline}."
        )
    elif own:
        text = tidy(f"{own} {more}" if segments(f"{own} {more}").count <= 1 or "moved_of_headcount" in extras else own)
    elif facts.sms:
        text = _fit(lines.whole, part, facts.number, f"{more} {menu}".strip(), 1 if form == "short_plain" else 2)
    else:
        text = _in_lines(facts, part, lines, f"{more} {menu}".strip(), form)
    if "screen_reader" in extras:
        text = re.sub(r"\bNo\. ?(?=\d)", "Number ", text)
    spoken = (
        f"{lines.this_is} {part['source']}. {part['hazard']}. {part['place']}. {_short(part['action'], 400)} {more}"
    )
    if facts.addressee == "area" and facts.hotline:
        spoken += f" {lines.check} {' '.join(facts.hotline)}."  # digit by digit, or a voice says twelve thousand
    if by_link:
        here = lines.answer_here.rstrip(":：") if facts.link_apart else f"{lines.answer_here} {facts.link}"
        text += f"\n\n{here}\n{lines.check} {facts.hotline}"
        if not facts.link_apart:
            text += f"\n{lines.not_yours.format(hotline=facts.hotline)}"
    subject = f"{part['tier']}: {part['hazard']} - {part['place']}"[:120]
    return Rendered(text, tidy(spoken), tidy(subject), language)


def _in_lines(facts: Facts, part: Mapping[str, str], lines: Lines, menu: str, form: str) -> str:
    """For a page or a card: a line a part, in large print a line a sentence."""
    actions = [s for s in _SENTENCE.split(tidy(part["action"])) if s] if form in _CARDS else [part["action"]]
    parts = (
        f"{part['source']}: {part['tier']}, {part['hazard']}", part["place"], *actions,
        f"{part['time']} {lines.number} {facts.number}", menu,
    )  # fmt: skip
    return "\n".join(x for x in parts if x.strip())


def _of_set(facts: Facts, part: Mapping[str, str], language: str, form: str) -> str:
    """A set's own short or easy text, where one fits what the warning asks; empty where none does, or none fits the SMS."""
    words = wordsets.shipped().get(str(facts.parts.get("set", "")))
    base = language.lower().split("-")[0]
    if form not in _SETS or words is None or base not in words.languages:
        return ""
    if not words.fits(part["hazard"], str(facts.parts.get("respond", ""))):
        return ""
    to: Any = part.get("to") or facts.parts.get("to") or {}
    most = wordsets.limit(base, facts.tier, _SETS[form]) if facts.sms else 0
    for room in (80, 40, 24, 12):
        place = _short(part["place"], room)
        text = wordsets.compose(
            words, base, facts.tier, _SETS[form],
            wordsets.Parts(
                source=_short(part["source"], 40), place=place, number=facts.number, hotline=facts.hotline,
                impact=str(part.get("impact", "")), place_to=_short(str(to.get("name", "")), 30),
                place_open=to.get("open") is True, one_way=not facts.two_way or (bool(facts.link) and not facts.sms),
            ),
        )  # fmt: skip
        if not most or segments(tidy(text)).count <= most:
            return text
    return ""


def _helper(facts: Facts, part: Mapping[str, str], pattern: str, language: str, skill: str = "") -> Rendered:
    text = pattern.format(
        source=part["source"], tier=part["tier"], hazard=part["hazard"], place=_short(part["place"], 60), who=facts.about,
        ref=facts.ref, number=facts.number, link=facts.link, where=_short(facts.about_place, 60), skill=skill,
    )  # fmt: skip
    spoken = re.sub(r"https?://\S+", "", text)
    return Rendered(tidy(text), tidy(spoken), f"{part['tier']}: {part['hazard']}", language)


def _ending(facts: Facts, part: Mapping[str, str], lines: Lines, language: str) -> Rendered:
    pattern = lines.endings.get(facts.kind, lines.endings["not_for_you"])
    text = tidy(
        pattern.format(
            source=part["source"], hazard=part["hazard"], place=_short(part["place"], 80), number=facts.number,
            time=part["time"], hotline=facts.hotline, action=_short(part["action"], 80),
        )
    )  # fmt: skip
    return Rendered(text, text, tidy(f"{part['source']}: {part['hazard']}")[:120], language)


def _fit(whole: str, part: Mapping[str, str], number: str, menu: str, limit: int) -> str:
    """The message in at most `limit` segments: the action is cut at a sentence's end, then the place is shortened,
    then the time goes, then the action is cut in its first sentence; source, number and answers always stay."""
    sentences = [s for s in _SENTENCE.split(tidy(part["action"])) if s] or [""]
    gap = "" if "。" in whole else " "

    def made(action: str, place: int, time: bool) -> str:
        return tidy(
            whole.format(
                source=_short(part["source"], 60), tier=part["tier"], hazard=_short(part["hazard"], 60),
                place=_short(part["place"], place), action=action, time=part["time"] if time else "", number=number,
                menu=menu,
            )
        )  # fmt: skip

    for place, time in ((60, True), (30, True), (30, False)):
        for keep in range(len(sentences), 0, -1):
            text = made(gap.join(sentences[:keep]), place, time)
            if segments(text).count <= limit:
                return text
    for room in range(120, 10, -10):
        text = made(_short(sentences[0], room), 20, False)
        if segments(text).count <= limit:
            return text
    return made(_short(sentences[0], 20), 20, False)


def _short(text: str, room: int) -> str:
    """At most `room` characters, cut at a word."""
    text = tidy(text)
    if len(text) <= room:
        return text
    cut = text[:room]
    return (cut.rsplit(" ", 1)[0] if " " in cut[room // 2 :] else cut).rstrip(",;:. ")


def tidy(text: str) -> str:
    """One line, typographic signs as plain ones (a dash would double the segments), no doubled full stops."""
    text = " ".join(text.translate(_PLAIN_ASCII).split())
    return re.sub(r"([.。!！?？])\s*[.。]", r"\1", text)
