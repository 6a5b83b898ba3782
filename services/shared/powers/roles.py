"""Lists what each role may do. A role is a set of actions; whoever has several may do what any of them allows."""

from __future__ import annotations

from collections.abc import Iterable

from services.shared.errors import Refused
from services.shared.i18n import mark
from services.shared.powers.who import ACTIONS, Action

ROLES: dict[str, tuple[Action, ...]] = {
    "author": ("read", "draft"),
    "approver": ("read", "draft", "send", "cancel"),  # and looks at a draft as its author does
    "duty officer": ("read", "draft", "send", "cancel", "command"),
    "commander": ("read", "command", "look"),
    "registrar": ("read", "register", "look"),
    "auditor": ("read", "audit"),
    "administrator": ("read", "administer"),
    "observer": ("read",),
}
ROLE_WORDS: dict[str, str] = {
    "author": mark("Author: drafts warnings"),
    "approver": mark("Approver: sends what others drafted, drafts, and ends warnings"),
    "duty officer": mark("Duty officer: drafts, sends, ends, and runs a warning"),
    "commander": mark("Commander: says whether doors are safe, and sees who is not reached"),
    "registrar": mark("Registrar: keeps the register of people"),
    "auditor": mark("Auditor: reads the log of who did what"),
    "administrator": mark("Administrator: invites people and says what they may do"),
    "observer": mark("Observer: reads warnings and how they do"),
}


def actions_of(roles: Iterable[str]) -> tuple[str, ...]:
    """What these roles allow, each once. Refused where one is none, or there is none."""
    given = list(roles)
    wrong = next((role for role in given if role not in ROLES), None)
    if wrong is not None or not given:
        raise Refused(
            f"there is no role {wrong or ''!r}: use {', '.join(ROLES)}", field="roles", rule="closed_list", given=wrong
        )
    return tuple(action for action in ACTIONS if any(action in ROLES[role] for role in given))
