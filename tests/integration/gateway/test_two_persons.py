"""Orange and red, going home, a late mistake and what is far larger than usual take two persons; stopping takes one."""

from __future__ import annotations

from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from services.gateway.warnings.brake import LARGE_KM2, TIMES_USUAL, USUAL_FROM
from services.shared.audit.trail import audit_log
from services.shared.bus.outbox import new_id
from services.shared.clock import iso
from services.shared.powers.ground import km2
from services.shared.tiers import Tier
from tests.kit.square import SENT
from tests.kit.town import Town


def box(side: float, west: float = 103.0, south: float = 30.0) -> dict[str, Any]:
    """A square of so many degrees, as GeoJSON."""
    east, north = west + side, south + side
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def storm(tier: str | None = "red", side: float = 0.1, **more: Any) -> dict[str, Any]:
    """A warning as JSON; every one has a name of its own."""
    action = "Leave now." if more.get("respond") == "evacuate" else "Go indoors."
    text = {"source": "Qingshui", "hazard": "Storm", "place": "the valley", "action": action}
    return {"identifier": new_id(), "sender": "a@qingshui.example", "sent": iso(SENT), "expires": iso(SENT + 7200),
            "hazard": "storm", "tier": tier, "area": box(side), "texts": {"en": text}} | more  # fmt: skip


class Two:
    """A desk whose keys send up to yellow alone, and a colleague's key."""

    def __init__(self, town: Town, one: str, other: str) -> None:
        self.town, self.one, self.other = town, one, other

    async def post(self, body: dict[str, Any], key: str, **query: str) -> tuple[int, Any]:
        asked = "?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else ""
        return await self.town.call("POST", f"/api/v1/warnings{asked}", body, key=key)

    async def release(self, warning_id: str, key: str, **body: Any) -> tuple[int, Any]:
        return await self.town.call("POST", f"/api/v1/warnings/{warning_id}/release", body, key=key)

    async def end(self, warning_id: str, ending: str, key: str) -> tuple[int, Any]:
        body = {"ending": ending, "reason": "as the river gauge says"}
        return await self.town.call("POST", f"/api/v1/warnings/{warning_id}/cancel", body, key=key)


@pytest.fixture
async def two(desk: Town) -> Two:
    made = [await desk.new_key(label=label, alone=Tier.YELLOW) for label in ("one", "other")]
    return Two(desk, *made)


@pytest.mark.parametrize("tier", ["orange", "red"])
async def test_one_person_drafts_orange_and_red_and_another_sends_it(two: Two, tier: str) -> None:
    """Whoever sends it at once has a draft; sent again by them it stays one; a colleague's word sends it."""
    body = storm(tier)
    status, taken = await two.post(body, two.one)
    assert (202, "draft") == (status, taken["state"])
    assert [f"{tier} takes two persons: somebody else sends it, with a key of their own"] == taken["notes"][-1:]
    status, again = await two.post(body, two.one)
    assert (202, "draft", True) == (status, again["state"], again["seen_before"])
    status, refused = await two.release(taken["warning_id"], two.one)
    assert (403, "grant.alone") == (status, refused["errors"][0]["rule"] if "errors" in refused else refused["rule"])
    status, sent = await two.release(taken["warning_id"], two.other)
    assert (202, "active") == (status, sent["state"])
    who = sa.select(audit_log.c.act, audit_log.c.actor).where(audit_log.c.subject == taken["warning_id"])
    acts = [(row.act, row.actor) for row in await two.town.rows(who)]
    assert ("take", "one") in acts
    assert ("release", "other") in acts


