"""People by HTTP alone: passwords and codes, what is told to strangers, sign-ins that end, and step-up on every address."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import argon2
import pyotp
import pytest
import sqlalchemy as sa

from services.gateway.accounts import attempts, codes, passwords
from services.shared.accounts import hours as on_duty
from services.shared.accounts import people
from services.shared.accounts.tables import credential, person_id
from services.shared.audit.trail import audit_log
from services.shared.clock import wall
from services.shared.errors import Conflict
from services.shared.powers.power import BOUNDS
from services.shared.web import sessions
from services.shared.web.asking import rule_of
from services.shared.web.auth import signed_in, who_is
from services.shared.web.cookies import COOKIE
from tests.integration.gateway.test_commands import tocsin
from tests.kit.square import cap
from tests.kit.staff import invited, stale
from tests.kit.town import Town, open_town
from tools.servers.postgres import Postgres

WORDS = "river lamp quiet nineteen"
PAGE = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time; how slow they are is tried by itself."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "TIMES", 1)


@asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without scripts."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=PAGE) as made:
        yield made


def local(town: Town, link: str) -> str:
    return link.replace(f"http://localhost:{town.url.rpartition(':')[2]}", town.url)


class Somebody:
    """Somebody who joined with a password: their app's secret, or their paper codes."""

    def __init__(self, town: Town, http: aiohttp.ClientSession, login: str) -> None:
        self.town, self.http, self.login = town, http, login
        self.app, self.now = "", wall()
        self.papers: list[str] = []

    async def join(self, link: str, beside: str = "app", **form: str) -> tuple[int, str]:
        async with self.http.get(local(self.town, link)) as answer:
            page = await answer.text()
            assert 200 == answer.status, page
        self.app = re.findall(r"<code>([A-Z2-7]{32})</code>", page)[0]
        kept = re.findall(r'name="app" value="([^"]+)"', page)[0]
        given = {"password": WORDS, "beside": beside, "app": kept, "first": self.code()} | form
        async with self.http.post(local(self.town, link), data=given) as answer:
            page = await answer.text()
            self.papers = re.findall(r">([a-z0-9]{4}(?:-[a-z0-9]{4}){3})<", page)
            return answer.status, page

    def code(self, steps: int = 0) -> str:
        return pyotp.TOTP(self.app).at(int(self.now) + steps * codes.STEP_S)

    async def sign_in(self, code: str, password: str = WORDS, **more: str) -> tuple[int, str]:
        form = {"login": self.login, "password": password, "code": code} | more
        async with self.http.post(f"{self.town.url}/console/sign-in", data=form, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def get(self, path: str) -> int:
        async with self.http.get(self.town.url + path, allow_redirects=False) as answer:
            return answer.status

    @property
    def cookie(self) -> str:
        return next(one.value for one in self.http.cookie_jar if one.key == COOKIE)


@asynccontextmanager
async def joined(town: Town, name: str, *roles: str, beside: str = "app", **grant: Any) -> AsyncIterator[Somebody]:
    async with client() as http:
        somebody = Somebody(town, http, name.replace(" ", "").lower())
        status, page = await somebody.join(await invited(town, name, *roles, **grant), beside)
        assert 200 == status, page
        yield somebody


async def test_a_password_and_an_app_and_no_code_twice(desk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of joining is used up, the next one opens once; a wrong password uses none up."""
    async with joined(desk, "Wang Fang", "author") as wang:
        assert 403 == (await wang.sign_in(wang.code()))[0]
        later = wang.now = wall() + codes.STEP_S
        monkeypatch.setattr(codes, "wall", lambda: later)
        assert 403 == (await wang.sign_in(wang.code(), password="not the words at all"))[0]
        assert 303 == (await wang.sign_in(wang.code()))[0]
        assert 403 == (await wang.sign_in(wang.code()))[0]
        assert 403 == (await wang.sign_in(wang.code(-1)))[0]
        assert 200 == await wang.get("/console/account")
    kept = await desk.rows(sa.select(credential.c.kind, credential.c.secret, credential.c.handle))
    assert not [row for row in kept if WORDS in row.secret or wang.app in row.secret + row.handle]
    assert ["$argon2id$v=19$"] == [row.secret[:15] for row in kept if row.kind == "password"]


async def test_a_paper_code_opens_once(desk: Town) -> None:
    """However it is typed; ten are shown, once, and none of them is kept."""
    async with joined(desk, "Li Na", "approver", beside="paper") as li:
        assert 10 == len(set(li.papers))
        assert 303 == (await li.sign_in(li.papers[0].upper().replace("-", " ")))[0]
        assert 403 == (await li.sign_in(li.papers[0]))[0]
        assert 303 == (await li.sign_in(li.papers[1]))[0]
    rows = await desk.rows(sa.select(credential.c.handle, credential.c.secret).where(credential.c.kind == "paper"))
    assert 10 == len(rows)
    assert not [row for row in rows for code in li.papers if code.replace("-", "") in row.handle + row.secret]


async def test_a_link_opens_once_and_ends(desk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Used, replaced or over, it says so; whoever opens it again leaves what is there as it is."""
    first = await invited(desk, "Zhao Lei", "observer")
    again = await people.invite_again(desk.node.platform.database, person_id("Zhao Lei"), by="test", reason="lost")
    link = first.rpartition("/")[0] + "/" + again
    async with client() as http:
        zhao = Somebody(desk, http, "zhaolei")
        assert 404 == (await http.get(local(desk, first))).status
        status, page = await zhao.join(link, first="000000")
        assert (422, True) == (status, "not the app&#39;s code of now" in page)
        for short in ("short", "zhao lei zhao lei", "aaaaaaaaaaaaaaaa"):
            status, page = await zhao.join(link, password=short)
            assert (422, True) == (status, 'href="#password"' in page)
        assert 200 == (await zhao.join(link))[0]
        for answer in (await http.get(local(desk, link)), await http.post(local(desk, link), data={"password": WORDS})):
            assert 404 == answer.status
            assert "was used, or its three days are over" in await answer.text()
    late = await invited(desk, "Sun Li", "observer")
    monkeypatch.setattr(people, "wall", lambda: wall() + people.INVITED_S)
    async with client() as http:
        assert 404 == (await http.get(local(desk, late))).status


async def test_a_new_link_ends_what_was_before(desk: Town) -> None:
    """A lost phone: once the new link is used, the old password opens nothing, nor does a sign-in made with it."""
    async with joined(desk, "Wang Fang", "author", beside="paper") as wang:
        before = wang.cookie
        secret = await people.invite_again(desk.node.platform.database, person_id("Wang Fang"), by="t", reason="lost")
        assert 200 == await wang.get("/console/account")
        async with client() as http:
            new = Somebody(desk, http, "wangfang")
            assert 200 == (await new.join(f"{desk.url}/console/invited/{secret}", "app", password=WORDS + " two"))[0]
            for password in (WORDS, WORDS + " two"):
                assert 403 == (await new.sign_in(wang.papers[0], password))[0]
        assert await signed_in(desk.node.platform.database, before) is None


async def test_nothing_tells_who_is_known(desk: Town) -> None:
    """The same answer for a name that is known and one that is not; both are counted, and both are stopped."""
    async with joined(desk, "Li Na", "approver") as li:
        for login in ("lina", "nobody"):
            li.login = login
            pages = {(await li.sign_in("123456", "some wrong words here"))[1] for _ in range(attempts.OF_NAME_HERE)}
            assert 1 == len(pages)
            assert "do not belong together" in pages.pop()
            status, page = await li.sign_in(li.code(1), WORDS)
            assert (429, True) == (status, "too many tries" in page)
    refused = await desk.rows(sa.select(audit_log.c.subject).where(audit_log.c.act == "sign_in_refused"))
    assert [person_id("Li Na")] * attempts.OF_NAME_HERE == [row.subject for row in refused]


async def test_who_is_unknown_takes_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many hashes, of the same parameters, are computed for nobody as for somebody."""
    judge, seen = passwords.Passwords(), []
    kept = await judge.hashed(WORDS)
    verify = argon2.PasswordHasher.verify

    def noted(hasher: argon2.PasswordHasher, hashed: str, password: str) -> bool:
        seen.append(hashed.rpartition("$")[0].rpartition("$")[0])
        return verify(hasher, hashed, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)
    tried = [await judge.fits(kept, WORDS), await judge.fits(kept, "x"), await judge.fits("", WORDS)]
    assert [True, False, False] == tried
    assert seen == ["$argon2id$v=19$m=64,t=1,p=1"] * 3


async def test_hashes_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MiB, three times, one lane (RFC 9106, 4)."""
    monkeypatch.undo()
    assert (await passwords.Passwords().hashed(WORDS)).startswith("$argon2id$v=19$m=65536,t=3,p=1$")


async def test_sign_ins_are_listed_and_ended(desk: Town) -> None:
    """One of one's own, all others, and all of somebody by an administrator; never another's."""
    async with (
        joined(desk, "Wang Fang", "author", beside="paper") as here,
        joined(desk, "Ma Hui", "administrator") as boss,
        client() as http,
    ):
        there = Somebody(desk, http, "wangfang")
        assert 303 == (await there.sign_in(here.papers[0]))[0]
        async with here.http.get(f"{desk.url}/console/account") as answer:
            ids = re.findall(r'name="sign_in" value="([0-9a-f]{64})"', await answer.text())
        assert 1 == len(ids)
        theirs = {"sign_in": ids[0]}
        await boss.http.post(f"{desk.url}/console/account/sign-ins", data=theirs)  # it is none of hers
        assert 200 == await there.get("/console/account")
        await here.http.post(f"{desk.url}/console/account/sign-ins", data=theirs)
        assert (303, 200) == (await there.get("/console/account"), await here.get("/console/account"))
        assert 303 == (await there.sign_in(here.papers[1]))[0]
        await here.http.post(f"{desk.url}/console/account/sign-ins")
        assert (303, 200) == (await there.get("/console/account"), await here.get("/console/account"))
        await boss.http.post(f"{desk.url}/console/people/{person_id('Wang Fang')}/sign-ins")
        assert (303, 200) == (await here.get("/console/account"), await boss.get("/console/account"))


@pytest.mark.parametrize(
    ("seen", "began", "opens"), [(1790, 1790, True), (1801, 1801, False), (30, 43_190, True), (30, 43_201, False)]
)
async def test_a_sign_in_ends_by_idleness_and_by_age(desk: Town, seen: float, began: float, opens: bool) -> None:
    """Showing again who one is makes it no longer, and gives it another cookie."""
    async with joined(desk, "Wang Fang", "author", beside="paper") as wang:
        before = wang.cookie
        await stale(desk)
        form = {"shown_login": "wangfang", "shown_password": WORDS, "shown_code": wang.papers[0], "_get": "1"}
        async with wang.http.post(
            f"{desk.url}/console/confirm?to=/console", data=form, allow_redirects=False
        ) as answer:
            assert 303 == answer.status
        assert before != wang.cookie
        database = desk.node.platform.database
        assert (await signed_in(database, before), True) == (None, await signed_in(database, wang.cookie) is not None)
        async with database.write() as tx:
            now = wall()
            await tx.execute(sa.update(sessions.sign_in).values(seen_at=now - seen, began_at=now - began))
        assert opens is (200 == await wang.get("/console/account"))


async def test_a_colleagues_password_shows_nobody(desk: Town) -> None:
    """Whoever sits at another's desk and shows who they are themselves is not the one who signed in there."""
    async with joined(desk, "Ma Hui", "administrator") as ma, joined(desk, "Li Na", "author", beside="paper") as li:
        await stale(desk)
        before = ma.cookie
        form = {"shown_login": "lina", "shown_password": WORDS, "shown_code": li.papers[0], "name": "kept"}
        async with ma.http.post(f"{desk.url}/console/confirm?to=/console/people", data=form) as answer:
            page = await answer.text()
        assert (403, True, True) == (answer.status, 'name="name" value="kept"' in page, li.papers[0] not in page)
        assert (before, 303) == (ma.cookie, await ma.get("/console/people/new"))
        assert 303 == (await li.sign_in(li.papers[0]))[0]


async def test_whoever_leaves_is_out_at_once(desk: Town) -> None:
    """Sign-in, password, link and key; and comes back by the same two names."""
    database = desk.node.platform.database
    key = await desk.new_key(owner="Wang Fang")
    async with joined(desk, "Wang Fang", "author", beside="paper") as wang:
        assert 200 == (await desk.call("GET", "/api/v1/warnings", key=key))[0]
        assert "Wang Fang" == await people.end(database, person_id("Wang Fang"), by="t", reason="moves away")
        assert 303 == await wang.get("/console/account")
        assert 401 == (await desk.call("GET", "/api/v1/warnings", key=key))[0]
        await desk.new_key()  # somebody else's goes on
        async with joined(desk, "Somebody Else", "author"):  # so that people sign in here at all
            assert 403 == (await wang.sign_in(wang.papers[0]))[0]
        link = await invited(desk, "Wang Fang", "observer")
        assert 200 == (await wang.join(link, "paper"))[0]


async def test_a_key_opens_the_console_until_somebody_has_an_account(desk: Town) -> None:
    """Then who acts there has a name; programs go on."""
    async with client() as http:

        async def by_key() -> int:
            async with http.post(
                f"{desk.url}/console/sign-in", data={"key": desk.key}, allow_redirects=False
            ) as answer:
                return answer.status

        link = await invited(desk, "Li Na", "approver")
        assert 303 == await by_key()  # invited is not yet here
        li = Somebody(desk, http, "lina")
        assert 200 == (await li.join(link))[0]
        assert 403 == await by_key()
    assert 200 == (await desk.call("GET", "/api/v1/warnings"))[0]


async def test_every_dangerous_address_asks_again(desk: Town) -> None:
    """Whoever signed in six minutes ago is asked who they are on each; who did four minutes ago is not."""
    everything = ("duty officer", "administrator", "auditor", "registrar", "commander")
    async with joined(desk, "Ma Hui", *everything, beside="paper") as ma:
        async with joined(desk, "Wang Fang", "author", beside="paper"):
            pass
        wang = person_id("Wang Fang")
        asked = []
        for seconds in (240.0, 120.0):
            await stale(desk, seconds=seconds)
            for route in desk.node.runner.app.router.routes():
                rule = rule_of(route.handler)
                if rule is None or BOUNDS[rule.act].fresh != "always" or route.method == "HEAD":
                    continue
                path = re.sub(r"\{[a-z_]+\}", wang, route.resource.canonical)  # type: ignore[union-attr]
                async with ma.http.request(route.method, desk.url + path, allow_redirects=False) as answer:
                    again = answer.headers.get("Location", "").startswith("/console/confirm?to=/")
                    assert again is (seconds == 120.0), (route.method, path, dict(answer.headers))
                    asked.append(path)
                headers = {"Cookie": f"{COOKIE}={ma.cookie}", "Accept": "application/json"}
                async with desk.session.request(route.method, desk.url + path, headers=headers) as answer:
                    if again:
                        assert (403, "step-up") == (answer.status, (await answer.json())["rule"])
        assert len(set(asked)) > 6


async def test_nobody_gives_more_than_they_have(desk: Town) -> None:
    """Not to themselves, not beyond their tier, area, events or authority; what they may, they give."""
    box = '{"type":"Polygon","coordinates":[[[103,30],[104,30],[104,31],[103,31],[103,30]]]}'
    far = box.replace("103", "10").replace("104", "11")
    async with joined(desk, "Ma Hui", "administrator", max_tier=3, area=box, events=("storm",)) as ma:

        async def invite(**form: str) -> tuple[int, str]:
            given = {"name": "Li Na", "login": "lina", "authority": desk.authority, "roles": "author", "max_tier": "orange",
                     "alone": "none", "where": "mine", "events": "storm"} | form  # fmt: skip
            async with ma.http.post(f"{desk.url}/console/people", data=given) as answer:
                return answer.status, await answer.text()

        for form in ({"max_tier": "red"}, {"alone": "red"}, {"where": "anywhere"}, {"where": "drawn", "area": far},
                     {"events": ""}, {"events": "storm,flood"}, {"authority": "Elsewhere"}):  # fmt: skip
            assert (await invite(**form))[0] in (403, 404), form
        for form in (
            {"roles": "king"},
            {"hours": "from nine"},
            {"until": "2020-01-01"},
            {"where": "drawn", "area": "x"},
            {"login": "?"},
        ):
            assert 422 == (await invite(**form))[0], form
        async with ma.http.post(
            f"{desk.url}/console/people/{person_id('Ma Hui')}/grant", data={"reason": "me"}
        ) as answer:
            assert 403 == answer.status
        status, page = await invite()
        assert (200, True) == (status, "/console/invited/" in page)
        assert 409 == (await invite())[0]
        foreign = await invited(desk, "Far Away", "author", authority="Elsewhere")
        assert foreign
        async with ma.http.get(f"{desk.url}/console/people/{person_id('Far Away')}") as answer:
            assert 404 == answer.status
        async with ma.http.get(f"{desk.url}/console/people") as answer:
            assert "Far Away" not in await answer.text()


async def test_the_log_is_an_auditors(desk: Town) -> None:
    """Who did what by name; nobody else reads it."""
    async with joined(desk, "Zhou Yi", "auditor") as zhou, joined(desk, "Wang Fang", "author") as wang:
        async with zhou.http.get(f"{desk.url}/console/log?actor=Wang+Fang") as answer:
            page = await answer.text()
        assert (200, True, False) == (answer.status, "join" in page, "<bdi>Zhou Yi</bdi>" in page)
        assert 403 == await wang.get("/console/log")


async def test_outside_their_hours_somebody_sends_if_nobody_else_is_there(desk: Town) -> None:
    """They are told who is on duty; once nobody is, the same warning goes out by them."""
    tomorrow = on_duty.DAYS[(on_duty.local("UTC", wall()).weekday() + 2) % 7]
    async with (
        joined(desk, "Wang Fang", "duty officer", alone=4, hours=f"{tomorrow} 08:00-09:00") as wang,
        joined(desk, "Li Na", "approver"),
    ):

        async def send() -> tuple[int, Any]:
            headers = {"Accept": "application/json", "Content-Type": "application/cap+xml"}
            async with wang.http.post(f"{desk.url}/api/v1/warnings", data=cap("BY-NIGHT"), headers=headers) as answer:
                return answer.status, await answer.json()

        status, said = await send()
        assert (403, "grant.hours") == (status, said["rule"])
        assert "Li Na may send now; ask them, or draft it for them" in said["title"]
        assert 200 == await wang.get("/console/account")
        await people.end(desk.node.platform.database, person_id("Li Na"), by="t", reason="ill")
        assert (202, "active") == ((sent := await send())[0], sent[1]["state"])


async def test_names_that_look_alike_are_one(desk: Town) -> None:
    """By wide letters, signs nobody sees, blanks and capitals; a key is not called as a person is."""
    await invited(desk, "Li Na", "observer")
    for n, name in enumerate(("LI  na", "Li\u200bNa".replace("\u200b", "\u200b "), "\uff2c\uff49 Na", "Li Na\u2060")):
        with pytest.raises(Conflict, match="there is Li Na"):
            await people.invite(desk.node.platform.database, name=name, login=f"other{n}", of=desk.authority,
                                grant=people.Granted(["observer"], 4), by="t")  # fmt: skip
    with pytest.raises(Conflict, match="is the name of a person here"):
        await desk.new_key(label="li na")
    key = await desk.new_key(label="her program", owner=" li  NA")
    async with desk.node.platform.database.read() as db:
        who = await who_is(db, key)
    assert who is not None
    assert ("Li Na", person_id("Li Na")) == (who.label, who.actor)


async def test_where_somebody_goes_on_is_ours(desk: Town) -> None:
    """A page of another host is never gone on to."""
    async with joined(desk, "Wang Fang", "author", beside="paper") as wang:
        for n, to in enumerate(("https://evil.example", "//evil.example", "/\\evil.example", "/console/sign-in")):
            form = {"login": "wangfang", "password": WORDS, "code": wang.papers[n], "to": to}
            async with wang.http.post(f"{desk.url}/console/sign-in", data=form, allow_redirects=False) as answer:
                assert (303, "/console") == (answer.status, answer.headers["Location"])


async def test_people_are_invited_and_ended_at_the_command_line(desk: Town, tmp_path: Path) -> None:
    """The first administrator too; what is wrong is said and makes nobody."""
    data = {"TOCSIN_DATA_DIR": str(desk.node.platform.settings.data_dir), "TOCSIN_PUBLIC_URL": desk.url}

    async def user(*words: str) -> tuple[int, str, str]:
        return await tocsin("user", *words, cwd=tmp_path, **data)

    who = ("--name", "Ma Hui", "--login", "MaHui", "--authority", desk.authority)
    wrong = {
        ("--roles", "king", "--max-tier", "red", "--anywhere"): "there is no role 'king'",
        (
            "--roles",
            "author",
            "--max-tier",
            "pink",
            "--anywhere",
        ): "there is no tier 'pink': use blue, yellow, orange, red",
        ("--roles", "author", "--max-tier", "red"): "say where they may warn: --area FILE (GeoJSON) or --anywhere",
    }
    for words, said in wrong.items():
        code, out, err = await user("invite", *who, *words)
        assert (2, "", True) == (code, out, err.startswith(f"tocsin: {said}")), err
    made = ("--roles", "administrator,auditor", "--max-tier", "orange", "--anywhere", "--hours", "Mo-Fr 08:00-18:00")
    code, link, err = await user("invite", *who, *made)
    assert (0, "", True) == (
        code,
        err,
        link.startswith(desk.url.replace("127.0.0.1", "localhost") + "/console/invited/"),
    )
    assert "tocsin: there is Ma Hui (mahui) already" in (await user("invite", *who, *made))[2]
    listed = (await user("list"))[1]
    assert f"mahui  Ma Hui of {desk.authority}  INVITED " in listed
    assert listed.endswith(
        "administrator, auditor up to orange, alone up to yellow; bound to hours Mo-Fr 08:00-18:00\n"
    )
    async with client() as http:
        ma = Somebody(desk, http, "mahui")
        assert 200 == (await ma.join(link.strip(), "paper"))[0]
        again = ("grant", "mahui", "--reason", "promoted", "--roles", "duty officer", "--max-tier", "red", "--anywhere")
        assert (0, "Ma Hui may do this from now on: tocsin user list shows it\n", "") == await user(*again)
        assert (200, 403) == (await ma.get("/console/account"), await ma.get("/console/people"))
        assert (0, "sign-ins ended: 1\n", "") == await user("sign-out", "mahui", "--reason", "a phone was stolen")
        assert 303 == await ma.get("/console/account")
        assert 303 == (await ma.sign_in(ma.papers[0]))[0]
        key = await desk.new_key(label="her program", owner="Ma Hui")
        _, out, _ = await user("end", "mahui", "--reason", "moves away")
        assert "nothing of Ma Hui opens anything any more\nkeys they owned open nothing either: her program" in out
        assert (303, 401) == (await ma.get("/console/account"), (await desk.call("GET", "/console", key=key))[0])
    assert (2, "tocsin: there is nobody with the sign-in name nobody: see tocsin user list\n") == (
        await user("invite-again", "nobody", "--reason", "lost")
    )[::2]


async def test_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    """Joining, codes once, sign-ins listed and ended, a link again and the end, as on SQLite; two at once take one code."""
    async with (
        open_town(tmp_path / "data", database_url=postgres.database()) as town,
        joined(town, "Wang Fang", "author", beside="paper", hours="Mo-Fr 08:00-18:00") as wang,
    ):
        assert 303 == (await wang.sign_in(wang.papers[0]))[0]
        assert 403 == (await wang.sign_in(wang.papers[0]))[0]
        at_once = await asyncio.gather(*(wang.sign_in(wang.papers[1]) for _ in range(3)))
        assert [303, 403, 403] == sorted(status for status, _ in at_once)
        assert 200 == await wang.get("/console/account")
        await stale(town)
        form = {"shown_login": "wangfang", "shown_password": WORDS, "shown_code": wang.papers[2], "_get": "1"}
        async with wang.http.post(f"{town.url}/console/confirm?to=/console/account/ways", data=form) as answer:
            assert (200, "/console/account/ways") == (answer.status, answer.url.path)
        await people.end(town.node.platform.database, person_id("Wang Fang"), by="t", reason="moves away")
        assert 303 == await wang.get("/console/account")
        assert 200 == (await wang.join(await invited(town, "Wang Fang", "observer"), "paper"))[0]
