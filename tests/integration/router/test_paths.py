"""Paths on a real database: what stands in for a forbidden door, minors, supporters, houses, teams, shortage, endings."""

from __future__ import annotations

from pathlib import Path

import msgspec
import sqlalchemy as sa

from services.router.planning.contexts import SHIPPED
from services.router.policy.engine import read
from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.store.tables import warning as router_warning
from services.shared.ledger import team_signs
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import SignKind
from services.shared.messages import SupporterEntry
from services.shared.tiers import Tier
from tests.kit.router_alone import NOON, RouterTown, contact, ident, one, router_town, worker

POLICY = read(SHIPPED.read_text(encoding="utf-8"))


async def reasons(there: RouterTown, **wanted: object) -> list[tuple[float, str]]:
    """(minute, reason) of deliveries."""
    return [(round((r.due_at - NOON) / 60, 2), r.reason) for r in await there.rows(**wanted)]


async def fire_service_takes(there: RouterTown, w: str) -> None:
    """Somebody there says that they have the names."""
    async with there.platform.database.write() as tx:
        await team_signs.keep(tx, w, FIRE_SERVICE, SignKind.HERE, there.clock.now(), "Sgt Wu", sign_id=there.msg_id())


async def test_where_doors_are_forbidden_the_other_channels_stand_in(tmp_path: Path) -> None:
    """A chlorine plume: a text, a call, the supporter by phone, and the name with the fire service; nobody is sent."""
    async with router_town(tmp_path) as there:
        w = await there.issue(tier=Tier.ORANGE, hazard="toxic_release", doors="ask")
        who, profile = one(1, "sms", "voice_mobile", helper="inside")
        helper = who.supporters[0]
        phone = SupporterEntry(helper.supporter_id, False, "en", (*helper.contacts, contact("voice_mobile", "h1")))
        who = msgspec.structs.replace(who, contacts=who.contacts[:1], supporters=(phone,))
        profile = msgspec.structs.replace(profile, channels=("sms",))
        await there.page(w, [(who, profile)], [worker("a", "g")])
        await there.at(1)
        assert ["fire_service_list"] == [r.channel for r in await there.rows(driver="door")]
        assert ["supporter_sms", "supporter_voice"] == [r.channel for r in await there.rows(addressee_kind="supporter")]
        assert ["helper_in"] * 2 == [r.form.partition(":")[0] for r in await there.rows(addressee_kind="supporter")]
        async with there.platform.database.read() as db:
            assert "forbidden" == await db.scalar(sa.text("select doors from warning_state"))
        await there.at(59)
        assert "open" == (await there.paths(w))[ident(1)].state, "orange ends closed: the fire service has its hour"
        await there.at(200)
        assert "open" == (await there.paths(w))[ident(1)].state, "a name that nobody there has acknowledged is no end"
        await fire_service_takes(there, w)
        await there.at(206)
        assert "handed_to_rescue" == (await there.paths(w))[ident(1)].ending
        async with there.platform.database.read() as db:
            left_out = await db.scalar(sa.select(router_warning.c.area_left_out))
        assert [] == await there.rows(channel="sweep")
        assert isinstance(left_out, dict)


async def test_after_the_wave_doors_are_checked_on_the_commanders_word(tmp_path: Path) -> None:
    """A tsunami forbids doors; the name is with the fire service; when the commander says so, officers look."""
    async with router_town(tmp_path) as there:
        w = await there.issue(hazard="tsunami", impact=NOON + 1800)
        await there.page(w, [one(1, "sms")], [worker("a", "g")])
        await there.at(45)
        assert [] == await there.rows(channel="door")
        assert "open" == (await there.paths(w))[ident(1)].state
        await there.word(w, "allowed")
        await there.at(80)
        assert ["door check after the impact"] == [r.reason for r in await there.rows(channel="door")]


async def test_a_childs_guardian_first_then_somebody_goes(tmp_path: Path) -> None:
    """Orange tries the guardian at 0; in red, five minutes of a guardian's silence make a child alone: two officers."""
    async with router_town(tmp_path) as there:
        child = one(1, "sms", "voice_mobile", groups=("minor",), helper="outside")
        w = await there.issue(doors="allowed", hazard="storm")
        await there.page(
            w, [child, one(2, "sms", "voice_mobile", groups=("minor",), helper="outside")], [worker("a", "g")]
        )
        first = await there.rows(person_id=ident(1), addressee_kind="supporter")
        assert [0.0] == [(r.due_at - NOON) / 60 for r in first]
        await there.said([delivery.c.person_id == ident(2), delivery.c.addressee_kind == "supporter"],
                         evidence=Evidence.HEARD, evidence_at=NOON + 60)  # fmt: skip
        await there.at(6)
        doors = await there.rows(channel="door")
        assert [(ident(1), "two_officers")] == [(r.person_id, r.params.team) for r in doors]


