"""Renders one message from a warning's parts: for a form, a language and a channel; counts SMS segments. Pure.

Parts (made by the gateway): {"languages": [..], "<language>": {source, tier, hazard, event, place, action, description,
time, sent, next}}, and where they are known "set" (which file of `services/shared/hazards` is about it), "instruction" (the
one thing it tells people to do) and, a language or for all, "to": {"name", "open"} (where people may go) and "impact". Order
of every message: source, hazard, place, action, time, number. What is said is the authority's own, in whole sentences; a
set's words stand for it only in the short and the easy form, only where there is a text for that hazard, tier and
instruction, and only where that text tells people the same as the authority's own words. Where an alert names no action none
is made up: its description is said.
How it is made to fit: see `fitting`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.channels.messages import hazard_texts, shortening
from services.channels.messages.fitting import (
    LONG_PLACE,
    LONGEST,
    filled,
    fits,
    fitted,
    named,
    places,
    plain_signs,
    tidy,
)
from services.channels.messages.frames import Frame, frame_for, lines_for
from services.channels.messages.phrases import LANGUAGES, Lines, answered_as, of_instruction
from services.channels.messages.segments import Segments, segments
from services.shared.hazards import known
from services.shared.hazards.instructions import MOVING, contradiction, dropped, told_in
from services.shared.ledger.kinds import SAYS_NO_WARNING, DeliveryKind
from services.shared.people import languages
from services.shared.people.languages import base_of
from services.shared.text.sentences import flat, sentences
from services.shared.tiers import Tier

__all__ = ["MessageFacts", "Rendered", "Segments", "choose_language", "lines_for", "render", "segments", "tidy"]
_LINKS = re.compile(r"\s*https?://\S+")
_SETS = {"short_plain": "short", "easy_read": "easy"}  # forms that a set's own sentences are for
_CARDS = ("large_print", "large_print_card")
_USUAL = {"evacuate": "leave", "shelter_in": "stay_in", "check_on": "check_on"}  # respond of a hazard > instruction
_TO_LEAVE = ("leave_early", "ask_transport", "moved_of_headcount")  # extras for people who are asked to leave
TO_GO = ("leave", "go_to_place")
_GOING = frozenset(TO_GO)
_HOUSE = {"leave": "leave", "go_to_place": "leave", "stay_in": "stay", "go_up": "up"}  # instruction > a house's answers
_PLACE, _NAME, _HAZARD = 60, 100, 80  # characters
SPOKEN = 900  # characters of what to do: a minute of listening, said twice
SUBJECT = 150

Parts = Mapping[str, Any]  # language > texts by part; beside them `languages`, `set`, `asked`, `to`


@dataclass(frozen=True)
class MessageFacts:
    """All a text is made of. `parts` as above; `about` is the person a helper is told of."""

    kind: DeliveryKind
    addressee: str
    form: str
    tier: Tier
    parts: Parts
    number: str
    ref: str
    hotline: str
    ending: str = ""  # which, where the warning is one
    about: str = ""
    about_place: str = ""
    link: str = ""
    link_apart: bool = False  # the channel carries the link beside the text
    sms: bool = False
    notice: str = ""
    skill: str = ""  # what a volunteer is called out for
    by_video: bool = False  # to a video call, not to a door
    drill: bool = False
    links: bool = True  # the channel lets a link through
    two_way: bool = True  # the channel takes a reply
    speaks: tuple[str, ...] = ()  # languages its voice has, as zh or zh-HK; empty: all, or it is not a voice


@dataclass(frozen=True)
class Rendered:
    """`text` for the eye, `spoken` for the ear (said twice by the voice channel), `subject` for e-mail.

    `spoken` is empty where the channel's voice speaks no language that the warning brings.
    """

    text: str
    spoken: str
    subject: str
    language: str


def choose_language(wanted: str, available: list[str], of_place: str = "") -> str:
    """The first of a person's languages that is there, or one of its base; else the first of the place's; else the warning's
    first. Never English because it is English: whoever reads no language of the warning reads the one spoken around them."""
    if not available:
        return "en"
    return languages.choose(wanted, available) or languages.choose(of_place, available) or available[0]


def of_place(parts: Parts) -> str:
    """The languages of the place a warning is for, best first."""
    return str(parts.get("of_place", ""))


def render(facts: MessageFacts, wanted: str) -> Rendered:
    """The message in the person's language, or the nearest that the warning brings and the channel can say."""
    found = _rendered(facts, wanted)
    drill = frame_for(found.language).drill
    if facts.drill and not found.subject.startswith(drill):
        found = replace(found, subject=f"{drill} {found.subject}")
    if facts.sms:
        found = replace(found, text=plain_signs(found.text))
    if not _spoken(found.language, facts.speaks):
        return replace(found, spoken="")
    return found if facts.links else replace(found, text=_LINKS.sub("", found.text))


