"""Draws pictograms into pages: what people are to do, hazards, answers. Inline, so that a page shows them without a network.

The drawings are our own, one symbol each in `static/pictograms.svg`. A pictogram stands beside words and never instead of them.
"""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup

_SYMBOL = re.compile(r'<symbol id="(\w+)" viewBox="(0 0 64 64)">(.*?)</symbol>', re.DOTALL)
_FILE = Path(__file__).with_name("static") / "pictograms.svg"
_DRAWN = {name: (box, body) for name, box, body in _SYMBOL.findall(_FILE.read_text(encoding="utf-8"))}
NAMES = tuple(_DRAWN)


def pictogram(name: str, title: str = "") -> Markup:
    """The drawing of that name, or nothing where there is none. `title`: its words, for who hears the page; empty where they
    stand beside it."""
    if name not in _DRAWN:
        return Markup("")
    box, body = _DRAWN[name]
    said = Markup(' role="img" aria-label="{}"').format(title) if title else Markup(' aria-hidden="true"')
    drawn = Markup(body)  # noqa: S704  from our own file
    return Markup('<svg class="pictogram" viewBox="{}"{}>{}</svg>').format(box, said, drawn)
