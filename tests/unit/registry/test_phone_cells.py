"""A phone cell is one number, several whole ones, or none: never a number that nobody wrote."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.importing.phone_cells import Number, Unread, read_cell


def read(text: str, region: str | None = "CN", *, mobile: bool = True) -> list[str]:
    """Numbers in E.164, and the rule of what is none."""
    found = read_cell(text, region, mobile=mobile)
    return [one.e164 if isinstance(one, Number) else one.rule for one in found]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0761/2034567", ["+497612034567"]),
        ("07631/123456", ["+497631123456"]),
        ("030 / 90 12 34 56", ["+493090123456"]),
        ("+49 761/2034567", ["+497612034567"]),
        ("0170/1234567", ["+491701234567"]),
        ("0761/2034567, 0761/2034568", ["+497612034567", "+497612034568"]),
        ("0761 2034567\n0170 1234567", ["+497612034567", "+491701234567"]),
        ("0761 2034567 oder 0170 1234567", ["+497612034567", "+491701234567"]),
        ("0203 4567890/2034567", ["number that exists"]),  # the second has no area code: it may be anybody's
        ("0761/2034567/68", ["one number or two"]),
        ("0761 2034567; 2034568", ["+497612034567", "whole number"]),
    ],
)
def test_a_slash_within_a_german_number(text: str, numbers: list[str]) -> None:
    assert numbers == read(text, "DE")


@pytest.mark.parametrize(
    "between", [";", "；", "|", "、", ",", "，", ", ", "/", " / ", "／", "\n", "\r\n", " ", "　", " or ", "或", " 和 "]
)
def test_whatever_stands_between_two_whole_numbers(between: str) -> None:
    assert ["+8613800138000", "+8613900139000"] == read(f"13800138000{between}13900139000")


@pytest.mark.parametrize(
    "text",
    [
        "138OO138OOO",
        "l3800138000",
        "13800I38000",
        "1380013TAXI",
        "1-800-FLOWERS",
        "13800138000（女儿）",
        "１３８ＯＯ１３８ＯＯＯ",
    ],
)
def test_letters_among_digits_are_refused(text: str) -> None:
    """What a keypad's letters stand for is a stranger's phone."""
    assert ["digits only"] == read(text)
    assert all(isinstance(one, Unread) and "letters" in one.remedy for one in read_cell(text, "CN"))


@pytest.mark.parametrize(
    ("text", "region", "number", "extension"),
    [
        ("020 7946 0958 ext 12", "GB", "+442079460958", "12"),
        ("020 7946 0958 x12", "GB", "+442079460958", "12"),
        ("028-85551234转801", "CN", "+862885551234", "801"),
        ("028-85551234-801", "CN", "+862885551234", "801"),
        ("0761/20345-67", "DE", "+49761" + "2034567", ""),  # a part of the number, and no extension
    ],
)
def test_an_extension_is_kept_apart(text: str, region: str, number: str, extension: str) -> None:
    (one,) = read_cell(text, region)
    assert isinstance(one, Number)
    assert (number, extension) == (one.e164, one.extension)


@pytest.mark.parametrize(
    ("text", "region"),
    [("09011234567", "GB"), ("+1 900 555 1234", None), ("+88213123456", "CN"), ("+8816 1234 5678", "CN"), ("110", "CN"),
     ("10086", "CN"), ("112", "DE"), ("12345", "CN"), ("07012345678", "GB")],
)  # fmt: skip
def test_numbers_that_are_nobodys_or_cost_are_refused_with_their_reason(text: str, region: str | None) -> None:
    (one,) = read_cell(text, region)
    assert isinstance(one, Unread)
    assert "person's number" == one.rule
    assert "never called or written to" in one.remedy


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+52 1 55 5512 3401", "GB", "+525555123401"),
        ("044 55 5512 3402", "MX", "+525555123402"),
        ("011 15-2345-6702", "AR", "+5491123456702"),
        ("11 2345-6702", "AR", "+5491123456702"),  # in a column of mobiles
        ("+225 07 01 23 45 67", "GB", "+2250701234567"),
        ("+39 06 6982 1234", "GB", "+390669821234"),
    ],
)
def test_a_country_that_changed_its_numbers(text: str, region: str, number: str) -> None:
    assert [number] == read(text, region)


def test_an_old_number_of_ivory_coast_says_what_is_missing() -> None:
    (one,) = read_cell("+225 07012345", "GB")
    assert isinstance(one, Unread)
    assert "ten digits since 2021" in one.remedy


REGIONS = ("CN", "DE", "GB", "FR", "AT", "IT", "IN", "BR", "KE", "JP", "MX", "AR")
KINDS = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)


@given(
    st.sampled_from(REGIONS),
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    st.lists(st.sampled_from(["/", ",", "，", "、", "\n", " / ", " or "]), min_size=2, max_size=2),
)
def test_numbers_as_their_country_writes_them_come_out_as_they_are(
    region: str, kinds: list[int], between: list[str]
) -> None:
    """One to three, whatever separates them: those, or a refusal; never another number."""
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in kinds]
    made = [one for one in examples if one is not None]
    written = [phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.NATIONAL) for one in made]
    text = written[0] + "".join(b + w for b, w in zip(between, written[1:], strict=False))
    meant = {phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.E164) for one in made}
    found = read_cell(text, region)
    assert {one.e164 for one in found if isinstance(one, Number)} <= meant
    assert len(made) > 1 or meant == {one.e164 for one in found if isinstance(one, Number)}


@given(st.text(st.sampled_from("0123456789+-/,;() OlI.x、 \n"), max_size=30), st.sampled_from(REGIONS))
def test_no_digits_come_out_that_were_not_written(text: str, region: str) -> None:
    """Whatever somebody typed: the digits of each number stand in the cell in this order."""
    written = "".join(c for c in text if c.isdigit())
    for one in read_cell(text, region):
        if isinstance(one, Number):
            code = str(phonenumbers.parse(one.e164).country_code)
            national = one.e164[1 + len(code) :].lstrip("0")
            assert national in written or (region in ("MX", "AR") and national[-8:] in written), (text, one)
