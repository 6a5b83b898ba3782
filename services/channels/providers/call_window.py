"""Bounds a driver's calls under way, and the few intended beyond them; red has a call window of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from services.channels.model.driver import Channel, Driver, QueueName
from services.channels.model.window import Windowed
from services.channels.providers.breaker import PROBES, Breaker
from services.channels.providers.country_limits import CountryLimits
from services.shared.clock import wall

AHEAD, AHEAD_S = 200, 0.1  # intended beyond the calls under way: at most so many, and what begins in that time
LATE_S = 0.25  # an intended call that waited so long is near its end: fewer are intended ahead
UNWRITTEN = 1000  # outcomes that wait for the database: beyond them nothing new is begun


@dataclass
class CallWindow:
    """A driver's calls for red, or for the rest: those under way, and a few that wait.

    An answered call frees its place at once; its outcome is written with others', for which no call waits.
    """

    driver: Driver
    red: bool
    most_ahead: int = AHEAD
    channels: tuple[Channel, ...] = ()  # as they are in this country
    breaker: Breaker = field(default_factory=Breaker)  # one a provider: its two call windows share it
    in_flight: set[asyncio.Task[None]] = field(default_factory=set)
    unwritten: int = 0  # calls without a task, until what came of them is on disk
    begun: int = 0  # intended and not answered
    call_s: float = 0.0  # how long a call takes, lately
    ahead: float = 0.0  # grows while calls begin in time, halves where one does not: the machine has other work too
    grows_by: float = 1.0  # a call; a tenth once one was late
    paced_until: float = 0.0  # wall; its rate is used up until then
    on_room: Callable[[], None] | None = None  # told when there is room again

    def __post_init__(self) -> None:
        self.places = asyncio.Semaphore(self.driver.concurrency)
        self.calls = self.driver.window(self.red) if isinstance(self.driver, Windowed) else None

    @property
    def busy(self) -> bool:
        """Whether a call is under way, or what came of one is not written yet."""
        return bool(self.in_flight) or self.unwritten > 0

    @property
    def works(self) -> bool:
        """It can send, and some channel of it is open here."""
        return bool(self.channels) and not self.driver.why_not()

    @property
    def name(self) -> QueueName:
        return self.driver.name, self.red

    @property
    def size(self) -> int:
        """How many may be intended at once: what begins at once, and soon."""
        return self._size(wall())

    def _size(self, now: float) -> int:
        if self.breaker.probing(now):
            return min(PROBES, self.driver.concurrency)
        soon = int(AHEAD_S * self.driver.concurrency / self.call_s) if self.call_s else 0
        return self.driver.concurrency + min(int(self.ahead), soon)

    def roomy(self) -> bool:
        """Whether a claim is worth its transaction: for red always, else when half of the call window is free."""
        now = wall()
        if self.breaker.is_open(now) or now < self.paced_until:
            return False
        size = self._size(now)
        return self._free(size) >= (1 if self.red else (size + 1) // 2)

    def free(self) -> int:
        return self._free(self.size)

    def _free(self, size: int) -> int:
        return min(size - self.begun, UNWRITTEN - len(self.in_flight) - self.unwritten)

    def rest(self, seconds: float) -> None:
        """Its provider's rate is used up for so long; nothing, where it is not."""
        if not seconds:
            return
        self.paced_until = wall() + seconds
        if self.on_room is not None:
            asyncio.get_running_loop().call_later(seconds, self.on_room)

    def begins(self, waited: float) -> None:
        """A call begins so long after its intent."""
        if waited < LATE_S:
            self.ahead = min(self.most_ahead, self.ahead + self.grows_by)
        else:
            self.ahead, self.grows_by = self.ahead / 2, 0.1

    def answered(self, seconds: float) -> None:
        """A call has ended after so long."""
        self.begun -= 1
        self.call_s += (seconds - self.call_s) * (0.1 if self.call_s else 1.0)
        # whether there is room is only asked where there may be: this is done for every call
        if self.red or 2 * self.begun <= self.driver.concurrency + self.ahead:
            self._told()

    def on_disk(self) -> None:
        """What came of a call without a task is written, or will never be."""
        kept_back = UNWRITTEN - len(self.in_flight) - self.unwritten < self.driver.concurrency + self.ahead
        self.unwritten -= 1
        if kept_back:
            self._told()

    def _told(self) -> None:
        if self.on_room is not None and self.roomy():
            self.on_room()


def call_windows(
    drivers: Iterable[Driver],
    limits: CountryLimits,
    on_room: Callable[[bool], Callable[[], None] | None],
    most_ahead: int,
) -> list[CallWindow]:
    """Two a driver, for red and for the rest, that share its breaker; `on_room(red)`: whom each tells of room."""
    return [
        CallWindow(one, red, most_ahead, limits.channels(one), breaker, on_room=on_room(red))
        for one, breaker in ((one, Breaker()) for one in drivers)
        for red in (True, False)
    ]
