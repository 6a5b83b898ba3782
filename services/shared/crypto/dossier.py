"""Packs a dossier in parts, each sealed by itself, so that one can change without opening the others.

Parts are `call_name`, `address`, `wake`, `talk`, `moves`, `note` (as they were given), `card` (derived from functional
answers) and `stay` (where else they may be just now). Channels opens all of them and puts one Dossier together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from services.shared.crypto.sealing import Dossier
from services.shared.i18n import english

GIVEN = ("call_name", "address", "wake", "talk", "moves", "note")


class DossierPart(msgspec.Struct, array_like=True, frozen=True):
    """One sealed part; `key_id` is 16 bytes."""

    name: str
    key_id: bytes
    sealed: bytes


class Card(msgspec.Struct, array_like=True, frozen=True):
    """What follows from a person's answers: how many, how to wake, talk to and move them; never why."""

    people: int = 1
    wake: str = ""
    talk: str = ""
    moves: str = ""
    note: str = ""
    floor: int = 0


_parts: msgspec.msgpack.Decoder[tuple[DossierPart, ...]] = msgspec.msgpack.Decoder(tuple[DossierPart, ...])
_card: msgspec.msgpack.Decoder[Card] = msgspec.msgpack.Decoder(Card)


def owner_of(owner: str, part: str) -> str:
    """What a part is bound to: its person and its use, so that none can stand in another's place."""
    return f"{owner}:{part}"


def pack(parts: Iterable[DossierPart]) -> bytes:
    """The parts as one value; empty where there is none."""
    some = tuple(parts)
    return msgspec.msgpack.encode(some) if some else b""


def unpack(body: bytes) -> tuple[DossierPart, ...]:
    """What `pack` made."""
    return _parts.decode(body) if body else ()


def assemble(opened: Iterable[tuple[str, bytes]]) -> Dossier:
    """The dossier of opened parts; where the address is left out, the first other place is the address."""
    given: dict[str, str] = {}
    stays: list[str] = []
    card = Card()
    for name, value in opened:
        if name == "card":
            card = _card.decode(value)
        elif name == "stay":
            stays.append(value.decode())
        else:
            given[name] = value.decode()
    address = given.get("address", "")
    if not address and stays:
        address, stays = stays[0], stays[1:]
    elsewhere = (english("or at {place}", place=stay) for stay in stays)
    return Dossier(
        call_name=given.get("call_name", ""),
        address=address,
        people=card.people,
        wake=_both(given, "wake", card.wake),
        talk=_both(given, "talk", card.talk),
        moves=_both(given, "moves", card.moves),
        note="; ".join(text for text in (card.note, given.get("note", ""), *elsewhere) if text),
        floor=card.floor,
    )


def _both(given: Mapping[str, str], name: str, derived: str) -> str:
    return "; ".join(text for text in (given.get(name, ""), derived) if text)
