"""Loads what one running warning needs to walk its people: message, policy of its start, channels, teams on shift."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.policy.engine import Policy, load, restored
from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.store import tables
from services.shared import alarms
from services.shared.clock import wall
from services.shared.database.batches import chunks, insert_new, upsert
from services.shared.database.engine import Connection
from services.shared.errors import Broken, Busy, Refused
from services.shared.ledger.channels import channel
from services.shared.ledger.team_signs import SignKind, team_sign
from services.shared.ledger.warnings import policy_in_force, warning_state
from services.shared.messages import WarningIssued, decode

_CHANNELS = sa.select(channel)
_same_chain = warning_state.alias("same_chain")
_TAKEN_UP = (  # when the fire service last said that it has the names of this chain
    sa.select(sa.func.max(team_sign.c.at))
    .where(
        team_sign.c.slot == FIRE_SERVICE, team_sign.c.kind == SignKind.HERE,
        team_sign.c.warning_id.in_(
            sa.select(_same_chain.c.warning_id).where(_same_chain.c.chain_id == warning_state.c.chain_id)
        ),
    )
    .correlate(warning_state)
    .scalar_subquery()
    .label("taken_up_at")
)  # fmt: skip
_WARNING = (
    sa.select(tables.warning, warning_state.c.doors, warning_state.c.state, _TAKEN_UP)
    .join(warning_state, warning_state.c.warning_id == tables.warning.c.warning_id)
    .where(tables.warning.c.warning_id == sa.bindparam("w"))
)
POLICY_ALARM = "policy"
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

    async def settle(self, tx: Connection, plane: str) -> None:
        """At a start: the first policy of an installation is in force at once; another than that waits for two persons.

        Until then new warnings are walked by what is in force, and the alarm stands. What this Tocsin cannot read any more
        is not waited for: the file's is used, and the alarm says so.
        """
        await self.keep_policy(tx)
        key = await tx.scalar(sa.select(policy_in_force.c.policy).where(policy_in_force.c.plane == plane))
        if key is None or key == self.current_key:
            await self.take_force(tx, plane, self.current_key)
            return
        name = self.current.name[:200]
        new = {"policy": self.current_key, "name": name, "since": wall(), "agreed": []}
        await insert_new(tx, tables.policy_proposed, [new])
        try:
            self._hold(key, await self.policy(tx, key))
        except Refused as problem:
            said = (
                f"the policy in force cannot be read by this Tocsin ({problem.message}): the file's is used. Look at it, and let "
                "two persons say yes (tocsin policy agree)"
            )
            await alarms.sound(tx, POLICY_ALARM, said)
            return
        said = f"a policy ({name}) waits for two persons and is not in force: look at it, then tocsin policy agree"
        await alarms.sound(tx, POLICY_ALARM, said)

    async def take_force(self, tx: Connection, plane: str, key: str) -> None:
        """From now on new warnings of the plane are walked by that policy, in every router within seconds."""
        row = {"plane": plane, "policy": key}
        await upsert(tx, policy_in_force, [row], ["plane"], replace=["policy"])
        await tx.execute(sa.delete(tables.policy_proposed))
        await alarms.over(tx, POLICY_ALARM)

    async def refresh(self, db: Connection, plane: str) -> None:
        """Takes up what another process was told is in force."""
        key = await db.scalar(sa.select(policy_in_force.c.policy).where(policy_in_force.c.plane == plane))
        if key is not None and key != self.current_key:
            self._hold(key, await self.policy(db, key))

    def _hold(self, key: str, policy: Policy) -> None:
        self.current, self.current_key = policy, key

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
        return WarningContext(issued, policy, drivers, channels, row.doors, teams, row.state, row.taken_up_at)
