"""What the register asks of a person: one row an answer, written beside its type in the model.

The type, its bounds and its default say what may be answered. `Answer` says the rest: what it is called and how it is
asked, how its column is read, what is true of everybody at home, and how soon it is asked again. The
list of answers, the import, the columns' help, the pages and the needs one answer makes come from these rows.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Kind = Literal["level", "yes", "number", "one", "several"]


@dataclass(frozen=True)
class AskedAnswer:
    """Beside a field's type; `name` and `ask` are messages of the catalogue, without `ask` no page asks it."""

    name: str
    ask: str = ""
    offered: tuple[str, ...] = ()  # on the page, where the type takes any word
    help: str = ""  # of its column, where neither type nor description says it
    reads: str = ""  # another reader of its column than that of its kind
    home: bool = False  # true of everybody in one household
    medical: bool = False  # asked again after six months, where there is a device
    temporary: bool = False  # asked again after six months, and ends after a year
    fixed: bool = False  # about safety: the person decides, nobody for an adult
    protects: bool = False  # a cell that is not understood holds the row
    need: str = ""  # the need group that this answer makes by itself


@dataclass(frozen=True)
class Row:
    """One answer with what its type says."""

    field: str
    answer: AskedAnswer
    kind: Kind
    values: tuple[str, ...]  # that a page offers
    whole: bool  # its values are numbers
    least: int
    most: int
    default: str | float | None
    help: str

    @property
    def asked(self) -> bool:
        """Whether a page asks it."""
        return bool(self.answer.ask)

    def makes_need(self, value: object) -> bool:
        """Whether this value puts a person into the answer's need group: a lot of difficulty, a yes, a device."""
        return value in (3, 4) if self.kind == "level" else value != self.default


def rows_of(model: type[BaseModel]) -> dict[str, Row]:
    """The answers among a model's fields, in their order."""
    found = {}
    for name, info in model.model_fields.items():
        answer = next((one for one in info.metadata if isinstance(one, AskedAnswer)), None)
        if answer is not None:
            found[name] = _row(name, info, answer)
    return found


def _row(name: str, info: FieldInfo, answer: AskedAnswer) -> Row:
    type_ = info.annotation
    if get_origin(type_) in (Union, types.UnionType):
        type_ = next(one for one in get_args(type_) if one is not type(None))
    several = get_origin(type_) is tuple
    literal = get_args(type_)[0] if several else type_
    choices = get_args(literal) if get_origin(literal) is Literal else ()
    level = choices == (1, 2, 3, 4, 9)
    kind: Kind = (
        "level" if level else "yes" if type_ is bool else "several" if several
        else "one" if choices or answer.offered else "number"
    )  # fmt: skip
    bounds = {type(one): one for one in info.metadata}
    least, most = bounds.get(annotated_types.Ge), bounds.get(annotated_types.Le)
    said = {
        "level": "1 no difficulty, 2 some, 3 a lot, 4 cannot, 9 unknown",
        "yes": f"yes or no{': ' + info.description if info.description else ''}",
        "one": info.description or ", ".join(map(str, choices)),
        "several": info.description or "; ".join(map(str, choices)),
        "number": info.description or "a number",
    }
    return Row(
        name, answer, kind,
        values=() if level else answer.offered or tuple(map(str, choices)),
        whole=bool(choices) and all(isinstance(one, int) for one in choices),
        least=0 if least is None else int(least.ge), most=0 if most is None else int(most.le),
        default=info.get_default(call_default_factory=True), help=answer.help or said[kind],
    )  # fmt: skip


def those(rows: Mapping[str, Row], what: str) -> frozenset[str]:
    """Answers of which something is true: home, medical, temporary, fixed."""
    return frozenset(name for name, row in rows.items() if getattr(row.answer, what))
