"""Volunteers called out to a door: a few at a time, text then call, first to accept, let go on silence, never waited for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.router.callouts import callouts
from services.router.report import report
from services.router.store import tables
from services.router.store.callouts import callout
from services.shared.database.batches import insert_new
from services.shared.ledger.answers import answer_log
from services.shared.ledger.channels import channel
from services.shared.ledger.evidence import Answer
from services.shared.ledger.tables import delivery
from services.shared.messages import EvidenceRecorded, PersonEntry, Profile, WorkerEntry
from tests.kit.router_alone import NOON, RouterTown, ident, one, router_town, worker
from tools.servers.postgres import Postgres

SIGN = ("sign_volunteer",)
TEAM = worker("team", "g")


def signer(name: str, *skills: str) -> WorkerEntry:
    """A volunteer of another grid who does no doors."""
    return worker(name, "far", skills=skills or SIGN, per_hour=0)


def deaf(number: int) -> tuple[PersonEntry, Profile]:
    return one(number, "sms", groups=("deaf_signing",), flags=("deaf",))


async def begun(there: RouterTown, *workers: WorkerEntry, people: int = 1) -> str:
    """Red, doors allowed: who signs has one channel, so a team goes at once; all officials have been spoken with."""
    w = await there.issue(doors="allowed")
    await there.page(w, [deaf(n) for n in range(1, people + 1)], [TEAM, *workers])
    await there.at(0)
    await there.said([delivery.c.step == "official"], answer="spoke", evidence=6)
    return w


async def asked(there: RouterTown) -> list[tuple[float, str, str]]:
    """(minute, volunteer, channel) of all that were asked."""
    rows = await there.rows(step="callout")
    return sorted(((r.due_at - NOON) / 60, r.addressee_id.rstrip("0"), r.channel) for r in rows)


async def answers(
    there: RouterTown, name: str, answer: Answer, by: str = "officer_sms", at: float | None = None
) -> None:
    """A volunteer answers; the hint goes to the router."""
    async with there.platform.database.write() as tx:
        mine = sa.select(delivery).where(
            delivery.c.step == "callout", delivery.c.addressee_id == name.ljust(32, "0"), delivery.c.channel == by
        )
        row = (await tx.execute(mine)).first()
        assert row is not None, f"{name} was not asked"
        when = there.clock.now() if at is None else at
        log = {
            "event_key": f"in:{name}:{answer}:{when}", "delivery_id": row.delivery_id, "answer": answer, "by": "officer",
            "at": when, "covers": 1, "note": "", "asks": "",
        }  # fmt: skip
        await insert_new(tx, answer_log, [log])
    message = EvidenceRecorded(
        msg_id=there.msg_id(), plane="live", warning_id=row.warning_id, tier=1, ids=(row.delivery_id,)
    )
    await there.hand(message)
    while await there.router.run_due():
        pass


async def standing(there: RouterTown) -> list[Any]:
    async with there.platform.database.read() as db:
        return list((await db.execute(sa.select(callout).order_by(callout.c.person_id))).all())


async def told(there: RouterTown) -> list[tuple[str, str]]:
    return [(kind, to) for kind, to in await there.notices() if kind.startswith("callout")]


async def visit(there: RouterTown, person: int = 1) -> Any:
    (row,) = await there.rows(channel="door", person_id=ident(person))
    return row


async def line(there: RouterTown, w: str) -> str:
    """What the path says of it."""
    async with there.platform.database.read() as db:
        found = await report.path(db, there.router.contexts, w, ident(1))
    return next((text for text in found["lines"] if "called out" in text), "")


async def test_a_few_are_asked_by_text_then_by_call_then_the_next(tmp_path: Path) -> None:
    """Three texts, a minute later three calls, a minute after those the next; nobody without the skill."""
    async with router_town(tmp_path) as there:
        w = await begun(there, *(signer(n) for n in "abcde"), signer("guide", "guide"))
        assert [(0.0, n, "officer_sms") for n in "abc"] == await asked(there)
        await there.at(1)
        assert [(1.0, n, "officer_voice") for n in "abc"] == (await asked(there))[3:]
        await there.at(2)
        assert [(2.0, n, "officer_sms") for n in "de"] == (await asked(there))[6:]
        assert "sign volunteer called out: 5 asked; nobody has accepted yet" in await line(there, w)


async def test_many_are_looked_at_one_by_one_the_longest_due_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look is one call-out's and a transaction of its own; each has its own time."""
    looked: list[tuple[str, int]] = []
    real = callouts.review

    async def look(tx: Any, ctx: Any, callout_id: str, now: float, plane: str) -> None:
        await real(tx, ctx, callout_id, now, plane)
        looked.append((callout_id, id(tx)))

    monkeypatch.setattr(callouts, "review", look)
    async with router_town(tmp_path) as there:
        await begun(there, *(signer(n) for n in "abc"), people=6)
        wanted = {c.callout_id for c in await standing(there)}
        assert (6, wanted) == (len(looked), {one for one, _ in looked})
        async with there.platform.database.read() as db:
            waiting = sa.select(tables.watch.c.what).where(tables.watch.c.what.startswith(callouts.WATCH))
            assert {f"{callouts.WATCH}{one}" for one in wanted} == set(await db.scalars(waiting))
        looked.clear()
        await answers(there, "a", Answer.LEAVING)
        assert 1 == len({one for one, _ in looked}), "whose answer it is, and no other"


