"""What is in force is listed first and whole, whatever else there is; what is over says so everywhere; drafts end too."""

from __future__ import annotations

import re

import aiohttp
import pytest
import sqlalchemy as sa

from services.shared.ledger.warnings import warning_state
from tests.kit.square import SENT, cap
from tests.kit.town import Town
from tests.kit.warning_rows import drafts

PAGE = 50
DAY, LONGEST, BETWEEN = 86400.0, 14 * 86400.0, 60.0  # seconds of warning time: after its end, in all, between two looks


async def browser(desk: Town) -> aiohttp.ClientSession:
    """A duty officer's browser, signed in."""
    session = aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Accept": "text/html", "Origin": desk.url}
    )
    async with session.post(f"{desk.url}/console/sign-in", data={"key": desk.key}) as answer:
        assert 200 == answer.status
    return session


async def look(desk: Town, path: str) -> str:
    session = await browser(desk)
    async with session, session.get(desk.url + path) as answer:
        assert 200 == answer.status, path
        return await answer.text()


async def live_of(desk: Town) -> list[str]:
    """Numbers under Live now, as the console lists them."""
    found = re.search(r'id="now">Live now \((\d+)\)(.*?)</section>', await look(desk, "/console"), re.S)
    assert found is not None
    listed = re.findall(r"/live/([0-9a-f]{32})", found[2])
    assert int(found[1]) == len(listed)
    return listed


async def test_ten_thousand_drafts_hide_no_live_warning(desk: Town) -> None:
    """By tier on the console and in the index; the drafts in pages of fifty, every one of them to be found."""
    sent = {}
    for name, severity in (("BLUE", "Minor"), ("RED", "Extreme"), ("YELLOW", "Moderate"), ("ORANGE", "Severe")):
        _, taken = await desk.post(cap(name, severity=severity))
        assert "active" == taken["state"], taken
        sent[taken["tier"]] = taken["warning_id"]
    assert {"blue", "yellow", "orange", "red"} == set(sent)
    await drafts(desk, 10_000)
    ordered = [sent[tier] for tier in ("red", "orange", "yellow", "blue")]
    assert ordered == await live_of(desk)
    _, index = await desk.call("GET", "/api/v1/warnings")
    assert ordered == [one["warning_id"] for one in index[:4]]
    assert ["active"] * 4 == [one["state"] for one in index[:4]]
    assert 4 + PAGE == len(index)
    seen = {one["warning_id"] for one in index[4:]}
    for n in (2, 3, 199, 200, 201):
        url = f"{desk.url}/api/v1/warnings?page={n}"
        async with desk.session.get(url, headers={"Authorization": f"Bearer {desk.key}"}) as answer:
            found = {one["warning_id"] for one in await answer.json()}
            follows = f'</api/v1/warnings?page={n + 1}>; rel="next"' if n < 200 else None
            assert follows == answer.headers.get("Link")
        assert (PAGE if n <= 200 else 0) == len(found - seen)
        seen |= found
    page = await look(desk, "/console?waiting=200")
    assert "Waiting for your decision (10000)" in page
    assert "Page 200" in page
    assert "waiting=199#waiting" in page
    assert "waiting=201" not in page
    for wrong in ("0", "-1", "x", "999999", "1.5"):
        status, said = await desk.call("GET", f"/api/v1/warnings?page={wrong}")
        assert (422, "page") == (status, said["field"])


async def test_what_is_held_comes_before_drafts(desk: Town) -> None:
    """An unknown tier first of all: it may be red."""
    _, unsure = await desk.post(cap("UNSURE", severity="Unknown"))
    assert "held" == unsure["state"]
    await drafts(desk, 60)
    page = await look(desk, "/console")
    waits = page[page.index('id="waiting"') :]
    assert unsure["warning_id"] == re.findall(r"/live/([0-9a-f]{32})/preview", waits)[0]


@pytest.mark.parametrize(("severity", "late"), [("Extreme", True), ("Minor", False)])
async def test_a_warning_whose_time_is_over_is_expired_wherever_one_looks(
    desk: Town, severity: str, late: bool
) -> None:
    """API, index, coverage (`tocsin status`), console, live page, check page, feed: one word. Orange and red wait for an end."""
    _, taken = await desk.post(cap("A-1", severity=severity, expires=60))
    warning_id = taken["warning_id"]
    for _ in range(20):
        await desk.node.step()

    async def said() -> dict[str, str]:
        _, one = await desk.call("GET", f"/api/v1/warnings/{warning_id}")
        _, index = await desk.call("GET", "/api/v1/warnings")
        _, coverage = await desk.call("GET", f"/report/{warning_id}/coverage")
        _, feed, _ = await desk.get("/cap/feed.json")
        listed = next(w["state"] for w in index if w["warning_id"] == warning_id)
        return {"one": one["state"], "index": listed, "status": coverage["state"],
                "feed": "active" if b'"state": "active"' in feed else "expired"}  # fmt: skip

    assert {"active"} == set((await said()).values())
    desk.clock.advance_to(SENT + 3599)
    assert {"active"} == set((await said()).values())
    desk.clock.advance_to(SENT + 3600)
    assert {"expired"} == set((await said()).values())
    assert [] == await live_of(desk)
    console = await look(desk, "/console")
    assert late is ("Time is over, not ended (1)" in console)
    assert late is ("ITS TIME WAS OVER" in console)
    if not late:
        assert re.search(rf"{warning_id}.*?: expired", console, re.S)
    assert "EXPIRED. Its time is over" in await look(desk, f"/live/{warning_id}")
    _, one = await desk.call("GET", f"/api/v1/warnings/{warning_id}")
    _, check, _ = await desk.get(f"/public/check?number={one['number']}")
    assert b"THIS WARNING IS OVER" in check
    status, again = await desk.post(cap("A-1", severity=severity, expires=60))
    assert (202, "expired") == (status, again["state"])
    assert "active" == await desk.state(await desk.cancel(warning_id, "may_return"))
    _, one = await desk.call("GET", f"/api/v1/warnings/{warning_id}")
    assert "cancelled" == one["state"]
    assert "not ended" not in await look(desk, "/console")


