"""Registering under attack, and by the confused: strangers who speak for others, buttons pressed twice, two sets of pages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from services.registry.registering.entering import MOST_BY_ONE_PHONE, TOLD_A_DAY
from services.registry.resident.access import Access, Seat
from services.registry.resident.helpers import INVITED_A_DAY
from services.registry.store import register
from services.registry.store.resident_tables import errand
from tests.integration.registry.test_me import record_of, settle, somebody
from tests.integration.registry.test_register import VILLAGE, browser, code_for, fill_in, new_number, newest
from tests.integration.registry.test_register import nothing_asked_for as nothing_asked_for
from tests.integration.registry.test_register import tocsin as tocsin
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


def other(helper: str, number: str, relation: str = "family") -> dict[str, Any]:
    return {
        "whom": {"whom": "other"}, "you": {"your_name": "Mei", "your_number": helper, "relation": relation},
        "number": {"number": number}, "agree": {"agree": "yes"},
    }  # fmt: skip


async def register_other(tocsin: Town, number: str, relation: str = "family") -> str:
    """By a stranger with a phone and a network address of their own; the stranger's number."""
    mine = new_number()
    async with browser(tocsin, mine, **{"X-Forwarded-For": f"198.51.100.{int(mine[-3:]) % 250}"}) as phone:
        await fill_in(phone, **other(mine, number, relation))
        await phone.post("/register/code", code=await code_for(phone, mine))
        assert phone.url.startswith("/register/done"), phone.url
    await settle(tocsin)
    return mine


async def people_there(tocsin: Town) -> int:
    [row] = await tocsin.rows(sa.select(sa.func.count().label("people")).select_from(register.person))
    return int(row.people)


async def seats_of(tocsin: Town, number: str) -> list[Seat]:
    access = Access(tocsin.node.platform)
    async with tocsin.node.platform.database.read() as db:
        return list(await access.seats(db, access.contact_key("sms", number)))


async def test_nobody_makes_themselves_the_guardian_of_who_has_a_phone(tocsin: Town) -> None:
    """A guardian reads everything: whoever registers a stranger as their ward would read what she says later. Where there is
    no phone staff see both, and the guardian comes to the page of the child."""
    mine = await register_other(tocsin, new_number(), "guardian")
    assert ["helper"] == [seat.role for seat in await seats_of(tocsin, mine)]
    mine = new_number()
    async with browser(tocsin, mine) as phone:
        answers: dict[str, Any] = other(mine, "", "guardian") | {"born": {"born": "2020"}, "reach": {"reach": "none"}}
        await fill_in(phone, **answers)
        await phone.post("/register/code", code=await code_for(phone, mine))
        assert ["guardian"] == [seat.role for seat in await seats_of(tocsin, mine)]
        await phone.get("/me/home")
        assert "/me/home" == phone.url


async def test_strangers_fill_nobodys_phone(tocsin: Town) -> None:
    """Three are told a day, whoever registers; then staff tell them, and no warning goes there before."""
    victim = new_number()
    for _ in range(TOLD_A_DAY + 1):
        await register_other(tocsin, victim)
    assert TOLD_A_DAY == len(tocsin.phone(victim).texts)
    record = await newest(tocsin)
    assert "suspended" == record.status
    assert ["not_told"] == [row.why for row in await tocsin.rows(sa.select(errand))]
    assert MOST_BY_ONE_PHONE > TOLD_A_DAY


async def test_strangers_name_nobody_a_helper_without_end(tocsin: Town) -> None:
    """Ten invitations a day come to one phone, whoever names it."""
    victim = new_number()
    for n in range(INVITED_A_DAY + 1):
        async with browser(tocsin, **{"X-Forwarded-For": f"203.0.113.{n}"}) as phone:
            await fill_in(phone, helper={"helper_name": "Guo", "helper_number": victim, "helper_relation": "peer"})
            await phone.post("/register/code", code=await code_for(phone))
            assert "/register/done?how=self" == phone.url
    await settle(tocsin)
    assert INVITED_A_DAY == len(tocsin.phone(victim).texts)


async def test_nothing_is_told_to_a_phone_behind_which_somebody_hides(tocsin: Town) -> None:
    """Neither that it was registered nor that somebody wants its help; the page says what it always says."""
    one = await somebody(tocsin, no_test=True)
    theirs = one.contacts[0].address
    await register_other(tocsin, theirs)
    assert "suspended" == (await newest(tocsin)).status
    async with browser(tocsin) as phone:
        await fill_in(phone, helper={"helper_name": "Guo", "helper_number": theirs, "helper_relation": "peer"})
        await phone.post("/register/code", code=await code_for(phone))
        assert "/register/done?how=self" == phone.url
    await settle(tocsin)
    assert [] == tocsin.phone(theirs).texts


async def test_a_worker_settles_no_visit_of_another_place_by_naming_a_village_of_their_own(tocsin: Town) -> None:
    """Neither deletes the person nor fetches them into the area of the key."""
    far = '{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}'
    async with browser(tocsin) as phone:
        await fill_in(phone, reach={"reach": "none"})
        await phone.post("/register/send")
    record = await newest(tocsin)
    [row] = await tocsin.rows(sa.select(errand))
    [known] = await tocsin.rows(sa.select(register.area).where(register.area.c.code == "510101"))
    async with tocsin.node.platform.database.write() as tx:
        village = {**known._mapping, "code": "999901", "name": "Far", "geojson": far}
        await tx.execute(sa.insert(register.area).values(**village))
    headers = {"Authorization": f"Bearer {await tocsin.new_key(label='far away', area=far)}", "Accept": "text/html"}
    for act in ("drop", "keep"):
        url, form = f"{tocsin.url}/people/errands/{row.errand_id}", {"act": act, "village": "\u6751\t999901"}
        async with tocsin.session.post(url, data=form, headers=headers) as response:
            assert 403 == response.status
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.delete(register.area).where(register.area.c.code == "999901"))
    assert record.status == (await record_of(tocsin, record.person_id)).status


