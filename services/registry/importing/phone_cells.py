"""Reads a phone cell: one number, several, or nothing that can be trusted. Pure.

A slash, a comma, a blank between digits may stand within a number or between two. It divides only where every part is
a whole number by itself; else the cell is one number if libphonenumber takes it; else it is nobody's. Nothing is mended
by guessing: a letter O among digits is never read as a zero, since what comes out is somebody else's phone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from phonenumbers import PhoneMetadata, PhoneNumberType

from services.shared.people import phone_numbers

LANDLINE, MOBILE = PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE
_WITH_AREA = (LANDLINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_LISTED = re.compile(r"[;；|]")  # what README names: always between two
_WEAK = (r"[\r\n]+", r"[、，,]", r"(?i)\s+(?:or|oder|ou|o|and|und|et)\s+|\s*[或和及与&]\s*", r"[/／]")
_ENDING = re.compile(r"\d{4,}\s*[/／,，、]\s*\d{1,3}\s*$")  # of another number, of which only the end is written
NO_AREA_CODE = "its area code, if it has one, without the zero"
_DIVIDED = re.compile(r"\d[^\d]+\d")
_LABEL = re.compile(
    r"(?:[^\W\d_]{1,12}\.?\s*[:：]\s*|(?:tel|mob|mobile|phone|fax)\b\.?\s*|[电话手机号码联系座]{2,4}\s*)(?=[\d+(（])",
    re.I,
)
_EXTENSION = re.compile(
    r"\s*(?:转|轉|分机|分機|内线|;?\s*ext(?:n|ension)?\.?|x|доб\.?|durchwahl|nst\.?|poste|int\.?|#|-)"
    r"\s*[:：.]?\s*(\d{1,6})\s*$",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
_LETTER = re.compile(r"[^\W\d_]")
_ALL_DIGITS = "write it as text with all digits, and ; between two numbers"


@dataclass(frozen=True)
class Number:
    """One number: E.164, libphonenumber's type, its extension, and as it was written."""

    e164: str
    kind: int
    given: str
    extension: str = ""
    guessed: str = ""  # what of it was not written


@dataclass(frozen=True)
class Unread:
    """A part of a cell nobody may be called by: which rule, and what to do."""

    rule: str
    given: str
    remedy: str


def read_cell(text: str, region: str | None, *, mobile: bool = False) -> list[Number | Unread]:
    """All of a cell; `mobile`: its column is for phones that are texted."""
    parts = [given for part in _LISTED.split(text) if (given := part.strip().lstrip("'").strip())]
    found = [one for given in parts for one in _read_part(given, region or "", mobile)]
    if len(found) > 1:  # beside another number one without its area code may be of any town
        return [_short_of(one) if isinstance(one, Number) and one.guessed == NO_AREA_CODE else one for one in found]
    return found


def _short_of(one: Number) -> Unread:
    return Unread("whole number", one.given, "write its area code too")


def _read_part(given: str, region: str, mobile: bool) -> list[Number | Unread]:
    plain = re.sub(r"(?<=\d)\.0+$", "", given)
    if _SHORTENED.fullmatch(plain):
        return [Unread("all digits", given, "the sheet has shortened this number: write it as text with all digits")]
    one = _one(plain, region, mobile)
    several = _several(plain, region, mobile) if _DIVIDED.search(plain) else []
    if (several or _ENDING.search(plain)) and isinstance(one, Number):  # both ways of reading it hold
        return [Unread("one number or two", given, "write ; between two numbers, and nothing within one")]
    return list(several) or [one]


def _several(plain: str, region: str, mobile: bool) -> list[Number | Unread]:
    """Two or more whole numbers; nothing where a part is none."""
    for pattern in _WEAK:
        parts = [p.strip() for p in re.split(pattern, plain) if p.strip()]
        if len(parts) > 1:
            found = [_whole(part, region, mobile) for part in parts]
            if all(found):
                return [one for some in found for one in some]
    tokens = plain.split()
    ways = []
    for n in range(1, len(tokens)):
        first, second = (_whole(" ".join(some), region, mobile) for some in (tokens[:n], tokens[n:]))
        if len(first) == len(second) == 1:
            ways.append([*first, *second])
    return list(ways[0]) if len(ways) == 1 else []


def _whole(part: str, region: str, mobile: bool) -> list[Number]:
    """The numbers of a part, if it stands for whole ones by itself: with its area code, if its country writes one."""
    one = _one(part, region, mobile)
    if isinstance(one, Number):
        return [] if one.guessed == NO_AREA_CODE else [one]
    inner = _several(part, region, mobile)
    return [n for n in inner if isinstance(n, Number)]


def _complete(part: str, one: Number, region: str) -> bool:
    """Whether it stands for itself: with its country's or area's code, where its country writes one."""
    if one.kind not in _WITH_AREA or part.lstrip("(（ ").startswith(("+", "00")):
        return True
    plan = PhoneMetadata.metadata_for_region(region, None) if region else None
    prefix = plan.national_prefix if plan is not None else None
    return prefix != "0" or part.lstrip("(（ ").startswith("0")


def _one(given: str, region: str, mobile: bool) -> Number | Unread:
    plain = _LABEL.sub("", given, count=1) if _LABEL.match(given) else given
    body, extension = plain, ""
    found = None if _LETTER.search(plain) else phone_numbers.read_kind(plain, region)
    if (found is None or found[1] == PhoneNumberType.UNKNOWN) and (cut := _EXTENSION.search(plain)):
        body, extension = plain[: cut.start()], cut[1]
        found = None if _LETTER.search(body) else phone_numbers.read_kind(body, region)
    if _LETTER.search(body):
        remedy = "there are letters in it: write digits alone, names and remarks in a column of their own"
        if not any(c.isdigit() for c in body):
            remedy = "correct it, as text with all digits" if region else "write it with + and country code"
            return Unread("phone number", given, remedy)
        return Unread("digits only", given, remedy)
    if found is None:
        remedy = "correct it, as text with all digits" if region else "write it with + and country code"
        return Unread("phone number", given, remedy)
    number, kind = found
    e164 = phone_numbers.e164_of(number)
    if phone_numbers.is_short(body, region) or (why := phone_numbers.never(e164)):
        why = "a short or emergency number" if phone_numbers.is_short(body, region) else why
        return Unread(
            "person's number", given, f"{why} is never called or written to: give a phone of the person's own"
        )
    if kind == PhoneNumberType.UNKNOWN:
        return Unread("number that exists", given, _old_plan(e164) or f"correct it, {_ALL_DIGITS}")
    guessed = ""
    if mobile and kind == LANDLINE and e164.startswith("+54") and (texted := _argentine_mobile(e164)):
        e164, kind, guessed = texted, MOBILE, "a mobile, by its column"
    one = Number(e164, kind, given, extension or (number.extension or ""), guessed)
    return one if guessed or _complete(body, one, region) else replace(one, guessed=NO_AREA_CODE)


def _argentine_mobile(e164: str) -> str:
    """In a column of mobiles a number without Argentina's 9 is a mobile all the same; empty where there is none such."""
    other = phone_numbers.forms(e164)[-1]
    found = phone_numbers.read_kind(other)
    return other if found is not None and found[1] == MOBILE else ""


def _old_plan(e164: str) -> str:
    if re.fullmatch(r"\+225\d{8}", e164):
        return "numbers of Ivory Coast have ten digits since 2021: put 07 (Orange), 05 (MTN) or 01 (Moov) before it"
    return ""
