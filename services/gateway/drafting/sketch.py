"""Defines what somebody has written of a warning so far. Everything is kept as it was typed, right or wrong, so that nothing is
lost; `reading` says what it means and what is missing."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

LONGEST = {"headline": 160, "what": 2000, "where": 300, "action": 1000, "source": 80}
"""Signs of each word of a language."""


class Wording(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said in one language. An empty part stands for what Tocsin suggests, which follows the template and the time."""

    headline: str = ""
    what: str = ""
    where: str = ""
    action: str = ""
    source: str = ""


class SketchContent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A sketch's content. `updates`: id of the warning it takes the place of; empty for a new one.

    `impact` and `ends` are local times as typed; `areas` are `list=code` of the register's areas, `risk_zones` `hazard=zone` of
    its risk zones; `corners` lines of `lat, lon`; `circle` is `lat, lon, km`. `languages` are those beside the ones every warning
    needs. `place_to`: language > the place people go to, named to nobody unless `place_open`.
    """

    updates: str = ""
    hazard: str = ""
    tier: str = ""
    instruction: str = ""
    impact: str = ""
    ends: str = ""
    areas: tuple[str, ...] = ()
    risk_zones: tuple[str, ...] = ()
    corners: str = ""
    circle: str = ""
    geojson: str = ""
    languages: tuple[str, ...] = ()
    words: dict[str, Wording] = {}
    place_to: dict[str, str] = {}
    place_open: bool = False

    @property
    def placed(self) -> bool:
        """Whether it says where, rightly or wrongly."""
        return bool(self.areas or self.risk_zones or self.corners or self.circle or self.geojson)

    @property
    def stored(self) -> dict[str, object]:
        """As JSON."""
        found: dict[str, object] = msgspec.to_builtins(self)
        return found

    @classmethod
    def of_stored(cls, stored: object) -> SketchContent:
        """What `stored` made."""
        return msgspec.convert(stored, cls)


class SketchFault(NamedTuple):
    """What is to be put right before it can be handed in: the form's field, and a sentence in the reader's language."""

    field: str
    text: str
