"""Renders one message from a warning's parts: for a form, a language and a road; counts SMS segments. Pure.

Parts (made by the gateway): {"languages": [..], "<language>": {source, tier, hazard, place, action, time}}. Order of
every message: source, hazard, place, action, time, number. An SMS is kept to two segments (one in the short form):
the action is cut at a sentence's end, never the source, the place or the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.channels.texts import LANGUAGES, LINES, Lines
from services.shared.tier import Tier

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENDED = frozenset("^{}\\[~]|€\f")
_PLAIN_ASCII = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " ", "\t": " "}
)
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
    sms: bool = False
    notice: str = ""
    drill: bool = False


@dataclass(frozen=True)
class Rendered:
    """`text` for the eye, `spoken` for the ear (said twice by the voice road), `subject` for e-mail."""

    text: str
    spoken: str
    subject: str
    language: str


@dataclass(frozen=True)
class Segments:
    """How an SMS will be cut: gsm-7 (160/153 septets) or ucs-2 (70/67 code units)."""

    encoding: str
    units: int
    count: int


def segments(text: str) -> Segments:
    """The cut a provider makes; a character outside GSM-7 turns the whole text to UCS-2."""
    if all(c in _GSM7 or c in _GSM7_EXTENDED for c in text):
        units = sum(2 if c in _GSM7_EXTENDED else 1 for c in text)
        return Segments("gsm-7", units, 1 if units <= 160 else -(-units // 153))
    units = len(text.encode("utf-16-be")) // 2
    return Segments("ucs-2", units, 1 if units <= 70 else -(-units // 67))


def choose_language(wanted: str, available: list[str]) -> str:
    """The wanted language, else one of the same base, else English, else the first there is."""
    if not available:
        return "en"
    base = wanted.lower().replace("_", "-")
    exact = [one for one in available if one.lower() == base]
    near = [one for one in available if one.lower().split("-")[0] == base.split("-")[0]]
    english = [one for one in available if one.lower().split("-")[0] == "en"]
    return (exact or near or english or available)[0]


def lines_for(language: str) -> Lines:
    """Our own sentences in the language's base, or English."""
    base = language.lower().split("-")[0]
    return LINES[base if base in LANGUAGES else "en"]


def render(facts: Facts, wanted: str) -> Rendered:
    """The message in the person's language, or the nearest that the warning brings."""
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
        official = lines.superior if facts.form == "official_above" else lines.official
        return _helper(facts, part, official if facts.form.startswith("official") else lines.officer, language)
    if facts.purpose == "ending":
        return _ending(facts, part, lines, language)
    menu = lines.menu[facts.tier]
    limit = 1 if facts.form == "short_plain" else 2
    if facts.sms:
        text = _fit(lines.whole, part, facts.number, menu, limit)
    else:
        text = "\n".join(
            x
            for x in (
                f"{part['source']}: {part['tier']}, {part['hazard']}", part["place"], part["action"],
                f"{part['time']} {lines.number} {facts.number}", menu,
            )
            if x.strip()
        )  # fmt: skip
    spoken = f"{lines.this_is} {part['source']}. {part['hazard']}. {part['place']}. {_short(part['action'], 400)}"
    if not facts.sms and facts.link:
        text += f"\n\n{lines.answer_here} {facts.link}\n{lines.check} {facts.hotline}"
    subject = f"{part['tier']}: {part['hazard']} - {part['place']}"[:120]
    return Rendered(text, tidy(spoken), tidy(subject), language)


def _helper(facts: Facts, part: Mapping[str, str], pattern: str, language: str) -> Rendered:
    text = pattern.format(
        source=part["source"], tier=part["tier"], hazard=part["hazard"], place=_short(part["place"], 60), who=facts.about,
        ref=facts.ref, number=facts.number, link=facts.link, where=_short(facts.about_place, 60),
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
