"""Homes shared out to teams: nobody twice, nobody past the time to turn back, nobody left while a team has time."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_struct

from services.router.doors.assignment import (
    HomeToVisit,
    SharedOut,
    Stop,
    Team,
    doors_worth,
    in_time,
    share_out,
    timetable,
)
from services.router.planning.contexts import SHIPPED
from services.router.policy.engine import Policy, load
from tests.kit.router_alone import NOON, worker

POLICY = load(SHIPPED)
TEAMS = (
    "officer",
    "officer+sign_volunteer",
    "lift_team",
    "officer+nurse_or_lift",
    "officer+phrase_card",
    "known_officer",
)
SKILLS = ("sign_volunteer", "lift_team", "nurse", "phrase_card")
END = NOON + 6 * 3600
LONG = POLICY.model_copy(update={"door_list": POLICY.door_list.model_copy(update={"per_team_max": 200})})


def home(
    number: int, grid: str = "g", asks: str = "officer", *, rank: int = 5, quarters: int = 0, back: float | None = None,
    urgent: bool = False, facility: bool = False, keeps: str = "",
) -> HomeToVisit:  # fmt: skip
    return HomeToVisit(f"{number:04d}", grid, number, (asks,), rank, quarters, back, urgent, facility, keeps)


def team(name: str, *grids: str, per_hour: int = 10, last: float = END, skills: tuple[str, ...] = ()) -> Team:
    return Team(worker(name, *grids, skills=skills, per_hour=per_hour), last)


def busy(one: Team, doors: int) -> Team:
    """The same with so many doors on its list."""
    for n in range(doors):
        one.put(home(9000 + n, one.entry.grids[0]), n)
    return one


def who_gets(what: HomeToVisit, *teams: Team, policy: Policy = POLICY) -> str:
    shared = share_out(policy, [what], teams, NOON)
    return shared.given[0][1].worker_id.rstrip("0") if shared.given else ""


def test_a_relieved_team_is_given_nobody_but_who_lives_behind_a_door_of_its_list() -> None:
    """It is at that door anyhow: two teams at one are one too few elsewhere."""
    out_long = replace(busy(team("a", "g"), 1), rests=True)
    theirs = out_long.stops[0].home
    for what, gets in ((home(1), "b"), (home(2, urgent=True), "b"), (home(3, facility=True), "b")):
        assert gets == who_gets(what, out_long, team("b", "h"))
    assert "a" == who_gets(replace(theirs, keeps=out_long.worker_id), out_long, team("b", "h"))
    assert "" == who_gets(home(4, urgent=True), out_long), "nobody is there to go"


def test_a_skill_is_waited_for_ten_minutes_and_no_longer() -> None:
    """The team that signs comes, unless its list makes it more than ten minutes later than another."""
    signs, plain = team("s", "h", skills=("sign_volunteer",)), team("p", "g")
    deaf = home(1, asks="officer+sign_volunteer")
    assert "p" == who_gets(home(2), signs, plain)
    for doors, here, gets in ((0, 0, "s"), (1, 0, "s"), (2, 0, "p"), (2, 1, "s")):  # six minutes each
        lists = busy(team("s", "h", skills=("sign_volunteer",)), doors), busy(team("p", "g"), here)
        assert gets == who_gets(deaf, *lists), (doors, here)
    assert "" == who_gets(deaf, busy(signs, 15), busy(plain, 15)), "both lists are full"


def test_who_is_carried_takes_the_time_of_several_doors() -> None:
    """A list of one who is carried is half an hour long: the next goes to a team that cannot lift and is there sooner."""
    assert [1, 5, 5, 1] == [
        doors_worth(asked, 10) for asked in ("officer", "lift_team", "lift_team+guide", "known_officer")
    ]
    assert 1 == doors_worth("lift_team", 2), "who takes half an hour a door anyway takes no longer"
    lifts, plain = team("l", "g", skills=("lift_team",)), team("p", "g")
    assert "l" == who_gets(home(1, asks="lift_team"), lifts, plain)
    assert (1, 5, 1800.0) == (lifts.open, lifts.load, lifts.wait_s())
    assert "p" == who_gets(home(2, asks="lift_team"), lifts, plain)
    assert "l" == who_gets(home(3), lifts, plain), "as long as both lists are"
    assert "p" == who_gets(home(4), lifts, plain)


def test_who_asks_for_help_goes_to_the_team_that_is_soonest_at_a_door_that_goes_first() -> None:
    """What waits behind is no reason to look for another team; other calls for help are, and a skill that it lacks is."""
    near = NOON + 1500.0  # nobody has room: twenty-five minutes, and lists that are longer
    lifts, plain = (
        busy(team("l", "h", skills=("lift_team",), last=near), 12),
        busy(team("p", "g", last=near), 4),
    )
    gone = replace(team("a", "g", last=near), there=False)
    assert "" == who_gets(home(1), lifts, plain, gone), "all are full"
    assert "p" == who_gets(home(2, urgent=True), lifts, plain, gone)
    plain.first = 0
    assert "l" == who_gets(home(3, asks="lift_team", urgent=True), lifts, plain, gone)
    assert (5, 1800.0) == (lifts.first, lifts.wait_s(first=True))
    assert "p" == who_gets(home(4, asks="lift_team", urgent=True), lifts, plain, gone)
    assert "a" == who_gets(home(5, urgent=True), gone), "a team that may yet look at its list is better than none"


def test_of_two_skills_the_one_that_nobody_is_called_out_for_decides() -> None:
    """Who lifts comes; the interpreter is called out. A team with both comes before either."""
    asked = home(1, asks="lift_team+sign_volunteer")

    def lists() -> tuple[Team, Team, Team]:
        lifts, signs = (
            team("l", "h", skills=("lift_team",), per_hour=60),
            team("s", "g", skills=("sign_volunteer",), per_hour=60),
        )
        return lifts, signs, busy(team("b", "h", skills=("lift_team", "sign_volunteer"), per_hour=60), 3)

    lifts, signs, _ = lists()
    assert "l" == who_gets(asked, signs, lifts)
    assert "b" == who_gets(asked, *lists())
    assert "s" == who_gets(home(2, asks="officer+written_card"), *lists())


def test_a_home_is_on_one_list_whoever_lives_there() -> None:
    """Two frail people behind one door, asked for at different times: one list, one place."""
    first, second = team("a", "g"), team("b", "g")
    assert "a" == who_gets(home(1), first, second)
    assert "b" == who_gets(home(2), first, second)
    shared = share_out(POLICY, [home(1, asks="lift_team", keeps=first.worker_id)], [first, second], NOON)
    assert [(first.worker_id, first.stops[0].order)] == [(t.worker_id, order) for _, t, order in shared.given]
    assert (1, 5) == (first.open, first.load), "and the time of whoever is carried"
    assert (("officer", "lift_team"), 1) == (first.stops[0].home.asks, second.open)


def test_a_list_is_walked_grid_by_grid_within_a_quarter_of_an_hour_of_slack() -> None:
    """Need, then slack, then its first grid, its second, and another team's; along the walk in each."""
    one = team("a", "north", "south")
    homes = [home(n, grid, quarters=q) for n, grid, q in (
        (1, "south", 1), (2, "north", 1), (3, "east", 1), (4, "north", 1), (5, "south", 0), (6, "south", 1),
    )]  # fmt: skip
    share_out(POLICY, [*homes, home(7, "south", quarters=9, rank=2)], [one], NOON)
    assert ["0007", "0005", "0002", "0004", "0001", "0006", "0003"] == [stop.home.home_id for stop in one.stops]


