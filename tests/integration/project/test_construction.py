"""Every part is whole once it is made: what it needs is given to its constructor, and nobody completes it later."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.sources import trees

WIRING = {"service.py", "node.py", "run.py"}  # here parts are put together: all of the file counts
CONSTRUCTORS = {"__init__", "__post_init__"}


def completed_later(tree: ast.Module, name: str) -> Iterator[str]:
    """Assignments to an attribute of another object, in a constructor or where services are put together."""
    scopes: list[ast.AST] = [tree] if name in WIRING else []
    scopes += [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in CONSTRUCTORS]
    for node in (node for scope in scopes for node in ast.walk(scope)):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Attribute) and not (
                isinstance(target.value, ast.Name) and target.value.id == "self"
            ):
                yield f"line {target.lineno}: {ast.unparse(target)}"


@pytest.mark.parametrize("name", ["service.py", "other.py"])
@pytest.mark.parametrize("late", ["preparer.limits = 1", "self.recorder.scored = 1", "part.n += 1", "part.n: int = 1"])
def test_a_late_assignment_is_seen(late: str, name: str) -> None:
    """In a constructor wherever it is, else in the files that put parts together."""

    def seen(source: str) -> list[str]:
        return [*completed_later(ast.parse(source), name)]

    assert seen(f"class A:\n  def __init__(self, preparer, part):\n    {late}\n")
    assert ("service.py" == name) is bool(seen(f"def f(self, preparer, part):\n  {late}\n"))
    assert not seen("class A:\n  def __init__(self, n):\n    self.n = n\n")


def test_nothing_is_assigned_to_a_part_after_its_constructor() -> None:
    """`file: line: what`, so that it is found at once."""
    found = [
        f"{file}: {late}" for file, tree in trees().items() for late in completed_later(tree, file.rpartition("/")[2])
    ]
    assert [] == found


def test_settings_are_read_by_commands_and_handed_down() -> None:
    """No module of the depths reads the environment: a driver's settings are a part of the tree it is given."""
    reads = []
    for file, tree in trees().items():
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        reads += [f"{Path(file).stem}: {call.func.id}" for call in calls if call.func.id.endswith("Settings")]  # type: ignore[attr-defined]
    assert ["demo: Settings", "kit: Settings", "routes: Settings", "trial: Settings"] == sorted(set(reads))