def _spoken(language: str, speaks: tuple[str, ...]) -> bool:
    return not speaks or language.lower() in speaks or base_of(language) in speaks


def _rendered(facts: MessageFacts, wanted: str) -> Rendered:
    there = list(facts.parts["languages"])
    spoken = [one for one in there if _spoken(one, facts.speaks)] or there
    ends = facts.kind is DeliveryKind.ENDING or (facts.kind is DeliveryKind.AREA and facts.ending != "")
    # what we say ourselves: in a language of ours
    if ends or facts.kind in SAYS_NO_WARNING or facts.addressee in ("supporter", "worker"):
        spoken = [one for one in spoken if base_of(one) in LANGUAGES] or spoken
    language = choose_language(wanted, spoken, of_place(facts.parts))
    part = facts.parts[language]
    lines = lines_for(language)
    if facts.drill:
        part = {**part, "source": f"{frame_for(language).drill} {part['source']}"}
    if facts.kind is DeliveryKind.NOTICE:
        text = lines.notices[facts.notice].format(source=part["source"], number=facts.number, link=facts.link)
        return Rendered(text, text, part["source"], language)
    if ends:
        return _ending(facts, part, lines, language)
    if facts.addressee == "supporter":
        return _helper(facts, part, _to_supporter(facts, lines), language)
    if facts.kind is DeliveryKind.CALLOUT:
        called = lines.callout_video if facts.by_video else lines.callout
        return _helper(facts, part, called, language, lines.skills.get(facts.skill, facts.skill))
    if facts.kind is DeliveryKind.OFFICIAL:
        pattern = {
            "official_above": lines.superior, "official_phone": lines.official_phone,
            "official_above_phone": lines.superior_phone,
        }.get(facts.form)  # fmt: skip
        return _helper(facts, part, pattern or lines.official, language)
    if facts.addressee == "worker":
        return _helper(facts, part, lines.officer_phone if facts.form == "officer_phone" else lines.officer, language)
    return _warning(facts, part, frame_for(language), language)


def _warning(facts: MessageFacts, part: Mapping[str, str], frame: Frame, language: str) -> Rendered:
    """To the person, the house or the area."""
    form, *extras = facts.form.split("+")
    instruction = str(facts.parts.get("instruction", ""))
    house = _house(facts, frame, instruction, language) if facts.addressee == "facility" else {}
    menu = house.get("menu") or frame.menu(facts.tier, instruction)
    by_link = bool(facts.link) and not facts.sms
    if by_link:
        menu = ""  # nobody reads what is written back to it
    elif menu and not facts.two_way:
        menu = frame.call.format(hotline=facts.hotline)
    elif not menu and facts.tier > Tier.BLUE:
        menu = frame.call.format(hotline=facts.hotline)  # a language we have no menu in
    if instruction not in TO_GO:
        extras = [{"moved_of_headcount": "all_safe"}.get(e, e) for e in extras if e not in _TO_LEAVE[:2]]
    more = " ".join(frame.extras[e].format(link="") for e in extras if e in frame.extras and e != "sign_video")
    aloud = f"{more} {house.get('keys', '')}".strip()
    own, _ = _of_set(facts, part, language, form)
    said = _said(facts, part)
    if form == "crawl":
        text = tidy(
            filled(
                "{tier}: {hazard}. {place}. {action} {time} {source}, {number}. {check}.", tier=part["tier"],
                hazard=part["hazard"], place=part["place"], action=flat(said), time=part["time"], source=part["source"],
                number=f"{frame.number} {facts.number}", check=f"{frame.check} {facts.hotline}",
            )
        )  # fmt: skip
    elif own:
        text = tidy(
            f"{own} {more}"
            if segments(f"{own} {more}").count <= 1 or "all_safe" in extras or "moved_of_headcount" in extras
            else own
        )
    elif facts.sms:
        text = _fit(facts, part, frame, said, f"{more} {menu}".strip(), language)
    else:
        text = _in_lines(facts, part, frame, said, f"{more} {menu}".strip(), form)
    if "screen_reader" in extras:
        text = re.sub(r"\bNo\. ?(?=\d)", "Number ", text)
    if by_link:
        here = frame.answer_here.rstrip(":：") if facts.link_apart else f"{frame.answer_here} {facts.link}".strip()
        text += f"\n\n{here}\n{frame.check} {facts.hotline}" if here else f"\n\n{frame.check} {facts.hotline}"
        if not facts.link_apart and frame.not_yours:
            text += f"\n{frame.not_yours.format(hotline=facts.hotline)}"
    return Rendered(text, _aloud(facts, part, language, said, aloud), _subject(part, frame), language)


