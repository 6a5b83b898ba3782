"""Residents register themselves: by a code to a phone, for somebody else, with a worker beside them, or with no phone at all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from time import perf_counter
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.gateway.intake.incoming import from_cap
from services.registry.importing.write import import_areas
from services.registry.model.facilities import AreaIn
from services.registry.model.needs import groups
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.registering import half_filled as half_filled_module
from services.registry.registering.half_filled import KEPT_S
from services.registry.resident import code_budget
from services.registry.store import register
from services.registry.store.resident_tables import challenge, errand, half_filled, notice
from services.shared.audit.trail import audit_log
from services.shared.crypto.one_time_codes import one_time_code
from services.shared.ledger.tables import delivery
from tests.integration.registry.test_me import Phone, phone_of, record_of, settle, somebody
from tests.kit import alerts
from tests.kit.town import Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")
VILLAGE = "村\t510101"
SELF: dict[str, dict[str, Any]] = {
    "whom": {"whom": "self"}, "name": {"name": "Zhao Lan"}, "where": {"village": VILLAGE, "address": "3 Willow Yard"},
    "born": {"born": "1950"}, "needs": {"needs": ["deaf", "signs", "alone"]}, "languages": {"languages": ["zh"]},
    "reach": {"reach": "mobile"}, "number": {}, "helper": {"skip": "1"},
    "agree": {"agree": "yes", "also": ["emergency_share", "drill"]},
}  # fmt: skip
_numbers = iter(range(100, 999))


def new_number() -> str:
    return f"+9998000{next(_numbers):04d}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tocsin() -> AsyncIterator[Town]:
    async with open_town(people=8, looks_at_once=True) as made:
        area = from_cap(alerts.flood().encode(), strict=False).area
        villages = [AreaIn(value_name="村", code="510101", name="Hedong", geojson=area)]
        await import_areas(made.node.platform.database, villages)
        yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_asked_for(tocsin: Town) -> None:
    async with tocsin.node.platform.database.write() as tx:
        for table in (challenge, half_filled, errand):
            await tx.execute(sa.delete(table))


@asynccontextmanager
async def browser(tocsin: Town, number: str = "", **headers: str) -> AsyncIterator[Phone]:
    async with phone_of(tocsin, number or new_number()) as phone:
        phone.session.headers.update(headers)
        yield phone


async def fill_in(phone: Phone, base: str = "/register", **other: dict[str, Any]) -> str:
    """To the page that asks whether it is right; steps that are not given are answered as SELF."""
    text, answers = "", SELF | {"number": {"number": phone.number}} | other
    await phone.get(base)
    await phone.get(f"{base}/{'name' if 'people' in base else 'whom'}")
    for _ in range(20):
        step = phone.url.partition("?")[0].rpartition("/")[2]
        if step == "check":
            return text
        text = await phone.post(f"{base}/{step}", **answers[step])
        assert 200 == phone.status, text
    raise AssertionError(f"no end: {phone.url}")


async def code_for(phone: Phone, number: str = "") -> str:
    """Asks for it, and reads it off the phone; empty where none came."""
    there = phone.tocsin.phone(number or phone.number)
    before = len(there.texts)
    await phone.post("/register/send")
    await settle(phone.tocsin)
    found = [re.search(r"\b(\d{6})\b", text) for text in there.texts[before:]]
    return next((m[1] for m in found if m is not None), "")


async def registered(tocsin: Town) -> list[str]:
    found = sa.select(audit_log.c.subject).where(audit_log.c.act == "person.register").order_by(audit_log.c.n)
    return [row.subject for row in await tocsin.rows(found)]


async def newest(tocsin: Town) -> PersonRecord:
    return await record_of(tocsin, (await registered(tocsin))[-1])


async def test_a_resident_registers_and_is_warned_by_her_own_path(tocsin: Town) -> None:
    """A deaf woman who signs: a text, no robot call, in the warning that goes out right after; and her own page is open."""
    async with browser(tocsin) as phone:
        await fill_in(phone)
        text = await phone.get("/register/check")
        assert all(said in text for said in ("Zhao Lan", "Hedong", "3 Willow Yard", "1950", "Sign language")), text
        code = await code_for(phone)
        assert code
        text = await phone.post("/register/code", code=code)
        assert "/register/done?how=self" == phone.url
        assert "You are in the register." in text
        assert "What would you like to do?" in await phone.get("/me/home")
        record = await newest(tocsin)
        assert ("self", "active") == (record.facts.source("hear").source, record.status)
        assert "deaf_signing" in groups(record.person(), 2026)
        assert record.grid_id, "an officer goes there: the grid of whoever lives nearest"
        consents = {row.purpose: row.decision for row in await tocsin.rows(
            sa.select(register.consent).where(register.consent.c.person_id == record.person_id)
        )}  # fmt: skip
        assert ("given", "given", "given", "refused", "refused") == tuple(
            consents[p] for p in ("warn_me", "emergency_share", "drill", "statistics", "share_officer_peacetime")
        )
        assert [] == await tocsin.rows(sa.select(half_filled)), "nothing half-filled is left"
        warning_id = await tocsin.warn(alerts.flood("REGISTERED"))
        await tocsin.at("+1 min")
        mine = await tocsin.rows(
            sa.select(delivery).where(delivery.c.warning_id == warning_id, delivery.c.person_id == record.person_id)
        )
        channels = {row.channel for row in mine}
        assert "sms" in channels
        assert not channels & {"voice_robot", "voice_mobile"}, channels
        phone.tocsin.phone(phone.number).expect_sms("现在离开")
        await tocsin.cancel(warning_id, "sent_by_mistake")


async def test_what_is_half_filled_can_be_read_by_its_browser_alone(tocsin: Town) -> None:
    """Nothing typed stands in the database in the open; without the cookie there is nothing; after two hours it is gone."""
    async with browser(tocsin) as phone, browser(tocsin) as other:
        await fill_in(phone)
        [row] = await tocsin.rows(sa.select(half_filled))
        assert not any(said.encode() in row.body for said in ("Zhao", "Willow", "deaf", phone.number))
        await other.get("/register/check")
        assert "/register/whom" == other.url
        assert "Go on where you were" in await phone.get("/register")
        async with tocsin.node.platform.database.write() as tx:
            await tx.execute(sa.update(half_filled).values(changed_at=half_filled.c.changed_at - KEPT_S))
        assert "Go on where you were" not in await phone.get("/register")
        await half_filled_module.forget_old(tocsin.node.platform.database)
        assert [] == await tocsin.rows(sa.select(half_filled))


@pytest.mark.parametrize(
    ("reach", "number", "channel"),
    [("landline", "+99985550001", "voice_landline"), ("email", "zhao@example.org", "email")],
)
async def test_a_code_comes_by_call_or_by_mail(tocsin: Town, reach: str, number: str, channel: str) -> None:
    """Where a landline or a mailbox is all there is; what was typed is sealed in the message."""
    async with browser(tocsin, number) as phone:
        await fill_in(phone, reach={"reach": reach})
        await phone.post("/register/send")
        assert "/register/code" == phone.url
        await settle(tocsin)
        [asked] = await tocsin.rows(sa.select(challenge))
        [sent] = await tocsin.rows(sa.select(delivery).where(delivery.c.delivery_id == asked.challenge_id))
        assert (channel, "one_time_code") == (sent.channel, sent.params.notice)
        assert number.encode() == await tocsin.opened(sent.sealed, sent.key_id, sent.contact_id)
        assert b"" == asked.sealed, "it went: nothing of the number is kept here"
        code = one_time_code(tocsin.node.platform.signer("residents"), asked.challenge_id)
        await phone.post("/register/code", code=code)
        assert "/register/done?how=self" == phone.url
        assert [channel] == [row["kind"] for row in (await newest(tocsin)).contacts.values()]


async def test_whoever_stops_or_says_no_leaves_nothing(tocsin: Town) -> None:
    async with browser(tocsin) as phone:
        await fill_in(phone)
        assert "Deleted. Nothing was kept." in await phone.post("/register/stop")
        assert [] == await tocsin.rows(sa.select(half_filled))
        await fill_in(phone)
        await phone.post("/register/agree", agree="no")
        assert "/register?stopped" == phone.url
        assert [] == await tocsin.rows(sa.select(half_filled))


async def test_bad_answers_are_said_and_kept(tocsin: Town) -> None:
    """Which field, what to do, and what was typed stands there still."""
    async with browser(tocsin) as phone:
        for step, form, words in (
            ("whom", {}, "Choose one."),
            ("where", {"village": "村\tnone", "address": "x"}, "Choose a village"),
            ("born", {"born": "19"}, "Type a year from"),
            ("needs", {"needs": ["none", "deaf"]}, "None of these"),
            ("reach", {"reach": "pigeon"}, "Choose one."),
            ("number", {"number": "12"}, "That is no number we can use"),
            ("helper", {"helper_name": "Mei", "helper_number": ""}, "Type a number too"),
            ("agree", {}, "Choose one."),
        ):
            if step == "whom":
                await phone.get("/register/whom")
            elif step == "where":
                await phone.post("/register/whom", whom="self")
            text = await phone.post(f"/register/{step}" if step != "number" else "/register/number", **form)
            if step == "number":  # asked of who has a mobile
                await phone.post("/register/reach", reach="mobile")
                text = await phone.post("/register/number", **form)
                assert 'value="12"' in text
            assert 422 == phone.status, step
            assert 'role="alert"' in text
            assert words in text, (step, text)
        await phone.get("/register/nonsense")
        assert phone.url == "/register"


async def test_everything_may_be_left_open(tocsin: Town) -> None:
    """ "I would rather not say" on every question about the person: without a phone somebody comes by."""
    skipped: dict[str, Any] = {
        step: {"skip": "1"} for step in ("name", "where", "born", "needs", "languages", "reach", "helper")
    }
    async with browser(tocsin) as phone:
        await fill_in(phone, **skipped)
        text = await phone.post("/register/send")
        assert "Somebody comes by to get to know you" in text
        record = await newest(tocsin)
        assert ("suspended", {}) == (record.status, record.contacts)
        [row] = await tocsin.rows(sa.select(errand))
        assert ("not_proven", "open") == (row.why, row.state)


async def test_known_and_unknown_numbers_are_answered_alike(tocsin: Town) -> None:
    """Byte for byte until the code is right: when it is asked for, when it is wrong, when there were too many."""
    one = await somebody(tocsin)
    answers: list[list[tuple[int, str]]] = []
    for n, number in enumerate((one.contacts[0].address, new_number()[:-3] + one.contacts[0].address[-3:])):
        mine: list[tuple[int, str]] = []
        async with browser(tocsin, number, **{"X-Forwarded-For": f"198.51.100.{n}"}) as phone:
            await fill_in(phone)
            for _ in range(3):
                mine.append((await phone.post("/register/send"), phone.status)[::-1])
                await settle(tocsin)
                mine.append((await phone.post("/register/code", code="000000"), phone.status)[::-1])
            mine.append((await phone.post("/register/send"), phone.status)[::-1])
            assert 3 == len([text for text in phone.texts() if "code" in text or "验证码" in text])
        answers.append(mine)
    assert answers[0] == answers[1]
    assert 429 == answers[0][-1][0]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_known_and_unknown_numbers_take_the_same_time(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 200 tries each, medians differ by no more than those of two unknown series do, and 2 ms."""
    from services.registry.resident import access

    one = await somebody(tocsin)
    monkeypatch.setattr(access, "PER_ORIGIN", 10**6)
    monkeypatch.setattr(access, "PER_NUMBER", 10**6)
    series: dict[str, list[float]] = {"known": [], "a": [], "b": []}
    numbers = {"known": one.contacts[0].address, "a": new_number(), "b": new_number()}
    phones: dict[str, Phone] = {}
    async with (
        browser(tocsin, numbers["known"]) as p,
        browser(tocsin, numbers["a"]) as q,
        browser(tocsin, numbers["b"]) as r,
    ):
        phones = {"known": p, "a": q, "b": r}
        for phone in phones.values():
            await fill_in(phone)
        for _ in range(200):
            for name, phone in phones.items():
                began = perf_counter()
                async with phone.session.post(tocsin.url + "/register/send", allow_redirects=False) as response:
                    assert 303 == response.status
                series[name].append(perf_counter() - began)
    noise = abs(median(series["a"]) - median(series["b"]))
    assert abs(median(series["known"]) - median(series["a"])) <= noise + 0.002


