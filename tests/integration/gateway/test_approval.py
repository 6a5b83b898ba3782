"""An approval is of what was looked at: content, place, policy, what it ends and how many; and it shows what contradicts it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from services.shared.bus.outbox import new_id
from services.shared.clock import iso
from services.shared.ledger.warnings import policy_in_force, warning_preview, warning_state, warning_text
from services.shared.powers.approval import Approval, hold_to
from services.shared.tiers import Tier
from tests.integration.gateway.test_two_persons import Two, box, storm, two
from tests.kit.square import SENT

__all__ = ["two"]


def code(**where: float) -> dict[str, Any]:
    """An area of a code list."""
    properties = {"code": "511823", "name": "Hedong"}
    feature = {"type": "Feature", "properties": properties, "geometry": box(0.1, **where)}
    return {"type": "FeatureCollection", "features": [feature]}


async def write(two: Two, statement: sa.Executable) -> None:
    async with two.town.node.platform.database.write() as tx:
        await tx.execute(statement)


async def looked_at(two: Two, warning_id: str) -> str:
    _, shown = await two.town.call("GET", f"/api/v1/warnings/{warning_id}", key=two.other)
    return str(shown["approval"])


async def drafted(two: Two) -> str:
    """A red in an area of a code list, counted."""
    status, said = await two.town.call("POST", "/people/areas?value_name=GB2260", code())
    assert 200 == status, said
    _, taken = await two.post(storm("red", area=None, geocodes=[["GB2260", "511823"]]), two.one)
    assert "draft" == taken["state"]
    await two.town.settle()
    return str(taken["warning_id"])


async def counted(two: Two, warning_id: str, people: int) -> None:
    row = warning_preview.c.warning_id == warning_id
    (kept,) = await two.town.rows(sa.select(warning_preview.c.result).where(row))
    await write(two, sa.update(warning_preview).where(row).values(result=kept.result | {"people": people}))


async def test_the_second_person_says_what_they_looked_at(two: Two) -> None:
    """Without a seal, or with another's, nothing goes out; with what is there it does."""
    about = await drafted(two)
    status, said = await two.release(about, two.other, approves="")
    assert (422, "approves", "required") == (status, said["field"], said["rule"])
    _, other = await two.post(storm("red"), two.one)
    strange = await looked_at(two, other["warning_id"])
    for seal, rule in ((strange, "approval"), ("no seal", "approval"), ("a.b.c.d.-1", "approval")):
        status, said = await two.release(about, two.other, approves=seal)
        assert (409, rule) == (status, said["rule"])
    assert "draft" == await two.town.state(about)
    assert 202 == (await two.release(about, two.other, approves=await looked_at(two, about)))[0]
    _, shown = await two.town.call("GET", f"/api/v1/warnings/{about}")
    assert shown["approval"] is None


@pytest.mark.parametrize("part", ["content", "place", "policy", "ends", "people"])
async def test_what_is_changed_after_it_was_looked_at_is_looked_at_again(two: Two, part: str) -> None:
    about = await drafted(two)
    await counted(two, about, 1000)
    seal = await looked_at(two, about)
    if part == "content":
        row = warning_text.c.warning_id == about
        (kept,) = await two.town.rows(sa.select(warning_text.c.parts).where(row))
        changed = kept.parts | {"en": kept.parts["en"] | {"action": "Stay where you are."}}
        await write(two, sa.update(warning_text).where(row).values(parts=changed))
    if part == "place":
        assert 200 == (await two.town.call("POST", "/people/areas?value_name=GB2260", code(west=104.0)))[0]
    if part == "policy":
        await write(two, sa.update(policy_in_force).values(policy="0" * 64))
    if part == "ends":
        lower = storm("red", updates=about, sent=iso(SENT + 1))
        _, update = await two.post(lower, two.one)
        seal = await looked_at(two, update["warning_id"])
        assert 202 == (await two.release(about, two.other))[0]
        about = update["warning_id"]
    if part == "people":
        await counted(two, about, 31_000)
    status, said = await two.release(about, two.other, approves=seal)
    assert (409, "approval", "draft") == (status, said["rule"], await two.town.state(about))
    assert part == said["given"] or part in str(said)
    assert 202 == (await two.release(about, two.other, approves=await looked_at(two, about)))[0]


async def test_a_person_registered_meanwhile_holds_nothing_up(two: Two) -> None:
    about = await drafted(two)
    await counted(two, about, 1000)
    seal = await looked_at(two, about)
    await counted(two, about, 1012)
    assert 202 == (await two.release(about, two.other, approves=seal))[0]


@pytest.mark.parametrize(
    ("was", "now", "passes"),
    [
        (None, 5, True),
        (5, None, True),
        (0, 10, True),
        (0, 11, False),
        (1000, 1050, True),
        (1000, 1051, False),
        (1000, 949, False),
    ],
)
def test_how_far_a_count_may_move(was: int | None, now: int | None, passes: bool) -> None:
    """Ten people, or 5 %; what was not counted nobody relied on."""
    parts = ("c", "p", "y", "e")
    seal = Approval(*parts, was).seal
    if passes:
        hold_to(seal, Approval(*parts, now))
    else:
        with pytest.raises(Exception, match="people"):
            hold_to(seal, Approval(*parts, now))


