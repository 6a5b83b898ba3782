"""`python -m bench.calls`: CPU of one call to a provider, by HTTP and by SMPP, beside the ways we could do without.

Each way hands the same messages to the stand-in, a process of its own, with as many under way; ways take turns. A round
counts only where the stand-in has every message once. `begin` includes the driver's encoding and reading.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import quote_plus, urlencode

import aiohttp
import msgspec
import smpp34
import uvloop

from bench import machine
from bench.ours import BenchFault, Standin, number_of
from bench.provider import ACCOUNT, RESOURCE, SENDER, TOKEN
from services.channels.drivers.smpp import pdu
from services.channels.drivers.smpp.sms import SmsSmpp
from services.channels.drivers.twilio.http import outcome
from services.channels.drivers.twilio.sms import SmsTwilio
from services.channels.http.connection import Called
from services.channels.http.pool import Pool
from services.channels.messages.sms_encoding import split
from services.channels.model.driver import Outcome, Receivers, Result, Tools
from services.channels.model.final_check import checking, traced
from services.channels.model.http_call import Response, http_call
from services.channels.model.outbound import Outbound
from services.shared.clock import StepClock
from services.shared.crypto.signing import Signer
from services.shared.settings import Settings

PUBLIC = "http://127.0.0.1:1"
TEXT = (
    "City Civil Protection: Flash flood warning until 21:00, Riverside ward. Move to higher ground now and do not drive "
    "through water."
)
MESSAGE = Outbound(
    "", "a" * 32, "sms", "", TEXT, "", "", "en", "", 21_600, tier=3,
)  # fmt: skip
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
SIGNER = Signer(b"k" * 32)
Way = Callable[[Standin, int, int], Awaitable[None]]


def tools(provider: Standin) -> Tools:
    """A driver's, with settings for the stand-in."""
    given = {
        "TWILIO_BASE_URL": f"http://127.0.0.1:{provider.port}", "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_FROM_NUMBER": SENDER, "TWILIO_CONCURRENCY": "100", "SMPP_HOST": "127.0.0.1",
        "SMPP_PORT": str(provider.smpp_port), "SMPP_SYSTEM_ID": "bench", "SMPP_PASSWORD": "bench", "SMPP_SOURCE": SENDER,
        "SMPP_CONCURRENCY": "100",
    }  # fmt: skip
    os.environ.update({f"TOCSIN_{name}": value for name, value in given.items()})
    made: Tools = cast(Any, Tools)(None, None, SIGNER, StepClock(0.0), PUBLIC, settings=Settings())
    return made


def message(number: int) -> Outbound:
    return msgspec.structs.replace(MESSAGE, delivery_id=f"{number:032x}", to=number_of(number))


# ---- HTTP


async def task_a_call(provider: Standin, count: int, window: int) -> None:
    """As a driver without a window does: a task, a place, two time limits, a last look, a form of its own."""
    url = f"http://127.0.0.1:{provider.port}{RESOURCE}"
    places = asyncio.Semaphore(window)

    async def look() -> None: ...

    async with session(traced()) as ours:

        async def one(n: int) -> None:
            form = {
                "To": number_of(n), "Body": TEXT, "ValidityPeriod": "21600", "From": SENDER,
                "StatusCallback": f"{PUBLIC}/callbacks/sms_twilio/status/{SIGNER.token('sms', f'{n:032x}')}#rc=5&rp=all",
            }  # fmt: skip
            async with places, asyncio.timeout(12):
                with checking(look):
                    body = urlencode(form).encode()
                    answer = await http_call(ours, "POST", url, headers=FORM, data=body, read_body=True)
            accepted(outcome(cast(Response, answer)))

        for first in range(0, count, 1000):
            await asyncio.gather(*(asyncio.create_task(one(n)) for n in range(first, min(count, first + 1000))))


async def task_a_connection(provider: Standin, count: int, window: int) -> None:
    """aiohttp with as little as it lets one: a form encoded before, no time limit, no look, a task a connection."""
    url = f"http://127.0.0.1:{provider.port}{RESOURCE}"
    before = urlencode({"Body": TEXT, "ValidityPeriod": "21600", "From": SENDER})
    callback, numbers = quote_plus(f"{PUBLIC}/callbacks/sms_twilio/status/"), iter(range(count))
    async with session() as ours:

        async def some() -> None:
            for n in numbers:
                token = SIGNER.token("sms", f"{n:032x}")
                body = f"To={quote_plus(number_of(n))}&{before}&StatusCallback={callback}{token}%23rc%3D5%26rp%3Dall"
                async with ours.post(url, data=body.encode(), headers=FORM, allow_redirects=False) as answer:
                    accepted(outcome(Response(answer.status, None, await answer.read())))

        await asyncio.gather(*(some() for _ in range(window)))


@asynccontextmanager
async def session(*traces: aiohttp.TraceConfig) -> Any:
    limit, forever = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=limit,
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=list(traces),
        timeout=forever,
        auto_decompress=False,
    ) as one:
        yield one


async def twilio_awaited(provider: Standin, count: int, window: int) -> None:
    """The driver's `send`, a task a connection."""
    driver, numbers = SmsTwilio(tools(provider)), iter(range(count))

    async def some() -> None:
        for n in numbers:
            accepted(await driver.send(message(n)))

    await asyncio.gather(*(some() for _ in range(window)))
    await driver.stop()


