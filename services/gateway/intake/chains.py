"""Places a message among those that came before: `cap.chains` over what is stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from services.gateway.cap import (
    KnownMessage,
    Placement,
    Reference,
    chains,
    place,
)
from services.gateway.intake.incoming import Incoming
from services.gateway.store import StoredWarning, message
from services.shared.database.batches import chunks, insert_new
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import rows_of
from services.shared.endings import GOES_ON
from services.shared.ledger.warnings import warning_scope, warning_state

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
UNHEARD = ("held", "draft", "withdrawn")
MOST = 1000


class ChainRow(NamedTuple):
    """A stored message as its chain needs it."""

    warning_id: str
    identifier: str
    sender: str
    sent: float
    msg_type: str
    fingerprint: str
    incident: str
    area: str
    geocodes: list[list[str]]
    chain_id: str
    state: str
    tier: int
    state_expires_at: float
    authority: str
    ending: str
    kind: str
    released_at: float | None


class _Named(Protocol):
    """What places a stored message among others."""

    @property
    def sender(self) -> str: ...
    @property
    def identifier(self) -> str: ...
    @property
    def sent(self) -> float: ...
    @property
    def msg_type(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def incident(self) -> str: ...
    @property
    def state_expires_at(self) -> float: ...


@dataclass(frozen=True)
class Standing:
    """`placement` as the craft gives it; `rows` are the stored messages of its chain, by warning id.

    `alive`: those it would put an end to, newest first. `settled_by`: the id of a later message of the same authority
    that has settled it already. `foreign`: authorities the caller does not speak for among those alive. `distrusted`:
    authorities that settled it and have no say in it. `chain_id`: the chain of the caller's it joins, empty where it begins
    one; `apart`: ids of theirs that it shows to belong there and that were another chain till now.
    """

    placement: Placement
    rows: dict[str, ChainRow]
    alive: tuple[str, ...]
    settled_by: str
    foreign: tuple[str, ...]
    distrusted: tuple[str, ...]
    chain_id: str
    apart: tuple[str, ...] = ()

    @property
    def same(self) -> str:
        """The id of the message that came before under the same name, or empty."""
        return self.chain_id if self.placement.kind in ("duplicate", "reused") else ""


async def standing(
    tx: Connection, mine: KnownMessage, authorities: Collection[str], *, ends: bool = False, here: bool = False
) -> Standing:
    """Places a message among those stored, in whatever order they came; `here`: it is one of them already.
    `ends`: it is an ending, which puts no other ending to an end; an update does: the danger is back.

    What nobody has let out yet (a draft, a held one) or a person gave up settles nothing: silence would be worse than
    an older word. Such a one of an authority that is none of the caller's `authorities` is not there for them at all,
    unless it bears this one's very name.
    """
    rows = [row for row in await _chain_rows(tx, mine) if _known_to(authorities, row) or _same_name(row, mine)]
    refs = await _references(tx, [row.warning_id for row in rows])
    by_key: _Stored = {}
    for row in rows:
        known = _known(row, refs.get(row.warning_id, ()), row.ending)
        by_key[known.key] = (known, row)
    if here:
        by_key.pop(mine.key, None)
    everything = [known for known, _ in by_key.values()]
    placement = place(mine, everything)
    stored = {row.warning_id: row for _, row in by_key.values()}
    if placement.kind in ("duplicate", "reused"):
        return Standing(placement, stored, (), "", (), (), by_key[mine.key][1].warning_id)
    settled, strange = _settled(mine, by_key, authorities)
    chain = next(c for c in chains([*everything, mine]) if mine in c)
    older = [by_key[k.key][1] for k in reversed(chain) if k.key != mine.key and k.sent <= mine.sent]
    alive = [row for row in older if row.state in ALIVE and not (ends and row.kind == "ending")]
    alive = alive if placement.kind == "follows" else []
    others = [by_key[k.key][1] for k in chain if k.key != mine.key]
    others = [row for row in others if row.authority in authorities]  # who names a warning is not its author for it
    chain_id = others[0].chain_id if others else ""
    return Standing(
        placement,
        stored,
        tuple(row.warning_id for row in alive),
        settled,
        tuple(dict.fromkeys(row.authority for row in alive if row.authority not in authorities)),
        strange,
        chain_id,
        tuple(row.warning_id for row in others if row.chain_id != chain_id),
    )


_Stored = dict[tuple[str, str, datetime], tuple[KnownMessage, ChainRow]]


def _known_to(authorities: Collection[str], row: ChainRow) -> bool:
    return row.authority in authorities or row.released_at is not None or row.state not in UNHEARD


def _same_name(row: ChainRow, mine: KnownMessage) -> bool:
    return (row.sender, row.identifier, row.sent) == (mine.sender, mine.identifier, mine.sent.timestamp())


def _settled(mine: KnownMessage, by_key: _Stored, authorities: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """(id of the message of the same authority that settles this one, authorities that only claim to)."""
    heard = {key: (known, row) for key, (known, row) in by_key.items() if row.state not in UNHEARD}
    by = place(mine, [known for known, _ in heard.values()]).settled_by
    if by is None:
        return "", ()
    row = heard[by.key][1]
    if row.authority in authorities:
        return row.warning_id, ()
    own = place(mine, [known for known, other in heard.values() if other.authority in authorities]).settled_by
    return heard[own.key][1].warning_id if own is not None else "", (row.authority,)


async def standing_of_row(tx: Connection, row: StoredWarning) -> Standing:
    """Where a stored message stands by now: others may have come since."""
    mine = _known(row, (await _references(tx, [row.warning_id])).get(row.warning_id, ()), row.state_ending)
    return await standing(tx, mine, (row.state_authority,), ends=bool(row.state_ending), here=True)


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


def known_of(incoming: Incoming) -> KnownMessage:
    """An incoming message as chains know it."""
    return KnownMessage(
        sender=incoming.sender,
        identifier=incoming.identifier,
        sent=_instant(incoming.sent),
        msg_type=incoming.msg_type,
        fingerprint=incoming.fingerprint,
        expires=_instant(incoming.expires),
        references=incoming.references,
        incident=incoming.incident,
    )


def _known(row: _Named, references: tuple[Reference, ...], ending: str) -> KnownMessage:
    # That we are checking, or that a part may go home, settles nothing: the warning goes on, and so does what its author says.
    kind = "Ack" if ending in GOES_ON else row.msg_type
    expires = _instant(row.state_expires_at)
    return KnownMessage(
        row.sender, row.identifier, _instant(row.sent), kind, row.fingerprint, expires, references, row.incident
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def _chain_rows(tx: Connection, incoming: KnownMessage) -> list[ChainRow]:
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
    rows: list[ChainRow] = []
    for some in chunks(sorted(touched), 500):
        rows += await rows_of(
            tx,
            ChainRow,
            sa.select(
                message.c.warning_id, message.c.identifier, message.c.sender, message.c.sent, message.c.msg_type,
                message.c.fingerprint, message.c.incident, warning_scope.c.area, warning_scope.c.geocodes,
                warning_state.c.chain_id, warning_state.c.state, warning_state.c.tier,
                warning_state.c.expires_at.label("state_expires_at"),
                warning_state.c.authority, warning_state.c.ending, warning_state.c.kind, warning_state.c.released_at,
            )
            .join(warning_state, warning_state.c.warning_id == message.c.warning_id)
            .join(warning_scope, warning_scope.c.warning_id == message.c.warning_id)
            .where(warning_state.c.chain_id.in_(some))
            .order_by(message.c.sent.desc(), message.c.warning_id)
            .limit(MOST),
        )  # fmt: skip
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
