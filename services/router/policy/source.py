"""A policy file as data that knows its lines: every look at it is checked, and a fault says line, rule and remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from services.shared.errors import Refused
from services.shared.input.untrusted import TooMuch, check_yaml
from services.shared.tiers import TIER_WORDS, Tier

Path = Sequence[str | int]
_MISSING = object()
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # safe both; the first is ten times as fast


class PolicySource:
    """The parsed data together with the line each entry stands on."""

    def __init__(self, text: str) -> None:
        self._root, self.data = _parsed(text)
        if not isinstance(self.data, dict):
            raise Refused("line 1: the policy file is empty; start from the one that ships", rule="yaml")
        self._doubled(self._root, [])

    def _doubled(self, node: Any, path: list[str | int]) -> None:
        """YAML lets the last of two equal keys win in silence; half of a rule would be lost."""
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    where = ".".join(str(p) for p in [*path, key.value])
                    raise Refused(
                        f"line {key.start_mark.line + 1}, {where}: {key.value!r} stands here twice; keep one",
                        field=where, rule="doubled", given=key.value,
                    )  # fmt: skip
                seen.add(key.value)
                self._doubled(value, [*path, key.value])
        elif isinstance(node, yaml.SequenceNode):
            for n, value in enumerate(node.value):
                self._doubled(value, [*path, n])

    def line(self, path: Path) -> int:
        """The line of an entry, or of the nearest thing around it that is there."""
        node = self._root
        line = 1
        for part in path:
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == str(part):
                        node, line = value, key.start_mark.line + 1
                        break
                else:
                    return line
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
        return line

    def refuse(self, path: Path, message: str, rule: str, given: Any = None) -> Refused:
        """The fault of one entry."""
        where = ".".join(str(p) for p in path)
        return Refused(f"line {self.line(path)}, {where}: {message}", field=where, rule=rule, given=given)

    def at(self, path: Path) -> Any:
        """The value there; Refused where it is missing."""
        value = self.data
        for n, part in enumerate(path):
            found = _part(value, part)
            if found is _MISSING:
                what = "section" if n == 0 else "entry"
                raise self.refuse(path[: n + 1], f"the {what} {part!r} is missing; add it", "required")
            value = found
        return value

    def optional(self, path: Path, default: Any) -> Any:
        """The value there, or the default."""
        around = self.at(path[:-1])
        return around.get(path[-1], default) if isinstance(around, dict) else default

    def keys(self, path: Path, allowed: Sequence[str], required: Sequence[str] = ()) -> Mapping[str, Any]:
        """A mapping with no entry that is not allowed and none of the required missing."""
        value = self.at(path)
        if not isinstance(value, dict):
            raise self.refuse(path, f"give entries in {{ }}, not {value!r}", "mapping", value)
        for key in value:
            if key not in allowed:
                raise self.refuse(
                    [*path, str(key)],
                    f"{key!r} is not known here; use {', '.join(sorted(allowed))}",
                    "closed_list",
                    key,
                )
        for key in required:
            if key not in value:
                raise self.refuse([*path, key], f"the entry {key!r} is missing; add it", "required")
        return value

    def word(self, path: Path, allowed: Sequence[str], default: str | None = None) -> str:
        """A word of a closed list."""
        value = self.at(path) if default is None else self.optional(path, default)
        return self.check(path, value, allowed)

    def check(self, path: Path, value: Any, allowed: Sequence[str]) -> str:
        """`value` if it is on the list."""
        if not isinstance(value, str) or value not in allowed:
            listed = ", ".join(a for a in allowed if a)
            raise self.refuse(path, f"{value!r} is not on the list; use {listed}", "closed_list", value)
        return value

    def words(self, path: Path, allowed: Sequence[str], default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of words of a closed list, none twice."""
        values = self.at(path) if default is None else self.optional(path, list(default))
        if not isinstance(values, list):
            raise self.refuse(path, f"give a list in [ ], not {values!r}", "list", values)
        found = tuple(self.check([*path, n], value, allowed) for n, value in enumerate(values))
        for n, value in enumerate(found):
            if value in found[:n]:
                raise self.refuse([*path, n], f"{value!r} stands in this list twice; keep one", "doubled", value)
        return found

    def number(self, path: Path, low: float = 0, high: float = 1e6, default: float | None = None) -> float:
        """A number in a range."""
        value = self.at(path) if default is None else self.optional(path, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            span = f"{low:g} or more" if high >= 1e6 else f"{low:g} to {high:g}"
            raise self.refuse(path, f"give a number of {span}, not {value!r}", "number", value)
        return float(value)

    def whole(self, path: Path, low: int = 0, high: int = 1_000_000) -> int:
        """A whole number in a range."""
        value = self.number(path, low, high)
        if value != int(value):
            raise self.refuse(path, f"give a whole number, not {value!r}", "number", value)
        return int(value)

    def flag(self, path: Path, default: bool | None = None) -> bool:
        """true or false."""
        value = self.at(path) if default is None else self.optional(path, default)
        if not isinstance(value, bool):
            raise self.refuse(path, f"give true or false, not {value!r}", "flag", value)
        return value

    def tiers(self, path: Path) -> frozenset[Tier]:
        """Tiers by their words."""
        return frozenset(Tier.of(word) for word in self.words(path, TIER_WORDS))


def _part(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part, _MISSING)
    inside = isinstance(value, list) and isinstance(part, int) and part < len(value)
    return value[part] if inside else _MISSING


def _parsed(text: str) -> tuple[Any, Any]:
    """The nodes, which know their lines, and the data of them; Refused with the line where it is no YAML."""
    loader = _LOADER(text)
    try:
        check_yaml(text)
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 0
        raise Refused(f"line {line}: {wrong.problem}; correct the YAML there", rule="yaml", given=line) from wrong
    except TooMuch as wrong:
        raise Refused(f"the policy file cannot be read: {wrong}", rule="yaml") from wrong
    except (yaml.YAMLError, ValueError) as wrong:  # a character or a date YAML does not take has no mark
        raise Refused(f"line 1: {wrong}; save the file as plain UTF-8 text", rule="yaml") from wrong
    finally:
        loader.dispose()
