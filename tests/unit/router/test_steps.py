"""Steps and reactions, on a person and a clock: what is planned when, what an answer that does not close brings about."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.router.clock.reactions import final, react
from services.router.explaining.explain import CHANNELS
from services.router.planning.contexts import SHIPPED
from services.router.planning.plan import Person, WarningContext
from services.router.planning.walk import walk
from services.router.policy.engine import read
from services.router.policy.vocabulary import FIRE_SERVICE
from services.shared.ledger.deliveries import NewDelivery, Planned
from services.shared.ledger.params import Visit
from services.shared.ledger.states import SendState
from services.shared.messages import ContactEntry, PersonEntry, Profile, SupporterEntry, WarningIssued, WorkerEntry
from services.shared.tiers import Tier
from tests.kit.examples import drawn

POLICY = read(SHIPPED.read_text(encoding="utf-8"))
T0 = 1_700_000_000.0 - 1_700_000_000 % 86400 + 12 * 3600  # noon UTC


def context(tier: Tier = Tier.RED, hazard: str = "flash_flood", doors: str = "allowed") -> WarningContext:
    issued = WarningIssued(
        msg_id="m", plane="live", warning_id="w" * 32, tier=int(tier), kind="alert", purpose="live", chain_id="w",
        hazard=hazard, respond="evacuate", sent=T0, expires=T0 + 6 * 3600, released=T0,
    )  # fmt: skip
    officer = WorkerEntry("o" * 32, ("g",), (), 10, "en", (contact("sms", "officer"),))
    return WarningContext(issued, POLICY, {r: r for r in CHANNELS}, dict.fromkeys(CHANNELS, ""), doors, [officer])


def contact(kind: str, owner: str = "me") -> ContactEntry:
    return ContactEntry(f"{owner}-{kind}", kind, f"key-{owner}-{kind}", b"sealed", "k")


def person(
    *kinds: str,
    groups: tuple[str, ...] = ("blind",),
    flags: tuple[str, ...] = (),
    kind: str = "resident",
    helper: bool = False,
) -> Person:
    profile = Profile(
        "p", kind, groups, flags, "en", tuple(kinds), supporters=(("sms", True),) if helper else ()
    )  # fmt: skip
    supporters = (SupporterEntry("s" * 32, True, "en", (contact("sms", "helper"),)),) if helper else ()
    entry = PersonEntry("q" * 32, "h", 0, "z", "g", 1, b"dossier", "k", tuple(contact(k) for k in kinds), supporters)
    return Person(entry, profile, [])


def asked(visit: Planned) -> Visit:
    """What the officer is told of a visit."""
    assert isinstance(visit.params, Visit)
    return visit.params


def climb(ctx: WarningContext, who: Person, until_min: float) -> list[tuple[float, str, int]]:
    """(minute, channel, try) of all that is planned up to a minute, nobody answering."""
    plan = ctx.plan(who.profile, T0)
    for step in POLICY.steps(plan):
        if step.at <= until_min * 60 and not step.every:
            walk(ctx, who, plan, step, T0 + step.at)
    return [((d.due_at - T0) / 60, d.channel, d.try_no) for d in who.deliveries]


def test_red_calls_a_resident_three_times_in_five_minutes_and_knocks() -> None:
    """Everything in parallel at 0, the calls at 0, 2.5 and 5 minutes, officer and door at 15."""
    planned = climb(context(), person("voice_mobile", "sms", "email"), 30)
    assert [(0.0, "voice_mobile", 1), (2.5, "voice_mobile", 2), (5.0, "voice_mobile", 3)] == [
        p for p in planned if p[1] == "voice_mobile"
    ]
    assert [(0.0, "sms", 1)] == [p for p in planned if p[1] == "sms"]
    assert [(0.0, "email", 1)] == [p for p in planned if p[1] == "email"]
    assert [(15.0, "door", 1)] == [p for p in planned if p[1] == "door"]
    assert [(15.0, "officer_sms", 1)] == [p for p in planned if p[1] == "officer_sms"]


def test_a_subscriber_is_called_once_and_never_visited() -> None:
    """As long as two channels of theirs work."""
    planned = climb(context(), person("voice_mobile", "sms", groups=("general",), kind="subscriber"), 30)
    assert {("voice_mobile", 1), ("sms", 1)} == {(channel, n) for _, channel, n in planned}
    who = person("voice_mobile", "sms", groups=("general",), kind="subscriber")
    ctx = context()
    assert ("unconfirmed", "subscriber: no answer that closes") == final(ctx, who, ctx.plan(who.profile, T0))


def test_orange_tries_two_channels_then_another_then_the_supporter_then_the_door() -> None:
    """The escalation of orange for somebody who can leave: 0, 10, 20, 60 minutes."""
    planned = climb(context(Tier.ORANGE), person("voice_mobile", "sms", "email", helper=True), 60)
    assert [
        (0.0, "voice_mobile"), (0.0, "sms"), (10.0, "email"), (10.0, "supporter_sms"), (20.0, "officer_sms"), (60.0, "door"),
    ] == [(at, channel) for at, channel, _ in planned]  # fmt: skip


NIGHT = T0 + 14 * 3600  # 02:00


def at_night(tier: Tier, hazard: str = "storm") -> WarningContext:
    ctx = context(tier, hazard)
    return WarningContext(
        replace(ctx.issued, sent=NIGHT, released=NIGHT, expires=NIGHT + 36 * 3600), POLICY, ctx.drivers, ctx.channels,
        "allowed", ctx.workers,
    )  # fmt: skip


def test_what_wakes_a_sleeper_goes_first_and_is_no_second_telling() -> None:
    """In orange too; when nobody has answered the text is sent again, for a shaken bed has told nothing."""
    ctx = at_night(Tier.ORANGE)
    who = person("sms", "bed_shaker", groups=("deaf_text",), flags=("bed_shaker", "deaf"))
    plan = ctx.plan(who.profile, NIGHT)
    assert ["bed_shaker", "sms"] == [use.kind for use in plan.channels]
    for step in POLICY.steps(plan):
        if step.at <= 600:
            walk(ctx, who, plan, step, NIGHT + step.at)
    mine = [(d.channel, d.try_no) for d in who.deliveries if d.addressee_kind == "person"]
    assert [("bed_shaker", 1), ("sms", 1), ("sms", 2)] == mine
    due = {d.channel: d.due_at for d in who.deliveries if d.try_no == 1}
    assert due["bed_shaker"] < due["sms"]


def test_no_team_goes_to_a_boat_after_the_wave_either() -> None:
    """Where the commander lets doors be checked once it has passed, the name stays with the fire service."""
    ctx = context(hazard="tsunami", doors="allowed")
    for group, where in (("basement", "door"), ("boat", "fire_service_list")):
        plan = POLICY.plan(person("sms", groups=(group,)).profile, Tier.RED, "tsunami", False, ctx.channels)
        assert where == ctx.door_where(plan)


def test_yellow_does_not_end_while_somebody_is_on_the_way() -> None:
    """A battery brings a team in yellow: what an officer was asked by text is no end of that."""
    ctx = context(Tier.YELLOW, "power_cut")
    who = person("sms", "voice_mobile", groups=("power_medical",), flags=("high_support", "cannot_leave"))
    plan = dataclasses.replace(ctx.plan(who.profile, T0), tier=Tier.YELLOW)
    assert final(ctx, who, plan) is not None
    climb(ctx, who, 0)
    assert who.standing_visits()
    assert final(ctx, who, plan) is None


@pytest.mark.parametrize("tier", [Tier.ORANGE, Tier.RED])
def test_one_channel_means_a_door_at_0(tier: Tier) -> None:
    """With its reason; and once only, whatever later steps ask."""
    who = person("sms")
    planned = climb(context(tier), who, 90)
    assert [(0.0, "door", 1)] == [p for p in planned if p[1] == "door"]
    assert "fewer_than_two_usable_channels" in next(d.reason for d in who.deliveries if d.channel == "door")


@pytest.mark.parametrize(("hazard", "doors"), [("toxic_release", "forbidden"), ("flash_flood", "unsafe")])
def test_where_nobody_may_be_sent_the_name_goes_to_the_fire_service(hazard: str, doors: str) -> None:
    """No officer's door is planned at all."""
    ctx, who = context(hazard=hazard, doors=doors), person("sms")
    planned = climb(ctx, who, 30)
    assert "door" not in {channel for _, channel, _ in planned}
    assert [(0.0, "fire_service_list", 1)] == [p for p in planned if p[1] == "fire_service_list"]
    row = next(d for d in who.deliveries if d.channel == "fire_service_list")
    assert FIRE_SERVICE == row.slot
    ending = final(ctx, who, ctx.plan(who.profile, T0))
    assert ending is not None
    assert ("handed_to_rescue" if doors == "forbidden" else "unsafe_by_commander") == ending[0]


