"""What a receipt costs at least where each is a commit of its own: a form, its signature, one UPDATE, an answer.

`python -m bench.one_update DATABASE_URL` (as asyncpg reads it) prints its port. It changes what a receipt must
change in the ledger and does nothing else: no evidence that only climbs, no hint to the router, no page.
"""

from __future__ import annotations

import asyncio
import sys
import time

import asyncpg
import uvloop
from aiohttp import web
from twilio.request_validator import RequestValidator

from bench.provider import TOKEN

UPDATE = """
UPDATE delivery SET send_state = 'delivered', state_at = $2, state_reason = 'delivered', evidence = 2, evidence_at = $2
WHERE delivery_id = $1 AND send_state = 'accepted'
"""


async def main(url: str) -> None:
    """Serves on a free port of loopback until killed, or until whoever started it is gone."""
    pool = await asyncpg.create_pool(url, min_size=8, max_size=8)
    validator = RequestValidator(TOKEN)

    async def receipt(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not validator.validate(str(request.url), form, request.headers.get("X-Twilio-Signature", "")):
            return web.Response(status=403)
        await pool.execute(UPDATE, request.match_info["token"].partition(".")[0], time.time())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/callbacks/sms_twilio/status/{token}", receipt)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201  the parent reads it
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