async def test_who_is_there_already_comes_to_her_own_page(tocsin: Town) -> None:
    """Only after the right code; and who shares the phone is registered beside her."""
    one = await somebody(tocsin)
    number = one.contacts[0].address
    async with browser(tocsin, number) as phone:
        await fill_in(phone)
        before = await registered(tocsin)
        text = await phone.post("/register/code", code=await code_for(phone))
        assert "/register/known" == phone.url
        assert "This phone is in the register already" in text
        assert one.call_name not in text
        await phone.post("/register/known", who="nobody")
        assert 422 == phone.status
        await phone.post("/register/known", who=one.person_id)
        assert "/me/home" == phone.url
        assert before == await registered(tocsin)
    async with browser(tocsin, number) as phone:
        await fill_in(phone, name={"name": "Her husband"})
        await phone.post("/register/code", code=await code_for(phone))
        await phone.post("/register/known", who="new")
        assert "/register/done?how=self" == phone.url
        record = await newest(tocsin)
        assert {row["address_key"] for row in record.contacts.values()} == {
            row["address_key"] for row in (await record_of(tocsin, one.person_id)).contacts.values()
        }


async def test_no_code_goes_to_a_phone_behind_which_somebody_hides(tocsin: Town) -> None:
    """The page says what it always says."""
    one = await somebody(tocsin, no_test=True)
    async with browser(tocsin, one.contacts[0].address) as phone:
        await fill_in(phone)
        assert "" == await code_for(phone)
        assert "A code of six digits is on its way" in await phone.get("/register/code")


