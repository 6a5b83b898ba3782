"""One form for each phone number, the other forms the same line is known by, and numbers nothing is ever sent to."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType as Type

from services.shared.people import phone_numbers

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
COSTS = (Type.PREMIUM_RATE, Type.PERSONAL_NUMBER)


@pytest.mark.parametrize(
    ("number", "known_as"),
    [
        ("+52 1 55 5512 3402", "+525555123402"),  # Mexico's 1 of before 2019
        ("+5215555123402", "+525555123402"),
        ("+39 06 6982 1234", "+390669821234"),  # the zero is a digit of the number
        ("+39669821234", "+390669821234"),
        ("+2250701234567", "+2250701234567"),
        ("+225701234567", "+2250701234567"),
        ("+00447400123456", "+447400123456"),
        ("+999 1234 5678", "+99912345678"),  # never given out: rehearsals
        ("no number", ""),
    ],
)
def test_the_form_a_number_is_kept_in(number: str, known_as: str) -> None:
    assert known_as == phone_numbers.normal(number)


@pytest.mark.parametrize(
    ("listed", "replies_from"),
    [
        ("+525555123402", "+5215555123402"),
        ("+5491123456702", "+541123456702"),
        ("+5511987654321", "+551187654321"),
        ("+390669821234", "+39669821234"),
        ("+2250701234567", "+225701234567"),
    ],
)
def test_two_legal_forms_have_each_other(listed: str, replies_from: str) -> None:
    """Whichever of them stands in the register, the other finds it."""
    assert listed in phone_numbers.forms(phone_numbers.normal(replies_from))
    if listed[:3] in ("+52", "+54", "+55"):
        assert replies_from in phone_numbers.forms(listed)


@given(st.sampled_from(REGIONS), st.sampled_from([Type.MOBILE, Type.FIXED_LINE]))
def test_a_number_that_exists_stays_what_it_is(region: str, kind: int) -> None:
    """In its own country's writing and in the international one it is the same, and among its own forms."""
    one = phonenumbers.example_number_for_type(region, kind)
    if one is None:
        return
    e164 = phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.E164)
    assert e164 == phone_numbers.normal(e164) == phone_numbers.normal(phone_numbers.normal(e164))
    assert e164 == phone_numbers.forms(e164)[0]
    national = phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.NATIONAL)
    assert e164 == phone_numbers.normal(national, region)


@pytest.mark.parametrize("region", REGIONS)
def test_what_costs_the_caller_is_never_sent_to_in_any_country(region: str) -> None:
    """By its pattern alone, it agrees with libphonenumber's whole reading for an example of each type."""
    for kind in (
        *COSTS,
        Type.MOBILE,
        Type.FIXED_LINE,
        Type.VOIP,
        Type.TOLL_FREE,
        Type.UAN,
        Type.SHARED_COST,
        Type.PAGER,
    ):
        one = phonenumbers.example_number_for_type(region, kind)
        if one is not None:
            e164 = phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.E164)
            assert (phonenumbers.number_type(one) in COSTS) == bool(phone_numbers.never(e164)), e164


@pytest.mark.parametrize(
    "number",
    ["+881612345678", "+88213123456", "+870773111632", "+979123456789", "+8610086", "+86110", "+8612345", "+49112"],
)
def test_satellites_and_short_numbers_are_never_sent_to(number: str) -> None:
    assert phone_numbers.never(number)


@pytest.mark.parametrize("number", ["+8613800138000", "+99900000001", "someone@example.org", "", "+", "+999"])
def test_all_else_is(number: str) -> None:
    assert "" == phone_numbers.never(number)
