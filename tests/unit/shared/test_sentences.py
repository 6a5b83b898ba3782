"""Where a text may be cut: by examples from many languages, and for any text whatever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.text.sentences import first, flat, flat_prefixes, prefixes, sentences

EXAMPLES = [
    (["Water may rise by 1.5 m.", "See www.example.org/flood for the map.", "Move before 21.30 to St. Mary's hall."], " "),
    (["If it reads <2 m stay upstairs; if it reads >3 m leave.", "Go!", "Now?"], " "),
    (["Am 3. Oktober gilt das, z.B. hier.", "Rufen Sie 112.", "Gehen Sie."], " "),
    (["1. Go upstairs.", "2. Shut the doors."], " "),
    (["He said \"Go now!\"", "Then he went."], " "),
    (["WHAT...Flooding is possible.", "WHERE...Here."], " "),
    (["Wait... then go.", "Come back at 5 p.m. if it is dry."], " "),
    (["水深不到1.5米。", "21.30前走!", "去“南岭学校”。"], ""),
    (["यहाँ रहें।", "बाहर न जाएं।"], " "),
    (["ابق في الداخل.", "هل تحتاج مساعدة؟", "اتصل بالرقم 112."], " "),
    (["ขึ้นที่สูง", "อย่าข้ามน้ำ"], " "),
    (["- Move up", "- Avoid rivers", "* Call 112"], "\n"),
    (["Stay in", "Shut the windows"], "\n"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "between"), EXAMPLES)
def test_a_sentence_ends_where_a_reader_says_so(wanted: list[str], between: str) -> None:
    """Not within a number, a time, a link, a name, an abbreviation; a line of a list is one too."""
    assert wanted == sentences(between.join(wanted))


def test_a_line_broken_at_its_width_goes_on() -> None:
    """As in texts of seventy columns; what stands behind a colon belongs to it."""
    text = "Flooding caused by excessive rainfall is expected in the\nvalley of the river. Take:\nmedicine.\n\nGo."
    assert 3 == len(sentences(text))
    assert "Flooding caused by excessive rainfall is expected in the valley of the river. Take: medicine. Go." == flat(
        text
    )


@given(st.text(max_size=300), st.integers(0, 300))
def test_nothing_is_lost_joined_or_made_up(text: str, room: int) -> None:
    """Sentences are the text without the space between them; a shorter text is a beginning of it, within its room."""
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
    some = first(text, room)
    assert len(some) <= room
    assert some in ("", *prefixes(text))
    assert [len(one.split()) for one in flat_prefixes(text)] == sorted(
        (len(one.split()) for one in flat_prefixes(text)), reverse=True
    )
