"""Gathers what the console's first page shows: what is in force and how far it has come, what waits, and for whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from msgspec.structs import replace

from services.gateway.store import ListedWarning
from services.gateway.warnings import shelves
from services.gateway.warnings.ageing import given_up_of
from services.gateway.warnings.shelves import Shelf
from services.shared.alarms import Alarm, standing
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.approvals import SecondAsked, warning_asked
from services.shared.ledger.channels import Failing, channel, failing_channels
from services.shared.ledger.tally import Progress, progress
from services.shared.powers.may import may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_things
from services.shared.powers.who import Who


class FirstPage(NamedTuple):
    """What the page shows; the mappings are by warning."""

    running: Sequence[ListedWarning]
    late: Sequence[ListedWarning]
    waiting: Shelf
    waiting_count: int
    earlier: Shelf
    progress: Mapping[str, Progress]  # of what is running or late
    decides: Collection[str]  # of what waits on this page: those the caller may let out
    asked: Mapping[str, SecondAsked]  # the same: those a second person was asked for
    given_up: int
    alarms: Sequence[Alarm]
    failing: Sequence[Failing]
    working: int  # channels that work


async def gathered(db: Connection, who: Who, now: float, pages: Mapping[str, int]) -> FirstPage:
    """At `now`, warning time. `pages`: which page of "waiting" and of "earlier", from 1."""
    running = await shelves.running(db, now)
    late = await shelves.late(db, now)
    waiting, waiting_count = await shelves.waiting(db, who, pages["waiting"])
    ids = [row.warning_id for row in waiting.rows]
    shown = replace(who, proved_at=None)  # a button that asks again who they are is there
    things = await warning_things(db, who, ids)
    asked = sa.select(*columns(SecondAsked, warning_asked)).where(warning_asked.c.warning_id.in_(ids))
    works = sa.select(sa.func.count()).select_from(channel).where(channel.c.working)
    return FirstPage(
        running=running,
        late=late,
        waiting=waiting,
        waiting_count=waiting_count,
        earlier=await shelves.earlier(db, who, now, pages["earlier"]),
        progress=await progress(db, [row.warning_id for row in (*running, *late)]),
        decides={one for one, thing in things.items() if may(shown, Power.SEND, thing) is None},
        asked={one.warning_id: one for one in await rows_of(db, SecondAsked, asked)},
        given_up=await given_up_of(db, who.actor, now),
        alarms=await standing(db),
        failing=await failing_channels(db),
        working=int(await db.scalar(works) or 0),
    )