async def test_on_postgresql_the_clock_and_an_answer_never_wait_in_a_circle(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock has taken the look and marks their delivery while their answer, which has locked it, sets that look."""
    async with router_town(tmp_path, url=postgres.database()) as there:
        w = await begun(there, signer("a"))
        await there.at(0.5)
        await answers(there, "a", Answer.LEAVING)  # they have it
        (row,) = await there.rows(step="callout")
        there.clock.advance_to(NOON + 6 * 60)  # silent since: the clock lets them go, and marks their delivery
        looking, hint = asyncio.Event(), asyncio.Event()
        look, heard = callouts.review, callouts.heard

        async def waits_for_the_answer(*given: Any) -> None:
            looking.set()
            for _ in range(500):
                if hint.is_set() or await _somebody_waits(there):
                    break
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.05)
            await look(*given)

        async def heard_now(*given: Any) -> None:
            hint.set()
            await heard(*given)

        monkeypatch.setattr(callouts, "review", waits_for_the_answer)
        monkeypatch.setattr(callouts, "heard", heard_now)

        async def answered() -> None:
            await looking.wait()
            message = EvidenceRecorded(
                msg_id=there.msg_id(), plane="live", warning_id=w, tier=1, ids=(row.delivery_id,)
            )
            await there.hand(message)

        await asyncio.gather(there.router.run_due(), answered())
        assert hint.is_set()
        assert "none" == (await standing(there))[0].state


async def _somebody_waits(there: RouterTown) -> bool:
    async with there.platform.database.read() as db:
        return bool(await db.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


async def test_the_first_to_accept_has_it_and_the_others_are_told(tmp_path: Path) -> None:
    """By the time of the answers, not the order in which we heard; their page shows the door, the team's list that they come."""
    async with router_town(tmp_path) as there:
        w = await begun(there, *(signer(n) for n in "abcd"))
        await there.at(0.5)
        await answers(there, "c", Answer.NOT_THERE)
        await answers(there, "b", Answer.LEAVING)
        await answers(there, "a", Answer.LEAVING)
        (row,) = await standing(there)
        assert ("taken", "b") == (row.state, row.holder.rstrip("0"))
        assert [("callout_taken", "a")] == await told(there), "who said no needs no word"
        params = {r.addressee_id.rstrip("0"): r.params.holds for r in await there.rows(step="callout")}
        assert {"a": False, "b": True, "c": False} == params
        assert "coming" == (await visit(there)).params.skill
        assert "12:00 b0000000 has accepted" in await line(there, w)
        await answers(there, "b", Answer.SPOKE)
        await there.at(30)
        assert 3 == len(await asked(there)), "they are there"
        assert "taken" == (await standing(there))[0].state
        await there.said([delivery.c.channel == "door"], answer="safe", answer_by="officer", evidence=7)
        await there.at(40)
        assert "done" == (await standing(there))[0].state
        assert "the visit is over, b0000000 had accepted" in await line(there, w)


async def test_a_call_is_accepted_by_key(tmp_path: Path) -> None:
    """1 on the call that came after a minute of silence."""
    async with router_town(tmp_path) as there:
        await begun(there, signer("a"))
        await there.at(1.2)
        await answers(there, "a", Answer.LEAVING, by="officer_voice")
        assert ("taken", "a") == ((await standing(there))[0].state, (await standing(there))[0].holder.rstrip("0"))


async def test_who_accepted_and_is_silent_is_let_go_and_the_next_are_asked(tmp_path: Path) -> None:
    """Five minutes without a sign; any sign counts anew; they may accept again; who cannot after all is let go at once."""
    async with router_town(tmp_path) as there:
        await begun(there, *(signer(n) for n in "abcde"))
        for name in "bc":
            await answers(there, name, Answer.NOT_THERE)
        await answers(there, "a", Answer.LEAVING)
        await there.at(3)
        await answers(there, "a", Answer.LEAVING)
        await there.at(7.9)
        assert 3 == len(await asked(there))
        await there.at(8)
        assert [("callout_released", "a")] == await told(there)
        assert [(8.0, n, "officer_sms") for n in "de"] == (await asked(there))[3:]
        assert ("asking", "") == ((await standing(there))[0].state, (await standing(there))[0].holder)
        await there.at(9.5)
        assert "asking" == (await standing(there))[0].state
        assert [("callout_released", "a")] == await told(there), "what they said before does not count again"
        await answers(there, "a", Answer.LEAVING)
        assert "a" == (await standing(there))[0].holder.rstrip("0")
        await there.at(9.8)
        await answers(there, "a", Answer.CANNOT_REACH)
        assert "asking" == (await standing(there))[0].state
        await answers(there, "d", Answer.LEAVING)
        assert "d" == (await standing(there))[0].holder.rstrip("0")


async def test_nobody_is_waited_for_over_ten_minutes(tmp_path: Path) -> None:
    """The visit stands on the team's list all the time; at ten minutes the written card, and nobody is asked any more."""
    async with router_town(tmp_path) as there:
        w = await begun(there, *(signer(f"v{n:02d}") for n in range(40)))
        assert "team" == (await visit(there)).slot.rstrip("0"), "on the list from the first moment"
        await there.at(9.9)
        assert "asking" == (await standing(there))[0].state
        await there.at(10)
        assert "none" == (await standing(there))[0].state
        assert "none" == (await visit(there)).params.skill
        before = await asked(there)
        assert 15 == len({name for _, name, _ in before}), "three every two minutes"
        await there.at(30)
        assert before == await asked(there)
        assert "nobody can go: the written card" in await line(there, w)


async def test_with_nobody_to_ask_the_card_is_said_at_once(tmp_path: Path) -> None:
    """Nobody on shift signs, or all said no."""
    async with router_town(tmp_path) as there:
        await begun(there)
        assert ("none", "none") == ((await standing(there))[0].state, (await visit(there)).params.skill)
    folder = tmp_path / "no"
    folder.mkdir()
    async with router_town(folder) as there:
        await begun(there, signer("a"))
        await answers(there, "a", Answer.NOT_THERE)
        assert "none" == (await standing(there))[0].state


async def test_a_team_that_signs_calls_nobody_out(tmp_path: Path) -> None:
    """Nor does a visit that needs no such skill."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [deaf(1), one(2, "sms")], [worker("team", "g", skills=SIGN), signer("a")])
        await there.at(0)
        assert [] == await standing(there)
        assert [] == await there.rows(step="callout")


async def test_nobody_holds_two_at_once(tmp_path: Path) -> None:
    """They take one and are not given the other; when it is over they may be."""
    async with router_town(tmp_path) as there:
        await begun(there, signer("a"), people=2)
        rows = await there.rows(step="callout")
        assert 2 == len(rows)
        for row in rows:
            async with there.platform.database.write() as tx:
                log = {
                    "event_key": f"in:{row.delivery_id}", "delivery_id": row.delivery_id, "answer": "leaving",
                    "by": "officer", "at": NOON, "covers": 1, "note": "", "asks": "",
                }  # fmt: skip
                await insert_new(tx, answer_log, [log])
            message = EvidenceRecorded(
                msg_id=there.msg_id(), plane="live", warning_id=row.warning_id, tier=1, ids=(row.delivery_id,)
            )
            await there.hand(message)
        await there.at(0.1)
        assert ["asking", "taken"] == sorted(c.state for c in await standing(there))


@pytest.mark.parametrize(("spoken", "state"), [("en", "asking"), ("es", "none")])
async def test_a_translator_is_one_of_her_language(tmp_path: Path, spoken: str, state: str) -> None:
    """Who speaks another language is of no use at the door."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        helper = signer("t", "translator")
        helper = WorkerEntry(helper.worker_id, helper.grids, helper.skills, 0, spoken, helper.contacts)
        await there.page(w, [one(1, "sms", groups=("other_language",))], [TEAM, helper])
        await there.at(0)
        assert [state] == [c.state for c in await standing(there)]


def by_video(number: int) -> tuple[PersonEntry, Profile]:
    return one(number, "sms", "video_relay", "email", groups=("deaf_signing",), flags=("deaf",))


async def video_begun(there: RouterTown, *workers: WorkerEntry, person: tuple[PersonEntry, Profile]) -> tuple[str, Any]:
    """A warning whose video call was handed over: a volunteer is looked for; its delivery."""
    mine = {
        "channel": "video_relay", "driver": "video_relay", "contact_kinds": ["video_relay"], "two_way": True, "links": True,
        "voice": False, "repeats_per_day": 0, "templates_only": False, "working": True, "why": "",
    }  # fmt: skip
    async with there.platform.database.write() as tx:
        await insert_new(tx, channel, [mine])
    w = await there.issue(doors="allowed")
    await there.page(w, [person], [TEAM, *workers])
    await there.at(0)
    await there.said([delivery.c.step == "official"], answer="spoke", evidence=6)
    await there.said([delivery.c.channel == "video_relay"], send_state="accepted", evidence=1)
    await there.at(0)
    (row,) = await there.rows(channel="video_relay")
    return w, row


async def test_a_video_call_waits_for_a_volunteer_and_is_over_when_she_passes_on_an_answer(tmp_path: Path) -> None:
    """The person's own word, passed on, closes as their own; the volunteer holds it until then."""
    async with router_town(tmp_path) as there:
        w, row = await video_begun(there, signer("a"), person=by_video(1))
        assert [(0.0, "a", "officer_sms")] == await asked(there)
        assert {True} == {r.params.video for r in await there.rows(step="callout")}
        await answers(there, "a", Answer.LEAVING)
        assert "taken" == (await standing(there))[0].state
        async with there.platform.database.write() as tx:
            log = {
                "event_key": "callout:x:on", "delivery_id": row.delivery_id, "answer": "leaving", "by": "person",
                "at": there.clock.now(), "covers": 1, "note": "", "asks": "",
            }  # fmt: skip
            await insert_new(tx, answer_log, [log])
        await there.said(
            [delivery.c.delivery_id == row.delivery_id], answer="leaving", send_state="delivered", evidence=6
        )
        assert "closed" == (await there.paths(w))[ident(1)].ending
        await there.at(6)
        assert "done" == (await standing(there))[0].state


async def test_nobody_who_signs_lets_the_path_go_on(tmp_path: Path) -> None:
    """The channel falls out with its reason: the next one at once, and the door where fewer than two are left."""
    async with router_town(tmp_path) as there:
        w, row = await video_begun(
            there, person=one(1, "sms", "video_relay", groups=("deaf_signing",), flags=("deaf",))
        )
        assert "none" == (await standing(there))[0].state
        message = EvidenceRecorded(msg_id=there.msg_id(), plane="live", warning_id=w, tier=1, ids=(row.delivery_id,))
        await there.hand(message)
        await there.at(0.1)
        (row,) = await there.rows(channel="video_relay")
        assert ("failed", "no_volunteer") == (row.send_state, row.state_reason)
        assert "no sign volunteer could call; fewer than two channels left" in {
            r.reason for r in await there.rows(channel="door")
        }


async def test_a_volunteer_never_closes_for_somebody_who_cannot_judge(tmp_path: Path) -> None:
    """On a video call they are not at the person's side: the word they pass on is the person's."""
    async with router_town(tmp_path) as there:
        person = one(
            1, "sms", "video_relay", "email", groups=("deaf_signing", "cognitive"), flags=("deaf", "cannot_judge")
        )
        w, row = await video_begun(there, signer("a"), person=person)
        async with there.platform.database.write() as tx:
            log = {
                "event_key": "callout:y:on", "delivery_id": row.delivery_id, "answer": "safe", "by": "person",
                "at": there.clock.now(), "covers": 1, "note": "", "asks": "",
            }  # fmt: skip
            await insert_new(tx, answer_log, [log])
        await there.said([delivery.c.delivery_id == row.delivery_id], answer="safe", send_state="delivered", evidence=6)
        assert "open" == (await there.paths(w))[ident(1)].state
