"""Hands messages over an SMPP line, part after part, without a task each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from services.channels.drivers.smpp.places import WindowPlaces
from services.channels.model.driver import Outcome, Result
from services.channels.model.outbound import Outbound
from services.channels.model.window import Done, MayGo

Told = Callable[[Result], None]
Begin = Callable[[Outbound, Done, MayGo, bool], bool]


class SmppWindow:
    """Red's, or that of all others: both have the same places, and red is given them first."""

    def __init__(self, red: bool, places: WindowPlaces, begin: Begin) -> None:
        self._red = red
        self._places = places
        self._begin = begin
        self.on_room: Callable[[], None] | None = None

    @property
    def free(self) -> int:
        return self._places.free

    def begin(self, message: Outbound, done: Done, may_go: MayGo) -> None:
        self._places.ask(self._red, partial(self._begin, message, done, may_go))


class PartsInOrder:
    """A message's parts, submitted one after the other so that they arrive in order; accepted when every one is."""

    def __init__(self, bodies: Sequence[bytes], submit: Callable[[bytes, Told], None], done: Told) -> None:
        self._bodies = bodies
        self._submit = submit
        self._done = done
        self._names: list[str] = []
        self._stopped = False

    def next(self) -> None:
        self._submit(self._bodies[len(self._names)], self._answered)

    def stop(self) -> None:
        """Submits no more of them; nobody waits for what comes of them."""
        self._stopped = True

    def _answered(self, result: Result) -> None:
        if self._stopped:
            return
        if result.outcome is not Outcome.ACCEPTED:
            # a part is out: whether they got anything readable nobody knows
            out = len(self._names)
            self._done(Result(Outcome.AMBIGUOUS, code=f"part {out + 1}: {result.code}") if out else result)
            return
        self._names.append(result.ref)
        if len(self._names) == len(self._bodies):
            self._done(Result(Outcome.ACCEPTED, ref=self._names[0], parts=tuple(self._names)))
        else:
            self.next()
