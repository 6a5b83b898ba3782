"""Chooses a text of ours to stand for an authority's words in the short and the easy form, or says why none does. Pure.

One stands only where there is a text for that hazard, tier and instruction in that language, and only where it tells people the
same as the authority's own words.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.channels.messages import hazard_texts
from services.channels.messages.fitting import LONG_PLACE, named, places, tidy
from services.channels.messages.frames import frame_for, state_of
from services.channels.messages.message_facts import NAME, MessageFacts, Parts, choose_language, of_place
from services.channels.messages.segments import segments
from services.shared import draft_languages
from services.shared.hazards.instructions import MOVING, contradiction, dropped, told_in
from services.shared.tiers import Tier

_GOING = frozenset(("leave", "go_to_place"))
_SETS = {
    "short_plain": "short",
    "braille_line": "braille",
    "easy_read": "easy",
}  # forms that a set's own sentences are for


def gave_way(facts: MessageFacts, wanted: str) -> str:
    """Why a text of ours gave way to the authority's own words in this form; empty where none did."""
    there = list(facts.parts["languages"])
    language = choose_language(wanted, there, of_place(facts.parts))
    return of_set(facts, facts.parts[language], language, facts.form.split("+", 1)[0])[1]


def of_set(facts: MessageFacts, part: Mapping[str, str], language: str, form: str) -> tuple[str, str]:
    """A set's own short or easy text, where one fits what the warning tells people; empty where none does, or none fits the SMS.
    Beside it why one that was there gave way."""
    words = hazard_texts.shipped().get(str(facts.parts.get("set", "")))
    base = hazard_texts.language_of(language)
    if form not in _SETS or words is None:
        return "", ""
    instruction = str(facts.parts.get("instruction", ""))
    if not part["action"] and instruction not in MOVING:  # it says what may come and asks nothing: nothing is made up
        return "", ""
    if not words.fits(base, f"{part['hazard']} {part.get('event', '')}", facts.tier, instruction):
        return "", ""
    to: Parts = facts.parts[language].get("to") or facts.parts.get("to") or {}
    most = hazard_texts.limit(base, facts.tier, _SETS[form]) if facts.sms else 0
    # A long name of an authority takes a second segment: our short text in two is read sooner than theirs in two
    for room, more in ((room, more) for more in (0, 1) for room in (80, 40, 24, 12)):
        place = named(places(part["place"], room, frame_for(language).places_more), LONG_PLACE)
        ours = hazard_texts.Parts(
            source=named(part["source"], NAME), place=place, number=facts.number, hotline=facts.hotline,
            impact=str(part.get("impact", "")), place_to=str(to.get("name", "")),
            place_open=to.get("open") is True, one_way=not facts.two_way or (bool(facts.link) and not facts.sms),
        )  # fmt: skip
        text = hazard_texts.compose(words, base, facts.tier, instruction, _SETS[form], ours)
        if not most or segments(tidy(text)).count <= most + more:
            why = gives_way(text, part["action"], language)
            if not why and facts.tier is Tier.RED:
                asked = hazard_texts.action_of(words, base, facts.tier, instruction, _SETS[form], ours)
                why = for_some_alone(asked, part["action"], language)
            why = why or _unread(facts, words, base, _SETS[form])
            return ("", why) if why else (text, "")
    return "", ""


def _unread(facts: MessageFacts, words: hazard_texts.WordSet, base: str, form: str) -> str:
    """Why a text in a language whose orders nobody can find by machine gives way; empty where it does not.

    It says what the same text says in the languages that can be read. It stands where that one would stand beside the authority's
    own words in each of those; where the warning brings none of them its instruction is the sender's own response, and no guess.
    """
    if told_in("", base) is not None:
        return ""
    instruction = str(facts.parts.get("instruction", ""))
    for other in facts.parts["languages"]:
        readable = hazard_texts.language_of(other)
        texts = words.languages.get(readable)
        if told_in("", readable) is None or texts is None or (same := texts.of(facts.tier, instruction)) is None:
            continue
        said = getattr(same, "short" if form == "braille" else form).format(to=texts.away)
        theirs = facts.parts[other]["action"]
        why = gives_way(said, theirs, readable)
        if why or (facts.tier is Tier.RED and (why := for_some_alone(said, theirs, readable))):
            return why
    return ""


def is_draft(facts: MessageFacts, wanted: str) -> bool:
    """Whether somebody who approves the message is to know that nobody has checked what we say in it."""
    language = choose_language(wanted, list(facts.parts["languages"]), of_place(facts.parts))
    if draft_languages.to_be_marked(language, state_of(language)):
        return True
    own, _ = of_set(facts, facts.parts[language], language, facts.form.split("+", 1)[0])
    base = hazard_texts.language_of(language)
    words = hazard_texts.shipped().get(str(facts.parts.get("set", "")))
    return bool(own) and words is not None and draft_languages.to_be_marked(base, words.state(base))


def gives_way(ours: str, theirs: str, language: str) -> str:
    """Why a text of ours gives way to an authority's own words: it tells people something else, or leaves out where they are to
    be; empty where both tell them the same, or nothing can be said of that language."""
    mine, own = told_in(ours, language), told_in(theirs, language)
    if mine is None or own is None:
        return ""
    if against := contradiction(mine, own):
        return f"{against[0]} against {against[1]}"
    return dropped(mine, own)


def for_some_alone(ours: str, theirs: str, language: str) -> str:
    """Why what we ask of some gives way: everybody is told to leave, and whoever does not find themselves in it would stay."""
    mine, own = told_in(ours, language), told_in(theirs, language)
    if mine is None or own is None or not own.everybody & _GOING or mine.everybody & _GOING:
        return ""
    return "leave for some alone" if mine.some & _GOING else ""
