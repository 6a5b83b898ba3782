"""Renders a warning for every channel, form and language before it is sent, for whoever approves it. Pure.

Beside each text stands what it tells people to do, and whether a text of ours gave way to the authority's own words in it.
`against` says which texts contradict the authority's words, or each other, and which leave out where people are to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from services.channels.messages.cap_document import DocumentInfo
from services.channels.messages.cell_broadcast_text import words_of
from services.channels.messages.own_texts import gave_way, is_draft
from services.channels.messages.render import MessageFacts, render
from services.channels.messages.segments import segments
from services.shared.hazards.instructions import INSTRUCTIONS, contradiction, dropped, told_in
from services.shared.ledger.kinds import DeliveryKind
from services.shared.tiers import Tier

CHANNELS: tuple[tuple[str, dict[str, Any]], ...] = (  # its key, and what is rendered
    ("sms", {"sms": True}),
    ("sms_short", {"sms": True, "form": "short_plain"}),
    ("sms_braille", {"sms": True, "form": "braille_line"}),
    ("sms_easy", {"sms": True, "form": "easy_read"}),
    ("call", {"links": False}),
    ("mail_subject", {"link": "..."}),
    ("mail", {"link": "..."}),
    ("large_print", {"form": "large_print_card"}),
    ("crawl", {"form": "crawl", "addressee": "area", "links": False}),
    ("loudspeaker", {"addressee": "area", "links": False}),
    ("helper", {"sms": True, "addressee": "supporter", "about": "...", "form": "helper"}),
    ("officer", {"sms": True, "addressee": "worker", "about": "...", "about_place": "...", "form": "officer"}),
)
_OF_AN_ENDING = ("sms", "call", "mail_subject", "mail")  # everybody hears the same of it
_ALOUD = ("call", "loudspeaker")
_NO_ROOM = (
    "mail_subject",
    "cell_broadcast",
)  # a line, and a block whose operators cut it: they are not all that is said
_TO_OTHERS = ("helper", "officer")  # what they are to do is about somebody else


@dataclass(frozen=True)
class FormText:
    """One text. `segments` are those of a short message, 0 for another channel; `encoding` is theirs.

    `tells` is what it tells people to do, most urgent first; None in a language nobody can say it of. `gave_way`: why a text of
    ours is not said here, empty where none was to be.
    """

    language: str
    channel: str  # a key of CHANNELS, or cell_broadcast
    text: str
    segments: int = 0
    encoding: str = ""
    tells: tuple[str, ...] | None = None
    gave_way: str = ""
    draft: bool = False  # some of it is ours and nobody has checked it in this language


def every_channel(
    parts: Mapping[str, Any], tier: Tier | None, number: str, hotline: str, *, drill: bool, ending: str = ""
) -> list[FormText]:
    """Language by language; a tier that is not decided is shown as red, which says the most. Of an ending, what it tells."""
    decided = tier or Tier.RED
    return [
        one for language in parts["languages"] for one in _in(language, parts, decided, number, hotline, drill, ending)
    ]


def _in(
    language: str, parts: Mapping[str, Any], tier: Tier, number: str, hotline: str, drill: bool, ending: str
) -> Iterator[FormText]:
    for channel, how in CHANNELS:
        if ending and channel not in _OF_AN_ENDING:
            continue
        base: dict[str, Any] = {
            "kind": DeliveryKind.ENDING if ending else DeliveryKind.WARNING, "addressee": "person", "form": "plain", "tier": tier,
            "parts": parts, "number": number, "ref": "0000" if channel in _TO_OTHERS else "", "hotline": hotline, "drill": drill,
            "ending": ending,
        }  # fmt: skip
        facts = MessageFacts(**{**base, **how})
        made = render(facts, language)
        text = made.spoken if channel in _ALOUD else made.subject if channel == "mail_subject" else made.text
        cut = segments(text) if facts.sms else None
        yield FormText(
            language, channel, text, cut.count if cut else 0, cut.encoding if cut else "", _tells(text, language),
            gave_way(facts, language), channel != "mail_subject" and is_draft(facts, made.language),
        )  # fmt: skip
    if ending:
        return
    part = parts[language]
    block = DocumentInfo(
        language, "", "", "", part.get("event", ""), part["source"], part["hazard"], part["description"], part["action"],
        hotline, (part["place"],),
    )  # fmt: skip
    text = words_of(block, drill=drill)
    yield FormText(language, "cell_broadcast", text, tells=_tells(text, language))


def _tells(text: str, language: str) -> tuple[str, ...] | None:
    told = told_in(text, language)
    return None if told is None else tuple(one for one in INSTRUCTIONS if one in told.anybody)


@dataclass(frozen=True)
class Against:
    """Two texts of which one cannot be done with the other: `text` says `order`, empty where it leaves out what the `other` says,
    `opposite`."""

    text: str
    order: str
    other: str
    opposite: str


def against(parts: Mapping[str, Any], texts: Sequence[FormText]) -> list[Against]:
    """Each form held against the authority's own words in its language, and those words against each other language's."""
    own = {}
    for language in parts["languages"]:
        words = parts[language]["action"] or parts[language].get("description", "")
        if (told := told_in(words, language)) is not None:
            own[language] = told
    found = []
    for one in texts:
        told = told_in(one.text, one.language)
        if one.channel in _TO_OTHERS or told is None or one.language not in own:
            continue
        if orders := contradiction(told, own[one.language]):
            if one.channel in _NO_ROOM and orders[0] in own[one.language].everybody:
                continue  # what everybody is told, without what those do who cannot
            found.append(Against(f"{one.language} {one.channel}", orders[0], one.language, orders[1]))
        elif one.channel not in _NO_ROOM and (left_out := dropped(told, own[one.language])):
            found.append(Against(f"{one.language} {one.channel}", "", one.language, left_out))
    found += [
        Against(first, orders[0], second, orders[1])
        for first, second in combinations(own, 2)
        if (orders := contradiction(own[first], own[second]))
    ]
    return found
