"""One word for each thing: the glossary's old words stand in no name, no two public classes share one, no verb says nothing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from services.shared import labels
from tests.kit.sources import trees

ROOT = Path(__file__).parents[3]
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
SAYS_NOTHING = {"take", "work", "one", "do", "get_it"}
# A word may be the field's own elsewhere: CAP writes coordinates in pairs.
FIELDS_OWN = {
    "pair": (
        "gateway/cap/", "gateway/publish/", "gateway/feeds/", "gateway/intake/", "channels/messages/cap_document.py",
        "channels/replies/quoted_text.py", "channels/drivers/cell_broadcast/operators.py",
    )
}  # fmt: skip


def old_words() -> set[str]:
    """The third column of the glossary's tables."""
    rows = re.findall(r"^\|[^|]+\|[^|]+\|([^|]*)\|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return {word.strip() for row in rows for word in row.split(",") if word.strip() not in ("", "not", "---")}


def names(tree: ast.Module) -> Iterator[str]:
    """Every name a module defines or uses."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name


def words_of(name: str) -> set[str]:
    """The words a name is made of, singular: SMS_ROADS > sms, road."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+", name)
    return {p.lower().removesuffix("s") for p in parts} | {p.lower() for p in parts}


@cache
def used() -> dict[str, set[tuple[str, str]]]:
    """Word > (file, name) of each name that has it."""
    found = defaultdict(set)
    for file, tree in trees().items():
        for name in set(names(tree)):
            for word in words_of(name):
                found[word].add((file, name))
    return found


def test_the_glossary_names_old_words() -> None:
    """Else the next test would look for nothing."""
    assert {"road", "rung", "ladder", "lane", "desk", "switchboard", "pair"} <= old_words()


@pytest.mark.parametrize("old", sorted(old_words()))
def test_no_name_uses_an_old_word(old: str) -> None:
    found = {f"{file}: {name}" for file, name in used()[old] if not file.startswith((*FIELDS_OWN.get(old, ()), "sim/"))}
    assert set() == found


def test_no_two_public_classes_have_one_name() -> None:
    where = defaultdict(list)
    for file, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(file)
    assert {} == {name: files for name, files in where.items() if len(files) > 1}


def test_no_public_function_has_a_verb_that_says_nothing() -> None:
    found = set()
    for file, tree in trees().items():
        classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
        bodies = [tree.body, *(kind.body for kind in classes)]
        for body in bodies:
            for node in body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in SAYS_NOTHING:
                    found.add(f"{file}: {node.name}")
    assert set() == found


def test_no_folder_holds_more_than_25_modules() -> None:
    count: dict[str, int] = defaultdict(int)
    for file in trees():
        if not file.endswith("__init__.py"):
            count[str(Path(file).parent)] += 1
    assert {} == {folder: n for folder, n in count.items() if n > 25}


def test_each_reason_a_label_names_is_written_by_somebody() -> None:
    """A label is found by the very text a router writes: one whose text was renamed on one side alone is said in English."""
    written = {
        node.value
        for file, tree in trees().items()
        if file != "shared/labels.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [] == [reason for reason in labels.REASONS if not any(reason in text for text in written)]
