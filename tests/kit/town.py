"""One town for every test of the whole system: all services in this process, on a clock that the test moves.

    async with open_town(people=60) as town:
        warning_id = await town.warn(alerts.flood())
        await town.at("+3 min")
        town.phone("+99970000012").expect_sms("Leave now")

With people it has a simulated world around it: provider, phones, officers, mailbox, broadcaster. Without, nobody is
registered and no driver is set up.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.gateway.intake.incoming import from_cap
from services.node import Node
from services.registry.resident import access
from services.registry.sample.sample import import_community, mint
from services.router.clock import alarm_messages
from services.run import build
from services.shared.clock import StepClock
from services.shared.crypto.sealing import Opener, page_key
from services.shared.ledger.answers import answer_log
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from services.shared.powers.who import ACTIONS
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import api_key, create_key
from services.sim.world import World
from tests.kit import alerts
from tests.kit.square import SENT

SEED = 11
_NTH = count(1)  # no two keys of an installation have one label
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Phone:
    """One number of the simulated world: what came to it, and what its owner writes."""

    town: Town
    number: str

    @property
    def texts(self) -> list[str]:
        """The short messages it got, the oldest first."""
        return [m.form["Body"] for m in self.town.outside.sandbox.messages.values() if m.form["To"] == self.number]

    def expect_sms(self, *words: str) -> str:
        """The newest message with all of these words; the test fails with what came instead."""
        found = [text for text in self.texts if all(word in text for word in words)]
        assert found, f"{self.number} got no message with {words}, but {self.texts}"
        return found[-1]

    async def writes(self, text: str, key: str) -> None:
        """Answers by text, through the provider's signed callback; `key` names this text among all."""
        await self.town.outside.sandbox.inbound(sender=self.number, to="+15550100", body=text, key=key)
        await self.town.settle()