def visited(who: Person, answer: str, at: float) -> None:
    state = "delivered" if answer == "help" else "accepted"
    change(who, who.visits()[-1], answer=answer, answer_at=at, send_state=state)


def change(who: Person, one: Planned, **values: object) -> Planned:
    """The delivery as it stands later, in the place of what it was."""
    assert isinstance(one, NewDelivery)
    new = replace(one, **values)
    who.deliveries[next(n for n, d in enumerate(who.deliveries) if d is one)] = new
    return new


def test_a_silent_door_is_knocked_twice_then_handed_over_by_name() -> None:
    """Forty minutes later by the same list; then the fire service has the name and the path says so."""
    ctx, who = context(), person("sms")
    climb(ctx, who, 0)
    plan = ctx.plan(who.profile, T0)
    visited(who, "no_answer", T0 + 1800)
    first = react(ctx, who, plan, T0 + 1800)
    assert [("door", 2, T0 + 1800 + POLICY.door_list.second_knock_s)] == [
        (r.channel, r.try_no, r.due_at) for r in first.rows
    ]
    assert [] == react(ctx, who, plan, T0 + 1801).rows, "asked twice it adds nothing"
    visited(who, "no_answer", T0 + 5000)
    second = react(ctx, who, plan, T0 + 5000)
    assert ["fire_service_list"] == [r.channel for r in second.rows]
    assert ("handed_to_rescue", "no answer at two visits") == second.ending


