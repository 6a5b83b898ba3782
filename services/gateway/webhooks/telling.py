"""Tells webhooks: one event at a time each, in order, again after a failure; a slow one keeps no other waiting.

An event is written in the transaction of what happened, so none is lost and none is told of what did not happen. It may
come twice (an answer that was lost on the way): its id says so.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from functools import partial
from time import monotonic
from urllib.parse import urlsplit

import aiohttp
import structlog

from services.gateway.store import StoredWarning
from services.gateway.webhooks import webhook_store
from services.gateway.webhooks.signing import WebhookSigner
from services.gateway.webhooks.webhook_store import WaitingEvent, Webhook
from services.shared.bus.outbox import new_id
from services.shared.clock import iso, wall
from services.shared.database import locks
from services.shared.database.engine import Connection
from services.shared.endings import GOES_ON
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.outgoing_addresses import CheckedResolver, OutOfReach, literal, may_reach

log = structlog.get_logger("webhooks")
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
FIRST_S, LONGEST_S = 5.0, 1800.0  # between two tries
GIVEN_UP_S = 86_400.0
LOOK_EVERY_S = 1.0
MOST_ANSWER = 65_536  # bytes of an answer that are read
_REMEDY = "say --private where it lies in your own network"


async def note_event(tx: Connection, row: StoredWarning, tier: Tier, now: float, plane: str, public_url: str) -> None:
    """What was released, for whoever subscribed to it, within the transaction of its release. Nobody is named in it, and no
    phone: what everybody may read, and where."""
    ends = row.state_ending and row.state_ending not in GOES_ON
    event = "ended" if ends else "updated" if row.state_kind == "update" or row.state_ending else "released"
    event_id = new_id()
    said = {
        "event_id": event_id, "event": f"warning.{event}", "at": iso(now), "plane": plane, "status": row.status,
        "warning_id": row.warning_id, "chain_id": row.state_chain_id, "replaces": list(row.replaces),
        "number": row.state_number, "tier": tier.word, "ending": row.state_ending, "sent": iso(row.sent),
        "expires": iso(row.state_expires_at), "authority": row.state_authority,
        "page": f"{public_url}/public/warnings/{row.warning_id}", "cap": f"{public_url}/cap/{row.warning_id}.xml",
    }  # fmt: skip
    await webhook_store.put(tx, event, event_id, json.dumps(said, ensure_ascii=False).encode())


class Webhooks:
    """One per gateway. `now` is the wall clock: a department does not know that we are playing."""

    def __init__(self, platform: Platform, now: Callable[[], float] = wall) -> None:
        self._platform = platform
        self._now = now
        self._signer = WebhookSigner(platform.keys.audit)
        self._next_look = 0.0  # monotonic
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def run_due(self) -> bool:
        """Begins what is due and does not wait for it; False, as what is under way ends by itself."""
        if monotonic() >= self._next_look:
            self._next_look = monotonic() + LOOK_EVERY_S
            await self.begin_due()
        return False

    async def begin_due(self) -> None:
        """A try for each webhook that has something due and none under way."""
        async with self._platform.database.read() as db:
            heads = await webhook_store.heads(db)
            known = {one.webhook_id: one for one in await webhook_store.subscribed(db)} if heads else {}
        for webhook_id, event in heads.items():
            if event.next_at <= self._now() and webhook_id in known and webhook_id not in self._under_way:
                task = asyncio.create_task(self._tell(known[webhook_id], event))
                self._under_way[webhook_id] = task
                task.add_done_callback(partial(self._ended, webhook_id))

    def _ended(self, webhook_id: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop(webhook_id, None)
        if not task.cancelled() and (trouble := task.exception()) is not None:  # it is told again
            log.warning("webhook_not_noted", webhook_id=webhook_id, reason=type(trouble).__name__)

    async def settle(self) -> None:
        """Returns once nothing is under way."""
        while self._under_way:
            await asyncio.wait([*self._under_way.values()])

    async def stop(self) -> None:
        """What is under way is given up; it is told again after the next start."""
        under_way = [*self._under_way.values()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _tell(self, to: Webhook, event: WaitingEvent) -> None:
        async with locks.webhook(self._platform.database, to.webhook_id) as mine:
            if not mine or not await self._still_due(event):
                return
            problem, retry_after = await self._send(to, event)
            async with self._platform.database.write() as tx:
                if not problem:
                    await webhook_store.told(tx, event)
                    self._next_look = 0.0  # the next one of it may be due
                    return
                late = self._now() - event.made_at > GIVEN_UP_S
                wait = max(min(LONGEST_S, FIRST_S * 2.0 ** min(event.tries, 16)), min(retry_after, LONGEST_S))
                await webhook_store.failed(tx, event, problem, None if late else self._now() + wait * _jitter())
        log.warning("webhook_failed", webhook=to.name, problem=problem, tries=event.tries + 1, given_up=late)

    async def _still_due(self, event: WaitingEvent) -> bool:
        """Whether it is the next one still: another gateway may have told it meanwhile and newer ones, or the department left."""
        async with self._platform.database.read() as db:
            head = (await webhook_store.heads(db)).get(event.webhook_id)
        return head is not None and (head.event_id, head.tries) == (event.event_id, event.tries)

    async def _send(self, to: Webhook, event: WaitingEvent) -> tuple[str, float]:
        """(what is wrong, or empty; seconds it asks us to wait)."""
        host = urlsplit(to.url).hostname or ""
        if literal(host) and not may_reach(host, private=to.private):
            return f"{host} is no public address: {_REMEDY}", 0.0
        headers = self._signer.headers(to.url, event.body, event.event_id, int(self._now()), secrets.token_urlsafe(18))
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(private=to.private, remedy=_REMEDY), use_dns_cache=False, force_close=True
        )
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"User-Agent": "tocsin"},
                ) as session,
                session.post(to.url, data=event.body, headers=headers, allow_redirects=False) as response,
            ):  # fmt: skip
                await response.content.read(MOST_ANSWER)
                wait = response.headers.get("Retry-After", "")
                if 200 <= response.status < 300:
                    return "", 0.0
                return f"it answers {response.status}", float(wait) if wait.isascii() and wait.isdigit() else 0.0
        except OutOfReach as problem:
            return problem.message, 0.0
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            if isinstance(problem.__cause__, OutOfReach):
                return problem.__cause__.message, 0.0
            return f"it does not answer: {type(problem).__name__}", 0.0


def _jitter() -> float:
    """Within a tenth of it, so that many do not come at once."""
    return 0.9 + secrets.randbelow(2001) / 10_000