def _house(facts: MessageFacts, frame: Frame, instruction: str, language: str) -> Mapping[str, str]:
    """How a house of many answers: for all in it, by what people are asked to do; as anybody does in a language not ours."""
    if facts.tier < Tier.ORANGE or base_of(language) not in LANGUAGES:
        return {"keys": of_instruction(frame.keys, answered_as(instruction, facts.tier))}
    own, what = lines_for(language).house, _HOUSE.get(instruction, "other")
    return {"menu": own[f"menu_{what}"], "keys": own[f"keys_{what}"]}


def _said(facts: MessageFacts, part: Mapping[str, str]) -> str:
    """What to do in the authority's words; without any, what it says of the danger. Where a channel lets no link through a
    sentence with one is left out, and the link alone only where nothing else would be left."""
    words = part["action"] or part.get("description", "")
    if facts.links or not _LINKS.search(words):
        return words
    return "\n".join(one for one in sentences(words) if not _LINKS.search(one)) or _LINKS.sub("", words)


def _aloud(facts: MessageFacts, part: Mapping[str, str], language: str, said: str, more: str) -> str:
    """For the ear: who speaks, what, where in short, and as many sentences of what to do as people listen to."""
    frame = frame_for(language)
    stop = "。" if base_of(language) == "zh" else "."
    found = [
        tidy(one) if one[-1] in ".!?。！？…:：" else f"{tidy(one)}{stop}"
        for one in shortening.spoken(said, language, SPOKEN)
    ]
    if said and not found:
        found = [frame.longer.format(hotline=" ".join(facts.hotline))]
    text = filled(
        "{who}. {hazard}. {place}. {action} {more}", who=f"{frame.this_is} {part['source']}".strip(), more=more,
        hazard=part["hazard"], place=places(part["place"], _PLACE + 20, frame.places_more), action=" ".join(found),
    )  # fmt: skip
    if facts.addressee == "area" and facts.hotline:
        text += f" {frame.check} {' '.join(facts.hotline)}."  # digit by digit, or a voice says twelve thousand
    return tidy(text)


def _subject(part: Mapping[str, str], frame: Frame) -> str:
    where = places(part["place"], _PLACE, frame.places_more)
    return named(filled("{tier}: {hazard} - {place}", tier=part["tier"], hazard=_hazard(part), place=where), SUBJECT)


def _hazard(part: Mapping[str, str]) -> str:
    """The headline, or the event's short name where that is too long for a line; never a part of it."""
    return part["hazard"] if len(part["hazard"]) <= _HAZARD else part.get("event") or part["hazard"]


def says_what_is_asked(parts: Parts) -> bool:
    """Whether the alert itself tells people what is done about its hazard: a recording of that may be played.

    Of a hazard for which one thing is not done by all (a rainstorm: some leave, others stay in) no recording is: it is named by
    hazard and tier alone, and may give the other order.
    """
    hazard = known().get(str(parts.get("set", "")))
    usual = _USUAL.get(hazard.rule.respond) if hazard is not None else None
    return usual is not None and usual == parts.get("instruction", "")


def _in_lines(facts: MessageFacts, part: Mapping[str, str], frame: Frame, said: str, menu: str, form: str) -> str:
    """For a page or a card: a line a part, in large print a line a sentence."""
    actions = [tidy(one) for one in sentences(said)] if form in _CARDS else [said]
    head = filled("{source}: {tier}, {hazard}", source=part["source"], tier=part["tier"], hazard=part["hazard"])
    parts = (head, part["place"], *actions, tidy(f"{part['time']} {frame.number} {facts.number}"), menu)
    return "\n".join(x for x in parts if x.strip())


def gave_way(facts: MessageFacts, wanted: str) -> str:
    """Why a text of ours gave way to the authority's own words in this form; empty where none did."""
    there = list(facts.parts["languages"])
    language = choose_language(wanted, there, of_place(facts.parts))
    return _of_set(facts, facts.parts[language], language, facts.form.split("+", 1)[0])[1]


