"""The provider's stand-in: signed callbacks, the log of accepts, faults on demand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.shared.errors import Refused
from services.sim.callees import CalleeReaction, CallFate, TextFate
from services.sim.world import World, serve_sandbox
from tests.kit.provider_stub import Client, Stub, listen, settle

TO = "+99970001111"


def steady(world: Any) -> None:
    """Everybody gets texts after 4 s, answers calls after 6 s and presses 1."""
    world.phones.text = lambda text: TextFate(1.0, 4.0)
    world.phones.got = lambda text: None
    world.phones.ring = lambda ring: CallFate("human", 6.0)
    world.phones.hears = lambda ring, said, seconds, turn, keys: CalleeReaction("1" if keys else "", seconds + 1)


async def test_a_text_is_answered_queued_and_called_back_signed_in_order(world_of, stub, session) -> None:
    """queued, sent, delivered; each form signed over the public URL without its fragment."""
    world = await world_of()
    steady(world)
    status, body, _ = await Client(world, stub, session).sms(TO, "Go now", "d1")
    assert 201 == status
    assert "queued" == body["status"]
    await settle(world)
    forms = stub.of("/callbacks/sms_twilio/status/d1.mac")
    assert ["queued", "sent", "delivered"] == [f["MessageStatus"] for f in forms]
    assert all(right for _, _, right in stub.told)
    assert {body["sid"]} == {f["MessageSid"] for f in forms}
    assert "delivered" == world.sandbox.messages[body["sid"]].status


async def test_a_text_that_does_not_arrive_carries_the_carriers_code(world_of, stub, session) -> None:
    """undelivered with ErrorCode 30003; past its validity it failed instead."""
    world = await world_of()
    steady(world)
    world.phones.text = lambda text: TextFate(1.0, 20.0, 30003)
    client = Client(world, stub, session)
    await client.sms(TO, "Go now", "d1")
    await client.sms(TO, "Go now", "d2", ValidityPeriod="10")
    await settle(world)
    assert ("undelivered", "30003") == _last(stub.of("/callbacks/sms_twilio/status/d1"))
    assert ("failed", "30036") == _last(stub.of("/callbacks/sms_twilio/status/d2"))


def _last(forms: list[dict[str, str]]) -> tuple[str, str]:
    return forms[-1]["MessageStatus"], forms[-1].get("ErrorCode", "")


async def test_a_call_is_heard_its_key_goes_to_the_action_and_its_length_is_told(world_of, stub, session) -> None:
    """initiated, ringing, in-progress, the key, completed with duration and who answered."""
    world = await world_of()
    steady(world)
    status, body, _ = await Client(world, stub, session).call(TO, "Flood. Go up the hill now. " * 10, "d1")
    assert (201, "queued") == (status, body["status"])
    await settle(world)
    forms = stub.of("/callbacks/voice_twilio/status/d1")
    assert ["initiated", "ringing", "in-progress", "completed"] == [f["CallStatus"] for f in forms]
    assert ["1"] == [f["Digits"] for f in stub.of("/callbacks/voice_twilio/key/d1")]
    assert "human" == forms[-1]["AnsweredBy"]
    assert 20 <= int(forms[-1]["CallDuration"]) <= 60
    assert all(right for _, _, right in stub.told)


@pytest.mark.parametrize(
    ("outcome", "status", "by"),
    [("machine", "completed", "machine_start"), ("no-answer", "no-answer", None), ("busy", "busy", None)],
)
async def test_a_call_nobody_takes_says_so_and_no_key_comes(world_of, stub, session, outcome, status, by) -> None:
    """An answering machine hears it all and presses nothing."""
    world = await world_of()
    steady(world)
    world.phones.ring = lambda ring: CallFate(outcome, 6.0)
    await Client(world, stub, session).call(TO, "Flood.", "d1")
    await settle(world)
    last = stub.of("/callbacks/voice_twilio/status/d1")[-1]
    assert (status, by) == (last["CallStatus"], last.get("AnsweredBy"))
    assert [] == stub.of("/callbacks/voice_twilio/key")


async def test_9_hears_it_again_and_the_second_key_goes_out_too(world_of, stub, session) -> None:
    """The action's TwiML is played like the first."""
    world = await world_of()
    steady(world)
    stub.key_twiml = (
        f'<Response><Gather timeout="5" action="{stub.url}/callbacks/voice_twilio/key/d1.mac">'
        "<Say>Flood.</Say></Gather></Response>"
    )
    await Client(world, stub, session).call(TO, "Flood.", "d1")
    world.phones.hears = lambda ring, said, seconds, turn, keys: CalleeReaction(
        "912"[turn] if turn < 2 else "", seconds
    )
    await settle(world)
    assert ["9", "1"] == [f["Digits"] for f in stub.of("/callbacks/voice_twilio/key")]


