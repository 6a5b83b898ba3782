"""An office at work for a test: the whole embedded Tocsin on a clock that stands still, and a caller with a key."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from services.node import Node
from services.run import build
from services.shared.clock import StepClock
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import ACTIONS, create_key

SENT = 1_781_053_800.0
"""2026-06-10T01:10:00 UTC, when the clock of every office begins."""
SQUARE = "30.0,103.0 30.0,103.1 30.1,103.1 30.1,103.0 30.0,103.0"


@dataclass
class Office:
    """`post` takes a CAP document in; `get` and `ask` are plain requests. Answers are (status, JSON or bytes)."""

    embedded: Node
    clock: StepClock
    session: aiohttp.ClientSession
    url: str
    key: str

    async def new_key(self, **grant: Any) -> str:
        """A key of the same authority, unless told otherwise."""
        chosen: dict[str, Any] = {
            "name": "Qingshui",
            "label": "other",
            "actions": ACTIONS,
            "max_tier": Tier.RED,
        } | grant
        return await create_key(self.embedded.platform.database, **chosen)

    async def post(self, body: bytes, *, key: str = "", **query: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/cap+xml"}
        url = f"{self.url}/api/v1/warnings"
        async with self.session.post(url, data=body, headers=headers, params=query) as response:
            return response.status, await response.json(content_type=None)

    async def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        async with self.session.request(method, self.url + path, json=body, headers=headers) as response:
            return response.status, json.loads(await response.read() or b"null")

    async def state(self, warning_id: str) -> str:
        _, found = await self.call("GET", f"/api/v1/warnings/{warning_id}")
        return str(found["state"])

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, Mapping[str, str]]:
        """Without a key, as anybody."""
        async with self.session.get(self.url + path, headers=headers) as response:
            return response.status, await response.read(), response.headers


@asynccontextmanager
async def office(folder: Path, *, start: float = SENT, plane: str = "live", **settings: Any) -> AsyncIterator[Office]:
    """One office in a folder of its own."""
    clock = StepClock(start)
    chosen = Settings(data_dir=folder, port=0, plane=plane, **settings)
    embedded = await build(chosen, clock=clock, synchronous="OFF")
    try:
        async with aiohttp.ClientSession() as session:
            made = Office(embedded, clock, session, embedded.platform.public_url, "")
            made.key = await made.new_key(label="duty")
            yield made
    finally:
        await embedded.close()


def cap(
    identifier: str = "A-1",
    *,
    sender: str = "met@qingshui.example",
    minutes: float = 0,
    kind: str = "Alert",
    names: Sequence[tuple[str, float]] = (),
    severity: str = "Severe",
    expires: float = 360,
    polygon: str = SQUARE,
    extra: str = "",
    head: str = "",
    scope: str = "Public",
    status: str = "Actual",
    event: str = "Flash flood",
    response: str = "Evacuate",
    info: bool = True,
) -> bytes:
    """A CAP alert; `minutes` after SENT it is sent, `names` are (identifier, minutes) it refers to."""
    refs = " ".join(f"{sender},{name},{moment(m)}" for name, m in names)
    block = f"""<info><language>en-US</language><category>Met</category><event>{event}</event>
<responseType>{response}</responseType><urgency>Immediate</urgency><severity>{severity}</severity>
<certainty>Likely</certainty><expires>{moment(minutes + expires)}</expires><senderName>Qingshui Met</senderName>
<headline>{event}</headline><instruction>Leave now.</instruction>{extra}
<area><areaDesc>Hedong</areaDesc><polygon>{polygon}</polygon></area></info>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier><sender>{sender}</sender>
<sent>{moment(minutes)}</sent><status>{status}</status><msgType>{kind}</msgType><scope>{scope}</scope>{head}
{f"<references>{refs}</references>" if refs else ""}{block if info else ""}</alert>""".encode()


def moment(minutes: float) -> str:
    """CAP's time, so many minutes after SENT."""
    return datetime.fromtimestamp(SENT + minutes * 60, UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")
