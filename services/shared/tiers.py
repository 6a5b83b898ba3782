"""Defines the four tiers of a public warning: what we do, not the colour of a met office."""

from __future__ import annotations

from enum import IntEnum

from services.shared.i18n import mark


class Tier(IntEnum):
    """Larger is more urgent. 一般, 关注, 预警, 紧急 in the source texts' four grades."""

    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4

    @property
    def word(self) -> str:
        """The name used in policy files, URLs and JSON."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Tier:
        """The tier a word names; KeyError for any other word."""
        return cls[word.upper()]


TIER_WORDS = tuple(t.word for t in Tier)
TITLES = {
    Tier.BLUE: mark("Be aware"),
    Tier.YELLOW: mark("Get ready"),
    Tier.ORANGE: mark("Slow ones go now"),
    Tier.RED: mark("Go now"),
}
NAMES = {Tier.BLUE: mark("BLUE"), Tier.YELLOW: mark("YELLOW"), Tier.ORANGE: mark("ORANGE"), Tier.RED: mark("RED")}
STAY_IN = mark("Stay in now")
GO_UP = mark("Go up now")


QUIET = ("monitor", "none")
"""Instructions that are nothing to be ready for."""


def title(tier: Tier, instruction: str) -> str:
    """What the tier tells people to do; empty for nothing. It says "go" or "stay in" only where a warning does.

    `instruction` is what the warning itself tells people to do, empty where it says no one thing: of a danger's kind alone no
    order follows.
    """
    if tier == Tier.RED and instruction in ("stay_in", "go_up"):
        return GO_UP if instruction == "go_up" else STAY_IN
    leaving = instruction in ("leave", "go_to_place")
    if leaving or tier == Tier.BLUE or (tier == Tier.YELLOW and instruction not in QUIET):
        return TITLES[tier]
    return ""
