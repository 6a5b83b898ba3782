"""A key, a limited administrator and what somebody had before they left open nobody's account and send nothing."""

from __future__ import annotations

import re

import pytest

from services.gateway.accounts import passwords
from services.shared.accounts import people
from services.shared.accounts.tables import person_id
from services.shared.powers.pagers import pager
from services.shared.tiers import Tier
from services.shared.web.auth import signed_in
from tests.integration.gateway.test_accounts import WORDS, client, joined
from tests.kit.square import cap
from tests.kit.staff import invited
from tests.kit.town import Town


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "TIMES", 1)


async def sent(town: Town, key: str, path: str, **form: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/html"}
    async with town.session.post(town.url + path, data=form, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_a_key_opens_not_the_account_of_its_owner(desk: Town) -> None:
    """The key of a wall's screen sets no password for whoever answers for it, and signs them out nowhere; they do."""
    async with joined(desk, "Ma Hui", "administrator", beside="paper") as ma:
        key = await desk.new_key(actions=("read",), owner="Ma Hui", max_tier=Tier.BLUE, alone=None)
        assert 200 == (await desk.call("GET", "/api/v1/warnings", key=key))[0]
        new = {"password": "four other words somewhere", "beside": "paper"}
        for path in ("/console/account/ways", "/console/account/sign-ins", "/console/confirm?to=/console"):
            status, page = await sent(desk, key, path, **new)
            assert (403, True) == (status, "a key opens nobody&#39;s account" in page), path
            assert not re.findall(r">[a-z0-9]{4}(?:-[a-z0-9]{4}){3}<", page)
        assert 200 == await ma.get("/console/account/ways")
        assert 403 == (await ma.sign_in(ma.papers[0], new["password"]))[0]
        assert 303 == (await ma.sign_in(ma.papers[0]))[0]


async def test_an_administrator_is_nobody_who_may_do_more(desk: Town) -> None:
    """They make no link for whoever warns of more, or alone, and end no such account; another administrator does."""
    li = f"/console/people/{person_id('Li Na')}"
    async with (
        joined(desk, "Li Na", "duty officer", alone=4),
        joined(desk, "Wu Jun", "administrator", alone=0) as careful,
        joined(desk, "He Ping", "administrator", alone=4, events=("storm",)) as narrow,
        joined(desk, "Ma Hui", "administrator", alone=4) as ma,
    ):
        for http in (careful.http, narrow.http):
            for act in ("link", "end", "grant"):
                async with http.post(f"{desk.url}{li}/{act}", data={"reason": "lost"}) as answer:
                    assert (403, False) == (answer.status, "/console/invited/" in await answer.text()), act
        async with ma.http.post(f"{desk.url}{li}/link", data={"reason": "lost"}) as answer:
            assert (200, True) == (answer.status, "/console/invited/" in await answer.text())


async def test_what_was_before_they_left_stays_over(desk: Town) -> None:
    """Whoever comes back with less has neither the sign-in nor the keys of before; what they are given anew opens."""
    database = desk.node.platform.database
    old = await desk.new_key(owner="Sun Li", label="before")
    async with joined(desk, "Sun Li", "duty officer", beside="paper") as sun:
        cookie = sun.cookie
        await people.end(database, person_id("Sun Li"), by="t", reason="moves away")
        link = await invited(desk, "Sun Li", "observer")
        assert await signed_in(database, cookie) is None
        assert 401 == (await desk.post(cap("BY-THE-OLD-KEY"), key=old))[0]
        assert 200 == (await sun.join(link, "paper"))[0]
        assert (200, 303) == (await sun.get("/console/account"), (await sun.sign_in(sun.papers[0], WORDS))[0])
        assert 401 == (await desk.post(cap("BY-THE-OLD-KEY"), key=old))[0]
        new = await desk.new_key(owner="Sun Li", label="after")
        assert 202 == (await desk.post(cap("BY-THE-NEW-KEY"), key=new))[0]


async def test_links_an_administrator_made_end_with_them(desk: Town) -> None:
    """Whoever leaves with a colleague's new link in their hand is nobody by it; the colleague signs in as before."""
    async with (
        joined(desk, "Li Na", "duty officer", beside="paper") as li,
        joined(desk, "Ma Hui", "administrator") as ma,
        client() as http,
    ):
        async with ma.http.post(
            f"{desk.url}/console/people/{person_id('Li Na')}/link", data={"reason": "lost"}
        ) as answer:
            link = re.findall(r"/console/invited/[\w-]+", await answer.text())[0]
        assert 200 == (await http.get(desk.url + link)).status
        await people.end(desk.node.platform.database, person_id("Ma Hui"), by="t", reason="dismissed")
        assert 404 == (await http.get(desk.url + link)).status
        assert 404 == (await http.post(desk.url + link, data={"password": "four other words somewhere"})).status
        assert 303 == (await li.sign_in(li.papers[0]))[0]


async def test_whoever_decides_nothing_is_paged_nowhere(desk: Town) -> None:
    """Each number is texted and called: only whoever may decide gives one, few an hour, and none that is never dialled."""
    form = {"place": "1", "language": "en"}
    reader = await desk.new_key(actions=("read", "draft"), owner="Li Na")
    assert 403 == (await sent(desk, reader, "/people/pager", phone="+8613800138001", **form))[0]
    assert [] == await desk.rows(pager.select())
    duty = await desk.new_key(owner="Li Na")
    status, page = await sent(desk, duty, "/people/pager", phone="+1 900 555 1234", **form)
    assert (422, True) == (status, "is never dialled" in page)
    tried = [(await sent(desk, duty, "/people/pager", phone=f"+861380013800{n}", **form))[0] for n in range(6)]
    assert [303] * 5 + [429] == tried
    assert 303 == (await sent(desk, duty, "/people/pager", phone="", **form))[0]
    assert 403 == (await sent(desk, reader, "/people/pager", act="remove"))[0]
    assert 1 == len(await desk.rows(pager.select()))
