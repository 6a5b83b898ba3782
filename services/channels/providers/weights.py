"""Weighs two providers of one channel: a weight moves away from one that fails or stays silent.

Every ten seconds of warning time the last minutes are looked at. A provider is in trouble when three in ten of its calls
went wrong, or when less than half of what the best one delivers is told delivered. Twenty points move from
it to the others; none move when all are in trouble, since then it is not the provider. What is well drifts back to its
resting weight. One that is passed over by its breaker gets nothing while another works.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import sqlalchemy as sa
import structlog

from services.channels.model.channel import STANDS_IN
from services.channels.providers.call_window import CallWindow
from services.channels.providers.provider_store import (
    SLOT_S,
    ProviderRow,
    Sums,
    all_rows,
    down,
    forget_old,
    known,
    lately,
    provider,
)
from services.shared.clock import Clock, wall
from services.shared.database import locks
from services.shared.database.engine import Connection, Database
from services.shared.i18n import english
from services.shared.ledger.params import Params, ProviderTried

log = structlog.get_logger("weights")
REVIEW_S = 10.0
CALLS_S, FEW_CALLS, BAD = 60.0, 10, 0.3
HEARD_FROM_S, HEARD_TO_S, FEW_ACCEPTED, SILENT = 300.0, 60.0, 20, 0.5
STEP, DRIFT, FLOOR = 20.0, 5.0, 5.0  # points; the floor keeps a trickle, by which we learn that it is well again
READ_EVERY_S = 1.0  # wall


class DueDelivery(Protocol):
    """A row of the ledger that waits for a provider."""

    @property
    def delivery_id(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def params(self) -> Params | None: ...


R = TypeVar("R", bound=DueDelivery)


@dataclass
class Queue:
    """What stands under one driver's name, red or the rest, and the call windows that may take of it."""

    driver: str
    red: bool
    windows: Sequence[CallWindow]
    _credit: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> tuple[str, bool]:
        return self.driver, self.red

    def roomy(self) -> list[CallWindow]:
        """Call windows for which a claim is worth its transaction."""
        return [window for window in self.windows if window.roomy()]

    def deal(
        self, rows: Sequence[R], rooms: Mapping[str, int], weights: Mapping[str, float], before: Mapping[str, str]
    ) -> tuple[dict[str, list[R]], list[R]]:
        """Rows by provider, smoothly in proportion to the weights and within each one's room; and those left over.

        A row that `before` went to one provider goes to another if there is one: what it failed at once it may fail
        at again.
        """
        if len(rooms) == len(self.windows) == 1 and not [row for row in rows if row.params is not None]:
            ((name, room),) = rooms.items()
            return {name: list(rows[:room])}, list(rows[room:])
        left, over = dict(rooms), list[R]()
        dealt: dict[str, list[R]] = {name: [] for name in rooms}
        serves = {window.driver.name: {r.name for r in window.channels} for window in self.windows}
        served = set().union(*serves.values())
        for row in rows:
            # a test of this very provider
            only = row.params.provider if isinstance(row.params, ProviderTried) else None
            able = [n for n in left if left[n] > 0 and (row.channel in serves[n] or row.channel not in served)]
            able = [n for n in able if only in (None, n)]
            other = [n for n in able if n != before.get(row.delivery_id)]
            able = other or able
            weighty = [n for n in able if weights.get(n, 1.0) > 0] or able
            if not weighty:
                over.append(row)
                continue
            chosen = self._next(weighty, weights)
            dealt[chosen].append(row)
            left[chosen] -= 1
        return dealt, over

    def _next(self, able: Sequence[str], weights: Mapping[str, float]) -> str:
        """Smooth weighted round robin: each gains its weight, the richest is chosen and pays for all."""
        if len(able) == 1:
            return able[0]
        total = 0.0
        for name in able:
            weight = weights.get(name, 1.0) or 1.0
            self._credit[name] = self._credit.get(name, 0.0) + weight
            total += weight
        chosen = max(able, key=lambda n: (self._credit[n], n))
        self._credit[chosen] -= total
        return chosen


def queues(windows: Sequence[CallWindow]) -> list[Queue]:
    """A send queue for each driver. It has the driver's own call window if that works, and every other working one of
    its channels."""
    found = []
    for window in windows:
        mine = {r.name for r in window.channels or window.driver.channels}
        able = [
            other
            for other in windows
            if other.red is window.red and other.works and (other is window or mine & {r.name for r in other.channels})
        ]
        able = [one for one in able if one.driver.name != STANDS_IN] or able
        found.append(Queue(window.driver.name, window.red, able or [window]))
    return found


def beside_each_other(windows: Iterable[CallWindow]) -> list[tuple[str, ...]]:
    """Providers that share a channel and both work, by name; one that is alone is in none."""
    by_channel: dict[str, set[str]] = {}
    for window in windows:
        if window.works and window.driver.name != STANDS_IN:
            for channel in window.channels:
                by_channel.setdefault(channel.name, set()).add(window.driver.name)
    return sorted({tuple(sorted(names)) for names in by_channel.values() if len(names) > 1})