async def test_somebody_registers_their_mother_who_is_told_and_says_no(tocsin: Town) -> None:
    """The daughter proves her phone and becomes the helper; the mother hears of it, and her no deletes what is stored."""
    mother, daughter = new_number(), new_number()
    other: dict[str, Any] = {
        "whom": {"whom": "other"}, "you": {"your_name": "Mei", "your_number": daughter, "relation": "family"},
        "number": {"number": mother}, "agree": {"agree": "yes"},
    }  # fmt: skip
    for answer in ("yes", "no"):
        async with browser(tocsin, daughter) as phone:
            await fill_in(phone, **other)
            text = await phone.post("/register/code", code=await code_for(phone))
            assert "you are their helper" in text, text
            await settle(tocsin)
        record = await newest(tocsin)
        assert "active" == record.status
        assert {"not_verified"} == {row["why_not"] for row in record.contacts.values()}
        [helper] = record.supporters.values()
        assert helper["accepted_on"]
        told = tocsin.phone(mother).expect_sms("/register/told/")
        assert "Mei" not in told
        path = re.search(r"/register/told/\S+", told)
        assert path is not None
        async with browser(tocsin, mother) as phone:
            assert "Do you want it?" in await phone.get(path[0])
            await phone.post(path[0], answer="perhaps")
            assert 422 == phone.status
            await phone.post(path[0], answer=answer)
            record = await record_of(tocsin, record.person_id)
            if answer == "yes":
                assert {""} == {row["why_not"] for row in record.contacts.values() if row["verified_on"]}
                assert any(row["verified_on"] for row in record.contacts.values())
            else:
                assert ("withdrawn", {}) == (record.status, record.contacts)
            await phone.get(path[0])
            assert 404 == phone.status, "it is answered"
        altered = path[0][:-1] + ("a" if path[0][-1] != "a" else "b")
        async with browser(tocsin, mother) as phone:
            await phone.get(altered)
            assert phone.status in (403, 404)


