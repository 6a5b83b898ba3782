"""Statements are compiled once a test process, not once a database: that was a fifth of what a short test of the gateway cost."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache

from services.shared.database import engine

MOST = 5000  # statements; a whole suite executes fewer, but for those a property makes up


def share(patch: pytest.MonkeyPatch) -> None:
    """Every `Database` keeps its compiled statements in one place. Dialects of one class count as one: ours are made alike."""
    compiled = LRUCache[Any, Any](MOST)

    def made(url: str, **more: Any) -> AsyncEngine:
        return create_async_engine(url, execution_options={"compiled_cache": compiled}, **more)

    patch.setattr(engine, "create_async_engine", made)
    patch.setattr(DefaultDialect, "__hash__", lambda self: hash(type(self)))
    patch.setattr(DefaultDialect, "__eq__", lambda self, other: type(self) is type(other))
