"""Raises an alarm within half a minute where a provider takes no messages.

A breaker spares a provider that is not there; nobody sees that. What goes wrong three times, with nothing taken by any
process for fifteen seconds, is told with what goes on instead, until something is taken again or nothing was tried for
a quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.channels.model.driver import Result
from services.channels.model.outcome import LATE, Outcome
from services.channels.providers.provider_store import provider
from services.shared import alarms
from services.shared.clock import wall
from services.shared.database.engine import Database
from services.shared.i18n import english, mark

KIND = "provider"
SILENT_S, FEW = 15.0, 3
SAID_EVERY_S = 5.0  # a provider that takes things says so on disk no more often
FORGOTTEN_S = 900.0


@dataclass
class _Seen:
    """What this process saw of one provider, wall seconds."""

    bad_since: float = 0.0  # the first call that went wrong with nothing taken since; 0: none
    bad_last: float = 0.0
    bad: int = 0
    code: str = ""
    taken: float = 0.0
    said: float = 0.0  # `taken` as it stands on disk
    alarmed: bool = False


class Acceptance:
    """One process's; `beside` are groups of providers that share a channel."""

    def __init__(self, database: Database, names: Sequence[str], beside: Sequence[Sequence[str]]) -> None:
        self._database = database
        self._beside = beside
        self._seen = {name: _Seen() for name in names}

    async def begin(self) -> None:
        """Takes over the alarms that stood when the process before ended."""
        async with self._database.read() as db:
            for row in await alarms.standing(db, KIND):
                seen = self._seen.get(row.name.partition(":")[2])
                if seen is not None:
                    seen.alarmed, seen.bad, seen.bad_since, seen.bad_last = True, FEW, row.since, wall()

    def note(self, name: str, result: Result, begun: float, now: float) -> None:
        """What came of one call that began then and is over now; costs no more than a few assignments."""
        if result.code == LATE:
            return
        seen = self._seen[name]
        if result.outcome in (Outcome.ACCEPTED, Outcome.PERMANENT):  # an answer about one number is an answer
            seen.taken, seen.bad, seen.bad_since = now, 0, 0.0
            return
        seen.bad_since = seen.bad_since or begun
        seen.bad_last, seen.bad, seen.code = now, seen.bad + 1, result.code

    async def step(self) -> None:
        """Once a second: says what is taken, and what is not."""
        now = wall()
        for name, seen in self._seen.items():
            if seen.taken > seen.said and (seen.alarmed or seen.taken - seen.said >= SAID_EVERY_S):
                await self._taken(name, seen)
            elif seen.alarmed and now - max(seen.bad_last, seen.bad_since) >= FORGOTTEN_S:
                await self._over(name, seen)
            elif seen.bad >= FEW and not seen.alarmed and now - seen.bad_since >= SILENT_S:
                await self._alarm(name, seen)

    async def _taken(self, name: str, seen: _Seen) -> None:
        async with self._database.write() as tx:
            mine = sa.update(provider).where(provider.c.provider == name, provider.c.taken_at < seen.taken)
            await tx.execute(mine.values(taken_at=seen.taken))
            await alarms.over(tx, f"{KIND}:{name}")
        seen.said, seen.alarmed = seen.taken, False

    async def _over(self, name: str, seen: _Seen) -> None:
        async with self._database.write() as tx:
            await alarms.over(tx, f"{KIND}:{name}")
        seen.alarmed, seen.bad, seen.bad_since = False, 0, 0.0

    async def _alarm(self, name: str, seen: _Seen) -> None:
        async with self._database.write() as tx:
            taken = await tx.scalar(sa.select(provider.c.taken_at).where(provider.c.provider == name))
            if taken is not None and taken >= seen.bad_since:  # another process is better off: ours is counted afresh
                seen.bad, seen.bad_since = 0, 0.0
                return
            others = sorted({other for group in self._beside if name in group for other in group} - {name})
            await alarms.sound(tx, f"{KIND}:{name}", said(name, seen.code, others))
        seen.alarmed = True


def said(name: str, code: str, others: Sequence[str]) -> str:
    """The alarm in words, with what goes on instead."""
    if code:
        provider = english("{provider} takes nothing ({code})", provider=name, code=code)
    else:
        provider = english("{provider} takes nothing", provider=name)
    if len(others) > 1:
        instead = english("{others} have its messages meanwhile", others=" and ".join(others))
    elif others:
        instead = english("{other} has its messages meanwhile", other=others[0])
    else:
        instead = mark("its messages wait and are tried again every minute at most")
    return english(
        "{provider}: {instead}; each person's other channels, officers and doors go on. Look at its key, funds and address, and "
        "call the provider.",
        provider=provider,
        instead=instead,
    )


def by_provider(rows: Sequence[alarms.Alarm]) -> Mapping[str, str]:
    """Provider > what its alarm says, of the alarms that stand."""
    return {row.name.partition(":")[2]: row.said for row in rows if alarms.kind_of(row.name) == KIND}
