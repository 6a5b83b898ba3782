"""Keeps what the router asks channels to open: who calls for help under a warning, for one caller and a quarter of an hour.

Nobody but the router may write here, and nobody but channels opens what is sealed: so the row itself is the order. The browser
carries its id alone, and the router holds no key. The reason stays with it, which is asked once a sign-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from services.shared.clock import wall
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, row_of
from services.shared.errors import NotAllowed

LASTS_S = 900.0
KEPT_S = 86400.0  # the reason outlives what was opened by it, no sign-in by much
opened_calls = sa.Table(
    "opened_calls",
    metadata,
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("caller_id", Id, nullable=False),
    sa.Column("chain_id", Id, nullable=False),
    sa.Column("sign_in", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(400), nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("calls", sa.LargeBinary, nullable=False, comment="sealed dossiers and numbers"),
    sa.Index("ix_opened_calls_caller", "caller_id", "chain_id"),
)


class Sealed(msgspec.Struct, array_like=True, frozen=True):
    """One value: what it is called, whom it is bound to, its page key, the blob."""

    label: str
    owner: str
    key_id: str
    blob: bytes


class HelpCall(msgspec.Struct, array_like=True, frozen=True):
    """Somebody who calls for help or asks: their case, the packed dossier, and numbers, the one they called from first.

    A number's label says whose it is: person, supporter, facility. `since` is warning time.
    """

    case_id: str
    warning_id: str
    person_id: str
    kind: str
    since: float
    owner: str
    team: str
    zone_id: str
    needs: tuple[str, ...]
    at_risk: bool
    dossier: bytes
    phones: tuple[Sealed, ...]


class CallsOrder(NamedTuple):
    """Open these calls of a chain for that caller; `asked_at` is wall."""

    order_id: str
    caller_id: str
    chain_id: str
    sign_in: str
    reason: str
    asked_at: float
    calls: bytes

    @property
    def opened(self) -> list[HelpCall]:
        return msgspec.msgpack.decode(self.calls, type=list[HelpCall])


_ORDERS = sa.select(*columns(CallsOrder, opened_calls))


async def reason_given(db: Connection, caller_id: str, chain_id: str, sign_in: str) -> str:
    """Why they look, as they said before under this chain in this sign-in; empty where they did not."""
    mine = sa.select(opened_calls.c.reason).where(
        opened_calls.c.caller_id == caller_id, opened_calls.c.chain_id == chain_id, opened_calls.c.sign_in == sign_in
    )
    return str(await db.scalar(mine.order_by(opened_calls.c.asked_at.desc()).limit(1)) or "")


async def give(
    tx: Connection, order_id: str, caller_id: str, chain_id: str, sign_in: str, reason: str, calls: Sequence[HelpCall]
) -> None:
    """Writes an order, and lets go of those of yesterday."""
    now = wall()
    await tx.execute(sa.delete(opened_calls).where(opened_calls.c.asked_at < now - KEPT_S))
    row = CallsOrder(order_id, caller_id, chain_id, sign_in, reason, now, msgspec.msgpack.encode(list(calls)))
    await tx.execute(sa.insert(opened_calls).values(**row._asdict()))


async def order_for(db: Connection, order_id: str, caller_id: str) -> CallsOrder:
    """What is to be opened; NotAllowed where there is none, or it is another's or too old."""
    found = await row_of(db, CallsOrder, _ORDERS.where(opened_calls.c.order_id == order_id))
    if found is None or found.caller_id != caller_id or wall() > found.asked_at + LASTS_S:
        raise NotAllowed(
            "this look is another's or too old: press Names, streets and telephones on the page of cases again",
            field="order", rule="order.caller",
        )  # fmt: skip
    return found
