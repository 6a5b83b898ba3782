"""Lists every act with the action it takes and what of its object binds it.

A new act is a line of RULES and nothing else; `tocsin routes` prints which address asks for which.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from services.shared.powers.who import Action


class Act(StrEnum):
    """What somebody does or looks at."""

    SEE = "see"  # what a warning says, its tier and state
    WATCH = "watch"  # how a warning does: counts, cases, channels of it
    PREVIEW = "preview"  # whom a draft would reach
    DRAFT = "draft"
    SPEAK = "speak"  # in a sender's name
    SEND = "send"
    REPLACE = "replace"  # by an update
    END = "end"
    SAY_DOORS = "say doors"  # whether people may be sent to doors
    HANDLE = "handle"  # a case of a warning
    SEE_PEOPLE = "see people"  # who is not reached, and one person's path: ids and needs
    OPEN_LIST = "open list"  # names and addresses of a list, under a warning
    LOOK = "look"  # at people of the register
    UNLOCK = "unlock"  # a zone of the register, under a warning
    COUNT = "count"  # people of an area
    SUMMARISE = "summarise"  # the whole register by group
    ENTER = "enter"  # people into the register, by a source
    DEFINE = "define"  # areas, zones and what codes stand for
    KEEP = "keep"  # places, facilities and what is to be put right
    DECOY = "decoy"
    SEE_PLANT = "see plant"  # channels, providers, devices, alarms
    TRY_PLANT = "try plant"


class Rule(NamedTuple):
    """`action`: of the grant; `more`: a second one. What binds: the object's owner, its area, its tier, its events and
    sender.

    Of a warning that went out `everybody` who is known here may see what it says.
    """

    action: Action
    owner: bool = False
    area: bool = False
    tier: bool = False
    subject: bool = False
    everybody: bool = False
    more: Action | None = None

    def in_words(self) -> str:
        """What binds an object, for the table of routes."""
        if self.everybody:
            return "one's own, and whatever went out"
        bound = {"own or below": self.owner, "area": self.area, "tier": self.tier, "event and sender": self.subject}
        return ", ".join(name for name, holds in bound.items() if holds) or "none"


RULES: dict[Act, Rule] = {
    Act.SEE: Rule("read", everybody=True),
    Act.WATCH: Rule("read", owner=True),
    Act.PREVIEW: Rule("draft", owner=True),
    Act.DRAFT: Rule("draft", area=True, tier=True, subject=True),
    Act.SPEAK: Rule("draft", subject=True),
    Act.SEND: Rule("send", owner=True, area=True, tier=True, subject=True),
    Act.REPLACE: Rule("send", owner=True, area=True, tier=True, subject=True),
    Act.END: Rule("cancel", owner=True, area=True, tier=True, subject=True),
    Act.SAY_DOORS: Rule("command", owner=True, area=True, tier=True),
    Act.HANDLE: Rule("command", owner=True, area=True),
    Act.SEE_PEOPLE: Rule("look", owner=True, area=True),
    Act.OPEN_LIST: Rule("command", owner=True, area=True, more="look"),
    Act.LOOK: Rule("look", area=True),
    Act.UNLOCK: Rule("command", owner=True, area=True),
    Act.COUNT: Rule("read", area=True),
    Act.SUMMARISE: Rule("read"),
    Act.ENTER: Rule("register", owner=True, area=True),
    Act.DEFINE: Rule("register", owner=True, area=True),
    Act.KEEP: Rule("register", area=True),
    Act.DECOY: Rule("register", more="command"),
    Act.SEE_PLANT: Rule("read"),
    Act.TRY_PLANT: Rule("command"),
}
