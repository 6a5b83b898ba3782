"""Says which languages have sentences of ours that nobody has checked, and which of those the operator lets people be told in.

English and Chinese are the project's own two languages and are always used. What is written in any other language is a draft
until readers it is for have checked it (`state: draft` in its `lines.yaml` or in a hazard's file): nobody is told anything in it
unless the operator names it (TOCSIN_DRAFT_LANGUAGES). Where it is not named it is as if those files were not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from services.shared import i18n
from services.shared.people.languages import base_of
from services.shared.text.shipped import read_shipped

OWN = ("en", "zh")
DRAFT = "draft"
STATES = (DRAFT, "translated", "checked")
_FILES = ("lines.yaml", "hazards/*.yaml")
_named: set[str] = set()  # of this process


def drafts() -> tuple[str, ...]:
    """The languages of which some sentences are drafts, without our own two."""
    return _drafts(i18n.FOLDER)


@cache
def _drafts(folder: Path) -> tuple[str, ...]:
    found = {
        base_of(file.relative_to(folder).parts[0])
        for files in _FILES
        for file in folder.glob(f"*/{files}")
        if read_shipped(file).get("state") == DRAFT
    }
    return tuple(sorted(found - {*OWN}))


def read(text: str) -> tuple[str, ...]:
    """The languages named in a setting, joined by commas; ValueError where one is no draft."""
    named = tuple(dict.fromkeys(tag.strip().lower() for tag in text.split(",") if tag.strip()))
    for tag in named:
        if tag in OWN:
            raise ValueError(f"{tag} is one of our own two languages and is always used: leave it out")
        if tag not in drafts():
            raise ValueError(
                f"there are no drafts in {tag!r}: use {', '.join(drafts()) or 'none, there are no drafts'}"
            )
    return named


def use(languages: Iterable[str]) -> None:
    """From here on people may be told in the drafts of these languages, in this process, and of no others."""
    _named.clear()
    _named.update(languages)


@contextmanager
def using(*languages: str) -> Iterator[None]:
    """Within, people may be told in the drafts of these languages."""
    before = [*_named]
    use(languages)
    try:
        yield
    finally:
        use(before)


def usable(language: str, state: str) -> bool:
    """Whether people may be told a text of this language in this state."""
    base = base_of(language)
    return state != DRAFT or base in OWN or base in _named


def to_be_marked(language: str, state: str) -> bool:
    """Whether whoever approves a text of this language is told that nobody has checked it."""
    return state == DRAFT and base_of(language) not in OWN