async def test_a_helper_who_cannot_reach_her_is_news(tmp_path: Path) -> None:
    """An officer is asked at once, not at the next step."""
    async with router_town(tmp_path) as there:
        w = await there.issue(tier=Tier.ORANGE, doors="allowed")
        await there.page(w, [one(1, "sms", "voice_mobile", helper="outside")], [worker("a", "g")])
        await there.at(11)
        assert [] == await there.rows(addressee_kind="worker", person_id=ident(1))
        helper = (await there.rows(addressee_kind="supporter"))[0]
        await said_in_log(there, helper.delivery_id, "cannot_reach", "supporter", NOON + 700)
        await there.at(12)
        asked = await there.rows(addressee_kind="worker", person_id=ident(1))
        assert ["supporter cannot reach"] == [r.reason for r in asked]


async def test_a_step_that_falls_due_before_the_last_page_asks_an_officer_all_the_same(tmp_path: Path) -> None:
    """A large audience comes in many pages: whose page came first is not passed over for want of teams."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [one(1, "sms", "voice_mobile")], [worker("a", "g")], last=False)
        await there.at(16)
        asked = await there.rows(channel="officer_sms", kind="warning")
        assert [(15.0, ident(1))] == [((r.due_at - NOON) / 60, r.person_id) for r in asked]


async def said_in_log(there: RouterTown, delivery_id: str, answer: str, by: str, at: float) -> None:
    """An answer as the recorder writes it: in the log and on the delivery."""
    row = {
        "event_key": f"{delivery_id}:{at}",
        "delivery_id": delivery_id,
        "answer": answer,
        "by": by,
        "at": at,
        "covers": 1,
    }
    async with there.platform.database.write() as tx:
        await tx.execute(
            sa.text(
                "insert into answer_log (event_key, delivery_id, answer, by, at, covers, note) "
                "values (:event_key, :delivery_id, :answer, :by, :at, :covers, '')"
            ),
            row,
        )
    await there.said(
        [delivery.c.delivery_id == delivery_id],
        answer=answer,
        answer_by=by,
        answer_at=at,
        evidence=Evidence.ACKNOWLEDGED,
    )


async def test_a_house_is_asked_how_many_are_out_until_all_are(tmp_path: Path) -> None:
    """Duty lines at 0, then every quarter of an hour, until somebody says safe; in blue and yellow nobody is sent."""
    async with router_town(tmp_path) as there:
        house = one(1, "duty_phone_1", "sms", groups=("facility",), kind="facility", flags=("cannot_leave",))
        w = await there.issue(doors="allowed")
        await there.page(w, [house], [worker("a", "g")])
        await there.at(20)
        asked = [r for r in await there.rows(person_id=ident(1)) if "moved_of_headcount" in r.form]
        assert [15.0] == [round((r.due_at - NOON) / 60, 2) for r in asked]
        await there.at(31)
        assert 2 == len([r for r in await there.rows(person_id=ident(1)) if "moved_of_headcount" in r.form])
        await said_in_log(there, asked[0].delivery_id, "safe", "person", NOON + 32 * 60)
        assert "closed" == (await there.paths(w))[ident(1)].ending
        calm = await there.issue("y", tier=Tier.YELLOW, hazard="storm", doors="allowed")
        await there.page(calm, [house], [worker("a", "g")])
        await there.at(120)
        rows = await there.rows(warning_id=calm, person_id=ident(1))
        assert "door" not in {r.channel for r in rows}
        assert "voice_duty" in {r.channel for r in rows}


async def test_shortage_names_who_is_left_over_and_tells_who_can_help(tmp_path: Path) -> None:
    """Two doors an hour for five: the neediest first; for the others helpers, loudspeakers, the fire service, a place in rank."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hours=1, hazard="storm")
        people = [one(n, "sms", helper="inside") for n in range(1, 4)]
        people += [one(n, "sms", groups=("mobility",), flags=("cannot_leave",)) for n in (8, 9)]
        await there.page(w, people, [worker("a", "g", per_hour=2)])
        await there.at(1)
        given = {r.person_id for r in await there.rows(channel="door") if r.slot}
        assert {ident(8), ident(9)} == given
        paths = await there.paths(w)
        assert {"open"} == {paths[ident(n)].state for n in (1, 2, 3)}
        assert {ident(n) for n in (1, 2, 3)} == {r.person_id for r in await there.rows(channel="fire_service_list")}
        assert 1 == len(await there.rows(channel="area_sound", step="shortage"))
        assert 3 == len(await there.rows(addressee_kind="supporter"))
        await there.at(61)
        paths = await there.paths(w)
        assert {"no_capacity"} == {paths[ident(n)].ending for n in (1, 2, 3)}, "when it is too late to set out"