def _of_set(facts: MessageFacts, part: Mapping[str, str], language: str, form: str) -> tuple[str, str]:
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
    to: Any = part.get("to") or facts.parts.get("to") or {}
    most = hazard_texts.limit(base, facts.tier, _SETS[form]) if facts.sms else 0
    # A long name of an authority takes a second segment: our short text in two is read sooner than theirs in two
    for room, more in ((room, more) for more in (0, 1) for room in (80, 40, 24, 12)):
        place = named(places(part["place"], room, frame_for(language).places_more), LONG_PLACE)
        ours = hazard_texts.Parts(
            source=named(part["source"], _NAME), place=place, number=facts.number, hotline=facts.hotline,
            impact=str(part.get("impact", "")), place_to=str(to.get("name", "")),
            place_open=to.get("open") is True, one_way=not facts.two_way or (bool(facts.link) and not facts.sms),
        )  # fmt: skip
        text = hazard_texts.compose(words, base, facts.tier, instruction, _SETS[form], ours)
        if not most or segments(tidy(text)).count <= most + more:
            why = gives_way(text, part["action"], language)
            if not why and facts.tier is Tier.RED:
                asked = hazard_texts.action_of(words, base, facts.tier, instruction, _SETS[form], ours)
                why = for_some_alone(asked, part["action"], language)
            return ("", why) if why else (text, "")
    return "", ""


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


def _to_supporter(facts: MessageFacts, lines: Lines) -> str:
    """By where they are: in the same home they take the person along, or do with them what is asked."""
    if facts.form == "helper_home":
        return lines.supporter_home if facts.parts.get("instruction") in TO_GO else lines.supporter_home_stay
    return {"helper_in": lines.supporter_inside, "helper_phone": lines.supporter_phone}.get(facts.form, lines.supporter)


def _helper(facts: MessageFacts, part: Mapping[str, str], pattern: str, language: str, skill: str = "") -> Rendered:
    frame = frame_for(language)
    safe = of_instruction(lines_for(language).safe, str(facts.parts.get("instruction", "")))
    text = filled(
        pattern, source=named(part["source"], _NAME), tier=part["tier"], hazard=named(_hazard(part), SUBJECT),
        place=named(places(part["place"], _PLACE, frame.places_more), LONG_PLACE), who=facts.about, ref=facts.ref,
        number=facts.number, link=facts.link, where=named(facts.about_place, _PLACE), skill=skill,
        safe=safe,
    )  # fmt: skip
    spoken = re.sub(r"https?://\S+", "", text)
    subject = filled("{tier}: {hazard}", tier=part["tier"], hazard=_hazard(part))
    return Rendered(text, tidy(spoken), named(subject, SUBJECT), language)


def _ending(facts: MessageFacts, part: Mapping[str, str], lines: Lines, language: str) -> Rendered:
    frame = frame_for(language)
    kind = lines.endings.get(facts.ending, lines.endings["not_for_you"])
    text = filled(
        of_instruction(kind, str(facts.parts.get("instruction", ""))), next=part.get("next", ""),
        source=named(part["source"], _NAME),
        hazard=named(_hazard(part), SUBJECT), number=facts.number, time=part.get("sent", ""), hotline=facts.hotline,
        place=named(places(part["place"], _PLACE + 20, frame.places_more), LONG_PLACE),
    )  # fmt: skip
    subject = filled("{source}: {hazard}", source=part["source"], hazard=_hazard(part))
    return Rendered(text, tidy(text), named(subject, SUBJECT), language)


def _fit(facts: MessageFacts, part: Mapping[str, str], frame: Frame, said: str, menu: str, language: str) -> str:
    """A short message. Source, place, time, number and answers always stay; of what to do the last sentences go first
    (`shortening`), then a long headline gives way to the event's name, then the place to its first names and their count."""
    usual = 1 if facts.form.startswith("short_plain") else 2
    headline, event = part["hazard"], _hazard(part)
    where = [places(part["place"], room, frame.places_more) for room in (LONG_PLACE, _PLACE)]
    kept = list(shortening.shortenings(said, language)) if said else [""]
    if facts.parts.get("whole"):
        kept = [flat(said)] if len(said) <= LONGEST else []

    def made(hazard: str, place: str, action: str) -> str:
        text = filled(
            frame.whole, source=named(part["source"], _NAME), tier=part["tier"], hazard=hazard, place=place, action=action,
            time=part["time"], number=facts.number, menu=menu,
        )  # fmt: skip
        return plain_signs(text)

    def candidates() -> Iterator[str]:
        if kept and fits(whole := made(headline, where[0], kept[0]), language, usual):
            yield whole
            return
        hazard = event if part["action"] else headline
        for place in dict.fromkeys(where):
            yield from (made(hazard, place, action) for action in kept)

    longer = frame.longer.format(hotline=facts.hotline)
    short = [named(one, _HAZARD) for one in (event, part.get("event") or event)]
    found = fitted(candidates(), language, usual)
    if not found and not part["action"]:  # its headline is one of its sentences
        found = fitted([made(headline, place, "") for place in where], language, usual)
    return found or made(short[-1], named(where[1], LONG_PLACE), longer)
