"""Another authority's keys see nothing of how a warning does, and no link to a list outlives what it is for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.channels.messages import list_links
from services.router.cases.handling import CaseIn
from services.router.store.tables import path
from services.shared.audit.trail import audit_log
from services.shared.ledger.warnings import warning_state
from services.shared.powers.who import ACTIONS
from services.shared.web.auth import name_superior
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24
REASON = {"reason": "the chief of the fire service asked by radio"}
NOBODY = "0" * 32
NAMED = re.compile(r"<article id=\"v")


class Keys(NamedTuple):
    """`beitan` is another authority's with every action, `province` of one above Qingshui, `desk` Qingshui's own
    without `look`."""

    beitan: str
    province: str
    desk: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keys(tocsin: Town) -> AsyncIterator[Keys]:
    beitan = await tocsin.new_key(name="Beitan Village", label="beitan")
    province = await tocsin.new_key(name="Province", label="province")
    await name_superior(
        tocsin.node.platform.database, tocsin.authority, "Province", actor="test", reason="the province stands above"
    )
    desk = await tocsin.new_key(label="desk", actions=[a for a in ACTIONS if a != "look"])
    yield Keys(beitan, province, desk)


async def _addresses(tocsin: Town, warning_id: str) -> list[tuple[str, str, Any]]:
    """Every address about one warning, with a body that would be taken."""
    (person,) = (await tocsin.rows(sa.select(path.c.person_id).where(path.c.warning_id == warning_id).limit(1)))[0]
    slot = (await tocsin.officers_of(warning_id))[0]
    word = {"word": "unsafe", "commander": "Chen, county command"}
    assert set(CaseIn.model_fields) >= {"act"}
    return [
        ("GET", f"/live/{warning_id}", None),
        ("GET", f"/live/{warning_id}/cases", None),
        ("GET", f"/live/{warning_id}/doors", None),
        ("GET", f"/live/{warning_id}/preview", None),
        ("GET", f"/live/{warning_id}/path/{person}", None),
        ("GET", f"/report/{warning_id}/coverage", None),
        ("GET", f"/report/{warning_id}/goals", None),
        ("GET", f"/report/{warning_id}/people", None),
        ("GET", f"/report/{warning_id}/path/{person}", None),
        ("GET", f"/report/{warning_id}/cases", None),
        ("GET", f"/channels/stations/{warning_id}", None),
        ("GET", f"/channels/lists/{warning_id}", None),
        ("POST", f"/report/{warning_id}/doors", word),
        ("POST", f"/report/{warning_id}/cases/{NOBODY}", {"act": "take"}),
        ("POST", f"/channels/lists/{warning_id}/{slot}/link", REASON),
        ("POST", f"/channels/lists/{warning_id}/recall", REASON),
    ]


async def _status(tocsin: Town, method: str, address: str, body: Any, key: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}"}
    async with tocsin.session.request(method, tocsin.url + address, json=body, headers=headers) as response:
        return response.status, await response.text()


async def test_another_authority_is_refused_at_every_address_of_a_warning(tocsin: Town, keys: Keys) -> None:
    """It went out, so they know that it is there: 403 in words that say whose it is. Nothing has changed after it."""
    warning_id = await tocsin.warn(alerts.flood("WATCH-1"), doors="safe")
    before = await tocsin.shape()
    for method, address, body in await _addresses(tocsin, warning_id):
        status, said = await _status(tocsin, method, address, body, keys.beitan)
        assert (403, address) == (status, address)
        assert f"this is {tocsin.authority}" in said, address
    assert before == await tocsin.shape()
    assert "allowed" == (await tocsin.warning(warning_id)).doors
    for method, address, body in await _addresses(tocsin, warning_id):
        if method == "GET":
            for key in (tocsin.key, keys.province):
                status, said = await _status(tocsin, method, address, body, key)
                assert (200, address) == (status, address), said
    await tocsin.cancel(warning_id, "sent_by_mistake")


async def test_a_draft_of_another_authority_is_not_there(tocsin: Town, keys: Keys) -> None:
    """In the very words of one that is not there."""
    warning_id = await tocsin.draft(alerts.held("WATCH-DRAFT"))
    await tocsin.settle()
    for address in ("/live/{}", "/live/{}/preview", "/live/{}/cases", "/report/{}/coverage", "/channels/lists/{}"):
        status, said = await _status(tocsin, "GET", address.format(warning_id), None, keys.beitan)
        nowhere = await _status(tocsin, "GET", address.format(NOBODY), None, keys.beitan)
        assert (404, nowhere) == (status, (nowhere[0], said.replace(warning_id, NOBODY))), address
        assert 404 != (await _status(tocsin, "GET", address.format(warning_id), None, tocsin.key))[0], address


async def test_who_may_not_look_at_people_gets_counts_and_no_person(tocsin: Town, keys: Keys) -> None:
    """The desk watches; who is missing, by id and need, is shown to who may look."""
    warning_id = await tocsin.warn(alerts.flood("WATCH-2"), doors="safe")
    (person,) = (await tocsin.rows(sa.select(path.c.person_id).where(path.c.warning_id == warning_id).limit(1)))[0]
    for address in (f"/report/{warning_id}/people", f"/report/{warning_id}/path/{person}"):
        assert 403 == (await _status(tocsin, "GET", address, None, keys.desk))[0]
    status, live = await _status(tocsin, "GET", f"/live/{warning_id}", None, keys.desk)
    assert 200 == status
    assert "Who they are is shown to a key that may look at people." in live
    assert "/path/" not in live
    assert "/path/" in (await _status(tocsin, "GET", f"/live/{warning_id}", None, tocsin.key))[1]
    await tocsin.cancel(warning_id, "sent_by_mistake")


@pytest.mark.long
async def test_the_fire_services_list_opens_by_a_link_that_a_person_made(tocsin: Town, keys: Keys) -> None:
    """No page carries it. Who may command and look makes it, for a reason; it opens on one phone, and only in time."""
    warning_id = await tocsin.warn(alerts.plume("WATCH-3"))
    await tocsin.at("+1 min")
    token = tocsin.node.platform.signer("links").token("list", f"{warning_id}-{list_links.RESCUE}")
    assert 403 == (await tocsin.get(f"/l/{token}"))[0], "what every page carried before"
    for key in (tocsin.key, tocsin.reader):
        assert "/l/" not in (await _status(tocsin, "GET", f"/live/{warning_id}", None, key))[1]
    address = f"/channels/lists/{warning_id}/{list_links.RESCUE}/link"
    assert 403 == (await _status(tocsin, "POST", address, REASON, keys.desk))[0]
    assert 422 == (await _status(tocsin, "POST", address, {"reason": "why"}, tocsin.key))[0]
    status, made = await tocsin.call("POST", address, REASON)
    assert 201 == status
    made_by = sa.select(audit_log.c.actor, audit_log.c.reason).where(
        audit_log.c.act == "make_list_link", audit_log.c.subject == warning_id
    )
    assert [REASON["reason"]] == [row.reason for row in await tocsin.rows(made_by)]
    link = str(made["link"])
    async with tocsin.session.get(link) as response:
        assert not NAMED.search(await response.text()), "looking is no opening"
    phone = await tocsin.phone_for_lists(link)
    async with phone.get(link) as response:
        assert NAMED.search(await response.text())
    async with tocsin.session.get(link) as response:
        assert "This link was opened on another phone." in await response.text()
    _, late = await tocsin.call("POST", address, REASON)
    async with phone.get(link) as response:
        assert 403 == response.status, "a new link takes the old one back"
    await phone.close()
    await tocsin.at("+61 min")
    assert 403 == (await tocsin.get(str(late["link"]).removeprefix(tocsin.url)))[0], "nobody opened it within an hour"
    await tocsin.cancel(warning_id, "sent_by_mistake")


async def test_a_teams_link_opens_on_its_phone_on_another_by_code_and_ends(tocsin: Town, keys: Keys) -> None:
    """The code stands on the list. Five wrong ones close it; taken back it opens nothing; over, it names nobody."""
    warning_id = await tocsin.warn(alerts.flood("WATCH-4"), doors="safe")
    await tocsin.at("+1 min")
    slot = (await tocsin.officers_of(warning_id))[0]
    link = tocsin.list_link(warning_id, slot)
    phone = await tocsin.phone_for_lists(link)
    async with phone.get(link) as response:
        text = await response.text()
    door = re.findall(r'<article id="v(\w+)"', text)[0]
    code = re.findall(r"type (\d{6}) there", text)[0]
    async with tocsin.session.post(f"{link}/{door}", data={"outcome": "gone"}) as response:
        assert 403 == response.status, "whoever has the link and not the phone"
    async with tocsin.session.post(f"{link}/open", data={"code": f"{(int(code) + 1) % 1_000_000:06d}"}) as response:
        assert 403 == response.status
    second = await tocsin.phone_for_lists(link, code)
    async with second.get(link) as response:
        assert NAMED.search(await response.text())
    for _ in range(list_links.MOST_CODES):
        async with tocsin.session.post(
            f"{link}/open", data={"code": "000000" if code != "000000" else "1"}
        ) as response:
            assert response.status in (403, 409)
    async with tocsin.session.post(f"{link}/open", data={"code": code}) as response:
        assert 409 == response.status, "who guesses is stopped, though they guess right at last"
    async with phone.get(link) as response:
        assert NAMED.search(await response.text()), "and the phone that has it keeps it"
    assert (
        200
        == (await _status(tocsin, "POST", f"/channels/lists/{warning_id}/recall", {**REASON, "slot": slot}, keys.desk))[
            0
        ]
    )
    for one in (phone, second):
        async with one.get(link) as response:
            assert 403 == response.status
    _, made = await tocsin.call("POST", f"/channels/lists/{warning_id}/{slot}/link", REASON)
    found = await tocsin.phone_for_lists(str(made["link"]))
    await tocsin.cancel(warning_id, "danger_lower_stay_away")
    async with found.get(str(made["link"])) as response:
        over = await response.text()
    assert "This list is closed: it names nobody any more." in over
    assert not NAMED.search(over)
    late = tocsin.clock.now() - list_links.AFTERWARDS_S
    for ended, status in ((late + 1, 303), (late - 1, 409)):
        async with tocsin.node.platform.database.write() as tx:
            mine = sa.update(warning_state).where(warning_state.c.warning_id == warning_id)
            await tx.execute(mine.values(expires_at=ended))
        async with found.post(f"{made['link']}/{door}", data={"outcome": "gone"}, allow_redirects=False) as response:
            assert status == response.status, "a door under way is told for a day, and no help is called for after it"
    for one in (phone, second, found):
        await one.close()


async def test_a_link_of_before_an_update_leads_only_its_own_phone_on(tocsin: Town, keys: Keys) -> None:
    """Whoever else holds the older link is not told the newer one, nor is any phone the one a person made anew."""
    older = await tocsin.warn(alerts.flood("WATCH-5"), doors="safe")
    await tocsin.at("+1 min")
    slot = (await tocsin.officers_of(older))[0]
    link = tocsin.list_link(older, slot)
    phone = await tocsin.phone_for_lists(link)
    row = (await tocsin.call("GET", f"/api/v1/warnings/{older}"))[1]
    name = f"{row['sender']},{row['identifier']},{row['sent'].replace('Z', '+00:00')}"
    newer = await tocsin.warn(
        alerts.flood("WATCH-6").replace("</scope>", f"</scope><references>{name}</references>")
        .replace(">Alert<", ">Update<"), doors="safe",
    )  # fmt: skip
    assert "superseded" == await tocsin.state(older)
    async with tocsin.session.get(link) as response:
        text = await response.text()
    assert "REPLACED by an update" in text
    assert "Open your list under the update" not in text, "a copy of the older link"
    address = f"/channels/lists/{newer}/{slot}/link"
    assert 201 == (await tocsin.call("POST", address, REASON))[0]
    async with phone.get(link) as response:
        assert 403 == response.status, "a phone that was lost, say, speaks for its team by no older link either"
        assert "this link was taken back" in await response.text()
    await phone.close()
    await tocsin.cancel(newer, "danger_lower_stay_away")
