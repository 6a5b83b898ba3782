"""When a team's next sign of life is due, by whatever was kept of it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.shared.ledger.team_signs import SignKind, TeamSign, TeamStanding, standing

EVERY, WAY_OUT = 1800.0, 600.0
WITHIN = {SignKind.OUT: EVERY, SignKind.RECALLED: WAY_OUT}
SAID = (SignKind.HERE, SignKind.CANNOT, SignKind.BACK)
Kept = Sequence[tuple[SignKind, int]]


def team(kept: Kept) -> TeamStanding:
    signs = [TeamSign(str(n), "w", "a", kind, at, "list", WITHIN.get(kind, 0.0)) for n, (kind, at) in enumerate(kept)]
    return standing("a", signs)


kept_signs = st.lists(st.tuples(st.sampled_from(list(SignKind)), st.integers(0, 20_000)), max_size=12)


@given(kept_signs, st.randoms(use_true_random=False))
def test_the_order_in_which_signs_are_read_changes_nothing(kept: list[tuple[SignKind, int]], random) -> None:
    by_time = {at: kind for kind, at in kept}  # one of each instant
    once = [(kind, at) for at, kind in by_time.items()]
    mixed = list(once)
    random.shuffle(mixed)
    assert team(once) == team(mixed)


@given(kept_signs)
def test_a_team_that_is_out_has_a_time_for_its_next_sign_and_nobody_else_has(kept: Kept) -> None:
    found = team(kept)
    assert (found.since is None) == (found.due is None)
    if found.due is not None:
        sent = [at for kind, at in kept if kind is SignKind.OUT]
        assert min(sent) < found.due, "never before it was sent out"
        assert found.due <= max(at for _, at in kept) + EVERY, "and never later than by a sign that came now"


@given(kept_signs)
def test_what_a_team_says_ends_what_it_was_asked_and_moves_its_time(kept: Kept) -> None:
    now = max((at for _, at in kept), default=0) + 60
    before, after = team(kept), team([*kept, (SignKind.HERE, now)])
    assert (None, None) == (after.asked_at, after.missed_at)
    if before.since is not None:
        assert after.due == now + (EVERY if before.recalled_at is None else WAY_OUT)
    assert team([*kept, (SignKind.BACK, now)]).due is None
    assert team([*kept, (SignKind.BACK, now)]).is_back
    assert team([*kept, (SignKind.CANNOT, now)]).cannot


@given(kept_signs)
def test_what_nobody_of_the_team_said_is_no_sign_of_life(kept: Kept) -> None:
    """It was sent doors again, asked, called back or looked for: whoever is silent stays silent."""
    silent = [one for one in kept if one[0] not in SAID]
    found = team(silent)
    assert ("", None) == (found.heard, found.heard_at)
    if found.since is not None and found.recalled_at is None:
        assert found.due == (found.sent_at or 0.0) + EVERY


def test_who_was_called_back_has_the_way_out_to_say_so_and_being_all_right_is_not_being_back() -> None:
    called = [(SignKind.OUT, 0), (SignKind.HERE, 600), (SignKind.RECALLED, 900)]
    assert 900 + WAY_OUT == team(called).due
    on_the_way = team([*called, (SignKind.HERE, 1000)])
    assert (1000 + WAY_OUT, False) == (on_the_way.due, on_the_way.is_back)
    again = team([*called, (SignKind.BACK, 1100), (SignKind.OUT, 2000)])
    assert (None, 2000 + EVERY) == (again.recalled_at, again.due)


def test_a_sign_that_comes_late_answers_what_was_asked_before_its_time_was_over() -> None:
    """A phone without a network: it was tapped in time. The silence after it is a new one."""
    silent = [(SignKind.OUT, 0), (SignKind.ASKED, 2100), (SignKind.MISSED, 2700)]
    assert (2100, 2700) == (team(silent).asked_at, team(silent).missed_at)
    came = team([*silent, (SignKind.HERE, 1200)])
    assert (None, None, 3000) == (came.asked_at, came.missed_at, came.due)
