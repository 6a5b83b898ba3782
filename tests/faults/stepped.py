"""The real services in this process on a clock that is moved by hand, against the misbehaving stand-in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from services.node import Node
from services.router.cases.handling import CaseIn, act
from services.router.policy.vocabulary import FIRE_SERVICE
from services.run import build
from services.shared.bus.outbox import new_id
from services.shared.clock import StepClock
from services.shared.ledger import team_signs
from services.shared.ledger.team_signs import SignKind
from services.shared.powers.who import Who
from services.shared.settings import Settings
from services.sim.world import World
from tests.faults.ground import Ground
from tests.faults.harness import ALERT, NAMES_NOT_TAKEN, SENT, Prepared

HORIZON_S = 6 * 3600.0
OFFICER = Who("desk", "duty desk", "tests", ("read", "command"), 4)


@dataclass
class Stepped:
    """One warning under way; `until` moves time on."""

    node: Node
    world: World
    clock: StepClock
    ground: Ground
    warning_id: str = ""

    def rows(self, statement: str, *values: object) -> list[Any]:
        return self.ground.rows(statement, *values)

    def all_ended(self) -> bool:
        """Whether everybody has a path and none is open."""
        complete = self.rows("SELECT count(*) FROM router_warning WHERE complete")[0][0]
        unsettled = "SELECT count(*) FROM delivery WHERE send_state IN ('pending', 'retry', 'unknown') AND due_at <= ?"
        busy = self.rows(unsettled, self.clock.now())
        return bool(complete) and not busy[0][0] and not self.rows("SELECT 1 FROM router_path WHERE state = 'open'")

    async def settle(self) -> None:
        """Everything of this instant, and what follows from it: until a round that begins quiet does nothing.

        While calls are under way nobody is asked what is due: a provider that is silent for seconds costs no rounds.
        """
        while True:
            if self.busy:
                await asyncio.sleep(0.001)
                continue
            did = await self.world.agenda.run_due()
            did = await self.node.step() or did
            if not (did or self.world.busy or await self.node.channels.tidy()):
                return

    @property
    def busy(self) -> bool:
        """Whether anything is under way, inside or outside."""
        return self.world.busy or self.node.channels.busy

    async def duty_desk(self) -> None:
        """An officer says "I have it" of every call for help that is nobody's; else it is told again for ever. The fire service
        says that it has the names on its list, without which no path ends by one."""
        for (warning_id,) in self.rows(NAMES_NOT_TAKEN):
            async with self.node.platform.database.write() as tx:
                await team_signs.keep(
                    tx, warning_id, FIRE_SERVICE, SignKind.HERE, self.clock.now(), "the watch room", sign_id=new_id()
                )
        for row in self.rows("SELECT warning_id, case_id FROM router_case WHERE closed_at IS NULL AND taken_by = ''"):
            await act(self.node.platform, OFFICER, row[0], row[1], CaseIn(act="take"))

    async def until(
        self, over: Callable[[], bool] | None = None, seconds: float = HORIZON_S, stride: float = 0.001
    ) -> None:
        """Moves time from event to event, at least by `stride`, until `over`, `seconds` after the alert, or the end."""
        end = SENT + seconds
        while True:
            await self.settle()
            await self.duty_desk()
            if over is not None and over():
                return
            times = [await self.node.next_at(), self.world.agenda.next_at()]
            unknown = self.rows("SELECT min(state_at) FROM delivery WHERE send_state = 'unknown'")[0][0]
            times += [
                unknown + 60.0 * k for k in (1, 15) if unknown is not None and unknown + 60.0 * k > self.clock.now()
            ]
            coming = [t for t in times if t is not None]
            if not coming or min(coming) > end:
                self.clock.advance_to(max(end, self.clock.now()))
                await self.settle()
                return
            self.clock.advance_to(max(min(coming), self.clock.now() + stride))


@asynccontextmanager
async def stepped(town: Prepared, folder: Path, **behaviour: Any) -> AsyncIterator[Stepped]:
    """The example alert, just sent; `behaviour` are settings of the stand-in."""
    data = folder / "data"
    ground = town.copy(data)
    clock = StepClock(SENT)
    world = World(town.community, clock, 3, utc_offset_min=480)
    for name, value in behaviour.items():
        setattr(world.behaviour, name, value)
    await world.start()
    before = dict(os.environ)
    os.environ.update(world.environment)
    try:
        settings = Settings(data_dir=data, port=0, plane="drill", utc_offset_min=480)
        node = await build(settings, clock=clock, synchronous="OFF")
        world.set_target(node.platform.public_url)
        run = Stepped(node, world, clock, ground)
        try:
            headers = {"Authorization": f"Bearer {town.key}", "Content-Type": "application/cap+xml"}
            url = f"{node.platform.public_url}/api/v1/warnings?strict=false&doors=safe"
            async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=ALERT) as response:
                taken = await response.json()
                assert response.status == 202, taken
            run.warning_id = taken["warning_id"]
            yield run
        finally:
            world.sandbox.release()
            await node.close()
    finally:
        await world.stop()
        os.environ.clear()
        os.environ.update(before)
