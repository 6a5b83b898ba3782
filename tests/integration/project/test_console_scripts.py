"""The scripts of others lie on our own server: named files alone, packed, kept for good; without them pages are forms."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.shared.web.console_scripts import FOLDER, SCRIPTS, Scripts
from tools.console.vendor import FILES, lay_out

ROOT = Path(__file__).resolve().parents[3]


def test_every_file_that_is_named_is_laid_out_with_its_licence() -> None:
    names = [Path(path).name for path in FILES]
    for name in names:
        assert SCRIPTS.address(name).endswith(f"/{name}"), f"{name}: make setup lays it out"
        assert gzip.decompress((FOLDER / f"{name}.gz").read_bytes()) == (FOLDER / name).read_bytes()
    for package in {path.split("/")[0] for path in FILES}:
        licence = (FOLDER / f"{package}.LICENSE").read_text()
        assert any(word in licence for word in ("BSD", "MIT", "Redistribution and use")), package


def test_the_stream_is_there_before_htmx_begins() -> None:
    """One file: what registers with it later is not heard."""
    text = (FOLDER / "htmx.min.js").read_text()
    assert "var htmx=" in text[:100]
    assert 'registerExtension("sse"' in text
    assert not SCRIPTS.address("hx-sse.min.js")


def test_a_script_finds_its_neighbours_as_files() -> None:
    """No bare name of a package: a browser cannot find that without an import map."""
    for path in FILES:
        if path.endswith("js"):
            text = (FOLDER / Path(path).name).read_text()
            assert [] == re.findall(
                r'(?:^|[;\s}])(?:import|export)[^;"\'()]{0,400}from\s*["\']([^./][^"\']*)["\']', text
            ), path


def test_what_a_package_holds_no_more_ends_the_set_up_by_name(tmp_path: Path) -> None:
    for path in (*FILES, "htmx.org/dist/ext/hx-sse.min.js"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text('import{A}from"terra-draw";')
        (tmp_path / path.split("/", maxsplit=1)[0] / "package.json").write_text('{"license": "MIT"}')
    lay_out(tmp_path, tmp_path / "made")
    before = json.loads((tmp_path / "made" / "manifest.json").read_bytes())
    (tmp_path / "htmx.org/dist/htmx.min.js").write_text("other")
    lay_out(tmp_path, tmp_path / "made")
    assert before["address"] != json.loads((tmp_path / "made" / "manifest.json").read_bytes())["address"]
    adapter = tmp_path / "terra-draw-maplibre-gl-adapter/dist/terra-draw-maplibre-gl-adapter.module.js"
    adapter.write_text('import{A}from"@terra/draw";')
    with pytest.raises(SystemExit, match="imports its neighbour in another way"):
        lay_out(tmp_path, tmp_path / "made")
    adapter.unlink()
    with pytest.raises(SystemExit, match=r"adapter\.module\.js is not in its package"):
        lay_out(tmp_path, tmp_path / "made")
    assert (tmp_path / "made" / "manifest.json").exists()  # what was there serves on


def test_the_lock_names_no_address_and_exact_versions() -> None:
    lock = json.loads((ROOT / "tools/console/package-lock.json").read_bytes())
    assert not [name for name, one in lock["packages"].items() if "resolved" in one]
    assert all(one["integrity"].startswith("sha512-") for name, one in lock["packages"].items() if name)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in lock["packages"][""]["dependencies"].values())


async def test_a_file_comes_packed_and_is_kept_and_nothing_else_comes(tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_get("/vendor/{address}/{name}", SCRIPTS.serve)
    async with TestServer(app) as served, aiohttp.ClientSession(served.make_url("/"), auto_decompress=False) as session:
        address = SCRIPTS.address("htmx.min.js")
        async with session.get(address, headers={"Accept-Encoding": "gzip"}) as answer:
            assert (200, "gzip", "text/javascript") == (
                answer.status, answer.headers["Content-Encoding"], answer.headers["Content-Type"],
            )  # fmt: skip
            assert "immutable" in answer.headers["Cache-Control"]
            assert (FOLDER / "htmx.min.js").read_bytes() == gzip.decompress(await answer.read())
        async with session.get(address, headers={"Accept-Encoding": "identity"}) as answer:
            assert (FOLDER / "htmx.min.js").read_bytes() == await answer.read()
        known = address.split("/")[2]
        for path in (f"/vendor/{known}/manifest.json", "/vendor/0/htmx.min.js", f"/vendor/{known}/..%2fedge.py"):
            async with session.get(path) as answer:
                assert 404 == answer.status, path
    assert not Scripts(tmp_path).address("htmx.min.js")
