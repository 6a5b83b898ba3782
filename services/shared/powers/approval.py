"""Says what somebody approves, as a seal: whoever sends what another drafted, sends what they looked at.

The page that shows a draft carries its seal, and sending is held against the seal of that moment. Content, place, policy and
what the draft would end are held exactly; the count of people moves with every registration, so that a small change passes.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

import orjson
import sqlalchemy as sa

from services.shared.database.engine import Connection
from services.shared.errors import Conflict
from services.shared.ledger import areas
from services.shared.ledger.warnings import (
    in_force,
    policy_in_force,
    warning_preview,
    warning_scope,
    warning_state,
    warning_text,
)

SHORT = 60  # signs of a place that is typed whole
SLACK = 0.05  # of the people who were counted
SLACK_PEOPLE = 10
LARGE_PEOPLE = 1_000_000  # from so many on, whoever sends types the place
_NOT_SAID = ("notes", "tier_reason")  # of a warning's parts: nobody hears them
_FIELD = "approves"


class Approval(NamedTuple):
    """What a draft is at one moment: digests of four parts, and how many people it reaches (None: not counted)."""

    content: str
    place: str
    policy: str
    ends: str
    people: int | None

    @property
    def seal(self) -> str:
        """As pages and programs carry it."""
        return ".".join((*self[:4], "" if self.people is None else str(self.people)))

    @classmethod
    def of_seal(cls, seal: str) -> Approval:
        """Conflict where it is no seal of ours."""
        parts = seal.split(".")
        if len(parts) != len(cls._fields) or not (parts[4] == "" or parts[4].isdecimal()) or len(parts[4]) > 12:
            raise Conflict(
                "approves: this is no seal: take `approval` of the warning as it stands, and look at it", field=_FIELD,
                rule="approval", given=seal[:80],
            )  # fmt: skip
        content, place, policy, ends, people = parts
        return cls(content, place, policy, ends, int(people) if people else None)


async def approval_of(db: Connection, warning_id: str, plane: str, now: float) -> Approval:
    """A draft or held warning as it stands now."""
    state, scope, text = warning_state.c, warning_scope.c, warning_text.c
    row = (
        await db.execute(
            sa.select(
                state.chain_id, state.tier, state.ending, state.expires_at, scope.sender, scope.events, scope.area,
                scope.geocodes, text.parts,
            )
            .join(warning_scope, scope.warning_id == state.warning_id)
            .join(warning_text, text.warning_id == state.warning_id)
            .where(state.warning_id == warning_id)
        )
    ).one()  # fmt: skip
    said = {name: part for name, part in row.parts.items() if name not in _NOT_SAID}
    shapes, unresolved = await areas.of_codes(db, ((one[0], one[1]) for one in row.geocodes))
    going_on = sa.select(state.warning_id).where(
        state.chain_id == row.chain_id, state.warning_id != warning_id, in_force(now)
    )
    ends = list(await db.scalars(going_on.order_by(state.warning_id)))
    policy = await db.scalar(sa.select(policy_in_force.c.policy).where(policy_in_force.c.plane == plane))
    counted = await db.scalar(sa.select(warning_preview.c.result).where(warning_preview.c.warning_id == warning_id))
    return Approval(
        _digest(said, row.tier, row.ending, row.expires_at, row.sender, row.events),
        _digest(row.area, row.geocodes, sorted(shapes), unresolved),
        _digest(policy),
        _digest(ends),
        int(counted["people"]) if counted else None,
    )


def hold_to(seal: str, now: Approval) -> None:
    """Conflict where what was looked at is another by now; it says which part."""
    if (fault := _changed(Approval.of_seal(seal), now)) is not None:
        raise fault


def _changed(seen: Approval, now: Approval) -> Conflict | None:
    if seen.content != now.content:
        return Conflict(
            "it was changed since you looked at it, and nothing was sent: look at it again",
            field=_FIELD, rule="approval", given="content",
        )  # fmt: skip
    if seen.place != now.place:
        return Conflict(
            "its place is another since you looked at it (an area was imported anew), and nothing was sent: look at it again",
            field=_FIELD, rule="approval", given="place",
        )  # fmt: skip
    if seen.policy != now.policy:
        return Conflict(
            "the policy was changed since you looked at it, and nothing was sent: look at it again",
            field=_FIELD, rule="approval", given="policy",
        )  # fmt: skip
    if seen.ends != now.ends:
        return Conflict(
            "what it would take the place of has changed since you looked at it, and nothing was sent: look at it again",
            field=_FIELD, rule="approval", given="ends",
        )  # fmt: skip
    if not _about(seen.people, now.people):
        return Conflict(
            f"you saw {seen.people} people and it reaches {now.people} now, and nothing was sent: look at it again",
            field=_FIELD, rule="approval", given="people",
        )  # fmt: skip
    return None


def in_short(place: str) -> str:
    """A place as somebody types it: of a long list of names the first."""
    return place if len(place) <= SHORT else re.split(r"[,、,;;/(]", place)[0].strip()[:SHORT]


def _about(was: int | None, people: int | None) -> bool:
    """Whether the count is as good as the one that was seen; without a figure nobody relied on one."""
    if was is None or people is None:
        return True
    return abs(people - was) <= max(SLACK_PEOPLE, SLACK * was)


def _digest(*values: object) -> str:
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()[:20]
