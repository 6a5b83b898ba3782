"""Judges a number that somebody types on an open page: a code or an invitation goes there, at our cost."""

from __future__ import annotations

from collections.abc import Collection

import phonenumbers
from phonenumbers import PhoneNumberType

from services.shared.people import phone_numbers

NO_MOBILE: Collection[int] = (
    PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.PERSONAL_NUMBER, PhoneNumberType.PAGER,
    PhoneNumberType.FIXED_LINE, PhoneNumberType.UAN,
)  # fmt: skip
LANDLINES: Collection[int] = (PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def own_mobile(text: str, country: str) -> str:
    """The number in E.164 if it may be written to: one of this country (where that is set), and none that costs; else
    empty."""
    return _own(text, country, landline=False)


def own_landline(text: str, country: str) -> str:
    """The same of a number that is called and never written to."""
    return _own(text, country, landline=True)


def _own(text: str, country: str, *, landline: bool) -> str:
    e164 = phone_numbers.normal(text, country)
    if not e164:
        return ""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:  # of a country that was never given out: rehearsals
        return "" if country else e164
    if phone_numbers.never(e164) or (country and phonenumbers.region_code_for_number(number) != country):
        return ""
    kind = phonenumbers.number_type(number)
    fits = kind in LANDLINES if landline else kind not in NO_MOBILE
    return e164 if fits and phonenumbers.is_valid_number(number) else ""
