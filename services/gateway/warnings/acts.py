"""The acts of an authority on a warning that is here: preview, decide its tier, release, cancel. Each is one transaction.

States: draft (looked at, not sent), held (a person must decide), active, stored (never sent: for another purpose,
expired on arrival, or settled by a later message before it came), parked (a cancel whose warning is not known yet), cancelled,
superseded, withdrawn (a draft given up, by a person or by the clock). What is shown besides: expired, of an active one whose
time is over (`ledger.state_at`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import sqlalchemy as sa
from msgspec.structs import replace

from services.gateway import store
from services.gateway.approvals.paging import Paging, settled
from services.gateway.approvals.preapprovals import Preapprovals
from services.gateway.intake.arrival import sources_of
from services.gateway.intake.chains import standing_of_row
from services.gateway.publish.parts import line
from services.gateway.warnings.brake import check_typed, must_be_typed
from services.gateway.warnings.endings import EndingActs
from services.gateway.warnings.pace import too_many
from services.gateway.warnings.part_return import PartIn
from services.gateway.warnings.releases import Releases
from services.gateway.warnings.taken import Taken, as_it_is
from services.shared.audit import trail
from services.shared.database import locks
from services.shared.database.engine import Connection
from services.shared.errors import Conflict, NotAllowed, Refused
from services.shared.fault_points import fault_at
from services.shared.i18n import english
from services.shared.ledger.approvals import Preapproval
from services.shared.ledger.warnings import warning_state
from services.shared.powers.approval import approval_of, hold_to
from services.shared.powers.ground import neighbours
from services.shared.powers.may import Thing, may, must, ones_own_doubt
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier

SAME_AGAIN: Literal[True] = (
    True  # a colleague brought the very same: content is what they said, not what they looked at
)
Approves = str | Literal[True]


async def say_doors(tx: Connection, who: Who, warning_id: str, word: str) -> None:
    """The commander's word (safe, unsafe) on a warning not sent yet, and whose word it was."""
    said = {"doors": "allowed" if word == "safe" else "unsafe", "doors_by": who.label}
    await tx.execute(sa.update(warning_state).where(warning_state.c.warning_id == warning_id).values(said))
    await trail.record(tx, who.label, "doors", warning_id, f"{who.label}: {word}")


async def barred_by(tx: Connection, row: store.StoredWarning, now: float) -> tuple[str, ...]:
    """What whoever lets a warning out is told where another one forbids doors in a part of its area."""
    if row.state_ending:
        return ()
    others = await neighbours(tx, row.state_chain_id, row.area, row.geocodes, now)
    numbers = ", ".join(one.number for one in others if one.forbids_doors)
    if not numbers:
        return ()
    return (
        english(
            "nobody is sent to doors in the area of No. {numbers}, which forbids it: the fire service has those names",
            numbers=numbers,
        ),
    )


