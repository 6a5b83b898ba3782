"""What the router does by a warning's clock, on a real database: officials called, silent zones, expiry, fatigue, holds."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from services.router.clock import silence
from services.router.clock.taken_lists import unopened
from services.router.doors.teams import teams_of
from services.router.planning.contexts import SHIPPED, Contexts
from services.router.store.tables import warning as router_warning
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.opened_lists import list_link
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import SignKind
from services.shared.tiers import Tier
from tests.integration.router.test_paths import said_in_log
from tests.integration.router.test_teams_out import heard
from tests.kit.router_alone import MIDNIGHT, NOON, RouterTown, ident, one, router_town, worker

TEXT = SHIPPED.read_text(encoding="utf-8")


async def calls(there: RouterTown) -> list[tuple[float, str, str, int]]:
    """(minute, to, channel, try) of calls to officials."""
    rows = await there.rows(step="official")
    return [((r.due_at - NOON) / 60, r.addressee_id.rstrip("0"), r.channel, r.try_no) for r in rows]


async def test_officials_are_called_until_one_has_spoken(tmp_path: Path) -> None:
    """Three calls in five minutes, then the superior, then the doors of the grid go to others and they are told."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        teams = [worker("a", "g"), worker("b", "h"), worker("boss", skills=["superior"])]
        await there.page(w, [one(1, "sms")], teams)
        await there.at(0)
        assert [(0.0, "a", "officer_sms", 1), (0.0, "a", "officer_voice", 1)] == await calls(there)
        assert ["a"] == [r.slot.rstrip("0") for r in await there.rows(channel="door")]
        await there.at(7)
        assert [(2.5, "a", "officer_voice", 2), (5.0, "a", "officer_voice", 3)] == (await calls(there))[2:]
        await there.at(12)
        assert [(7.5, "boss", "officer_voice", 4)] == (await calls(there))[4:]
        await there.at(20)
        assert 5 == len(await calls(there))
        assert ("go_to_grid", "b") in await there.notices()
        visits = [(r.slot.rstrip("0"), r.send_state) for r in await there.rows(channel="door")]
        assert [("a", "suppressed")] == [v for v in visits if v[0] == "a"]
        assert [v for v in visits if v[0] in ("b", "boss")], "the door has another team"


async def test_an_official_who_speaks_is_not_called_again(tmp_path: Path) -> None:
    """A key is speaking, a text that was delivered is not; blue and yellow call nobody."""
    async with router_town(tmp_path) as there:
        w = await there.issue()
        await there.page(w, [one(1, "sms")], [worker("a", "g")])
        await there.at(1)
        await there.said([delivery.c.channel == "officer_sms", delivery.c.step == "official"],
                         evidence=Evidence.DELIVERED, evidence_at=NOON + 60)  # fmt: skip
        await there.at(3)
        assert 3 == len(await calls(there)), "delivered is not spoken"
        await there.said([delivery.c.channel == "officer_voice", delivery.c.try_no == 2], evidence=Evidence.HEARD)
        await there.at(30)
        assert 3 == len(await calls(there))
        calm = await there.issue("y", tier=Tier.YELLOW)
        await there.page(calm, [one(2, "sms")], [worker("a", "g")])
        await there.at(31)
        assert 3 == len(await calls(there))


