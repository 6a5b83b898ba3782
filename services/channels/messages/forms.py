"""Renders a warning for every channel and language before it is sent, for whoever approves it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.channels.messages.cap_document import DocumentInfo
from services.channels.messages.cell_broadcast_text import words_of
from services.channels.messages.render import MessageFacts, render
from services.channels.messages.segments import segments
from services.shared.ledger.kinds import DeliveryKind
from services.shared.tiers import Tier

CHANNELS: tuple[tuple[str, dict[str, Any]], ...] = (  # its key, and what is rendered
    ("sms", {"sms": True}),
    ("sms_short", {"sms": True, "form": "short_plain"}),
    ("sms_easy", {"sms": True, "form": "easy_read"}),
    ("call", {"links": False}),
    ("mail_subject", {"link": "..."}),
    ("mail", {"link": "..."}),
    ("loudspeaker", {"addressee": "area", "links": False}),
)
_ALOUD = ("call", "loudspeaker")


@dataclass(frozen=True)
class FormText:
    """One text. `segments` are those of a short message, 0 for another channel; `encoding` is theirs."""

    language: str
    channel: str  # a key of CHANNELS, or cell_broadcast
    text: str
    segments: int = 0
    encoding: str = ""


def every_channel(
    parts: Mapping[str, Any], tier: Tier | None, number: str, hotline: str, *, drill: bool
) -> list[FormText]:
    """Language by language; a tier that is not decided is shown as red, which says the most."""
    decided = tier or Tier.RED
    return [one for language in parts["languages"] for one in _in(language, parts, decided, number, hotline, drill)]


def _in(
    language: str, parts: Mapping[str, Any], tier: Tier, number: str, hotline: str, drill: bool
) -> Iterator[FormText]:
    for channel, how in CHANNELS:
        base: dict[str, Any] = {
            "kind": DeliveryKind.WARNING, "addressee": "person", "form": "plain", "tier": tier, "parts": parts,
            "number": number, "ref": "", "hotline": hotline, "drill": drill,
        }  # fmt: skip
        made = render(MessageFacts(**{**base, **how}), language)
        text = made.spoken if channel in _ALOUD else made.subject if channel == "mail_subject" else made.text
        cut = segments(text) if channel.startswith("sms") else None
        yield FormText(language, channel, text, cut.count if cut else 0, cut.encoding if cut else "")
    part = parts[language]
    block = DocumentInfo(
        language, "", "", "", part.get("event", ""), part["source"], part["hazard"], part["description"], part["action"],
        hotline, (part["place"],),
    )  # fmt: skip
    yield FormText(language, "cell_broadcast", words_of(block, drill=drill))
