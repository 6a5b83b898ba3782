"""Lays the named files of npm's packages out in `services/shared/web/vendor`: `python -m tools.console.vendor NODE_MODULES`.

A page loads nothing that is not in this list. Each file lies there plain and as .gz, with the licences beside and a
manifest {"address": hash of all, "files": {name: type}}. A file that a package has no more ends the run: a page would miss it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sys
from pathlib import Path

_SCRIPT = "text/javascript"
FILES = {  # in a package > its type
    "htmx.org/dist/htmx.min.js": _SCRIPT,  # with what is joined to it
    "maplibre-gl/dist/maplibre-gl.mjs": _SCRIPT,
    "maplibre-gl/dist/maplibre-gl-worker.mjs": _SCRIPT,
    "maplibre-gl/dist/maplibre-gl.css": "text/css",
    "terra-draw/dist/terra-draw.module.js": _SCRIPT,
    "terra-draw-maplibre-gl-adapter/dist/terra-draw-maplibre-gl-adapter.module.js": _SCRIPT,
}
# htmx begins a moment after it was run: an extension in a file of its own comes too late now and then, and nothing moves.
_JOINED = {"htmx.min.js": ("htmx.org/dist/ext/hx-sse.min.js",)}
# The adapter names its neighbour as a package: a browser finds a file, without an import map inside the page.
_IMPORTS = {"terra-draw-maplibre-gl-adapter.module.js": (b'from"terra-draw"', b'from"./terra-draw.module.js"')}
VENDOR = Path(__file__).resolve().parents[2] / "services" / "shared" / "web" / "vendor"


def lay_out(packages: Path, target: Path) -> None:
    """Raises: SystemExit naming what a package does not hold."""
    made = target.with_name(target.name + ".new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    digest, files = hashlib.sha256(), {}
    for path, kind in FILES.items():
        source = packages / path
        body = b"\n;".join(_read(packages, one) for one in (path, *_JOINED.get(source.name, ())))
        if source.name in _IMPORTS:
            before, after = _IMPORTS[source.name]
            if before not in body:
                raise SystemExit(f"vendor: {path} imports its neighbour in another way: look how")
            body = body.replace(before, after)
        digest.update(body)
        files[source.name] = kind
        (made / source.name).write_bytes(body)
        (made / f"{source.name}.gz").write_bytes(gzip.compress(body, 9, mtime=0))
    for package in sorted({path.split("/")[0] for path in FILES}):
        (made / f"{package}.LICENSE").write_text(_licence(packages / package), "utf-8")
    (made / "manifest.json").write_text(json.dumps({"address": digest.hexdigest()[:16], "files": files}, indent=1))
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)


def _read(packages: Path, path: str) -> bytes:
    source = packages / path
    if not source.is_file() or not (body := source.read_bytes()):
        raise SystemExit(f"vendor: {path} is not in its package: look which file took its place")
    return body


def _licence(package: Path) -> str:
    """The licence a package brings; where it brings no file, what it says of itself."""
    for licence in sorted(package.glob("LICENSE*")):
        return licence.read_text()
    said = json.loads((package / "package.json").read_bytes())
    return "".join(
        f"{name}: {json.dumps(said.get(name))}\n" for name in ("name", "version", "license", "author", "homepage")
    )


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]), VENDOR)