@pytest.mark.parametrize(
    ("mode", "accepted", "status"),
    [
        ("slow", 1, 201),
        ("429", 0, 429),
        ("5xx", 0, 503),
        ("401", 0, 401),
        ("hang", 0, None),
        ("accept_then_timeout", 1, None),
        ("accept_then_reset", 1, None),
        ("malformed", 1, None),
    ],
)
async def test_the_log_says_what_was_accepted_whatever_the_answer(
    world_of, stub, session, mode, accepted, status
) -> None:
    """Written before the misbehaviour; a refusal is no accept; error bodies are the provider's."""
    world = await world_of()
    steady(world)
    async with session.post(f"{world.url}/sandbox/faults", json={"queue": [mode], "slow_ms": 1}) as answer:
        assert 200 == answer.status
    client = Client(world, stub, session)
    if status is None:
        with pytest.raises((aiohttp.ClientError, TimeoutError)):
            await client.sms(TO, "Go now", "d1", timeout=0.2)
    else:
        got, body, headers = await client.sms(TO, "Go now", "d1")
        assert status == got
        if status >= 400:
            assert {"code", "message", "more_info", "status"} == set(body)
        if status == 429:
            assert "1" == headers["Retry-After"]
    async with session.get(f"{world.url}/sandbox/log") as answer:
        log = (await answer.json())["accepts"]
    assert accepted == len(log) == world.sandbox.accepts_per_delivery()["d1"]
    await settle(world)
    assert accepted == len([f for f in stub.of("/callbacks/sms_twilio") if f["MessageStatus"] == "delivered"])


async def test_a_second_accept_of_one_delivery_is_a_double_with_a_sid_of_its_own(world_of, stub, session) -> None:
    """What the judge of doubles counts."""
    world = await world_of()
    steady(world)
    client = Client(world, stub, session)
    sids = {(await client.sms(TO, "Go now", "d1"))[1]["sid"] for _ in range(2)}
    assert 2 == len(sids)
    assert {"d1": 2} == world.doubles()


async def test_callbacks_can_come_twice_or_in_reverse(world_of, stub, session) -> None:
    """As the real provider's do now and then."""
    world = await world_of()
    steady(world)
    world.behaviour.change({"queue": ["duplicated", "reversed"]})
    client = Client(world, stub, session)
    await client.sms(TO, "Go now", "d1")
    await client.sms(TO, "Go now", "d2")
    await settle(world)
    once, back = stub.of("/callbacks/sms_twilio/status/d1"), stub.of("/callbacks/sms_twilio/status/d2")
    assert ["queued", "queued", "sent", "sent", "delivered", "delivered"] == [f["MessageStatus"] for f in once]
    assert ["delivered", "sent", "queued"] == [f["MessageStatus"] for f in back]


async def test_a_callback_that_finds_nobody_is_tried_again(world_of, stub, session) -> None:
    """Up to five times, through the agenda; then it is lost and counted."""
    world = await world_of()
    steady(world)
    stub.refuse = 4
    client = Client(world, stub, session)
    await client.sms(TO, "Go now", "d1")
    await settle(world)
    assert {"queued", "sent", "delivered"} == {f["MessageStatus"] for f in stub.of("/callbacks/sms_twilio")}
    assert 4 == world.postman.counts["callback_retried"]
    stub.refuse = 1000
    await client.sms(TO, "Go now", "d2")
    await settle(world)
    assert 3 == world.postman.counts["callback_lost"]


async def test_fault_rates_are_seeded_by_number_and_words_and_not_by_order(world_of, stub, session) -> None:
    """The same texts meet the same faults, whichever comes first and whatever their ids are."""
    seen = []
    for turn in (1, -1):
        world = await world_of(seed=11)
        steady(world)
        world.behaviour.change({"rates": {"429": 0.3, "5xx": 0.3}})
        client = Client(world, stub, session)
        answers = {}
        for n in list(range(30))[::turn]:
            answers[n] = (await client.sms(f"+9997000{n:04d}", "Go now", f"{turn}d{n}"))[0]
        seen.append(answers)
    assert seen[0] == seen[1]
    assert {201, 429, 503} == set(seen[0].values())


async def test_wrong_requests_are_refused_with_the_providers_codes(world_of, stub, session) -> None:
    """Bad number, no text, other sender, wrong token."""
    world = await world_of()
    client = Client(world, stub, session)
    assert 21211 == (await client.sms("12345", "Go", "d1"))[1]["code"]
    assert 21602 == (await client.sms(TO, "", "d1"))[1]["code"]
    assert 21606 == (await client.sms(TO, "Go", "d1", From="+99970009999"))[1]["code"]
    assert 201 == (await client.sms(TO, "a" * 1600, "d0"))[0]
    assert (400, 21617) == ((long := await client.sms(TO, "a" * 1601, "d1"))[0], long[1]["code"])
    assert 201 == (await client.call(TO, "a" * 3500, "c1"))[0]
    status, body, _ = await client.call(TO, "a" * 4000, "c2")
    assert (400, 32018) == (status, body["code"])
    world.accepts.clear()
    world.behaviour.change({"refused_numbers": {TO: 21610}})
    assert 21610 == (await client.sms(TO, "Go", "d1"))[1]["code"]
    client.auth = {"Authorization": aiohttp.encode_basic_auth(world.account_sid, "wrong")}
    status, body, _ = await client.sms(TO, "Go", "d1")
    assert (401, 20003) == (status, body["code"])
    assert [] == world.accepts


