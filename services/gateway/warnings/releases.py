"""Releases a warning: its state, texts and CAP document; stops what it replaces; publishes WarningIssued.

All of it is in the caller's transaction, under the lock of acts.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.gateway import store
from services.gateway.approvals.paging import settled
from services.gateway.intake.chains import standing_of_row
from services.gateway.publish.parts import parts_of
from services.gateway.publish.publishing import Publisher
from services.gateway.store import StoredWarning
from services.gateway.webhooks.telling import note_event
from services.shared.audit import trail
from services.shared.bus.outbox import id_of, new_id, publish
from services.shared.database import locks
from services.shared.database.batches import upsert
from services.shared.database.engine import Connection
from services.shared.endings import GOES_ON, PART_RETURNS
from services.shared.ledger.warnings import warning_state, warning_text
from services.shared.messages import WarningIssued
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier

_LOOK = 40 * 86400.0  # seconds: as far as a change of the clocks is looked for


class Releases:
    """What is written when a message is described, asked about or sent."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._publisher = Publisher(platform.settings, platform.public_url)

    async def release(self, tx: Connection, who: Who, warning_id: str, tier: Tier) -> str:
        """State active, texts for the channels, our own document, what it replaces stopped, WarningIssued.

        An ending of what never went out tells nobody: the drafts are withdrawn and it is stored. Returns the state.
        """
        now = self._platform.clock.now()
        row = await store.stored(tx, warning_id)
        if row.via != "ending":  # others of its chain may have come since it did
            alive = (await standing_of_row(tx, row)).alive
            row = await self._joined(tx, await self._follow(tx, row, alive))
        published = await store.published(tx, row.replaces)
        if row.state_ending and not published:
            await self._withdraw(tx, row.replaces, now)
            await self._withdraw(tx, [warning_id], now, "stored")
            await trail.record(tx, who.label, "release", warning_id, "nothing it ends went out", {"state": "stored"})
            return "stored"
        settings = self._platform.settings
        authority = settings.authority or row.state_authority
        parts = parts_of(row, tier, settings.offset_at, authority, settings.languages_at(row.geocodes))
        document = self._publisher.document(row, tier, parts, published, now)
        texts = [{"warning_id": warning_id, "parts": parts, "cap_xml": document}]
        await upsert(tx, warning_text, texts, ["warning_id"], replace=["parts", "cap_xml"])
        await tx.execute(
            sa.update(warning_state)
            .where(warning_state.c.warning_id == warning_id)
            .values(state="active", tier=int(tier), released_at=now)
        )
        ends = row.state_kind == "update" or (row.state_ending != "" and row.state_ending not in GOES_ON)
        replaced = list(row.replaces)
        if replaced and ends:
            await self.supersede(tx, replaced, row.state_kind)
            await self._drop_parts(tx, row, now)
        await publish(tx, [self.issued(row, tier, "live", replaced)])
        if row.status == "Actual" or settings.plane == "drill":
            await note_event(tx, row, tier, now, settings.plane, self._platform.public_url)
        await trail.record(tx, who.label, "release", warning_id, row.sense["tier_reason"][:400], {"tier": tier.word})
        return "active"

    @staticmethod
    async def _follow(tx: Connection, row: StoredWarning, alive: Sequence[str]) -> StoredWarning:
        """The row with what it replaces as it stands now; an alert that turns out to follow others is an update."""
        if set(alive) <= set(row.replaces):
            return row
        replaces = [*row.replaces, *(one for one in alive if one not in row.replaces)]
        kind = "update" if row.state_kind == "alert" else row.state_kind
        about = row.warning_id
        await tx.execute(sa.update(store.message).where(store.message.c.warning_id == about).values(replaces=replaces))
        await tx.execute(sa.update(warning_state).where(warning_state.c.warning_id == about).values(kind=kind))
        return await store.stored(tx, about)

    @staticmethod
    async def _joined(tx: Connection, row: StoredWarning) -> StoredWarning:
        """The row in the chain of what it replaces. Another authority's it joins here, once somebody let it out who may
        end that."""
        chain = warning_state.c.chain_id
        theirs = (
            sa.select(chain).where(warning_state.c.warning_id.in_(row.replaces)).order_by(warning_state.c.sent.desc())
        )
        there = await tx.scalar(theirs.limit(1))
        if there is None or there == row.state_chain_id:
            return row
        about = row.warning_id
        await tx.execute(sa.update(warning_state).where(warning_state.c.warning_id == about).values(chain_id=there))
        return await store.stored(tx, about)

    @staticmethod
    async def _withdraw(tx: Connection, warning_ids: Sequence[str], now: float, state: str = "withdrawn") -> None:
        """Drafts and held ones among them are given up."""
        await tx.execute(
            sa.update(warning_state)
            .where(warning_state.c.warning_id.in_(warning_ids), warning_state.c.state.in_(("draft", "held")))
            .values(state=state, ended_at=now)
        )

    async def supersede(self, tx: Connection, warning_ids: Sequence[str], kind: str) -> None:
        """Active ones among them end, drafts and held ones are given up."""
        # sends whose intent is being written are waited for; whoever comes later sees that it is over
        await locks.intents(tx, warning_ids)
        now = self._platform.clock.now()
        await tx.execute(
            sa.update(warning_state)
            .where(warning_state.c.warning_id.in_(warning_ids), warning_state.c.state == "active")
            .values(state="superseded" if kind == "update" else "cancelled", ended_at=now)
        )
        await self._withdraw(tx, warning_ids, now)

    async def _drop_parts(self, tx: Connection, row: StoredWarning, now: float) -> None:
        """Gives up what waits for its second person to let a part return: of what goes on no more there is no part."""
        state = warning_state.c
        waits = (state.chain_id == row.state_chain_id, state.state == "held", state.ending == PART_RETURNS)
        about = sa.select(state.warning_id, store.message.c.replaces).join(
            store.message, store.message.c.warning_id == state.warning_id
        )
        held = await tx.execute(about.where(*waits))
        over = [one.warning_id for one in held if set(one.replaces) <= set(row.replaces)]
        await self._withdraw(tx, over, now)
        for one in over:
            await settled(tx, one)

    async def describe(self, tx: Connection, warning_id: str) -> StoredWarning:
        """Writes what the pages say of a message as long as it is not sent; its row."""
        row, settings = await store.stored(tx, warning_id), self._platform.settings
        tier = Tier(row.state_tier) if row.state_tier else None
        parts = parts_of(row, tier, settings.offset_at, row.state_authority, settings.languages_at(row.geocodes))
        await tx.execute(sa.insert(warning_text).values(warning_id=warning_id, parts=parts, cap_xml=b""))
        return row

    async def ask(self, tx: Connection, row: StoredWarning) -> None:
        """Asks whom a draft or held warning would reach; of any other message nothing."""
        if row.state_state in ("draft", "held"):
            tier = Tier(row.state_tier) if row.state_tier else None
            await publish(tx, [self.issued(row, tier, "preview", ())])

    def issued(self, row: StoredWarning, tier: Tier | None, purpose: str, replaces: Sequence[str]) -> WarningIssued:
        """The message about a stored row; `purpose` is live or preview, `replaces` are warning ids it speaks about."""
        now = self._platform.clock.now()
        msg_id = new_id() if purpose == "preview" else id_of("issued", row.warning_id)
        return WarningIssued(
            msg_id=msg_id, plane=self._platform.settings.plane, warning_id=row.warning_id, tier=int(tier or 0),
            kind=row.state_kind, purpose=purpose, chain_id=row.state_chain_id, hazard=row.sense["hazard"],
            respond=row.sense["respond"], sent=row.sent, expires=row.state_expires_at, impact=row.sense["impact"],
            area=row.area, geocodes=tuple((a, b) for a, b in row.geocodes), replaces=tuple(replaces),
            ending=row.state_ending, utc_offset_min=self._platform.settings.offset_at(row.sent), released=now,
            offset_changes=self._platform.settings.offset_changes(row.sent, min(row.state_expires_at, row.sent + _LOOK) + _LOOK),
        )  # fmt: skip
