"""Tests each channel end to end on schedule, against an address that answers for nothing else.

A test is a notice like any other, sent by the provider it tries; it has passed when the proof asked for has come back in
time. A channel whose providers have all failed twice running is left out of paths, with the reason, until a test passes.
Where every personal channel fails, none is left out: then it is likelier the test, and trying reaches more people.

An area's channel is tried by its driver, with what nobody hears or sees. It is told to fail and used all the same: nothing
stands in for it, and one more try harms nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.channels.model.driver import AreaTest, Driver, TriesArea
from services.channels.providers.catalogue import channel_rows
from services.channels.providers.country_limits import CountryLimits
from services.channels.providers.link_test_file import NAME, PROOFS, LinkTest, load_link_tests
from services.channels.providers.provider_store import TWICE, LinkTestRow, link_test, link_tests
from services.shared.bus.outbox import id_of, new_id
from services.shared.clock import Clock
from services.shared.crypto.sealing import address_key
from services.shared.database import locks
from services.shared.database.batches import insert_all
from services.shared.database.engine import Connection, Database
from services.shared.database.rows import columns, row_of
from services.shared.errors import Refused
from services.shared.i18n import english, mark
from services.shared.ledger.channels import channel
from services.shared.ledger.deliveries import NewDelivery, add
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery

log = structlog.get_logger("link_tests")
LOOK_S, AGAIN_S = 2.0, 60.0  # one failure is confirmed soon, not at the next round
LEAST_S, LOST_S = 5.0, 60.0  # wall: an area's test takes at least that; so long after its end it is lost
EVERYWHERE = "all"
TESTED = "link test: "
OVER = (SendState.FAILED, SendState.EXPIRED, SendState.CANCELLED, SendState.SUPPRESSED)


class LinkTests:
    """All tests of an installation; whichever process comes first sends and judges them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        drivers: Sequence[Driver],
        limits: CountryLimits,
        index_key: bytes,
        file: Path | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._drivers = drivers
        self._limits = limits
        self._index_key = index_key
        self._next = 0.0
        self._trying: set[asyncio.Task[None]] = set()
        # a door cannot be tried without sending somebody, nor an area unless its driver can do it unheard
        self._area: dict[str, dict[str, TriesArea]] = {}  # channel > provider > what can try it
        for one in drivers:
            if isinstance(one, TriesArea):
                for carried in one.channels:
                    self._area.setdefault(carried.name, {})[one.name] = one
        able = [
            r for d in drivers for r in d.channels if r.contact_kinds or r.name.partition("_")[2] in ("sms", "voice")
        ]
        weakest = sorted(able, key=lambda r: PROOFS[r.proof], reverse=True)  # of two that carry it
        area = dict.fromkeys(self._area, "accepted")
        self.tests = {one.channel: one for one in load_link_tests(file, {r.name: r.proof for r in weakest} | area)}
        self._stations = {name: self._named(name, one.to) for name, one in self.tests.items() if name in self._area}

    @property
    def addresses(self) -> Mapping[str, str]:
        """Channel > the address its test goes to."""
        return {name: one.to for name, one in self.tests.items() if name not in self._area}

    def providers(self, name: str) -> list[str]:
        """Who serves a channel here and works; of an area's those that can be tried."""
        return sorted(
            d.name
            for d in self._drivers
            if (name not in self._area or d.name in self._area[name])
            and not self._limits.why_not(d)
            and name in {r.name for r in self._limits.channels(d)}
        )

    async def step(self) -> bool:
        """Judges what is out, sends what is due, says which channels are out; whether anything was sent or judged."""
        now = self._clock.now()
        if now < self._next or (not self.tests and self._next):
            return False
        self._next = now + LOOK_S
        async with self._database.write() as tx:
            await locks.link_tests(tx)
            rows = {(r.channel, r.provider): r for r in await link_tests(tx)}
            wanted = [(name, p) for name in sorted(self.tests) for p in self.providers(name)]
            for gone in sorted(rows.keys() - set(wanted)):
                await tx.execute(sa.delete(link_test).where(_is(*gone)))
            moved, begun = False, list[tuple[str, str, str]]()
            for name, provider in wanted:
                row = rows.get((name, provider))
                if row is None:
                    await insert_all(
                        tx, link_test, [{"channel": name, "provider": provider, "due_at": now, "failures": 0}]
                    )
                    moved |= await self._send(tx, self.tests[name], provider, now, begun)
                elif row.delivery_id:
                    moved |= await self._judge(tx, self.tests[name], row, now)
                elif row.due_at <= now:
                    moved |= await self._send(tx, self.tests[name], provider, now, begun)
            if moved or rows.keys() - set(wanted):
                await self.say(tx)
        for name, provider, one in begun:
            task = asyncio.create_task(self._try_area(self.tests[name], provider, one))
            self._trying.add(task)
            task.add_done_callback(self._trying.discard)
        return moved

    async def stop(self) -> None:
        """Lets go of tests that are under way: whoever looks next finds them lost."""
        for task in self._trying:
            task.cancel()
        await asyncio.gather(*self._trying, return_exceptions=True)

    def _named(self, name: str, to: str) -> tuple[str, ...]:
        """The stations a test goes to; Refused where one is not there."""
        there = tuple(dict.fromkeys(one for driver in self._area[name].values() for one in driver.stations))
        wanted = tuple(part for part in (p.strip() for p in to.split(",")) if part)
        if unknown := [one for one in wanted if one not in there and wanted != (EVERYWHERE,)]:
            known = ", ".join([EVERYWHERE, *there[:10]])
            raise Refused(
                f"{NAME}: {name}: {unknown[0]!r} is not on that channel: use {known}",
                field=NAME,
                rule="to",
                given=to[:80],
            )
        return there if wanted == (EVERYWHERE,) else wanted

    @property
    def _a_second(self) -> float:
        """Wall seconds in one of warning time; 1 where time is stepped."""
        return self._clock.wall_seconds(1) or 1.0

    async def _try_area(self, test: LinkTest, provider: str, one: str) -> None:
        """Asks the driver, and writes down what it saw; wall time, for stations do not know that we are playing."""
        within = max(LEAST_S, test.within * self._a_second)
        driver = self._area[test.channel][provider]
        mine = [station for station in self._stations[test.channel] if station in driver.stations]
        tried = await driver.try_area(mine, within)
        try:
            async with self._database.write() as tx:
                await locks.link_tests(tx)
                for row in await link_tests(tx, _is(test.channel, provider), link_test.c.delivery_id == one):
                    await self._passed(tx, test, row, tried, self._clock.now())
                    await self.say(tx)
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:  # lost, and tried again
            log.warning("link_test_not_written", channel=test.channel, reason=type(problem).__name__, said=tried.said)

    async def _send(
        self, tx: Connection, test: LinkTest, provider: str, now: float, begun: list[tuple[str, str, str]]
    ) -> bool:
        if test.channel in self._area:
            one = new_id()
            begun.append((test.channel, provider, one))
            await tx.execute(
                sa.update(link_test).where(_is(test.channel, provider)).values(delivery_id=one, sent_at=now)
            )
            return True
        one = id_of("link test", test.channel, provider, int(now * 1000))
        planned = NewDelivery.link_test(
            one, channel=test.channel, provider=provider, addressee_id=id_of("link test", test.channel),
            address_key=address_key(self._index_key, "email" if "@" in test.to else "sms", test.to), due_at=now,
            within=test.within,
        )  # fmt: skip
        await add(tx, [planned])
        await tx.execute(sa.update(link_test).where(_is(test.channel, provider)).values(delivery_id=one, sent_at=now))
        return True

    async def _judge(self, tx: Connection, test: LinkTest, row: LinkTestRow, now: float) -> bool:
        sent_at = row.sent_at or 0.0  # none is out that was not sent
        if test.channel in self._area:
            if lost := now >= sent_at + max(test.within, LEAST_S / self._a_second) + LOST_S / self._a_second:
                # its process ended, or could not write: that says nothing of the channel
                await tx.execute(
                    sa.update(link_test).where(_is(test.channel, row.provider)).values(delivery_id="", due_at=now)
                )
            return bool(lost)
        which = sa.select(*columns(Delivered, delivery)).where(delivery.c.delivery_id == row.delivery_id)
        found = await row_of(tx, Delivered, which)
        if found is not None and found.evidence >= PROOFS[test.proof]:
            took = (found.evidence_at or now) - sent_at
            await self._passed(
                tx, test, row, AreaTest(True, english("{proof} after {n:.0f} s", proof=test.proof, n=took)), now
            )
        elif found is None or found.send_state in OVER or now >= sent_at + test.within:
            await self._passed(tx, test, row, AreaTest(False, _why(found, test)), now)
        else:
            return False
        return True

    async def _passed(self, tx: Connection, test: LinkTest, row: LinkTestRow, tried: AreaTest, now: float) -> None:
        """What a test showed, and when the next is due."""
        failures = 0 if tried.passed else row.failures + 1
        soon = AGAIN_S if 0 < failures < TWICE else test.every
        values: dict[str, object] = {
            "delivery_id": "", "failures": failures, "said": tried.said[:80],
            "due_at": (row.sent_at or now) + test.every if tried.passed else now + soon,
        }  # fmt: skip
        values |= {"ok_at": now} if tried.passed else {}
        if failures:
            log.warning(
                "link_test_failed", channel=test.channel, provider=row.provider, failures=failures, said=tried.said
            )
        await tx.execute(sa.update(link_test).where(_is(test.channel, row.provider)).values(**values))

    async def say(self, tx: Connection) -> None:
        """Which channels paths leave out, in the channel table."""
        results: dict[str, list[LinkTestRow]] = {}
        for row in await link_tests(tx):
            results.setdefault(row.channel, []).append(row)
        base = {r["channel"]: r for r in channel_rows(self._drivers, self._limits)}
        bad = failed_twice(
            {name: {row.provider: row.failures for row in rows} for name, rows in results.items()},
            {name: self.providers(name) for name in base},
        )
        out = left_out(
            bad - self._area.keys(),
            {name for name, r in base.items() if r["working"] and r["contact_kinds"]},
            {name for name, r in base.items() if r["working"] and name.startswith("supporter_")},
        )
        for name, r in base.items():
            said = "; ".join(f"{row.provider}: {row.said}" for row in results.get(name, ()) if row.said)
            fails = name in out or (name in bad and name in self._area and r["working"])
            why = f"{TESTED}{said}" if fails else r["why"]
            values = {"working": r["working"] and name not in out, "why": why[:80], "test_said": said[:160]}
            if name in results:
                values["tested_at"] = max(row.sent_at or 0.0 for row in results[name]) or None
            await tx.execute(sa.update(channel).where(channel.c.channel == name).values(**values))