async def test_a_page_that_was_open_too_long_sends_nothing(two: Two) -> None:
    """The form carries the seal of the page; the console says what to do."""
    about = await drafted(two)
    headers = {"Authorization": f"Bearer {two.other}", "Accept": "text/html"}
    address = f"{two.town.url}/live/{about}/preview"
    async with two.town.session.get(address, headers=headers) as got:
        page = await got.text()
    seal = page.partition('name="approves" value="')[2].partition('"')[0]
    assert seal == await looked_at(two, about)
    await write(two, sa.update(policy_in_force).values(policy="0" * 64))
    send = f"{two.town.url}/console/warnings/{about}/send"
    async with two.town.session.post(send, data={"approves": seal}, headers=headers) as got:
        assert 409 == got.status
        assert "look at it again" in await got.text()
    assert "draft" == await two.town.state(about)


# ---- what else is in force there


async def overlaps(two: Two, warning_id: str) -> list[Any]:
    return list((await two.town.call("GET", f"/api/v1/warnings/{warning_id}"))[1]["overlaps"])


@pytest.mark.parametrize(
    ("theirs", "mine", "against"),
    [
        ("evacuate", "shelter_in", True),
        ("shelter_in", "evacuate", True),
        ("evacuate", "evacuate", False),
        ("as_told", "evacuate", False),
    ],
)
async def test_what_else_is_in_force_there_is_shown_with_what_contradicts(
    two: Two, theirs: str, mine: str, against: bool
) -> None:
    """Leave against stay in, of another authority as well; what holds elsewhere, or is over, is not shown."""
    neighbour = await two.town.new_key(name="Beitan", label="neighbour", alone=Tier.RED)
    fire = storm("red", hazard="toxic_release", respond=theirs, identifier=new_id(), area=box(0.1, west=103.05))
    status, fire_out = await two.post(fire, neighbour)
    assert (202, "active") == (status, fire_out.get("state")), fire_out
    await two.post(storm("red", identifier=new_id(), area=box(0.1, west=105.0)), neighbour)
    _, over = await two.post(storm("yellow", identifier=new_id()), neighbour)
    assert 202 == (await two.end(over["warning_id"], "danger_lower_stay_away", neighbour))[0]
    _, taken = await two.post(storm("red", respond=mine), two.one)
    (found,) = await overlaps(two, taken["warning_id"])
    assert (fire_out["warning_id"], "Beitan", "red", against) == (
        found["warning_id"], found["authority"], found["tier"], found["contradicts"]
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {two.other}", "Accept": "text/html"}
    async with two.town.session.get(f"{two.town.url}/live/{taken['warning_id']}/preview", headers=headers) as got:
        page = await got.text()
    assert "In force in the same place (1)" in page
    assert against is ("told the opposite" in page)


async def test_who_sends_is_told_where_another_warning_forbids_doors(two: Two) -> None:
    """Before the release beside what is in force there, and by the answer to it; not of a plume that is elsewhere."""
    neighbour = await two.town.new_key(name="Beitan", label="neighbour", alone=Tier.RED)
    for west in (103.05, 105.0):
        plume = storm(
            "red", hazard="toxic_release", respond="shelter_in", identifier=new_id(), area=box(0.1, west=west)
        )
        _, out = await two.post(plume, neighbour)
        mine = warning_state.c.warning_id == out["warning_id"]
        await write(
            two, sa.update(warning_state).where(mine).values(doors="forbidden")
        )  # as the router says of its hazard
    _, taken = await two.post(storm("red", respond="shelter_in"), two.one)
    (found,) = await overlaps(two, taken["warning_id"])
    assert found["forbids_doors"]
    headers = {"Authorization": f"Bearer {two.other}", "Accept": "text/html"}
    async with two.town.session.get(f"{two.town.url}/live/{taken['warning_id']}/preview", headers=headers) as got:
        assert "Nobody is sent to a door there" in await got.text()
    given = {"approves": await looked_at(two, taken["warning_id"])}
    _, sent = await two.town.call("POST", f"/api/v1/warnings/{taken['warning_id']}/release", given, key=two.other)
    assert "active" == sent["state"]
    assert [f"nobody is sent to doors in the area of No. {found['number']}"] == [
        note.partition(",")[0] for note in sent["notes"]
    ]


async def test_going_home_contradicts_an_order_to_leave(two: Two) -> None:
    """People may go home, while another warning tells them to leave: whoever confirms it sees that."""
    neighbour = await two.town.new_key(name="Beitan", label="neighbour", alone=Tier.RED)
    await two.post(storm("red", hazard="toxic_release", respond="evacuate"), neighbour)
    _, mine = await two.post(storm("yellow", respond="evacuate"), two.one)
    _, ending = await two.end(mine["warning_id"], "may_return", two.one)
    assert "held" == ending["state"]
    assert [True] == [one["contradicts"] for one in await overlaps(two, ending["warning_id"])]