async def twilio_window(provider: Standin, count: int, window: int) -> None:
    """The driver's window."""
    driver = SmsTwilio(tools(provider))
    await through(driver, count, window)
    await driver.stop()


async def pool_alone(provider: Standin, count: int, window: int) -> None:
    """The pool without a driver: its requests are made before, and of an answer the status alone is looked at."""
    driver = SmsTwilio(tools(provider))
    requests = iter([driver.encode(message(n)) for n in range(count)])
    pool, ended, left = Pool(f"http://127.0.0.1:{provider.port}", window), asyncio.Event(), count

    def answered(called: Called) -> None:
        nonlocal left
        left -= 1
        if not isinstance(called, Response) or called.status != 201:
            raise BenchFault(f"not accepted: {called}")
        if not left:
            ended.set()

    def more() -> None:
        for request in itertools.islice(requests, pool.free):
            pool.send(request, answered)

    begun = time.process_time()
    pool.on_room = more
    more()
    await ended.wait()
    not_counted.append(begun)
    await pool.close()


not_counted: list[float] = []  # CPU seconds at which a way's preparation was over


async def through(driver: Any, count: int, window: int) -> None:
    """All messages through a driver's window, as many under way as it has places."""
    places, ended, left = driver.window(False), asyncio.Event(), count
    messages = iter([message(n) for n in range(count)])  # whoever sends has made them
    begun = time.process_time()

    def done(result: Result) -> None:
        nonlocal left
        accepted(result)
        left -= 1
        if not left:
            ended.set()

    def more() -> None:
        for one in itertools.islice(messages, places.free):
            places.begin(one, done, wanted)

    places.on_room = more
    more()
    await ended.wait()
    not_counted.append(begun)


def wanted() -> bool:
    return True


def accepted(result: Result) -> None:
    if result.outcome is not Outcome.ACCEPTED:
        raise BenchFault(f"not accepted: {result}")


# ---- SMPP


async def smpp_library(provider: Standin, count: int, window: int) -> None:
    """smpp34's own client, a task a place."""
    client = smpp34.Client("127.0.0.1", provider.smpp_port, "bench", "bench", bind_type="TRX", window_size=window)
    line, numbers, source = await asyncio.ensure_future(client.connect()), iter(range(count)), pdu.sender(SENDER)

    async def some() -> None:
        for n in numbers:
            for part in split(TEXT, n % 256):
                answer = await asyncio.ensure_future(
                    line.submit_sm(
                        number_of(n)[1:], part.octets, source_addr=source.address, source_addr_ton=1, source_addr_npi=1,
                        dest_addr_ton=1, dest_addr_npi=1, registered_delivery=1, validity_period="000000060000000R",
                    )
                )  # fmt: skip
                if not answer.is_success:
                    raise BenchFault(f"not accepted: {answer.command_status}")

    await asyncio.gather(*(some() for _ in range(window)))
    await asyncio.ensure_future(client.stop())


async def smpp_window(provider: Standin, count: int, window: int) -> None:
    """The driver's window."""
    driver = SmsSmpp(tools(provider))
    await driver.start(cast(Receivers, None))
    while driver.window(False).free < window or driver._link.session is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await through(driver, count, window)
    await driver.stop()


HTTP: dict[str, Way] = {
    "session, a task and a form each": task_a_call,
    "session, form before, a task a connection": task_a_connection,
    "driver's send, a task a connection": twilio_awaited,
    "driver's window": twilio_window,
    "pool alone": pool_alone,
}
SMPP: dict[str, Way] = {"smpp34, a task a place": smpp_library, "driver's window over SMPP": smpp_window}


def measured(way: Way, provider: Standin, count: int, window: int) -> tuple[float, float]:
    """Microseconds of CPU a call, and calls a second."""
    provider.reset()
    not_counted.clear()
    cpu, begun = time.process_time(), time.perf_counter()
    uvloop.run(cast(Any, way(provider, count, window)))
    cpu = time.process_time() - (not_counted[0] if not_counted else cpu)
    seconds = time.perf_counter() - begun
    found = provider.count()
    if (found["accepts"], found["most"]) != (count, 1):
        raise BenchFault(f"{count} messages, and the provider has {found}")
    return cpu / count * 1e6, count / seconds


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m bench.calls", description=__doc__)
    words.add_argument("--count", type=int, default=10_000, help="messages a round")
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--window", type=int, default=100, help="messages under way at once; at most 100")
    given = words.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    ways = HTTP | SMPP
    with Standin(0.0) as provider:
        for _ in range(given.rounds):
            for name, way in ways.items():
                found.setdefault(name, []).append(measured(way, provider, given.count, given.window))
    lines = [f"{given.count:,} messages, {given.window} under way, {given.rounds} rounds", ""]
    lines += ["| way | us of CPU a call | rounds | calls/s |", "|---|---|---|---|"]
    for name, runs in found.items():
        each = [us for us, _ in runs]
        rate = statistics.median(rate for _, rate in runs)
        lines.append(
            f"| {name} | {statistics.median(each):.1f} | {', '.join(f'{us:.1f}' for us in each)} | {rate:,.0f} |"
        )
    lines += ["", "; ".join(f"{name}: {value}" for name, value in machine.described().items()), ""]
    sys.stdout.write("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
