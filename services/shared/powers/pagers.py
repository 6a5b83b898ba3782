"""Keeps where people who decide are paged, one sealed number each, and makes the messages to them."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.bus.outbox import id_of
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.messages import ContactEntry, NoticeRequested
from services.shared.tiers import Tier

pager = sa.Table(
    "pager",
    metadata,
    sa.Column("actor", Id, primary_key=True, comment="a person, or a key nobody is named for"),
    sa.Column("place", sa.SmallInteger, nullable=False, comment="the smallest is paged first"),
    sa.Column("language", sa.String(20), nullable=False),
    sa.Column("mask", sa.String(12), nullable=False, comment="the last figures, for whoever looks"),
    sa.Column("contact_id", Id, nullable=False),
    sa.Column("address_key", sa.String(64), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("key_id", Id, nullable=False),
    sa.Column("spoken", sa.Boolean, nullable=False, comment="whether a call can be made to it"),
    sa.Column("given_at", sa.Float, nullable=False, comment="wall"),
)


class Pager(NamedTuple):
    """Where somebody is paged: one sealed number."""

    actor: str
    place: int
    language: str
    mask: str
    contact_id: str
    address_key: str
    sealed: bytes
    key_id: str
    spoken: bool

    def pages(
        self, kind: str, *, plane: str, warning_id: str = "", tier: int = 0, about: str = "", expires: float
    ) -> list[NoticeRequested]:
        """A text and, where the number takes one, a call; `about` makes it another message than before.

        Of no warning in the ledger's sense: it goes out whatever becomes of the one it is about.
        """
        ways = [("sms", "officer_sms")] + ([("voice_mobile", "officer_voice")] if self.spoken else [])
        return [
            NoticeRequested(
                msg_id=id_of("notice", kind, warning_id, self.contact_id, channel, about), plane=plane, warning_id="",
                tier=tier or int(Tier.RED), notice_id=id_of(kind, warning_id, self.contact_id, channel, about), kind=kind,
                addressee_id=self.actor,
                contact=ContactEntry(self.contact_id, contact, self.address_key, self.sealed, self.key_id),
                language=self.language, expires=expires,
                params={"channel": channel} | ({"about": warning_id} if warning_id else {}),
            )
            for contact, channel in ways
        ]  # fmt: skip


async def pagers(db: Connection) -> list[Pager]:
    """Whoever can be paged, the first to be paged first."""
    return await rows_of(db, Pager, sa.select(*columns(Pager, pager)).order_by(pager.c.place, pager.c.actor))


async def pager_of(db: Connection, actor: str) -> Pager | None:
    """None where they gave no number."""
    return await row_of(db, Pager, sa.select(*columns(Pager, pager)).where(pager.c.actor == actor))
