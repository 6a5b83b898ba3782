"""The documents say what is so: they build without a warning, the reference is the code's, names and links are true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tools import reference

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
made = cache(reference.made)


def test_the_documents_build_without_a_warning(tmp_path: Path) -> None:
    """Also a link to a heading that is not there, and a page no menu shows."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert 0 == done.returncode, done.stderr
    assert (tmp_path / "site" / "reference" / "glossary" / "index.html").exists()


@pytest.mark.parametrize("name", ["settings.md", "commands.md", "http.md", "openapi.json"])
def test_the_reference_is_what_the_code_says(name: str) -> None:
    """`python -m tools.reference` makes it again."""
    assert made()[name] == (DOCS / "reference" / name).read_text(encoding="utf-8")


def _named() -> list[tuple[str, str]]:
    text = (DOCS / "explanation" / "life-of-a-warning.md").read_text(encoding="utf-8")
    return re.findall(r"`(services/[\w/]+\.py)` · `(\w+)`", text)


def test_the_life_of_a_warning_passes_at_most_40_files() -> None:
    """Outside of CAP's reader and the drivers."""
    files = {
        file for file, _ in _named() if not file.startswith(("services/gateway/cap/", "services/channels/drivers/"))
    }
    assert 20 <= len(files) <= 40


@pytest.mark.parametrize(("file", "name"), _named(), ids=[f"{f}:{n}" for f, n in _named()])
def test_the_life_of_a_warning_names_what_is_there(file: str, name: str) -> None:
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    assert name in {
        node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def test_files_that_a_page_names_are_there() -> None:
    """Paths of the code in backticks, and links to files beside; the changelog and decisions name what was there once."""
    pages = [*DOCS.glob("*.md"), *(DOCS / "decisions").glob("index.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for part in ("how-to", "reference", "explanation", "proof"):
        pages += (DOCS / part).glob("*.md")
    missing = set()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        paths = re.findall(r"`((?:services|tests|deploy|tools|docs)/[\w./-]+)`", text)
        missing |= {f"{page.name}: {path}" for path in paths if not (ROOT / path.rstrip("/")).exists()}
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        missing |= {f"{page.name}: {link}" for link in links if not (page.parent / link).exists()}
    assert set() == missing


def test_the_readme_fits_a_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