async def test_a_wrong_fault_is_refused_by_name(world_of, session) -> None:
    """And nothing of it is set."""
    world = await world_of()
    wrong: tuple[Any, ...] = (
        {"queue": ["sleepy"]},
        {"rates": {"429": 2}},
        {"limit_per_second": "fast"},
        {"speed": 1},
        [],
    )
    for given in wrong:
        async with session.post(f"{world.url}/sandbox/faults", json=given) as answer:
            assert 422 == answer.status
            assert "title" in await answer.json()
    assert {} == world.behaviour.rates


async def test_messages_are_listed_by_number_and_day(world_of, stub, session) -> None:
    """As somebody reconciling would ask."""
    world = await world_of()
    steady(world)
    client = Client(world, stub, session)
    for n, to in enumerate((TO, TO, "+99970002222")):
        await client.sms(to, "Go now", f"d{n}")
    await settle(world)
    day = world.sandbox.messages[next(iter(world.sandbox.messages))].as_json("AC")["date_sent"]
    assert day.endswith("+0000")
    today, tomorrow = "2026-05-28", "2026-05-29"

    async def count(**query: str) -> int:
        async with session.get(f"{client.base}/Messages.json", params=query, headers=client.auth) as answer:
            return len((await answer.json())["messages"])

    assert 3 == await count(DateSent=today)
    assert 2 == await count(To=TO, DateSent=today)
    assert 0 == await count(DateSent=tomorrow)
    assert 3 == await count(**{"DateSent<": tomorrow, "DateSent>": today})
    assert 1 == await count(PageSize="2", Page="1")
    async with session.get(f"{client.base}/Messages/SM{'0' * 32}.json", headers=client.auth) as answer:
        assert (404, 20404) == (answer.status, (await answer.json())["code"])


async def test_answers_leave_no_faster_than_the_limit(world_of, stub, session) -> None:
    """A provider with a contracted rate."""
    world = await world_of()
    steady(world)
    world.behaviour.change({"limit_per_second": 100})
    client, start = Client(world, stub, session), time.monotonic()
    await asyncio.gather(*(client.sms(TO, "Go now", f"d{n}") for n in range(20)))
    assert time.monotonic() - start >= 0.18


async def test_the_stand_in_runs_on_its_own_along_the_wall_clock(stub, session, monkeypatch) -> None:
    """As the command `tocsin sandbox` runs it: free port, faults by rate, until it is stopped."""
    started: asyncio.Future[World] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    running = asyncio.create_task(
        serve_sandbox(
            "127.0.0.1", 0, stub.url, faults={"duplicated": 1.0}, auth_token="t", stop=stop, ready=started.set_result
        )
    )
    world = await asyncio.wait_for(started, 5)
    stub.token = "t"
    steady(world)
    monkeypatch.setattr(world.phones, "text", lambda text: TextFate(0.0, 0.0))
    assert 201 == (await Client(world, stub, session).sms(TO, "Go now", "d1"))[0]
    await stub.until(6)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert {"queued": 2, "sent": 2, "delivered": 2} == Counter(f["MessageStatus"] for _, f, _ in stub.told)
    with pytest.raises(Refused):
        await serve_sandbox("127.0.0.1", 0, stub.url, faults={"sleepy": 0.5})


async def test_callbacks_outlive_a_restart_of_the_server(world_of, session) -> None:
    """Refused connections are tried again on the same URL, and end in the same order of facts."""
    made = Stub()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.take)
    runner, made.url = await listen(app)
    world = await world_of()
    made.token = world.auth_token
    steady(world)
    port = runner.addresses[0][1]
    await Client(world, made, session).sms(TO, "Go now", "d1")
    await runner.cleanup()
    await settle(world, 6)
    assert [] == made.told
    assert world.postman.counts["callback_unreachable"] >= 3
    again = web.Application()
    again.router.add_post("/{tail:.*}", made.take)
    second = web.AppRunner(again, access_log=None, shutdown_timeout=1)
    await second.setup()
    await web.TCPSite(second, "127.0.0.1", port).start()
    await settle(world)
    await second.cleanup()
    assert {"queued", "sent", "delivered"} == {form["MessageStatus"] for _, form, _ in made.told}
    assert all(right for _, _, right in made.told)