async def test_two_keys_of_one_owner_are_one_person(two: Two) -> None:
    """However they write the name; and the log names the person, not the key."""
    mine = [await two.town.new_key(owner=name, alone=Tier.YELLOW) for name in ("Wang Fang", " wang  FANG")]
    theirs = await two.town.new_key(owner="Li Na", alone=Tier.YELLOW)
    _, taken = await two.post(storm(), mine[0])
    for key in mine:
        status, refused = await two.release(taken["warning_id"], key)
        assert (403, "grant.alone") == (status, refused["rule"])
    assert "active" == (await two.release(taken["warning_id"], theirs))[1]["state"]
    who = sa.select(audit_log.c.act, audit_log.c.actor).where(audit_log.c.subject == taken["warning_id"])
    assert {("take", "Wang Fang"), ("release", "Li Na")} <= {(r.act, r.actor) for r in await two.town.rows(who)}
    held = (await two.end(taken["warning_id"], "may_return", mine[0]))[1]["state"]
    again = (await two.end(taken["warning_id"], "may_return", mine[1]))[1]["state"]
    last = (await two.end(taken["warning_id"], "may_return", theirs))[1]["state"]
    assert ("held", "held", "active") == (held, again, last)


async def test_a_draft_that_one_raises_to_red_is_still_their_own(two: Two) -> None:
    """Deciding the tier is no second look."""
    _, taken = await two.post(storm("yellow"), two.one, release="false")
    status, _ = await two.release(taken["warning_id"], two.one, tier="red", reason="it rises")
    assert 403 == status
    assert 202 == (await two.release(taken["warning_id"], two.one))[0]
    assert 1 <= int((await two.town.warning(taken["warning_id"])).tier) <= Tier.YELLOW


async def test_a_key_that_was_given_it_sends_red_alone(two: Two) -> None:
    """The lane for a gauge, or for an office of one: named when the key is made, and in the log."""
    lane = await two.town.new_key(label="gauge", alone=Tier.RED)
    assert "active" == (await two.post(storm(), lane))[1]["state"]


async def test_that_people_may_go_home_takes_two(two: Two) -> None:
    """Held till a colleague says the same, or lets it out; the warning goes on meanwhile."""
    _, taken = await two.post(storm("yellow"), two.one)
    red = taken["warning_id"]
    status, asked = await two.end(red, "may_return", two.one)
    assert (202, "held") == (status, asked["state"])
    assert ["it tells people that they may go home: a second person confirms it"] == asked["notes"]
    assert ("held", "active") == ((await two.end(red, "may_return", two.one))[1]["state"], await two.town.state(red))
    assert 403 == (await two.release(asked["warning_id"], two.one))[0]
    status, said = await two.end(red, "may_return", two.other)
    assert (202, "active") == (status, said["state"])
    assert "cancelled" == await two.town.state(red)


@pytest.mark.parametrize(("minutes", "state"), [(14, "active"), (16, "held")])
async def test_a_mistake_is_one_persons_word_for_fifteen_minutes(two: Two, minutes: int, state: str) -> None:
    _, taken = await two.post(storm("yellow"), two.one)
    two.town.clock.advance_to(SENT + minutes * 60)
    assert state == (await two.end(taken["warning_id"], "sent_by_mistake", two.one))[1]["state"]


@pytest.mark.parametrize(("west", "state"), [(103.05, "held"), (104.0, "active")])
async def test_a_mistake_where_another_warning_holds_takes_two(two: Two, west: float, state: str) -> None:
    """ "There is no danger" would be heard by those whom the other one tells to go."""
    await two.post(storm("yellow", area=box(0.1, west=west), hazard="flash_flood"), two.other)
    _, taken = await two.post(storm("yellow"), two.one)
    assert state == (await two.end(taken["warning_id"], "sent_by_mistake", two.one))[1]["state"]


@pytest.mark.parametrize(("minutes", "state"), [(14, "active"), (16, "held")])
async def test_that_it_was_not_ours_is_one_persons_word_for_as_long(two: Two, minutes: int, state: str) -> None:
    _, taken = await two.post(storm("yellow"), two.one)
    two.town.clock.advance_to(SENT + minutes * 60)
    assert state == (await two.end(taken["warning_id"], "not_ours", two.one))[1]["state"]


