"""Names a caller and how far their grant reaches."""

from __future__ import annotations

from typing import Literal

import msgspec

from services.shared.tiers import Tier

Action = Literal["read", "draft", "send", "cancel", "command", "register", "look"]
ACTIONS: tuple[Action, ...] = ("read", "draft", "send", "cancel", "command", "register", "look")
USUAL = ACTIONS[:-1]  # looking at people is given by name, never along with the rest


class Who(msgspec.Struct, frozen=True):
    """An authenticated caller and how far the grant reaches.

    `area` is GeoJSON, empty for anywhere; `senders`, `events` and `names` are empty for any. `over`: the authorities that
    name this one as their superior, and those below them. `alone`: up to which tier one person may both draft and send;
    above it another sends. `names`: what texts may name as their source. `expires_at`: when the key ends, wall; None for
    never.
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

    def speaks_for(self, authority: str) -> bool:
        """Whether what belongs to that authority is this caller's too: their own, or one that named them superior."""
        return authority == self.authority or authority in self.over
