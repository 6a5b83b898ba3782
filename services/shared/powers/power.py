"""Lists every act with the action it takes and what of its object binds it.

A new act is a line of BOUNDS and nothing else; `tocsin routes` prints which address asks for which.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

from services.shared.powers.who import Action


class Power(StrEnum):
    """What somebody does or looks at."""

    SEE = "see"  # what a warning says, its tier and state
    WATCH = "watch"  # how a warning does: counts, cases, channels of it
    PREVIEW = "preview"  # whom a draft would reach
    WRITE = "write"  # a sketch: a warning that is not handed in yet
    DRAFT = "draft"
    ASK = "ask a second"  # person to send it, or to help
    PROPOSE = "propose"  # a preapproval
    REVIEW = "review"  # what one person sent by one
    SPEAK = "speak"  # in a sender's name
    SEND = "send"
    HAND_BACK = "hand back"  # a draft to whoever wrote it, to be changed
    REPLACE = "replace"  # by an update
    END = "end"
    CHECK = "say that we are checking"  # or give up what nobody has got: it never waits
    RETURN = "let people return"
    SAY_DOORS = "say doors"  # whether people may be sent to doors
    HANDLE = "handle"  # a case of a warning
    SEE_PEOPLE = "see people"  # who is not reached, and one person's path: ids and needs
    OPEN_LIST = "open list"  # names and addresses of a list, under a warning
    LOOK = "look"  # at people of the register
    UNLOCK = "unlock"  # a zone of the register, under a warning
    COUNT = "count"  # people of an area
    SUMMARISE = "summarise"  # the whole register by group
    BRING = "bring"  # a list, in the name of its source
    ENTER = "enter"  # people into the register
    DEFINE = "define"  # areas, zones and what codes stand for
    KEEP = "keep"  # places, facilities and what is to be put right
    DECOY = "decoy"
    SEE_PLANT = "see plant"  # channels, providers, devices, alarms
    TRY_PLANT = "try plant"
    ACCOUNT = "see one's account"  # what one signs in with, and where one is signed in
    CHANGE_ACCOUNT = "change one's account"
    SEE_STAFF = "see staff"  # people of an authority, and what each may do
    ADMINISTER = "administer"  # invite them, say what they may do, end it
    READ_LOG = "read log"  # who did what
    SET_POLICY = "set policy"


Fresh = Literal["", "always", "high tier", "above alone"]


class Bound(NamedTuple):
    """`action`: of the grant; `more`: a second one. What binds: the object's owner, its area, its tier, its events and
    sender; `second`: another key than a doubtful one came with.

    Of a warning that went out `everybody` who is known here may see what it says. `fresh`: when whoever signed in must
    have shown within the last five minutes that it is them: always; for orange and red; or for what went out above the tier
    they may send alone. `oneself`: it takes whoever signed in, and no key of theirs.
    """

    action: Action
    owner: bool = False
    area: bool = False
    tier: bool = False
    subject: bool = False
    everybody: bool = False
    second: bool = False
    more: Action | None = None
    fresh: Fresh = ""
    oneself: bool = False

    def in_words(self) -> str:
        """What binds an object, for the table of routes."""
        if self.everybody:
            return "one's own, and whatever went out"
        bound = {
            "own or below": self.owner,
            "area": self.area,
            "tier": self.tier,
            "event, sender and name": self.subject,
            "a second key where it takes two": self.second,
            f"shown again who it is ({self.fresh})": bool(self.fresh),
            "signed in, by no key": self.oneself,
        }
        return ", ".join(name for name, holds in bound.items() if holds) or "none"


BOUNDS: dict[Power, Bound] = {
    Power.SEE: Bound("read", everybody=True),
    Power.WATCH: Bound("read", owner=True),
    Power.PREVIEW: Bound("draft", owner=True),
    Power.WRITE: Bound("draft", owner=True),
    Power.DRAFT: Bound("draft", area=True, tier=True, subject=True),
    Power.ASK: Bound("draft", owner=True),
    Power.PROPOSE: Bound("draft", owner=True, area=True, tier=True, subject=True),
    Power.REVIEW: Bound("send", owner=True),
    Power.SPEAK: Bound("draft", subject=True),
    Power.SEND: Bound("send", owner=True, area=True, tier=True, subject=True, second=True, fresh="high tier"),
    Power.HAND_BACK: Bound("send", owner=True, area=True, tier=True, subject=True),
    Power.REPLACE: Bound("send", owner=True, area=True, tier=True, subject=True),
    Power.END: Bound("cancel", owner=True, area=True, tier=True, subject=True, fresh="above alone"),
    Power.CHECK: Bound("cancel", owner=True, area=True, tier=True, subject=True),
    Power.RETURN: Bound("cancel", owner=True, area=True, tier=True, subject=True, fresh="always"),
    Power.SAY_DOORS: Bound("command", owner=True, area=True, tier=True),
    Power.HANDLE: Bound("command", owner=True, area=True),
    Power.SEE_PEOPLE: Bound("look", owner=True, area=True),
    Power.OPEN_LIST: Bound("command", owner=True, area=True, more="look"),
    Power.LOOK: Bound("look", area=True),
    Power.UNLOCK: Bound("command", owner=True, area=True),
    Power.COUNT: Bound("read", area=True),
    Power.SUMMARISE: Bound("read"),
    Power.BRING: Bound("register", owner=True),
    Power.ENTER: Bound("register", area=True),
    Power.DEFINE: Bound("register", owner=True, area=True),
    Power.KEEP: Bound("register", owner=True, area=True),
    Power.DECOY: Bound("register", more="command"),
    Power.SEE_PLANT: Bound("read"),
    Power.TRY_PLANT: Bound("command"),
    Power.ACCOUNT: Bound("read", oneself=True),
    Power.CHANGE_ACCOUNT: Bound("read", fresh="always", oneself=True),
    Power.SEE_STAFF: Bound("administer", owner=True),
    Power.ADMINISTER: Bound("administer", owner=True, area=True, tier=True, fresh="always"),
    Power.READ_LOG: Bound("audit"),
    Power.SET_POLICY: Bound("administer", fresh="always"),
}
