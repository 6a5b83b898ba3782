"""Stores residents' sign-ins and messages sent for them; no number, no code."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata

challenge = sa.Table(
    "registry_challenge",
    metadata,
    sa.Column("challenge_id", Id, primary_key=True, comment="the code follows from it and the index key"),
    sa.Column("address_key", sa.String(64), nullable=False),
    sa.Column("origin", sa.String(64), nullable=False, comment="keyed hash of the network address it came from"),
    sa.Column("language", sa.String(8), nullable=False),
    sa.Column("asked_at", sa.Double, nullable=False, comment="wall"),
    sa.Column("other_key", sa.String(64), nullable=False, server_default="", comment="of the number's other form"),
    sa.Column("tries", sa.SmallInteger, nullable=False),
    sa.Column("sent", sa.SmallInteger, nullable=False, server_default="0", comment="1: a code went out for it"),
    sa.Column("state", sa.String(8), nullable=False),
    sa.CheckConstraint("state IN ('asked', 'handled', 'used')", name="state"),
    sa.Index(None, "address_key", "asked_at"),
    sa.Index(None, "origin", "asked_at"),
    sa.Index(None, "asked_at"),
    sa.Index(None, "state", "asked_at"),
)
notice = sa.Table(
    "registry_notice",
    metadata,
    sa.Column("notice_id", Id, primary_key=True, comment="the delivery's id too"),
    sa.Column("person_id", Id, nullable=False),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("contact_id", Id, nullable=False),
    sa.Column("asked_at", sa.Double, nullable=False, comment="wall"),
    sa.Index(None, "person_id", "kind", "asked_at"),
    comment="tests of a channel and invitations a person asked for",
)