@dataclass
class Town:
    """The running system: `url`, a `key` that may do everything, one (`reader`) that may only read."""

    node: Node
    clock: StepClock
    session: aiohttp.ClientSession
    url: str
    key: str
    reader: str
    world: World | None = None
    authority: str = "Qingshui"

    # ---- time

    async def settle(self) -> None:
        """Everything of this instant, inside and outside; time stands still.

        A round begins with nothing under way: what ends within a round may leave work with those asked before it.
        """
        while True:
            if self.busy:
                await asyncio.sleep(0)
                continue
            did = self.world is not None and await self.world.agenda.run_due()
            did = await self.node.step() or did
            if not did and not self.busy:
                return

    @property
    def busy(self) -> bool:
        """Whether anything is under way, inside or outside."""
        return self.node.channels.busy or (self.world is not None and self.world.busy)

    async def at(self, when: str) -> None:
        """Lets so much warning time pass ("+30 s", "+3 min", "+2 h"), event by event."""
        given = re.fullmatch(r"\+([\d.]+) (s|min|h)", when)
        assert given is not None, f"{when!r} is no time to move on by: say +30 s, +3 min or +2 h"
        end = self.clock.now() + float(given[1]) * UNITS[given[2]]
        while True:
            await self.settle()
            times = [await self.node.next_at(), self.world.agenda.next_at() if self.world is not None else None]
            due = [t for t in times if t is not None and t <= end]
            if not due:
                break
            self.clock.advance_to(max(min(due), self.clock.now()))
        self.clock.advance_to(end)
        await self.settle()

    # ---- what an authority does, by the API

    async def post(self, cap: bytes, *, key: str = "", **query: str) -> tuple[int, Any]:
        """A CAP document as it is; status and answer."""
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/cap+xml"}
        url = f"{self.url}/api/v1/warnings"
        async with self.session.post(url, data=cap, headers=headers, params=query) as response:
            return response.status, await response.json(content_type=None)

    async def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        """Any request with a key; status and answer. A release approves what is there, where the body names nothing else."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        if method == "POST" and path.endswith("/release") and isinstance(body, dict) and "approves" not in body:
            _, seen = await self.call("GET", path.removesuffix("/release"), key=key)
            places = list(seen.get("places", {}).values())
            body = {"place": places[0] if places else ""} | body | {"approves": seen.get("approval") or ""}
        async with self.session.request(method, self.url + path, json=body, headers=headers) as response:
            return response.status, json.loads(await response.read() or b"null")

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, Mapping[str, str]]:
        """Without a key, as anybody."""
        async with self.session.get(self.url + path, headers=headers) as response:
            return response.status, await response.read(), response.headers

    async def draft(self, cap: str) -> str:
        """Takes an alert in, as a draft nobody has counted yet; the warning's id."""
        status, taken = await self.post(cap.encode(), strict="false", release="false")
        assert 202 == status, taken
        return str(taken["warning_id"])

    async def warn(self, cap: str, tier: str | None = None, doors: str | None = None) -> str:
        """Takes an alert in and sends it; the warning's id."""
        warning_id = await self.draft(cap)
        await self.settle()
        body = {"tier": tier, "doors": doors, "reason": "decided by the test"}
        status, released = await self.call("POST", f"/api/v1/warnings/{warning_id}/release", body)
        assert 202 == status, released
        await self.settle()
        return warning_id

    async def cancel(self, warning_id: str, ending: str) -> str:
        """Ends a warning; the ending's id."""
        body = {"ending": ending, "reason": "the test ends it"}
        status, ended = await self.call("POST", f"/api/v1/warnings/{warning_id}/cancel", body)
        if ended.get("state") == "held":  # it takes two persons
            second = await self.new_key(label=f"a colleague {next(_NTH)}")
            status, ended = await self.call("POST", f"/api/v1/warnings/{warning_id}/cancel", body, key=second)
        assert 202 == status, ended
        await self.settle()
        return str(ended["warning_id"])

    async def state(self, warning_id: str) -> str:
        """The warning's state, as the API says it."""
        _, found = await self.call("GET", f"/api/v1/warnings/{warning_id}")
        return str(found["state"])

    async def new_key(self, **grant: Any) -> str:
        """A key of the same authority, unless told otherwise."""
        chosen: dict[str, Any] = {
            "name": self.authority,
            "label": f"other {next(_NTH)}",
            "actions": ACTIONS,
            "max_tier": Tier.RED,
            "alone": Tier.RED,
        } | grant
        return await create_key(self.node.platform.database, **chosen)

    # ---- who is outside

    @property
    def outside(self) -> World:
        """The simulated world."""
        assert self.world is not None, "nobody lives here: open the town with people"
        return self.world

    def phone(self, number: str) -> Phone:
        """The phone of that number."""
        return Phone(self, number)

    def phone_of(self, delivery_id: str) -> Phone:
        """The phone that a delivery came to."""
        return self.phone(next(a.to for a in self.outside.accepts if a.delivery == delivery_id))

    def list_link(self, warning_id: str, worker_id: str) -> str:
        """The link a team gets."""
        return f"{self.url}/l/{self.node.platform.signer('links').token('list', f'{warning_id}-{worker_id}')}"

    @staticmethod
    async def open_list(page: Page, link: str) -> None:
        """A team's list on the phone of `page`, opened there where it was not yet."""
        await page.goto("about:blank")  # else a page that renews itself cuts the visit short
        await page.goto(link)
        if await page.locator("#open").count():
            await page.click("#open button")
            await page.wait_for_url(link)

    async def phone_for_lists(self, link: str, code: str = "") -> aiohttp.ClientSession:
        """A phone of its own on which that list was opened; the caller closes it."""
        phone = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        async with phone.post(f"{link}/open", data={"code": code}) as response:
            assert 200 == response.status, await response.text()
        return phone

    def answer_link(self, delivery_id: str) -> str:
        """The link a resident or a helper gets."""
        return f"{self.url}/a/{self.node.platform.signer('links').token('answer', delivery_id)}"

    # ---- what the ledger holds

    async def rows(self, query: sa.Select[Any]) -> list[Any]:
        """What a query finds."""
        async with self.node.platform.database.read() as db:
            return list((await db.execute(query)).all())

    async def warning(self, warning_id: str) -> Any:
        """The warning's row."""
        return (await self.rows(sa.select(warning_state).where(warning_state.c.warning_id == warning_id)))[0]

    async def shape(self) -> tuple[Any, ...]:
        """What a refused request must leave as it was: warnings with their state and doors, deliveries, answers."""
        states = await self.rows(
            sa.select(warning_state.c.warning_id, warning_state.c.state, warning_state.c.tier, warning_state.c.doors)
            .order_by(warning_state.c.warning_id)
        )  # fmt: skip
        counts = [(await self.rows(sa.select(sa.func.count()).select_from(t)))[0][0] for t in (delivery, answer_log)]
        return (tuple(tuple(s) for s in states), *counts)

    async def opened(self, sealed: bytes, key_id: str, owner: str) -> bytes:
        """A sealed value, opened with the installation's own keys."""
        opener = Opener(self.node.platform.keys.private)
        for row in await self.rows(sa.select(page_key)):
            opener.learn(row.key_id, row.wrapped)
        return opener.open(sealed, key_id, owner)

    async def officers_of(self, warning_id: str) -> list[str]:
        """The teams that have doors, most doors first."""
        found = await self.rows(
            sa.select(delivery.c.slot, sa.func.count().label("n"))
            .where(delivery.c.warning_id == warning_id, delivery.c.channel == "door", delivery.c.slot != "")
            .group_by(delivery.c.slot)
            .order_by(sa.func.count().desc(), delivery.c.slot)
        )
        return [row.slot for row in found]

    async def delivery_of(self, warning_id: str, kind: str) -> str:
        """A delivery to somebody of that kind (person, supporter, ...)."""
        found = await self.rows(
            sa.select(delivery.c.delivery_id)
            .where(delivery.c.warning_id == warning_id, delivery.c.addressee_kind == kind)
            .order_by(delivery.c.delivery_id)
        )
        return str(found[0].delivery_id)