async def test_who_answers_about_somebody_or_has_been_at_a_door_is_there(tmp_path: Path) -> None:
    """Whoever has lifted somebody for twenty minutes answers no call: their list stays theirs, and they are given more."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 60)
        teams = [worker("a", "g", per_hour=10), worker("b", "h", per_hour=10)]
        people = [one(n, "sms", grid=grid) for n in range(1, 5) for grid in ("g",)] + [one(9, "sms", grid="h")]
        await there.page(w, people, teams)
        await there.at(7)
        asked = [
            delivery.c.channel == "officer_sms",
            delivery.c.step != "official",
            delivery.c.addressee_id.startswith("a"),
        ]
        await there.said(asked, answer="cannot_reach", answer_at=NOON + 7 * 60)
        await there.at(20)
        reasons = {r.state_reason for r in await there.rows(channel="door") if r.slot.startswith("a")}
        assert "officer silent: given to another team" not in reasons
        taken = {r.state_reason for r in await there.rows(channel="door") if r.slot.startswith("b")}
        assert "officer silent: given to another team" in taken
        assert {"a": True, "b": False} == await who_is_there(there, w, NOON + 20 * 60)
        door = next(r for r in await there.rows(channel="door") if r.slot.startswith("b"))
        await said_in_log(there, door.delivery_id, "leaving", "officer", NOON + 23 * 60)
        assert {"a": True, "b": True} == await who_is_there(there, w, NOON + 24 * 60), "they have been at a door since"


async def test_a_list_that_nobody_opens_goes_to_a_team_that_has_opened_theirs(tmp_path: Path) -> None:
    """Ten minutes; nobody's list is taken while none is opened; whoever opens theirs late is given doors again."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 240)
        teams = [worker(name, grid, per_hour=10) for name, grid in (("a", "g"), ("b", "h"), ("c", "h"))]
        people = [
            one(n, groups=("no_phone",), flags=("door_first",), grid=grid) for n, grid in ((1, "g"), (2, "h"), (3, "h"))
        ]
        await there.page(w, people, teams)
        await there.at(1)
        calls = [delivery.c.step == "official"]
        await there.said(calls, answer="spoke", answer_at=NOON + 60)  # who was spoken with has opened nothing yet
        await there.at(11)
        assert ["a", "b", "c"] == [team for team in "abc" if await list_of(there, team)], "none is opened"
        await opens(there, w, "b", NOON + 11 * 60)
        await there.at(13)
        assert ({ident(1), ident(2), ident(3)}, set(), set()) == tuple([await list_of(there, team) for team in "bac"])
        assert {"a": False, "b": True, "c": False} == await who_is_there(there, w, NOON + 13 * 60)
        async with there.platform.database.read() as db:
            assert ["a", "c"] == [team.rstrip("0") for team in await unopened(db, w)]
        await opens(there, w, "a", NOON + 14 * 60)
        await there.at(16)
        assert {"a": True, "b": True, "c": False} == await who_is_there(there, w, NOON + 16 * 60)
        async with there.platform.database.read() as db:
            assert ["c"] == [team.rstrip("0") for team in await unopened(db, w)]


async def test_where_every_officer_is_silent_the_last_list_is_taken_by_nobody(tmp_path: Path) -> None:
    """Each list would be taken for the other, and no door would stand on any though both may yet look at theirs."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=8)
        people = [one(n, groups=("no_phone",), flags=("door_first",), grid=grid) for n, grid in ((1, "g"), (2, "h"))]
        await there.page(w, people, [worker("a", "g"), worker("b", "h")])
        await there.at(60)
        assert [set(), {ident(1), ident(2)}] == sorted([await list_of(there, "a"), await list_of(there, "b")], key=len)


async def test_no_list_is_taken_for_a_team_that_gets_no_doors(tmp_path: Path) -> None:
    """The only team that has opened its list cannot go: whoever has not opened theirs yet may still come."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 60 * 240)
        people = [one(n, groups=("no_phone",), flags=("door_first",), grid=grid) for n, grid in ((1, "g"), (2, "h"))]
        await there.page(w, people, [worker("a", "g"), worker("b", "h")])
        await there.at(1)
        await there.said([delivery.c.step == "official"], answer="spoke", answer_at=NOON + 60)
        await opens(there, w, "b", NOON + 60)
        await heard(there, "b", SignKind.CANNOT)
        await there.at(14)
        assert ({ident(1), ident(2)}, set()) == (await list_of(there, "a"), await list_of(there, "b"))
        await heard(there, "b", SignKind.OUT)
        await there.at(18)
        assert ({ident(1), ident(2)}, set()) == (await list_of(there, "b"), await list_of(there, "a")), (
            "now there is one"
        )


