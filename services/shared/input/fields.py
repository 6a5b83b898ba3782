"""Defines kinds of fields for files: each refuses in words, and says what it takes in the JSON Schema."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from services.shared.errors import Refused
from services.shared.input.files import wrong


class _Kind(ABC):
    """A checked value and what the JSON Schema says of it."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return self.schema()

    @abstractmethod
    def check(self, given: object) -> object:
        """The value as it is kept; a fault where it is none."""

    @abstractmethod
    def schema(self) -> JsonSchemaValue:
        """What an editor is told."""


@dataclass(frozen=True)
class Between(_Kind):
    """A number in a range, kept times `unit`: minutes are written and seconds are kept."""

    low: float
    high: float
    whole: bool = False
    unit: float = 1

    def check(self, given: object) -> float:
        if isinstance(given, bool) or not isinstance(given, int | float) or not self.low <= given <= self.high:
            wrong(f"give a number of {self.low:g} to {self.high:g}, not {given!r}", "number", given)
        if self.whole and given != int(given):
            wrong(f"give a whole number, not {given!r}", "number", given)
        return int(given) if self.whole else float(given) * self.unit

    def schema(self) -> JsonSchemaValue:
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class OneOf(_Kind):
    """A word of a closed list."""

    words: Sequence[str]

    def check(self, given: object) -> str:
        if not isinstance(given, str) or given not in self.words:
            wrong(f"{given!r} is not on the list; use {', '.join(self.words)}", "closed_list", given)
        return given

    def schema(self) -> JsonSchemaValue:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Says(_Kind):
    """True where the one word is written that there is; left out it is false."""

    word: str

    def check(self, given: object) -> bool:
        if given != self.word:
            wrong(f"{given!r} is not on the list; use {self.word}, or leave it out", "closed_list", given)
        return True

    def schema(self) -> JsonSchemaValue:
        return {"const": self.word}


@dataclass(frozen=True)
class ListOf(_Kind):
    """Words of a closed list, none twice and at least `least`; `must` all stand there, for the reason given."""

    words: Sequence[str]
    make: Callable[[Sequence[object]], object] = tuple
    of: Callable[[str], object] = str
    least: int = 0
    must: Sequence[str] = ()
    why: str = ""

    def check(self, given: object) -> object:
        if not isinstance(given, list | tuple):
            wrong(f"give a list in [ ], not {given!r}", "list", given)
        for n, word in enumerate(given):
            if not isinstance(word, str) or word not in self.words:
                wrong(f"{word!r} is not on the list; use {', '.join(self.words)}", "closed_list", word, at=(n,))
            if word in given[:n]:
                wrong(f"{word!r} stands in this list twice; keep one", "doubled", word, at=(n,))
        if missing := [word for word in self.must if word not in given]:
            wrong(f"add {', '.join(missing)}: {self.why}", "required", given)
        if len(given) < self.least:
            wrong(f"give at least {self.least} of {', '.join(self.words)}", "required", given)
        return self.make([self.of(word) for word in given])

    def schema(self) -> JsonSchemaValue:
        found: JsonSchemaValue = {"type": "array", "items": {"enum": list(self.words)}, "uniqueItems": True}
        if self.must:
            found["allOf"] = [{"contains": {"const": word}} for word in self.must]
        return found | ({"minItems": self.least} if self.least else {})


@dataclass(frozen=True)
class WrittenAs(_Kind):
    """Text that is read by `read`, whose ValueError or Refused says what to write; `pattern` tells an editor."""

    pattern: str
    read: Callable[[str], object]
    rule: str = "words"

    def check(self, given: object) -> object:
        try:
            return self.read(str(given))
        except ValueError as problem:
            wrong(str(problem), self.rule, given)
        except Refused as problem:
            wrong(problem.message, problem.rule, problem.given)

    def schema(self) -> JsonSchemaValue:
        return {"type": "string", "pattern": self.pattern}


class _Schema(GenerateJsonSchema):
    """Of a file as it is written: what a model keeps where an entry is left out is no value of the file."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: object) -> bool:
        """No: a title made of a name says nothing more."""
        return False


def json_schema(model: type[BaseModel], title: str) -> JsonSchemaValue:
    """The JSON Schema of a file, by which an editor completes and checks it."""
    made = model.model_json_schema(by_alias=True, schema_generator=_Schema)
    return {"$schema": _Schema.schema_dialect, **made, "title": title}
