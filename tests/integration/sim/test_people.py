"""People: the same seed gives the same acts in any order; each reads and answers as the message allows."""

from __future__ import annotations

import asyncio
import json

import pytest

from services.registry.model.given import PersonIn, SupporterIn, Wg, mobile
from services.registry.sample.sample import Community, mint
from services.shared.clock import StepClock
from services.sim.agenda import Agenda
from services.sim.callees import Ring, Text
from services.sim.habits import Habits, nightness
from services.sim.world import World
from tests.kit.provider_stub import START, Client, Stub, settle

SQUARE = json.dumps(
    {"type": "Polygon", "coordinates": [[[103, 30], [103.1, 30], [103.1, 30.1], [103, 30.1], [103, 30]]]}
)
RED = "County: Go now, flood. River Lane. Leave. Reply 1 leaving, 2 need help, 3 not there."
ALL = Habits(
    stale=0, noticed_day=1, noticed_older_day=1, answer_resident=1, answer_subscriber=1, counts_heads=1,
    help_if_cannot_leave=1, help_otherwise=0, not_there=0, helper_relays=1, helper_by_link=0, never_answers=0,
    answers_day=1, busy=0, hangs_up_early=0, asks_again=0, key_resident=1, key_subscriber=1,
)  # fmt: skip


def person(n: int, number: str, **facts: object) -> PersonIn:
    """One person with one mobile."""
    return PersonIn.model_validate(
        {
            "person_id": f"{n:032x}",
            "call_name": f"Ms {n}",
            "birth_year": 1990,
            "contacts": mobile(number, verified=True),
            "lat": 30.05,
            "lon": 103.05,
            "address": f"{n} River Lane",
            **facts,
        }
    )


async def play(world_of, stub: Stub, session, order: int) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """A red warning by text and call to a community, handed over in one order or the other."""
    community = mint(SQUARE, people=120, seed=5)
    world = await world_of(community)
    client = Client(world, stub, session)
    jobs = [(p, c) for p in community.people for c in p.contacts if c.kind != "email"][::order]
    for p, c in jobs:
        if c.kind == "sms":
            await client.sms(c.address, RED, f"{order}{p.person_id}s")
        else:
            await client.call(c.address, "Flood. Leave River Lane now. " * 6, f"{order}{p.person_id}{c.kind[6:]}")
    await settle(world)
    return sorted(world.sandbox.replies), world.summary()


async def test_the_same_seed_does_the_same_whatever_order_things_arrive_in(world_of, stub, session) -> None:
    """Replies, keys, outcomes of calls and texts; the deliveries' ids do not matter either."""
    first = await play(world_of, stub, session, 1)
    again = await play(world_of, stub, session, -1)
    assert first == again
    assert first[1]["inbound"] > 10
    assert first[1]["key_1"] > 5


async def test_somebody_who_cannot_leave_asks_for_help(world_of, stub, session) -> None:
    """By the digits the text offers."""
    wheels = person(1, "+99970000101", wg=Wg(walk=4), moves="wheelchair")
    walks = person(2, "+99970000102")
    world = await world_of(Community(people=[wheels, walks]), habits=ALL)
    client = Client(world, stub, session)
    await client.sms("+99970000101", RED, "d1")
    await client.sms("+99970000102", RED, "d2")
    await settle(world)
    assert {"+99970000101": "2", "+99970000102": "1"} == {
        f["From"]: f["Body"] for f in stub.of("/callbacks/sms_twilio/in")
    }


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        ("【县】马上走,洪水。回1已走,回2要帮助,回3不在家。", ["1"]),
        ("County: Get ready. If you need time or help, reply 2 now.", []),
        ("County: danger lower. Stay where you are. No. 12.", []),
    ],
)
async def test_nobody_answers_what_was_not_asked(world_of, stub, session, text, bodies) -> None:
    """A text without digits gets none."""
    world = await world_of(Community(people=[person(1, "+99970000101")]), habits=ALL)
    await Client(world, stub, session).sms("+99970000101", text, "d1")
    await settle(world)
    assert bodies == [f["Body"] for f in stub.of("/callbacks/sms_twilio/in")]