class ProviderWeights:
    """The weights in force, in one process; the review is made by whoever comes first."""

    def __init__(
        self, database: Database, clock: Clock, windows: Sequence[CallWindow], given: Mapping[str, float] | None = None
    ) -> None:
        """`given`: resting weights by provider; one that is not named has 50."""
        self._database = database
        self._clock = clock
        given = given or {}
        self.groups = beside_each_other(windows)
        self.scored = frozenset(name for group in self.groups for name in group)
        self.resting = {window.driver.name: given.get(window.driver.name, 50.0) for window in windows}
        self.unknown = sorted(given.keys() - self.resting.keys())
        self.weights: dict[str, float] = dict(self.resting)
        self.open_until: dict[str, float] = {}
        self._read_at = 0.0
        self._reviewed_at = 0.0

    async def begin(self, tx: Connection) -> None:
        """Each provider has a row; weights of a provider that stands alone now are as they rest."""
        await known(tx, self.resting)
        alone = [name for name in self.resting if name not in self.scored]
        for name in alone:
            await tx.execute(
                sa.update(provider).where(provider.c.provider == name).values(weight=self.resting[name], trouble="")
            )
        await forget_old(tx, self._clock.now())

    async def read(self) -> None:
        """The weights and open breakers of all processes, at most a second old."""
        if wall() - self._read_at < READ_EVERY_S:
            return
        async with self._database.read() as db:
            rows = await all_rows(db)
        self._read_at = wall()
        self.weights |= {r.provider: r.weight for r in rows if r.provider in self.resting}
        self.open_until = {r.provider: r.open_until for r in rows}

    async def opened(self, name: str, until: float) -> None:
        """A breaker opened here: the others leave that provider alone too."""
        self.open_until[name] = until
        async with self._database.write() as tx:
            later = sa.and_(provider.c.provider == name, provider.c.open_until < until)
            await tx.execute(sa.update(provider).where(later).values(open_until=until))

    async def review(self) -> bool:
        """Moves the weights once in ten seconds; whether any moved."""
        now = self._clock.now()
        if not self.groups or now - self._reviewed_at < REVIEW_S:
            return False
        self._reviewed_at = now
        moved = False
        async with self._database.write() as tx:
            await locks.weights(tx)
            rows = {r.provider: r for r in await all_rows(tx)}
            calls = await lately(tx, now - CALLS_S, now + SLOT_S)
            receipts = await lately(tx, now - HEARD_FROM_S, now - HEARD_TO_S)
            failing = await down(tx)
            for group in self.groups:
                if any(now - rows[name].reviewed_at < REVIEW_S for name in group):
                    continue
                trouble = in_trouble(group, calls, receipts, failing)
                before = {name: rows[name].weight for name in group}
                after = move(before, {name: self.resting[name] for name in group}, trouble)
                for name in group:
                    which = sa.update(provider).where(provider.c.provider == name)
                    await tx.execute(which.values(weight=after[name], trouble=trouble.get(name, ""), reviewed_at=now))
                    self.weights[name] = after[name]
                if after != before:
                    moved = True
                    log.warning("weights_moved", weights=after, trouble=trouble)
        return moved


def in_trouble(
    group: Sequence[str], calls: Mapping[str, Sums], receipts: Mapping[str, Sums], failing: Collection[str] = ()
) -> dict[str, str]:
    """Who is, and why; nobody where all are: then it is the network, the phones or us."""
    found: dict[str, str] = {}
    came = {
        name: receipts[name].heard / receipts[name].accepted
        for name in group
        if name in receipts and receipts[name].accepted >= FEW_ACCEPTED
    }
    best = max(came.values(), default=0.0)
    for name in group:
        row = calls.get(name)
        if row is not None and row.calls >= FEW_CALLS and row.bad >= BAD * row.calls:
            found[name] = f"{row.bad} of {row.calls} calls went wrong"
        elif name in failing:
            found[name] = "its link test failed"
        elif came.get(name, best) < SILENT * best:
            found[name] = f"{came[name]:.0%} delivered, others {best:.0%}"
    return {} if len(found) == len(group) else found


def move(before: Mapping[str, float], resting: Mapping[str, float], trouble: Mapping[str, str]) -> dict[str, float]:
    """The weights after one review: points go from who is in trouble to who is not, or everybody drifts home."""
    after = dict(before)
    if not trouble:
        for name, weight in before.items():
            gap = resting[name] - weight
            after[name] = weight + max(-DRIFT, min(DRIFT, gap))
        return after
    well = [name for name in before if name not in trouble]
    freed = 0.0
    for name in trouble:
        step = min(STEP, max(0.0, before[name] - FLOOR))
        after[name] -= step
        freed += step
    for name in well:
        after[name] += freed / len(well)
    return after


def held_back(
    rooms: Mapping[str, int], alive: Collection[str], weights: Mapping[str, float], resting: Mapping[str, float]
) -> dict[str, int]:
    """Rooms for one claim. A provider that stands by, or whose weight was lowered, gets no more than its weight, also
    under load.

    As long as another is `alive` (not left alone by its breaker) with its weight whole; a full call window of that one waits.
    """
    low = {name for name, weight in weights.items() if weight <= 0 or weight < resting.get(name, 0.0)}
    whole = [name for name in alive if name not in low]
    if not whole or not low & rooms.keys():
        return dict(rooms)
    others = sum(rooms.get(name, 0) for name in whole)
    total = sum(weights.get(name, 0.0) for name in whole)
    return {
        name: min(room, math.ceil(others * weights[name] / total)) if name in low else room
        for name, room in rooms.items()
    }


def in_words(rows: Sequence[ProviderRow], groups: Sequence[Sequence[str]], now: float) -> dict[str, str]:
    """How each provider stands, for people: its weight beside its others, and whether it is passed over."""
    weights = {r.provider: r.weight for r in rows}
    weight: Counter[str] = Counter()
    for group in groups:
        total = sum(weights.get(name, 0.0) for name in group) or 1.0
        for name in group:
            weight[name] = max(weight[name], round(100 * weights.get(name, 0.0) / total))
    found = {}
    for r in rows:
        words = [english("share {n} %", n=weight[r.provider])] if r.provider in weight else []
        if r.open_until > now:
            words.append(english("left alone for {n:.0f} s", n=r.open_until - now))
        found[r.provider] = ", ".join([*words, r.trouble] if r.trouble else words)
    return found
