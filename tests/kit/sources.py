"""The modules of services as syntax trees, parsed once a process: for tests that read the code."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

SERVICES = Path(__file__).parents[2] / "services"


@cache
def trees() -> dict[str, ast.Module]:
    """By path under `services`, in order. Whoever asks only reads."""
    return {
        file.relative_to(SERVICES).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for file in sorted(SERVICES.rglob("*.py"))
    }