class Acts:
    """Preview, release, cancel."""

    def __init__(
        self, platform: Platform, changed: Callable[[], None] = lambda: None, machines: Collection[str] = ()
    ) -> None:
        """`changed` is called after each act, once it is on disk. `machines`: labels of keys that feeds come in under."""
        self._platform = platform
        self._changed = changed
        self._machines = frozenset(machines)
        self.releases = Releases(platform)
        self.paging = Paging(platform)
        self.preapprovals = Preapprovals(platform, self.paging)
        self._endings = EndingActs(platform, self.releases, self.paging, self._check)

    async def preview(self, warning_id: str) -> None:
        """Asks the registry whom a draft would reach, afresh; nothing of a warning that is no draft any more."""
        async with self._platform.database.write() as tx:
            await locks.acts(tx)
            await self.releases.ask(tx, await store.stored(tx, warning_id))
        self.done()

    async def ask(self, who: Who, warning_id: str, *, alone: bool = False) -> None:
        """Has others paged who may send a draft or held warning; `alone` pages three of them at once, of a live one too."""
        async with self._platform.database.write() as tx:
            await locks.acts(tx)
            row = await store.stored(tx, warning_id)
            if alone and row.state_state == "active":
                await self.paging.call_for(tx, who, row)
            else:
                await self.paging.ask(tx, who, row, alone=alone)
        self.done()

    async def release(
        self,
        who: Who,
        warning_id: str,
        tier: Tier | None,
        doors: str = "",
        reason: str = "",
        approves: Approves = "",
        place: str = "",
    ) -> Taken:
        """Sends a draft or a held warning at a decided tier."""
        async with self._platform.database.write() as tx:
            await locks.acts(tx)
            row = await store.stored(tx, warning_id)
            if row.state_state == "active":
                return await as_it_is(tx, warning_id, self._platform.clock.now())
            if row.state_state not in ("draft", "held"):
                raise Conflict(
                    f"this warning is {row.state_state} and is not sent any more: take a new one in",
                    field="warning_id", rule="state", given=row.state_state,
                )  # fmt: skip
            taken = await self.send(tx, who, row, tier, doors, reason, approves, place)
        fault_at("after_ingest_commit")
        self.done()
        return taken

    async def send(
        self,
        tx: Connection,
        who: Who,
        row: store.StoredWarning,
        tier: Tier | None,
        doors: str,
        reason: str = "",
        approves: Approves = SAME_AGAIN,
        place: str = "",
    ) -> Taken:
        """A draft or held warning goes out at the tier it has or `tier`. Conflict where it is not what `approves` names."""
        warning_id = row.warning_id
        decided = tier or (Tier(row.state_tier) if row.state_tier else None)
        if decided is None:
            raise Refused(
                f"the tier is not decided ({row.sense['tier_reason']}): choose blue, yellow, orange or red",
                field="tier", rule="required",
            )  # fmt: skip
        by = await self._check(tx, who, row, decided, doors, approves)
        if await must_be_typed(tx, warning_id):
            check_typed(place, [line(text["place"]) for text in row.texts.values()])
        if row.state_expires_at <= self._platform.clock.now():
            raise Conflict("this warning has expired: take a new one in", field="expires", rule="expired")
        if doors:
            await say_doors(tx, who, warning_id, doors)
        if tier is not None:
            await trail.record(
                tx, who.label, "decide_tier", warning_id, reason or row.sense["tier_reason"], {"tier": tier.word}
            )
        await settled(tx, warning_id)
        notes = await barred_by(tx, row, self._platform.clock.now())
        taken = Taken(warning_id, await self.releases.release(tx, who, warning_id, decided), decided, notes)
        if by is not None:
            await self.preapprovals.used(tx, who, row, by)
        return taken

    async def _check(
        self,
        tx: Connection,
        who: Who,
        row: store.StoredWarning,
        tier: Tier,
        doors: str,
        approves: Approves = SAME_AGAIN,
    ) -> Preapproval | None:
        """Whether they may let this out at that tier, with all it ends by now; a hold is lifted by another than brought it.

        The preapproval it goes out by, where they may by that alone.
        """
        ends = list(row.replaces)
        if row.via != "ending":
            ends += (await standing_of_row(tx, row)).alive
        replaced = tuple([await warning_thing(tx, who, one) for one in await store.going_on(tx, ends)])
        thing = await warning_thing(tx, who, row.warning_id, replaced)
        thing = replace(thing, tier=int(tier), sources=sources_of(row.texts))
        act, by = Power.END if row.state_ending else Power.SEND, None
        fault = may(who, act, thing)
        if fault is not None and fault.rule == "grant.alone" and _weight(thing) == tier:
            by = await self.preapprovals.fitting(tx, row, tier)
            fault = may(who, act, replace(thing, brought_by="")) if by is not None else fault
        if fault is not None:
            raise fault
        if (doubted := ones_own_doubt(who, thing)) is not None:
            raise doubted
        await self._approved(tx, who, row, thing, approves)
        if doors:
            must(who, Power.SAY_DOORS, thing)
        if row.brought_by == who.actor and row.state_kind == "alert":
            now, rate = self._platform.clock.now(), self._platform.settings.rate
            if why := await too_many(tx, row.state_authority, tier, now, rate):
                raise NotAllowed(
                    f"{why}: a colleague lets it out with a key of their own",
                    field="warning_id",
                    rule="rate",
                    given=who.label,
                )
        if who.key_label in self._machines and (row.state_state == "held" or row.via == "feed"):
            raise NotAllowed(
                f"{who.key_label!r} is the key of a feed, and no machine decides: a person lets it out with a key of their own",
                field="warning_id", rule="hold", given=who.label,
            )  # fmt: skip
        return by

    async def _approved(
        self, tx: Connection, who: Who, row: store.StoredWarning, thing: Thing, approves: Approves
    ) -> None:
        """What takes two persons goes out as the second one saw it."""
        if approves is SAME_AGAIN:
            return
        if not approves:
            if thing.holds or _weight(thing) > who.alone:
                raise Refused(
                    "approves: this takes two persons, and you are the second: give `approval` of the warning as you looked "
                    "at it (GET /api/v1/warnings/{id})",
                    field="approves", rule="required",
                )  # fmt: skip
            return
        now = self._platform.clock.now()
        hold_to(approves, await approval_of(tx, row.warning_id, self._platform.settings.plane, now))

    async def cancel(self, who: Who, warning_id: str, kind: str, reason: str, part: PartIn | None = None) -> Taken:
        """Stops what was not sent and tells everybody who may have got it; GOES_ON tell and do not stop. `part`: where
        people may return, for that ending alone."""
        async with self._platform.database.write() as tx:
            await locks.acts(tx)
            taken = await self._endings.end(tx, who, warning_id, kind, reason, part)
        fault_at("after_cancel_commit")
        self.done()
        return taken

    def done(self) -> None:
        """An act is on disk: what is kept for everybody is forgotten, and the services look for what is new."""
        self._changed()
        self._platform.bus.wake()
        for waker in (
            self._platform.wake.gateway,
            self._platform.wake.registry,
            self._platform.wake.router,
            self._platform.wake.channels,
        ):
            waker.set()


def _weight(thing: Thing) -> int:
    """The tier by which persons are counted: to lower a red that went out is a word about red."""
    return max([thing.tier, *(one.tier for one in thing.ends if one.out)])