async def test_a_list_is_never_longer_than_the_policy_says_and_never_reordered(tmp_path: Path) -> None:
    """Fifteen doors a team at a time; the next come behind what was begun; a call for help comes first."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hazard="storm")
        people = [one(n, "sms") for n in range(1, 21)]
        await there.page(w, people, [worker("a", "g", per_hour=12)])
        await there.at(1)
        listed = sorted((r for r in await there.rows(channel="door") if r.slot), key=lambda r: r.params.order)
        assert 15 == len(listed)
        assert [ident(n) for n in range(1, 16)] == [r.person_id for r in listed], "the walking route"
        await said_in_log(there, listed[0].delivery_id, "leaving", "officer", NOON + 600)
        await said_in_log(there, listed[1].delivery_id, "leaving", "officer", NOON + 700)
        await there.at(13)
        after = sorted((r for r in await there.rows(channel="door") if r.slot), key=lambda r: r.params.order)
        assert 17 == len(after)
        assert [r.person_id for r in listed] == [r.person_id for r in after[:15]]
        assert {ident(16), ident(17)} == {r.person_id for r in after[15:]}


async def test_who_depends_on_power_has_somebody_before_the_battery_is_empty(tmp_path: Path) -> None:
    """Sixty minutes of battery less the way; not known is now; first on the list of a power cut."""
    async with router_town(tmp_path) as there:
        groups, flags = ("power_medical",), ("cannot_leave", "high_support")
        known = one(1, "sms", "voice_mobile", groups=groups, flags=(*flags, "backup_20"))
        unknown = one(2, "sms", "voice_mobile", groups=groups, flags=flags)
        w = await there.issue(tier=Tier.YELLOW, hazard="power_cut")
        await there.page(w, [known, unknown], [worker("a", "g")])
        await there.at(20)
        doors = {r.person_id: r for r in await there.rows(channel="door")}
        assert (0.0, 1) == ((doors[ident(2)].due_at - NOON) / 60, doors[ident(2)].params.rank)
        assert 15.0 == (doors[ident(1)].due_at - NOON) / 60


async def test_an_ending_reaches_who_was_attempted_and_calls_officers_back(tmp_path: Path) -> None:
    """The person, their supporter, the house, the officer; visits not begun are taken back, officers out are told."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hazard="storm")
        house = one(2, "sms", groups=("facility",), kind="facility", flags=("cannot_leave",))
        await there.page(w, [one(1, "sms", helper="outside"), house], [worker("a", "g")])
        await there.at(1)
        await there.said([delivery.c.driver != "door"], send_state="accepted", sent_at=NOON + 60)
        end = await there.issue("e", kind="ending", ending="danger_lower_stay_away", replaces=[w.rstrip("0")])
        await there.at(5)
        told = {
            r.addressee_kind
            for r in await there.rows(warning_id=end, kind="ending")
            if r.person_id or r.channel == "officer_sms"
        }
        assert {"person", "supporter", "facility", "worker"} <= told
        assert ("warning_over", "a") in await there.notices()
        assert {"superseded", "cancelled"} >= {r.send_state for r in await there.rows(warning_id=w, driver="door")}