class Delivered(NamedTuple):
    """How a test's delivery stands."""

    send_state: str
    state_reason: str
    evidence: int
    evidence_at: float | None


def failed_twice(failures: Mapping[str, Mapping[str, int]], providers: Mapping[str, Sequence[str]]) -> set[str]:
    """Channels of which every provider failed twice running. `failures`: channel > provider > how often running; one that is
    not tried may well work."""
    return {
        name
        for name, serving in providers.items()
        if serving and all(failures.get(name, {}).get(p, 0) >= TWICE for p in serving)
    }


def left_out(bad: set[str], personal: set[str], supporters: set[str]) -> set[str]:
    """Of the channels that fail those that paths leave out: never all that lead to people, or to supporters."""
    # nothing stands in for officers' channels: told in vain is no loss
    out = {name for name in bad if not name.startswith("officer_")}
    for family in (personal, supporters):
        if family and family <= out:
            out -= family
    return out


def _why(found: Delivered | None, test: LinkTest) -> str:
    if found is None:
        return mark("the test was lost")
    if found.send_state == SendState.FAILED:
        return english("refused ({reason})", reason=found.state_reason or "no reason given")
    if found.evidence < Evidence.ACCEPTED:
        return english(
            "not taken within {n:.0f} s ({reason})", n=test.within, reason=found.state_reason or found.send_state
        )
    return english("taken, not {proof} within {n:.0f} s", proof=test.proof, n=test.within)


def _is(name: str, provider: str) -> sa.ColumnElement[bool]:
    return sa.and_(link_test.c.channel == name, link_test.c.provider == provider)
