"""The acts of an authority on a warning: take it in, decide its tier, release, cancel. Each is one transaction.

States: draft (looked at, not sent), held (a person must decide), active, stored (never sent: for another purpose,
expired on arrival, or settled by a later message before it came), parked (a cancel whose warning is not known yet), cancelled,
superseded, withdrawn (a draft given up, by a person or by the clock). What is shown besides: expired, of an active one whose
time is over (`ledger.state_at`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from services.gateway import store
from services.gateway.cap import Reference
from services.gateway.intake import quarantine
from services.gateway.intake.arrival import check_grant, check_plane, first_state, hold_stale
from services.gateway.intake.chains import Standing, known_of, remember_references, standing
from services.gateway.intake.incoming import Incoming
from services.gateway.intake.trust import Pins, judge
from services.gateway.warnings.releases import Releases
from services.gateway.warnings.short_numbers import free_number
from services.shared.audit import trail
from services.shared.bus.outbox import id_of, new_id, publish
from services.shared.clock import iso, wall
from services.shared.database.engine import Connection, hold
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.fault_points import fault_at
from services.shared.ledger.ledger import ONE_ACT, state_at, warning_state
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.auth import Who

ENDING_KINDS = ("danger_lower_stay_away", "may_return", "sent_by_mistake", "checking", "not_ours")


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

    def __init__(self, platform: Platform, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called after each act, once it is on disk."""
        self._platform = platform
        self._changed = changed
        self._pins = Pins(platform.settings.cap_keys)
        self._releases = Releases(platform)

    async def take(
        self,
        who: Who,
        incoming: Incoming,
        *,
        release: bool,
        idempotency_key: str = "",
        doors: str = "",
        pins: tuple[bytes, ...] = (),
    ) -> Taken:
        """Stores a message and, where `release`, the tier is known and nothing speaks against it, sends it.

        On disk when this returns. `pins`: certificates its source is pinned to, besides its sender's own.
        """
        check_plane(incoming, self._platform.settings.plane)
        who.must("send" if release else "draft", incoming.tier)
        check_grant(who, incoming)
        incoming = judge(incoming, (*self._pins.of(incoming.sender), *pins))
        if release:
            incoming = hold_stale(incoming, self._platform.clock.now())
        try:
            taken = await self._take(who, incoming, release=release, idempotency_key=idempotency_key, doors=doors)
        except Conflict as conflict:
            if conflict.rule == "cap.5":
                async with self._platform.database.write() as tx:
                    await quarantine.keep(tx, incoming.raw, conflict.message, who.label, wall())
                    await trail.record(tx, who.label, "quarantine", incoming.warning_id, conflict.message[:400])
            raise
        fault_at("after_ingest_commit")
        self._wake()
        return taken

    async def _take(self, who: Who, incoming: Incoming, *, release: bool, idempotency_key: str, doors: str) -> Taken:
        async with self._platform.database.write() as tx:
            await hold(tx, ONE_ACT)
            again = await self._answered(tx, who, incoming, idempotency_key)
            if again is not None:
                return again
            where = await standing(tx, known_of(incoming), who.authority, ends=incoming.ending)
            if where.placement.kind == "duplicate":
                row = await store.row_of(tx, where.same)
                if release and not incoming.hold and row.state_state == "draft":
                    return dataclasses.replace(await self._send(tx, who, row, None, doors), again=True)
                return await self._as_it_is(tx, where.same)
            if where.placement.kind == "reused":
                raise Conflict(
                    f"{incoming.identifier} of {incoming.sender} sent {iso(incoming.sent)} is here with other content: "
                    "an update needs its own identifier or sent; this one is kept for a person to look at",
                    field="identifier", rule="cap.5", given=incoming.identifier,
                )  # fmt: skip
            taken = await self._store(tx, who, incoming, where, release=release, doors=doors)
            if idempotency_key:
                await tx.execute(
                    sa.insert(store.idempotency).values(
                        key_id=who.key_id, idempotency_key=idempotency_key, sha256=incoming.sha256,
                        warning_id=taken.warning_id, status=202, at=self._platform.clock.now(),
                    )
                )  # fmt: skip
        return taken

    async def _answered(self, tx: Connection, who: Who, incoming: Incoming, key: str) -> Taken | None:
        """The earlier answer to the same Idempotency-Key; Conflict where that came with another body."""
        if not key:
            return None
        row = (
            await tx.execute(
                sa.select(store.idempotency).where(
                    store.idempotency.c.key_id == who.key_id, store.idempotency.c.idempotency_key == key
                )
            )
        ).first()
        if row is None:
            return None
        if row.sha256 != incoming.sha256:
            raise Conflict(
                "this Idempotency-Key was used for another warning: take a new one",
                field="Idempotency-Key", rule="same key, same body", given=key,
            )  # fmt: skip
        return await self._as_it_is(tx, row.warning_id)

    async def _as_it_is(self, tx: Connection, warning_id: str) -> Taken:
        state = (await tx.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).one()
        said = state_at(state.state, state.expires_at, self._platform.clock.now())
        return Taken(warning_id, said, Tier(state.tier) if state.tier else None, again=True)

    async def _store(
        self, tx: Connection, who: Who, incoming: Incoming, where: Standing, *, release: bool, doors: str
    ) -> Taken:
        now = self._platform.clock.now()
        first = first_state(incoming, where, now, release=release)
        notes, state, ending, tier = [*incoming.notes, *first.notes], first.state, first.ending, incoming.tier
        replaces = list(where.alive)
        kind = "ending" if ending else "update" if replaces else "alert"
        if ending and replaces:
            tier = await self._tier_of(tx, replaces)
            who.must("cancel" if release else "draft", tier)
        chain_id = where.chain_id or incoming.warning_id
        if where.apart:
            joined = warning_state.c.warning_id.in_(where.apart)
            await tx.execute(sa.update(warning_state).where(joined).values(chain_id=chain_id))
        await tx.execute(
            sa.insert(store.message).values(
                warning_id=incoming.warning_id, identifier=incoming.identifier, sender=incoming.sender,
                sent=incoming.sent, msg_type=incoming.msg_type, status=incoming.status, sha256=incoming.sha256,
                fingerprint=incoming.fingerprint, incident=incoming.incident[:400], raw=incoming.raw,
                via=incoming.via, by=who.label, received_at=now, texts=incoming.texts,
                area=incoming.area, geocodes=[list(g) for g in incoming.geocodes], replaces=replaces,
                sense=incoming.sense | {"notes": notes},
            )
        )  # fmt: skip
        await tx.execute(
            sa.insert(warning_state).values(
                warning_id=incoming.warning_id, chain_id=chain_id, tier=int(tier or 0), state="held" if state == "active"
                else state, kind=kind, purpose="live", ending=ending, sent=incoming.sent, expires_at=incoming.expires,
                authority=who.authority, number=await free_number(tx, incoming.warning_id, now),
                doors={"safe": "allowed", "unsafe": "unsafe"}.get(doors, "ask"),
            )
        )  # fmt: skip
        await remember_references(tx, incoming.warning_id, incoming.references)
        await trail.record(tx, who.label, "take", incoming.warning_id, incoming.tier_reason[:400], {"state": state})
        row = await self._releases.describe(tx, incoming.warning_id)
        if state == "active":
            if tier is None:
                raise Conflict("the tier is not decided yet", field="tier")
            state = await self._releases.release(tx, who, incoming.warning_id, tier)
        else:
            await self._releases.ask(tx, row)
        if where.settled_by and where.alive and not where.foreign:
            notes += await self._learned(tx, who, where)
        return Taken(incoming.warning_id, state, tier, tuple(notes))

    async def _learned(self, tx: Connection, who: Who, where: Standing) -> list[str]:
        """A late message has shown that what settled it settles older ones too, which were still going on."""
        by = await store.row_of(tx, where.settled_by)
        older = list(where.alive)
        if by.state_state == "parked" and "cancel" in who.actions:
            await tx.execute(
                sa.update(warning_state).where(warning_state.c.warning_id == by.warning_id).values(state="held")
            )
            await self._releases.release(tx, who, by.warning_id, await self._tier_of(tx, older))
            return [f"the cancel {by.identifier} ends what it followed as well"]
        if by.state_state != "active":
            return [
                f"{by.identifier} had settled what it followed as well, which goes on here: look and end it by hand"
            ]
        await self._releases.supersede(tx, older, "update")
        await tx.execute(
            sa.update(store.message)
            .where(store.message.c.warning_id == by.warning_id)
            .values(replaces=[*by.replaces, *older])
        )
        again = self._releases.issued(by, Tier(by.state_tier), "live", older)
        await publish(tx, [msgspec.structs.replace(again, msg_id=new_id())])
        return [f"{by.identifier} takes the place of what it followed as well"]

    @staticmethod
    async def _tier_of(tx: Connection, warning_ids: Sequence[str]) -> Tier:
        """An ending goes out at the tier of what it ends."""
        found = await tx.scalar(
            sa.select(sa.func.max(warning_state.c.tier)).where(warning_state.c.warning_id.in_(warning_ids))
        )
        return Tier(found or Tier.BLUE)

    async def preview(self, warning_id: str) -> None:
        """Asks the registry whom a draft would reach, afresh; nothing of a warning that is no draft any more."""
        async with self._platform.database.write() as tx:
            await hold(tx, ONE_ACT)
            await self._releases.ask(tx, await store.row_of(tx, warning_id))
        self._wake()

    async def release(self, who: Who, warning_id: str, tier: Tier | None, doors: str = "", reason: str = "") -> Taken:
        """Sends a draft or a held warning at a decided tier."""
        async with self._platform.database.write() as tx:
            await hold(tx, ONE_ACT)
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
            taken = await self._send(tx, who, row, tier, doors, reason)
        fault_at("after_ingest_commit")
        self._wake()
        return taken

    async def _send(self, tx: Connection, who: Who, row: Any, tier: Tier | None, doors: str, reason: str = "") -> Taken:
        """A draft or held warning goes out at the tier it has or `tier`."""
        warning_id = row.warning_id
        decided = tier or (Tier(row.state_tier) if row.state_tier else None)
        if decided is None:
            raise Refused(
                f"the tier is not decided ({row.sense['tier_reason']}): choose blue, yellow, orange or red",
                field="tier", rule="required",
            )  # fmt: skip
        who.must("cancel" if row.state_ending else "send", decided)
        if row.state_expires_at <= self._platform.clock.now():
            raise Conflict("this warning has expired: take a new one in", field="expires", rule="expired")
        if doors:
            await tx.execute(
                sa.update(warning_state)
                .where(warning_state.c.warning_id == warning_id)
                .values(doors="allowed" if doors == "safe" else "unsafe", doors_by=who.label)
            )
        if tier is not None:
            await trail.record(
                tx, who.label, "decide_tier", warning_id, reason or row.sense["tier_reason"], {"tier": tier.word}
            )
        return Taken(warning_id, await self._releases.release(tx, who, warning_id, decided), decided)

    async def cancel(self, who: Who, warning_id: str, kind: str, reason: str) -> Taken:
        """Stops what was not sent and tells everybody who may have got it; `checking` tells and does not stop."""
        if kind not in ENDING_KINDS:
            raise Refused(
                f"ending: use one of {', '.join(ENDING_KINDS)}", field="ending", rule="closed_list", given=kind
            )
        async with self._platform.database.write() as tx:
            await hold(tx, ONE_ACT)
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
                await trail.record(tx, who.label, "withdraw", warning_id, reason)
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
            await self._releases.release(tx, who, ending_id, tier)
        fault_at("after_cancel_commit")
        self._wake()
        return Taken(ending_id, "active", tier)

    async def _store_ending(
        self, tx: Connection, who: Who, row: Any, ending_id: str, kind: str, tier: Tier, reason: str
    ) -> None:
        now = self._platform.clock.now()
        sent = max(now, row.sent)  # a sender's clock may be fast: an ending is never older than what it ends
        await tx.execute(
            sa.insert(store.message).values(
                warning_id=ending_id, identifier=f"tocsin-{ending_id}", sender=row.sender, sent=sent,
                msg_type="Update" if kind == "checking" else "Cancel", status=row.status, sha256=ending_id.ljust(64, "0"),
                fingerprint=ending_id, incident="", raw=b"", via="ending", by=who.label,
                received_at=now, texts=row.texts, area=row.area,
                geocodes=row.geocodes, replaces=[row.warning_id],
                sense={**row.sense, "tier_reason": f"ends {row.warning_id[:8]}: {reason}", "notes": [], "findings": [],
                       "references": [[row.sender, row.identifier, row.sent]]},
            )
        )  # fmt: skip
        await tx.execute(
            sa.insert(warning_state).values(
                warning_id=ending_id, chain_id=row.state_chain_id, tier=int(tier), state="held", kind="ending",
                purpose="live", ending=kind, sent=sent, expires_at=max(row.state_expires_at, now + 86400),
                authority=row.state_authority, number=row.state_number, doors="allowed",
            )
        )  # fmt: skip
        ended = Reference(row.sender, row.identifier, datetime.fromtimestamp(row.sent, UTC))
        await remember_references(tx, ending_id, [ended])
        await trail.record(tx, who.label, "cancel", row.warning_id, reason, {"ending": kind})

    def _wake(self) -> None:
        self._changed()
        self._platform.bus.wake()
        for waker in (self._platform.wake.registry, self._platform.wake.router, self._platform.wake.channels):
            waker.set()
