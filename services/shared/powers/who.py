"""Names a caller and how far their grant reaches."""

from __future__ import annotations

from typing import Literal

import msgspec

from services.shared.i18n import english
from services.shared.tiers import Tier

Action = Literal["read", "draft", "send", "cancel", "command", "register", "look", "audit", "administer"]
ACTIONS: tuple[Action, ...] = (
    "read", "draft", "send", "cancel", "command", "register", "look", "audit", "administer",
)  # fmt: skip
USUAL = ACTIONS[
    :6
]  # looking at people, the audit log and whose grant is what are given by name, never along with the rest


class Who(msgspec.Struct, frozen=True):
    """An authenticated caller and how far the grant reaches.

    `area` is GeoJSON, empty for anywhere; `senders`, `events` and `names` are empty for any. `over`: the authorities that
    name this one as their superior, and those below them. `alone`: up to which tier one person may both draft and send;
    above it another sends. `names`: what texts may name as their source. `expires_at`: when the key ends, wall; None for
    never. `label`: the person's name where one is known, else the key's label. `key_id` is empty where a person signed in
    without a key, `person` where nobody is known to have the key. `proved_at`: when they last showed who they are, wall;
    a key shows it with each request. `off`: an action that their hours take from them now, and the sentence that says so.
    """

    key_id: str
    label: str
    authority: str
    actions: tuple[str, ...]
    max_tier: int
    area: str = ""
    senders: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    alone: int = int(Tier.RED)
    names: tuple[str, ...] = ()
    expires_at: float | None = None
    person: str = ""
    key_label: str = ""
    proved_at: float | None = None
    off: tuple[tuple[str, str], ...] = ()

    @property
    def actor(self) -> str:
        """Who acts, to be told from another: a person, whatever keys they have; the key where no person is known."""
        return self.person or self.key_id

    @property
    def said(self) -> str:
        """Who it is, as a sentence says it."""
        return self.label if self.person else english("the key {label}", label=repr(self.label))

    def speaks_for(self, authority: str) -> bool:
        """Whether what belongs to that authority is this caller's too: their own, or one that named them superior."""
        return authority == self.authority or authority in self.over