@asynccontextmanager
async def open_town(
    folder: Path | None = None,
    *,
    people: int = 0,
    start: float | None = None,
    plane: str = "live",
    officers: bool = False,
    looks_at_once: bool = False,
    **settings: Any,
) -> AsyncIterator[Town]:
    """A town in a folder of its own, on SQLite or on the database of `database_url`; `settings` are Tocsin's.

    Simulated officers stay at home unless `officers`. With `looks_at_once` nobody looks by the wall's clock alone:
    word of alarms and sign-in codes go out in the instant they are due. An hour of this clock may hold a whole file of
    tests: how many warnings an hour are one person's is no limit here, unless `rate` says so.
    """
    settings = {"rate": 1_000_000} | settings
    async with AsyncExitStack() as undo:
        if folder is None:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-town-")))
        if looks_at_once:
            patch = undo.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(alarm_messages, "EVERY_S", 0.0)
            patch.setattr(access, "EVERY_S", 0.0)
        if not people:
            clock = StepClock(SENT if start is None else start)
            yield await _opened(undo, clock, Settings(data_dir=folder, port=0, plane=plane, **settings))
            return
        clock = StepClock(alerts.START if start is None else start)
        community = mint(from_cap(alerts.flood().encode(), strict=False).area, (), people=people, seed=SEED)
        world = World(community, clock, SEED, 10.0, utc_offset_min=alerts.OFFSET_MIN)
        await world.start()
        undo.push_async_callback(world.stop)
        if not officers:
            world.officers.got_link = lambda worker, link: None  # type: ignore[method-assign]
        undo.callback(_put_back, dict(os.environ), world.environment)
        os.environ.update(world.environment)
        chosen: dict[str, Any] = {"utc_offset_min": alerts.OFFSET_MIN, "hotline": "12345"} | settings
        town = await _opened(
            undo, clock, Settings(data_dir=folder, port=0, plane=plane, **chosen), "Qingshui County", "duty officer"
        )
        town.world = world
        world.set_target(town.url)
        await import_community(town.node.platform.database, town.node.platform.keys, community)
        yield town


async def _opened(
    undo: AsyncExitStack, clock: StepClock, settings: Settings, authority: str = "Qingshui", label: str = "duty"
) -> Town:
    node = await build(settings, clock=clock, synchronous="OFF", recorder_window_s=0.001)
    undo.push_async_callback(node.close)
    session = await undo.enter_async_context(aiohttp.ClientSession())
    town = Town(node, clock, session, node.platform.public_url, "", "", authority=authority)
    async with node.platform.database.read() as db:
        opened_before = (await db.scalar(sa.select(sa.func.count()).select_from(api_key))) or 0
    mark = f" {opened_before}" if opened_before else ""  # no two keys have one label
    town.key = await town.new_key(label=label + mark)
    town.reader = await town.new_key(label="reader" + mark, actions=["read"], max_tier=Tier.BLUE)
    return town


def _put_back(before: Mapping[str, str], mine: Mapping[str, str]) -> None:
    for name in mine:
        os.environ.pop(name, None)
    os.environ.update(before)


def said(body: str) -> dict[str, Any]:
    """A problem document's members."""
    found = json.loads(body)
    assert isinstance(found, dict)
    return found
