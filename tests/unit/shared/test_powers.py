"""Who may, over every act and every way a thing lies outside a grant: a fault exactly where the act's bounds say so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.shared.clock import wall
from services.shared.errors import NotAllowed, NotFound
from services.shared.powers.may import Thing, may, must
from services.shared.powers.power import BOUNDS, Power
from services.shared.powers.who import ACTIONS, Who


def box(west: float, south: float, east: float, north: float) -> str:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})


HOME, INSIDE, ACROSS, AWAY = box(0, 0, 1, 1), box(0.2, 0.2, 0.8, 0.8), box(0.5, 0.5, 1.5, 1.5), box(5, 5, 6, 6)
WHO = Who("k", "key", "Ours", ACTIONS, 3, HOME, ("a@ours",), ("storm",), ("Below",), names=("Ours", "清水县"))
THING = Thing(
    missing="there is none",
    owner="Ours",
    shapes=(INSIDE,),
    tier=3,
    events=("storm", "x"),
    sender="a@ours",
    sources=("OURS", " 清水县", "清水县应急局", "Ours  Emergency Office", "a@ours"),
)
# a way out of the grant > what of an object it breaks, and what it changes
BREACHES: dict[str, tuple[str, dict[str, Any]]] = {
    "another authority": ("owner", {"owner": "Theirs"}),
    "its superior": ("owner", {"owner": "Above"}),
    "other area": ("area", {"shapes": (INSIDE, AWAY)}),
    "over the border": ("area", {"shapes": (ACROSS,)}),
    "unknown codes": ("area", {"unresolved": ("SAME 1",)}),
    "no place": ("area", {"shapes": ()}),
    "higher tier": ("tier", {"tier": 4}),
    "other event": ("subject", {"events": ("x",)}),
    "no event": ("subject", {"events": ()}),
    "other sender": ("subject", {"sender": "b@ours"}),
    "another's name": ("subject", {"sources": ("Ours", "Ministry of Water")}),
    "a name like its own": ("subject", {"sources": ("Oursville",)}),
    "its own doubtful word": ("second", {"holds": ("a replay",), "brought_by": "k"}),
}
OWN = [act for act in Power if BOUNDS[act].oneself]  # of one's own account: no key does them
acts = st.sampled_from([act for act in Power if act not in OWN])


@given(act=acts, ways=st.sets(st.sampled_from(list(BREACHES))), out=st.booleans(), below=st.booleans(), missing=st.sets(
    st.sampled_from(ACTIONS), max_size=2))  # fmt: skip
def test_a_fault_exactly_where_a_bound_says_so(
    act: Power, ways: set[str], out: bool, below: bool, missing: set[str]
) -> None:
    """Whatever else holds; and of what did not go out and is not one's own nothing is said but that there is none."""
    bound = BOUNDS[act]
    thing = replace(THING, out=out, owner="Below" if below else "Ours")
    for way in sorted(ways):
        thing = replace(thing, **BREACHES[way][1])
    who = replace(WHO, actions=tuple(a for a in ACTIONS if a not in missing))
    fault = may(who, act, thing)
    foreign = thing.owner in ("Theirs", "Above")
    if bound.action in missing or bound.more in missing:
        assert isinstance(fault, NotAllowed)
        assert "grant.actions" == fault.rule
    elif foreign and not out:
        assert isinstance(fault, NotFound)
        assert "there is none" == fault.message
    else:
        broken = {BREACHES[way][0] for way in ways if foreign or BREACHES[way][0] != "owner"}
        assert bool([name for name in broken if getattr(bound, name)]) == (fault is not None), fault
        assert not isinstance(fault, NotFound)


@given(act=acts, ways=st.sets(st.sampled_from(list(BREACHES)), min_size=1), first=st.booleans())
def test_what_it_would_end_is_held_against_the_same_grant(act: Power, ways: set[str], first: bool) -> None:
    """An update or cancel within the grant is refused for one thing it ends that is not, wherever that stands among others."""
    ended = replace(THING, out=True)
    for way in sorted(ways):
        ended = replace(ended, **BREACHES[way][1])
    ends = (ended, THING) if first else (THING, ended)
    assert may(WHO, act, replace(THING, ends=(THING,))) is None
    if ways == {"its own doubtful word"}:  # to end it is to let nothing out
        must(WHO, act, replace(THING, ends=ends))
        return
    with pytest.raises(NotAllowed):
        must(WHO, act, replace(THING, ends=ends))


@given(act=acts, thing=st.sampled_from(["Ours", "Below", ""]))
def test_within_the_grant_everything_may(act: Power, thing: str) -> None:
    """The owner, their superior, and whoever makes something that is nobody's yet."""
    assert may(WHO, act, replace(THING, owner=thing)) is None
    assert may(WHO, act, replace(THING, owner=thing, holds=("a replay",), brought_by="another key")) is None
    assert may(WHO, act) is None
    unbound = Who("k", "key", "Ours", ACTIONS, 4, over=("Below",))
    far = replace(THING, owner=thing or "Ours", shapes=(), unresolved=("SAME 1",), tier=4, events=(), sender="z")
    assert may(unbound, act, far) is None


@given(act=st.sampled_from(OWN), below=st.booleans())
def test_a_key_opens_no_account_and_a_sign_in_does(act: Power, below: bool) -> None:
    """Whatever the key may; whoever just signed in is asked for nothing more."""
    thing = replace(THING, owner="Below" if below else "Ours")
    for about in (None, thing):
        fault = may(WHO, act, about)
        assert isinstance(fault, NotAllowed)
        assert "person" == fault.rule
        assert may(replace(WHO, person="p", proved_at=wall()), act, about) is None
