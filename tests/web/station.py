"""An embedded Tocsin with a small community and its simulated world, whose time a test moves by hand."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
import sqlalchemy as sa

from services.gateway.intake.incoming import from_cap
from services.node import Node
from services.registry.sample.sample import import_community, mint
from services.run import build
from services.shared.clock import StepClock
from services.shared.ledger.ledger import answer_log, delivery, warning_state
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import ACTIONS, create_key
from services.sim.world import World
from tests.web import fixtures

SEED = 11


@dataclass
class Station:
    """The running system: `url`, a key that may do everything and one that may only read."""

    embedded: Node
    world: World
    clock: StepClock
    url: str
    key: str
    reader: str

    async def settle(self) -> None:
        """Everything of this instant, inside and outside; time stands still."""
        e = self.embedded
        while True:
            did = await self.world.agenda.run_due()
            did = await e.step() or did
            if self.world.busy or e.channels.busy:
                await asyncio.sleep(0)
                continue
            if not did:
                return

    async def later(self, seconds: float) -> None:
        """Lets `seconds` of warning time pass, event by event."""
        end = self.clock.now() + seconds
        while True:
            await self.settle()
            times = [await self.embedded.next_at(), self.world.agenda.next_at()]
            due = [t for t in times if t is not None and t <= end]
            if not due:
                break
            self.clock.advance_to(max(min(due), self.clock.now()))
        self.clock.advance_to(end)
        await self.settle()

    async def draft(self, cap: str) -> str:
        """Takes an alert in by the API, as a draft nobody has counted yet; the warning's id."""
        kind = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/cap+xml"}
        async with (
            aiohttp.ClientSession(headers=kind) as session,
            session.post(f"{self.url}/api/v1/warnings?strict=false&release=false", data=cap.encode()) as response,
        ):
            taken = await response.json(content_type=None)
            assert 202 == response.status, taken
        return str(taken["warning_id"])

    async def take(self, cap: str, tier: str | None = None, doors: str | None = None) -> str:
        """Takes an alert in and sends it by the API; the warning's id."""
        warning_id = await self.draft(cap)
        await self.settle()
        body = {"tier": tier, "doors": doors, "reason": "decided by the test"}
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.key}"}) as session,
            session.post(f"{self.url}/api/v1/warnings/{warning_id}/release", json=body) as response,
        ):
            released = await response.json(content_type=None)
            assert 202 == response.status, released
        await self.settle()
        return warning_id

    async def cancel(self, warning_id: str, ending: str) -> str:
        """Ends a warning by the API; the ending's id."""
        headers = {"Authorization": f"Bearer {self.key}"}
        body = {"ending": ending, "reason": "the test ends it"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.url}/api/v1/warnings/{warning_id}/cancel", json=body) as response,
        ):
            ended = await response.json(content_type=None)
            assert 202 == response.status, ended
        await self.settle()
        return str(ended["warning_id"])

    async def rows(self, query: sa.Select[Any]) -> list[Any]:
        """What the ledger holds."""
        async with self.embedded.platform.database.read() as db:
            return list((await db.execute(query)).all())

    async def state(self, warning_id: str) -> Any:
        """The warning's state row."""
        return (await self.rows(sa.select(warning_state).where(warning_state.c.warning_id == warning_id)))[0]

    async def shape(self) -> tuple[Any, ...]:
        """What a refused request must leave as it was: warnings with their state and doors, deliveries, answers."""
        states = await self.rows(
            sa.select(warning_state.c.warning_id, warning_state.c.state, warning_state.c.tier, warning_state.c.doors)
            .order_by(warning_state.c.warning_id)
        )  # fmt: skip
        counts = [(await self.rows(sa.select(sa.func.count()).select_from(t)))[0][0] for t in (delivery, answer_log)]
        return (tuple(tuple(s) for s in states), *counts)

    def list_link(self, warning_id: str, worker_id: str) -> str:
        """The link an officer gets."""
        return f"{self.url}/l/{self.embedded.platform.signer.token('list', f'{warning_id}-{worker_id}')}"

    def answer_link(self, delivery_id: str) -> str:
        """The link a resident or a helper gets."""
        return f"{self.url}/a/{self.embedded.platform.signer.token('answer', delivery_id)}"

    async def officers_of(self, warning_id: str) -> list[str]:
        """The pairs that have doors, most doors first."""
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
async def station(
    *, people: int = 150, plane: Literal["live", "drill"] = "live", officers: bool = False
) -> AsyncIterator[Station]:
    """Starts and stops it; simulated officers stay at home unless `officers`, so that a test may go their round."""
    community = mint(from_cap(fixtures.flood().encode(), strict=False).area, (), people=people, seed=SEED)
    clock = StepClock(fixtures.START)
    world = World(community, clock, SEED, 10.0, utc_offset_min=fixtures.OFFSET_MIN)
    before = dict(os.environ)
    await world.start()
    if not officers:
        world.officers.got_link = lambda worker, link: None  # type: ignore[method-assign]
    os.environ.update(world.environment)
    embedded: Node | None = None
    try:
        with tempfile.TemporaryDirectory(prefix="tocsin-web-") as folder:
            settings = Settings(
                data_dir=Path(folder), port=0, plane=plane, utc_offset_min=fixtures.OFFSET_MIN, hotline="12345"
            )
            embedded = await build(settings, clock=clock, synchronous="OFF", recorder_window_s=0.001)
            url = embedded.platform.public_url
            world.set_target(url)
            database = embedded.platform.database
            await import_community(database, embedded.platform.keys, community)
            key = await create_key(
                database, name="Qingshui County", label="duty officer", actions=ACTIONS, max_tier=Tier.RED
            )
            reader = await create_key(
                database, name="Qingshui County", label="reader", actions=["read"], max_tier=Tier.BLUE
            )
            try:
                yield Station(embedded, world, clock, url, key, reader)
            finally:
                await embedded.close()
    finally:
        for name in world.environment:
            os.environ.pop(name, None)
        os.environ.update(before)
        await world.stop()


def said(body: str) -> dict[str, Any]:
    """A problem document's members."""
    found = json.loads(body)
    assert isinstance(found, dict)
    return found
