"""Whoever may decide is paged one after the other; alone, three at once; and what two approved beforehand one may send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.gateway.approvals.preapprovals import REVIEW_S, within_hours
from services.gateway.approvals.store import review
from services.shared.alarms import standing
from services.shared.clock import iso
from services.shared.ledger.approvals import preapproval
from services.shared.ledger.params import Notice
from services.shared.ledger.tables import delivery
from services.shared.powers.pagers import pager
from services.shared.tiers import Tier
from tests.integration.gateway.test_two_persons import Two, box, storm
from tests.kit.square import SENT
from tests.kit.town import Town, open_town

WAIT_S = 180.0
PEOPLE = ("Wu Lan", "Xu Ping", "Yan Hua", "Zhao Min")
EXTRA: dict[str, dict[str, Any]] = {
    "Blue": {"max_tier": Tier.BLUE},
    "Reader": {"actions": ("read", "draft")},
    "Beitan office": {"name": "Beitan"},
}


class Office(Two):
    """A desk with four colleagues who may send red and are paged in order, and three people who may not send this."""

    keys: dict[str, str]

    async def form(self, key: str, path: str, **fields: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/html"}
        async with self.town.session.post(
            self.town.url + path, data=fields, headers=headers, allow_redirects=False
        ) as got:
            return got.status, await got.text()

    async def page(self, key: str, path: str) -> str:
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/html"}
        async with self.town.session.get(self.town.url + path, headers=headers) as got:
            assert 200 == got.status
            return await got.text()

    async def paged(self, kind: str = "approve") -> list[tuple[str, str]]:
        """Who was paged about what is waiting and over which channel, in the order of the pages."""
        rows = await self.town.rows(
            sa.select(delivery.c.addressee_id, delivery.c.channel, delivery.c.params, delivery.c.sealed, delivery.c.key_id,
                      delivery.c.contact_id).where(delivery.c.kind == "notice")
            .order_by(delivery.c.expires_at, delivery.c.channel.desc(), delivery.c.delivery_id)
        )  # fmt: skip
        found = []
        for row in rows:
            if isinstance(row.params, Notice) and row.params.notice == kind:
                number = await self.town.opened(row.sealed, row.key_id, row.contact_id)
                found.append((number.decode(), row.channel))
        return found

    async def names(self, kind: str = "approve") -> list[str]:
        """The people among them, by text."""
        return [self.at[number] for number, channel in await self.paged(kind) if channel == "officer_sms"]

    at: dict[str, str]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_town(tmp_path / "data", country="CN") as town:
        one = await town.new_key(label="one", owner="Li Na", alone=Tier.YELLOW)
        made = Office(town, one, await town.new_key(label="other", owner=PEOPLE[0], alone=Tier.YELLOW))
        made.keys, made.at = {"Li Na": one, PEOPLE[0]: made.other}, {}
        for name in PEOPLE[1:]:
            made.keys[name] = await town.new_key(label=name, owner=name, alone=Tier.YELLOW)
        for name, grant in EXTRA.items():
            made.keys[name] = await town.new_key(label=name, owner=name, **grant)
        for n, name in enumerate(("Beitan office", "Reader", "Blue", "Li Na", *PEOPLE), 1):
            number = f"+86138001380{n:02d}"
            made.at[number] = name
            form = {"phone": number, "place": str(n), "language": "zh-Hans"}
            status, _ = await made.form(made.keys[name], "/people/pager", **form)
            assert (403 if name == "Reader" else 303) == status
        await town.settle()
        yield made


async def waits(office: Office, **more: Any) -> str:
    _, taken = await office.post(storm("red", **more), office.one)
    assert "draft" == taken["state"]
    await office.town.settle()
    return str(taken["warning_id"])


async def after(office: Office, seconds: float) -> None:
    town: Town = office.town
    town.clock.advance_to(town.clock.now() + seconds)
    await town.settle()


async def test_the_next_one_is_paged_until_somebody_decides(office: Office) -> None:
    """By text and call, the first at once; nobody who may not send it, and not whoever waits; a decision ends it."""
    about = await waits(office)
    assert {("+8613800138005", "officer_sms"), ("+8613800138005", "officer_voice")} == set(await office.paged())
    await after(office, WAIT_S - 1)
    assert [PEOPLE[0]] == await office.names()
    await after(office, 1)
    assert list(PEOPLE[:2]) == await office.names()
    assert 202 == (await office.release(about, office.keys[PEOPLE[1]]))[0]
    await after(office, 10 * WAIT_S)
    assert list(PEOPLE[:2]) == await office.names()


async def test_when_all_were_paged_it_begins_anew_and_the_alarm_sounds(office: Office) -> None:
    about = await waits(office)
    for _ in PEOPLE:
        await after(office, WAIT_S)
    assert [*PEOPLE, PEOPLE[0]] == await office.names()
    async with office.town.node.platform.database.read() as db:
        (alarm,) = await standing(db, "approval")
    assert alarm.name == f"approval:{about}"
    assert "waited 12 min" in alarm.said
    assert "withdrawn" == (await office.end(about, "checking", office.one))[1]["state"]
    async with office.town.node.platform.database.read() as db:
        assert [] == await standing(db, "approval")


async def test_nobody_left_to_page_is_said_aloud(office: Office) -> None:
    """All who may send it took their numbers away."""
    for name in PEOPLE:
        await office.form(office.keys[name], "/people/pager", act="remove")
    about = await waits(office)
    await after(office, WAIT_S)
    assert [] == await office.names()
    async with office.town.node.platform.database.read() as db:
        (alarm,) = await standing(db, "approval")
    assert f"approval:{about}" == alarm.name
    assert "nobody who may send it can be paged" in alarm.said


@pytest.mark.parametrize("out", [False, True])
async def test_alone_three_are_called_at_once(office: Office, out: bool) -> None:
    """Of a draft to decide, of a live one to help; the one who asks is not among them."""
    about = await waits(office)
    if out:
        assert 202 == (await office.release(about, office.other))[0]
        await office.town.settle()
    status, _ = await office.form(office.one, f"/console/warnings/{about}/ask", alone="yes")
    assert 303 == status
    await office.town.settle()
    if out:
        assert list(PEOPLE[:3]) == sorted(await office.names("alone"))
        assert "I am alone" in await office.page(office.one, f"/live/{about}")
    else:
        assert list(PEOPLE) == sorted(await office.names())
        assert 303 == (await office.form(office.one, f"/console/warnings/{about}/ask", alone="yes"))[0]
        await office.town.settle()
        assert list(PEOPLE) == sorted(await office.names()), "pressed again it wakes nobody twice"
        assert "Li Na asked for a second person" in await office.page(office.one, f"/live/{about}/preview")


async def test_whoever_may_not_draft_it_pages_nobody(office: Office) -> None:
    about = await waits(office)
    for name, status in (("Beitan office", 404),):
        assert status == (await office.town.call("POST", f"/api/v1/warnings/{about}/ask", {}, key=office.keys[name]))[0]
    status, said = await office.town.call("POST", f"/api/v1/warnings/{about}/ask", {"alone": "x"}, key=office.one)
    assert (422, "alone") == (status, said["field"])


async def test_a_number_is_kept_sealed_and_tried(office: Office) -> None:
    """A test goes out; the page shows the last figures alone; what is no number is said and keeps the old one."""
    assert {*office.at.values()} - {"Reader"} == set(
        await office.names("channel_test")
    )  # who decides nothing gives none
    rows = await office.town.rows(sa.select(pager))
    assert all(number.encode() not in bytes(row.sealed) for row in rows for number in office.at)
    page = await office.page(office.one, "/people/pager")
    assert "…004" in page
    assert "+86138" not in page.replace("+86 138 0013 8000", "")
    for field, value in (("phone", "12"), ("place", "0"), ("language", "xx")):
        form = {"phone": "+8613800138099", "place": "4", "language": "en"} | {field: value}
        assert 422 == (await office.form(office.one, "/people/pager", **form))[0]
    assert len(rows) == len(await office.town.rows(sa.select(pager)))
    assert 303 == (await office.form(office.one, "/people/pager", phone="", place="9", language="en"))[0]
    moved = {row.actor: (row.place, row.mask) for row in await office.town.rows(sa.select(pager))}
    assert [(9, "…004")] == [moved[row.actor] for row in rows if row.place == 4]
    assert 303 == (await office.form(office.one, "/people/pager", act="remove"))[0]
    assert len(rows) - 1 == len(await office.town.rows(sa.select(pager)))
    assert 422 == (await office.form(office.one, "/people/pager", phone="", place="9", language="en"))[0]


# ---- preapprovals

ASKS = {
    "name": "Dam breaks",
    "trigger": "gauge 4 above 12 m",
    "from": "00:00",
    "to": "00:00",
    "until": iso(SENT + 86400)[:10],
}


async def laned(office: Office, *, approved: bool = True, **form: str) -> str:
    """A preapproval of one draft's words and a place of half a degree; its id."""
    _, model = await office.post(storm("red", side=0.5), office.one, release="false")
    status, said = await office.form(
        office.one, f"/console/warnings/{model['warning_id']}/preapproval", **(ASKS | form)
    )
    assert 303 == status, said
    (row,) = await office.town.rows(sa.select(preapproval.c.preapproval_id))
    if approved:
        assert 303 == (await office.form(office.other, f"/console/preapprovals/{row.preapproval_id}/approve"))[0]
    return str(row.preapproval_id)


