"""Every act the audit log keeps has words: whoever reads what was done reads no word of the code."""

from __future__ import annotations

import ast

from services.shared.act_words import ACTS
from services.shared.web import opening_order
from tests.kit.sources import trees

CONSTANTS = {"CALLS_OPENED": opening_order.CALLS_OPENED, "REASON_KEPT": opening_order.REASON_KEPT}


def _acts(given: ast.expr) -> list[str]:
    if isinstance(given, ast.IfExp):
        return _acts(given.body) + _acts(given.orelse)
    if isinstance(given, ast.Name):
        return [CONSTANTS[given.id]] if given.id in CONSTANTS else []
    return [given.value] if isinstance(given, ast.Constant) and isinstance(given.value, str) else []


def test_every_act_has_words() -> None:
    kept = {
        act
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record"
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "trail" and len(node.args) > 2
        for act in _acts(node.args[2])
    }
    assert len(kept) > 60
    assert set() == kept - set(ACTS)
