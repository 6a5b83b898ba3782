"""The acts of an authority on a warning: take it in, decide its tier, release, cancel. Each is one transaction.

States: draft (looked at, not sent), held (a person must decide the tier), active, stored (never sent: for another
purpose, expired on arrival, or cancelled before it came), parked (a cancel whose warning is not known yet), cancelled,
superseded, withdrawn (a draft given up).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import shapely
import sqlalchemy as sa

from services.gateway import store
from services.gateway.documents import cap_document, ending_document
from services.gateway.incoming import PLANES, Incoming, warning_id_of
from services.gateway.parts import parts_of
from services.shared import audit
from services.shared.auth import Who
from services.shared.clock import iso
from services.shared.db import Connection, insert_new, upsert
from services.shared.errors import Conflict, NotAllowed, NotFound, Refused
from services.shared.faults import fault_at
from services.shared.ledger import warning_state, warning_text
from services.shared.messages import WarningIssued
from services.shared.outbox import id_of, new_id, say
from services.shared.service import Platform
from services.shared.tier import Tier

ENDING_KINDS = ("danger_lower_stay_away", "may_return", "sent_by_mistake", "checking", "not_ours")
ENDS = ("danger_lower_stay_away", "may_return", "sent_by_mistake", "not_ours")  # `checking` leaves the warning running


@dataclass(frozen=True)
class Taken:
    """What became of a message: its id, its state, and sentences on what was noted."""

    warning_id: str
    state: str
    tier: Tier | None
    notes: tuple[str, ...] = ()
    again: bool = False


class Warnings:
    """The gateway's acts."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def take(
        self, who: Who, incoming: Incoming, *, release: bool, idempotency_key: str = "", doors: str = ""
    ) -> Taken:
        """Stores a message and, where `release` and the tier is known, sends it; on disk when this returns."""
        self._check_plane(incoming)
        who.must("send" if release else "draft", incoming.tier)
        self._check_area(who, incoming)
        async with self._platform.database.write() as tx:
            again = await self._seen(tx, who, incoming, idempotency_key)
            if again is not None:
                return again
            taken = await self._store(tx, who, incoming, release=release, doors=doors)
            if idempotency_key:
                await tx.execute(
                    sa.insert(store.idempotency).values(
                        key_id=who.key_id, idempotency_key=idempotency_key, sha256=incoming.sha256,
                        warning_id=taken.warning_id, status=202, at=self._platform.clock.now(),
                    )
                )  # fmt: skip
        fault_at("after_ingest_commit")
        self._wake()
        return taken

    def _check_plane(self, incoming: Incoming) -> None:
        plane = self._platform.settings.plane
        wanted = PLANES.get(incoming.status)
        if wanted is None:
            raise Refused(
                f"status {incoming.status} is never sent to people: only Actual is, and Exercise or Test in a drill",
                field="status", rule="cap.7", given=incoming.status,
            )  # fmt: skip
        if wanted != plane:
            raise Refused(
                f"status {incoming.status} belongs to the {wanted} plane and this is the {plane} one: send it there",
                field="status", rule="plane", given=incoming.status, remedy=f"use the server with TOCSIN_PLANE={wanted}",
            )  # fmt: skip

    @staticmethod
    def _check_area(who: Who, incoming: Incoming) -> None:
        if who.area and incoming.area and incoming.msg_type != "Cancel":
            allowed, wanted = shapely.from_geojson(who.area), shapely.from_geojson(incoming.area)
            if not allowed.buffer(1e-9).covers(wanted):
                raise NotAllowed(
                    f"the area reaches beyond the jurisdiction of {who.authority}: draw it inside, or ask the "
                    "neighbouring authority",
                    field="area", rule="grant.area",
                )  # fmt: skip
        elif who.area and not incoming.area and incoming.msg_type != "Cancel":
            raise NotAllowed(
                "this key is bound to an area and the warning gives only codes", field="area", rule="grant.area"
            )

    async def _seen(self, tx: Connection, who: Who, incoming: Incoming, key: str) -> Taken | None:
        """The earlier answer to the same request; Conflict where the same name carries other content."""
        if key:
            row = (
                await tx.execute(
                    sa.select(store.idempotency).where(
                        store.idempotency.c.key_id == who.key_id, store.idempotency.c.idempotency_key == key
                    )
                )
            ).first()
            if row is not None:
                if row.sha256 != incoming.sha256:
                    raise Conflict(
                        "this Idempotency-Key was used for another warning: take a new one",
                        field="Idempotency-Key", rule="same key, same body", given=key,
                    )  # fmt: skip
                return await self._as_it_is(tx, row.warning_id)
        known = (
            await tx.execute(sa.select(store.message.c.sha256).where(store.message.c.warning_id == incoming.warning_id))
        ).first()
        if known is None:
            return None
        if known.sha256 != incoming.sha256:
            raise Conflict(
                f"{incoming.identifier} of {incoming.sender} sent {iso(incoming.sent)} is here with other content: an "
                "update needs its own identifier or sent",
                field="identifier", rule="cap.5", given=incoming.identifier,
            )  # fmt: skip
        return await self._as_it_is(tx, incoming.warning_id)

    @staticmethod
    async def _as_it_is(tx: Connection, warning_id: str) -> Taken:
        state = (await tx.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).one()
        return Taken(warning_id, state.state, Tier(state.tier) if state.tier else None, again=True)

    async def _store(self, tx: Connection, who: Who, incoming: Incoming, *, release: bool, doors: str) -> Taken:
        now = self._platform.clock.now()
        notes = list(incoming.notes)
        replaces = await self._referenced(tx, incoming)
        state, ending, tier = await self._first_state(tx, incoming, replaces, notes, now, release)
        kind = "ending" if ending else "update" if incoming.msg_type == "Update" and replaces else "alert"
        if ending and replaces:
            tier = await self._tier_of(tx, replaces)
            who.must("cancel" if release else "draft", tier)
        chain_id = await self._chain(tx, replaces) or incoming.warning_id
        await tx.execute(
            sa.insert(store.message).values(
                warning_id=incoming.warning_id, identifier=incoming.identifier, sender=incoming.sender,
                sent=incoming.sent, msg_type=incoming.msg_type, status=incoming.status, sha256=incoming.sha256,
                raw=incoming.raw, via=incoming.via, by=who.label, received_at=now, texts=incoming.texts,
                area=incoming.area, geocodes=[list(g) for g in incoming.geocodes], replaces=replaces,
                sense={
                    "hazard": incoming.hazard, "respond": incoming.respond, "tier_reason": incoming.tier_reason,
                    "impact": incoming.impact, "notes": notes, "findings": list(incoming.findings),
                    "references": [[r.sender, r.identifier, r.sent.timestamp() if r.sent else None]
                                   for r in incoming.references],
                },
            )
        )  # fmt: skip
        await tx.execute(
            sa.insert(warning_state).values(
                warning_id=incoming.warning_id, chain_id=chain_id, tier=int(tier or 0), state="held" if state == "active"
                else state, kind=kind, purpose="live", ending=ending, sent=incoming.sent, expires_at=incoming.expires,
                authority=who.authority, number=await self._number(tx, incoming.warning_id),
                doors={"safe": "allowed", "unsafe": "unsafe"}.get(doors, "ask"),
            )
        )  # fmt: skip
        await audit.record(tx, who.label, "take", incoming.warning_id, incoming.tier_reason, {"state": state})
        if state == "parked":
            tombs = [
                {"warning_id": warning_id_of(r.sender, r.identifier, r.sent.timestamp()), "by_id": incoming.warning_id}
                for r in incoming.references
                if r.sent is not None
            ]
            await insert_new(tx, store.tombstone, tombs)
        if state == "active":
            if tier is None:
                raise Conflict("the tier is not decided yet", field="tier")
            await self._release(tx, who, incoming.warning_id, tier)
        elif state in ("draft", "held"):
            await self._preview(tx, incoming.warning_id)
        return Taken(incoming.warning_id, state, tier, tuple(notes))

    async def _first_state(
        self, tx: Connection, incoming: Incoming, replaces: Sequence[str], notes: list[str], now: float, release: bool
    ) -> tuple[str, str, Tier | None]:
        """(state, ending kind, tier) of a message that has just come."""
        tier = incoming.tier
        tomb = await tx.scalar(
            sa.select(store.tombstone.c.by_id).where(store.tombstone.c.warning_id == incoming.warning_id)
        )
        if tomb is not None:
            notes.append("it was cancelled before it came: stored, not sent")
            return "stored", "", tier
        if incoming.msg_type in ("Ack", "Error"):
            notes.append(f"{incoming.msg_type} is between systems: stored, not sent")
            return "stored", "", tier
        if incoming.msg_type == "Cancel" or incoming.ending:
            if replaces:
                return ("active" if release else "draft"), "danger_lower_stay_away", tier
            if incoming.msg_type == "Cancel":
                notes.append(
                    "the warning it cancels is not known here: parked; if that warning comes later it is not sent"
                )
                return "parked", "danger_lower_stay_away", tier
            notes.append("an all-clear for nothing we know: stored, not sent")
            return "stored", "danger_lower_stay_away", tier
        if incoming.msg_type == "Update" and not replaces:
            notes.append("the warning it updates is not known here: sent as a new one")
        if incoming.expires <= now:
            notes.append("it had expired when it came: stored, not sent")
            return "stored", "", tier
        if incoming.quiet:
            notes.append("its level says there is nothing to warn of: stored, not sent")
            return "stored", "", tier
        if tier is None:
            return "held", "", None
        return ("active" if release else "draft"), "", tier

    async def _referenced(self, tx: Connection, incoming: Incoming) -> list[str]:
        """Known warnings it refers to, by (sender, identifier), the instant deciding between several; never itself."""
        found: list[str] = []
        for reference in incoming.references:
            rows = [
                r for r in await store.by_identifier(tx, reference.identifier) if r.warning_id != incoming.warning_id
            ]
            same_sender = [r for r in rows if r.sender == reference.sender] or list(rows)
            exact = [r for r in same_sender if reference.sent is not None and r.sent == reference.sent.timestamp()]
            earlier = [r for r in same_sender if r.sent <= incoming.sent]
            for row in exact or earlier[:1]:
                if row.warning_id not in found:
                    found.append(row.warning_id)
        if incoming.msg_type == "Update":  # the same identifier with another sent is an update of itself
            for row in await store.by_identifier(tx, incoming.identifier):
                if row.sender == incoming.sender and row.sent < incoming.sent and row.warning_id not in found:
                    found.append(row.warning_id)
        if not found:
            return []
        live = await tx.scalars(
            sa.select(warning_state.c.warning_id).where(
                warning_state.c.warning_id.in_(found), warning_state.c.state.in_(("active", "held", "draft"))
            )
        )
        alive = set(live.all())
        return [warning_id for warning_id in found if warning_id in alive]

    @staticmethod
    async def _chain(tx: Connection, replaces: Sequence[str]) -> str | None:
        if not replaces:
            return None
        found: str | None = await tx.scalar(
            sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == replaces[0])
        )
        return found

    @staticmethod
    async def _tier_of(tx: Connection, warning_ids: Sequence[str]) -> Tier:
        """An ending goes out at the tier of what it ends."""
        found = await tx.scalar(
            sa.select(sa.func.max(warning_state.c.tier)).where(warning_state.c.warning_id.in_(warning_ids))
        )
        return Tier(found or Tier.BLUE)

    @staticmethod
    async def _number(tx: Connection, warning_id: str) -> str:
        """Four digits people read out; the next free one where it is taken by a live warning."""
        number = int(warning_id[:8], 16) % 9000
        while await tx.scalar(
            sa.select(sa.func.count()).where(
                warning_state.c.number == str(number + 1000), warning_state.c.state.in_(("active", "held", "draft"))
            )
        ):
            number = (number + 1) % 9000
        return str(number + 1000)

    async def preview(self, warning_id: str) -> None:
        """Asks the registry whom it would reach, afresh."""
        async with self._platform.database.write() as tx:
            await self._preview(tx, warning_id)
        self._wake()

    async def _preview(self, tx: Connection, warning_id: str) -> None:
        row = await store.row_of(tx, warning_id)
        tier = Tier(row.state_tier) if row.state_tier else None
        parts = parts_of(row, tier, self._platform.settings.offset_at(row.sent), row.state_authority)
        texts = [{"warning_id": warning_id, "parts": parts, "cap_xml": b""}]
        await upsert(tx, warning_text, texts, ["warning_id"], replace=["parts", "cap_xml"])
        await say(tx, [self._issued(row, tier, "preview", ())])

    def _issued(self, row: Any, tier: Tier | None, purpose: str, replaces: Sequence[str]) -> WarningIssued:
        now = self._platform.clock.now()
        msg_id = new_id() if purpose == "preview" else id_of("issued", row.warning_id)
        return WarningIssued(
            msg_id=msg_id, plane=self._platform.settings.plane, warning_id=row.warning_id, tier=int(tier or 0),
            kind=row.state_kind, purpose=purpose, chain_id=row.state_chain_id, hazard=row.sense["hazard"],
            respond=row.sense["respond"], sent=row.sent, expires=row.state_expires_at, impact=row.sense["impact"],
            area=row.area, geocodes=tuple((a, b) for a, b in row.geocodes), replaces=tuple(replaces),
            ending=row.state_ending, utc_offset_min=self._platform.settings.offset_at(row.sent), released=now,
        )  # fmt: skip

    async def release(self, who: Who, warning_id: str, tier: Tier | None, doors: str = "", reason: str = "") -> Taken:
        """Sends a draft or a held warning at a decided tier."""
        async with self._platform.database.write() as tx:
            row = await store.row_of(tx, warning_id)
            if row is None:
                raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
            if row.state_state == "active":
                return await self._as_it_is(tx, warning_id)
            if row.state_state not in ("draft", "held"):
                raise Conflict(
                    f"this warning is {row.state_state} and is not sent any more: take a new one in",
                    field="warning_id", rule="state", given=row.state_state,
                )  # fmt: skip
            decided = tier or (Tier(row.state_tier) if row.state_tier else None)
            if decided is None:
                raise Refused(
                    f"the tier is not decided ({row.sense['tier_reason']}): choose blue, yellow, orange or red",
                    field="tier", rule="required",
                )  # fmt: skip
            who.must("send", decided)
            if row.state_expires_at <= self._platform.clock.now():
                raise Conflict("this warning has expired: take a new one in", field="expires", rule="expired")
            if doors:
                await tx.execute(
                    sa.update(warning_state)
                    .where(warning_state.c.warning_id == warning_id)
                    .values(doors="allowed" if doors == "safe" else "unsafe", doors_by=who.label)
                )
            if tier is not None:
                await audit.record(
                    tx, who.label, "decide_tier", warning_id, reason or row.sense["tier_reason"], {"tier": tier.word}
                )
            await self._release(tx, who, warning_id, decided)
        fault_at("after_ingest_commit")
        self._wake()
        return Taken(warning_id, "active", decided)

    async def _release(self, tx: Connection, who: Who, warning_id: str, tier: Tier) -> None:
        """In the caller's transaction: state active, texts for the roads, what it replaces stopped, WarningIssued."""
        now = self._platform.clock.now()
        row = await store.row_of(tx, warning_id)
        offset = self._platform.settings.offset_at(row.sent)
        authority = self._platform.settings.authority or row.state_authority
        parts = parts_of(row, tier, offset, authority)
        document = cap_document(row, tier, parts) if not row.state_ending else ending_document(row, tier, parts)
        texts = [{"warning_id": warning_id, "parts": parts, "cap_xml": document}]
        await upsert(tx, warning_text, texts, ["warning_id"], replace=["parts", "cap_xml"])
        await tx.execute(
            sa.update(warning_state)
            .where(warning_state.c.warning_id == warning_id)
            .values(state="active", tier=int(tier), released_at=now)
        )
        ends = row.state_kind == "update" or row.state_ending in ENDS
        replaced = list(row.replaces)
        if replaced and ends:
            await tx.execute(
                sa.update(warning_state)
                .where(warning_state.c.warning_id.in_(replaced), warning_state.c.state == "active")
                .values(state="superseded" if row.state_kind == "update" else "cancelled", ended_at=now)
            )
            await tx.execute(
                sa.update(warning_state)
                .where(warning_state.c.warning_id.in_(replaced), warning_state.c.state.in_(("draft", "held")))
                .values(state="withdrawn", ended_at=now)
            )
        await say(tx, [self._issued(row, tier, "live", replaced)])
        await audit.record(tx, who.label, "release", warning_id, row.sense["tier_reason"], {"tier": tier.word})

    async def cancel(self, who: Who, warning_id: str, kind: str, reason: str) -> Taken:
        """Stops what was not sent and tells everybody who may have got it; `checking` tells and does not stop."""
        if kind not in ENDING_KINDS:
            raise Refused(
                f"ending: use one of {', '.join(ENDING_KINDS)}", field="ending", rule="closed_list", given=kind
            )
        async with self._platform.database.write() as tx:
            row = await store.row_of(tx, warning_id)
            if row is None:
                raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
            tier = Tier(row.state_tier) if row.state_tier else Tier.BLUE
            who.must("cancel", tier if row.state_tier else None)
            ending_id = id_of("ending", warning_id, kind)
            if row.state_state in ("draft", "held"):
                await tx.execute(
                    sa.update(warning_state)
                    .where(warning_state.c.warning_id == warning_id)
                    .values(state="withdrawn", ended_at=self._platform.clock.now())
                )
                await audit.record(tx, who.label, "withdraw", warning_id, reason)
                return Taken(warning_id, "withdrawn", None)
            there = await store.row_of(tx, ending_id)
            if there is not None:
                return await self._as_it_is(tx, ending_id)
            if row.state_state != "active" or row.state_kind == "ending":
                raise Conflict(
                    f"this warning is {row.state_state}: only an active one can be ended", field="warning_id", rule="state",
                    given=row.state_state,
                )  # fmt: skip
            await self._store_ending(tx, who, row, ending_id, kind, tier, reason)
            await self._release(tx, who, ending_id, tier)
        fault_at("after_cancel_commit")
        self._wake()
        return Taken(ending_id, "active", tier)

    async def _store_ending(
        self, tx: Connection, who: Who, row: Any, ending_id: str, kind: str, tier: Tier, reason: str
    ) -> None:
        now = self._platform.clock.now()
        await tx.execute(
            sa.insert(store.message).values(
                warning_id=ending_id, identifier=f"tocsin-{ending_id}", sender=row.sender, sent=now,
                msg_type="Update" if kind == "checking" else "Cancel", status=row.status, sha256=ending_id.ljust(64, "0"),
                raw=b"", via="ending", by=who.label, received_at=now, texts=row.texts, area=row.area,
                geocodes=row.geocodes, replaces=[row.warning_id],
                sense={**row.sense, "tier_reason": f"ends {row.warning_id[:8]}: {reason}", "notes": [], "findings": [],
                       "references": [[row.sender, row.identifier, row.sent]]},
            )
        )  # fmt: skip
        await tx.execute(
            sa.insert(warning_state).values(
                warning_id=ending_id, chain_id=row.state_chain_id, tier=int(tier), state="held", kind="ending",
                purpose="live", ending=kind, sent=now, expires_at=max(row.state_expires_at, now + 86400),
                authority=row.state_authority, number=row.state_number, doors="allowed",
            )
        )  # fmt: skip
        await audit.record(tx, who.label, "cancel", row.warning_id, reason, {"ending": kind})

    def _wake(self) -> None:
        self._platform.bus.wake()
        for name in ("registry", "router", "channels"):
            self._platform.wake(name)
