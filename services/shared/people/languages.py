"""Carries a person's languages with a message: BCP 47 tags, best first, with ; between. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

LONGEST = 20  # what the ledger holds
# Kinds of Chinese that are written as such: whoever speaks one reads that text
_WRITTEN = dict.fromkeys(("cmn", "yue", "wuu", "nan", "hak", "hsn", "gan", "cjy", "cdo"), "zh")


def together(tags: Iterable[str]) -> str:
    """As many of them as fit, best first."""
    found = ""
    for tag in dict.fromkeys(tags):
        longer = f"{found};{tag}" if found else tag
        if len(longer) > LONGEST:
            break
        found = longer
    return found


def in_order(wanted: str) -> list[str]:
    """The tags in lower case, each once, and behind them what a spoken language is written in."""
    tags = [tag.strip().lower().replace("_", "-") for tag in wanted.split(";") if tag.strip()]
    written = [_WRITTEN[base_of(tag)] for tag in tags if base_of(tag) in _WRITTEN]
    return list(dict.fromkeys(tags + written))


def base_of(tag: str) -> str:
    """The language itself, without script or country."""
    return tag.lower().replace("_", "-").split("-")[0]


def first_of(wanted: str, known: Collection[str]) -> str:
    """The base of a person's first language that is among `known` ones; empty where none is."""
    return next((base_of(tag) for tag in in_order(wanted) if base_of(tag) in known), "")


def spoken(tag: str, speaks: Collection[str]) -> bool:
    """Whether a voice that has these languages (zh or zh-hk; none of them named: all) says one of this tag."""
    return not speaks or tag.lower() in speaks or base_of(tag) in speaks


def choose(wanted: str, available: list[str]) -> str:
    """The first of a person's languages that a warning brings, or one of its base; empty where there is none."""
    for tag in in_order(wanted):
        exact = [one for one in available if one.lower().replace("_", "-") == tag]
        near = [one for one in available if base_of(one) == base_of(tag)]
        if found := exact or near:
            return found[0]
    return ""
