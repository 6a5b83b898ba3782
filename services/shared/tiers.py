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
SHELTER = mark("Stay in now")


QUIET = ("monitor", "assess", "all_clear", "none")
"""What an alert may ask that is nothing to be ready for."""


def title(tier: Tier, respond: str) -> str:
    """What the tier tells people to do; empty for nothing. It says "go" or "stay in" only where an alert asks it.

    `respond` is what the alert itself asks, empty where it says nothing: of a danger's kind alone no order follows.
    """
    if tier == Tier.RED and respond == "shelter_in":
        return SHELTER
    if respond == "evacuate" or tier == Tier.BLUE or (tier == Tier.YELLOW and respond not in QUIET):
        return TITLES[tier]
    return ""
