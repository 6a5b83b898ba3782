"""Admits a warning: judges it, places it in its chain, stores it, releases it or asks whom it would reach.

Its states are those of `acts`. Everything about one message is one transaction; it is on disk when `admit` returns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import sqlalchemy as sa

from services.gateway import store
from services.gateway.intake import quarantine
from services.gateway.intake.arrival import check_grant, check_plane, first_state, hold_stale
from services.gateway.intake.chains import UNHEARD, Standing, known_of, remember_references, standing
from services.gateway.intake.incoming import Incoming, without_links
from services.gateway.intake.trust import Pins, judge
from services.gateway.store import StoredWarning
from services.gateway.warnings.acts import Acts, barred_by, say_doors
from services.gateway.warnings.brake import brake
from services.gateway.warnings.pace import too_many
from services.gateway.warnings.short_numbers import free_number
from services.gateway.warnings.taken import Taken, as_it_is
from services.shared.audit import trail
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import iso, wall
from services.shared.database import locks
from services.shared.database.engine import Connection
from services.shared.errors import Conflict
from services.shared.fault_points import fault_at
from services.shared.i18n import english
from services.shared.ledger.warnings import warning_scope, warning_state
from services.shared.powers.ground import ground_of, km2
from services.shared.powers.may import may, must
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier


class Admission:
    """Takes messages in, for whoever sends them: API, console, feeds."""

    def __init__(self, platform: Platform, acts: Acts) -> None:
        self._platform = platform
        self._acts = acts
        self._pins = Pins(platform.settings.cap_keys)
        self._links = platform.settings.links(platform.public_url)

    async def admit(
        self,
        who: Who,
        incoming: Incoming,
        *,
        release: bool,
        idempotency_key: str = "",
        doors: str = "",
        pins: tuple[bytes, ...] = (),
        along: Callable[[Connection, Taken], Awaitable[None]] | None = None,
    ) -> Taken:
        """Stores a message and, where `release`, the tier is known and nothing speaks against it, sends it.

        On disk when this returns. `pins`: certificates its source is pinned to, besides its sender's own. `along` is done in the
        same transaction: where it raises, nothing was taken.
        """
        check_plane(incoming, self._platform.settings.plane)
        must(who, Power.SEND if release else Power.DRAFT)
        incoming = without_links(incoming, self._links)
        incoming = judge(incoming, (*self._pins.of(incoming.sender), *pins))
        if release or incoming.via not in ("console", "feed"):  # there a person has read it before it goes out
            incoming = hold_stale(incoming, self._platform.clock.now())
        try:
            async with self._platform.database.write() as tx:
                await locks.acts(tx)
                taken = await self._place(
                    tx, who, incoming, release=release, idempotency_key=idempotency_key, doors=doors
                )
                if along is not None:
                    await along(tx, taken)
        except Conflict as conflict:
            if conflict.rule == "cap.5":
                async with self._platform.database.write() as tx:
                    await quarantine.keep(tx, incoming.raw, conflict.message, who.label, wall())
                    await trail.record(tx, who.label, "quarantine", incoming.warning_id, conflict.message[:400])
            raise
        fault_at("after_ingest_commit")
        self._acts.done()
        return taken

    async def _place(
        self, tx: Connection, who: Who, incoming: Incoming, *, release: bool, idempotency_key: str, doors: str
    ) -> Taken:
        again = await self._answered(tx, who, incoming, idempotency_key)
        if again is not None:
            return again
        await check_grant(tx, who, Power.SEND if release else Power.DRAFT, incoming, doors)
        size = km2((await ground_of(tx, incoming.area, incoming.geocodes)).shape)
        braked = await brake(tx, who, size, int(incoming.tier or 0))
        incoming = dataclasses.replace(incoming, hold=(*incoming.hold, *braked))
        where = await standing(tx, known_of(incoming), (who.authority, *who.over), ends=incoming.ending)
        if where.placement.kind == "duplicate":
            row = await self._as_ones_own(tx, who, incoming, await store.stored(tx, where.same), release=release)
            highest = await _highest(tx, row.state_tier, row.replaces)
            may_go = row.brought_by != who.actor or highest <= who.alone
            may_go = may_go or await self._acts.preapprovals.fitting(tx, row, row.state_tier) is not None
            if release and not incoming.hold and row.state_state == "draft" and may_go:
                return dataclasses.replace(await self._acts.send(tx, who, row, None, doors), again=True)
            return await as_it_is(tx, where.same, self._platform.clock.now())
        if where.placement.kind == "reused":
            raise Conflict(
                f"{incoming.identifier} of {incoming.sender} sent {iso(incoming.sent)} is here with other content: "
                "an update needs its own identifier or sent; this one is kept for a person to look at",
                field="identifier", rule="cap.5", given=incoming.identifier,
            )  # fmt: skip
        ground = (size, bool(braked))
        taken = await self._store(tx, who, incoming, where, ground, release=release, doors=doors)
        if idempotency_key:
            await tx.execute(
                sa.insert(store.idempotency).values(
                    actor=who.actor, idempotency_key=idempotency_key, sha256=incoming.sha256,
                    warning_id=taken.warning_id, status=202, at=self._platform.clock.now(),
                )
            )  # fmt: skip
        return taken

    @staticmethod
    async def _as_ones_own(
        tx: Connection, who: Who, incoming: Incoming, row: StoredWarning, *, release: bool
    ) -> StoredWarning:
        """What another authority keeps unsent stands in nobody's way: whoever sends the same has it as theirs."""
        if who.speaks_for(row.state_authority) or row.state_released_at is not None or row.state_state not in UNHEARD:
            return row
        if not release:
            raise Conflict(
                f"another authority has {incoming.identifier} of {incoming.sender} here and has not sent it: send it yourself "
                "(POST /api/v1/warnings), or as an alert of your own under another identifier",
                field="identifier", rule="owner", given=incoming.identifier,
            )  # fmt: skip
        about = row.warning_id
        waits = incoming.hold or incoming.undecided or incoming.tier is None
        scope = {"brought_by": who.actor, "holds": list(incoming.hold)}
        state = {"authority": who.authority, "state": "held" if waits else "draft", "ended_at": None, "doors": "ask",
                 "doors_by": ""}  # fmt: skip
        await tx.execute(sa.update(warning_scope).where(warning_scope.c.warning_id == about).values(scope))
        await tx.execute(sa.update(warning_state).where(warning_state.c.warning_id == about).values(state))
        await tx.execute(sa.update(store.message).where(store.message.c.warning_id == about).values(replaces=[]))
        was = {"authority": row.state_authority, "state": row.state_state}
        await trail.record(tx, who.label, "take", about, "the same, which another authority had not sent", was)
        return await store.stored(tx, about)

    async def _answered(self, tx: Connection, who: Who, incoming: Incoming, key: str) -> Taken | None:
        """The earlier answer to the same Idempotency-Key; Conflict where that came with another body."""
        if not key:
            return None
        row = (
            await tx.execute(
                sa.select(store.idempotency).where(
                    store.idempotency.c.actor == who.actor, store.idempotency.c.idempotency_key == key
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
        return await as_it_is(tx, row.warning_id, self._platform.clock.now())

    async def _store(
        self,
        tx: Connection,
        who: Who,
        incoming: Incoming,
        where: Standing,
        ground: tuple[float, bool],
        *,
        release: bool,
        doors: str,
    ) -> Taken:
        now = self._platform.clock.now()
        if release and not where.alive and not incoming.ending:
            why = await too_many(tx, who.authority, incoming.tier, now, self._platform.settings.rate)
            incoming = dataclasses.replace(incoming, hold=(*incoming.hold, why)) if why else incoming
        first = first_state(incoming, where, now, release=release)
        notes, state, ending, tier = [*incoming.notes, *first.notes], first.state, first.ending, incoming.tier
        replaces = list(where.alive)
        kind = "ending" if ending else "update" if replaces else "alert"
        if ending and replaces:
            tier = await _tier_of(tx, replaces)
        if state == "active" and not ending and tier is not None:
            highest = await _highest(tx, tier, replaces)
            if highest > who.alone:
                state = "draft"
                notes.append(
                    english(
                        "{tier} takes two persons: somebody else sends it, with a key of their own",
                        tier=Tier(highest).word,
                    )
                )
        if state == "active":
            await check_grant(tx, who, Power.END if ending else Power.SEND, incoming, ends=replaces)
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
                replaces=replaces, sense=incoming.sense | {"notes": notes},
            )
        )  # fmt: skip
        await tx.execute(
            sa.insert(warning_scope).values(
                warning_id=incoming.warning_id, sender=incoming.sender, events=list(incoming.codes), area=incoming.area,
                geocodes=[list(g) for g in incoming.geocodes], km2=ground[0], braked=ground[1],
                brought_by=who.actor, holds=list(first.holds),
            )
        )  # fmt: skip
        await tx.execute(
            sa.insert(warning_state).values(
                warning_id=incoming.warning_id, chain_id=chain_id, tier=int(tier or 0), state="held" if state == "active"
                else state, kind=kind, purpose="live", ending=ending, sent=incoming.sent, expires_at=incoming.expires,
                authority=who.authority, number=await free_number(tx, incoming.warning_id, now), doors="ask",
            )
        )  # fmt: skip
        if doors:
            await say_doors(tx, who, incoming.warning_id, doors)
        await remember_references(tx, incoming.warning_id, incoming.references)
        await trail.record(tx, who.label, "take", incoming.warning_id, incoming.tier_reason[:400], {"state": state})
        row = await self._acts.releases.describe(tx, incoming.warning_id)
        if state == "active":
            if tier is None:
                raise Conflict("the tier is not decided yet", field="tier")
            notes += await barred_by(tx, row, now)
            state = await self._acts.releases.release(tx, who, incoming.warning_id, tier)
        else:
            if (
                release
                and state == "draft"
                and tier is not None
                and await self._acts.preapprovals.fitting(tx, row, tier)
            ):
                return await self._acts.send(tx, who, row, None, "")
            await self._acts.releases.ask(tx, row)
            if release and state in ("draft", "held"):  # they would have sent it: a second person is asked
                await self._acts.paging.ask(tx, who, row)
        if where.settled_by and where.alive and not where.foreign:
            notes += await self._learned(tx, who, where)
        return Taken(incoming.warning_id, state, tier, tuple(notes))

    async def _learned(self, tx: Connection, who: Who, where: Standing) -> list[str]:
        """A late message has shown that what settled it settles older ones too, which were still going on."""
        by = await store.stored(tx, where.settled_by)
        older = list(where.alive)
        things = [await warning_thing(tx, who, one) for one in older]
        if by.state_state == "parked" and all(may(who, Power.END, one) is None for one in things):
            await tx.execute(
                sa.update(warning_state).where(warning_state.c.warning_id == by.warning_id).values(state="held")
            )
            await self._acts.releases.release(tx, who, by.warning_id, await _tier_of(tx, older))
            return [f"the cancel {by.identifier} ends what it followed as well"]
        if by.state_state != "active" or any(may(who, Power.REPLACE, one) for one in things):
            return [
                f"{by.identifier} had settled what it followed as well, which goes on here: look and end it by hand"
            ]
        await self._acts.releases.supersede(tx, older, "update")
        await tx.execute(
            sa.update(store.message)
            .where(store.message.c.warning_id == by.warning_id)
            .values(replaces=[*by.replaces, *older])
        )
        again = self._acts.releases.issued(by, Tier(by.state_tier), "live", older)
        await publish(tx, [msgspec.structs.replace(again, msg_id=new_id())])
        return [f"{by.identifier} takes the place of what it followed as well"]


async def _highest(tx: Connection, tier: int, replaces: Sequence[str]) -> int:
    """The tier (0: undecided) by which two persons are asked for: to lower a red that went out is a word about red."""
    out = (warning_state.c.warning_id.in_(replaces), warning_state.c.released_at.is_not(None))
    found = await tx.scalar(sa.select(sa.func.max(warning_state.c.tier)).where(*out))
    return max(tier, found or 0)


async def _tier_of(tx: Connection, warning_ids: Sequence[str]) -> Tier:
    """An ending goes out at the tier of what it ends."""
    found = await tx.scalar(
        sa.select(sa.func.max(warning_state.c.tier)).where(warning_state.c.warning_id.in_(warning_ids))
    )
    return Tier(found or Tier.BLUE)
