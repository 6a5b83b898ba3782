"""Prints an HTML page of ours to PDF, by a Chromium without a screen."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from services.shared.errors import Refused

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def print_pdf(page: str, to: Path) -> None:
    """A PDF through a Chromium without a screen; Refused where there is none, or it fails."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise Refused(
            "no Chromium is installed, which makes the PDF: install it, or print the HTML page (--out) from a browser",
            field="--pdf",
        )
    with tempfile.TemporaryDirectory(prefix="tocsin-table-") as folder:
        source = Path(folder) / "table.html"
        source.write_text(page, encoding="utf-8")
        made = subprocess.run(  # noqa: S603  a fixed program on a file of ours
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
                f"--user-data-dir={folder}/profile", f"--print-to-pdf={to.absolute()}", source.as_uri(),
            ],
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
    if made.returncode or not to.exists():
        raise Refused(f"{browser} made no PDF: print the HTML page (--out) from a browser", field="--pdf")
