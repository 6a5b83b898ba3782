"""Writes the text of a cell broadcast from a CAP block: whole sentences, as many as its pages hold. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.channels.messages.cap_document import DocumentInfo
from services.channels.messages.cell_broadcast_pages import holds
from services.channels.messages.fitting import LONG_PLACE, LONGEST, places, plain_signs, tidy
from services.channels.messages.frames import frame_for
from services.shared.people.languages import base_of
from services.shared.text.sentences import first, flat_prefixes


def words_of(info: DocumentInfo, *, drill: bool) -> str:
    """Source, hazard, place, action, whom to call: as on every channel; of a long action the last sentences are left out."""
    frame = frame_for(info.language)
    chinese = base_of(info.language) == "zh"
    end, stop, colon = ("", "。", ":") if chinese else (" ", ".", ": ")
    sender = f"{frame.drill} {info.sender_name}" if drill else info.sender_name
    head = tidy(f"{sender}{colon if sender else ''}{info.headline or info.event}")
    where = places(("、" if chinese else ", ").join(info.places), LONG_PLACE, frame.places_more)
    action = info.instruction or info.description

    def made(said: str) -> str:
        parts = (head, where, said, tidy(info.contact))
        return plain_signs(end.join(p if p[-1] in ".!?。！？" else p + stop for p in parts if p))

    kept = flat_prefixes(first(action, LONGEST))
    longer = frame.longer.format(hotline=info.contact) if info.contact and action else ""
    return next((text for text in map(made, kept or [""]) if holds(text)), made(longer))


def as_one(blocks: Sequence[DocumentInfo]) -> DocumentInfo:
    """Several blocks of one language, the strongest first: where they say different things each place is named with its own."""
    one = blocks[0]
    where = tuple(dict.fromkeys(place for block in blocks for place in block.places))
    if len({(block.event, block.instruction or block.description) for block in blocks}) == 1:
        return replace(
            one, places=where, headline=one.headline if len({b.headline for b in blocks}) == 1 else one.event
        )
    said = [f"{', '.join(b.places)}: {b.event}. {tidy(b.instruction or b.description or b.headline)}" for b in blocks]
    return replace(
        one, places=where, headline=", ".join(dict.fromkeys(b.event for b in blocks)), instruction="\n".join(said)
    )
