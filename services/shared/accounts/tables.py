"""Stores authorities and their people: accounts, grants, invitations, and what they sign in with."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa

from services.shared.bus.outbox import id_of
from services.shared.database.engine import Id, metadata
from services.shared.text.invisible_signs import plain_signs


def plain_name(name: str) -> str:
    """A name without signs nobody sees and blanks that say nothing: two that look alike are one."""
    seen = (sign for sign in plain_signs(unicodedata.normalize("NFKC", name)) if unicodedata.category(sign) != "Cf")
    return " ".join("".join(seen).split())


def person_id(name: str) -> str:
    """The id of whoever has that name: names of people are told apart within an installation.

    Keys name their owner by it, so that several keys of one person are one person, with an account or without.
    """
    return id_of("person", plain_name(name).casefold()) if name.strip() else ""


authority = sa.Table(
    "authority",
    metadata,
    sa.Column("authority_id", Id, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
)
superior = sa.Table(
    "authority_superior",
    metadata,
    sa.Column("authority_id", Id, sa.ForeignKey("authority.authority_id"), primary_key=True),
    sa.Column("superior_id", Id, sa.ForeignKey("authority.authority_id"), primary_key=True),
)
account = sa.Table(
    "account",
    metadata,
    sa.Column("person", Id, primary_key=True),
    sa.Column("authority_id", Id, sa.ForeignKey("authority.authority_id"), nullable=False),
    sa.Column("name", sa.String(80), nullable=False, unique=True, comment="as colleagues know them"),
    sa.Column("login", sa.String(80), nullable=False, unique=True, comment="what they type to sign in; small letters"),
    sa.Column("created_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("ended_at", sa.Float, comment="wall; from then on nothing of theirs opens anything"),
    sa.Column("back_at", sa.Float, comment="wall; when they came back: their keys and sign-ins from before stay over"),
)
account_grant = sa.Table(
    "account_grant",
    metadata,
    sa.Column("person", Id, sa.ForeignKey("account.person"), primary_key=True),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("max_tier", sa.SmallInteger, nullable=False),
    sa.Column("alone", sa.SmallInteger, nullable=False, comment="the highest tier they draft and send; 0 for none"),
    sa.Column("area", sa.Text, nullable=False, comment="GeoJSON; empty for anywhere"),
    sa.Column("senders", sa.JSON, nullable=False, comment="CAP senders; empty for any"),
    sa.Column("events", sa.JSON, nullable=False, comment="hazards or event codes; empty for any"),
    sa.Column("names", sa.JSON, nullable=False, comment="what texts may name as source; empty for any"),
    sa.Column("hours", sa.String(200), nullable=False, comment="like Mo-Fr 08:00-18:00; empty for always"),
    sa.Column("zone", sa.String(64), nullable=False, comment="whose hours: an IANA zone, or minutes east of UTC"),
    sa.Column("expires_at", sa.Float, comment="wall; empty for never"),
)
invitation = sa.Table(
    "account_invitation",
    metadata,
    sa.Column("invitation_id", sa.String(64), primary_key=True, comment="SHA-256 of the link's secret"),
    sa.Column("person", Id, sa.ForeignKey("account.person"), nullable=False),
    sa.Column("made_by", sa.String(80), nullable=False),
    sa.Column("made_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("expires_at", sa.Float, nullable=False, comment="wall"),
)
credential = sa.Table(
    "account_credential",
    metadata,
    sa.Column("credential_id", Id, primary_key=True),
    sa.Column("person", Id, sa.ForeignKey("account.person"), nullable=False, index=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("handle", sa.String(1400), nullable=False, unique=True, comment="by which it is found"),
    sa.Column("secret", sa.Text, nullable=False, comment="a public key, a slow hash, or sealed"),
    sa.Column("counter", sa.BigInteger, nullable=False, comment="signatures made, or the last step used"),
    sa.Column("label", sa.String(80), nullable=False, comment="what its owner calls it"),
    sa.Column("created_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("used_at", sa.Float, comment="wall"),
    sa.CheckConstraint("kind IN ('passkey','password','totp','paper','oidc')", name="kind"),
)
spent = sa.Table(
    "account_spent",
    metadata,
    sa.Column("spent_id", sa.String(64), primary_key=True, comment="SHA-256 of a question that was answered"),
    sa.Column("at", sa.Float, nullable=False, comment="wall", index=True),
    comment="for as long as the question holds: no answer is taken twice",
)
attempt = sa.Table(
    "account_attempt",
    metadata,
    sa.Column("attempt_id", Id, primary_key=True),
    sa.Column("at", sa.Float, nullable=False, comment="wall"),
    sa.Column("about", sa.String(64), nullable=False, comment="SHA-256 of the name typed, or of where from"),
    sa.Index(None, "about", "at"),
    comment="sign-ins that failed, for a while",
)