async def test_an_update_takes_the_place_of_what_has_expired(desk: Town) -> None:
    """The chain goes on: it is superseded, not left as expired."""
    _, first = await desk.post(cap("A-1", expires=60))
    desk.clock.advance_to(SENT + 4000)
    _, second = await desk.post(cap("A-2", minutes=66, kind="Update", names=[("A-1", 0)]))
    assert "active" == second["state"]
    assert "superseded" == await desk.state(first["warning_id"])


async def test_drafts_nobody_decides_on_are_given_up_and_their_author_is_told(desk: Town) -> None:
    """A day after their own end; in the API, on the page, on the console of the key that brought them, in the audit log."""
    other = await desk.new_key(label="another desk")
    _, draft = await desk.post(cap("DRAFT", expires=60), release="false")
    _, held = await desk.post(cap("HELD", expires=60, severity="Unknown"))
    _, sent = await desk.post(cap("SENT", expires=60))
    _, long = await desk.post(cap("LONG", expires=20 * 1440), release="false")
    desk.clock.advance_to(SENT + 3600 + DAY - 1)
    await desk.node.gateway.run_due()
    assert ["draft", "held", "draft"] == [await desk.state(w["warning_id"]) for w in (draft, held, long)]
    assert "given up" not in await look(desk, "/console")
    desk.clock.advance_to(SENT + 3600 + DAY + BETWEEN)
    assert await desk.node.gateway.run_due()
    assert ["withdrawn", "withdrawn", "draft"] == [await desk.state(w["warning_id"]) for w in (draft, held, long)]
    assert "expired" == await desk.state(sent["warning_id"])
    _, found = await desk.call("GET", f"/api/v1/warnings/{draft['warning_id']}")
    assert "given up by the clock: its time was over" in str(found["notes"])
    assert "given up by the clock: its time was over" in await look(desk, f"/live/{draft['warning_id']}")
    assert "2 messages that this key brought were given up" in await look(desk, "/console")
    desk.key = other
    assert "given up within" not in await look(desk, "/console")
    _, record = await desk.call("GET", "/api/v1/warnings")
    assert 1 == sum(w["state"] == "draft" for w in record)
    desk.clock.advance_to(SENT + LONGEST + BETWEEN)
    assert await desk.node.gateway.run_due()
    assert "withdrawn" == await desk.state(long["warning_id"])
    _, found = await desk.call("GET", f"/api/v1/warnings/{long['warning_id']}")
    assert "nobody decided on it within 14 days" in str(found["notes"])


async def test_many_old_drafts_are_given_up_some_at_a_time(desk: Town) -> None:
    """No transaction is longer for there being more of them."""
    await drafts(desk, 3 * PAGE - 10)
    desk.clock.advance_to(SENT + 3600 + DAY)
    done = [await desk.node.gateway.run_due() for _ in range(4)]
    assert [True, True, True, False] == done
    async with desk.node.platform.database.read() as db:
        states = (await db.scalars(sa.select(warning_state.c.state))).all()
    assert {"withdrawn"} == set(states)


EXTREME = [
    ("expires", "9999-12-31T23:59:59-14:00"), ("expires", "2399-01-01T00:00:00Z"), ("sent", "0001-01-01T00:00:00+14:00"),
    ("sent", "9999-12-31T23:59:59-14:00"), ("onset", "9999-12-31T23:59:59-14:00"), ("onset", "0001-01-01T00:00:00+14:00"),
    ("expires", "2026-07-11T01:10:01Z"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "given"), EXTREME)
async def test_a_time_beyond_reason_is_refused_by_its_name(desk: Town, field: str, given: str) -> None:
    """No 500; nothing is stored. A warning holds for 31 days at most."""
    square = {"type": "Polygon", "coordinates": [[[103.0, 30.0], [103.1, 30.0], [103.1, 30.1], [103.0, 30.0]]]}
    texts = {"en": {"source": "Met", "hazard": "Storm", "place": "Hedong", "action": "Stay inside."}}
    whole = {"identifier": "J-1", "sender": "met@qingshui.example", "sent": "2026-06-10T01:10:00Z",
             "expires": "2026-07-11T01:10:00Z", "tier": "blue", "hazard": "storm", "texts": texts, "area": square}  # fmt: skip
    status, said = await desk.call("POST", "/api/v1/warnings", whole | {field: given})
    assert 422 == status, said
    assert field in said["title"]
    status, said = await desk.call("POST", "/api/v1/warnings", whole)
    assert (202, "active") == (status, said["state"])


async def test_an_alert_that_names_a_far_end_holds_31_days_and_says_so(desk: Town) -> None:
    """It is not lost; and a clock that is a thousand years off is refused by its field."""
    _, taken = await desk.post(cap("A-1", expires=400 * 1440), strict="false")
    assert "active" == taken["state"]
    assert any("31 days" in note for note in taken["notes"])
    _, one = await desk.call("GET", f"/api/v1/warnings/{taken['warning_id']}")
    assert "2026-07-11T01:10:00+00:00" == one["expires"]
    status, said = await desk.post(cap("A-2").replace(b"<sent>2026", b"<sent>1026"), strict="false")
    assert (422, "sent") == (status, said["field"])