def test_the_way_from_one_grid_to_the_next_is_in_the_plan() -> None:
    """Ten doors an hour are six minutes each, five more to a grid that is not theirs or another one; who has begun is there."""
    one = team("a", "g", "h")
    one.stops = [Stop(home(n, grid), n) for n, grid in enumerate(("g", "g", "h"))]
    assert [0.0, 6.0, 17.0] == [(v.begins - NOON) / 60 for v in timetable(one, NOON)]
    one.stops = one.stops[2:]
    one.entry = replace_struct(one.entry, grids=("g",))
    assert [11.0] == [(v.ends - NOON) / 60 for v in timetable(one, NOON)]
    one.made = 1
    assert [6.0] == [(v.ends - NOON) / 60 for v in timetable(one, NOON)]


def test_a_door_that_takes_longer_than_there_is_time_is_left_to_those_who_can_do_it() -> None:
    """Half an hour to carry somebody, and twenty-nine minutes left: no team; a knock beside it is still made."""
    back = NOON + 1740.0
    one = team("a", "g", last=back)
    carried, knock = home(1, asks="lift_team", back=back), home(2, rank=9, back=back)
    shared = share_out(POLICY, [carried, knock], [one], NOON)
    assert ([knock], [carried], []) == ([h for h, _, _ in shared.given], shared.left, shared.later)


