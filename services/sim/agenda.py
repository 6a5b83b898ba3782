"""The stand-ins' agenda: what happens at which warning time, run step by step or along a running clock."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from services.shared.clock import Clock, Waker

log = structlog.get_logger("sim")
Action = Callable[[], Awaitable[None]]
AT_ONCE = 50
_LONGEST_SLEEP_S = 0.5


class Agenda:
    """Actions in order of (warning time, key); actions of one time run beside each other, at most AT_ONCE.

    `quantum_s` above 0 rounds times up to its multiples, so that a simulation takes fewer steps.
    """

    def __init__(self, clock: Clock, quantum_s: float = 0.0) -> None:
        self.clock = clock
        self._quantum_s = quantum_s
        self._heap: list[tuple[float, str, int, Action]] = []
        self._count = 0
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._sooner = Waker()

    def at(self, when: float, key: str, action: Action) -> None:
        """Puts an action down for warning time `when`; one whose time has passed is due now."""
        if self._quantum_s > 0:
            when = math.ceil(when / self._quantum_s) * self._quantum_s
        self._count += 1
        if not self._heap or when < self._heap[0][0]:
            self._sooner.set()
        heapq.heappush(self._heap, (when, key, self._count, action))

    def next_at(self) -> float | None:
        """The warning time of the first action, or None."""
        return self._heap[0][0] if self._heap else None

    @property
    def busy(self) -> bool:
        """Whether an action is under way."""
        return self._running > 0

    def _due(self) -> deque[Action]:
        now = self.clock.now()
        due: deque[Action] = deque()
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[3])
        return due

    async def run_due(self) -> bool:
        """Runs what is due now, to its end; True if there was anything. An action's error ends the run."""
        due = self._due()
        if not due:
            return False

        async def work_off() -> None:
            while due:
                await self._run(due.popleft())

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(due))):
                group.create_task(work_off())
        return True

    async def _run(self, action: Action) -> None:
        self._running += 1
        try:
            await action()
        finally:
            self._running -= 1

    async def run_live(self, stop: asyncio.Event) -> None:
        """Runs each action at its time until `stop` is set; one that fails is logged and stops nobody else."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(action: Action) -> None:
            async with room:
                await self._run(action)

        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._sooner.set())
        while not stop.is_set():
            for action in self._due():
                task = asyncio.create_task(one(action))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
            first = self.next_at()
            wait = _LONGEST_SLEEP_S
            if first is not None:
                wait = min(wait, self.clock.wall_seconds(max(0.0, first - self.clock.now())))
            await self._sooner.wait(max(wait, 0.001))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(stopping, *self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("action_failed", exc_info=problem)
