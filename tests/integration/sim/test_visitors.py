"""Officers on their round, readers of e-mail, the broadcaster: each through the real page or protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import pytest
from aiohttp import web

from services.registry.model.facilities import FacilityIn, WorkerIn
from services.registry.model.given import mobile
from services.registry.sample.sample import Community
from services.sim.habits import Habits
from tests.integration.sim.test_people import person
from tests.kit.provider_stub import START, Client, listen, settle

TEAM = WorkerIn(worker_id=f"{90:032x}", name="Team 1", contacts=mobile("+99970000190", verified=True))
EVERYBODY = Habits(
    stale=0, at_home_day=1, at_home_older_day=1, at_home_cannot_leave=1, door_refused=0, door_help=0, door_unsafe=0,
    door_help_cannot_leave=1, officer_notices=1, mail_read_day=1, mail_answers=1, help_otherwise=0, not_there=0,
    contact_reaches=1,
)  # fmt: skip


class Pages:
    """A list of doors and an answer page, as channels shows them."""

    def __init__(self) -> None:
        self.url = ""
        self.doors: dict[str, str] = {}  # visit > words on the list
        self.done: set[str] = set()
        self.stopped = False
        self.late = False
        self.signs: list[str] = []
        self.tapped: list[tuple[str, str]] = []
        self.answers: list[str] = []
        self.looks = 0
        self.app = web.Application()
        self.app.add_routes(
            [
                web.get("/l/{token}", self.list),
                web.post("/l/{token}/sign", self.sign),
                web.post("/l/{token}/{visit}", self.tap),
                web.get("/a/{token}", self.page),
                web.post("/a/{token}", self.answer),
            ]
        )

    async def list(self, request: web.Request) -> web.Response:
        self.looks += 1
        token = request.match_info["token"]
        entries = "".join(
            f'<article id="v{v}" data-done="{int(v in self.done)}"><p>{words}</p>'
            f'<form method="post" action="/l/{token}/{v}"><input type="hidden" name="event" value="e{v}{self.looks}">'
            + "".join(f'<button name="outcome" value="{b}">x</button>' for b in ("can_go", "gone", "help", "no_answer"))
            + "</form></article>"
            for v, words in self.doors.items()
        )
        stop = '<p id="stopped">Stopped</p>' if self.stopped else ""
        buttons = "".join(f'<button name="sign" value="{b}">x</button>' for b in ("here", "back"))
        team = f'<section id="team" data-late="{int(self.late)}"><form method="post" action="/l/{token}/sign">{buttons}</form>'
        return web.Response(
            text=f"<!doctype html><body>{stop}{team}</section>{entries}</body>", content_type="text/html"
        )

    async def sign(self, request: web.Request) -> web.Response:
        self.signs.append(str((await request.post())["sign"]))
        self.late = False
        raise web.HTTPSeeOther(f"/l/{request.match_info['token']}")

    async def tap(self, request: web.Request) -> web.Response:
        form = await request.post()
        visit = request.match_info["visit"]
        assert str(form["event"]).startswith(f"e{visit}")
        self.tapped.append((visit, str(form["outcome"])))
        if form["outcome"] in ("can_go", "gone"):
            self.done.add(visit)
        raise web.HTTPSeeOther(f"/l/{request.match_info['token']}")

    async def page(self, request: web.Request) -> web.Response:
        buttons = "".join(f'<button name="answer" value="{b}">x</button>' for b in ("leaving", "help", "not_there"))
        text = f'<form method="post"><input type="hidden" name="event" value="e1">{buttons}</form>'
        return web.Response(text=text, content_type="text/html")

    async def answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert "e1" == form["event"]
        self.answers.append(str(form["answer"]))
        raise web.HTTPSeeOther("/")


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    made = Pages()
    runner, made.url = await listen(made.app)
    yield made
    await runner.cleanup()


async def test_a_team_goes_from_door_to_door_taps_and_comes_back_with_help(world_of, stub, session, pages) -> None:
    """One door after the other in the list's order, by the real forms; a request for help ends in a second visit."""
    people = [person(1, "+99970000101"), person(2, "+99970000102", moves="wheelchair"), person(3, "+99970000103")]
    world = await world_of(Community(people=people, workers=[TEAM]), habits=EVERYBODY)
    pages.doors = {"a1": "Ms 1, 1 River Lane", "b2": "Ms 2, 2 River Lane", "c3": "Ms 3, 3 River Lane"}
    await Client(world, stub, session).sms(
        "+99970000190", f"County: your list of doors for No. 7: {pages.url}/l/t", "d1"
    )
    await settle(world)
    assert [("a1", "can_go"), ("b2", "help"), ("c3", "can_go"), ("b2", "can_go")] == pages.tapped
    assert {"a1", "b2", "c3"} == pages.done
    assert world.agenda.clock.now() - START > 7200
    assert 1 == world.officers.outcomes["rounds_ended"]
    assert ["back"] == pages.signs, "asked nothing meanwhile, and in safety at the end"
    assert world.agenda.next_at() is None


async def test_a_team_stops_when_the_list_says_so(world_of, stub, session, pages) -> None:
    """The door under way is the last one: after it the list is looked at again."""
    people = [person(n, f"+9997000010{n}") for n in range(1, 6)]
    world = await world_of(Community(people=people, workers=[TEAM]), habits=EVERYBODY)
    pages.doors = {f"a{n}": f"Ms {n}, {n} River Lane" for n in range(1, 6)}
    await Client(world, stub, session).sms("+99970000190", f"Your list of doors: {pages.url}/l/t", "d1")
    await settle(world, 1200)
    assert 0 < len(pages.tapped) < 5
    pages.late = True
    await settle(world, 600)
    assert ["here"] == pages.signs
    so_far = len(pages.tapped)
    pages.stopped = True
    await settle(world)
    assert ["here", "back"] == pages.signs
    assert so_far + 1 == len(pages.tapped)
    assert 1 == world.officers.outcomes["rounds_stopped"]


