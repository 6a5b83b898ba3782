"""Serves the live page's event stream: the parts that changed, never more than a page may cost a minute.

Each message is a set of whole parts and carries as its id what the reader has from then on, so that one who comes back is
sent what is new alone. Between them a beat says until when the figures hold. It ends with the sign-in, and with the process.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from aiohttp import web

from services.router.report.snapshot import Glance, Snapshots, marks, sentence
from services.shared.database.engine import may_be_tried_again
from services.shared.errors import Fault, TooMany
from services.shared.powers.may import must
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.edge import known_caller
from services.shared.web.html import local_time

MOST = 60  # open at once in a process
MOST_EACH = 8  # of one caller: forgotten tabs keep nobody else out
LOOK_S = 4.0  # wall
AGE = 0.5  # of it: who reads the same as another is shown what was taken for them so long ago at most
BYTES_A_MINUTE = 45_000  # a large part is paid for after it went: fifty thousand in any one minute
URGENT = ("recall", "top", "now", "help", "teams", "warnings")
LEVEL, FLUSH = 6, 16  # of packing; bytes that end a message
FOR_URGENT = 0.6  # of the bytes
_HAVE = re.compile(r"([a-z]{2,12}:[0-9a-f]{8})(,[a-z]{2,12}:[0-9a-f]{8}){0,20}")


def read_have(text: str) -> dict[str, str]:
    """What a reader says they have; nothing where that is not ours."""
    return dict(one.split(":") for one in text.split(",")) if _HAVE.fullmatch(text[:400]) else {}


def said_have(have: Mapping[str, str]) -> str:
    """The same as an id."""
    return ",".join(f"{name}:{mark}" for name, mark in have.items())


def event(name: str, data: str, mark: str = "") -> bytes:
    """One message of the stream; a message without a name brings parts."""
    head = (f"event: {name}\n" if name else "") + (f"id: {mark}\n" if mark else "")
    return (head + "".join(f"data: {line}\n" for line in data.split("\n")) + "\n").encode()


class Allowance:
    """So many bytes a minute, half of them at once, in two shares: what is urgent and changes at every look leaves the rest
    its own, so that it comes too."""

    def __init__(self, now: float, a_minute: int = BYTES_A_MINUTE) -> None:
        self._urgent = _Share(now, a_minute * FOR_URGENT)
        self._rest = _Share(now, a_minute * (1 - FOR_URGENT))

    def spend(self, size: int, now: float, *, urgent: bool) -> bool:
        """Whether it may go now."""
        return (self._urgent if urgent else self._rest).spend(size, now)


class _Share:
    """What is larger than all that may go at once waits until nothing was sent for a while, and is paid for after."""

    def __init__(self, now: float, a_minute: float) -> None:
        self._full, self._left, self._at = a_minute / 2, a_minute / 2, now
        self._a_second = a_minute / 120

    def spend(self, size: int, now: float) -> bool:
        self._left = min(self._full, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left < min(size, self._full):
            return False
        self._left -= size
        return True


def packed_size(body: bytes) -> int:
    """What a part costs in a packed stream at most, in bytes: alone, without what the stream has shown before."""
    return len(zlib.compress(body, LEVEL)) + FLUSH


class _Wire:
    """Writes messages, packed where the reader takes that; each goes at once."""

    def __init__(self, response: web.StreamResponse, packed: bool) -> None:
        self._response = response
        self._pack = zlib.compressobj(LEVEL, wbits=31) if packed else None
        self.size: Callable[[bytes], int] = packed_size if packed else len

    async def write(self, message: bytes) -> None:
        if self._pack is not None:
            message = self._pack.compress(message) + self._pack.flush(zlib.Z_SYNC_FLUSH)
        await self._response.write(message)


def changed(
    shown: Mapping[str, str],
    have: Mapping[str, str],
    allowance: Allowance,
    now: float,
    waited: list[str],
    size: Callable[[bytes], int] = len,
) -> tuple[str, dict[str, str]]:
    """The parts to send, and what the reader has then; a part of theirs that is not shown any more is emptied.

    `waited` is their order, and is brought up to date: what was sent goes to its end, so that a part that changes at every look
    keeps no other one from going. `size` is what a part costs on its way, in bytes.
    """
    has, bodies, full = dict(have), [], {True: False, False: False}
    new = marks(shown)
    names = [*shown, *(gone for gone in have if gone not in shown)]
    waited.extend(name for name in names if name not in waited)
    for name in [name for name in waited if name in names]:
        if new.get(name) == have.get(name):
            continue
        body = f'<hx-partial hx-target="#part-{name}" hx-swap="innerMorph">{shown.get(name, "")}</hx-partial>'
        urgent = name in URGENT
        if full[urgent] or not allowance.spend(size(body.encode()), now, urgent=urgent):
            full[urgent] = True  # it has waited longest: what comes after takes nothing from it
            continue
        bodies.append(body)
        waited.remove(name)
        waited.append(name)
        if name in new:
            has[name] = new[name]
        else:
            del has[name]
    return "\n".join(bodies), has


class LiveStream:
    """The handler of /live/{id}/stream, marked and routed by the pages."""

    def __init__(self, platform: Platform, snapshots: Snapshots) -> None:
        self._platform = platform
        self._snapshots = snapshots
        self._open: dict[str, int] = {}
        self.over = asyncio.Event()

    def stop(self) -> None:
        """Ends all that are open."""
        self.over.set()

    async def serve(self, request: web.Request, who: Who) -> web.StreamResponse:
        """TooMany where so many are open; what goes wrong later ends the stream, and its reader comes back."""
        mine = self._open.get(who.actor, 0)
        if sum(self._open.values()) >= MOST or mine >= MOST_EACH:
            raise TooMany(
                f"{MOST_EACH} live pages of yours or {MOST} in all are open: close one, or read it by loading it again",
                retry_after=60,
            )
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'",
            }
        )  # fmt: skip
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        self._open[who.actor] = mine + 1
        try:
            await response.prepare(request)
            await self._run(request, _Wire(response, packed))
        except (ConnectionError, asyncio.CancelledError):  # the reader went away
            return response
        finally:
            self._open[who.actor] -= 1
            if not self._open[who.actor]:
                del self._open[who.actor]
        return response

    async def _run(self, request: web.Request, wire: _Wire) -> None:
        have = read_have(request.headers.get("Last-Event-ID", "") or request.query.get("have", ""))
        loop, spoken = asyncio.get_running_loop(), ""
        allowance, waited = Allowance(loop.time(), BYTES_A_MINUTE), list[str]()
        while not self.over.is_set():
            try:
                shown = await self._look(request)
            except Fault:  # signed out, or may not any more
                await wire.write(event("ended", "{}"))
                return
            except (sa.exc.SQLAlchemyError, TimeoutError) as trouble:
                if not may_be_tried_again(trouble):
                    raise
                return  # the page says that its figures stopped
            values = shown.values
            body, have = changed(shown.parts, have, allowance, loop.time(), waited, wire.size)
            if body:
                await wire.write(event("", body, said_have(have)))
            said = sentence(values)
            beat: dict[str, object] = {
                "at": local_time(values["now"], self._platform.settings.offset_at),
                "title": values["headline"],
            }
            beat |= ({"say": said} if said != spoken else {}) | ({} if values["running"] else {"over": True})
            spoken = said
            await wire.write(event("beat", json.dumps(beat, ensure_ascii=False)))
            if not values["running"]:
                return
            await self._wait()

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self.over.wait(), LOOK_S)
        except TimeoutError:
            return

    async def _look(self, request: web.Request) -> Glance:
        """Asks anew who calls and whether they may; a Fault where not."""
        warning_id = request.match_info["warning_id"]
        who = await known_caller(request)
        async with self._platform.database.read() as db:
            thing = await warning_thing(db, who, warning_id)
        must(who, Power.WATCH, thing)
        return await self._snapshots.shown(warning_id, who, thing, AGE * LOOK_S)
