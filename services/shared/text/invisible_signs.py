"""Removes signs that turn the reading direction, and signs nobody sees.

The marks LRM and RLM, and the joiners of Persian and Indic scripts, stay: they belong to words.
"""

from __future__ import annotations

import re

BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ufff9-\ufffb\U000e0000-\U000e007f]")


def plain_signs(text: str) -> str:
    """The text without them."""
    return BIDI.sub("", CONTROL.sub("", text))
