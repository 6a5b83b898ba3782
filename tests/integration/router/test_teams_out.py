"""Teams at doors give signs of life: who is not heard of is asked, then the partner, then the command is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from services.router.planning.contexts import SHIPPED, Contexts
from services.router.policy.engine import read
from services.router.safety import out
from services.router.safety.out import next_look, silence
from services.shared import alarms
from services.shared.ledger import team_signs
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import SignKind, TeamSign, TeamStanding, standing, team_sign
from tests.integration.router.test_paths import said_in_log
from tests.kit.router_alone import RouterTown, ident, one, router_town, worker

RULE = read(SHIPPED.read_text(encoding="utf-8")).door_list
ASKED = ("check_in", "partner_silent")


async def heard(there: RouterTown, team: str, kind: SignKind = SignKind.HERE) -> None:
    """What channels would keep: a tap on the list, a text."""
    now = there.clock.now()
    async with there.platform.database.write() as tx:
        slot = team.ljust(32, "0")
        await team_signs.keep(tx, "w".ljust(32, "0"), slot, kind, now, "list", sign_id=there.msg_id())


async def asked(there: RouterTown) -> list[tuple[str, str]]:
    return sorted(one for one in await there.notices() if one[0] in ASKED)


async def alarmed(there: RouterTown) -> list[str]:
    async with there.platform.database.read() as db:
        return [row.name.partition(":")[2].rstrip("0") for row in await alarms.standing(db, team_signs.ALARM)]


async def two_teams(there: RouterTown, *, hours: float = 8) -> str:
    """Two teams of two grids, a door each; no impact is announced."""
    w = await there.issue(doors="allowed", hours=hours)
    people = [one(n, groups=("no_phone",), flags=("door_first",), grid=grid) for n, grid in ((1, "g"), (2, "h"))]
    await there.page(w, people, [worker("a", "g"), worker("b", "h")])
    await there.at(1)
    assert 2 == len([r for r in await there.rows(channel="door") if r.slot])
    return w


async def test_who_gives_no_sign_is_asked_then_the_command_is_told_and_a_later_sign_ends_it(tmp_path: Path) -> None:
    """Half an hour, five minutes, ten more: the list says it before anybody else hears of it."""
    async with router_town(tmp_path) as there:
        await two_teams(there)
        await there.at(29)
        await heard(there, "b")
        await there.at(34)
        assert [] == await asked(there)
        await there.at(36)
        assert [("check_in", "a"), ("partner_silent", "b")] == await asked(there)
        assert [] == await alarmed(there)
        await there.at(44)
        assert [] == await alarmed(there)
        await there.at(46)
        assert ["a"] == await alarmed(there)
        async with there.platform.database.read() as db:
            (alarm,) = await alarms.standing(db, team_signs.ALARM)
        assert "No. 4721: team a0000000 at the doors gives no sign of life" in alarm.said
        await heard(there, "a")
        assert [] == await alarmed(there), "at once, not at the next look"
        await there.at(60)
        await heard(there, "b")
        await there.at(80)
        assert 2 == len(await asked(there)), "each silence is asked about once"
        await there.at(82)
        assert [("check_in", "a"), ("check_in", "a")] == [o for o in await asked(there) if o[0] == "check_in"]


async def test_what_a_phone_sends_late_ends_no_alarm_about_a_silence_after_it(tmp_path: Path) -> None:
    """A tap of an hour before goes out by itself when the phone finds a network: nobody has heard the team."""
    async with router_town(tmp_path) as there:
        w = await two_teams(there)
        await there.at(47)
        assert ["a", "b"] == await alarmed(there)
        async with there.platform.database.write() as tx:
            for at, by in ((4, "a"), (46, "b")):
                when = there.clock.now() - 60 * (47 - at)
                sign_id = there.msg_id()
                await team_signs.keep(tx, w, by.ljust(32, "0"), SignKind.HERE, when, "door", sign_id=sign_id)
        assert ["a"] == await alarmed(there)
        await heard(there, "a")
        assert [] == await alarmed(there)


async def test_a_team_that_is_sent_again_two_days_later_is_looked_after_again(tmp_path: Path) -> None:
    """What was kept of it is no longer looked at: it is out by its new door all the same."""
    async with router_town(tmp_path) as there:
        w = await two_teams(there, hours=90)
        for team in ("a", "b"):
            await heard(there, team, SignKind.BACK)
        await there.at(48 * 60)
        slot, now = "a".ljust(32, "0"), there.clock.now()
        async with there.platform.database.write() as tx:
            ctx = await Contexts(None).of(tx, w, workers=True)
            assert ctx is not None
            for _ in range(2):  # a second door of the same instant sends it out no second time
                await out.sent(tx, ctx, [slot], now)
            stands = (await team_signs.of_slots(tx, [slot], now))[slot]
            sent = await tx.scalar(
                sa.select(sa.func.count()).where(team_sign.c.slot == slot, team_sign.c.kind == "out")
            )
        assert (now, 2) == (stands.since, sent)


async def test_where_nobody_else_is_out_the_command_hears_at_once(tmp_path: Path) -> None:
    """There is no partner to ask: ten minutes would be lost."""
    async with router_town(tmp_path) as there:
        await two_teams(there)
        spoken = [delivery.c.step == "official"]  # with both: no door goes to another team
        await there.said(spoken, answer="spoke", answer_at=there.clock.now())
        await heard(there, "b", SignKind.BACK)
        await there.at(36)
        assert [("check_in", "a")] == await asked(there)
        assert ["a"] == await alarmed(there)


async def test_who_is_back_is_asked_nothing_until_new_doors_are_given(tmp_path: Path) -> None:
    async with router_town(tmp_path) as there:
        await two_teams(there)
        for team in ("a", "b"):
            await heard(there, team, SignKind.BACK)
        await there.at(70)
        assert [] == await asked(there)
        called = next(r for r in await there.rows(person_id=ident(1)))
        await said_in_log(there, called.delivery_id, "no_answer", "officer", there.clock.now())
        await there.at(115)  # the second knock, after forty minutes
        assert 2 == len([r for r in await there.rows(channel="door", person_id=ident(1)) if r.slot])
        await there.at(115 + 36)
        assert [("check_in", "a")] == await asked(there)


async def test_an_update_looks_after_whoever_is_out_under_what_it_replaces(tmp_path: Path) -> None:
    """A new warning, the same people on the road: their clock goes on."""
    async with router_town(tmp_path) as there:
        await two_teams(there)
        await there.at(20)
        await there.issue("v", kind="update", replaces=["w"], chain="w", doors="ask")
        await heard(there, "b")
        await there.at(36)
        assert [("check_in", "a"), ("partner_silent", "b")] == await asked(there)


signs = st.lists(st.tuples(st.sampled_from(list(SignKind)), st.integers(0, 20_000)), max_size=10)


def stands(slot: str, kept: Sequence[tuple[SignKind, int]]) -> TeamStanding:
    within = {SignKind.OUT: RULE.check_in_s, SignKind.RECALLED: RULE.way_out_s}
    return standing(
        slot, [TeamSign(str(n), "w", slot, kind, at, "", within.get(kind, 0.0)) for n, (kind, at) in enumerate(kept)]
    )


@given(st.lists(signs, max_size=4), st.integers(0, 40_000))
def test_nobody_who_is_out_is_ever_looked_at_too_late(kept: list[list[tuple[SignKind, int]]], now: int) -> None:
    """Whatever was kept until now: the next look is before anybody's time, also of who would sign just now and never again."""
    teams = [stands(str(n), [one for one in theirs if one[1] <= now]) for n, theirs in enumerate(kept)]
    look = next_look(teams, RULE, now)
    for team in teams:
        missed = silence(team, RULE)
        if missed is None:
            continue
        assert look is not None
        assert team.asked_at is not None or look <= max(now, missed.ask_at)
        assert team.missed_at is not None or look <= max(now, missed.alarm_at)
        after = stands("x", [(SignKind.OUT, now), (SignKind.HERE, now)])
        assert look <= (silence(after, RULE) or missed).ask_at or team.recalled_at is not None
    assert look is None or look >= now
