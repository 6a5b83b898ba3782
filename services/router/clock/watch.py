"""Watches warnings by their clock: silent zones, expiry, updates due, officials who have not spoken.

A row of `router_watch` is one look; it is taken in one transaction with what it brings. A row without a time is a fact
that came true and is shown (a zone whose phones are down, an official nobody has spoken with).
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
import structlog

from services.router.callouts import callouts
from services.router.cases import cases
from services.router.clock import officials, silence, taken_lists
from services.router.planning.contexts import Contexts
from services.router.planning.notices import notice, on_duty
from services.router.planning.plan import WarningContext
from services.router.safety import out
from services.router.safety.hand_on import hand_on
from services.router.store import tables
from services.shared.bus.outbox import id_of, publish
from services.shared.database import locks
from services.shared.database.batches import upsert
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger import team_signs
from services.shared.ledger.warnings import warning_state
from services.shared.messages import WorkerEntry
from services.shared.powers.power import Power
from services.shared.service import Platform
from services.shared.tiers import Tier

log = structlog.get_logger("router")
BATCH = 50
ASKED_S = 3600.0  # how long a page to the desk is worth sending, warning time
_FIRST = sa.select(sa.func.min(tables.watch.c.due_at))
_DUE = (
    sa.select(tables.watch)
    .where(tables.watch.c.due_at <= sa.bindparam("now", type_=sa.Float))
    .order_by(tables.watch.c.due_at, tables.watch.c.warning_id, tables.watch.c.what)
    .limit(BATCH)
)


async def begin(tx: Connection, ctx: WarningContext) -> None:
    """The looks at an orange or red warning that are known from its start."""
    if ctx.tier < Tier.ORANGE:
        return
    issued, policy = ctx.issued, ctx.policy
    looks = {f"expiry:{ask / 60:.0f}": issued.expires - ask for ask in policy.expiry.ask_s}
    looks = {what: when for what, when in looks.items() if when > issued.released} | {"expired": issued.expires}
    looks["update:1"] = issued.released + policy.updates[ctx.tier]
    looks["silence"] = issued.released + policy.channels_down.silent_s
    await put(tx, issued.warning_id, looks)


async def put(tx: Connection, warning_id: str, looks: dict[str, float | None] | dict[str, float]) -> None:
    """Writes looks down; one that stands already is moved."""
    rows = [{"warning_id": warning_id, "what": what, "due_at": at} for what, at in sorted(looks.items())]
    await upsert(tx, tables.watch, rows, ["warning_id", "what"], replace=["due_at"])


async def drop(tx: Connection, warning_id: str) -> None:
    """A warning that ended is not looked at any more, but for its cases; what came true stays to be read."""
    await tx.execute(
        sa.delete(tables.watch).where(
            tables.watch.c.warning_id == warning_id,
            tables.watch.c.due_at.is_not(None),
            tables.watch.c.what != cases.WATCH,
        )
    )


class Watch:
    """The router's clockwork for looks."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    async def next_at(self, db: Connection) -> float | None:
        """The earliest look."""
        found = await db.scalar(_FIRST)
        return None if found is None else float(found)

    async def run_due(self) -> bool:
        """Takes the looks that are due; True if there was any."""
        now = self._platform.clock.now()
        async with self._platform.database.read() as db:
            rows = await rows_of(db, tables.Look, _DUE, {"now": now})
            cannot = await team_signs.cannot_and_not_relieved(db, now)
            resting = await out.resting_with_doors(db, now)
        for row in rows:
            await self._look(row, now)
        for slot in sorted(cannot):
            await self._let_go(slot, now)
        given_on = [await self._give_on(slot, under, now) for slot, under in sorted(resting.items())]
        did = bool(rows or cannot or any(given_on))
        if did:
            self._platform.bus.wake()
            self._platform.wake.channels.set()
            self._platform.wake.router.set()
        return did

    async def _give_on(self, slot: str, under: Sequence[str], now: float) -> bool:
        """What is left on the list of a team that rests in safety goes to the others; whether anything did."""
        async with self._platform.database.write() as tx:
            await locks.doors(tx, *under)
            await locks.plan(tx, *under, shared=True)
            if slot not in await team_signs.relieved_and_back(tx, now):
                return False  # it goes out again
            n = 0
            for one in under:
                ctx = await self._contexts.of(tx, one, workers=True)
                if ctx is not None:
                    n += await hand_on(tx, ctx, slot, out.RESTS, "team.rests", now, self._platform.settings.plane)
        return n > 0

    async def _let_go(self, slot: str, now: float) -> None:
        """A team that cannot go, once; whatever becomes of its doors it is relieved, unless it has gone out again meanwhile."""
        async with self._platform.database.read() as db:
            under = await out.has_doors_under(db, slot)
        async with self._platform.database.write() as tx:
            await locks.doors(tx, *under)
            await locks.plan(tx, *under, shared=True)
            said = (await team_signs.cannot_and_not_relieved(tx, now)).get(slot)
            if said is None:
                return  # another router has
            sign_id = id_of(said.warning_id, slot, "cannot", said.at)
            kind = team_signs.SignKind.RELIEVED
            await team_signs.keep(tx, said.warning_id, slot, kind, said.at, "cannot", sign_id=sign_id)
            if (await team_signs.of_slots(tx, [slot], now))[slot].since is not None:
                return
            contexts = [await self._contexts.of(tx, one, workers=True) for one in under]
            told = await self._contexts.of(tx, said.warning_id, workers=True)
            there = [one for one in contexts if one is not None]
            await out.let_go(tx, slot, told, there, now, self._platform.settings.plane)

    async def _look(self, row: tables.Look, now: float) -> None:
        async with self._platform.database.write() as tx:
            await locks.doors(tx, row.warning_id)
            await locks.plan(tx, row.warning_id, shared=True)
            mine = (tables.watch.c.warning_id == row.warning_id, tables.watch.c.what == row.what)
            taken = await tx.execute(sa.delete(tables.watch).where(*mine, tables.watch.c.due_at == row.due_at))
            if not taken.rowcount:
                return  # another router looked
            state = await tx.scalar(
                sa.select(warning_state.c.state).where(warning_state.c.warning_id == row.warning_id)
            )
            ctx = await self._contexts.of(tx, row.warning_id, workers=True)
            plane = self._platform.settings.plane
            if ctx is not None and row.what == cases.WATCH:
                if not ctx.workers:
                    theirs = await tables.workers_of_chain(tx, row.warning_id)
                    ctx.workers = [tables.decode_worker(w.entry) for w in theirs]
                await cases.review(tx, ctx, now, plane, active=state == "active")
            if ctx is None or state != "active":
                return
            kind, _, rest = row.what.partition(":")
            match kind:
                case "expiry" | "expired" | "update":
                    await self._ask(tx, ctx, kind, rest, now if row.due_at is None else row.due_at)
                case "silence":
                    await put(tx, row.warning_id, await silence.check_silence(tx, ctx, now, plane))
                case "alone" if not ctx.phone_only:
                    workers = await silence.officers_of(tx, ctx, rest)
                    await self._tell(tx, ctx, workers, "officers_alone", rest)
                case out.LOOK:
                    await out.review(tx, ctx, now, plane)
                case "callout":
                    await callouts.review(tx, ctx, rest, now, plane)
                case "list":
                    await put(tx, row.warning_id, await taken_lists.check_list(tx, ctx, rest, now, plane))
                case "official":
                    await put(tx, row.warning_id, await officials.check_officials(tx, ctx, rest, now, plane))

    async def _ask(self, tx: Connection, ctx: WarningContext, kind: str, rest: str, due: float) -> None:
        """The duty officer is asked to extend or end, or to send the next update; the warning does neither by itself."""
        mine = warning_state.c.warning_id == ctx.issued.warning_id
        number = str(await tx.scalar(sa.select(warning_state.c.number).where(mine)))
        asked = await on_duty(tx, ctx, Power.SEND)
        word, plane = {"update": "update_due"}.get(kind, kind), self._platform.settings.plane
        expires = self._platform.clock.now() + ASKED_S
        made = asked.notices(ctx, word, plane, rest, number=number, expires=expires)
        await publish(tx, made)
        told = len({one.addressee_id for one in made})
        log.warning("duty_officer_asked", warning_id=ctx.issued.warning_id, about=kind, at=rest, told=told)
        following = due + ctx.policy.updates[ctx.tier]
        if kind == "update" and following < ctx.issued.expires:
            await put(tx, ctx.issued.warning_id, {f"update:{int(rest) + 1}": following})

    async def _tell(
        self, tx: Connection, ctx: WarningContext, workers: Sequence[WorkerEntry], kind: str, about: str
    ) -> None:
        made = [notice(ctx, w, kind, self._platform.settings.plane, about) for w in workers]
        await publish(tx, [one for one in made if one is not None])
