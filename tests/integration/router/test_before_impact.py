"""Figures before the impact, read from the ledger of a warning that was walked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.router.report import before_impact, report
from services.router.report.before_impact import ImpactFigures
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.tables import delivery
from tests.integration.router.test_paths import said_in_log
from tests.kit.router_alone import NOON, RouterTown, ident, one, router_town, worker

CANNOT_LEAVE: dict[str, Any] = {"groups": ("mobility",), "flags": ("cannot_leave",)}


async def figures(there: RouterTown, warning_id: str) -> ImpactFigures | None:
    async with there.platform.database.read() as db:
        ctx = await there.router.contexts.of(db, warning_id)
        assert ctx is not None
        return await before_impact.of(db, ctx)


async def test_the_ledger_says_who_was_on_the_way_in_time(tmp_path: Path) -> None:
    """One moved in time, one was met after the water, one asked for help and was met; a second warning said the opposite."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 3600)
        people = [one(n, "sms", "voice_mobile", **CANNOT_LEAVE) for n in (1, 2, 3)] + [one(4, "sms", "voice_mobile")]
        await there.page(w, people, [worker("a", "g")])
        await there.at(1)
        first = (await there.rows(person_id=ident(1), channel="sms"))[0]
        await said_in_log(there, first.delivery_id, "moving", "person", NOON + 600)
        asked = (await there.rows(person_id=ident(4), channel="sms"))[0]
        await said_in_log(there, asked.delivery_id, "help", "person", NOON + 660)
        await there.at(12)
        visit = next(r for r in await there.rows(person_id=ident(4), channel="door") if r.slot)
        await there.at(21)
        await said_in_log(there, visit.delivery_id, "moving", "officer", NOON + 1260)
        await there.at(61)
        late = next(r for r in await there.rows(person_id=ident(2), channel="door") if r.slot)
        await said_in_log(there, late.delivery_id, "moving", "officer", NOON + 3660)
        other = await there.issue("plume", hazard="toxic_release")
        await there.page(other, [one(3, "sms", "voice_mobile", **CANNOT_LEAVE)])
        await there.at(65)
        found = await figures(there, w)
        assert found is not None
        assert [1, 3] == found["cannot_leave_moving"] == found["groups"]["mobility"]
        assert [1, 3] == found["groups_at_impact"]["mobility"]
        assert {"asked": 1, "met": 1, "median_min": 10.0, "unmet": 0} == found["help"]
        assert {"p50": 21.0, "p90": 61.0} == found["first_knock_min"]
        assert 1 == found["knocks_after_turn_back"]
        assert 1 == found["contradictions"]
        assert await figures(there, await there.issue("no impact", hazard="storm")) is None


async def test_a_house_that_is_spoken_with_answers_for_who_lives_there(tmp_path: Path) -> None:
    """They have no door of their own, count as moving with it, and close with it; a silent house leaves them to the doors."""
    for spoken in (True, False):
        folder = tmp_path / str(spoken)
        folder.mkdir()
        async with router_town(folder) as there:
            w = await there.issue(doors="allowed", impact=NOON + 47 * 60)
            flags = ("cannot_leave", "high_support")
            house = one(1, "duty_phone_1", "duty_phone_2", "sms", groups=("facility",), kind="facility", flags=flags)
            entry, profile = one(2, "sms", "voice_mobile", groups=("facility",), flags=flags)
            lives = (entry.__class__(entry.person_id, ident(1), *_rest(entry)), profile)
            await there.page(w, [house, lives], [worker("a", "g")])
            await there.at(0)
            assert [] == await there.rows(channel="door", person_id=ident(2)), "the house is called first"
            if spoken:
                call = (await there.rows(person_id=ident(1), channel="voice_duty"))[0]
                heard = {"evidence": int(Evidence.HEARD), "evidence_at": NOON + 60, "send_state": "delivered"}
                await there.said([delivery.c.delivery_id == call.delivery_id], **heard)
            await there.at(30)
            visits = await there.rows(channel="door", person_id=ident(2))
            assert (0 if spoken else 1) == len(visits)
            if spoken:
                call = (await there.rows(person_id=ident(1), channel="voice_duty"))[0]
                await said_in_log(there, call.delivery_id, "moving", "person", NOON + 1860)
                await there.at(40)
                path = (await there.paths(w))[ident(2)]
                assert ("closed", "their house: all are out or safe") == (path.ending, path.end_reason)
                assert path.ended_at > NOON + 32 * 60, "which is 15 minutes before: they count by their house"
                found = await figures(there, w)
                assert found is not None
                assert [1, 1] == found["cannot_leave_moving"] == found["facilities_moving"]
                async with there.platform.database.read() as db:
                    counted = await report.coverage(db, w, there.clock.now())
                assert (2, 2, 0) == (
                    counted["closed"],
                    counted["by_group"]["facility"]["closed"],
                    counted["unexplained"],
                )


async def test_who_lives_in_a_house_that_answers_is_visited_when_they_ask_for_help(tmp_path: Path) -> None:
    """The house answers for them until they speak for themselves."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        house = one(1, "duty_phone_1", "duty_phone_2", "sms", groups=("facility",), kind="facility")
        entry, profile = one(2, "sms", "voice_mobile", groups=("facility",))
        await there.page(
            w, [house, (entry.__class__(entry.person_id, ident(1), *_rest(entry)), profile)], [worker("a", "g")]
        )
        await there.at(1)
        call = (await there.rows(person_id=ident(1), channel="voice_duty"))[0]
        heard = {"evidence": int(Evidence.HEARD), "evidence_at": NOON + 60, "send_state": "delivered"}
        await there.said([delivery.c.delivery_id == call.delivery_id], **heard)
        own = (await there.rows(person_id=ident(2), channel="sms"))[0]
        await said_in_log(there, own.delivery_id, "help", "person", NOON + 120)
        await there.at(3)
        assert [True] == [r.params.urgent for r in await there.rows(channel="door", person_id=ident(2))]


async def test_a_channel_that_is_only_a_log_has_accepted_nothing(tmp_path: Path) -> None:
    """It has a word of its own, so that nobody reads it as a siren that sounded."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [one(1, "sms", "voice_mobile")], [worker("a", "g")])
        taken = {"send_state": "accepted", "evidence": int(Evidence.ACCEPTED), "evidence_at": NOON}
        for name in ("area_sound", "broadcast"):
            await there.said([delivery.c.channel == name], **taken)
        await there.set_driver("area_sound", "log")
        async with there.platform.database.read() as db:
            found = (await report.coverage(db, w, there.clock.now()))["by_channel"]
        assert (1, 0, 1) == tuple(found["area_sound"][name] for name in ("planned", "accepted", "logged"))
        assert (1, 1, 0) == tuple(found["broadcast"][name] for name in ("planned", "accepted", "logged"))


def _rest(entry: Any) -> tuple[Any, ...]:
    """What follows the household in an entry."""
    return (entry.profile, entry.zone_id, entry.grid_id, entry.walk_seq, entry.dossier, entry.key_id, entry.contacts)
