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

from services.channels.messages import shortening
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
from services.channels.messages.hazard_texts import tier_word
from services.channels.messages.message_facts import NAME, MessageFacts, Parts, choose_language, of_place
from services.channels.messages.own_texts import of_set
from services.channels.messages.phrases import Lines, answered_as, ending_rows, in_use, of_instruction
from services.channels.messages.segments import Segments, segments
from services.shared.hazards import known
from services.shared.hazards.instructions import told_in
from services.shared.ledger.kinds import SAYS_NO_WARNING, DeliveryKind
from services.shared.people import languages
from services.shared.people.languages import base_of
from services.shared.text.sentences import flat, sentences
from services.shared.tiers import Tier

__all__ = ["MessageFacts", "Rendered", "Segments", "choose_language", "lines_for", "render", "segments", "tidy"]
_LINKS = re.compile(r"\s*https?://\S+")
_OURS = (*SAYS_NO_WARNING, DeliveryKind.CALLOUT, DeliveryKind.OFFICIAL)
_CARDS = ("large_print", "large_print_card")
_USUAL = {"evacuate": "leave", "shelter_in": "stay_in", "check_on": "check_on"}  # respond of a hazard > instruction
_TO_LEAVE = ("leave_early", "ask_transport", "moved_of_headcount")  # extras for people who are asked to leave
TO_GO = ("leave", "go_to_place")
_HOUSE = {"leave": "leave", "go_to_place": "leave", "stay_in": "stay", "go_up": "up"}  # instruction > a house's answers
_PLACE, _HAZARD = 60, 80  # characters
SPOKEN = 900  # characters of what to do: a minute of listening, said twice
SUBJECT = 150


@dataclass(frozen=True)
class Rendered:
    """`text` for the eye, `spoken` for the ear (said twice by the voice channel), `subject` for e-mail.

    `spoken` is empty where the channel's voice speaks no language that the warning brings.
    """

    text: str
    spoken: str
    subject: str
    language: str


def render(facts: MessageFacts, wanted: str) -> Rendered:
    """The message in the person's language, or the nearest that the warning brings and the channel can say."""
    found = _rendered(facts, wanted)
    drill = frame_for(found.language).drill
    if facts.drill and not found.subject.startswith(drill):
        found = replace(found, subject=f"{drill} {found.subject}")
    if facts.sms:
        found = replace(found, text=plain_signs(found.text))
    if not languages.spoken(found.language, facts.speaks):
        return replace(found, spoken="")
    return found if facts.links else replace(found, text=_LINKS.sub("", found.text))


def _rendered(facts: MessageFacts, wanted: str) -> Rendered:
    there = list(facts.parts["languages"])
    spoken = [one for one in there if languages.spoken(one, facts.speaks)] or there
    ends = facts.kind is DeliveryKind.ENDING or (facts.kind is DeliveryKind.AREA and facts.ending != "")
    ours = ends or facts.kind in _OURS or facts.addressee in ("supporter", "worker")
    if ours:  # what we say ourselves: in a language of ours
        spoken = [one for one in spoken if base_of(one) in in_use()] or spoken
    language = choose_language(wanted, spoken, of_place(facts.parts))
    part = facts.parts[language]
    if ours and base_of(language) not in in_use():
        language = _ours(wanted, facts)
    if not part["tier"] and (word := tier_word(language, facts.tier)):
        part = {**part, "tier": word}
    lines = lines_for(language)
    if facts.drill:
        part = {**part, "source": f"{frame_for(language).drill} {part['source']}"}
    if facts.kind is DeliveryKind.NOTICE:
        text = lines.notices[facts.notice].format(
            source=part["source"], number=facts.number, link=facts.link, where=facts.about_place
        )
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


def _ours(wanted: str, facts: MessageFacts) -> str:
    """In which of our languages something is said where the warning brings none of them: the person's next, else the place's.
    Names stand as the warning has them."""
    tags = languages.in_order(f"{wanted};{of_place(facts.parts)}")
    return next((tag for tag in tags if base_of(tag) in in_use() and languages.spoken(tag, facts.speaks)), "en")


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
    own, _ = of_set(facts, part, language, form)
    said = _said(facts, part, language)
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
    if (
        "screen_reader" in extras and base_of(language) == "en"
    ):  # "No." is a denial to the ear; other languages have other words
        text = re.sub(r"\bNo\. ?(?=\d)", "Number ", text)
    if by_link:
        here = frame.answer_here.rstrip(":：") if facts.link_apart else f"{frame.answer_here} {facts.link}".strip()
        text += f"\n\n{here}\n{frame.check} {facts.hotline}" if here else f"\n\n{frame.check} {facts.hotline}"
        if not facts.link_apart and frame.not_yours:
            text += f"\n{frame.not_yours.format(hotline=facts.hotline)}"
    return Rendered(text, _aloud(facts, part, language, said, aloud), _subject(part, frame), language)


