"""Tests ask services by their public names; what still reaches into a private part stands here with its reason.

An entry that no test needs any more fails too: the list only grows shorter.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[2]
# Public by their libraries' own documents, in spite of the underscore.
PUBLIC = {"_Element", "_mapping", "_replace", "_exit"}
LEFT: dict[str, set[str]] = {
    # A fault is planted inside: a step that raises, a call that is held, an answer that is lost.
    "test_doors.py": {"_assign"},
    "test_call_window.py": {"_begin", "_send"},
    "test_smpp.py": {"_hand_on", "_link", "_submit"},
    "test_two_providers.py": {"_link"},
    "test_asking.py": {"_next", "_player", "_reconciler"},
    # The reader of replies, broken one way at a time: each break must be noticed.
    "test_phone_words.py": {
        "_beside", "_by_itself", "_edges", "_figures", "_helps", "_index", "_is_reaction", "_lists", "_ours",
        "_own_marked",
    },
    # How much is held in memory, or how often something crosses a border, is seen from inside alone.
    "test_public_pages.py": {"_bytes", "_kept"},
    "test_slow_connections.py": {"_all"},
    "test_sqlite_hops.py": {"_execute"},
    "test_rotation.py": {"_opener", "_pages"},
    # What goes by the wall's clock in the background is waited for or begun by hand.
    "test_audit_head.py": {"_walk_again"},
    "test_bus.py": {"_consuming_on", "_relay", "_tell"},
    "test_soundness.py": {"_look"},
    "test_strangers.py": {"_fill"},
    # A driver's or a page's own part, without the service around it.
    "test_looking.py": {"_lookup_pages", "_search", "_quota"},
    "test_render.py": {"_render"},
    "test_reports_named.py": {"_tools"},
    "test_whole_sentences.py": {"_parts"},
    # aiohttp asks a resolver at once that tests can only put in here.
    "test_broadcast.py": {"_resolver"},
    "test_final_check.py": {"_resolver"},
}  # fmt: skip


def reached(tree: ast.AST) -> Iterator[str]:
    """Private names of something else than the object itself: read, set by a patch, or imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        ):
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("services"):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            yield from (a.value for a in node.args[1:2] if isinstance(a, ast.Constant) and isinstance(a.value, str))


def test_no_test_reaches_into_a_private_part() -> None:
    found: dict[str, set[str]] = {}
    for file in TESTS.rglob("*.py"):
        names = {n for n in reached(ast.parse(file.read_text("utf-8"))) if n.startswith("_") and not n.startswith("__")}
        if names - PUBLIC:
            found[file.name] = names - PUBLIC
    assert LEFT == found
