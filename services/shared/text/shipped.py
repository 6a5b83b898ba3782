"""Reads a YAML file that ships with Tocsin: nobody's input, so without lines to tell, but ten times as fast, in C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_shipped(file: Path) -> Any:
    """Its plain values."""
    return yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506  safe both
