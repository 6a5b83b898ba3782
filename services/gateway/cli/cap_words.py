"""Says the words of CAP's closed lists in the reader's language, for `tocsin cap show`."""

from __future__ import annotations

import re

from services.shared.i18n import mark_in, t, told

_WORDS = (  # as they stand in an alert, and in our own terms
    mark_in("CAP", "Actual"), mark_in("CAP", "Exercise"), mark_in("CAP", "System"), mark_in("CAP", "Test"),
    mark_in("CAP", "Draft"), mark_in("CAP", "Alert"), mark_in("CAP", "Update"), mark_in("CAP", "Cancel"),
    mark_in("CAP", "Ack"), mark_in("CAP", "Error"), mark_in("CAP", "Public"), mark_in("CAP", "Restricted"),
    mark_in("CAP", "Private"), mark_in("CAP", "Extreme"), mark_in("CAP", "Severe"), mark_in("CAP", "Moderate"),
    mark_in("CAP", "Minor"), mark_in("CAP", "Unknown"), mark_in("CAP", "Immediate"), mark_in("CAP", "Expected"),
    mark_in("CAP", "Future"), mark_in("CAP", "Past"), mark_in("CAP", "Observed"), mark_in("CAP", "Likely"),
    mark_in("CAP", "Possible"), mark_in("CAP", "Unlikely"), mark_in("CAP", "Evacuate"), mark_in("CAP", "Shelter"),
    mark_in("CAP", "Prepare"), mark_in("CAP", "Execute"), mark_in("CAP", "Avoid"), mark_in("CAP", "Monitor"),
    mark_in("CAP", "Assess"), mark_in("CAP", "AllClear"), mark_in("CAP", "None"), mark_in("CAP", "evacuate"),
    mark_in("CAP", "shelter_in"),
    mark_in("CAP", "check_on"), mark_in("CAP", "as_told"), mark_in("CAP", "red"), mark_in("CAP", "orange"),
    mark_in("CAP", "yellow"), mark_in("CAP", "blue"),
    mark_in("CAP", "expires"),
)  # fmt: skip
_VALUES = {str(word): word for word in _WORDS}
_WORD = re.compile(r"[A-Za-z_]+")


def value(word: str) -> str:
    """A word of CAP's."""
    return t(_VALUES[word]) if word in _VALUES else word


def reason(text: str) -> str:
    """By which rule something was found; names of sources and parameters stay as they are."""
    said = told(text)
    return value(text) if said == text else _WORD.sub(lambda m: value(m.group()), said)
