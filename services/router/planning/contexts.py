"""Loads what one running warning needs to walk its people: message, policy of its start, channels, teams on shift."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.policy.engine import Policy, load, restored
from services.router.store import tables
from services.shared.database.batches import chunks, insert_new
from services.shared.database.engine import Connection
from services.shared.errors import Broken, Busy
from services.shared.ledger.channels import channel
from services.shared.ledger.warnings import warning_state
from services.shared.messages import WarningIssued, decode

_CHANNELS = sa.select(channel)
_WARNING = (
    sa.select(tables.warning, warning_state.c.doors, warning_state.c.state)
    .join(warning_state, warning_state.c.warning_id == tables.warning.c.warning_id)
    .where(tables.warning.c.warning_id == sa.bindparam("w"))
)
SHIPPED = Path(__file__).parents[1] / "policy" / "policy.yaml"


@dataclass(frozen=True)
class EarlierWarning:
    """What is remembered of a warning for the next one: hazard, tier, when it was released."""

    warning_id: str
    hazard: str
    tier: int
    released: float


class Contexts:
    """Policies by their hash; everything else is read afresh, since channels and the commander's word change."""

    def __init__(self, policy_path: Path | None) -> None:
        self.current = load(policy_path or SHIPPED, "TOCSIN_POLICY" if policy_path else "")
        self.current_key = hashlib.sha256(self.current.kept.encode()).hexdigest()
        self._policies: dict[str, Policy] = {self.current_key: self.current}
        self._known: dict[str, EarlierWarning] = {}

    async def keep_policy(self, tx: Connection) -> str:
        """Stores the current policy's text, so that a warning keeps it over restarts; returns its key."""
        await insert_new(tx, tables.policy_text, [{"policy": self.current_key, "text": self.current.kept}])
        return self.current_key

    async def policy(self, db: Connection, key: str) -> Policy:
        if key not in self._policies:
            text = await db.scalar(sa.select(tables.policy_text.c.text).where(tables.policy_text.c.policy == key))
            if text is None:
                raise Broken(f"policy {key[:12]} of a running warning is not in the database")
            self._policies[key] = restored(text)
        return self._policies[key]

    async def known(self, db: Connection, since: float) -> list[EarlierWarning]:
        """Alerts and updates released since then, oldest first. A warning's message never changes: it is read once."""
        lately = (
            sa.select(tables.warning.c.warning_id)
            .join(warning_state, warning_state.c.warning_id == tables.warning.c.warning_id)
            .where(warning_state.c.released_at >= since - 60.0)  # about those, and not every warning there ever was
        )
        ids = set((await db.scalars(lately)).all())
        for part in chunks(sorted(ids - self._known.keys()), 500):
            rows = sa.select(tables.warning.c.warning_id, tables.warning.c.issued)
            for row in await db.execute(rows.where(tables.warning.c.warning_id.in_(part))):
                issued = decode(row.issued)
                if isinstance(issued, WarningIssued):
                    tier = issued.tier if issued.kind != "ending" else 0
                    self._known[row.warning_id] = EarlierWarning(row.warning_id, issued.hazard, tier, issued.released)
        found = [w for w in self._known.values() if w.warning_id in ids and w.tier and w.released >= since]
        return sorted(found, key=lambda w: (w.released, w.warning_id))

    async def channels(self, db: Connection) -> tuple[dict[str, str], dict[str, str]]:
        """channel > driver, and channel > why it cannot be used (empty where it works)."""
        rows = (await db.execute(_CHANNELS)).all()
        if not rows:  # nobody must be taken for unreachable because a process starts late
            raise Busy("no channels process has said yet which channels there are: start one")
        return {r.channel: r.driver for r in rows}, {r.channel: "" if r.working else r.why for r in rows}

    async def of(self, db: Connection, warning_id: str, *, workers: bool = False) -> WarningContext | None:
        """The context of a warning, or None where the router has not heard of it."""
        row = (await db.execute(_WARNING, {"w": warning_id})).first()
        if row is None:
            return None
        issued = decode(row.issued)
        if not isinstance(issued, WarningIssued):
            raise Broken(f"the router's row of warning {warning_id} holds another message")
        drivers, channels = await self.channels(db)
        teams = [tables.decode_worker(w.entry) for w in await tables.workers_of(db, warning_id)] if workers else []
        policy = await self.policy(db, row.policy)
        return WarningContext(issued, policy, drivers, channels, row.doors, teams, row.state)
