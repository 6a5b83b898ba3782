"""Watches the audit log for what is unusual, and sounds an alarm: many looks or refusals of one caller, a decoy looked at,
sign-ins that fail again and again, a warning sent outside somebody's hours.

An alarm here says that a colleague asks, not that something is wrong: in a flood many people are looked at. It ends by itself.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from services.shared import alarms
from services.shared.accounts.hours import within
from services.shared.accounts.tables import account, account_grant
from services.shared.audit.trail import audit_log
from services.shared.clock import wall
from services.shared.database.engine import Connection, Database
from services.shared.i18n import english

LOOK_EVERY_S = 10.0
NEWEST = 5000  # entries that are looked through: an hour of a disaster
KINDS = ("decoy", "hours", "looks", "refusals", "sign_ins")
SENDS = ("release", "send_by_preapproval")


class Usual(NamedTuple):
    """So many entries of these acts by one caller within so many seconds are unusual."""

    kind: str
    acts: tuple[str, ...]
    most: int
    within_s: float

    def said(self, actor: str, count: int) -> str:
        """What is unusual, and what to do."""
        match self.kind:
            case "decoy":
                return english(
                    "{actor} looked at somebody who does not exist: ask them what for, see the log", actor=actor
                )
            case "looks":
                return english(
                    "{actor} looked people up {count} times within an hour: ask them what for, see the log",
                    actor=actor, count=count,
                )  # fmt: skip
            case "sign_ins":
                return english(
                    "{count} sign-ins of {actor} failed within ten minutes: ask whether it was them, see the log",
                    actor=actor, count=count,
                )  # fmt: skip
        return english(
            "{actor} was refused {count} times within ten minutes: ask them what they try, see the log",
            actor=actor, count=count,
        )  # fmt: skip


RULES = (
    Usual("looks", ("people.search", "people.look", "people.listed", "people.open", "read_path"), 40, 3600.0),
    Usual("decoy", ("decoy.seen",), 1, 86400.0),
    Usual("refusals", ("refused",), 10, 600.0),
    Usual("sign_ins", ("sign_in_refused",), 10, 600.0),
)


class Noticed(NamedTuple):
    """What of an entry is looked at."""

    at: float
    actor: str
    act: str


class Unusual:
    """One process's watch; several say the same."""

    def __init__(self, database: Database, source: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._source = source
        self._next_look = 0.0

    async def turn(self) -> bool:
        """Looks every ten seconds; True where an alarm was sounded or ended."""
        now = self._source()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_EVERY_S
        async with self._database.read() as db:
            found = await unusual(db, wall())
            stand = {row.name: row.said for row in await alarms.standing(db, *KINDS)}
        new = {name: said for name, said in found.items() if stand.get(name) != said}
        gone = stand.keys() - found.keys()
        if new or gone:
            async with self._database.write() as tx:
                for name, said in new.items():
                    await alarms.sound(tx, name, said)
                for name in gone:
                    await alarms.over(tx, name)
        return bool(new or gone)


async def unusual(db: Connection, now: float) -> Mapping[str, str]:
    """Name of an alarm > what it says."""
    c = audit_log.c
    acts = {act for rule in RULES for act in rule.acts} | set(SENDS)
    last = await db.scalar(sa.select(sa.func.max(c.n))) or 0
    rows = await db.execute(
        sa.select(c.at, c.actor, c.act).where(c.n > last - NEWEST, c.act.in_(sorted(acts))).order_by(c.n)
    )
    entries = [Noticed(*row) for row in rows]
    found: dict[str, str] = {}
    for rule in RULES:
        counts: dict[str, int] = defaultdict(int)
        for entry in entries:
            if entry.act in rule.acts and entry.at > now - rule.within_s:
                counts[entry.actor] += 1
        for actor, count in counts.items():
            if count >= rule.most:
                found[_name(rule.kind, actor)] = rule.said(actor, count)
    found.update(await _outside_hours(db, [e for e in entries if e.act in SENDS and e.at > now - 3600.0]))
    return found


async def _outside_hours(db: Connection, sends: list[Noticed]) -> Mapping[str, str]:
    """Sent by people whose grant has hours, at another time: nobody else was there who could, or somebody plays them."""
    if not sends:
        return {}
    rows = await db.execute(
        sa.select(account.c.name, account_grant.c.hours, account_grant.c.zone)
        .join(account_grant, account_grant.c.person == account.c.person)
        .where(account.c.name.in_({entry.actor for entry in sends}), account_grant.c.hours != "")
    )
    hours = {row.name: (row.hours, row.zone) for row in rows}
    return {
        _name("hours", one.actor): english(
            "{actor} sent a warning outside their hours, {hours}: ask whether it was them", actor=one.actor,
            hours=hours[one.actor][0],
        )
        for one in sends
        if one.actor in hours and not within(*hours[one.actor], one.at)
    }  # fmt: skip


def _name(kind: str, actor: str) -> str:
    return f"{kind}:{actor}"[: alarms.NAME]
