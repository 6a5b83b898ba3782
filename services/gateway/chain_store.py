"""Where a message stands among those that came before: the craft of `cap.chains` over what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.gateway.cap import Known, Placement, Reference, chains, place
from services.gateway.incoming import Incoming
from services.gateway.store import message
from services.shared.db import Connection, Id, chunks, insert_new, metadata
from services.shared.ledger import warning_state

reference = sa.Table(
    "gateway_reference",
    metadata,
    sa.Column("warning_id", Id, primary_key=True, comment="whose reference it is"),
    sa.Column("n", sa.SmallInteger, primary_key=True),
    sa.Column("sender", sa.String(400), nullable=False),
    sa.Column("identifier", sa.String(400), nullable=False, index=True),
    sa.Column("sent", sa.Float, comment="the instant the triple gives, where it can be read"),
)
ALIVE = ("active", "held", "draft")
MOST = 1000


@dataclass(frozen=True)
class Standing:
    """`placement` as the craft gives it; `rows` are the stored messages of its chain, by warning id.

    `alive`: those it would put an end to, newest first. `settled_by`: the id of a later message of the same authority
    that has settled it already. `foreign`: authorities other than the caller's among those alive. `distrusted`:
    authorities that settled it and have no say in it.
    """

    placement: Placement
    rows: dict[str, Any]
    alive: tuple[str, ...]
    settled_by: str
    foreign: tuple[str, ...]
    distrusted: tuple[str, ...]
    chain_id: str

    @property
    def same(self) -> str:
        """The id of the message that came before under the same name, or empty."""
        return self.chain_id if self.placement.kind in ("duplicate", "reused") else ""


async def standing(tx: Connection, incoming: Incoming, authority: str) -> Standing:
    """Places a message among those stored, in whatever order they came; one at the same instant is not superseded."""
    mine = known_of(incoming)
    rows = await _chain_rows(tx, incoming)
    refs = await _references(tx, [row.warning_id for row in rows])
    by_key = {}
    for row in rows:
        known = _known(row, refs.get(row.warning_id, ()))
        by_key[known.key] = (known, row)
    everything = [known for known, _ in by_key.values()]
    placement = place(mine, everything)
    stored = {row.warning_id: row for _, row in by_key.values()}
    if placement.kind in ("duplicate", "reused"):
        return Standing(placement, stored, (), "", (), (), by_key[mine.key][1].warning_id)
    settled = placement.settled_by
    distrusted: tuple[str, ...] = ()
    if settled is not None and by_key[settled.key][1].authority != authority:
        distrusted = (by_key[settled.key][1].authority,)
        settled = place(mine, [known for known, row in by_key.values() if row.authority == authority]).settled_by
    chain = next(c for c in chains([*everything, mine]) if mine in c)
    older = [by_key[k.key][1] for k in reversed(chain) if k.key != mine.key and k.sent <= mine.sent]
    alive = [row for row in older if row.state in ALIVE] if placement.kind == "follows" else []
    named = [by_key[k.key][1] for k in placement.predecessors]
    return Standing(
        placement,
        stored,
        tuple(row.warning_id for row in alive),
        by_key[settled.key][1].warning_id if settled is not None else "",
        tuple(dict.fromkeys(row.authority for row in alive if row.authority != authority)),
        distrusted,
        named[0].chain_id if named else incoming.warning_id,
    )


async def remember_references(tx: Connection, warning_id: str, references: Sequence[Reference]) -> None:
    """Writes down what a message names, so that it is found when that comes later."""
    rows = [
        {
            "warning_id": warning_id,
            "n": n,
            "sender": r.sender[:400],
            "identifier": r.identifier[:400],
            "sent": r.sent.timestamp() if r.sent else None,
        }
        for n, r in enumerate(references)
    ]
    await insert_new(tx, reference, rows)


def known_of(incoming: Incoming) -> Known:
    """An incoming message as chains know it."""
    return Known(
        sender=incoming.sender,
        identifier=incoming.identifier,
        sent=_instant(incoming.sent),
        msg_type=incoming.msg_type,
        fingerprint=incoming.fingerprint,
        expires=_instant(incoming.expires),
        references=incoming.references,
        incident=incoming.incident,
    )


def _known(row: Any, references: tuple[Reference, ...]) -> Known:
    # That we are checking settles nothing: the warning goes on, and so does what its author says of it.
    kind = "Ack" if row.ending == "checking" else row.msg_type
    return Known(
        row.sender, row.identifier, _instant(row.sent), kind, row.fingerprint, _instant(row.expires_at), references,
        row.incident,
    )  # fmt: skip


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def _chain_rows(tx: Connection, incoming: Incoming) -> Sequence[Any]:
    """Every stored message of the chains this one may belong to: named by it, naming it, or bearing its name."""
    names = list({incoming.identifier, *(r.identifier for r in incoming.references)})
    touched: set[str] = set()
    joined = sa.select(warning_state.c.chain_id).join(message, message.c.warning_id == warning_state.c.warning_id)
    for some in chunks(names, 500):
        touched.update((await tx.scalars(joined.where(message.c.identifier.in_(some)))).all())
    if incoming.incident:
        akin = joined.where(message.c.sender == incoming.sender, message.c.incident == incoming.incident)
        touched.update((await tx.scalars(akin)).all())
    naming = (
        sa.select(warning_state.c.chain_id)
        .join(reference, reference.c.warning_id == warning_state.c.warning_id)
        .where(reference.c.identifier == incoming.identifier)
    )
    touched.update((await tx.scalars(naming)).all())
    rows: list[Any] = []
    for some in chunks(sorted(touched), 500):
        found = await tx.execute(
            sa.select(
                message.c.warning_id, message.c.identifier, message.c.sender, message.c.sent, message.c.msg_type,
                message.c.fingerprint, message.c.incident, message.c.area, message.c.geocodes, warning_state.c.chain_id,
                warning_state.c.state, warning_state.c.tier, warning_state.c.expires_at, warning_state.c.authority,
                warning_state.c.ending,
            )
            .join(warning_state, warning_state.c.warning_id == message.c.warning_id)
            .where(warning_state.c.chain_id.in_(some))
            .order_by(message.c.sent.desc(), message.c.warning_id)
            .limit(MOST)
        )  # fmt: skip
        rows += found.all()
    return rows


async def _references(tx: Connection, warning_ids: Sequence[str]) -> dict[str, tuple[Reference, ...]]:
    found: dict[str, list[Reference]] = {}
    for some in chunks(warning_ids, 500):
        for row in await tx.execute(
            sa.select(reference).where(reference.c.warning_id.in_(some)).order_by(reference.c.warning_id, reference.c.n)
        ):
            sent = _instant(row.sent) if row.sent is not None else None
            found.setdefault(row.warning_id, []).append(Reference(row.sender, row.identifier, sent))
    return {warning_id: tuple(references) for warning_id, references in found.items()}
