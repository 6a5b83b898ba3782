"""What whoever holds the database alone can do to the audit log."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.audit import trail
from services.shared.audit.checkpoints import audit_checkpoint
from services.shared.audit.trail import audit_log, entry_hash
from services.shared.database.engine import Database


async def rewrite(database: Database, without: int) -> None:
    """Takes an entry out, chains the rest anew, forgets the checkpoints."""
    async with database.write() as tx:
        rows = (await tx.execute(sa.select(audit_log).order_by(audit_log.c.n))).all()
        await tx.execute(sa.delete(audit_log))
        await tx.execute(sa.delete(audit_checkpoint))
        previous, n = trail.GENESIS, 0
        for row in rows:
            if row.n == without:
                continue
            n += 1
            body = (row.at, row.actor, row.act, row.subject, row.reason, row.detail)
            previous = entry_hash(previous, n, *body)
            await tx.execute(sa.insert(audit_log).values({**row._mapping, "n": n, "hash": previous}))


async def checkpoints(database: Database) -> int:
    async with database.read() as db:
        return int(await db.scalar(sa.select(sa.func.count()).select_from(audit_checkpoint)) or 0)