async def test_a_button_pressed_twice_puts_in_one_person(tocsin: Town) -> None:
    async with browser(tocsin) as phone:
        sent: dict[str, dict[str, Any]] = {
            "/register": {"reach": {"reach": "none"}},
            "/people/register": {"agree": {"agree": "yes", "method": "in_person"}},
        }
        for base, answers in sent.items():
            if "people" in base:
                phone.session.headers["Authorization"] = f"Bearer {tocsin.key}"
            await fill_in(phone, base, **answers)
            before = await people_there(tocsin)
            pressed = [
                phone.session.post(f"{tocsin.url}{base}/send", headers={"Accept": "text/html"}) for _ in range(4)
            ]
            assert {200} == {response.status for response in await asyncio.gather(*pressed)}
            assert before + 1 == await people_there(tocsin), base


async def test_what_is_refused_stays_filled_in(tocsin: Town) -> None:
    """Whom nobody may put in just now can be sent again later, without typing it all again."""
    for n in range(6):
        async with browser(tocsin, **{"X-Forwarded-For": "192.0.2.8"}) as phone:
            await fill_in(phone, reach={"reach": "none"})
            await phone.post("/register/send")
            if n == 5:
                assert 429 == phone.status
                assert "Zhao Lan" in await phone.get("/register/check")


async def test_what_one_answers_alone_is_not_sent_by_a_worker(tocsin: Town) -> None:
    """Nor the other way round: whoever is registered by somebody else has agreed to nothing, and no worker saw them."""
    async with browser(tocsin) as phone:
        await fill_in(phone, **other(new_number(), new_number()))
        phone.session.headers["Authorization"] = f"Bearer {tocsin.key}"
        before = await people_there(tocsin)
        await phone.post("/people/register/send")
        assert "/people/register" == phone.url
        assert before == await people_there(tocsin)
        await fill_in(phone, "/people/register", agree={"agree": "yes", "method": "in_person"})
        del phone.session.headers["Authorization"]
        assert "Zhao Lan" not in await phone.get("/register/name"), "a worker's questions are theirs"
        await phone.get("/register/check")
        assert "/register/whom" == phone.url


async def test_a_code_is_taken_as_people_type_it(tocsin: Town) -> None:
    """With a space, or in full-width figures as a Chinese keyboard makes them."""
    for typed in (lambda code: f" {code[:3]} {code[3:]}", lambda code: "".join(chr(ord(one) + 0xFEE0) for one in code)):
        async with browser(tocsin) as phone:
            await fill_in(phone)
            await phone.post("/register/code", code=typed(await code_for(phone)))
            assert "/register/done?how=self" == phone.url


async def test_who_withdrew_is_not_brought_back_by_a_visit(tocsin: Town) -> None:
    async with browser(tocsin) as phone:
        await fill_in(phone, where={"skip": "1"})
        await phone.post("/register/code", code=await code_for(phone))
        record = await newest(tocsin)
        await phone.post("/me/withdraw", sure="yes")
    [row] = await tocsin.rows(sa.select(errand))
    headers = {"Authorization": f"Bearer {tocsin.key}", "Accept": "text/html"}
    url = f"{tocsin.url}/people/errands"
    async with tocsin.session.get(url, headers=headers) as response:
        assert record.person_id[:8] not in await response.text()
    form = {"act": "keep", "village": VILLAGE}
    async with tocsin.session.post(f"{url}/{row.errand_id}", data=form, headers=headers) as response:
        assert 404 == response.status
    assert "withdrawn" == (await record_of(tocsin, record.person_id)).status


@pytest.mark.parametrize(
    ("country", "typed"), [("BR", "+5511987654321"), ("MX", "+525512345678"), ("AR", "+5491123456789")]
)
async def test_a_number_of_two_forms_leads_to_ones_own_page(
    tocsin: Town, monkeypatch: pytest.MonkeyPatch, country: str, typed: str
) -> None:
    """Whoever has just registered with it is signed in as themselves."""
    monkeypatch.setattr(tocsin.node.platform.settings, "country", country)
    async with browser(tocsin, typed) as phone:
        await fill_in(phone)
        code = await code_for(phone)
        assert code
        await phone.post("/register/code", code=code)
        assert "/register/done?how=self" == phone.url
        await phone.get("/me/home")
        assert "/me/home" == phone.url


async def test_who_withdraws_in_one_browser_is_signed_out_in_the_other(tocsin: Town) -> None:
    """Also where somebody else shares the phone: the other browser asks who sits there, and breaks nowhere."""
    number = new_number()
    async with browser(tocsin, number) as first, browser(tocsin, number) as shares, browser(tocsin, number) as second:
        await fill_in(first)
        await first.post("/register/code", code=await code_for(first))
        person_id = (await newest(tocsin)).person_id
        for phone, who in ((shares, "new"), (second, person_id)):
            await fill_in(phone)
            await phone.post("/register/code", code=await code_for(phone))
            assert "/register/known" == phone.url
            await phone.post("/register/known", who=who)
        assert "/me/home" == second.url
        await first.post("/me/withdraw", sure="yes")
        for path in ("/me/home", "/me/who"):
            await second.get(path)
            assert 200 == second.status, path
