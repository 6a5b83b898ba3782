"""Holds what models refuse to sentences of ours, in the reader's language."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, Literal, get_args

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, core_schema

import services
from services.registry.model.given import ContactIn, PersonIn, SupporterIn
from services.shared.i18n import speaking, told
from services.shared.model_faults import SENTENCES, said_of

_LENGTHS = {"min_length": "too_short", "max_length": "too_long"}
_BOUNDS = {"ge": "greater_than_equal", "gt": "greater_than", "le": "less_than_equal", "lt": "less_than"}
RAISES: dict[str, tuple[str, ...]] = {  # by kind of schema; value_error of the functions is the function's own sentence
    "any": (), "bool": ("bool_type", "bool_parsing"), "default": (), "definition-ref": ("recursion_loop",),
    "definitions": (), "dict": ("dict_type",), "float": ("float_type", "float_parsing", "finite_number"),
    "datetime": ("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"),
    "function-after": (), "function-before": (), "function-plain": (), "function-wrap": (), "no-info": (),
    "int": ("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "is-instance": ("is_instance_of",),
    "json-or-python": (), "lax-or-strict": (), "list": ("list_type",), "literal": ("literal_error",),
    "model": ("model_type", "json_invalid"), "model-field": ("missing",), "nullable": (), "union": (),
    "model-fields": ("extra_forbidden", "invalid_key", "model_attributes_type"),
    "str": ("string_type", "string_unicode"), "tagged-union": ("union_tag_invalid", "union_tag_not_found"),
    "tuple": ("tuple_type", "missing"),
}  # fmt: skip
MORE: dict[tuple[str, str], str] = {
    **{(kind, bound): error for kind in ("int", "float") for bound, error in _BOUNDS.items()},
    **{(kind, bound): error for kind in ("dict", "list", "tuple") for bound, error in _LENGTHS.items()},
    **{("str", bound): f"string_{error}" for bound, error in _LENGTHS.items()},
    ("str", "pattern"): "string_pattern_mismatch",
    ("datetime", "tz_constraint"): "timezone_aware",
}


def _models(of: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for model in of.__subclasses__():
        yield model
        yield from _models(model)


def _schemas(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if isinstance(part.get("type"), str):
            yield part
        for name, inner in part.items():
            if name not in ("metadata", "serialization", "default", "json_schema_input_schema"):
                yield from _schemas(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _schemas(inner)


def test_each_kind_of_fault_a_model_can_raise_has_a_sentence() -> None:
    """Whatever the schemas of all models say can be wrong; a kind of schema that is new here is looked at by hand."""
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    models = {model for model in _models() if model.__module__.startswith("services.")}
    raised = {
        error
        for model in models
        for schema in _schemas(model.__pydantic_core_schema__)
        for error in (
            *RAISES[schema["type"]],
            *(MORE[schema["type"], key] for key in schema if (schema["type"], key) in MORE),
        )
    }
    assert len(models) > 80
    assert raised <= set(SENTENCES), raised - set(SENTENCES)
    assert set(SENTENCES) - {"path_type"} <= set(get_args(core_schema.ErrorType))


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    whole: int = Field(0, ge=1, le=5)
    share: float = Field(0, gt=0, lt=1, allow_inf_nan=False)
    flag: bool = False
    word: str = Field("abc", min_length=2, max_length=4, pattern="^[a-z]*$")
    words: tuple[str, ...] = Field(("a",), min_length=1, max_length=2)
    one: Literal["a", "b", "c"] = "a"
    by: dict[str, int] = Field(default_factory=dict)
    when: AwareDatetime | None = None

    @model_validator(mode="after")
    def _both(self) -> _Row:
        if self.whole == 5 and self.flag:
            raise ValueError("give both lat and lon, or neither")
        return self


def _first(model: type[BaseModel], given: object) -> ErrorDetails:
    with pytest.raises(ValidationError) as wrong:
        model.model_validate(given) if not isinstance(given, str) else model.model_validate_json(given)
    return wrong.value.errors(include_url=False)[0]


CASES: dict[str, tuple[object, str]] = {
    "a word for a number": ({"whole": "x"}, "give a whole number, not 'x'"),
    "half a number": ({"whole": 1.5}, "give a whole number, not 1.5"),
    "too small": ({"whole": 0}, "give a number of at least 1, not 0"),
    "too large": ({"whole": 6}, "give a number of at most 5, not 6"),
    "not above": ({"share": 0}, "give a number above 0, not 0"),
    "not below": ({"share": 1}, "give a number below 1, not 1"),
    "no number at all": ({"share": float("nan")}, "give a number, not nan"),
    "no flag": ({"flag": "perhaps"}, "give true or false, not 'perhaps'"),
    "a number for a word": ({"word": 3}, "give a word, not 3"),
    "too short a word": ({"word": "a"}, "give at least 2 characters"),
    "too long a word": ({"word": "abcde"}, "give at most 4 characters"),
    "another pattern": ({"word": "AB"}, "this is not written as the pattern ^[a-z]*$ says; correct it"),
    "no list": ({"words": 3}, "give a list in [ ], not 3"),
    "an empty list": ({"words": []}, "give at least 1 entries, not 0"),
    "a long list": ({"words": ["a", "b", "c"]}, "give at most 2 entries, not 3"),
    "not on the list": ({"one": "d"}, "'d' is not on the list; use a, b, c"),
    "no mapping": ({"by": 1}, "give entries in { }, not 1"),
    "no date": ({"when": "soon"}, "give a date and time like 2026-07-01T08:00:00+08:00, not 'soon'"),
    "no zone": (
        {"when": "2026-07-01T08:00:00"},
        "give the time with its zone, like 2026-07-01T08:00:00+08:00, not '2026-07-01T08:00:00'",
    ),
    "too much": ({"more": 1}, "this is not known here; take it out"),
    "no JSON": ('{"whole": 1,}', "this is no JSON from line 1, column 13 on; correct it there"),
    "a sentence of the model's": ({"whole": 5, "flag": True}, "give both lat and lon, or neither"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_sentence_says_what_to_give_and_is_read_in_chinese(case: str) -> None:
    """In English as written, under a field's name in another language: none of its words stays English."""
    given, sentence = CASES[case]
    said = said_of(_first(_Row, given)).sentence
    assert sentence == said
    with speaking("zh-Hans"):
        chinese = told(f"whole: {said}")
    assert chinese.startswith("whole: "), chinese
    for word in ("give", "this", "not", "number", "list", "correct", "take", "entries", "characters"):
        assert f"{word} " not in chinese, chinese


def test_a_secret_stands_in_no_sentence() -> None:
    """Neither in one of ours nor in pydantic's own, which is what a kind without a sentence says."""
    error = _first(_Row, {"whole": "hunter2"})
    assert "give a whole number, not this" == said_of(error, secret=True).sentence
    error["type"], error["msg"] = "uuid_type", "UUID input should be a string"
    assert ("uUID input should be a string", "uuid_type") == said_of(error, secret=True)
    assert "uUID input should be a string, not 'hunter2'" == said_of(error).sentence


def test_real_models_say_it_so() -> None:
    """A person, a contact and a helper as the register takes them."""
    assert "this is missing; add it" == said_of(_first(PersonIn, {})).sentence
    wrong = _first(ContactIn, {"kind": "email", "address": "nobody"})
    assert "give an e-mail address like name@example.org" == said_of(wrong).sentence
    assert "give a number of at most 1440, not 2000" == said_of(_first(SupporterIn, {"distance_min": 2000})).sentence