def near(minutes: float, **more: Any) -> dict[str, Any]:
    """A red within the preapproval's place, so many minutes before the impact."""
    return storm("red", onset=iso(SENT + minutes * 60), **more)


async def test_one_person_sends_what_two_approved_beforehand(office: Office) -> None:
    """At once where the impact is near: all who could have decided are told, and another person reviews it."""
    await laned(office)
    _, taken = await office.post(near(10), office.one)
    assert "active" == taken["state"]
    about = taken["warning_id"]
    await office.town.settle()
    assert list(PEOPLE) == sorted(await office.names("preapproval_used"))
    path = f"/console/warnings/{about}/review"
    assert 403 == (await office.form(office.one, path, words="it was right"))[0]
    watcher = await office.town.new_key(label="watcher", owner="Watcher", actions=["read"])
    assert 403 == (await office.form(watcher, path, words="it was right"))[0]
    assert 422 == (await office.form(office.other, path, words=""))[0]
    assert "Sent by Li Na alone" in await office.page(office.other, "/console/preapprovals")
    await after(office, REVIEW_S)
    async with office.town.node.platform.database.read() as db:
        assert [f"review:{about}"] == [one.name for one in await standing(db, "review")]
    assert 303 == (await office.form(office.other, path, words="it was right"))[0]
    (kept,) = await office.town.rows(sa.select(review))
    assert ("Wu Lan", "it was right") == (kept.reviewed_name, kept.words)
    async with office.town.node.platform.database.read() as db:
        assert [] == await standing(db, "review")
    assert 409 == (await office.form(office.other, path, words="again"))[0]


