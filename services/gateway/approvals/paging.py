"""Pages whoever may send what another drafted, one after the other, until somebody decides.

The first is paged at once, by text and by call; where nothing is decided, the next one after TOCSIN_APPROVAL_S. Whoever is
alone has three called at once. When all have been paged it begins anew, and the alarm sounds: a warning nobody lets out is a
warning lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.gateway import store
from services.gateway.store import StoredWarning
from services.shared import alarms
from services.shared.audit import trail
from services.shared.bus.outbox import publish
from services.shared.database import locks
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.errors import Conflict
from services.shared.ledger.approvals import SecondAsked, asked_about, warning_asked
from services.shared.messages import NoticeRequested
from services.shared.powers.may import may, ones_own_doubt
from services.shared.powers.pagers import Pager, pagers
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.auth import who_acts

ALONE_EVERY_S = 60.0  # warning time
ALONE = 3  # called at once by whoever is alone
KIND = "approval"
LASTS_S = 3600.0  # of a page, warning time
AT_ONCE = 20
log = structlog.get_logger("gateway")


class Reachable(NamedTuple):
    """Somebody who may decide, and where they are paged."""

    who: Who
    pager: Pager


class Paging:
    """Asks a second person, and goes on asking."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def ask(self, tx: Connection, who: Who, row: StoredWarning, *, alone: bool = False) -> None:
        """From now on others are paged about a draft or held warning; asked again, nothing is begun anew.

        Who says that they are `alone` has the next three paged now. Conflict where nothing waits.
        """
        if row.state_state not in ("draft", "held"):
            raise Conflict(
                f"this warning is {row.state_state}: nothing waits for a second person", field="warning_id", rule="state",
                given=row.state_state,
            )  # fmt: skip
        now, about = self._platform.clock.now(), row.warning_id
        new = SecondAsked(
            about, who.actor, who.label, now, now, ALONE if alone else 1, [], 0, now if alone else None
        )  # fmt: skip
        begun = await insert_new(tx, warning_asked, [new._asdict()])
        mine, c = warning_asked.c.warning_id == about, warning_asked.c
        if alone and not begun:  # pressed again and again it wakes nobody twice
            rested = sa.or_(c.alone_at.is_(None), c.alone_at <= now - ALONE_EVERY_S)
            values = {"next_at": now, "at_once": ALONE, "alone_at": now}
            await tx.execute(sa.update(warning_asked).where(mine, rested).values(values))
        elif not begun:  # what was given up, and is a draft again
            again = {"asked_by": who.actor, "asked_name": who.label, "asked_at": now, "next_at": now}
            await tx.execute(sa.update(warning_asked).where(mine, c.next_at.is_(None)).values(again))
        if begun or alone:
            await trail.record(tx, who.label, "alone" if alone else "ask_second", about, "a second person is asked")

    async def call_for(self, tx: Connection, who: Who, row: StoredWarning) -> None:
        """Three who may send such a warning hear that a colleague is alone with one that is out."""
        there = (await self.reachable(tx, row, who.actor))[:ALONE]
        if not there:
            raise Conflict(
                "nobody who may send this can be paged: call a colleague yourself, and give numbers at /people/pager",
                field="warning_id", rule="pager",
            )  # fmt: skip
        minute = f"{self._platform.clock.now() // 60:.0f}"
        await self.tell(tx, "alone", row.warning_id, there, row.state_tier, minute)
        names = ", ".join(one.who.label for one in there)
        await trail.record(tx, who.label, "alone", row.warning_id, "asks for help", {"paged": names})

    async def run_due(self) -> bool:
        """Pages who is due; whether anybody was."""
        now = self._platform.clock.now()
        due = sa.select(warning_asked).where(warning_asked.c.next_at <= now).order_by(warning_asked.c.next_at)
        async with self._platform.database.read() as db:
            found = await rows_of(db, SecondAsked, due.limit(AT_ONCE))
        for one in found:
            async with self._platform.database.write() as tx:
                await locks.acts(tx)
                still = await asked_about(tx, one.warning_id)
                if still is not None and still.next_at is not None and still.next_at <= now:
                    await self._page(tx, still, now)
        if found:
            self._platform.bus.wake()
            self._platform.wake.channels.set()
        return bool(found)

    async def next_at(self) -> float | None:
        """The warning time of the next page."""
        async with self._platform.database.read() as db:
            found: float | None = await db.scalar(sa.select(sa.func.min(warning_asked.c.next_at)))
        return found

    async def reachable(self, db: Connection, row: StoredWarning, *without: str) -> list[Reachable]:
        """Who may let it out and can be paged, the first to be paged first; `without` are persons or keys."""
        found = []
        for pager in await pagers(db):
            who = await who_acts(db, pager.actor)
            if who is None or who.actor in (*without, row.brought_by):
                continue
            thing = await warning_thing(db, who, row.warning_id)
            act = Power.END if row.state_ending else Power.SEND
            if may(who, act, thing) is None and ones_own_doubt(who, thing) is None:
                found.append(Reachable(who, pager))
        return found

    async def _page(self, tx: Connection, asked: SecondAsked, now: float) -> None:
        row = await store.stored(tx, asked.warning_id)
        if row.state_state not in ("draft", "held") or row.state_expires_at <= now:
            await settled(tx, asked.warning_id)
            return
        there = await self.reachable(tx, row, asked.asked_by)
        left = [one for one in there if one.pager.actor not in asked.paged]
        paged = list(asked.paged)
        # where nobody has given a number, asking is by voice from the start; where some have and none of them may, it is silence
        unheard = not there and now > asked.asked_at and bool(await pagers(tx))
        if not left and (asked.pages or unheard):
            await self._sound(tx, row, asked, now, anybody=bool(there))
            left, paged = there, []
        chosen = left[: asked.at_once]
        await self.tell(tx, "approve", row.warning_id, chosen, row.state_tier, str(asked.pages))
        for one in chosen:
            detail = {"paged": one.who.label, "mask": one.pager.mask}
            await trail.record(tx, "clock", "page", row.warning_id, f"asked by {asked.asked_name}", detail)
        after = {
            "next_at": now + self._platform.settings.approval_s, "at_once": 1,
            "paged": [*paged, *(one.pager.actor for one in chosen)], "pages": asked.pages + len(chosen),
        }  # fmt: skip
        await tx.execute(sa.update(warning_asked).where(warning_asked.c.warning_id == row.warning_id).values(after))
        log.warning("second_person_paged", warning_id=row.warning_id, paged=len(chosen), pages=after["pages"])

    async def _sound(
        self, tx: Connection, row: StoredWarning, asked: SecondAsked, now: float, *, anybody: bool
    ) -> None:
        about, minutes = row.warning_id[:8], int((now - asked.asked_at) // 60)
        if anybody:
            said = (
                f"a warning ({about}) has waited {minutes} min for a second person: all were paged, and nobody decided. "
                "Open the console and decide"
            )
        else:
            said = (
                f"a warning ({about}) has waited {minutes} min for a second person, and nobody who may send it can be paged. "
                "Call a colleague"
            )
        await alarms.sound(tx, f"{KIND}:{row.warning_id}", said)

    async def tell(
        self, tx: Connection, kind: str, warning_id: str, to: Sequence[Reachable], tier: int, about: str
    ) -> None:
        """A text and a call to each; `about` makes it another message than before."""
        made: list[NoticeRequested] = []
        for one in to:
            made += one.pager.pages(
                kind, plane=self._platform.settings.plane, warning_id=warning_id, tier=tier, about=about,
                expires=self._platform.clock.now() + LASTS_S,
            )  # fmt: skip
        await publish(tx, made)


async def settled(tx: Connection, warning_id: str) -> None:
    """It is decided: nobody is paged about it any more."""
    mine = (warning_asked.c.warning_id == warning_id, warning_asked.c.next_at.is_not(None))
    if (await tx.execute(sa.update(warning_asked).where(*mine).values(next_at=None))).rowcount:
        await alarms.over(tx, f"{KIND}:{warning_id}")
