"""Names what was learnt of a person: evidence that only climbs, answers, and how a path ends."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Evidence(IntEnum):
    """Weakest first; each word means only itself. Accepted is the provider's, heard is a person's."""

    NONE = 0
    ACCEPTED = 1
    DELIVERED = 2
    OPENED = 3
    ANSWERED = 4
    HEARD = 5
    ACKNOWLEDGED = 6
    HUMAN_CONTACT = 7


class Answer(StrEnum):
    """Most serious last. `help` never closes a path. `spoke` and `cannot_reach` are a supporter's or
    officer's; `no_answer`, `refused` and `unsafe` an officer's."""

    CANNOT_REACH = "cannot_reach"
    SPOKE = "spoke"
    NOT_THERE = "not_there"
    LEAVING = "leaving"
    MOVING = "moving"
    SAFE = "safe"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    UNSAFE = "unsafe"
    HELP = "help"


SERIOUSNESS = {answer: rank for rank, answer in enumerate(Answer)}
DIGITS = {  # one table on every channel; 9 says it again and is no evidence
    "1": Answer.LEAVING,
    "2": Answer.HELP,
    "3": Answer.NOT_THERE,
    "4": Answer.SPOKE,
    "5": Answer.CANNOT_REACH,
}

ENDINGS = (
    "closed",
    "sent",
    "officer_contact",
    "unconfirmed",
    "no_capacity",
    "handed_to_rescue",
    "unsafe_by_commander",
    "refused",
    "superseded",
    "cancelled",
    "not_asked",
)
# By a call for help: whatever ended while its warning goes on
MAY_REOPEN = tuple(one for one in ENDINGS if one not in ("superseded", "cancelled"))
MAY_STILL_CLOSE = ("sent", "officer_contact", "unconfirmed", "no_capacity", "handed_to_rescue", "refused", "not_asked")
