"""An inbound message: what a person sent back, as the provider handed it over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Inbound:
    """One reply as it came: the phone's address is used to find the delivery and is not stored."""

    kind: str
    address: str
    text: str
    event_key: str
    opt_out: str = ""  # what the provider has made of it: STOP or START, where it keeps a list of its own
