"""Looking at people is an act: a reason first, written down before anything is shown, masked, counted, and told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.gateway.intake.incoming import from_cap
from services.registry.lookup import unlock
from services.registry.model.given import ConsentIn
from services.registry.people.update import Changes, said, update_person
from services.registry.sample.sample import mint
from services.registry.store import register
from services.registry.store.lookup_tables import look
from services.registry.store.lookup_tables import unlock as unlock_table
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.errors import Refused
from services.shared.tiers import Tier
from services.shared.web.auth import create_key
from tests.kit import alerts
from tests.kit.town import SEED, Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = "case 2026-117: moved house"


@dataclass
class KeyHolder:
    """Somebody with a key, and a browser's way of asking."""

    tocsin: Town
    session: aiohttp.ClientSession
    community: Any

    async def key(self, *actions: str, area: str = "", name: str = "Qingshui County") -> str:
        """A key of its own, so that quotas do not add up."""
        database = self.tocsin.node.platform.database
        return await create_key(
            database, name=name, label=f"{' '.join(actions)} {new_id()[:8]}", actions=actions,
            max_tier=Tier.RED, alone=Tier.RED, area=area,
        )  # fmt: skip

    async def ask(self, method: str, path: str, key: str, **form: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/html"}
        url = self.tocsin.url + path
        async with self.session.request(method, url, headers=headers, data=form or None, allow_redirects=False) as r:
            return r.status, await r.text()

    async def acts(self, subject: str = "") -> list[tuple[str, str, str]]:
        log = trail.audit_log.c
        query = sa.select(log.act, log.reason, log.subject).order_by(log.n)
        return [tuple(r) for r in await self.tocsin.rows(query.where(log.subject == subject) if subject else query)]

    async def consent(self, person_id: str, decision: Any) -> None:
        platform = self.tocsin.node.platform
        one = ConsentIn(purpose="share_officer_peacetime", decision=decision, notice_version="1", method="online")
        async with platform.database.write() as tx:
            await update_person(tx, platform.keys, person_id, Changes(consents=[one]), said("self", "self"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[KeyHolder]:
    async with open_town(people=30) as tocsin, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        community = mint(from_cap(alerts.flood().encode(), strict=False).area, (), people=30, seed=SEED)
        yield KeyHolder(tocsin, session, community)


def person_of(desk: KeyHolder, n: int = 0) -> Any:
    """Somebody with a phone and a helper."""
    return [p for p in desk.community.people if p.contacts and p.supporters and p.grid_id][n]


async def test_without_a_reason_or_the_right_key_nothing_is_shown(desk: KeyHolder) -> None:
    """Nobody's page has an address that opens it; a key that may do all else and not look is refused."""
    one, key = person_of(desk), await desk.key("look", "register")
    assert 403 == (await desk.ask("GET", "/people", await desk.key("read", "send", "register")))[0]
    status, text = await desk.ask("GET", f"/people/{one.person_id}", key)
    assert 200 == status
    assert "Why do you look at this person?" in text
    assert text == (await desk.ask("GET", f"/people/{'0' * 32}", key))[1].replace("0" * 32, one.person_id)
    for reason in ("", "because", "  a   b  "):
        status, text = await desk.ask("POST", f"/people/{one.person_id}", key, reason=reason)
        assert (422, False) == (status, "What was said" in text)
        status, text = await desk.ask("POST", "/people/search", key, by="id", value=one.person_id, reason=reason)
        assert (422, False) == (status, one.person_id in text.replace(f'value="{one.person_id}"', ""))
    assert [] == await desk.tocsin.rows(sa.select(look))
    assert [] == await desk.acts(one.person_id)


async def test_what_cannot_be_written_down_is_not_shown(desk: KeyHolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit entry is committed before a byte goes out: where it fails, nothing does."""
    one, key = person_of(desk), await desk.key("look", "register")
    before = len(await desk.acts())

    async def fails(*_: Any) -> None:
        raise Refused("the audit log is full")

    monkeypatch.setattr(trail, "record", fails)
    status, text = await desk.ask("POST", f"/people/{one.person_id}", key, reason=WHY)
    assert (422, False) == (status, ">Channels</h2>" in text)
    status, text = await desk.ask("POST", "/people/search", key, by="grid", value=one.grid_id, reason=WHY)
    assert (422, 0) == (status, text.count("/people/" + one.person_id))
    monkeypatch.undo()
    assert before == len(await desk.acts())
    assert [] == await desk.tocsin.rows(sa.select(look))


async def test_it_is_masked_and_a_full_value_is_an_act_of_its_own(desk: KeyHolder) -> None:
    """Number and id find them, their helper's number too; name, address and numbers are only on the page of channels."""
    one, key = person_of(desk), await desk.key("look", "register")
    number, helper = one.contacts[0].address, one.supporters[0].contacts[0].address
    for by, value in (("phone", number), ("phone", helper), ("id", one.person_id), ("grid", one.grid_id)):
        status, text = await desk.ask("POST", "/people/search", key, by=by, value=value, reason=WHY)
        assert 200 == status
        after = re.search(r'name="after" value="([^"]+)"', text)
        while f"/people/{one.person_id}" not in text and after is not None:
            _, text = await desk.ask("POST", "/people/search", key, by=by, value=value, reason=WHY, after=after[1])
            after = re.search(r'name="after" value="([^"]+)"', text)
        assert f"/people/{one.person_id}" in text, by
        assert one.call_name not in text
    for by, value in (("name", one.call_name), ("phone", "not a number"), ("", "x")):
        assert 422 == (await desk.ask("POST", "/people/search", key, by=by, value=value, reason=WHY))[0]
    status, text = await desk.ask("POST", f"/people/{one.person_id}", key, reason=WHY)
    assert 200 == status
    secret = [one.call_name, one.address, number.lstrip("+"), helper.lstrip("+"), one.supporters[0].name]
    assert [] == [s for s in secret if s in text]
    assert "…" + number[-3:] in text
    found = re.search(r'name="order" value="([^"]+)"', text)
    assert found is not None
    order = found[1]
    assert ("people.look", WHY, one.person_id) in await desk.acts(one.person_id)

    status, text = await desk.ask("POST", "/open", key, order=order, reason="the ambulance asks for the door")
    assert 200 == status
    assert [] == [s for s in secret if s not in text]
    assert ("people.open", "the ambulance asks for the door", one.person_id) == (await desk.acts(one.person_id))[-1]
    other = await desk.key("look", "register")
    before = await desk.acts()
    for wrong, whose, reason in (
        (order, key, ""), (order, other, WHY), (order[:-2], key, WHY), ("x" + order, key, WHY), ("", key, WHY),
    ):  # fmt: skip
        status, text = await desk.ask("POST", "/open", whose, order=wrong, reason=reason)
        assert status in (403, 422)
        assert one.call_name not in text
    written = (await desk.acts())[len(before) :]
    assert {"refused"} == {act for act, _, _ in written}, "who was refused is written down, and nothing was opened"
    assert 4 == len(written)


async def test_a_protected_address_is_opened_for_nobody(desk: KeyHolder) -> None:
    """Not with every right there is."""
    one, key = person_of(desk, 1), await desk.key("look", "register", "command")
    platform = desk.tocsin.node.platform
    async with platform.database.write() as tx:
        await update_person(
            tx, platform.keys, one.person_id, Changes({"protected_address": True}), said("self", "self")
        )
    _, text = await desk.ask("POST", f"/people/{one.person_id}", key, reason=WHY)
    assert "Where fewer than two of those work, officers come to the door" in text, "what the hotline tells them"
    found = re.search(r'name="order" value="([^"]+)"', text)
    assert found is not None
    _, text = await desk.ask("POST", "/open", key, order=found[1], reason=WHY)
    assert one.call_name in text
    assert one.address not in text
    assert one.contacts[0].address not in text, "only numbers they called safe"


async def test_who_did_not_agree_is_seen_in_an_emergency_only(desk: KeyHolder) -> None:
    """A zone, a warning of orange or red in force, a reason, some hours; it ends with either. They can read of it."""
    one = person_of(desk, 2)
    key, commander = await desk.key("look"), await desk.key("command")
    path = f"/people/{one.person_id}"
    assert 404 == (await desk.ask("POST", path, key, reason=WHY))[0]
    assert 404 == (await desk.ask("POST", f"/people/{'0' * 32}", key, reason=WHY))[0]
    await desk.consent(one.person_id, "given")
    assert 200 == (await desk.ask("POST", path, key, reason=WHY))[0]
    await desk.consent(one.person_id, "withdrawn")
    assert 404 == (await desk.ask("POST", path, key, reason=WHY))[0]
    _, text = await desk.ask("POST", "/people/search", key, by="id", value=one.person_id, reason=WHY)
    nobody = await desk.ask("POST", "/people/search", key, by="id", value="0" * 32, reason=WHY)
    assert "0 shown" in text
    assert text == nobody[1].replace("0" * 32, one.person_id), "nothing tells that they are there"

    given = {"zone": one.grid_id, "hours": "2", "reason": "boats ask whom to fetch first"}
    assert 403 == (await desk.ask("POST", "/people/unlock", key, warning_id="0" * 32, **given))[0]
    assert 404 == (await desk.ask("POST", "/people/unlock", commander, warning_id="0" * 32, **given))[0]
    warning_id = await desk.tocsin.warn(alerts.flood(), doors="safe")
    for wrong in ({"zone": "nowhere"}, {"hours": "100"}, {"hours": "x"}, {"reason": "go"}):
        assert (
            422 == (await desk.ask("POST", "/people/unlock", commander, warning_id=warning_id, **{**given, **wrong}))[0]
        )
    assert 404 == (await desk.ask("POST", path, key, reason=WHY))[0]
    assert 303 == (await desk.ask("POST", "/people/unlock", commander, warning_id=warning_id, **given))[0]
    status, text = await desk.ask("POST", path, key, reason="boat 3 goes there")
    assert 200 == status
    outside, platform = person_of(desk), desk.tocsin.node.platform
    async with platform.database.write() as tx:
        elsewhere = Changes(grid_id="G-elsewhere", zone_id="Z-elsewhere")
        await update_person(tx, platform.keys, outside.person_id, elsewhere, said("officer_visit", "officer"))
    assert 404 == (await desk.ask("POST", f"/people/{outside.person_id}", key, reason=WHY))[0]
    assert ("unlock.open", given["reason"], one.grid_id) in await desk.acts(one.grid_id)

    database, clock = desk.tocsin.node.platform.database, desk.tocsin.node.platform.clock
    assert 0 == await unlock.close_over(database, clock.now())
    await desk.tocsin.cancel(warning_id, "sent_by_mistake")
    assert 404 == (await desk.ask("POST", path, key, reason=WHY))[0], "the warning has ended"
    await unlock.close_over(database, clock.now())  # or the registry's loop was first
    assert ("unlock.closed", "it ended by itself", one.grid_id) in await desk.acts(one.grid_id)
    [seen] = await desk.tocsin.rows(sa.select(look).where(look.c.person_id == one.person_id, look.c.unlock_id != ""))
    [row] = await desk.tocsin.rows(sa.select(unlock_table))
    assert row.unlock_id == seen.unlock_id
    assert row.closed_at is not None


async def test_an_unlock_ends_with_its_time(desk: KeyHolder) -> None:
    """Two hours later it shows nobody, whether anything wrote that down or not."""
    one, key, commander = person_of(desk, 2), await desk.key("look"), await desk.key("command")
    warning_id = await desk.tocsin.warn(alerts.flood("AGAIN"), doors="safe")
    given = {"zone": one.grid_id, "hours": "2", "reason": "boats ask whom to fetch first", "warning_id": warning_id}
    assert 303 == (await desk.ask("POST", "/people/unlock", commander, **given))[0]
    assert 200 == (await desk.ask("POST", f"/people/{one.person_id}", key, reason=WHY))[0]
    async with desk.tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.update(unlock_table).values(until=unlock_table.c.until - 7201))
    assert 404 == (await desk.ask("POST", f"/people/{one.person_id}", key, reason=WHY))[0]


async def test_a_key_looks_at_so_many_people_an_hour(desk: KeyHolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in a list count; the one too many is 429, is not shown, and is written down. Another key goes on."""
    key, other = await desk.key("look", "register"), await desk.key("look", "register")
    pages = desk.tocsin.node.registry._lookup_pages
    monkeypatch.setattr(pages._search, "_quota", 3)
    people = desk.community.people
    for one in people[:3]:
        assert 200 == (await desk.ask("POST", f"/people/{one.person_id}", key, reason=WHY))[0]
    status, text = await desk.ask("POST", f"/people/{people[3].person_id}", key, reason=WHY)
    assert (429, False) == (status, ">Channels</h2>" in text)
    assert "people.quota" in [act for act, _, _ in await desk.acts()]
    assert 200 == (await desk.ask("POST", f"/people/{people[3].person_id}", other, reason=WHY))[0]
    crowded = next(p.grid_id for p in people if sum(q.grid_id == p.grid_id for q in people) > 3)
    assert 429 == (await desk.ask("POST", "/people/search", other, by="grid", value=crowded, reason=WHY))[0]
    async with desk.tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.update(look).values(at=look.c.at - 3601))
    assert 200 == (await desk.ask("POST", f"/people/{people[3].person_id}", key, reason=WHY))[0]


async def test_a_look_at_somebody_who_does_not_exist_raises_an_alarm(desk: KeyHolder) -> None:
    """In a list or on their page: an entry, a log line, a figure. They are warned by nobody and counted nowhere."""
    key, keeper = await desk.key("look", "register"), await desk.key("register", "command")
    counts = sa.select(sa.func.sum(register.cell_count.c.n))
    before = (await desk.tocsin.rows(counts))[0][0]
    headers = {"Authorization": f"Bearer {keeper}"}
    async with desk.session.post(f"{desk.tocsin.url}/people/decoys", json={"count": 3}, headers=headers) as response:
        assert 201 == response.status, await response.text()
        decoys = (await response.json())["decoys"]
    assert before == (await desk.tocsin.rows(counts))[0][0]
    assert 200 == (await desk.ask("POST", f"/people/{decoys[0]}", key, reason=WHY))[0]
    await desk.ask("POST", "/people/search", key, by="id", value=decoys[1], reason=WHY)
    for person_id in decoys[:2]:
        assert "decoy.seen" in [act for act, _, _ in await desk.acts(person_id)]
    async with desk.session.get(f"{desk.tocsin.url}/metrics") as response:
        figure = re.search(r"^tocsin_decoys_seen (\d+)", await response.text(), re.M)
    assert figure is not None
    assert int(figure[1]) >= 2
    headers = {"Authorization": f"Bearer {key}"}
    async with desk.session.post(f"{desk.tocsin.url}/people/decoys", json={"count": 3}, headers=headers) as r:
        assert 403 == r.status


async def test_a_key_bound_to_an_area_sees_nobody_outside(desk: KeyHolder) -> None:
    """Whatever else it may."""
    far = '{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}'
    key, one = await desk.key("look", "register", area=far), person_of(desk)
    assert 404 == (await desk.ask("POST", f"/people/{one.person_id}", key, reason=WHY))[0]


async def test_the_register_of_another_authority_shows_whom_it_keeps_and_no_more(desk: KeyHolder) -> None:
    """Who keeps one list is to others' people as any officer: shown whoever agreed to it, and nobody else."""
    one, home = person_of(desk, 3), "Qingshui County"
    mine, theirs = await desk.key("look", "register"), await desk.key("look", "register", name="Beitan")
    async with desk.tocsin.node.platform.database.write() as tx:
        kept = sa.update(register.person).where(register.person.c.person_id == one.person_id)
        await tx.execute(kept.values(authority=home))
    for key, status in ((mine, 200), (theirs, 404)):
        assert status == (await desk.ask("POST", f"/people/{one.person_id}", key, reason=WHY))[0]
        _, found = await desk.ask("POST", "/people/search", key, by="id", value=one.person_id, reason=WHY)
        assert (status == 200) == (f'/people/{one.person_id}"' in found)
    await desk.consent(one.person_id, "given")
    assert 200 == (await desk.ask("POST", f"/people/{one.person_id}", theirs, reason=WHY))[0]
    await desk.consent(one.person_id, "refused")


async def test_an_unlock_stands_under_a_warning_of_ones_own_and_within_it(desk: KeyHolder) -> None:
    """Not under another authority's, not beyond its area or the key's; and it shows nothing to anybody else's key."""
    one = person_of(desk, 2)
    warning_id = await desk.tocsin.warn(alerts.flood("UNLOCK-1"), doors="safe")
    given = {"zone": one.grid_id, "hours": "2", "reason": "boats ask whom to fetch first", "warning_id": warning_id}
    far = '{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}'
    other, bound = await desk.key("command", name="Beitan"), await desk.key("command", area=far)
    for key in (other, bound):
        assert 403 == (await desk.ask("POST", "/people/unlock", key, **given))[0]
        assert warning_id not in (await desk.ask("GET", "/people/unlock", key))[1]
    outside, platform = person_of(desk), desk.tocsin.node.platform
    async with platform.database.write() as tx:
        await tx.execute(
            sa.update(register.person)
            .where(register.person.c.person_id == outside.person_id)
            .values(lat=outside.lat + 5, zone_id="Z-far", grid_id=one.grid_id)
        )
    commander = await desk.key("command")
    assert warning_id in (await desk.ask("GET", "/people/unlock", commander))[1]
    assert 422 == (await desk.ask("POST", "/people/unlock", commander, **{**given, "zone": "Z-far"}))[0]
    assert 303 == (await desk.ask("POST", "/people/unlock", commander, **given))[0]
    mine, theirs, page = await desk.key("look"), await desk.key("look", name="Beitan"), f"/people/{one.person_id}"
    assert 200 == (await desk.ask("POST", page, mine, reason=WHY))[0]
    assert 404 == (await desk.ask("POST", f"/people/{outside.person_id}", mine, reason=WHY))[0], "beyond the warning"
    assert 404 == (await desk.ask("POST", page, theirs, reason=WHY))[0]
    assert given["reason"] not in (await desk.ask("GET", "/people", theirs))[1]
    assert given["reason"] in (await desk.ask("GET", "/people", mine))[1]


async def test_asking_for_a_number_costs_a_look_and_tells_nothing(
    desk: KeyHolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there and may not be shown is as one that is not; each counts; the log knows one number from another."""
    one, key = person_of(desk, 3), await desk.key("look", name="Beitan")
    monkeypatch.setattr(desk.tocsin.node.registry._lookup_pages._search, "_quota", 3)
    known, unknown = one.contacts[0].address, "+8613800138999"
    pages = [(await desk.ask("POST", "/people/search", key, by="phone", value=v, reason=WHY)) for v in (known, unknown)]
    assert [200, 200] == [status for status, _ in pages]
    assert pages[0][1].replace(known, "") == pages[1][1].replace(unknown, "")
    status, _ = await desk.ask("POST", "/people/search", key, by="phone", value=known, reason=WHY)
    assert 200 == status
    assert 429 == (await desk.ask("POST", "/people/search", key, by="phone", value=unknown, reason=WHY))[0]
    marks = [
        subject for act, _, subject in await desk.acts() if act == "people.search" and subject.startswith("number")
    ]
    assert (marks[-4], marks[-3]) == (marks[-2], marks[-1])
    assert marks[-1] != marks[-2]
    assert not any(known[-6:] in mark or unknown[-6:] in mark for mark in marks)
    keeper = await desk.key("look", "register")
    _, text = await desk.ask("POST", "/people/search", keeper, by="phone", value=known, reason=WHY)
    assert f"/people/{one.person_id}" in text, "who may see them does"
