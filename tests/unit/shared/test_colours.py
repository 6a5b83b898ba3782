"""The stylesheet's colours, by light and in the dark: what is read, and what is seen, stands off from what is behind it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.shared.web import cached_bytes
from tests.kit.colours import contrast, schemes

STYLES = (Path(cached_bytes.__file__).parent / "static" / "tocsin.css").read_text("utf-8")
READ = (  # text, what is behind it
    ("ink", "paper"), ("ink", "soft"), ("aside", "paper"), ("aside", "soft"), ("link", "paper"), ("link", "soft"),
    ("wrong", "paper"), ("wrong", "soft"), ("paper", "ink"), ("on-bar", "bar"),
)  # fmt: skip
SEEN = (("line", "paper"), ("wrong", "paper"), ("right", "paper"), ("link", "paper"), ("ink", "paper"), ("ink", "soft"))
FIXED = (("#fff", "red"), ("#000", "orange"), ("#000", "yellow"), ("#fff", "blue"))  # the same by day and by night


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_read_and_seen_stands_off(scheme: str) -> None:
    """Text 4.5 to 1, what is a border or a mark 3 to 1 (WCAG 1.4.3, 1.4.11)."""
    of = schemes(STYLES)[scheme]
    assert [] == [pair for pair in READ if contrast(of[pair[0]], of[pair[1]]) < 4.5]
    assert [] == [pair for pair in SEEN if contrast(of[pair[0]], of[pair[1]]) < 3]
    assert [] == [pair for pair in FIXED if contrast(pair[0], of[pair[1]]) < 4.5]


def test_the_dark_changes_colours_that_are_there() -> None:
    found = schemes(STYLES)
    assert set(found["light"]) == set(found["dark"])
    assert found["light"] != found["dark"]


def test_a_rule_names_no_colour_of_its_own() -> None:
    """But black and white: else the dark would not change it."""
    rules = re.sub(r":root {[^}]*}", "", STYLES)
    assert {"#000", "#fff"} == set(re.findall(r"#[0-9a-f]{3,8}\b(?=[^{]*})", rules))
