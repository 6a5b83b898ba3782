"""Chooses which of an authority's sentences a short form says: whole sentences, and never without what people are to do. Pure.

A text is shortened from its end as long as every order that says where people are to be is still in it. Where the order stands
further down than a message reaches, the sentences that give it are said alone. Where two orders stand in one text (who is by the
river goes, the others stay in), both are said or neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from services.channels.messages.fitting import LONGEST
from services.shared.hazards.instructions import INSTRUCTIONS, MOVING, Told, apart, dropped, told_in
from services.shared.people.languages import base_of
from services.shared.text.sentences import first, flat_prefixes, sentences

_ORDERS = ("avoid", "boil", "check_on", "prepare")  # what is to be done where nobody is told where to be


@lru_cache(maxsize=512)
def shortenings(said: str, language: str) -> tuple[str, ...]:
    """The text on one line, then shorter and shorter, each in whole sentences with what people are to do; as texts that a short
    message may hold. Empty where none of them could say it."""
    told = told_in(said, language)
    whole = flat_prefixes(first(said, LONGEST))
    if told is None or not (must := _must(told)):
        return tuple(whole)
    chosen = _orders_alone(said, language, must)
    alone = flat_prefixes(first("\n".join(chosen), LONGEST)) if base_of(language) != "zh" else _joined(chosen)
    found = [text for text in dict.fromkeys((*whole, *alone)) if _says(text, language, told, must)]
    if found:
        return tuple(found)
    both = any(apart(one, other) for one, other in combinations(sorted(must), 2))
    return () if both else tuple(alone or whole)


def spoken(said: str, language: str, room: int) -> list[str]:
    """As many whole sentences as `room` characters hold, from the beginning; those that give the order where it would not be
    among them."""
    every = sentences(said)
    kept = _within(every, room)
    told = told_in(said, language)
    if told is None or not (must := _must(told)) or _says(" ".join(kept), language, told, must):
        return kept
    return _within(_orders_alone(said, language, must), room) or kept


def _must(told: Told) -> frozenset[str]:
    """What no form may leave out: where people are to be, else the first thing they are to do."""
    if told.where:
        return told.where
    return frozenset([one for one in INSTRUCTIONS if one in _ORDERS and one in told.anybody][:1])


def _says(text: str, language: str, told: Told, must: frozenset[str]) -> bool:
    mine = told_in(text, language)
    if mine is None:
        return True
    return not dropped(mine, told) if must & MOVING else must <= mine.anybody


def _orders_alone(said: str, language: str, must: frozenset[str]) -> list[str]:
    """The sentences that give an order of these, in the order of the text."""
    return [one for one in sentences(said) if (mine := told_in(one, language)) is not None and mine.anybody & must]


def _joined(chosen: Sequence[str]) -> list[str]:
    return ["".join(chosen[:n]) for n in range(len(chosen), 0, -1) if sum(map(len, chosen[:n])) <= LONGEST]


def _within(every: Sequence[str], room: int) -> list[str]:
    found: list[str] = []
    for one in every:
        if sum(map(len, found)) + len(one) > room:
            break
        found.append(one)
    return found
