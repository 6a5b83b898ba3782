"""Converts our own Chinese sentences to the script their reader reads, by OpenCC; never an authority's words."""

from __future__ import annotations

from functools import cache, lru_cache

from opencc import OpenCC

_PLACES = ("tw", "hk", "mo")


def is_traditional(language: str) -> bool:
    """Whether the tag names the traditional script, by itself or by its region."""
    tag = language.lower().replace("_", "-").split("-")
    if tag[0] not in ("zh", "yue"):
        return False
    return "hant" in tag[1:] or ("hans" not in tag[1:] and any(place in tag[1:] for place in _PLACES))


@cache
def _to_traditional() -> OpenCC:
    """OpenCC's standard characters of Taiwan, without its changes of vocabulary: a sentence stays the one that was read."""
    return OpenCC("s2tw")


@lru_cache(maxsize=4096)
def traditional(text: str) -> str:
    """A sentence of ours in the traditional script."""
    found: str = _to_traditional().convert(text)
    return found
