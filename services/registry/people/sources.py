"""Lists the sources of the register, how fresh each is, and who stands in its newest list.

A source's list is numbered at each import; whoever has an older number is missing from the newest one: shown, never
deleted. A source is the authority's that first used it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.registry.model.facts import MONTHS, Provenance, months_after
from services.registry.model.given import Given, SourceKind
from services.registry.store import register
from services.shared.bus.outbox import id_of
from services.shared.database.batches import chunks, insert_new, one_of, upsert
from services.shared.database.engine import Connection
from services.shared.errors import Refused
from services.shared.powers.may import Thing, must
from services.shared.powers.power import Power
from services.shared.powers.who import Who


@dataclass(frozen=True)
class SourceList:
    """One list as it is handed in: the source's name and kind, the ISO day, and the list's number."""

    name: str
    kind: SourceKind
    on: str
    number: int = 1
    authority: str = ""
    rows: int = 0  # of the newest list before it

    @property
    def source_id(self) -> str:
        """The same at every import of that name."""
        return id_of("source", self.name)

    def provenance(self, kind: str = "", on: str = "", until: str = "") -> Provenance:
        """Of what this list says; a row may be of another kind, day or end than its list."""
        return Provenance(kind or self.kind, on or self.on, self.name, self.source_id, until)


@dataclass(frozen=True)
class Statement:
    """What a source says of one person or facility, and how it knows.

    `joined`: of somebody who carries another list's id.
    """

    given: Given
    who: Provenance
    joined: bool = False


OWN = "register"  # what is entered here and by no list


async def begin(db: Connection, name: str, kind: SourceKind, on: str, who: Who | None = None) -> SourceList:
    """The list about to be imported, with its number. NotAllowed where its source is another authority's.

    `who` is None for what the house itself enters.
    """
    source = register.source.c
    row = (
        await db.execute(sa.select(source.imports, source.rows, source.authority).where(source.name == name))
    ).first()
    if who is None:
        return SourceList(name, kind, on, (row.imports if row else 0) + 1, row.authority if row else "")
    if name == OWN:
        raise Refused(
            "that is the name of what is entered here by hand", field="source", rule="reserved", given=name,
            remedy="give the list another name, and keep it the same at every import",
        )  # fmt: skip
    owner = row.authority if row else ""
    must(who, Power.BRING, Thing(field="source", owner=owner))
    authority = owner or who.authority
    return SourceList(name, kind, on, (row.imports if row else 0) + 1, authority, row.rows if row else 0)


async def claim(tx: Connection, one: SourceList, who: Who | None) -> None:
    """The source is its authority's from now on; NotAllowed where another was first meanwhile."""
    await insert_new(tx, register.source, [_row(one, 0) | {"imports": 0}])
    source = register.source.c
    await tx.execute(
        sa.update(register.source)
        .where(source.source_id == one.source_id, source.authority == "")
        .values(authority=one.authority)
    )
    if who is not None:
        owner = await tx.scalar(sa.select(source.authority).where(source.source_id == one.source_id))
        must(who, Power.BRING, Thing(field="source", owner=owner or ""))


async def finish(tx: Connection, one: SourceList, rows: int) -> None:
    """The list is in: it is the newest of its source now, and old in a year."""
    row = _row(one, rows)
    await upsert(
        tx, register.source, [row], ["source_id"], replace=[k for k in row if k not in ("source_id", "authority")]
    )


def _row(one: SourceList, rows: int) -> dict[str, object]:
    return {
        "source_id": one.source_id,
        "name": one.name,
        "kind": one.kind,
        "imports": one.number,
        "rows": rows,
        "last_import": one.on,
        "expires_on": months_after(one.on, MONTHS),
        "authority": one.authority,
    }


async def listed(db: Connection, source_id: str, people: Sequence[str]) -> dict[str, tuple[str, int]]:
    """person_id > (digest of what the source said last, number of that list)."""
    found: dict[str, tuple[str, int]] = {}
    for some in chunks(people, 1000):
        rows = await db.execute(
            sa.select(register.listing.c.person_id, register.listing.c.digest, register.listing.c.seen).where(
                register.listing.c.source_id == source_id, one_of(register.listing.c.person_id, some)
            )
        )
        found |= {row.person_id: (row.digest, row.seen) for row in rows}
    return found


async def see(tx: Connection, one: SourceList, digests: dict[str, str], only_seen: Sequence[str]) -> None:
    """Notes who stands in this list: new digests, and those who stand there unchanged."""
    rows = [
        {"source_id": one.source_id, "person_id": person_id, "seen": one.number, "digest": digest}
        for person_id, digest in digests.items()
    ]
    await upsert(tx, register.listing, rows, ["source_id", "person_id"], replace=["seen", "digest"])
    for some in chunks(only_seen, 1000):
        await tx.execute(
            sa.update(register.listing)
            .where(register.listing.c.source_id == one.source_id, one_of(register.listing.c.person_id, some))
            .values(seen=one.number)
        )


def digest(index: bytes, one: Given, who: Provenance, more: str = "") -> str:
    """Keyed, since a plain hash of a phone number is as good as the number."""
    body = f"{one.model_dump_json()}{who.source}{who.until}{more}"
    return hmac.new(index, body.encode(), hashlib.sha256).hexdigest()[:32]