async def test_whoever_has_no_phone_is_visited_and_put_in(tocsin: Town) -> None:
    """Without a phone nobody is warned until staff have been there; what they say stands in the log."""
    async with browser(tocsin) as phone:
        await fill_in(phone, reach={"reach": "none"})
        await phone.post("/register/send")
        assert "/register/done?how=visit" == phone.url
    record = await newest(tocsin)
    [row] = await tocsin.rows(sa.select(errand))
    headers = {"Authorization": f"Bearer {tocsin.key}", "Accept": "text/html"}
    async with tocsin.session.get(f"{tocsin.url}/people/errands", headers=headers) as response:
        text = await response.text()
        assert record.person_id[:8] in text
        assert "Zhao" not in text
    for act, status in (("eat", 422), ("keep", 200), ("keep", 409)):
        url = f"{tocsin.url}/people/errands/{row.errand_id}"
        async with tocsin.session.post(url, data={"act": act}, headers=headers) as response:
            assert status == response.status, await response.text()
    assert "active" == (await record_of(tocsin, record.person_id)).status
    assert 1 == len(await tocsin.rows(sa.select(audit_log).where(audit_log.c.act == "person.errand_kept")))


async def test_a_stranger_fills_no_list_of_visits(tocsin: Town) -> None:
    """Five an hour from one address."""
    for n in range(6):
        async with browser(tocsin, **{"X-Forwarded-For": "192.0.2.7"}) as phone:
            await fill_in(phone, reach={"reach": "none"})
            await phone.post("/register/send")
            assert (429 if n == 5 else 200) == phone.status
    assert 5 == len(await tocsin.rows(sa.select(errand)))