async def opens(there: RouterTown, warning_id: str, team: str, at: float) -> None:
    """What channels writes when a team opens its list."""
    row = {
        "warning_id": warning_id, "slot": team.ljust(32, "0"), "n": 0, "made_at": at, "made_by": team, "devices": ["d"],
        "opened_at": at,
    }  # fmt: skip
    async with there.platform.database.write() as tx:
        await tx.execute(sa.insert(list_link).values(**row))


async def list_of(there: RouterTown, team: str) -> set[str]:
    """Whose doors stand on a team's list."""
    rows = await there.rows(channel="door")
    return {r.person_id for r in rows if r.slot.startswith(team) and r.send_state in ("pending", "accepted")}


async def who_is_there(there: RouterTown, warning_id: str, now: float) -> dict[str, bool]:
    """Team > whether it is given doors: one that has room in its time."""
    async with there.platform.database.read() as db:
        ctx = await Contexts(None).of(db, warning_id, workers=True)
        assert ctx is not None
        teams = await teams_of(db, ctx, now)
    assert all(team.there is (team.room(now) + team.load > 0) for team in teams.values())
    return {team_id[0]: team.there for team_id, team in sorted(teams.items())}


async def test_a_silent_zone_gets_doors_now_sound_and_officers_on_their_own(tmp_path: Path) -> None:
    """Five minutes without anything from a fifth of a zone; another zone, where phones answer, goes on as planned."""
    async with router_town(tmp_path) as there:
        w = await there.issue(tier=Tier.ORANGE, doors="allowed")
        people = [one(n, "sms", "voice_mobile", zone="dead") for n in range(1, 9)]
        people += [one(n, "sms", "voice_mobile", zone="alive", grid="h") for n in range(11, 19)]
        await there.page(w, people, [worker("a", "g"), worker("b", "h")])
        await there.at(1)
        alive = [delivery.c.person_id.in_([ident(n) for n in range(11, 19)])]
        await there.said(alive, evidence=Evidence.DELIVERED, evidence_at=NOON + 60)
        await there.said([delivery.c.step == "official"], evidence=Evidence.HEARD)
        await there.at(4)
        assert [] == await there.rows(channel="door")
        await there.at(6)
        doors = await there.rows(channel="door")
        assert {ident(n) for n in range(1, 9)} == {r.person_id for r in doors}
        assert {"channels down: no phone of the zone answers"} == {r.reason for r in doors}
        assert ["channels_down"] == [r.step for r in await there.rows(channel="area_sound")]
        async with there.platform.database.read() as db:
            assert ["dead"] == await silence.down(db, w)
        assert "officers_alone" not in {kind for kind, _ in await there.notices()}
        await there.at(16)
        assert ["a"] == [to for kind, to in await there.notices() if kind == "officers_alone"]


async def test_a_few_phones_that_are_off_are_no_silent_zone(tmp_path: Path) -> None:
    """Somebody was heard since everything was due: the others are tried on other channels, as the escalation says."""
    async with router_town(tmp_path) as there:
        w = await there.issue(tier=Tier.ORANGE, doors="allowed")
        await there.page(w, [one(n, "sms", "voice_mobile") for n in range(1, 41)], [worker("a", "g")])
        await there.said([delivery.c.person_id == ident(1)], evidence=Evidence.DELIVERED, evidence_at=NOON + 30)
        await there.at(9)
        assert [] == await there.rows(channel="door")


