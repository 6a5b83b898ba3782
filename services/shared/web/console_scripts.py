"""Serves the scripts of others that the console's pages load: htmx, its event stream, the map and what draws on it.

`tools/console/vendor.py` lays them out when Tocsin is set up. Where they are missing every page works as plain forms.
"""

from __future__ import annotations

import json
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).with_name("vendor")
SCRIPTED_PATHS = (
    "/console",
    "/send",
    "/live",
    "/people",
    "/report",
    "/channels",
    "/open",
)  # whose pages may run scripts of ours


class Scripts:
    """What is laid out in a folder: the address of each file, and its type."""

    def __init__(self, folder: Path = FOLDER) -> None:
        manifest = folder / "manifest.json"
        self._folder = folder
        self._address, self._files = "", dict[str, str]()
        if manifest.exists():
            found = json.loads(manifest.read_bytes())
            self._address, self._files = str(found["address"]), {str(k): str(v) for k, v in found["files"].items()}

    def address(self, name: str) -> str:
        """Where a page finds a file, as `/vendor/HASH/NAME`; empty where it is not laid out."""
        return f"/vendor/{self._address}/{name}" if name in self._files else ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The file, packed where the browser takes that, kept by it for good: other content has another address."""
        name = request.match_info["name"]
        if request.match_info["address"] != self._address or name not in self._files:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": self._files[name]}
        return web.FileResponse(self._folder / name, headers=headers)


SCRIPTS = Scripts()