def _house(facts: MessageFacts, frame: Frame, instruction: str, language: str) -> Mapping[str, str]:
    """How a house of many answers: for all in it, by what people are asked to do; as anybody does in a language not ours."""
    if facts.tier < Tier.ORANGE or base_of(language) not in in_use():
        return {"keys": of_instruction(frame.keys, answered_as(instruction, facts.tier))}
    own, what = lines_for(language).house, _HOUSE.get(instruction, "other")
    return {"menu": own[f"menu_{what}"], "keys": own[f"keys_{what}"]}


def _due(part: Mapping[str, str], language: str) -> str:
    """The sentence about the danger that says when it comes, where what to do does not say it and the sentence gives no order."""
    impact = part.get("impact", "")
    if not impact or impact in part["action"]:
        return ""
    found = next((one for one in sentences(part.get("description", "")) if impact in one), "")
    told = told_in(found, language) if found else None
    return found if told is not None and not told.anybody else ""


def _said(facts: MessageFacts, part: Mapping[str, str], language: str) -> str:
    """What to do in the authority's words, and when it comes; without any, what it says of the danger.

    Where a channel lets no link through a sentence with one is left out, and the link alone only where nothing else would be
    left.
    """
    words = part["action"] or part.get("description", "")
    if part["action"] and (due := _due(part, language)):
        words += due if base_of(language) == "zh" and words[-1] in "。!?！？" else f"\n{due}"
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


def _to_supporter(facts: MessageFacts, lines: Lines) -> str:
    """By where they are: in the same home they take the person along, or do with them what is asked."""
    if facts.form == "helper_home":
        return lines.supporter_home if facts.parts.get("instruction") in TO_GO else lines.supporter_home_stay
    return {"helper_in": lines.supporter_inside, "helper_phone": lines.supporter_phone}.get(facts.form, lines.supporter)


def _helper(facts: MessageFacts, part: Mapping[str, str], pattern: str, language: str, skill: str = "") -> Rendered:
    frame = frame_for(language)
    safe = of_instruction(lines_for(language).safe, str(facts.parts.get("instruction", "")))
    text = filled(
        pattern, source=named(part["source"], NAME), tier=part["tier"], hazard=named(_hazard(part), SUBJECT),
        place=named(places(part["place"], _PLACE, frame.places_more), LONG_PLACE), who=facts.about, ref=facts.ref,
        number=facts.number, link=facts.link, where=named(facts.about_place, _PLACE), skill=skill,
        safe=safe,
    )  # fmt: skip
    spoken = re.sub(r"https?://\S+", "", text)
    subject = filled("{tier}: {hazard}", tier=part["tier"], hazard=_hazard(part))
    return Rendered(text, tidy(spoken), named(subject, SUBJECT), language)


def _ending(facts: MessageFacts, part: Mapping[str, str], lines: Lines, language: str) -> Rendered:
    frame = frame_for(language)
    text = filled(
        of_instruction(ending_rows(lines, facts.ending), str(facts.parts.get("instruction", ""))), next=part.get("next", ""),
        source=named(part["source"], NAME),
        hazard=named(_hazard(part), SUBJECT), number=facts.number, time=part.get("sent", ""), hotline=facts.hotline,
        place=named(places(part["place"], _PLACE + 20, frame.places_more), LONG_PLACE),
    )  # fmt: skip
    subject = filled("{source}: {hazard}", source=part["source"], hazard=_hazard(part))
    return Rendered(text, tidy(text), named(subject, SUBJECT), language)


def _fit(facts: MessageFacts, part: Mapping[str, str], frame: Frame, said: str, menu: str, language: str) -> str:
    """A short message. Source, place, time, number and answers always stay; of what to do the last sentences go first
    (`shortening`), then a long headline gives way to the event's name, then the place to its first names and their count."""
    usual = 1 if facts.form.startswith(("short_plain", "braille_line")) else 2
    headline, event = part["hazard"], _hazard(part)
    where = [places(part["place"], room, frame.places_more) for room in (LONG_PLACE, _PLACE)]
    kept = list(shortening.shortenings(said, language)) if said else [""]
    if facts.parts.get("whole"):
        kept = [flat(said)] if len(said) <= LONGEST else []

    def made(hazard: str, place: str, action: str) -> str:
        text = filled(
            frame.whole, source=named(part["source"], NAME), tier=part["tier"], hazard=hazard, place=place, action=action,
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
