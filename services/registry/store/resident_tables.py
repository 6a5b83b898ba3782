"""Stores residents' sign-ins, messages sent for them, half-filled registrations and errands; no number and no code in
the open."""

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
    sa.Column(
        "kind", sa.String(16), nullable=False, server_default="", comment="of the contact, where somebody registers"
    ),
    sa.Column(
        "sealed", sa.LargeBinary, nullable=False, server_default="", comment="where that code goes; empty once it went"
    ),
    sa.Column("key_id", sa.String(32), nullable=False, server_default=""),
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
half_filled = sa.Table(
    "registry_half_filled",
    metadata,
    sa.Column("half_id", Id, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="sealed by a key that only the browser holds"),
    sa.Column("origin", sa.String(64), nullable=False, comment="keyed hash of the network address it came from"),
    sa.Column("began_at", sa.Double, nullable=False, comment="wall"),
    sa.Column("changed_at", sa.Double, nullable=False, comment="wall"),
    sa.Index(None, "origin", "began_at"),
    sa.Index(None, "changed_at"),
    comment="registrations under way; deleted with the last answer, or two hours after it",
)
errand = sa.Table(
    "registry_errand",
    metadata,
    sa.Column("errand_id", Id, primary_key=True),
    sa.Column("person_id", Id, nullable=False),
    sa.Column("why", sa.String(12), nullable=False),
    sa.Column("origin", sa.String(64), nullable=False, comment="keyed hash of the network address it came from"),
    sa.Column("asked_at", sa.Double, nullable=False, comment="wall"),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("settled_by", sa.String(80), nullable=False),
    sa.CheckConstraint("why IN ('not_proven', 'not_told', 'no_place')", name="why"),
    sa.CheckConstraint("state IN ('open', 'kept', 'dropped')", name="state"),
    sa.Index(None, "state", "asked_at"),
    sa.Index(None, "origin", "asked_at"),
    comment="whom the register's staff must go and see",
)
