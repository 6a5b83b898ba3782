"""How a text is cut for SMS: nothing is lost, nothing is torn, and no part is longer than it may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channels.messages.sms_encoding import GSM7, UCS2, UDHI, read, split

LETTERS = st.sampled_from("aZ9 @£\n€[]{}|^~\\\f慢的先走😀🌊ç")


@given(st.text(LETTERS, max_size=700), st.integers(0, 255))
def test_the_parts_together_are_the_text(text: str, reference: int) -> None:
    """Each by itself can be read, is numbered, and fits."""
    parts = split(text, reference)
    assert text == "".join(read(p.octets, p.data_coding, p.esm_class) for p in parts)
    if len(parts) > 1:
        assert {UDHI} == {p.esm_class for p in parts}
        heads = [(5, 0, 3, reference, len(parts), n) for n in range(1, len(parts) + 1)]
        assert heads == [tuple(p.octets[:6]) for p in parts]
    limit = {GSM7: 160 if len(parts) == 1 else 159, UCS2: 140}
    assert all(len(p.octets) <= limit[p.data_coding] for p in parts)
    assert 1 == len({p.data_coding for p in parts})


@pytest.mark.parametrize(
    ("text", "coding", "parts"),
    [
        ("a" * 160, GSM7, 1),
        ("a" * 161, GSM7, 2),
        ("a" * 306, GSM7, 2),
        ("a" * 307, GSM7, 3),
        ("€" * 80, GSM7, 1),
        ("€" * 81, GSM7, 2),
        ("a" * 152 + "€" + "a" * 152, GSM7, 3),  # the escape may not stand at the end of the first
        ("慢" * 70, UCS2, 1),
        ("慢" * 71, UCS2, 2),
        ("慢" * 66 + "😀" + "慢" * 66, UCS2, 3),  # nor half of a pair
        ("ç", UCS2, 1),  # small c with cedilla is not in the alphabet, only the capital
        ("", GSM7, 1),
    ],
)
def test_how_many_parts_a_text_takes(text: str, coding: int, parts: int) -> None:
    """160 and 153 septets, 70 and 67 characters; what may not be torn moves on whole."""
    made = split(text, 1)
    assert (coding, parts) == (made[0].data_coding, len(made))


def test_a_text_without_end_is_refused() -> None:
    """255 parts are the most a header can count."""
    with pytest.raises(ValueError, match="255 is the most"):
        split("a" * (153 * 255 + 1), 1)


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [(b"2", 0, "2"), (b"\x002\x00", 3, "\x002\x00"), (b"\x1b\x65", 0, "€"), (b"\x1b\x32", 0, "2"), (b"\x80", 0, "�")],
    ids=["digit", "latin-1", "euro", "escape of nothing known", "no septet"],
)
def test_what_comes_in_is_read(octets: bytes, coding: int, text: str) -> None:
    """What the alphabet does not have is said to be unreadable, and stops nothing."""
    assert text == read(octets, coding, 0)