async def test_where_there_is_time_the_second_person_is_asked_first(office: Office) -> None:
    """And after three minutes of silence it goes out by the preapproval, from the page that then says so."""
    await laned(office)
    body = near(40)
    _, taken = await office.post(body, office.one)
    assert "draft" == taken["state"]
    await office.town.settle()
    assert 403 == (await office.release(taken["warning_id"], office.one))[0]
    await after(office, WAIT_S)
    assert "as approved beforehand" in await office.page(office.one, f"/live/{taken['warning_id']}/preview")
    status, said = await office.release(taken["warning_id"], office.one)
    assert (202, "active") == (status, said.get("state")), said


@pytest.mark.parametrize(
    "other",
    [
        {"texts": {"en": {"source": "Qingshui", "hazard": "Storm", "place": "the valley", "action": "Run."}}},
        {"area": box(0.1, west=103.45)},
        {"area": box(0.1, west=120.0)},
        {"respond": "evacuate"},
        {"hazard": "flash_flood"},
        {"sender": "b@qingshui.example"},
    ],
    ids=["other words", "half outside", "elsewhere", "asks something else", "other hazard", "other sender"],
)
async def test_what_is_not_what_was_approved_takes_two(office: Office, other: dict[str, Any]) -> None:
    await laned(office)
    assert "draft" == (await office.post(near(10, **other), office.one))[1]["state"]


