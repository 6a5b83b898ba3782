"""Reads the link tests of TOCSIN_LINK_TESTS, checked by entry and field.

- {channel: sms, to: "+8613800000000", every: 900, within: 120, proof: delivered}
- {channel: area_sound, to: all}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from services.shared.input.files import Entry, open_file
from services.shared.ledger.evidence import Evidence

PROOFS = {"accepted": Evidence.ACCEPTED, "delivered": Evidence.DELIVERED, "answered": Evidence.ANSWERED}


class LinkTest(Entry):
    """One channel's test. Seconds are of warning time."""

    channel: str
    to: str = Field(
        min_length=3,
        max_length=400,
        description="an address nobody else has: a modem, the operator's own. Of an area's channel: all, or names of operators, "
        "broadcasters' hosts, loudspeakers, with commas between",
    )
    every: float = Field(900.0, ge=60, le=86400)
    within: float = Field(120.0, ge=5, le=3600)
    proof: Literal["", "accepted", "delivered", "answered"] = Field(
        "", description="empty: the most the channel can give"
    )


NAME = "TOCSIN_LINK_TESTS"


def load_link_tests(path: Path | None, channels: Mapping[str, str]) -> list[LinkTest]:
    """The tests asked for; Refused by entry and field. `channels`: those that lead to somebody > the most each can prove."""
    if path is None:
        return []
    document = open_file(NAME, path)
    found = document.read(list[LinkTest]) if document.data is not None else []
    for n, one in enumerate(found):
        if one.channel not in channels:
            known = ", ".join(sorted(channels))
            raise document.fault(
                (n, "channel"), "known", f"channel {one.channel!r} cannot be tried: use {known}", one.channel
            )
        if one.channel in (before.channel for before in found[:n]):
            raise document.fault((n, "channel"), "unique", f"{one.channel} has a test already", one.channel)
        most = channels[one.channel]
        if one.proof and PROOFS[one.proof] > PROOFS[most]:
            said = f"{one.channel} never says {one.proof}: use {most} or leave proof out"
            raise document.fault((n, "proof"), "proof", said, one.proof)
    return [one.model_copy(update={"proof": one.proof or channels[one.channel]}) for one in found]
