"""What the peers on one event loop share: a pool to the database, a session to the provider, the sending itself."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import asyncpg

from bench.peers import work

_open: dict[str, Any] = {}


async def start() -> None:
    """Opens both."""
    _open["database"] = await asyncpg.create_pool(work.DATABASE, min_size=5, max_size=10)
    _open["http"] = aiohttp.ClientSession(
        headers={"Authorization": aiohttp.encode_basic_auth(work.ACCOUNT, work.TOKEN)},
        connector=aiohttp.TCPConnector(limit=work.CONNECTIONS),
    )


async def deliver_one(number: int) -> None:
    """Looks up, renders, sends, records."""
    name, phone, language = await _open["database"].fetchrow(f"{work.SELECT}$1", number)
    form = {"To": phone, "From": work.SENDER, "Body": work.text_for(name, language)}
    async with _open["http"].post(work.MESSAGES, data=form) as answer:
        ref = json.loads(await answer.read())["sid"]
    await _open["database"].execute(f"{work.UPDATE}$1 WHERE id = $2", ref, number)


async def write_rows(count: int) -> None:
    """The producer's rows."""
    database = await asyncpg.connect(work.DATABASE)
    await database.executemany(
        "INSERT INTO message (id, name, phone, language, state) VALUES ($1, $2, $3, $4, 'queued')",
        list(work.people(count)),
    )
    await database.close()