async def test_orange_and_red_ask_before_they_run_out(tmp_path: Path) -> None:
    """30 and 10 minutes before, and when it is over; the duty officer where one is on shift; updates when they are due."""
    async with router_town(tmp_path) as there:
        w = await there.issue(hours=2)
        await there.page(w, [one(1, "sms")], [worker("a", "g"), worker("duty", skills=["duty_officer"])])
        await there.at(1)
        await there.said([delivery.c.step == "official"], evidence=Evidence.HEARD)

        async def asked() -> list[str]:
            return [kind for kind, to in await there.notices() if to == "duty" and kind != "officer_link"]

        await there.at(29)
        assert [] == await asked()
        await there.at(31)
        assert ["update_due"] == await asked()
        await there.at(89)
        assert ["update_due", "update_due"] == await asked()
        await there.at(91)
        assert ["expiry", "update_due"] == sorted(set(await asked()))
        assert 1 == (await asked()).count("expiry")
        await there.at(111)
        assert 2 == (await asked()).count("expiry")
        assert 0 == (await asked()).count("expired")
        await there.at(121)
        assert 1 == (await asked()).count("expired")
        assert not [to for kind, to in await there.notices() if kind == "expiry" and to == "a"]


async def test_the_same_hazard_again_and_too_many_blues_are_left_out(tmp_path: Path) -> None:
    """One personal blue a week, the same hazard once in six hours; orange comes whatever came before."""
    fan = one(1, "sms", kind="subscriber", groups=("general",), flags=("opt_in_blue", "opt_in_yellow"))
    async with router_town(tmp_path) as there:
        for n, (hazard, tier, hour, ending) in enumerate(
            (
                ("storm", Tier.BLUE, 0.0, "sent"),
                ("heat", Tier.BLUE, 1.0, "not_asked"),  # the second blue of the week
                ("storm", Tier.YELLOW, 2.0, "sent"),  # more than blue
                ("storm", Tier.YELLOW, 3.0, "not_asked"),  # the same an hour later
                ("storm", Tier.YELLOW, 8.5, "sent"),  # six hours later
                ("storm", Tier.ORANGE, 8.6, "unconfirmed"),
                ("heat", Tier.BLUE, 24 * 7 + 0.5, "sent"),
            )
        ):
            await there.at(hour * 60)
            w = await there.issue(f"{n + 1}", tier=tier, hazard=hazard)
            await there.page(w, [fan])
            await there.at(hour * 60 + 1)
            path = (await there.paths(w))[ident(1)]
            if ending == "not_asked":
                assert "not_asked" == path.ending, (n, path.ending)
                assert path.end_reason.startswith(("fatigue", "merged"))
                assert [] == await there.rows(warning_id=w, channel="sms")
            else:
                assert path.ending in ("", ending), (n, path.end_reason)
                assert 1 == len(await there.rows(warning_id=w, channel="sms"))


async def test_who_needs_help_is_never_too_tired_in_yellow(tmp_path: Path) -> None:
    """High support is told every time."""
    async with router_town(tmp_path) as there:
        for n in range(5):
            await there.at(n * 30)
            w = await there.issue(f"{n + 1}", tier=Tier.YELLOW, hazard="storm")
            await there.page(w, [one(1, "sms", groups=("older_alone",), flags=("high_support",))])
            assert 1 == len(await there.rows(warning_id=w, channel="sms"))


async def test_a_held_message_is_looked_at_again_in_the_morning(tmp_path: Path) -> None:
    """Blue at midnight waits for seven; who was told of the same hazard at orange meanwhile does not get it."""
    fan = one(1, "sms", kind="subscriber", groups=("general",), flags=("opt_in_blue",))
    other = one(2, "sms", kind="subscriber", groups=("general",), flags=("opt_in_blue",))
    async with router_town(tmp_path, start=MIDNIGHT) as there:
        w = await there.issue("b", tier=Tier.BLUE, hazard="storm", hours=24)
        await there.page(w, [fan, other])
        assert [] == await there.rows(warning_id=w, channel="sms")
        await there.at(60, MIDNIGHT)
        more = await there.issue("o", tier=Tier.ORANGE, hazard="storm", hours=24)
        await there.page(more, [fan])
        await there.at(6 * 60 + 59, MIDNIGHT)
        assert [] == await there.rows(warning_id=w, channel="sms")
        await there.at(7 * 60, MIDNIGHT)
        assert [ident(2)] == [r.person_id for r in await there.rows(warning_id=w, channel="sms")]
        path = (await there.paths(w))[ident(1)]
        assert ("superseded", "held at night; told at tier orange meanwhile") == (path.ending, path.end_reason)


