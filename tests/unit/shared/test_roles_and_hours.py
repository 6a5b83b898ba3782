"""Roles as sets of actions, hours of duty, and step-up: a fault exactly where the tables say so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.shared.accounts import hours
from services.shared.accounts.people import Account
from services.shared.accounts.standing import NEVER_WAITS, off_duty
from services.shared.clock import wall
from services.shared.errors import NotAllowed, NotProved, Refused
from services.shared.powers.may import FRESH_S, Thing, may
from services.shared.powers.power import BOUNDS, Power
from services.shared.powers.roles import ROLES, actions_of
from services.shared.powers.who import ACTIONS, Who
from services.shared.tiers import Tier

MONDAY = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
WHO = Who("", "Li Na", "Ours", ACTIONS, int(Tier.RED), alone=int(Tier.YELLOW), person="p", proved_at=0.0)
roles = st.sets(st.sampled_from(list(ROLES)), min_size=1)


def at(day: int, clock: str) -> float:
    """So many days after a Monday, at that time in UTC."""
    hour, minute = clock.split(":")
    return MONDAY + day * 86400 + int(hour) * 3600 + int(minute) * 60


@given(roles)
def test_who_has_several_roles_may_what_any_of_them_allows(chosen: set[str]) -> None:
    allowed = {action for role in chosen for action in ROLES[role]}
    assert allowed == set(actions_of(chosen))
    who = replace(WHO, actions=actions_of(chosen), proved_at=wall())
    for act in Power:
        needs = {BOUNDS[act].action, BOUNDS[act].more} - {None}
        assert (may(who, act) is None) is (needs <= allowed), act


def test_no_role_both_sends_and_says_who_may() -> None:
    """Whoever invites people neither drafts nor sends by that role; every action is somebody's."""
    assert not {"draft", "send"} & set(ROLES["administrator"])
    assert set(ACTIONS) == {action for allowed in ROLES.values() for action in allowed}
    for wrong in ([], ["king"], ["author", "king"]):
        with pytest.raises(Refused, match="there is no role"):
            actions_of(wrong)


@pytest.mark.parametrize(
    ("given_", "inside", "outside"),
    [
        ("", [(0, "00:00"), (6, "23:59")], []),
        ("Mo-Fr 08:00-18:00", [(0, "08:00"), (4, "17:59")], [(0, "07:59"), (4, "18:00"), (5, "12:00")]),
        ("Sa 20:00-06:00", [(5, "20:00"), (6, "05:59")], [(5, "19:59"), (6, "06:00"), (5, "05:00")]),
        ("Su 20:00-06:00", [(6, "23:00"), (0, "05:59"), (7, "00:00")], [(0, "06:00"), (6, "19:00")]),
        ("Fr-Mo 00:00-24:00", [(4, "00:00"), (0, "23:59")], [(1, "00:00"), (3, "23:59")]),
        ("08:00-09:00, We 10:00-11:00", [(3, "08:30"), (2, "10:30")], [(3, "10:30")]),
    ],
)
def test_hours_hold_by_day_and_over_midnight(
    given_: str, inside: list[tuple[int, str]], outside: list[tuple[int, str]]
) -> None:
    assert [] == [one for one in inside if not hours.within(given_, "UTC", at(*one))]
    assert [] == [one for one in outside if hours.within(given_, "UTC", at(*one))]


def test_hours_are_those_of_the_zone() -> None:
    """08:30 in Shanghai is 00:30 in UTC; by its name or by its minutes, and over a change of the clocks."""
    for zone in ("Asia/Shanghai", "480"):
        assert hours.within("Mo 08:00-09:00", zone, at(0, "00:30"))
        assert not hours.within("Mo 08:00-09:00", zone, at(0, "08:30"))
    winter = datetime(2026, 1, 5, 7, 30, tzinfo=UTC).timestamp()
    assert hours.within("Mo 08:00-09:00", "Europe/Berlin", winter)
    assert not hours.within("Mo 08:00-09:00", "Europe/Berlin", at(0, "07:30"))


@pytest.mark.parametrize(
    "wrong", ["nine", "Mo 8-9", "Xx 08:00-09:00", "Mo 25:00-26:00", "Mo 08:60-09:00", "Mo 24:00-06:00"]
)
def test_hours_that_are_not_understood_are_said(wrong: str) -> None:
    with pytest.raises(Refused, match="write days and times like"):
        hours.read(wrong)


def somebody(name: str, *has: str, when: str = "", **more: object) -> Account:
    values: dict[str, object] = {
        "person": name, "name": name, "login": name, "authority": "Ours", "created_at": 0.0, "ended_at": None, "roles": list(has),
        "max_tier": 4, "alone": 0, "area": "", "senders": [], "events": [], "names": [], "hours": when, "zone": "UTC",
        "expires_at": None, "ways": 1,
    }  # fmt: skip
    return Account(**(values | more))  # type: ignore[arg-type]


BOX = '{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[0,0]]]}'
NIGHT = at(1, "03:00")


def test_hours_bind_only_while_somebody_else_is_on_duty_who_may() -> None:
    """At 03:00 whoever is reached sends where nobody else could; reading, drafting and stopping never wait."""
    day = somebody("day", "duty officer", when="Mo-Fr 08:00-18:00")
    night = somebody("night", "approver", when="Mo-Su 18:00-08:00")
    off = dict(off_duty(day, [day, night], NIGHT))
    assert {"send"} == set(off)  # nobody else commands, so they still do
    assert "your hours are Mo-Fr 08:00-18:00, and it is Tue 03:00: night may send now" in off["send"]
    who = replace(WHO, actions=tuple(a for a in actions_of(day.roles) if a not in off), off=tuple(off.items()))
    fault = may(who, Power.SEND)
    assert isinstance(fault, NotAllowed)
    assert ("grant.hours", off["send"]) == (fault.rule, fault.message)
    assert not set(NEVER_WAITS) & set(off)
    nobody = [
        night._replace(ways=0), night._replace(ended_at=1.0), night._replace(expires_at=NIGHT), night._replace(max_tier=3),
        night._replace(area=BOX), night._replace(events=["flood"]), night._replace(hours="Mo 08:00-09:00"),
        night._replace(roles=["author"]),
    ]  # fmt: skip
    for one in nobody:
        assert {} == dict(off_duty(day, [day, one], NIGHT)), one


@given(act=st.sampled_from(list(Power)), tier=st.integers(0, 4), ends=st.integers(0, 4), out=st.booleans(), old=st.booleans(),
       key=st.booleans())  # fmt: skip
def test_whoever_signed_in_long_ago_is_asked_exactly_where_the_table_says(
    act: Power, tier: int, ends: int, out: bool, old: bool, key: bool
) -> None:
    """A key shows who it is each time, and is never asked."""
    proved = wall() - FRESH_S + (-1 if old else 60)
    who = replace(WHO, proved_at=None if key else proved)
    thing = Thing(owner="Ours", tier=tier, out=out, ends=(Thing(owner="Ours", tier=ends, out=True),) if ends else ())
    highest = max(tier, ends)
    wanted = {
        "": False,
        "always": True,
        "high tier": highest >= Tier.ORANGE,
        "above alone": (out and tier > Tier.YELLOW),
    }[BOUNDS[act].fresh]
    ended = act is Power.END and ends > Tier.YELLOW  # what it ends is judged as an ending of its own
    fault = may(who, act, thing)
    if key and BOUNDS[act].oneself:
        assert fault is not None
        assert "person" == fault.rule
        return
    assert isinstance(fault, NotProved) is (old and not key and (wanted or ended)), fault
    assert fault is None or isinstance(fault, NotProved)
