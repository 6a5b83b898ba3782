"""Keeps which lists of doors were opened by the teams that have them: channels opens them, the router looks."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.database.engine import Connection, Id, metadata

list_link = sa.Table(
    "channels_list_link",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("slot", Id, primary_key=True, comment="the team, or the fire service"),
    sa.Column("n", sa.SmallInteger, primary_key=True, autoincrement=False, comment="0: the one its text brought"),
    sa.Column("made_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("devices", sa.JSON, nullable=False, comment="SHA-256 of the cookies it opens with"),
    sa.Column("opened_at", sa.Float, comment="warning time"),
    sa.Column("wrong_codes", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("recalled_at", sa.Float, comment="warning time"),
)


async def opened_lists(db: Connection, warning_id: str) -> set[str]:
    """The teams whose list under a warning was opened on some device."""
    mine = (list_link.c.warning_id == warning_id, list_link.c.opened_at.is_not(None))
    return set((await db.scalars(sa.select(list_link.c.slot).where(*mine))).all())
