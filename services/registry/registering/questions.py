"""Asks one question a page: which come in which order, what each page shows, and what may be answered to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pydantic
from aiohttp import web
from multidict import MultiDictProxy

from services.registry.model.answer_words import VALUES
from services.registry.model.given import QUESTIONS, ContactIn
from services.registry.registering.answers_given import ALL_NEEDS, NEEDS, REACHES
from services.registry.registering.entering import PURPOSES
from services.registry.registering.half_filled import HalfFilled
from services.registry.registering.villages import HomeVillage
from services.registry.registering.words import words
from services.registry.resident.base import Ask
from services.registry.resident.own_numbers import own_landline, own_mobile
from services.shared.i18n import listed, t
from services.shared.text.invisible_signs import plain_signs

Form = MultiDictProxy[str | bytes | bytearray | web.FileField]
RELATIONS = ("family", "neighbour", "peer", "paid_carer", "guardian")
METHODS = ("in_person", "phone", "sign_language", "paper")
OPEN_TO_NONE = frozenset(
    ("whom", "you", "agree")
)  # without these there is nothing to keep, or nobody who vouches for it
UNCHOSEN = "-"  # a village nobody has chosen yet
OLDEST = 120  # years


@dataclass(frozen=True)
class Circumstances:
    """What the questions depend on besides the answers: the country of numbers, the year, channels there are, a worker beside."""

    country: str
    year: int
    channels: frozenset[str]
    hotline: str
    beside: bool = False


class Problem(NamedTuple):
    """What is wrong, in words, and the input it is about."""

    said: str
    field: str


@dataclass(frozen=True)
class Question:
    """One page."""

    title: str
    asks: Sequence[Ask]
    hint: str = ""
    lines: Sequence[str] = ()
    skips: bool = True


def steps(half: HalfFilled, beside: bool) -> tuple[str, ...]:
    """The questions of this registration, in their order."""
    found = [] if beside else ["whom"]
    found += ["you"] if half.whom == "other" else []
    found += ["name", "where", "born", "needs", "languages", "reach"]
    found += ["number"] if half.reach != "none" else []
    found += ["helper"] if half.whom == "self" else []
    return (*found, "agree")


def following(half: HalfFilled, beside: bool) -> str:
    """The first question that nobody has answered; `check` after the last."""
    return next((step for step in steps(half, beside) if step not in half.said), "check")


def question(step: str, half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    """The page of one step, with what was answered filled in."""
    return _QUESTIONS[step](half, place, villages)


def answered(
    step: str, half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None
) -> Problem | None:
    """Takes the answer of one step into what is half-filled, or says what is wrong with it and changes nothing more.
    `village` is the one of the register that the form named."""
    if form.get("skip") and step not in OPEN_TO_NONE:
        _open(step, half)
        problem = None
    else:
        problem = _ANSWERS[step](half, form, place, village)
    if problem is None and step not in half.said:
        half.said.append(step)
    return problem


def _open(step: str, half: HalfFilled) -> None:
    """What stands where somebody would rather not say."""
    empty = HalfFilled()
    for name in _FIELDS[step]:
        setattr(half, name, getattr(empty, name))


_FIELDS = {
    "name": ("name",), "where": ("village", "address"), "born": ("born",), "needs": ("needs",), "languages": ("languages",),
    "reach": ("reach", "number"), "number": ("reach", "number"), "helper": ("helper_name", "helper_number", "helper_relation"),
}  # fmt: skip


def _w(half: HalfFilled, key: str) -> str:
    """The question put to the person, or to whoever speaks for them."""
    return words(f"{key}_other" if half.whom == "other" else key)


def _text(form: Form, name: str, most: int = 300) -> str:
    return " ".join(plain_signs(str(form.get(name, ""))).split())[:most]


# ---- what is shown


def _whom(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    choices = [(who, words(f"whom_{who}")) for who in ("self", "other")]
    said = half.whom if "whom" in half.said else ""
    return Question(
        words("ask_whom"), [Ask("radio", "whom", words("ask_whom"), said, choices)], words("whom_hint"), skips=False
    )


def _you(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    asks = [
        Ask(
            "text",
            "your_name",
            words("your_name"),
            half.your_name,
            attributes={"maxlength": "80", "autocomplete": "name"},
        ),
        Ask("tel", "your_number", words("your_number"), half.your_number, attributes={"autocomplete": "tel"}),
        Ask(
            "radio", "relation", words("ask_relation"), half.relation, [(one, words(f"rel_{one}")) for one in RELATIONS]
        ),
    ]
    return Question(words("ask_you"), asks, words("you_hint"), skips=False)


def _name(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    ask = Ask("text", "name", _w(half, "ask_name"), half.name, attributes={"maxlength": "80", "autocomplete": "off"})
    return Question(_w(half, "ask_name"), [ask], words("name_hint"))


def _where(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    twice = {one.name for one in villages if sum(one.name == other.name for other in villages) > 1}
    choices = [(one.key, f"{one.name} ({one.code})" if one.name in twice else one.name) for one in villages]
    choices = [(UNCHOSEN, words("village_choose")), *choices, ("", words("village_none"))]
    chosen = half.village if "where" in half.said else UNCHOSEN
    asks = [
        Ask("select", "village", words("village"), chosen, choices),
        Ask("text", "address", words("address"), half.address, attributes={"maxlength": "300", "autocomplete": "off"}),
    ]
    return Question(_w(half, "ask_where"), asks, words("address_hint"))


def _born(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    ask = Ask("text", "born", _w(half, "ask_born"), half.born, attributes={"inputmode": "numeric", "maxlength": "4"})
    return Question(_w(half, "ask_born"), [ask], words("born_hint"))


def _needs(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    asks = [
        Ask("check", "needs", words(f"group_{group}"), half.needs, [(one, words(one)) for one in some])
        for group, some in NEEDS.items()
    ]
    return Question(_w(half, "ask_needs"), asks, words("needs_hint"))


def _languages(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    title = _w(half, "ask_languages")
    choices = [(str(tag), t(VALUES[str(tag)])) for tag in QUESTIONS["languages"].values]
    return Question(title, [Ask("check", "languages", title, half.languages, choices)])


def _reach(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    title, said = _w(half, "ask_reach"), half.reach if "reach" in half.said else ""
    choices = [(one, words(f"reach_{one}")) for one in REACHES]
    return Question(title, [Ask("radio", "reach", title, said, choices)], words("reach_hint"))


def _number(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    title = words(f"ask_{half.reach}")
    mail = half.reach == "email"
    ask = Ask(
        "email" if mail else "tel",
        "number",
        title,
        half.number,
        attributes={"autocomplete": "email" if mail else "tel"},
    )
    return Question(title, [ask], "" if mail else words("number_hint"))


def _helper(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    asks = [
        Ask("text", "helper_name", words("helper_name"), half.helper_name, attributes={"maxlength": "80", "autocomplete": "off"}),
        Ask("tel", "helper_number", words("helper_number"), half.helper_number, attributes={"autocomplete": "off"}),
        Ask(
            "radio", "helper_relation", words("ask_helper_relation"), half.helper_relation,
            [(one, words(f"rel_{one}")) for one in RELATIONS],
        ),
    ]  # fmt: skip
    return Question(words("ask_helper"), asks, words("helper_hint"))


def _agree(half: HalfFilled, place: Circumstances, villages: Sequence[HomeVillage]) -> Question:
    said = "yes" if "agree" in half.said else ""
    if half.whom == "other":
        choices = [("yes", words("tell_yes")), ("no", words("agree_no"))]
        ask = Ask("radio", "agree", words("tell_ask"), said, choices)
        return Question(words("ask_tell"), [ask], lines=[words("tell_text")], skips=False)
    yes = Ask("radio", "agree", words("agree_ask"), said, [("yes", words("agree_yes")), ("no", words("agree_no"))])
    others = [(one, words(f"p_{one}")) for one in PURPOSES if one != "warn_me"]
    asks = [yes, Ask("check", "also", words("also"), half.agreed, others)]
    if place.beside:
        how = half.method if half.method in METHODS else ""
        asks.append(Ask("radio", "method", words("ask_method"), how, [(one, words(f"by_{one}")) for one in METHODS]))
    lines = [words("agree_what"), words("agree_who"), words("agree_long"), words("never")]
    return Question(words("ask_agree"), asks, lines=lines, skips=False)


_QUESTIONS: dict[str, Callable[[HalfFilled, Circumstances, Sequence[HomeVillage]], Question]] = {
    "whom": _whom, "you": _you, "name": _name, "where": _where, "born": _born, "needs": _needs, "languages": _languages,
    "reach": _reach, "number": _number, "helper": _helper, "agree": _agree,
}  # fmt: skip


# ---- what is answered


def _takes_whom(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    whom = _text(form, "whom")
    if whom not in ("self", "other"):
        return Problem(words("choose_one"), "whom-self")
    if whom != half.whom:  # what is agreed to differs
        half.said = [step for step in half.said if step not in ("you", "agree")]
    half.whom = whom
    return None


def _takes_you(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    half.your_name, half.relation = _text(form, "your_name", 80), _text(form, "relation")
    typed = _text(form, "your_number", 40)
    half.your_number = own_mobile(typed, place.country)
    if not half.your_number:
        half.your_number = typed
        return Problem(words("number_wrong"), "your_number")
    if half.relation not in RELATIONS:
        half.relation = ""
        return Problem(words("choose_one"), "relation-family")
    return None


def _takes_name(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    half.name = _text(form, "name", 80)
    return None


def _takes_where(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    half.address = _text(form, "address")
    if form.get("village") and village is None:
        return Problem(words("village_wrong"), "village")
    half.village = village.key if village is not None else ""
    return None


def _takes_born(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    born = _text(form, "born", 8)
    if not born:
        half.born = ""
        return None
    least = place.year - OLDEST
    if not born.isdecimal() or not least <= int(born) <= place.year:
        half.born = born
        return Problem(words("born_wrong", least=least, most=place.year), "born")
    half.born = str(int(born))  # full-width figures too
    return None


def _takes_needs(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    ticked = {str(one) for one in form.getall("needs", [])}
    half.needs = [one for one in ALL_NEEDS if one in ticked]
    if "none" in half.needs and len(half.needs) > 1:
        return Problem(words("none_alone"), "needs-none")
    return None


def _takes_languages(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    ticked = {str(one) for one in form.getall("languages", [])}
    half.languages = [str(tag) for tag in QUESTIONS["languages"].values if tag in ticked]
    return None


def _takes_reach(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    reach = _text(form, "reach")
    if reach not in REACHES:
        return Problem(words("choose_one"), "reach-mobile")
    if not place.beside and half.whom == "self":  # a code proves it
        if reach == "landline" and "voice_landline" not in place.channels:
            return Problem(words("no_calls"), "reach-landline")
        if reach == "email" and "email" not in place.channels:
            return Problem(words("no_mail"), "reach-email")
    if reach != half.reach:
        half.number = ""
        half.said = [step for step in half.said if step != "number"]
    half.reach = reach
    return None


def _takes_number(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    typed = _text(form, "number", 254)
    if half.reach == "email":
        half.number = typed
        try:
            ContactIn(kind="email", address=typed)
        except pydantic.ValidationError:
            return Problem(words("email_wrong"), "number")
        return None
    judged = own_landline if half.reach == "landline" else own_mobile
    half.number = judged(typed, place.country) or typed
    return None if judged(typed, place.country) else Problem(words("number_wrong"), "number")


def _takes_helper(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    half.helper_name, typed = _text(form, "helper_name", 80), _text(form, "helper_number", 40)
    relation = _text(form, "helper_relation")
    half.helper_relation = relation if relation in RELATIONS else ""
    half.helper_number = own_mobile(typed, place.country) or typed
    if half.helper_name and not typed:
        return Problem(words("helper_both"), "helper_number")
    if typed and not own_mobile(typed, place.country):
        return Problem(words("number_wrong"), "helper_number")
    return None


def _takes_agree(half: HalfFilled, form: Form, place: Circumstances, village: HomeVillage | None) -> Problem | None:
    ticked = {str(one) for one in form.getall("also", [])}
    half.agreed = ["warn_me", *(one for one in PURPOSES if one in ticked)]
    if form.get("agree") not in ("yes", "no"):
        return Problem(words("choose_one"), "agree-yes")
    if place.beside:
        half.method = _text(form, "method")
        if half.method not in METHODS:
            return Problem(words("choose_one"), f"method-{METHODS[0]}")
    return None


_ANSWERS: dict[str, Callable[[HalfFilled, Form, Circumstances, HomeVillage | None], Problem | None]] = {
    "whom": _takes_whom, "you": _takes_you, "name": _takes_name, "where": _takes_where, "born": _takes_born,
    "needs": _takes_needs, "languages": _takes_languages, "reach": _takes_reach, "number": _takes_number,
    "helper": _takes_helper, "agree": _takes_agree,
}  # fmt: skip


# ---- all of it


def rows(half: HalfFilled, beside: bool, village: HomeVillage | None) -> list[tuple[str, str, str]]:
    """(step, what it is, what was answered) for the page that asks whether it is right."""
    said = {
        "whom": words(f"whom_{half.whom}"), "you": listed(one for one in (half.your_name, half.your_number) if one),
        "name": half.name, "where": listed(one for one in (village.name if village else "", half.address) if one),
        "born": half.born, "needs": listed(words(one) for one in half.needs),
        "languages": listed(t(VALUES[tag]) for tag in half.languages),
        "reach": words(f"reach_{half.reach}") if "reach" in half.said else "", "number": half.number,
        "helper": listed(one for one in (half.helper_name, half.helper_number) if one),
        "agree": words("tell_yes") if half.whom == "other" else listed(words(f"p_{one}") for one in half.agreed[1:])
        or words("agree_yes"),
    }  # fmt: skip
    return [
        (step, words(f"ask_{half.reach}" if step == "number" else f"row_{step}"), said[step])
        for step in steps(half, beside)
    ]
