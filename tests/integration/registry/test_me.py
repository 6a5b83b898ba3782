"""A resident's own pages: signing in by a code, all that is stored, who looked, and everything they may change."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.gateway.intake.incoming import from_cap
from services.registry.importing.write import import_people
from services.registry.model.given import ConsentIn, ContactIn, PersonIn, SupporterIn, mobile
from services.registry.model.needs import groups
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.people.sources import SourceList
from services.registry.people.update import Changes, said, update_person
from services.registry.resident import access, code_budget
from services.registry.resident.helpers import INVITE_S
from services.registry.sample.sample import mint
from services.registry.store import register
from services.registry.store.resident_tables import challenge, notice
from services.shared.audit.trail import audit_log
from services.shared.bus.outbox import id_of
from services.shared.ledger.tables import delivery
from services.shared.web.fair_turns import TURNS
from tests.kit import alerts
from tests.kit.town import SEED, Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Phone:
    """A resident with a browser: what it is shown, where it is led, and the texts that come to its number."""

    tocsin: Town
    session: aiohttp.ClientSession
    number: str
    url: str = ""
    status: int = 0

    async def get(self, path: str) -> str:
        async with self.session.get(self.tocsin.url + path, headers={"Accept": "text/html"}) as response:
            self.url, self.status = response.url.path_qs, response.status
            return await response.text()

    async def post(self, path: str, **form: Any) -> str:
        body = aiohttp.FormData([(k, v) for k, vs in form.items() for v in (vs if isinstance(vs, list) else [vs])])
        async with self.session.post(self.tocsin.url + path, data=body, headers={"Accept": "text/html"}) as response:
            self.url, self.status = response.url.path_qs, response.status
            return await response.text()

    def texts(self) -> list[str]:
        """Bodies of the texts the provider was handed for this number, oldest first."""
        return self.tocsin.phone(self.number).texts

    async def code(self) -> str:
        """Asks for a code and waits for it; empty where none comes."""
        before = len(self.texts())
        await self.post("/me/start", number=self.number)
        await settle(self.tocsin)
        found = [re.search(r"\b(\d{6})\b", text) for text in self.texts()[before:]]
        return next((m[1] for m in found if m is not None), "")

    async def sign_in(self, who: str = "") -> str:
        """To the page after the code."""
        code = await self.code()
        assert code, f"no code came: {self.url}"
        text = await self.post("/me/code", c=self.url.partition("c=")[2], code=code)
        if self.url == "/me/who" and who:
            choice = re.search(rf'value="({who}-[0-9a-f]+)"', text)
            assert choice is not None, text
            text = await self.post("/me/who", who=choice[1])
        return text


async def settle(tocsin: Town) -> None:
    """And two seconds more."""
    await tocsin.settle()
    await tocsin.at("+2 s")


@asynccontextmanager
async def phone_of(tocsin: Town, number: str) -> AsyncIterator[Phone]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Phone(tocsin, session, number)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tocsin() -> AsyncIterator[Town]:
    async with open_town(people=8, looks_at_once=True) as made:
        yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def budgets(tocsin: Town) -> None:
    """Each test begins with nothing asked for."""
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.delete(challenge))


_numbers = iter(range(10, 99))


async def somebody(tocsin: Town, listed: bool = False, **more: Any) -> PersonIn:
    """A new person with a mobile of their own, or one that only a list names."""
    home = mint(from_cap(alerts.flood().encode(), strict=False).area, (), people=1, seed=SEED).people[0]
    n = next(_numbers)
    values = {
        "person_id": id_of("me", n), "call_name": f"Somebody {n}", "address": f"{n} Quiet Street", "lat": home.lat,
        "lon": home.lon, "grid_id": "g1", "contacts": mobile(f"+9997000{n:04d}", given_by="record" if listed else "self"),
    }  # fmt: skip
    one = PersonIn.model_validate(values | more)
    platform = tocsin.node.platform
    source = SourceList(f"list {n}", "civil_affairs" if listed else "self", "2026-01-02")
    await import_people(platform.database, platform.keys, [one], year=2026, fictional=True, source=source)
    return one


async def record_of(tocsin: Town, person_id: str) -> PersonRecord:
    async with tocsin.node.platform.database.read() as db:
        return await repository.load_one(db, person_id)


async def notices(tocsin: Town, addressee_id: str) -> list[Any]:
    found = sa.select(delivery).where(delivery.c.kind == "notice", delivery.c.addressee_id == addressee_id)
    return await tocsin.rows(found.order_by(delivery.c.state_at))


async def test_signing_in_and_seeing_all_that_is_stored(tocsin: Town) -> None:
    """No promise of rescue first; a code by SMS; every answer with who said it and when; nothing in full."""
    one = await somebody(tocsin, wg={"walk": 3}, lives_alone=True)
    async with phone_of(tocsin, one.contacts[0].address) as phone:
        assert "It is not a promise of rescue. In danger, go, or call 12345." in await phone.get("/me")
        assert "/me" == (await phone.get("/me/home"), phone.url)[1], "nobody is signed in"
        assert "What would you like to do?" in await phone.sign_in()
        assert "/me/home" == phone.url
        text = await phone.get("/me/stored")
        assert re.search(r"Walking</dt><dd>A lot of difficulty <span[^>]*>\(you said it, 2026-01-02\)", text)
        assert "Lives alone" in text
        assert "S…" in text
        assert [] == [s for s in (one.call_name, one.address, one.contacts[0].address[1:]) if s in text]
        assert "…" + one.contacts[0].address[-3:] in text
        assert "您有什么" not in text
        assert "很困难" in await phone.get("/me/stored?lang=zh")
        assert "登记了我的什么" in await phone.get("/me/home"), "the language is kept"
        await phone.post("/me/out")
        await phone.get("/me/stored")
        assert "/me" == phone.url
    [sent] = await notices(tocsin, one.person_id)
    assert ("one_time_code", "sms", "") == (sent.params.notice, sent.channel, sent.warning_id)
    assert not re.search(r"\b\d{6}\b", str(sent.params)), "the code stands nowhere"


async def test_she_corrects_what_is_wrong(tocsin: Town) -> None:
    """One question a page; theirs beats a list's, which stays visible as a conflict; nonsense is refused in words."""
    one = await somebody(tocsin, listed=True, birth_year=1950, wg={"hear": 1})
    async with phone_of(tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        await phone.post("/me/who", birth="1950")
        assert "/me/home" == phone.url
        await phone.post("/me/answer/hear", value="4")
        await phone.post("/me/answer/floor", value="-1")
        await phone.post("/me/answer/modes", value=["plain_text", "sign", "unheard of"])
        await phone.post("/me/answer/lives_alone", value="yes")
        await phone.post("/me/answer/carriers_needed", value="2")
        await phone.post("/me/answer/sign_lang", value="csl")
        await phone.post("/me/text/wake", value="flash the light by the window")
        for name, value in (("floor", "999"), ("floor", "x"), ("hear", "9"), ("moves", "flies"), ("opt_in", [])):
            text = await phone.post(f"/me/answer/{name}", value=value)
            assert name == "opt_in" or (422 == phone.status and 'role="alert"' in text), name
        assert 404 == (await phone.get("/me/answer/national_id"), phone.status)[1]
    record = await record_of(tocsin, one.person_id)
    now = {
        n: record.facts.answers[n] for n in ("hear", "floor", "modes", "lives_alone", "carriers_needed", "sign_lang")
    }
    assert {"hear": 4, "floor": -1, "modes": ["plain_text", "sign"], "lives_alone": True, "carriers_needed": 2,
            "sign_lang": "csl"} == now  # fmt: skip
    assert "self" == record.facts.source("hear").source
    assert ("hear", 4, 1) in [(c["field"], c["kept"], c["other"]) for c in record.differing.values()]
    assert "deaf_signing" in groups(record.person(), 2026)
    assert "wake" in record.facts.marks


async def test_known_and_unknown_numbers_are_answered_alike(tocsin: Town) -> None:
    """Byte for byte, but for the random id: when a code is asked for, when it is wrong, when there were too many."""
    one = await somebody(tocsin)
    answers: list[list[tuple[int, str]]] = []
    for number in (one.contacts[0].address, "+99970009999"):
        mine: list[tuple[int, str]] = []
        async with phone_of(tocsin, number) as phone:
            for _ in range(3):
                text = await phone.post("/me/start", number=number)
                await settle(tocsin)
                challenge_id = phone.url.partition("c=")[2]
                mine.append((phone.status, text.replace(challenge_id, "ID")))
                for _ in range(2):
                    text = await phone.post("/me/code", c=challenge_id, code="000000")
                    mine.append((phone.status, text.replace(challenge_id, "ID")))
            mine.append((await phone.post("/me/start", number=number), phone.status)[::-1])
        answers.append(mine)
    assert answers[0] == answers[1]
    assert 429 == answers[0][-1][0]
    assert 3 == len(await notices(tocsin, one.person_id))


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_known_and_unknown_numbers_take_the_same_time(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 500 tries each, medians differ by no more than those of two unknown series between them do, and 2 ms."""
    monkeypatch.setattr(access, "PER_NUMBER", 10**6)
    monkeypatch.setattr(access, "PER_ORIGIN", 10**6)
    monkeypatch.setattr(code_budget, "PER_NUMBER", 10**6)
    monkeypatch.setattr(tocsin.node.runner.app[TURNS], "per_second", 1e9)  # a wait would hide what is measured
    monkeypatch.setattr(tocsin.node.platform.settings, "codes_per_hour", 10**6)
    one = await somebody(tocsin)
    series: dict[str, list[float]] = {one.contacts[0].address: [], "+99970009998": [], "+99970009997": []}
    async with phone_of(tocsin, "") as phone:
        for n in range(500):
            for number in sorted(series, key=lambda s: hash((n, s))):
                begun = perf_counter()
                await phone.post("/me/start", number=number)
                await phone.post("/me/code", c=phone.url.partition("c=")[2], code="000000")
                series[number].append(perf_counter() - begun)
    known, first, second = (median(times) for times in series.values())
    assert abs(known - first) <= abs(first - second) + 0.002


async def test_a_code_works_once_for_ten_minutes_and_five_tries(tocsin: Town) -> None:
    one = await somebody(tocsin)
    async with phone_of(tocsin, one.contacts[0].address) as phone:
        code = await phone.code()
        challenge_id = phone.url.partition("c=")[2]
        for _ in range(5):
            await phone.post("/me/code", c=challenge_id, code="0" * 6)
            assert 422 == phone.status
        await phone.post("/me/code", c=challenge_id, code=code)
        assert 422 == phone.status, "tried too often"
        code = await phone.code()
        challenge_id = phone.url.partition("c=")[2]
        async with tocsin.node.platform.database.write() as tx:
            await tx.execute(sa.update(challenge).values(asked_at=challenge.c.asked_at - 601))
        await phone.post("/me/code", c=challenge_id, code=code)
        assert 422 == phone.status, "too old"
        await phone.sign_in()
        assert "/me/home" == phone.url
    async with phone_of(tocsin, one.contacts[0].address) as other:
        used = (await tocsin.rows(sa.select(challenge).where(challenge.c.state == "used")))[0].challenge_id
        await other.post("/me/code", c=used, code="000000")
        assert 422 == other.status
        await other.get("/me/home")
        assert "/me" == other.url
        other.session.cookie_jar.update_cookies({"tocsin_me": "x_y__1.abc"})
        await other.get("/me/home")
        assert "/me" == other.url


async def test_an_old_number_from_a_list_opens_nothing(tocsin: Town) -> None:
    """Whoever has it now must know the year of birth, three tries a day; and can say that it is not theirs."""
    one = await somebody(tocsin, listed=True, birth_year=1944)
    number = one.contacts[0].address
    async with phone_of(tocsin, number) as phone:
        text = await phone.sign_in()
        assert "In which year were you born?" in text
        for path in ("/me/home", "/me/stored", "/me/plan"):
            await phone.get(path)
            assert "/me/who" == phone.url, path
        for year in ("1945", "", "no"):
            assert "not what the register has" in await phone.post("/me/who", birth=year)
        await phone.post("/me/who", birth="1944")
        assert "/me/who" == phone.url, "three tries a day"
        assert "Taken off" in await phone.post("/me/not-mine")
    record = await record_of(tocsin, one.person_id)
    assert {"not_hers"} == {row["why_not"] for row in record.contacts.values()}
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.delete(challenge))
    async with phone_of(tocsin, number) as phone:
        assert "" == await phone.code(), "no code goes there any more"
    other = await somebody(tocsin, listed=True)
    async with phone_of(tocsin, other.contacts[0].address) as phone:
        assert "We must know you first" in await phone.sign_in()


async def test_channels_are_chosen_ordered_and_tested(tocsin: Town) -> None:
    """A no holds, an order is theirs, a test comes as a text or call and says what came of it; five a day."""
    one = await somebody(tocsin)
    async with phone_of(tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        record = await record_of(tocsin, one.person_id)
        by_kind = {row["kind"]: contact_id for contact_id, row in record.contacts.items()}
        await phone.post(f"/me/channels/{by_kind['voice_mobile']}", do="up")
        order = sorted((await record_of(tocsin, one.person_id)).contacts.values(), key=lambda row: row["position"])
        assert ["voice_mobile", "sms"] == [row["kind"] for row in order]
        await phone.post(f"/me/channels/{by_kind['sms']}", do="no")
        record = await record_of(tocsin, one.person_id)
        assert {"voice_mobile": "", "sms": "said_no"} == {
            row["kind"]: row["why_not"] for row in record.contacts.values()
        }
        await phone.post(f"/me/channels/{by_kind['sms']}", do="yes")
        before = len(phone.texts())
        assert "The test is on its way" in await phone.post(f"/me/channels/{by_kind['sms']}", do="test")
        await settle(tocsin)
        assert "only a test" in phone.texts()[before]
        await tocsin.at("+2 min")
        assert re.search(r"Last test .*: (it arrived|handed to the network)", await phone.get("/me/channels"))
        await phone.post(f"/me/channels/{by_kind['voice_mobile']}", do="test")
        await settle(tocsin)
        channels = [row.channel for row in await notices(tocsin, one.person_id) if row.params.notice == "channel_test"]
        assert {"sms", "voice_mobile"} == set(channels)
        text = ""
        for _ in range(4):
            text = await phone.post(f"/me/channels/{by_kind['sms']}", do="test")
        assert "Five tests a day" in text
        await phone.post(f"/me/channels/{'0' * 32}", do="test")
        assert 404 == phone.status


async def test_no_message_betrays_a_hidden_phone(tocsin: Town) -> None:
    """no_test and protected addresses: no test and no code, but to a number they called safe."""
    safe = ContactIn(kind="sms", address="+99970000001", safe=True)
    hidden = await somebody(tocsin, protected_address=True, contacts=(*mobile("+99970000002"), safe))
    quiet = await somebody(tocsin, no_test=True)
    for number, comes in (("+99970000002", False), (quiet.contacts[0].address, False), ("+99970000001", True)):
        async with phone_of(tocsin, number) as phone:
            assert comes == bool(await phone.code()), number
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.delete(challenge))
    async with phone_of(tocsin, "+99970000001") as phone:
        await phone.sign_in()
        record = await record_of(tocsin, hidden.person_id)
        rows = {row["mask"]: contact_id for contact_id, row in record.contacts.items()}
        before = len(await notices(tocsin, hidden.person_id))
        assert "No test" in await phone.post(f"/me/channels/{rows['…002']}", do="test")
        assert "on its way" in await phone.post(f"/me/channels/{rows['…001']}", do="test")
        await settle(tocsin)
        new = (await notices(tocsin, hidden.person_id))[before:]
        assert [rows["…001"]] == [row.contact_id for row in new]
        for path in ("/me/stored", "/me/plan", "/me/channels"):
            assert hidden.address not in await phone.get(path)


async def test_away_until_a_day(tocsin: Town) -> None:
    """From today, at most a year; empty ends it."""
    one = await somebody(tocsin)
    async with phone_of(tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        for wrong in ("2026-06-09", "2030-01-01", "tomorrow"):
            assert "Choose a day" in await phone.post("/me/away", until=wrong)
        await phone.post("/me/away", until="2026-06-20")
        [stay] = (await record_of(tocsin, one.person_id)).stays.values()
        assert ("away", "2026-06-10", "2026-06-20") == (stay["kind"], stay["since"], stay["until"])
        assert "away until 2026-06-20" in await phone.get("/me/away")
        await phone.post("/me/away", until="")
    assert {} == (await record_of(tocsin, one.person_id)).stays


async def test_a_helper_may_live_in_the_same_home(tocsin: Town) -> None:
    """It is one of the answers to where they live, and neither near nor far."""
    one = await somebody(tocsin)
    async with phone_of(tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        given = {"name": "Wife", "number": "+99970008887", "relation": "family"}
        assert "In my home" in await phone.post("/me/helpers/add", step="relation", **given)
        await phone.post("/me/helpers/add", step="place", place="with_me", **given)
    [row] = (await record_of(tocsin, one.person_id)).supporters.values()
    assert (True, False) == (row["at_home"], row["outside_zone"])


async def test_a_helper_is_asked_and_agrees_or_not(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named in four questions, asked by SMS without a name, used after a yes; either side ends it and nobody is told."""
    one = await somebody(tocsin)
    helper = "+99970008888"
    async with phone_of(tocsin, one.contacts[0].address) as phone, phone_of(tocsin, helper) as theirs:
        await phone.sign_in()
        given = {"name": "Quiet Helper", "number": helper, "relation": "neighbour"}
        assert "phone number?" in await phone.post("/me/helpers/add", step="name", name=given["name"])
        assert "cannot be asked" in await phone.post("/me/helpers/add", step="number", name="x", number="123")
        assert "cannot be asked" in await phone.post("/me/helpers/add", step="number", name="x", number="+449098790000")
        text = await phone.post("/me/helpers/add", step="relation", **given)
        assert "Where does your helper live?" in text
        assert "We ask your helper" in await phone.post("/me/helpers/add", step="place", place="far", **given)
        await settle(tocsin)
        [(supporter_id, row)] = (await record_of(tocsin, one.person_id)).supporters.items()
        assert ("", True, "neighbour") == (row["accepted_on"], row["outside_zone"], row["relation"])
        [asked] = theirs.texts()
        assert one.call_name not in asked
        link = re.search(r"http\S+(/me/helper/\S+)", asked)
        assert link is not None
        page = await theirs.get(link[1])
        assert "Would you help S… in an emergency?" in page
        assert one.address not in page
        await theirs.get(link[1][:-1])
        assert 403 == theirs.status
        async with tocsin.node.platform.database.write() as tx:
            await tx.execute(sa.update(notice).values(asked_at=notice.c.asked_at - INVITE_S))
        assert "not open any more" in await theirs.get(link[1])
        assert 404 == theirs.status
        await theirs.post(link[1], answer="yes")
        assert 404 == theirs.status
        async with tocsin.node.platform.database.write() as tx:
            await tx.execute(sa.update(notice).values(asked_at=notice.c.asked_at + INVITE_S))
        assert "You are a helper now" in await theirs.post(link[1], answer="yes")
        record = await record_of(tocsin, one.person_id)
        assert record.supporters[supporter_id]["accepted_on"]
        assert {""} == {c["why_not"] for c in record.helper_contacts[supporter_id].values()}

        assert "You are a helper of S…" in await theirs.sign_in()
        for path in ("/me/home", "/me/stored", "/me/looks", "/me/withdraw"):
            text = await theirs.get(path)
            assert "/me/helping" == theirs.url
            assert one.address not in text
        await theirs.post(f"/me/helpers/{supporter_id}")
        assert "/me/helping" == theirs.url
        assert "not a helper" in await theirs.post("/me/helping", answer="no")
        assert {} == (await record_of(tocsin, one.person_id)).supporters
        await theirs.get(link[1])
        assert 404 == theirs.status
        monkeypatch.setattr("services.registry.resident.helpers.INVITES_A_DAY", 1)
        assert "Five people a day" in await phone.post("/me/helpers/add", step="place", place="far", **given)
        assert "Quiet Helper" not in await phone.get("/me/helpers")


async def test_purposes_are_limited_and_nothing_is_taken_for_a_yes(tocsin: Town) -> None:
    """A no after a yes is a withdrawal; there is no purpose for anything else."""
    one = await somebody(tocsin)
    async with phone_of(tocsin, one.contacts[0].address) as phone:
        await phone.sign_in()
        assert "Nobody has asked you" in await phone.get("/me/purposes")
        for decision in ("given", "refused"):
            await phone.post("/me/purposes/share_officer_peacetime", decision=decision)
        await phone.post("/me/purposes/drill", decision="refused")
        assert "Choose one" in await phone.post("/me/purposes/statistics")
        for purpose in ("police", "benefits"):
            await phone.post(f"/me/purposes/{purpose}", decision="given")
            assert 404 == phone.status
    rows = await tocsin.rows(
        sa.select(register.consent).where(register.consent.c.person_id == one.person_id).order_by(register.consent.c.at)
    )
    assert [
        ("share_officer_peacetime", "given", "self"), ("share_officer_peacetime", "withdrawn", "self"),
        ("drill", "refused", "self"),
    ] == [(r.purpose, r.decision, r.by) for r in rows]  # fmt: skip


async def test_withdrawing_deletes_and_tells_nobody(tocsin: Town) -> None:
    """Their helper hears nothing; broadcast still reaches them, which the page says."""
    helper = SupporterIn(name="H", contacts=mobile("+99970007777"), accepted=True)
    one = await somebody(tocsin, supporters=(helper,), wg={"see": 4})
    async with phone_of(tocsin, one.contacts[0].address) as phone, phone_of(tocsin, "+99970007777") as theirs:
        await phone.sign_in()
        assert "still reach you" in await phone.get("/me/withdraw")
        await phone.post("/me/withdraw")
        assert 422 == phone.status
        assert "Warnings to everybody still reach you" in await phone.post("/me/withdraw", sure="yes")
        await settle(tocsin)
        assert [] == theirs.texts()
        await phone.get("/me/home")
        assert "/me" == phone.url
    record = await record_of(tocsin, one.person_id)
    assert ("withdrawn", {}, {}, {}) == (record.status, record.contacts, record.supporters, record.parts)
    assert "see" not in record.facts.answers


async def test_a_guardian_decides_for_a_child_and_not_for_an_adult(tocsin: Town) -> None:
    """Below 14 the guardian; an adult alone: a guardian may fill gaps in, and never change their word or decide."""

    def guardian(number: str) -> SupporterIn:
        return SupporterIn(name="G", relation="guardian", contacts=mobile(number), accepted=True)

    child = await somebody(tocsin, birth_year=2017, supporters=(guardian("+99970006661"),))
    adult = await somebody(tocsin, birth_year=1980, wg={"cognition": 4}, supporters=(guardian("+99970006662"),))
    async with phone_of(tocsin, "+99970006661") as phone:
        assert "guardian of S…" in await phone.sign_in()
        await phone.post("/me/answer/moves", value="wheelchair")
        await phone.post("/me/purposes/drill", decision="given")
        assert 200 == phone.status
    consents = await tocsin.rows(sa.select(register.consent).where(register.consent.c.person_id == child.person_id))
    assert [("guardian_consent", "guardian")] == [(c.basis, c.by) for c in consents]
    assert "wheelchair" == (await record_of(tocsin, child.person_id)).facts.answers["moves"]
    async with phone_of(tocsin, child.contacts[0].address) as phone:
        await phone.sign_in()
        for path in ("/me/withdraw", "/me/purposes/drill", "/me/answer/hear"):
            assert "Your guardian decides" in await phone.get(path)
            assert 403 == phone.status
        await phone.post("/me/away", until="2026-06-11")
        assert 200 == phone.status, "they may say that they are away"
    async with phone_of(tocsin, "+99970006662") as phone:
        await phone.sign_in()
        await phone.post("/me/answer/cognition", value="1")
        assert 403 == phone.status
        await phone.post("/me/answer/moves", value="walks_with_aid")
        assert 200 == phone.status
        contact_id = next(iter((await record_of(tocsin, adult.person_id)).contacts))
        for path, form in (
            ("/me/withdraw", {"sure": "yes"}), ("/me/purposes/drill", {"decision": "given"}),
            (f"/me/channels/{contact_id}", {"do": "no"}), ("/me/answer/protected_address", {"value": "no"}),
            ("/me/helpers/add", {"step": "name", "name": "x"}), ("/me/text/address", {"value": "elsewhere"}),
        ):  # fmt: skip
            text = await phone.post(path, **form)
            assert 403 == phone.status, path
            assert "Only the person" in text or "said this" in text
    record = await record_of(tocsin, adult.person_id)
    assert (4, "walks_with_aid", "proxy") == (
        record.facts.answers["cognition"], record.facts.answers["moves"], record.facts.source("moves").source,
    )  # fmt: skip


async def test_she_reads_who_looked_and_her_plan(tocsin: Town) -> None:
    """By role and reason, from the audit log; officers' lists with their door too. Who comes, what they bring, where to."""
    one = await somebody(tocsin, moves="wheelchair", carriers_needed=2, contacts=(), household_id="")
    number = "+99970005555"
    platform = tocsin.node.platform
    async with platform.database.write() as tx:
        contact = ContactIn(kind="sms", address=number)
        consent = ConsentIn(purpose="share_officer_peacetime", decision="given", notice_version="1")
        await update_person(
            tx, platform.keys, one.person_id, Changes(contacts=[contact], consents=[consent]), said("self", "self")
        )
        rows = [
            ("steps", 30.03, 103.02, "open", False), ("far hall", 31.0, 104.0, "open", True),
            ("Nanling School", 30.04, 103.03, "unknown", True), ("shut hall", 30.03, 103.02, "closed", True),
        ]  # fmt: skip
        for n, (name, lat, lon, state, free) in enumerate(rows):
            await tx.execute(
                sa.insert(register.place).values(
                    place_id=id_of("p", n), name=name, address="a", lat=lat, lon=lon, cell=0, state=state, confirmed_by="",
                    step_free=free, power=False, interpreter=[], animals=False, capacity=10, route="uphill", authority="",
                )
            )  # fmt: skip
    headers = {"Authorization": f"Bearer {tocsin.key}", "Accept": "text/html"}
    async with phone_of(tocsin, number) as phone:
        await phone.sign_in()
        await phone.post("/me/answer/floor", value="2")
        assert "Nobody has looked" in await phone.get("/me/looks"), "their own changes are no looks"
        form = {"reason": "case 9: asks for a ramp"}
        async with phone.session.post(f"{tocsin.url}/people/{one.person_id}", data=form, headers=headers) as response:
            assert 200 == response.status
        text = await phone.get("/me/looks")
        assert re.search(
            r"<b>The duty office</b> looked at your page \(masked\)\. Reason: case 9: asks for a ramp", text
        )
        assert "duty officer" not in text, "by role, not by name"
        warning_id = await tocsin.warn(alerts.flood("LOOKS"), doors="safe")
        await tocsin.at("+15 min")
        mine = [r for r in await tocsin.rows(sa.select(delivery)) if r.person_id == one.person_id and r.slot]
        assert mine, "nobody was sent to their door"
        officer = await tocsin.phone_for_lists(tocsin.list_link(warning_id, mine[0].slot))
        await officer.close()
        assert "opened a list of doors with yours on it" in await phone.get("/me/looks")
        plan = await phone.get("/me/plan")
        assert "In a wheelchair" in plan
        assert "Nanling School" in plan
        assert one.address not in plan
        log = sa.select(audit_log.c.act).where(audit_log.c.subject == one.person_id)
        assert "people.look" in [r.act for r in await tocsin.rows(log)]


async def test_a_budget_holds_for_an_origin(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tries many numbers from one place is stopped; and no premium number is ever sent to."""
    monkeypatch.setattr(access, "PER_ORIGIN", 4)
    before = len(tocsin.outside.sandbox.messages)
    async with phone_of(tocsin, "") as phone:
        for n in range(6):
            await phone.post("/me/start", number=f"+4490987900{n:02d}")
            assert (200 if n < 4 else 429) == phone.status
    await settle(tocsin)
    assert before == len(tocsin.outside.sandbox.messages)
