"""A loudspeaker or a bed shaker as its maker would build it on our description: an MQTT client that keeps what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import aiomqtt

from tools.servers.mosquitto import PASSWORD, Mosquitto

WAIT_S = 15.0


class Device:
    """`told` is every command in order; a command it has had before is noted in `again` and not obeyed."""

    def __init__(self, client: aiomqtt.Client, kind: str, name: str, plane: str) -> None:
        self._client = client
        self._root = f"tocsin/{plane}/{kind}/{name}"
        self._news = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self.name = name
        self.told: list[dict[str, Any]] = []
        self.again: list[str] = []

    async def listen(self) -> Self:
        await self._client.subscribe(f"{self._root}/command", qos=1)
        self._reading = asyncio.create_task(self._read())
        return self

    async def _read(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            assert not message.retain
            one = json.loads(message.payload)
            if one["id"] in [before["id"] for before in self.told]:
                self.again.append(one["id"])
            else:
                self.told.append(one)
            self._news.set()

    async def until(self, holds: Callable[[list[dict[str, Any]]], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds(self.told):
                self._news.clear()
                await self._news.wait()

    async def say(self, word: str, **more: Any) -> None:
        await self._client.publish(f"{self._root}/report", json.dumps({"word": word, **more}), qos=1)

    async def raw(self, payload: bytes) -> None:
        await self._client.publish(f"{self._root}/report", payload, qos=1)

    async def end(self) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


@asynccontextmanager
async def device(broker: Mosquitto, kind: str, name: str, plane: str = "live") -> AsyncIterator[Device]:
    """Connected and listening."""
    client = aiomqtt.Client("127.0.0.1", broker.port, username="device", password=PASSWORD, identifier=f"{kind}-{name}")
    async with client:
        one = await Device(client, kind, name, plane).listen()
        try:
            yield one
        finally:
            await one.end()
