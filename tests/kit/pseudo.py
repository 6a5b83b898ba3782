"""A language nobody speaks, made from the English by a function: Arabic letters, from right to left, a third longer.

What a page shows in Latin letters while it is spoken stands outside of the catalogue; what breaks is laid out for one direction.
"""

from __future__ import annotations

import io
import re
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from tools.catalogue import messages

TAG = "ar-XB"
NAME = "عربي"
_LETTERS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ابجدهفغحيجكلمنوبقرستعفوخيز")
_KEPT = re.compile(r"(\{[^}]*\}|<[^>]*>|&[a-z]+;)")  # places and markup


def said(text: str) -> str:
    """The text in that language."""
    parts = _KEPT.split(text)
    whole = "".join(part if _KEPT.fullmatch(part) else part.lower().translate(_LETTERS) for part in parts)
    return whole + " " + "ـ" * (len(text) // 3) if " " in text else whole


@cache
def _catalogue() -> bytes:
    """Its file, of all messages of the sources."""
    made = Catalog(locale="ar", charset="utf-8", fuzzy=False)
    for message in messages():
        if not message.id:
            continue
        if (
            "CLDR" in (message.context or "")
            or "moment" in (message.context or "")
            or "sent" in (message.context or "")
        ):
            translation: str | tuple[str, ...] = str(message.id)
        elif message.context == "this language's own name":
            translation = NAME
        elif isinstance(message.id, str):
            translation = said(message.id)
        else:
            translation = tuple(said(message.id[1]) for _ in range(made.num_plurals))
        made.add(message.id, translation, context=message.context)
    to = io.BytesIO()
    write_po(to, made)
    return to.getvalue()


def write(folder: Path) -> Path:
    """A folder of the language in `folder`, as anybody would add one."""
    file = folder / TAG / "tocsin.po"
    file.parent.mkdir(parents=True)
    file.write_bytes(_catalogue())
    return file
