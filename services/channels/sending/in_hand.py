"""Keeps what this process has claimed and not begun, and the flights it has begun: the truth about its own name.

A transaction whose end is unknown may have claimed a batch or opened a flight of which this process knows nothing. Nothing
of it was called, so that it may be given back as soon as nobody is at work (`Leases.recover`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from services.channels.model.driver import QueueName
from services.channels.model.flight import Flight
from services.channels.sending.claims import Claimed
from services.shared.ledger.tables import Delivery


class InHand:
    """Batches by send queue, most urgent first, and flights."""

    def __init__(self) -> None:
        self._claimed: dict[QueueName, list[Claimed]] = defaultdict(list)
        self._flights: dict[str, Flight] = {}
        self._at_work = 0
        self.lost = False  # a transaction ended, and nobody knows how

    @contextmanager
    def working(self, queue: QueueName) -> Iterator[None]:
        """Somebody claims and intends; where that fails, the queue's batches and flights stand, and are in no hand."""
        self._at_work += 1
        try:
            yield
        except BaseException:
            self._claimed[queue].clear()
            self.lost = True
            raise
        finally:
            self._at_work -= 1

    @property
    def at_work(self) -> bool:
        return self._at_work > 0

    def count(self, queue: QueueName) -> int:
        """Deliveries of a queue that are claimed and not begun."""
        return sum(len(one.rows) for one in self._claimed[queue])

    def missing(self, queue: QueueName, room: int, tiers: Sequence[int]) -> tuple[int, list[int]]:
        """How many more to claim, and of which of the `tiers` that wait: all, or those more urgent than what is in hand."""
        left = room
        for one in self._claimed[queue]:
            left -= len(one.rows)
            if left <= 0:
                return room, [tier for tier in tiers if tier > one.tier]
        return left, list(tiers)

    def add(self, queue: QueueName, claimed: Iterable[Claimed]) -> None:
        mine = self._claimed[queue]
        mine += claimed
        mine.sort(key=lambda one: (-one.tier, one.due_at, one.batch_id))

    def draw(self, queue: QueueName, room: int) -> list[Delivery]:
        """The next deliveries, out of the hand."""
        taken: list[Delivery] = []
        for one in self._claimed[queue]:
            some = one.rows[: room - len(taken)]
            del one.rows[: len(some)]
            taken += some
            if len(taken) >= room:
                break
        return taken

    def put_back(self, queue: QueueName, rows: Iterable[Delivery]) -> None:
        """Taken, and there was no room for it: the next ones again."""
        by_batch: dict[str, list[Delivery]] = defaultdict(list)
        for row in rows:
            by_batch[row.batch_id].append(row)
        for one in self._claimed[queue]:
            one.rows[:0] = by_batch.get(one.batch_id, ())

    def emptied(self, batches: Collection[str]) -> set[str]:
        """Those of `batches` of which nothing is left to be begun."""
        left = {one.batch_id for mine in self._claimed.values() for one in mine if one.rows}
        return set(batches) - left

    def drop(self, batches: Collection[str]) -> None:
        """These are in hand no more; nor is what is empty."""
        for queue, mine in self._claimed.items():
            self._claimed[queue] = [one for one in mine if one.rows and one.batch_id not in batches]

    def fly(self, flights: Iterable[Flight]) -> None:
        self._flights |= {one.flight_id: one for one in flights}

    def batches(self) -> list[str]:
        """Batches in hand."""
        return sorted(one.batch_id for mine in self._claimed.values() for one in mine)

    def flights(self) -> list[str]:
        """Flights whose outcomes are not all written yet."""
        self._flights = {name: one for name, one in self._flights.items() if one.left > 0}
        return sorted(self._flights)

    def let_go(self, queues: Iterable[QueueName] | None = None) -> list[str]:
        """The batches of these queues are in hand no more; of all queues where none are named. Returns them."""
        names = list(self._claimed if queues is None else queues)
        return [one.batch_id for name in names for one in self._claimed.pop(name, ())]

    def next_at(self) -> float | None:
        """Warning time at which the first of what is in hand was due."""
        return min((one.due_at for mine in self._claimed.values() for one in mine if one.rows), default=None)