async def test_whoever_has_left_is_not_met(world_of, stub, session, pages) -> None:
    """Gone since the text: the neighbour knows, or nobody opens."""
    world = await world_of(Community(people=[person(1, "+99970000101")], workers=[TEAM]), habits=EVERYBODY)
    world.around.left[f"{1:032x}"] = START - 1
    pages.doors = {"a1": "Ms 1, 1 River Lane"}
    await Client(world, stub, session).sms("+99970000190", f"Your list of doors: {pages.url}/l/t", "d1")
    await settle(world)
    assert pages.tapped[0][1] in ("gone", "no_answer")


async def test_a_second_text_with_the_same_list_starts_no_second_round(world_of, stub, session, pages) -> None:
    """One team, one list."""
    world = await world_of(Community(people=[person(1, "+99970000101")], workers=[TEAM]), habits=EVERYBODY)
    pages.doors = {"a1": "Ms 1, 1 River Lane"}
    client = Client(world, stub, session)
    await client.sms("+99970000190", f"Your list of doors: {pages.url}/l/t", "d1")
    await client.sms("+99970000190", f"Your list of doors: {pages.url}/l/t", "d2")
    await settle(world)
    assert [("a1", "can_go")] == pages.tapped


async def test_a_round_that_had_ended_goes_on_with_the_next_text(world_of, stub, session, pages) -> None:
    """Doors that were put on the list later; those done stay done."""
    people = [person(1, "+99970000101"), person(2, "+99970000102")]
    world = await world_of(Community(people=people, workers=[TEAM]), habits=EVERYBODY)
    pages.doors = {"a1": "Ms 1, 1 River Lane"}
    client = Client(world, stub, session)
    await client.sms("+99970000190", f"Your list of doors: {pages.url}/l/t", "d1")
    await settle(world)
    pages.doors["a2"] = "Ms 2, 2 River Lane"
    await client.sms("+99970000190", f"Your list of doors: {pages.url}/l/t", "d2")
    await settle(world)
    assert [("a1", "can_go"), ("a2", "can_go")] == pages.tapped
    assert 2 == world.officers.outcomes["rounds_ended"]


async def test_an_officer_asked_to_contact_somebody_answers_with_the_reference(world_of, stub, session, pages) -> None:
    """After 5 to 15 minutes, by text."""
    world = await world_of(Community(workers=[TEAM]), habits=EVERYBODY)
    text = f"County: please contact Ms 1. Reply 4 4711 spoken, 2 4711 needs help. Your list: {pages.url}/l/t"
    await Client(world, stub, session).sms("+99970000190", text, "d1")
    await settle(world)
    assert ["4 4711"] == [f["Body"] for f in stub.of("/callbacks/sms_twilio/in")]
    assert 300 <= world.agenda.clock.now() - START <= 930
    assert [] == pages.tapped


async def test_a_facilitys_duty_desk_answers_and_presses_1(world_of, stub, session) -> None:
    """Its people are fetched by the liaison team later."""
    house = FacilityIn.model_validate(
        {
            "facility_id": f"{70:032x}",
            "name": "Green Bank",
            "kind": "nursing_home",
            "contacts": ({"kind": "duty_phone_1", "address": "+99920000170", "verified": True},),
            "lat": 30.05,
            "lon": 103.05,
        }
    )
    world = await world_of(Community(facilities=[house]), habits=Habits(duty_answers=1))
    await Client(world, stub, session).call("+99920000170", "Flood. Start moving.", "d1")
    await settle(world)
    assert ["1"] == [f["Digits"] for f in stub.of("/callbacks/voice_twilio/key")]


async def test_an_e_mail_is_taken_logged_and_answered_by_its_link(world_of, pages) -> None:
    """Over real SMTP; the delivery id is in its Message-ID; a refused address is refused."""
    world = await world_of(Community(people=[person(1, "+99970000101")]), habits=EVERYBODY)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "county@example.org", "p1@example.org", "Go now: flood"
    mail["Message-ID"] = "<d1@tocsin>"
    mail.set_content(f"洪水。Leave now.\n\nTell us: {pages.url}/a/t\nCall 112")
    host, port = world.environment["TOCSIN_SMTP_HOST"], int(world.environment["TOCSIN_SMTP_PORT"])
    await aiosmtplib.send(mail, hostname=host, port=port, start_tls=False)
    assert ["d1"] == [a.delivery for a in world.accepts if a.kind == "email"]
    await settle(world)
    assert ["leaving"] == pages.answers
    world.mailbox.refuse["p1@example.org"] = "550 5.1.1 no such user"
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await aiosmtplib.send(mail, hostname=host, port=port, start_tls=False)


async def test_the_broadcaster_takes_cap_and_nothing_else(world_of, session) -> None:
    """The same document twice is one warning on air."""
    world = await world_of()
    url = world.environment["TOCSIN_BROADCAST_URLS"]
    cap = (
        '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>a-1</identifier><sender>s</sender>'
        "<sent>2026-05-28T10:00:00+00:00</sent></alert>"
    )
    for body, status in ((cap, 200), (cap, 200), ("<alert/>", 400), ("no xml", 400)):
        async with session.post(url, data=body.encode()) as answer:
            assert status == answer.status
    async with session.get(url) as answer:
        assert {"count": 2, "identifiers": ["a-1"]} == await answer.json()