async def test_no_end_without_a_fact_a_commander_or_a_named_shortage(tmp_path: Path) -> None:
    """Residents in orange and red, nobody ever answering: each ends handed over by name, or stays open at a door."""
    for tier in (Tier.ORANGE, Tier.RED):
        for hazard in ("flash_flood", "toxic_release"):
            folder = tmp_path / f"{tier}{hazard}"
            folder.mkdir()
            async with router_town(folder) as there:
                w = await there.issue(tier=tier, hazard=hazard)
                groups = [g for g in POLICY.groups if g not in ("general", "facility")]
                people = [one(n, "sms", "voice_mobile", groups=(g,)) for n, g in enumerate(groups, 1)]
                boat = ident(groups.index("boat") + 1)  # no team is sent there
                await there.page(w, people, [worker("a", "g", per_hour=30)])
                await there.at(200)
                assert {"open"} == {path.state for path in (await there.paths(w)).values()}
                await fire_service_takes(there, w)
                await there.at(206)
                for path in (await there.paths(w)).values():
                    names = {r.channel for r in await there.rows(person_id=path.person_id, driver="door")}
                    if hazard == "toxic_release" or path.person_id == boat:
                        assert ("handed_to_rescue", {"fire_service_list"}) == (path.ending, names)
                    else:
                        assert ("open", {"door"}) == (path.state, names)


async def test_basements_and_lifts_come_before_the_walk(tmp_path: Path) -> None:
    """Known impact: who takes longer to help stands earlier on the list; of two with one need, the one in a basement, by a
    quarter of an hour."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", impact=NOON + 94 * 60)
        people = [
            one(1, "sms"),
            one(2, "sms", groups=("basement",)),
            one(3, "sms", groups=("mobility",), flags=("cannot_leave",)),
            one(4, "sms", groups=("mobility", "basement"), flags=("cannot_leave",)),
        ]
        await there.page(w, people, [worker("a", "g")])
        await there.at(1)
        doors = sorted(await there.rows(channel="door"), key=lambda r: r.params.order)
        assert [ident(4), ident(3), ident(2), ident(1)] == [r.person_id for r in doors]
        assert {NOON + (94 - 20) * 60} == {r.params.turn_back for r in doors}  # ten minutes of way, ten to spare


async def test_who_was_only_met_at_the_door_hears_of_the_end_herself(tmp_path: Path) -> None:
    """On a channel of their own, never on their supporter's; with none, at the door."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed", hazard="storm")
        await there.page(w, [one(1, helper="outside", groups=("deafblind",))], [worker("a", "g")])
        await there.at(1)
        await there.said([delivery.c.channel == "door"], send_state="delivered", evidence=Evidence.HUMAN_CONTACT)
        end = await there.issue("e", kind="ending", ending="may_return", replaces=[w.rstrip("0")])
        await there.at(5)
        told = [
            (r.channel, r.addressee_kind) for r in await there.rows(warning_id=end, kind="ending", person_id=ident(1))
        ]
        assert [("door", "door")] == told


async def test_a_near_impact_brings_the_door_before_its_step(tmp_path: Path) -> None:
    """Asked by phone first, and visited at a share of the time there is: never all at once at minute 0."""
    for impact, tier, due in (
        (120, Tier.ORANGE, 30.0),
        (100, Tier.ORANGE, 25.0),
        (10, Tier.ORANGE, 5.0),
        (170, Tier.RED, 15.0),
        (90, Tier.RED, 9.0),
        (60, Tier.RED, 6.0),
        (30, Tier.RED, 3.0),
        (10, Tier.RED, 2.0),
    ):
        folder = tmp_path / f"{impact}{tier}"
        folder.mkdir()
        async with router_town(folder) as there:
            w = await there.issue(tier=tier, doors="allowed", impact=NOON + impact * 60)
            await there.page(w, [one(1, "sms", "voice_mobile")], [worker("a", "g")])
            await there.at(31)
            assert [due] == [(r.due_at - NOON) / 60 for r in await there.rows(channel="door")], (impact, tier)


async def test_need_comes_before_the_time_a_door_was_asked_for(tmp_path: Path) -> None:
    """Doors that waited for the commander's word: one team, one door, and the basement asked later gets it."""
    async with router_town(tmp_path) as there:
        w = await there.issue(hours=1)
        people = [one(1, "sms"), one(2, "sms", "voice_mobile", groups=("basement",))]
        await there.page(w, people, [worker("a", "g", per_hour=2)])
        await there.at(20)
        await there.word(w, "allowed")
        assert [ident(2)] == [r.person_id for r in await there.rows(channel="door") if r.slot]
        assert "open" == (await there.paths(w))[ident(1)].state
        await there.at(61)
        assert "no_capacity" == (await there.paths(w))[ident(1)].ending
