"""Reads YAML files of an installation into pydantic models: a fault says setting, line, field, rule and remedy.

`read_file` is the one way from a setting's path to a model; `Document` is for a reader that must look at more than one
model can say. A date stays the text it is, and a number that is none too: the model judges them, with their line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from services.shared.errors import Refused
from services.shared.i18n import english, mark
from services.shared.input.untrusted import FILE_BYTES, TooMuch, check_yaml
from services.shared.model_faults import said_of

Place = tuple[str | int, ...]
Model = TypeVar("Model")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # safe both; C is ten times as fast
    """Plain values: a date is not resolved."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Entry(BaseModel):
    """A mapping in a file. An entry that is not known is refused by name: nothing in it is without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: object) -> object:
        if isinstance(given, dict):
            names = [field.alias or name for name, field in cls.model_fields.items()]
            for key in given:
                if key not in names:
                    wrong(
                        f"{key!r} is not known here; use {', '.join(sorted(names))}", "closed_list", key, at=(str(key),)
                    )
        return given


def wrong(message: str, rule: str, given: object = None, *, at: Place = ()) -> NoReturn:
    """For a model's own validators: the fault, at an entry below the one that is looked at."""
    raise PydanticCustomError("told", "{message}", {"message": message, "rule": rule, "given": given, "at": at})


class Document:
    """One YAML text as data, with the line of each entry."""

    def __init__(
        self,
        text: str,
        *,
        name: str = "",
        setting: str = "",
        most: int = FILE_BYTES,
        secret: bool = False,
        remedy: str = "",
    ) -> None:
        """`name` and `setting` stand before each fault, `remedy` with it; what a `secret` file holds stands in none."""
        self.text = text
        self._name, self._setting, self._secret, self._remedy = name, setting, secret, remedy
        self._lines: dict[Place, int] = {}
        self._doubled: list[Place] = []
        self.data: Any = self._parsed(text, most)

    def line(self, at: Place) -> int:
        """The line of an entry, or of the nearest thing around it that is there."""
        while at not in self._lines and at:
            at = at[:-1]
        return self._lines.get(at, 1)

    def fault(self, at: Place, rule: str, message: str, given: object = None) -> Refused:
        """The fault of one entry; entries of a list are counted from 1."""
        where = ".".join(str(part + 1) if isinstance(part, int) else part for part in at)
        said = f"line {self.line(at)}, {where}: {message}" if where else f"line {self.line(at)}: {message}"
        return Refused(
            self._before(said), field=self._setting or where, rule=rule, given=None if self._secret else given,
            remedy=self._remedy,
        )  # fmt: skip

    def read(self, model: type[Model], at: Place = ()) -> Model:
        """The model of the document, or of the part at a place; Refused at the first line that is wrong."""
        for place in self._doubled:
            if place[: len(at)] == at:
                raise self.fault(place, "doubled", f"{place[-1]!r} stands here twice; keep one", place[-1])
        data = self.data
        for part in at:
            data = data[part]
        try:
            return TypeAdapter(model).validate_python(data)
        except ValidationError as problem:
            told = [self._told(error, at) for error in problem.errors(include_url=False)]
            place, message, rule, given = min(told, key=lambda one: self.line(one[0]))
            raise self.fault(place, rule, message, given) from problem

    def _before(self, said: str) -> str:
        source = "=".join(part for part in (self._setting, self._name) if part)
        return f"{source}: {said}" if source else said

    def _told(self, error: ErrorDetails, at: Place) -> tuple[Place, str, str, object]:
        """Where, what to do, by which rule, and what was given."""
        kind, given = error["type"], error.get("input")
        place = (*at, *(part for part in error["loc"] if str(part)[:1] not in ("<", "[")))  # kinds of a union, [key]
        said, rule = said_of(error, secret=self._secret)
        match kind:
            case "told":
                more = error["ctx"]
                return (*place, *more["at"]), said, rule, more["given"]
            case "missing":
                missing = mark("the entry {name} is missing; add it")
                if len(place) == 1:
                    missing = mark("the section {name} is missing; add it")
                return place, english(missing, name=repr(place[-1])), rule, None
            case "extra_forbidden":
                unknown = mark("{key} is not known here; take it out")
                return place, english(unknown, key=repr(place[-1])), rule, place[-1]
        return place, said, rule, given

    def _parsed(self, text: str, most: int) -> object:
        loader = _Loader(text)
        try:
            check_yaml(text, most)
            node = loader.get_single_node()
            return None if node is None else self._value(loader, node, ())
        except yaml.MarkedYAMLError as problem:
            line = problem.problem_mark.line + 1 if problem.problem_mark else 1
            said = "no YAML; correct it there" if self._secret else f"{problem.problem}; correct the YAML there"
            raise self._no_yaml(f"line {line}: {said}") from problem
        except TooMuch as problem:
            raise self._no_yaml(f"it cannot be read: {problem}") from problem
        except (yaml.YAMLError, ValueError) as problem:  # a character YAML does not take has no mark
            said = "" if self._secret else f" {problem};"
            raise self._no_yaml(f"line 1:{said} save the file as plain UTF-8 text") from problem
        finally:
            loader.dispose()

    def _no_yaml(self, said: str) -> Refused:
        return Refused(self._before(said), field=self._setting, rule="yaml", remedy=self._remedy)

    def _value(self, loader: _Loader, node: yaml.Node, at: Place) -> object:
        """Builds plain values and notes their lines; of two equal keys, half of an entry would be lost in silence."""
        self._lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(loader, part, (*at, n)) for n, part in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            try:
                return loader.construct_object(node)
            except (ValueError, OverflowError, yaml.YAMLError):  # !!int x, a number of 5,000 digits
                return node.value
        found: dict[object, object] = {}
        for key, part in node.value:
            name = self._value(loader, key, (*at, "<key>")) if isinstance(key, yaml.ScalarNode) else key.tag
            place = (*at, str(name))
            if name in found:
                self._doubled.append(place)
            self._lines[place] = key.start_mark.line + 1
            found[name] = self._value(loader, part, place)
        return found


def open_file(setting: str, path: Path, *, secret: bool = False) -> Document:
    """The file a setting names, or a command where `setting` is empty; Refused where it cannot be read."""
    source = f"{setting}={path}" if setting else str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        said = f"{source}: {problem.strerror}; give a file that can be read"
        raise Refused(said, field=setting, rule="file", given=str(path)) from problem
    except UnicodeDecodeError as problem:
        said = f"{source}: not UTF-8 text: save it as UTF-8"
        raise Refused(said, field=setting, rule="utf-8", given=str(path)) from problem
    return Document(text, name=str(path), setting=setting, secret=secret)


def read_file(setting: str, path: Path, model: type[Model], *, secret: bool = False) -> Model:
    """What the file says, as this model."""
    return open_file(setting, path, secret=secret).read(model)
