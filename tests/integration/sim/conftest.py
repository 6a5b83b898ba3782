"""Fixtures: the stub, worlds aimed at it, a client session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.shared.clock import StepClock
from services.sim.world import World
from tests.kit.provider_stub import START, Stub, listen


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    made = Stub()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.take)
    runner, made.url = await listen(app)
    yield made
    await runner.cleanup()


@pytest.fixture
async def world_of(stub: Stub) -> AsyncIterator[Callable[..., Any]]:
    """Makes started worlds whose target is the stub."""
    made: list[World] = []

    async def make(community: Any = None, seed: int = 7, start: float = START, **more: Any) -> World:
        world = World(community, StepClock(start), seed, **more)
        await world.start()
        made.append(world)
        stub.token = world.auth_token
        world.set_target(stub.url)
        return world

    yield make
    for world in made:
        await world.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made