async def test_half_of_all_codes_stay_for_who_is_registered(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that somebody only types use up no more than that."""
    monkeypatch.setattr(tocsin.node.platform.settings, "codes_per_hour", 4)
    got = 0
    for n in range(4):
        async with browser(tocsin, **{"X-Forwarded-For": f"192.0.2.{n + 20}"}) as phone:
            await fill_in(phone)
            got += bool(await code_for(phone))
    assert 2 == got
    one = await somebody(tocsin)
    async with phone_of(tocsin, one.contacts[0].address) as phone:
        assert await phone.code()
    assert code_budget.PER_NUMBER == 3


async def test_a_worker_beside_her_registers_her_without_a_code(tocsin: Town) -> None:
    """In the worker's name, by the person's own yes; a helper is asked; a key that may only look is refused."""
    helper = new_number()
    async with browser(tocsin) as phone:
        phone.session.headers["Authorization"] = f"Bearer {tocsin.key}"
        answers: dict[str, Any] = {
            "helper": {"helper_name": "Guo", "helper_number": helper, "helper_relation": "neighbour"},
            "agree": {"agree": "yes", "method": "in_person"},
        }
        await fill_in(phone, "/people/register", **answers)
        text = await phone.post("/people/register/send")
        assert "It stands in the log that you did it" in text, text
        await settle(tocsin)
        tocsin.phone(helper).expect_sms("/me/helper/")
    [entry] = await tocsin.rows(sa.select(audit_log).where(audit_log.c.act == "person.enter"))
    assert "duty" in entry.actor
    record = await record_of(tocsin, entry.subject)
    assert {""} == {row["why_not"] for row in record.contacts.values()}
    async with browser(tocsin) as phone:
        phone.session.headers["Authorization"] = f"Bearer {tocsin.reader}"
        await phone.get("/people/register")
        assert 403 == phone.status


async def test_no_page_is_heavy(tocsin: Town) -> None:
    """Each under 30 KB with its style, in Chinese too, without a script."""
    async with aiohttp.ClientSession() as session, session.get(tocsin.url + "/static/tocsin.css") as response:
        style = len(await response.read())
    async with browser(tocsin) as phone:
        await fill_in(phone)
        for step in (
            "",
            "/whom",
            "/name",
            "/where",
            "/born",
            "/needs",
            "/languages",
            "/reach",
            "/helper",
            "/agree",
            "/check",
        ):
            text = await phone.get(f"/register{step}?lang=zh")
            assert 200 == phone.status
            assert len(text.encode()) + style < 30_000, step
            assert "<script" not in text


async def test_where_there_are_no_villages_nobody_is_led_on(tocsin: Town) -> None:
    async with tocsin.node.platform.database.write() as tx:
        kept = list((await tx.execute(sa.select(register.area))).mappings())
        await tx.execute(sa.delete(register.area))
    async with browser(tocsin) as phone:
        text = await phone.get("/register")
        assert 422 == phone.status
        assert "no villages" in text
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.insert(register.area), [dict(row) for row in kept])


async def test_a_helper_she_names_is_asked(tocsin: Town) -> None:
    helper = new_number()
    async with browser(tocsin) as phone:
        await fill_in(phone, helper={"helper_name": "Guo", "helper_number": helper, "helper_relation": "neighbour"})
        await phone.post("/register/code", code=await code_for(phone))
        await settle(tocsin)
    tocsin.phone(helper).expect_sms("/me/helper/")
    record = await newest(tocsin)
    assert [""] == [row["accepted_on"] for row in record.supporters.values()]
    kinds = await tocsin.rows(sa.select(notice.c.kind).where(notice.c.person_id == record.person_id))
    assert ["supporter_invitation"] == [row.kind for row in kinds]
    async with tocsin.node.platform.database.read() as db:
        assert (await repository.load_one(db, record.person_id)).household_id
