"""Says what a model refuses, in sentences of our own: pydantic's are English alone.

A sentence is found by the kind of the fault, and its places are filled from what pydantic tells of it. Beside it stands the
rule by which a file names that fault; empty where that is pydantic's own word.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic_core import ErrorDetails

from services.shared.i18n import english, mark

SENTENCES: dict[str, tuple[str, str]] = {
    "bool_type": (mark("give true or false, not {given}"), "flag"),
    "bool_parsing": (mark("give true or false, not {given}"), "flag"),
    "list_type": (mark("give a list in [ ], not {given}"), "list"),
    "tuple_type": (mark("give a list in [ ], not {given}"), "list"),
    "dict_type": (mark("give entries in {{ }}, not {given}"), "mapping"),
    "model_type": (mark("give entries in {{ }}, not {given}"), "mapping"),
    "model_attributes_type": (mark("give entries in {{ }}, not {given}"), "mapping"),
    "invalid_key": (mark("write the name of this entry as text"), ""),
    "string_type": (mark("give a word, not {given}"), "word"),
    "string_unicode": (mark("give text of whole Unicode characters"), ""),
    "string_too_short": (mark("give at least {min_length} characters"), ""),
    "string_too_long": (mark("give at most {max_length} characters"), ""),
    "string_pattern_mismatch": (mark("this is not written as the pattern {pattern} says; correct it"), ""),
    "int_type": (mark("give a whole number, not {given}"), "number"),
    "int_parsing": (mark("give a whole number, not {given}"), "number"),
    "int_parsing_size": (mark("give a whole number of fewer digits"), "number"),
    "int_from_float": (mark("give a whole number, not {given}"), "number"),
    "float_type": (mark("give a number, not {given}"), "number"),
    "float_parsing": (mark("give a number, not {given}"), "number"),
    "finite_number": (mark("give a number, not {given}"), "number"),
    "greater_than": (mark("give a number above {gt}, not {given}"), ""),
    "greater_than_equal": (mark("give a number of at least {ge}, not {given}"), ""),
    "less_than": (mark("give a number below {lt}, not {given}"), ""),
    "less_than_equal": (mark("give a number of at most {le}, not {given}"), ""),
    "too_short": (mark("give at least {min_length} entries, not {actual_length}"), ""),
    "too_long": (mark("give at most {max_length} entries, not {actual_length}"), ""),
    "datetime_type": (mark("give a date and time like 2026-07-01T08:00:00+08:00, not {given}"), ""),
    "datetime_parsing": (mark("give a date and time like 2026-07-01T08:00:00+08:00, not {given}"), ""),
    "datetime_from_date_parsing": (mark("give a date and time like 2026-07-01T08:00:00+08:00, not {given}"), ""),
    "datetime_object_invalid": (mark("give a date and time like 2026-07-01T08:00:00+08:00, not {given}"), ""),
    "timezone_aware": (mark("give the time with its zone, like 2026-07-01T08:00:00+08:00, not {given}"), ""),
    "is_instance_of": (mark("this is not of the kind that is asked for; correct it"), ""),
    "path_type": (mark("give the path of a file, not {given}"), ""),
    "union_tag_invalid": (mark("{given} is not on the list; use {words}"), "closed_list"),
    "union_tag_not_found": (mark("add {discriminator}: it says of which kind this is"), ""),
    "recursion_loop": (mark("this holds itself; take that out"), ""),
    "missing": (mark("this is missing; add it"), "required"),
    "extra_forbidden": (mark("this is not known here; take it out"), "closed_list"),
    "literal_error": (mark("{given} is not on the list; use {words}"), "closed_list"),
    "json_invalid": (mark("this is no JSON from line {line}, column {column} on; correct it there"), "json"),
}
HIDDEN = "this"  # stands for what was given where it may be a secret
_WHERE = re.compile(r"line (\d+) column (\d+)")


class Said(NamedTuple):
    """A fault of a model: the sentence in English, as `told` reads it, and the rule as a file names it."""

    sentence: str
    rule: str


def said_of(error: ErrorDetails, *, secret: bool = False) -> Said:
    """What is wrong and what to give instead. `secret`: what was given stands in no sentence.

    A kind of which there is no sentence here keeps pydantic's.
    """
    kind, more = error["type"], error.get("ctx", {})
    given = HIDDEN if secret else _short(error.get("input"))
    if kind == "told":
        return Said(more["message"], more["rule"])
    if kind == "value_error":
        return Said(str(more["error"]), "value")
    if kind not in SENTENCES:
        shown = "" if secret else f", not {given}"
        return Said(f"{error['msg'][:1].lower()}{error['msg'][1:]}{shown}", kind)
    places = {name: _plain(value) for name, value in more.items()} | {"given": given}
    if kind in ("literal_error", "union_tag_invalid"):
        words = (places.get("expected") or places["expected_tags"]).replace(" or ", ", ").split(", ")
        places["words"] = ", ".join(word.strip("'") for word in words)
    if kind == "json_invalid":
        found = _WHERE.search(places["error"])
        places["line"], places["column"] = found.groups() if found else ("1", "1")
    sentence, rule = SENTENCES[kind]
    return Said(english(sentence, **places), rule or kind)


def _plain(value: object) -> str:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _short(given: object) -> str:
    said = repr(given)
    return said if len(said) <= 60 else f"{said[:57]}..."