async def test_a_red_is_not_lowered_by_one_person(two: Two) -> None:
    """A blue that says "go home" in its place would be that very ending; the red goes on until a colleague sends it."""
    _, taken = await two.post(storm("red"), two.one)
    red = taken["warning_id"]
    assert "active" == (await two.release(red, two.other))[1]["state"]
    lower = storm("blue", updates=red, sent=iso(SENT + 1))
    status, asked = await two.post(lower, two.one)
    assert (202, "draft", "active") == (status, asked["state"], await two.town.state(red))
    assert 403 == (await two.release(asked["warning_id"], two.one))[0]
    assert ("draft", "active") == ((await two.post(lower, two.one))[1]["state"], await two.town.state(red))
    assert "active" == (await two.release(asked["warning_id"], two.other))[1]["state"]
    assert "superseded" == await two.town.state(red)


@pytest.mark.parametrize("ending", ["checking", "danger_lower_stay_away"])
async def test_stopping_takes_one(two: Two, ending: str) -> None:
    _, taken = await two.post(storm("yellow"), two.one)
    two.town.clock.advance_to(SENT + 3600)
    assert "active" == (await two.end(taken["warning_id"], ending, two.one))[1]["state"]


async def test_what_was_not_sent_is_withdrawn_by_one(two: Two) -> None:
    _, taken = await two.post(storm("red"), two.one)
    assert "withdrawn" == (await two.end(taken["warning_id"], "may_return", two.one))[1]["state"]


# ---- size


async def test_a_place_far_larger_than_usual_waits_for_another(two: Two) -> None:
    """In words: so many km2, so many times the usual; whoever brought it does not let it out, even at blue."""
    for n in range(USUAL_FROM):
        _, small = await two.post(storm("blue", side=0.1 + n / 1000), two.one)
        assert "active" == small["state"]
    _, large = await two.post(storm("blue", side=0.9), two.one)
    assert "held" == large["state"]
    (note,) = [one for one in large["notes"] if "times the usual area of Qingshui" in one]
    assert int(note.split(" times")[0].rsplit(" ", 1)[1]) > TIMES_USUAL
    assert 403 == (await two.release(large["warning_id"], two.one))[0]
    for typed in ("", "the vale"):
        status, said = await two.release(large["warning_id"], two.other, place=typed)
        assert (422, "place", "typed") == (status, said["field"], said["rule"])
        assert "the valley" in said["title"]
    typed = "The  Valley"
    assert "active" == (await two.release(large["warning_id"], two.other, place=typed))[1]["state"]


async def test_the_whole_globe_waits_also_for_a_key_that_sends_alone(two: Two) -> None:
    """One request never reaches everybody on earth."""
    lane = await two.town.new_key(label="gauge", alone=Tier.RED)
    globe = {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]}
    _, taken = await two.post(storm(area=globe), lane, doors="safe")
    assert "held" == taken["state"]
    assert 403 == (await two.release(taken["warning_id"], lane))[0]


async def test_codes_are_measured_too(two: Two) -> None:
    """A code of the whole province beside a small polygon is the province."""
    province = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"code": "510000", "name": "Province"}, "geometry": box(4.0)}]}  # fmt: skip
    status, said = await two.town.call("POST", "/people/areas?value_name=GB2260", province)
    assert 200 == status, said
    _, taken = await two.post(storm("blue", geocodes=[["GB2260", "510000"]]), two.one)
    assert "held" == taken["state"]


def test_square_kilometres_are_those_of_the_earth() -> None:
    """Against the area of a spherical rectangle, to 1 %; and the whole globe is 510 million km2."""
    assert km2(shapely.box(103, 30, 104, 31)) == pytest.approx(10_650, rel=0.01)
    assert km2(shapely.box(20, 68, 25, 70)) == pytest.approx(44_400, rel=0.01)
    assert km2(shapely.box(-180, -90, 180, 90)) == pytest.approx(510e6, rel=0.01)
    assert LARGE_KM2 < km2(shapely.box(100, 25, 102, 27))