def test_a_full_list_keeps_who_waits_for_it_apart_from_who_is_left_over() -> None:
    """Fifteen stand on the list, as many as are done in time wait for it, the others are named to whoever else can help."""
    back = NOON + 2 * 3600.0
    shared = share_out(POLICY, [home(n, back=back) for n in range(40)], [team("a", "g", last=back)], NOON)
    assert (15, 5, 20) == (len(shared.given), len(shared.later), len(shared.left))  # ten an hour
    assert [f"{n:04d}" for n in range(15)] == [h.home_id for h, _, _ in shared.given]


def test_a_team_that_is_kept_for_houses_is_given_no_other_door() -> None:
    """But a call for help that nobody else goes to; a house goes to it before a team without the skill."""

    def teams(*, there: bool = True) -> tuple[Team, Team]:
        own, plain = team("h", "h", skills=("liaison_team",)), replace(team("p", "g"), there=there)
        own.for_houses = True
        return own, plain

    assert "p" == who_gets(home(1, "h"), *teams())
    assert "h" == who_gets(home(2, "g", "liaison_team", facility=True), *teams())
    assert "p" == who_gets(home(3, "h", urgent=True), *teams())
    assert "" == who_gets(home(4, "h"), *teams(there=False))
    assert "h" == who_gets(home(5, "h", urgent=True), *teams(there=False))


homes_ = st.lists(
    st.builds(
        lambda grid, asks, rank, quarters, back, first: home(
            0, grid, asks, rank=rank, quarters=quarters, back=None if back is None else NOON + back,
            urgent=first == "urgent", facility=first == "facility",
        ),
        st.sampled_from("ghi"), st.sampled_from(TEAMS), st.integers(1, 12), st.integers(0, 8),
        st.one_of(st.none(), st.floats(60, 3 * 3600)), st.sampled_from(["", "", "", "", "urgent", "facility"]),
    ),
    max_size=60,
).map(lambda found: [replace(h, home_id=f"{n:04d}", walk=n) for n, h in enumerate(found)])  # fmt: skip
teams_ = st.lists(
    st.tuples(
        st.lists(st.sampled_from("ghij"), min_size=1, max_size=2, unique=True),
        st.lists(st.sampled_from(SKILLS), max_size=2, unique=True), st.integers(1, 20), st.integers(0, 12),
        st.booleans(), st.sampled_from([True, True, True, False]),
    ),
    max_size=6,
)  # fmt: skip


def built(found: list[tuple[list[str], list[str], int, int, bool, bool]]) -> list[Team]:
    """Teams with something on their lists; a team that has been at a door is there."""
    made = []
    for n, (grids, skills, per_hour, doors, begun, there) in enumerate(found):
        one = busy(team(f"t{n}", *grids, per_hour=per_hour, skills=tuple(skills)), doors)
        one.made, one.there, one.given = int(begun), there or begun, 0
        one.stops = [Stop(replace(s.home, home_id=f"{n}-{s.home.home_id}"), s.order) for s in one.stops]
        made.append(one)
    return made