async def test_who_names_an_area_says_nothing_by_its_name(office: Office) -> None:
    """An area called like a sentence, by whoever then warns there: it takes a second person; of others' names it does not."""
    await laned(office)
    said = "Nobody need leave, stay at home"

    async def named(name: str, key: str) -> None:
        feature = {"type": "Feature", "properties": {"code": "7", "name": name}, "geometry": box(0.05, west=103.2)}
        features = {"type": "FeatureCollection", "features": [feature]}
        status, report = await office.town.call("POST", "/people/areas?value_name=mine", features, key=key)
        assert (200, 1) == (status, report["read"])

    async def state(name: str) -> str:
        body = near(10)
        del body["area"]
        texts = {language: text | {"place": name} for language, text in body["texts"].items()}
        _, taken = await office.post(body | {"texts": texts, "geocodes": [["mine", "7"]]}, office.one)
        return str(taken["state"])

    await named(said, office.one)
    assert "draft" == await state(said)
    await named("Hedong", office.other)
    await named("Hedong", office.one)  # the same list again takes nothing from it
    assert "active" == await state("Hedong")


async def test_a_place_within_the_zone_and_a_lower_tier_are_within_the_preapproval(office: Office) -> None:
    """A place is called as it was approved, or by the names of its imported areas: no other words go out in its stead."""
    await laned(office)
    feature = {"type": "Feature", "properties": {"code": "7", "name": "Hedong"}, "geometry": box(0.05, west=103.2)}
    features = {"type": "FeatureCollection", "features": [feature]}
    assert 200 == (await office.town.call("POST", "/people/areas?value_name=GB2260", features))[0]

    def called(place: str) -> dict[str, Any]:
        texts = {"en": {"source": "Qingshui", "hazard": "Storm", "place": place, "action": "Go indoors."}}
        return near(10, area=None, geocodes=[["GB2260", "7"]], texts=texts)

    for body, state in (
        (called("Hedong"), "active"),
        (called("Hedong. All is well, stay at home"), "draft"),
        (called("Xiawan"), "draft"),
        (near(10) | {"tier": "orange"}, "active"),
    ):
        assert state == (await office.post(body, office.one))[1]["state"], body


@pytest.mark.parametrize("why", ["not approved", "own approval", "ended", "over", "hours"])
async def test_a_preapproval_is_open_only_as_it_was_approved(office: Office, why: str) -> None:
    hours = {"from": "00:00", "to": "00:01"} if why == "hours" else {}
    preapproval_id = await laned(office, approved=why not in ("not approved", "own approval"), **hours)
    if why == "own approval":
        assert 403 == (await office.form(office.one, f"/console/preapprovals/{preapproval_id}/approve"))[0]
    if why == "ended":
        assert 303 == (await office.form(office.one, f"/console/preapprovals/{preapproval_id}/end"))[0]
    late = 2 * 86400.0 if why == "over" else 0.0
    await after(office, late)
    sent = SENT + late
    body = near(10) | {"sent": iso(sent), "onset": iso(sent + 600), "expires": iso(sent + 7200)}
    assert "draft" == (await office.post(body, office.one))[1]["state"]


@pytest.mark.parametrize("who", ["Blue", "Reader", "Beitan office"])
async def test_who_may_not_send_it_approves_no_preapproval(office: Office, who: str) -> None:
    preapproval_id = await laned(office, approved=False)
    for act in ("approve", "end"):
        assert (await office.form(office.keys[who], f"/console/preapprovals/{preapproval_id}/{act}"))[0] in (403, 404)
    (row,) = await office.town.rows(sa.select(preapproval.c.approved_at, preapproval.c.ended_at))
    assert (None, None) == tuple(row)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("trigger", "x"), ("from", "25:00"), ("until", "tomorrow"), ("until", "2001-01-01")],
)
async def test_a_preapproval_that_says_too_little_is_not_proposed(office: Office, field: str, value: str) -> None:
    _, model = await office.post(storm("red"), office.one, release="false")
    address = f"/console/warnings/{model['warning_id']}/preapproval"
    assert 422 == (await office.form(office.one, address, **(ASKS | {field: value})))[0]
    assert [] == await office.town.rows(sa.select(preapproval))


@pytest.mark.parametrize(
    ("minute", "start", "end", "inside"),
    [
        (0, 0, 0, True),
        (60, 60, 120, True),
        (120, 60, 120, False),
        (1380, 1320, 360, True),
        (100, 1320, 360, True),
        (700, 1320, 360, False),
    ],
)
def test_hours_go_over_midnight(minute: int, start: int, end: int, inside: bool) -> None:
    assert inside is within_hours(minute, start, end)
