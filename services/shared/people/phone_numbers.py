"""Normalises phone numbers: the form each is kept in, other forms of the same line, and those never dialled.

Lists, people's own pages, searches and replies all come through here, so that a number is the same wherever it came
from. Sources: ITU-T E.164 and the national plans as libphonenumber has them; Mexico's 1 (dropped in 2019), Argentina's
9, Brazil's ninth digit, the zero that belongs to the number in Italy, Ivory Coast, Gabon and Congo.
"""

from __future__ import annotations

import re
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberType

GLOBAL = {  # country codes that are no country: libphonenumber's 001
    870: "a satellite phone", 878: "a universal personal number", 881: "a satellite phone", 882: "an international network",
    883: "an international network", 888: "an international network", 979: "an international premium-rate number",
    800: "an international service number", 808: "an international service number",
}  # fmt: skip
_EXPENSIVE = (
    ("premium_rate", "a premium-rate number"),
    ("personal_number", "a number that redirects at the caller's cost"),
)
_KEEPS_ZERO = frozenset((39, 225, 241, 242))  # a zero after the country code is a digit of the number
_SERVICE = {
    PhoneNumberType.SHARED_COST: "a shared-cost number", PhoneNumberType.TOLL_FREE: "a freephone number",
    PhoneNumberType.UAN: "a company's number", PhoneNumberType.VOICEMAIL: "a voicemail's number",
    PhoneNumberType.PAGER: "a pager",
}  # fmt: skip
_OUTSIDE = re.compile(r"[^\d+]")
SHORT = 6  # digits after the country code, up to which it may be a short or emergency number


def modern(e164: str) -> str:
    """A number with + as it is kept: without what its country has dropped, with what belongs to it."""
    if e164.startswith("+521") and len(e164) == 14:
        return "+52" + e164[4:]
    if e164.startswith("+00"):
        return modern("+" + e164[3:])
    return e164


def read(text: str, region: str = "") -> phonenumbers.PhoneNumber | None:
    """The number that is meant, extension and all; None where there is none. It may not exist: see `read_kind`."""
    return found[0] if (found := read_kind(text, region)) else None


def read_kind(text: str, region: str = "") -> tuple[phonenumbers.PhoneNumber, int] | None:
    """The same with libphonenumber's type: UNKNOWN where no such number exists."""
    plain = text.strip()
    try:
        found = phonenumbers.parse(modern(plain) if plain.startswith("+") else plain, region or None)
    except phonenumbers.NumberParseException:
        return None
    kind: int = phonenumbers.number_type(found)
    if kind == PhoneNumberType.UNKNOWN and (other := _put_right(found)) is not None:
        return other, phonenumbers.number_type(other)
    return found, kind


def _put_right(found: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber | None:
    """The number without Mexico's old prefixes, or with its own zero; None where that makes none that exists."""
    code, national = found.country_code, phonenumbers.national_significant_number(found)
    if code == 52 and (old := re.fullmatch(r"(?:1|01|044|045)(\d{10})", national)):
        national = old[1]
    elif code in _KEEPS_ZERO and not national.startswith("0"):
        national = "0" + national
    else:
        return None
    try:
        other = phonenumbers.parse(f"+{code}{national}", None)
    except phonenumbers.NumberParseException:
        return None
    return other if phonenumbers.is_valid_number(other) else None


def e164_of(number: phonenumbers.PhoneNumber) -> str:
    """With + and country code, without its extension."""
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


def normal(text: str, region: str = "") -> str:
    """The number in E.164 as it is kept, whatever a person, list or provider wrote; empty where it is none.

    A country code that was never given out passes as it is: rehearsals use one.
    """
    if (found := read(text, region)) is not None:
        return e164_of(found)
    plain = modern(_OUTSIDE.sub("", text))
    return plain if re.fullmatch(r"\+[1-9]\d{6,14}", plain) else ""


def forms(e164: str) -> tuple[str, ...]:
    """The number as it is kept, then the other legal forms under which the same line may stand somewhere."""
    kept = modern(e164)
    other = ""
    if kept.startswith("+52") and len(kept) == 13:
        other = "+521" + kept[3:]
    elif kept.startswith("+549") and len(kept) == 14:
        other = "+54" + kept[4:]
    elif kept.startswith("+54") and len(kept) == 13:
        other = "+549" + kept[3:]
    elif kept.startswith("+55") and len(kept) == 14 and kept[5] == "9":
        other = kept[:5] + kept[6:]
    elif kept.startswith("+55") and len(kept) == 13 and kept[5] in "6789":
        other = kept[:5] + "9" + kept[5:]
    elif (found := read(kept)) is not None and e164_of(found) != kept:
        kept, other = e164_of(found), kept
    return (kept, other) if other else (kept,)


def never(e164: str) -> str:
    """Why nothing is ever sent or dialled there: its cost, or that it is no person's. Empty where it may be.

    A pattern and not a parsed number: it is asked before every single message.
    """
    if not e164.startswith("+"):
        return ""
    for size in (3, 2, 1):
        code = int(e164[1 : size + 1]) if e164[1 : size + 1].isascii() and e164[1 : size + 1].isdigit() else 0
        if code in GLOBAL:
            return GLOBAL[code]
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            national = e164[size + 1 :]
            if len(national) <= SHORT and _is_short(code, national):
                return "a short or emergency number"
            return next((why for pattern, why in _expensive(code) if pattern.fullmatch(national)), "")
    return ""


def service(kind: int) -> str:
    """What a number of this type is where it is hardly a person's own; empty for all others."""
    return _SERVICE.get(kind, "")


def _is_short(code: int, national: str) -> bool:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    return any(phonenumbers.is_valid_short_number_for_region(_short(code, national), one) for one in regions)


def _short(code: int, national: str) -> phonenumbers.PhoneNumber:
    zeros = len(national) - len(national.lstrip("0"))
    return phonenumbers.PhoneNumber(
        country_code=code, national_number=int(national or "0"), italian_leading_zero=bool(zeros) or None,
        number_of_leading_zeros=zeros or None,
    )  # fmt: skip


def is_short(text: str, region: str) -> bool:
    """Whether what somebody wrote without a country code is a short or emergency number of the region."""
    digits = "".join(c for c in text if c.isdigit())
    if not region or not 2 <= len(digits) <= SHORT:
        return False
    code = phonenumbers.country_code_for_region(region)
    return phonenumbers.is_valid_short_number_for_region(_short(code, digits), region)


@cache
def _expensive(code: int) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Patterns of a country code's numbers that cost whoever calls them."""
    found: dict[str, str] = {}
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        plan = PhoneMetadata.metadata_for_region(region, None)
        for name, why in _EXPENSIVE:
            pattern = getattr(getattr(plan, name), "national_number_pattern", None)
            if pattern:
                found.setdefault(pattern, why)
    return tuple((re.compile(pattern), why) for pattern, why in found.items())