def test_a_refusal_is_asked_once_more() -> None:
    """Then it is their decision, and written down as such."""
    ctx, who = context(), person("sms")
    climb(ctx, who, 0)
    plan = ctx.plan(who.profile, T0)
    visited(who, "refused", T0 + 600)
    assert [2] == [r.try_no for r in react(ctx, who, plan, T0 + 600).rows]
    visited(who, "refused", T0 + 5000)
    assert ("refused", "refused at two visits") == react(ctx, who, plan, T0 + 5000).ending


def test_help_opens_a_case_and_the_door_at_once() -> None:
    """Ranked before every other door; help at the door goes to the fire service and does not end the path."""
    ctx, who = context(Tier.ORANGE), person("sms", "voice_mobile")
    climb(ctx, who, 0)
    who.help_at = T0 + 120
    plan = ctx.plan(who.profile, T0)
    found = react(ctx, who, plan, T0 + 120)
    assert found.open_case
    assert [("door", 0)] == [(r.channel, asked(r).rank) for r in found.rows]
    visited(who, "help", T0 + 900)
    later = react(ctx, who, plan, T0 + 900)
    assert ["fire_service_list"] == [r.channel for r in later.rows]
    assert later.ending is None
    assert later.again_at is not None
    assert ("handed_to_rescue", "help needed at the door") == react(ctx, who, plan, later.again_at).ending