async def test_what_is_over_before_the_morning_is_not_held(tmp_path: Path) -> None:
    """Held until it is over, it would never be heard; nor is what begins before the morning."""
    fan = one(1, "sms", kind="subscriber", groups=("general",), flags=("opt_in_blue",))
    async with router_town(tmp_path, start=MIDNIGHT) as there:
        short = await there.issue("s", tier=Tier.BLUE, hazard="storm", hours=3)
        await there.page(short, [fan])
        assert 1 == len(await there.rows(warning_id=short, channel="sms"))
        early = await there.issue("e", tier=Tier.BLUE, hazard="heat", hours=24, impact=MIDNIGHT + 3600)
        await there.page(early, [one(2, "sms", kind="subscriber", groups=("general",), flags=("opt_in_blue",))])
        assert 1 == len(await there.rows(warning_id=early, channel="sms"))


async def test_night_is_judged_at_each_step(tmp_path: Path) -> None:
    """Red at 06:50: at 0 it is night and the deaf have a door; at 20:50 the bed shaker's night is still to come."""
    deaf = one(1, "sms", "email", groups=("deaf_text",), flags=("deaf",), helper="outside")
    start = MIDNIGHT + 6 * 3600 + 50 * 60
    async with router_town(tmp_path, start=start) as there:
        w = await there.issue()
        await there.page(w, [deaf])
        assert 1 == len(await there.rows(channel="door")), "night: deaf without a shaker"
    evening = NOON + 8 * 3600 + 58 * 60
    folder = tmp_path / "evening"
    folder.mkdir()
    async with router_town(folder, start=evening) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [deaf])
        assert [] == await there.rows(channel="door")
        await there.at(4, evening)
        assert [] == await there.rows(channel="door")
        await there.at(6, evening)
        assert ["red.2: open & high_support"] == [r.reason for r in await there.rows(channel="door")]


async def test_a_running_warning_keeps_its_policy(tmp_path: Path) -> None:
    """A process that starts with another file walks what is running by the old one, and the next warning by the new."""
    later = TEXT.replace('{at: "earlier of 15 and 10% of lead, at least 2", if', "{at: 40, if").replace(
        "version: 1,", "version: 2,"
    )
    later = later.replace('{at: "earlier of 30 and 20% of lead, at least 4", if: zone_has', "{at: 41, if: zone_has")
    assert later != TEXT
    person = one(1, "sms", "voice_mobile")
    async with router_town(tmp_path) as there:
        w = await there.issue(hazard="storm")
        await there.page(w, [person], [worker("a", "g")])
        await there.at(4)
        await there.platform.database.close()
    async with router_town(tmp_path, start=NOON + 300, policy=later) as there:
        await there.at(14)
        assert [] == await there.rows(channel="door")
        await there.at(16)
        assert 1 == len(await there.rows(warning_id=w, channel="door")), "by the policy it was released with"
        new = await there.issue("n", hazard="storm")
        await there.page(new, [one(2, "sms", "voice_mobile")], [worker("a", "g")])
        await there.at(36)
        assert [] == await there.rows(warning_id=new, channel="door")
        await there.at(60)
        assert 1 == len(await there.rows(warning_id=new, channel="door"))
        async with there.platform.database.read() as db:
            versions = [
                (await there.router.contexts.policy(db, row.policy)).policy.version
                for row in (await db.execute(router_warning.select().order_by(router_warning.c.warning_id))).all()
            ]
        assert [2, 1] == versions
