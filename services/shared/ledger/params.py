"""Defines what a delivery says besides whom it goes to: a struct for what a kind may say.

A delivery's `params` column holds one of them as JSON, told apart by `type`.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa


class CallTimes(msgspec.Struct, frozen=True, tag="call"):
    """How long a call rings and must be listened to, where the policy says other than the voice channel does unasked."""

    ring_s: int
    listen_s: int


class DoorReaches(msgspec.Struct, frozen=True, tag="door_reaches"):
    """Beside a text to somebody to whose door officers go: whoever says STOP is told so, and nobody else is."""


class Visit(msgspec.Struct, frozen=True, tag="visit"):
    """A visit's place on a list and what the officer is told.

    `rank` says who gets a team when there are too few, smaller first. `slack_quarters` is how many quarters of an hour
    are left to set out. `order` is the place on the team's list, smaller first; 0 until it is on one.
    """

    team: str
    closing: str
    respond: str
    rank: int
    slack_quarters: int
    urgent: bool = False  # a call for help: the nearest team, before everything
    facility: bool = False
    turn_back: float | None = None  # warning time to set out for safety; None where no impact ends visits
    order: int = 0
    skill: str = ""  # who comes along, or `none` for the written card


class Callout(msgspec.Struct, frozen=True, tag="callout"):
    """What a volunteer is asked for: a skill, at a visit or on a video call that waits for one who signs."""

    skill: str
    visit_id: str  # the delivery of the visit or of the video call
    video: bool = False
    holds: bool = False  # took it, and has not let go


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Which notice, and the words it needs besides."""

    notice: str
    words: dict[str, str] = {}


class ProviderTried(msgspec.Struct, frozen=True, tag="link_test"):
    """The provider whose channel is tried."""

    provider: str


Params = CallTimes | DoorReaches | Visit | Callout | Notice | ProviderTried
_decoder: msgspec.json.Decoder[Params] = msgspec.json.Decoder(Params)


class ParamsColumn(sa.TypeDecorator[Params]):
    """Stores one of `Params` as JSON text; NULL where a delivery says nothing besides."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Params | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> Params | None:
        return None if value is None else _decoder.decode(value)