async def test_a_shared_phone_says_how_many_when_asked(world_of, stub, session) -> None:
    """N and the number of people on it."""
    both = [person(1, "+99970000101"), person(2, "+99970000101")]
    world = await world_of(Community(people=both), habits=ALL)
    stub.reply = "Thank you. How many are with you? Reply N and the number, for example N3."
    await Client(world, stub, session).sms("+99970000101", RED, "d1")
    await settle(world)
    assert ["1", "N2"] == [f["Body"] for f in stub.of("/callbacks/sms_twilio/in")]


async def test_a_helper_phones_first_and_answers_with_the_reference(world_of, stub, session) -> None:
    """Minutes later, by the four digits in the text."""
    helper = SupporterIn(name="Mr B", contacts=mobile("+99970000109", verified=True), accepted=True)
    world = await world_of(Community(people=[person(1, "+99970000101", supporters=(helper,))]), habits=ALL)
    text = "County: Go now, flood. You are the named helper of Ms 1. Reply 4 4711 if you have spoken, 2 4711 if help."
    await Client(world, stub, session).sms("+99970000109", text, "d1")
    await settle(world)
    (form,) = stub.of("/callbacks/sms_twilio/in")
    assert form["Body"] in ("4 4711", "2 4711")
    assert world.agenda.clock.now() - START > 120


async def test_a_deaf_person_does_not_hear_a_call_unless_somebody_at_home_does(world_of, stub, session) -> None:
    """Signing, text, or deafblind alike."""
    deaf = person(1, "+99970000101", wg=Wg(hear=4), sign_lang="csl")
    helped = person(2, "+99970000102", wg=Wg(hear=4), contacts=mobile("+99970000102", verified=True, household=True))
    world = await world_of(Community(people=[deaf, helped]), habits=ALL)
    client = Client(world, stub, session)
    for n in range(8):
        await client.call("+99970000101", "Flood. Leave now.", f"a{n}")
    await client.call("+99970000102", "Flood. Leave now.", "b")
    await settle(world)
    assert [] == stub.of("/callbacks/voice_twilio/key/a")
    assert ["1"] == [f["Digits"] for f in stub.of("/callbacks/voice_twilio/key/b")]


async def test_shares_come_out_as_the_habits_say(world_of) -> None:
    """Texts noticed by day and night, and calls answered, over many deliveries to general adults."""
    for start, noticed, answered in ((START, 0.85, 0.60), (START + 14 * 3600, 0.30, 0.47)):
        world: World = await world_of(None, start=start)
        texts = [Text(f"t{n}", "SM", f"+9997{n:08d}", "+1", RED, start) for n in range(1, 3000)]
        for text in texts:
            world.phones.got(text)
        assert noticed == pytest.approx(world.phones.counts["texts_noticed"] / len(texts), abs=0.03)
        rings = [Ring(f"c{n}", "CA", f"+9997{n:08d}", "+1", 60, start) for n in range(1, 3000)]
        taken = [world.phones.ring(r).outcome for r in rings]
        assert answered == pytest.approx(taken.count("human") / len(taken), abs=0.03)


def test_night_comes_and_goes_by_local_time() -> None:
    """Full between 23 and 5, none between 8 and 20, by the jurisdiction's offset."""
    midnight = START - 10 * 3600
    assert [1.0, 1.0, 0.0, 0.0] == [nightness(midnight + h * 3600, 0) for h in (0, 4, 8, 19)]
    assert 0.0 < nightness(midnight + 6 * 3600, 0) < 1.0
    assert 1.0 == nightness(midnight + 16 * 3600, 480)


async def test_numbers_nobody_knows_are_adults_and_those_ending_0000_nobody(world_of, stub, session) -> None:
    """For the sandbox on its own."""
    world = await world_of(None)
    client = Client(world, stub, session)
    await client.sms("+99970010000", RED, "s")
    await client.call("+99970010000", "Flood.", "c")
    await settle(world)
    assert "undelivered" == stub.of("/callbacks/sms_twilio/status/s")[-1]["MessageStatus"]
    assert "no-answer" == stub.of("/callbacks/voice_twilio/status/c")[-1]["CallStatus"]


async def test_nothing_is_busy_once_it_is_quiet() -> None:
    """What the stepping of time stands on."""
    world = World(None, StepClock(START))
    await world.start()
    try:
        assert not world.busy
        assert isinstance(world.agenda, Agenda)
        assert world.environment["TOCSIN_TWILIO_BASE_URL"] == world.url
        assert all(world.environment.values())
        await asyncio.sleep(0)
    finally:
        await world.stop()
