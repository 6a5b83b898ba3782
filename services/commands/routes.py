"""`tocsin routes`: every address with who may open it, and what of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from services.commands.kit import echo, run
from services.run import build
from services.shared.settings import Settings
from services.shared.web.open_routes import RouteSaid, routes_said


def print_routes() -> None:
    """A line an address: method, path, what it asks, what binds the object."""
    found = run(_routes())
    widths = [max(len(row[n]) for row in found) for n in range(3)]
    for row in found:
        echo("  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row.bound]))


async def _routes() -> list[RouteSaid]:
    """Of a node of its own, so that a running one is left alone."""
    with tempfile.TemporaryDirectory(prefix="tocsin-routes-") as folder:
        node = await build(Settings(data_dir=Path(folder), port=0, database_url="", amqp_url=""), synchronous="OFF")
        try:
            return routes_said(node.runner.app)
        finally:
            await node.close()
