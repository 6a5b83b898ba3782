"""Keeps sign-ins: a cookie names one, the database says whether it goes on and what it may do.

A sign-in ends by signing out, after 30 minutes without a request, at its longest (12 hours for the console, an hour for
a resident), and for the console with its key or its person's account. A page that renews itself counts as use: whoever
watches a warning by the live page alone must not be put out in the middle of it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from typing import Literal, NamedTuple

import sqlalchemy as sa
import structlog

from services.shared.clock import wall
from services.shared.database.engine import Connection, Database, may_be_tried_again, metadata
from services.shared.database.rows import columns, row_of, rows_of

Use = Literal["console", "me", "person"]  # by a key, a resident, a person of an authority
LONGEST_S: dict[Use, float] = {"console": 12 * 3600.0, "me": 3600.0, "person": 12 * 3600.0}
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


class SignIn(NamedTuple):
    """A sign-in, as it was written down."""

    sign_in_id: str
    use: Use
    subject: str
    began_at: float
    seen_at: float
    proved_at: float
    how: str
    agent: str

    def goes_on(self, now: float) -> bool:
        """Whether it has not ended by idleness or age."""
        return self.seen_at > now - IDLE_S and self.began_at > now - LONGEST_S[self.use]


async def begin(tx: Connection, use: Use, subject: str, *, how: str = "", agent: str = "") -> tuple[str, int]:
    """Writes a new sign-in down; (nonce, wall time in whole seconds). Those that are over are forgotten along the way."""
    now = wall()
    await tx.execute(sa.delete(sign_in).where(sign_in.c.seen_at < now - IDLE_S))
    nonce = secrets.token_urlsafe(16).replace("_", "-")  # a resident's cookie parts its fields by _
    row = SignIn(_id(nonce), use, subject, now, now, now, how, agent[:200])
    await tx.execute(sa.insert(sign_in).values(row._asdict()))
    return nonce, int(now)


async def prove(tx: Connection, nonce: str, subject: str, how: str) -> str:
    """Whoever is signed in has shown again that it is them; the new nonce, which takes the old one's place.

    Empty where that person's sign-in is not there any more. How long it lasts in all is as before.
    """
    fresh = secrets.token_urlsafe(16).replace("_", "-")
    mine = (sign_in.c.sign_in_id == _id(nonce), sign_in.c.use == "person", sign_in.c.subject == subject)
    values = {"sign_in_id": _id(fresh), "proved_at": wall(), "seen_at": wall(), "how": how}
    done = await tx.execute(sa.update(sign_in).where(*mine).values(values))
    return fresh if done.rowcount == 1 else ""


async def found(database: Database, nonce: str, uses: Collection[Use]) -> SignIn | None:
    """The sign-in a nonce names, where it has not ended; None for any other. That it was used is written down once a
    minute."""
    now = wall()
    mine = sign_in.c.sign_in_id == _id(nonce)
    async with database.read() as db:
        one = await row_of(db, SignIn, sa.select(*columns(SignIn, sign_in)).where(mine))
    if one is None or one.use not in uses or not one.goes_on(now):
        return None
    if one.seen_at < now - SEEN_EVERY_S:
        try:
            async with database.write() as tx:
                await tx.execute(sa.update(sign_in).where(mine).values(seen_at=now))
        except (sa.exc.SQLAlchemyError, TimeoutError) as trouble:  # that nothing can be written ends no sign-in
            if not may_be_tried_again(trouble):
                raise
            log.warning("use_not_written", reason=type(trouble).__name__)
    return one


async def subject_of(database: Database, use: Use, nonce: str) -> str | None:
    """Whose sign-in a nonce is, where it has not ended; None for any other."""
    one = await found(database, nonce, (use,))
    return one.subject if one is not None else None


async def of_person(db: Connection, person: str) -> list[SignIn]:
    """Where somebody is signed in, the newest first."""
    mine = sa.select(*columns(SignIn, sign_in)).where(sign_in.c.use == "person", sign_in.c.subject == person)
    now = wall()
    return [one for one in await rows_of(db, SignIn, mine.order_by(sign_in.c.began_at.desc())) if one.goes_on(now)]


async def end_of_person(tx: Connection, person: str, sign_in_id: str = "", *, but: str = "") -> int:
    """Ends one sign-in of somebody, or all but that of a nonce; how many."""
    mine = [sign_in.c.use == "person", sign_in.c.subject == person]
    if sign_in_id:
        mine.append(sign_in.c.sign_in_id == sign_in_id)
    if but:
        mine.append(sign_in.c.sign_in_id != _id(but))
    return (await tx.execute(sa.delete(sign_in).where(*mine))).rowcount


def is_of(one: SignIn, nonce: str) -> bool:
    """Whether it is the sign-in of that nonce."""
    return one.sign_in_id == _id(nonce)


async def end(database: Database, nonce: str) -> None:
    """From now on the cookie with that nonce opens nothing."""
    async with database.write() as tx:
        await tx.execute(sa.delete(sign_in).where(sign_in.c.sign_in_id == _id(nonce)))