@given(homes_, teams_, st.booleans())
def test_every_home_is_on_one_list_or_it_is_said_why_not(
    homes: list[HomeToVisit],
    found: list[tuple[list[str], list[str], int, int, bool, bool]],
    long: bool,
) -> None:
    """None twice and none lost; what stood on a begun list stands where it stood; the same again gives the same."""
    policy = LONG if long else POLICY
    teams, again = built(found), built(found)
    before = {one.worker_id: [s.home.home_id for s in one.stops] for one in teams}
    shared = share_out(policy, homes, teams, NOON)
    placed = Counter(h.home_id for h in (*(h for h, _, _ in shared.given), *shared.later, *shared.left))
    assert Counter(h.home_id for h in homes) == placed
    listed = Counter(stop.home.home_id for one in teams for stop in one.stops)
    assert {1} >= set(listed.values())
    assert {h.home_id for h, _, _ in shared.given} == listed.keys() - {h for ids in before.values() for h in ids}
    for one in teams:
        stood = [s.home.home_id for s in one.stops if s.home.home_id in before[one.worker_id]]
        assert before[one.worker_id] == stood
        if one.begun:
            new = [s.home.home_id not in stood for s in one.stops if not s.home.goes_first]
            assert sorted(new) == new, "behind what was begun"
    assert outline(shared) == outline(share_out(policy, list(reversed(homes)), list(reversed(again)), NOON))


@given(homes_, teams_)
def test_nobody_is_planned_past_the_time_to_turn_back_and_nobody_left_while_a_team_has_time(
    homes: list[HomeToVisit], found: list[tuple[list[str], list[str], int, int, bool, bool]]
) -> None:
    """A call for help waits for no room and puts others back; without one, all that is given is over in time."""
    calm = [replace(h, urgent=False, facility=False) for h in homes]
    teams = built(found)
    standing = {s.home.home_id for one in teams for s in one.stops}
    shared = share_out(LONG, calm, teams, NOON)
    for one in teams:
        for visited in timetable(one, NOON):
            assert visited.stop.home.home_id in standing or in_time(one, visited), visited
    for left in shared.left:
        for one in teams:
            if one.there:
                n = sum(s.order <= one.place(LONG, left) for s in one.stops)
                tried = timetable(one, NOON, [*one.stops[:n], Stop(left, 0), *one.stops[n:]])
                late = {v.stop.home.home_id for v in timetable(one, NOON) if not in_time(one, v)}
                assert any(not in_time(one, v) and v.stop.home.home_id not in late for v in tried), left


@given(homes_, teams_)
def test_who_has_less_time_left_stands_before_who_has_more(
    homes: list[HomeToVisit], found: list[tuple[list[str], list[str], int, int, bool, bool]]
) -> None:
    """Of one need: never behind a home of a later quarter of an hour, on a list or in being given a team."""
    alike = [replace(h, urgent=False, facility=False, rank=5, asks=("officer",), turn_back=END) for h in homes]
    teams = [one for one in built(found) if not one.begun]
    for one in teams:
        one.stops.clear()
        one.weigh()
    shared = share_out(LONG, alike, teams, NOON)
    for one in teams:
        quarters = [s.home.quarters for s in one.stops]
        assert sorted(quarters) == quarters
    given_, left = [h.quarters for h, _, _ in shared.given], [h.quarters for h in shared.left]
    assert not left or not given_ or len({one.door_s for one in teams}) > 1 or max(given_) <= min(left) + 1


def outline(shared: SharedOut) -> object:
    """What came of it, to be compared."""
    return (
        [(h.home_id, one.worker_id, order) for h, one, order in shared.given],
        [h.home_id for h in shared.later], [h.home_id for h in shared.left],
    )  # fmt: skip


def test_two_thousand_homes_and_sixty_teams_are_shared_out_within_a_second() -> None:
    """A list without a limit, so that every home is planned: the slowest there is."""
    rng, back = Random(7), NOON + 3 * 3600.0
    grids = [f"grid{n}" for n in range(40)]
    homes = [
        home(n, rng.choice(grids), rng.choice(TEAMS), rank=rng.randrange(1, 12), quarters=rng.randrange(12), back=back)
        for n in range(2000)
    ]  # fmt: skip
    teams = [team(f"t{n}", *rng.sample(grids, 2), last=back, skills=tuple(rng.sample(SKILLS, 1))) for n in range(60)]
    before = time.process_time()
    shared = share_out(LONG, homes, teams, NOON)
    took = time.process_time() - before
    assert 2000 == len(shared.given) + len(shared.left)
    assert shared.left
    assert 1.0 > took, f"{took:.2f} s"
