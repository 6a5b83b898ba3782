"""Takes what a phone kept while it had no network: taps at doors, each with an id and its own time; and serves its worker.

A phone sends its events in their order until each is taken or refused. The same event sent again is taken and changes
nothing. A phone's clock may be wrong by hours: what counts is how long before the sending it was tapped. It may be put right in
between: what was tapped later counts as later all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Annotated, Literal, TypedDict

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from services.channels.messages import list_links
from services.channels.pages import store
from services.channels.pages.at_the_door import UNDO, AtTheDoor
from services.channels.pages.team_signs import keep_tapped
from services.shared.errors import Busy, Fault, NotAllowed, Refused
from services.shared.i18n import told
from services.shared.service import Platform
from services.shared.web.answers import Json, json_body
from services.shared.web.cached_bytes import bytes_to_all
from services.shared.web.cookies import LIST_COOKIE, cookie_of

MOST = 200  # events of one sending; a phone sends the rest after them
SIGNS = ("here", "back")
APART_S = 0.001  # two taps that the phone's clock cannot tell apart
EventId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
PhoneTime = Annotated[float, Field(ge=0, le=1e15)]  # milliseconds by the phone's clock
# Beside the lists, so that it may serve them without a network, and nothing else.
WORKER = (resources.files("services.channels.pages") / "static" / "list-worker.js").read_bytes()


class EventIn(BaseModel):
    """One tap: what was said of which door, when by the phone's clock; an undo names the event it takes back.

    Without a door it is a sign of life of the team.
    """

    model_config = ConfigDict(extra="forbid")
    event: EventId
    door: EventId | Literal[""]
    outcome: Annotated[str, Field(max_length=20)]
    at: PhoneTime
    of: EventId | Literal[""] = ""


class EventsIn(BaseModel):
    """What a phone has not got rid of yet, in its order; `now` by the phone's clock."""

    model_config = ConfigDict(extra="forbid")
    now: PhoneTime
    events: Annotated[list[EventIn], Field(max_length=MOST)]


class RefusedEvent(TypedDict):
    """An event that will never be taken, and why, in the reader's language."""

    event: str
    why: str


class EventsTaken(TypedDict):
    """What became of the events; `list` is another one as soon as the list says something else than the phone shows."""

    taken: list[str]
    refused: list[RefusedEvent]
    list: str


def times_of(taps: Sequence[float], sent: float, now: float, opened_at: float | None) -> list[float]:
    """When each of them was tapped, in warning time, each later than the one before it: the order is the phone's own.

    `taps` and `sent` are milliseconds by its clock, `now` and `opened_at` warning time. None was tapped before the list was
    opened, or after it was sent; where the clock was changed in between, a later tap says more than an earlier one.
    """
    found: list[float] = []
    for tapped in reversed(taps):
        at = now - max(0.0, sent - tapped) / 1000
        found.append(at if not found else min(at, found[-1] - APART_S))
    if opened_at is None:
        return found[::-1]
    return [max(at, opened_at + n * APART_S) for n, at in enumerate(reversed(found))]


class ListEvents:
    """The handlers of a list's script."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._door = AtTheDoor(platform)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/l/worker.js, and the events of a list."""
        return (web.get("/l/worker.js", self.worker), web.post("/l/{token}/events", self.events))

    async def worker(self, request: web.Request) -> web.StreamResponse:
        """The script that keeps lists where there is no network."""
        return bytes_to_all(request, WORKER, "text/javascript; charset=utf-8", "max-age=3600")

    async def events(self, request: web.Request) -> Json[EventsTaken]:
        """Each event is taken or refused alone. Busy where the database is away: the phone keeps them all."""
        now = self._platform.clock.now()
        async with self._platform.database.read() as db:
            link = await list_links.valid_link(db, self._platform.signer("links"), request.match_info["token"], now)
        if not link.opens_on(cookie_of(request, LIST_COOKIE)):
            raise NotAllowed("this list is not open on this device: open it again", field="link", rule="link.device")
        given = await json_body(request, EventsIn)
        async with self._platform.database.read() as db:
            known = await store.known_events(db, [store.event_key(one.event) for one in given.events])
        taken: list[str] = []
        refused: list[RefusedEvent] = []
        times = times_of([one.at for one in given.events], given.now, now, link.opened_at)
        for one, at in zip(given.events, times, strict=True):
            try:
                if not one.door:
                    await self._sign(link, one.outcome, one.event, at)
                elif one.outcome == UNDO:
                    if not one.of:
                        raise Refused("of: name the event that is taken back", field="of", rule="undo")
                    await self._door.undo(link, one.door, at, one.of)
                elif store.event_key(one.event) not in known:
                    await self._door.note(link, one.door, one.outcome, one.event, at)
            except Busy:
                raise
            except Fault as fault:
                refused.append({"event": one.event, "why": told(fault.message)})
            else:
                taken.append(one.event)
        if not all(one.door for one in given.events):
            self._platform.wake.router.set()
        async with self._platform.database.read() as db:
            warning = await store.state_of(db, link.warning_id)
            rows = await store.visits(db, link.warning_id, link.slot)
        return Json({"taken": taken, "refused": refused, "list": store.shape_of(warning, rows, now)})

    async def _sign(self, link: list_links.ListLink, said: str, event: str, at: float) -> None:
        """Of those that a team may give without being asked again. Refused where it is none, NotFound of no team's list."""
        if said not in SIGNS:
            choices = ", ".join(SIGNS)
            raise Refused(
                f"outcome: without a door choose one of {choices}", field="outcome", rule="closed_list", given=said
            )
        async with self._platform.database.write() as tx:
            await keep_tapped(tx, link, said, event, at)
