"""Keeps sign-ins: a cookie names one, the database says whether it goes on and what it may do.

A sign-in ends by signing out, after 30 minutes without a request, at its longest (12 hours for the console, an hour for
a resident), and for the console with its key. A page that renews itself counts as use: whoever watches a warning by
the live page alone must not be put out in the middle of it.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal

import sqlalchemy as sa
import structlog

from services.shared.clock import wall
from services.shared.database.engine import Connection, Database, may_be_tried_again, metadata

Use = Literal["console", "me"]
LONGEST_S: dict[Use, float] = {"console": 12 * 3600.0, "me": 3600.0}
IDLE_S = 1800.0
SEEN_EVERY_S = 60.0  # how often use is written down
log = structlog.get_logger("sign_in")

sign_in = sa.Table(
    "sign_in",
    metadata,
    sa.Column("sign_in_id", sa.String(64), primary_key=True, comment="SHA-256 of the cookie's nonce"),
    sa.Column("use", sa.String(8), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False, comment="key id, person, or the phone's address key"),
    sa.Column("began_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("seen_at", sa.Float, nullable=False, comment="wall", index=True),
    sa.Column("proved_at", sa.Float, nullable=False, comment="wall; when they last showed who they are"),
    sa.Column("how", sa.String(8), nullable=False, server_default="", comment="what they showed it with"),
    sa.Column("agent", sa.String(200), nullable=False, server_default="", comment="what their browser calls itself"),
    sa.CheckConstraint("use IN ('console','me','person')", name="use"),
)


def _id(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()


async def begin(tx: Connection, use: Use, subject: str) -> tuple[str, int]:
    """Writes a new sign-in down; (nonce, wall time in whole seconds). Those that are over are forgotten along the way."""
    now = wall()
    await tx.execute(sa.delete(sign_in).where(sign_in.c.seen_at < now - IDLE_S))
    nonce = secrets.token_urlsafe(16).replace("_", "-")  # a resident's cookie parts its fields by _
    row = {"sign_in_id": _id(nonce), "use": use, "subject": subject, "began_at": now, "seen_at": now, "proved_at": now}
    await tx.execute(sa.insert(sign_in).values(**row))
    return nonce, int(now)


async def subject_of(database: Database, use: Use, nonce: str) -> str | None:
    """Whose sign-in a nonce is, where it has not ended; None for any other. That it was used is written down once a
    minute."""
    now = wall()
    mine = (sign_in.c.sign_in_id == _id(nonce), sign_in.c.use == use)
    async with database.read() as db:
        row = (
            await db.execute(sa.select(sign_in.c.subject, sign_in.c.began_at, sign_in.c.seen_at).where(*mine))
        ).first()
    if row is None or row.seen_at <= now - IDLE_S or row.began_at <= now - LONGEST_S[use]:
        return None
    if row.seen_at < now - SEEN_EVERY_S:
        try:
            async with database.write() as tx:
                await tx.execute(sa.update(sign_in).where(*mine).values(seen_at=now))
        except (sa.exc.SQLAlchemyError, TimeoutError) as trouble:  # that nothing can be written ends no sign-in
            if not may_be_tried_again(trouble):
                raise
            log.warning("use_not_written", reason=type(trouble).__name__)
    return str(row.subject)


async def end(database: Database, nonce: str) -> None:
    """From now on the cookie with that nonce opens nothing."""
    async with database.write() as tx:
        await tx.execute(sa.delete(sign_in).where(sign_in.c.sign_in_id == _id(nonce)))