@pytest.mark.parametrize("before", ["leaving", "no_answer", "refused"])
def test_help_after_a_visit_brings_somebody_again_at_once(before: str) -> None:
    """The door that was visited is done, the call for help is not: a new visit, now and first; asked twice one only."""
    ctx, who = context(), person("sms")
    climb(ctx, who, 0)
    plan = ctx.plan(who.profile, T0)
    visited(who, before, T0 + 600)
    react(ctx, who, plan, T0 + 600)  # a silent or refused door is to be knocked again, much later
    who.help_at = T0 + 700
    tries = len(who.visits())
    found = react(ctx, who, plan, T0 + 720)
    assert found.open_case
    assert [("door", tries + 1, T0 + 720, 0)] == [(r.channel, r.try_no, r.due_at, asked(r).rank) for r in found.rows]
    assert None is found.ending
    assert [] == react(ctx, who, plan, T0 + 721).rows, "asked twice it adds nothing"


def test_red_does_not_wait_on_an_unknown_send() -> None:
    """After a minute another channel; where all were tried the same once more; then it is given up and the escalation goes on."""
    ctx, who = context(), person("sms", "voice_mobile")
    plan = ctx.plan(who.profile, T0)
    climb(ctx, who, 0)
    sms = next(d for d in who.deliveries if d.channel == "sms")
    sms = change(who, sms, send_state=SendState.UNKNOWN.value, state_at=T0 + 2, ambiguous=1)
    early = react(ctx, who, plan, T0 + 30)
    assert ([], [], T0 + 62) == (early.rows, early.retry, early.again_at)
    assert [sms.delivery_id] == react(ctx, who, plan, T0 + 62).retry
    sms = change(who, sms, ambiguous=2)
    assert [sms.delivery_id] == react(ctx, who, plan, T0 + 62).give_up
    fresh = change(who, sms, ambiguous=1)
    who.deliveries = [fresh]
    other = react(ctx, who, plan, T0 + 62)
    assert ["voice_mobile"] == sorted({r.channel for r in other.rows})
    assert [fresh.delivery_id] == other.give_up


def test_a_facility_walks_its_own_escalation() -> None:
    """Duty phones three times in five minutes, then its superior and a team."""
    who = person("duty_phone_1", "duty_phone_2", "sms", groups=("facility",), kind="facility", flags=("cannot_leave",))
    planned = climb(context(), who, 12)
    assert 6 == len([p for p in planned if p[1] == "voice_duty"])
    assert [(5.0, "officer_sms", 1)] == [p for p in planned if p[1] == "officer_sms"]
    assert [(5.0, "door", 1)] == [p for p in planned if p[1] == "door"]
    assert "liaison_team" == asked(who.visits()[0]).team


@settings(max_examples=drawn(300), deadline=None)
@given(
    st.sampled_from((Tier.ORANGE, Tier.RED)),
    st.sampled_from(tuple(POLICY.hazards)),
    st.sampled_from(("ask", "allowed", "unsafe")),
    st.sampled_from([g for g in POLICY.groups if g not in ("general", "facility")]),
    st.lists(st.sampled_from(("no_answer", "refused", "unsafe", "help", "")), max_size=2),
    st.booleans(),
)
def test_no_end_without_a_fact_a_commander_or_a_name(
    tier: Tier, hazard: str, doors: str, group: str, found: list[str], helped: bool
) -> None:
    """Whatever officers find and commanders say: a resident's end is two refusals, or a name on a rescue service's list."""
    forbidden = POLICY.hazards[hazard].door == "forbidden"
    ctx = context(tier, hazard, "forbidden" if forbidden and doors != "unsafe" else doors)
    who = person("sms", "voice_mobile", groups=(group,), helper=helped)
    climb(ctx, who, 60)
    plan = ctx.plan(who.profile, T0)
    for n, answer in enumerate(found):
        if who.visits() and answer:
            visited(who, answer, T0 + 3600 * (n + 1))
            ending = react(ctx, who, plan, T0 + 3600 * (n + 1)).ending
            if ending is not None:
                named = ending[0] == "handed_to_rescue" and who.on_fire_list()
                assert named or ("refused" == ending[0] and ["refused"] == list({v.answer for v in who.visits()})), (
                    ending
                )
                return
    ending = final(ctx, who, plan)
    if ending is not None:
        assert who.on_fire_list()
        assert ("unsafe_by_commander" if doors == "unsafe" else "handed_to_rescue") == ending[0]
        assert forbidden or doors == "unsafe" or found or group == "boat"
