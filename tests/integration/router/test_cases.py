"""Calls for help and questions on a real database: they have an owner in time or are told again, and end with a reason."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.router.callouts import callouts
from services.router.cases import carry_over, view
from services.router.cases import cases as opened
from services.router.cases.handling import CaseIn, act
from services.router.figures import help_open
from services.router.store import tables
from services.router.store.callouts import CalloutRow, callout
from services.router.store.cases import case, event
from services.shared.audit.trail import audit_log
from services.shared.bus.outbox import outbox
from services.shared.database.batches import insert_new
from services.shared.database.engine import Database
from services.shared.database.rows import row_of
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.ledger.answers import answer_log
from services.shared.ledger.deliveries import deliveries_where
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from services.shared.messages import EvidenceRecorded, NoticeRequested, WorkerEntry, decode
from services.shared.powers.who import Who
from services.shared.tiers import Tier
from tests.kit.router_alone import NOON, RouterTown, contact, ident, one, router_town, worker
from tools.servers.postgres import Postgres

OFFICER = Who("k", "Chen, duty desk", "A", ("read", "command"), 4)
DUTY = worker("duty", skills=["duty_officer"])
BOSS = worker("boss", skills=["superior"])


async def said(
    there: RouterTown, person: int, answer: str = "", *, asks: str = "", note: str = "", event_key: str = ""
) -> str:
    """What somebody says to their first message, as channels write it down, and its hint; the delivery's id."""
    now = there.clock.now()
    async with there.platform.database.write() as tx:
        mine = sa.select(delivery).where(delivery.c.person_id == ident(person), delivery.c.channel == "sms")
        row = (await tx.execute(mine.order_by(delivery.c.delivery_id).limit(1))).one()
        log = {
            "event_key": event_key or f"in:{person}:{answer}:{asks}:{now}", "delivery_id": row.delivery_id, "answer": answer,
            "by": "person", "at": now, "covers": 1, "note": note, "asks": asks,
        }  # fmt: skip
        await insert_new(tx, answer_log, [log])
        if answer:
            values = {"answer": answer, "answer_by": "person", "answer_at": now, "send_state": SendState.DELIVERED}
            await tx.execute(sa.update(delivery).where(delivery.c.delivery_id == row.delivery_id).values(**values))
    await heard(there, row.warning_id, row.delivery_id)
    return str(row.delivery_id)


async def heard(there: RouterTown, warning_id: str, delivery_id: str) -> None:
    message = EvidenceRecorded(msg_id=there.msg_id(), plane="live", warning_id=warning_id, tier=1, ids=(delivery_id,))
    await there.hand(message)
    while await there.router.run_due():
        pass


async def cases(there: RouterTown, warning_id: str) -> list[view.CaseState]:
    async with there.platform.database.read() as db:
        return await view.cases(db, warning_id, there.clock.now())


async def told(there: RouterTown) -> list[tuple[float, str, str, str]]:
    """(minute, kind, to, channel) of the notices about cases."""
    async with there.platform.database.read() as db:
        rows = (
            await db.execute(sa.select(outbox).where(outbox.c.topic == "NoticeRequested").order_by(outbox.c.id))
        ).all()
    found = []
    for row in rows:
        message = decode(row.body)
        assert isinstance(message, NoticeRequested)
        if message.kind.startswith("case_"):
            minute = (message.expires - 3600 - NOON) / 60
            found.append(
                (minute, message.kind, message.addressee_id.rstrip("0"), message.params.get("channel", "officer_sms"))
            )
    return found


async def begun(
    there: RouterTown, *people: int, workers: tuple[WorkerEntry, ...] = (DUTY, BOSS), doors: str = "ask"
) -> str:
    """A red warning to people with an SMS and a call, its officials spoken with."""
    w = await there.issue(doors=doors)
    await there.page(w, [one(n, "sms", "voice_mobile") for n in people], list(workers))
    await there.at(0)
    if workers:
        await there.said([delivery.c.step == "official"], answer="spoke", evidence=6)
    return w


async def test_help_without_an_owner_is_told_again_and_again(tmp_path: Path) -> None:
    """Two minutes, then every three: the duty officer, then whoever stands above too, by call as well; all is written."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1)
        await there.at(1)
        await said(there, 1, "help", note="help, my mother cannot walk")
        assert [("help", "open", 120, False)] == [
            (c["kind"], c["state"], c["left"], c["late"]) for c in await cases(there, w)
        ]
        await there.at(2.9)
        assert [] == await told(there)
        await there.at(3)
        assert [(3.0, "case_help", "duty", "officer_sms")] == await told(there)
        await there.at(6)
        assert [
            (6.0, "case_help", "boss", "officer_sms"), (6.0, "case_help", "boss", "officer_voice"),
            (6.0, "case_help", "duty", "officer_sms"), (6.0, "case_help", "duty", "officer_voice"),
        ] == sorted((await told(there))[1:])  # fmt: skip
        (found,) = await cases(there, w)
        assert (True, 2) == (found["late"], found["told"])
        assert ["opened", "text", "told", "told"] == [h["what"] for h in found["history"]]
        assert "help, my mother cannot walk" == found["history"][1]["words"]
        assert found["history"][2]["words"].startswith("nobody has it: told duty")
        await act(there.platform, OFFICER, w, found["case_id"], CaseIn(act="take"))
        before = await told(there)
        await there.at(60)
        assert before == await told(there), "somebody has it"


async def test_a_team_with_the_door_on_its_list_is_an_owner_and_the_fire_service_is_none(tmp_path: Path) -> None:
    """A name on the fire service's list is nobody's word: the clock goes on; a team's list stops it."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1, workers=(worker("a", "g"), DUTY), doors="allowed")
        await said(there, 1, "help")
        (found,) = await cases(there, w)
        assert ("owned", "a", None) == (found["state"], found["team"].rstrip("0"), found["left"])
        await there.at(20)
        assert [] == await told(there)
    folder = tmp_path / "forbidden"
    folder.mkdir()
    async with router_town(folder) as there:
        w = await there.issue(hazard="toxic_release", doors="forbidden")
        await there.page(w, [one(1, "sms", "voice_mobile")], [DUTY])
        await there.at(0)
        await there.said([delivery.c.step == "official"], answer="spoke", evidence=6)
        await said(there, 1, "help")
        (found,) = await cases(there, w)
        assert ("open", True) == (found["state"], found["rescue"])
        await there.at(2)
        assert [(2.0, "case_help", "duty", "officer_sms")] == await told(there)


async def test_questions_wait_ten_minutes_and_urgent_ones_two(tmp_path: Path) -> None:
    """One case a person, all their texts in it; an urgent one makes the clock shorter. A text told twice is one."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1, 2)
        one_text = await said(there, 1, asks="question", note="where is the shelter?", event_key="in:a")
        await heard(there, w, one_text)
        await said(there, 2, asks="question", note="is the bridge open?")
        assert [600, 600] == [c["left"] for c in await cases(there, w)]
        await there.at(1)
        await said(there, 1, asks="urgent", note="no help needed?", event_key="in:b")
        mine, other = await cases(there, w)
        assert (120, 540) == (mine["left"], other["left"]), "the shortest clock first"
        assert ["where is the shelter?", "no help needed?"] == [
            h["words"] for h in mine["history"] if h["what"] == "text"
        ]
        await there.at(3)
        assert [(3.0, "case_question", "duty", "officer_sms")] == await told(there)
        await there.at(10)
        assert 2 == len(await told(there))
        await act(there.platform, OFFICER, w, mine["case_id"], CaseIn(act="close", reason="told by phone"))
        await heard(there, w, one_text)
        assert [other["case_id"]] == [c["case_id"] for c in await cases(there, w) if c["state"] == "open"], (
            "read is read"
        )


async def test_whoever_closes_a_path_closes_its_help_and_no_question(tmp_path: Path) -> None:
    """They are moving: their call for help is over, what they asked is still to be answered; help again is a new case."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1)
        await said(there, 1, asks="question", note="may I take the dog?")
        await said(there, 1, "help")
        await there.at(1)
        await said(there, 1, "moving")
        found = {c["kind"]: c for c in await cases(there, w)}
        assert ("closed", "open") == (found["help"]["state"], found["question"]["state"])
        assert "the path closed" == found["help"]["close_reason"]
        await there.at(5)
        await said(there, 1, "help")
        assert ["open", "closed"] == [c["state"] for c in await cases(there, w) if c["kind"] == "help"]


async def test_a_call_for_help_closed_by_a_person_stays_closed(tmp_path: Path) -> None:
    """The same call looked at again opens nothing; the path goes on to its door all the same."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1)
        told_by = await said(there, 1, "help")
        (found,) = await cases(there, w)
        await act(there.platform, OFFICER, w, found["case_id"], CaseIn(act="close", reason="rescue is with her"))
        await heard(there, w, told_by)
        await there.at(30)
        (found,) = await cases(there, w)
        assert ("closed", "Chen, duty desk", "rescue is with her") == (
            found["state"],
            found["closed_by"],
            found["close_reason"],
        )
        assert [] == await told(there)
        assert await there.rows(channel="door")


async def test_help_after_a_case_was_closed_by_a_person_is_a_new_case(tmp_path: Path) -> None:
    """An hour later they ask again: a new case with a clock of its own; that call, closed too, opens none when seen twice."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1)
        await said(there, 1, "help")
        (first,) = await cases(there, w)
        await there.at(1)
        await act(there.platform, OFFICER, w, first["case_id"], CaseIn(act="close", reason="a neighbour is with her"))
        await there.at(61)
        told_by = await said(there, 1, "help", note="he has left")
        again, closed = await cases(there, w)
        assert ("open", 120, NOON + 61 * 60, "closed") == (
            again["state"], again["left"], again["opened_at"], closed["state"],
        )  # fmt: skip
        await heard(there, w, told_by)
        assert 2 == len(await cases(there, w)), "the same call"
        await there.at(63)
        assert [(63.0, "case_help", "duty", "officer_sms")] == await told(there)
        await act(there.platform, OFFICER, w, again["case_id"], CaseIn(act="close", reason="fetched by boat"))
        async with there.platform.database.write() as tx:  # heard of late: said before that case was closed
            late = {
                "event_key": "in:late", "delivery_id": told_by, "answer": "help", "by": "person", "at": NOON + 62 * 60,
                "covers": 1, "note": "", "asks": "",
            }  # fmt: skip
            await insert_new(tx, answer_log, [late])
        await heard(there, w, told_by)
        assert ["closed", "closed"] == [c["state"] for c in await cases(there, w)]


async def owned_by_a_team(there: RouterTown, *workers: WorkerEntry) -> str:
    """A call for help that the first of the teams has on its list, not begun."""
    w = await begun(there, 1, workers=(*workers, DUTY), doors="allowed")
    await said(there, 1, "help")
    await there.said([delivery.c.channel == "door"], send_state=SendState.ACCEPTED)
    (found,) = await cases(there, w)
    assert ("owned", None) == (found["state"], found["left"])
    return w


async def test_help_of_a_team_that_is_called_back_is_nobodys_and_told(tmp_path: Path) -> None:
    """The commander's word: the fire service has the name, that is no owner, the clock runs from that moment."""
    async with router_town(tmp_path) as there:
        w = await owned_by_a_team(there, worker("a", "g"))
        await there.at(5)
        await there.word(w, "unsafe")
        (found,) = await cases(there, w)
        assert ("open", "", True, 120) == (found["state"], found["team"], found["rescue"], found["left"])
        assert "commander: unsafe to send anybody" == found["history"][-1]["words"]
        await there.at(7)
        assert [(7.0, "case_help", "duty", "officer_sms")] == await told(there)
        await act(there.platform, OFFICER, w, found["case_id"], CaseIn(act="take"))
        await there.at(9)
        assert 1 == len(await told(there))


async def test_help_of_a_team_that_is_silent_goes_to_the_next(tmp_path: Path) -> None:
    """An officer nobody has spoken with loses their doors: another team has the call, by name."""
    async with router_town(tmp_path) as there:
        w = await there.issue(doors="allowed")
        await there.page(w, [one(1, "sms", "voice_mobile")], [worker("a", "g"), worker("b", "far")])
        await there.at(0)
        await said(there, 1, "help")
        await there.said([delivery.c.channel == "door"], send_state=SendState.ACCEPTED)
        (found,) = await cases(there, w)
        assert "a" == found["team"].rstrip("0")
        await there.at(45)
        (found,) = await cases(there, w)
        assert ("owned", "b", None) == (found["state"], found["team"].rstrip("0"), found["left"])
        assert ["a", "", "b"] == [h["by"].rstrip("0") for h in found["history"] if h["what"] == "given"]


async def test_help_of_a_team_whose_visit_ends_with_the_warning_is_nobodys(tmp_path: Path) -> None:
    """The team goes home with the warning; help outlives it."""
    async with router_town(tmp_path) as there:
        w = await owned_by_a_team(there, worker("a", "g"))
        await there.issue("e", kind="ending", ending="danger_lower_stay_away", replaces=["w"])
        (found,) = await cases(there, w)
        assert ("open", "", 120) == (found["state"], found["team"], found["left"])


async def test_all_that_are_open_are_counted_and_the_worst_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that is cut says how many there are."""
    monkeypatch.setattr(view, "SHOWN", 2)
    async with router_town(tmp_path) as there:
        w = await begun(there, 1, 2, 3)
        for n in (1, 2):
            await said(there, n, "help")
        await said(there, 3, asks="question", note="which channel?")
        await act(there.platform, OFFICER, w, (await cases(there, w))[0]["case_id"], CaseIn(act="take"))
        assert 2 == len(await cases(there, w))
        async with there.platform.database.read() as db:
            assert {"open": 3, "help": 2, "question": 1, "nobodys": 2} == await view.totals(db, w)


async def test_help_outlives_its_warning_and_questions_do_not(tmp_path: Path) -> None:
    """After the end somebody must own the help all the same; what was asked is not told again."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1, 2)
        await said(there, 1, "help")
        await said(there, 2, asks="question", note="which channel?")
        await there.at(1)
        await there.issue("e", kind="ending", ending="danger_lower_stay_away", replaces=["w"])
        async with there.platform.database.write() as tx:
            state = sa.table("warning_state", sa.column("warning_id"), sa.column("state"))
            await tx.execute(sa.update(state).where(state.c.warning_id == w).values(state="cancelled"))
        await there.at(16)
        kinds = [kind for _, kind, _, _ in await told(there)]
        assert kinds.count("case_help") > 3
        assert 1 == kinds.count("case_question"), "once, and then it rests"
        assert {"open"} == {c["state"] for c in await cases(there, w)}


async def test_nobody_on_shift_is_said_and_not_hidden(tmp_path: Path) -> None:
    """With no officer to tell the case says so, and goes on being looked at."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1, workers=())
        await said(there, 1, "help")
        await there.at(6)
        (found,) = await cases(there, w)
        assert 2 == found["told"]
        assert "nobody has it, and nobody on shift has a number" == found["history"][-1]["words"]


async def test_taking_handing_over_and_closing_are_audited_by_name(tmp_path: Path) -> None:
    """One owner at a time; every act is in the audit log and in the case; what is wrong changes nothing."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1)
        await said(there, 1, "help")
        (found,) = await cases(there, w)
        case_id, other = found["case_id"], Who("k2", "Li", "A", ("read", "command"), 4)
        await act(there.platform, OFFICER, w, case_id, CaseIn(act="take"))
        await act(there.platform, OFFICER, w, case_id, CaseIn(act="take"))
        with pytest.raises(Conflict, match="Chen, duty desk has this case"):
            await act(there.platform, other, w, case_id, CaseIn(act="take"))
        with pytest.raises(Refused, match="to: say by name"):
            await act(there.platform, other, w, case_id, CaseIn(act="hand_over"))
        with pytest.raises(Refused, match="reason: say why"):
            await act(there.platform, other, w, case_id, CaseIn(act="close", reason=" "))
        with pytest.raises(NotFound, match="has no case"):
            await act(there.platform, other, w, "0" * 32, CaseIn(act="take"))
        await act(there.platform, OFFICER, w, case_id, CaseIn(act="hand_over", to="Li"))
        (found,) = await cases(there, w)
        assert ("owned", "Li") == (found["state"], found["owner"])
        await act(there.platform, other, w, case_id, CaseIn(act="close", reason="fetched by the fire service"))
        with pytest.raises(Conflict, match="closed already"):
            await act(there.platform, OFFICER, w, case_id, CaseIn(act="take"))
        async with there.platform.database.read() as db:
            acts = (await db.execute(sa.select(audit_log.c.actor, audit_log.c.act).order_by(audit_log.c.n))).all()
            lines = (await db.scalars(sa.select(event.c.what).order_by(event.c.at, event.c.event_key))).all()
        assert [("Chen, duty desk", "case_take"), ("Chen, duty desk", "case_hand_over"), ("Li", "case_close")] == [
            tuple(a) for a in acts
        ]
        assert {"opened", "taken", "handed", "closed"} == set(lines)


async def test_an_answer_goes_back_by_the_channel_it_came_and_makes_an_owner(tmp_path: Path) -> None:
    """To the sealed address of that message, once for one form; own words go in the text; no phone, no answer."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1)
        await said(there, 1, asks="question", note="where is the shelter?")
        (found,) = await cases(there, w)
        assert found["can_answer"]
        for wrong in ({"sentence": ""}, {"sentence": "own", "text": " "}):
            with pytest.raises(Refused):
                await act(there.platform, OFFICER, w, found["case_id"], CaseIn(act="answer", **wrong))  # type: ignore[arg-type]
        for _ in range(2):
            answer = CaseIn(act="answer", sentence="own", text="Nanling School is open.", event="e1")
            await act(there.platform, OFFICER, w, found["case_id"], answer)
        async with there.platform.database.read() as db:
            bodies = (await db.scalars(sa.select(outbox.c.body).where(outbox.c.topic == "NoticeRequested"))).all()
        sent = [m for m in map(decode, bodies) if isinstance(m, NoticeRequested) and m.kind == "case_own"]
        assert [(contact("sms", ident(1)).address_key, "sms", "Nanling School is open.", "")] == [
            (m.contact.address_key, m.params["channel"], m.params["text"], m.warning_id) for m in sent
        ]
        (found,) = await cases(there, w)
        assert ("owned", "Chen, duty desk") == (found["state"], found["owner"])
        assert ("answered", "on its way") == (found["history"][-1]["what"], found["history"][-1]["sent"])
        async with there.platform.database.write() as tx:
            await tx.execute(sa.update(case).values(delivery_id=""))
        with pytest.raises(Conflict, match="came from no phone"):
            await act(there.platform, OFFICER, w, found["case_id"], CaseIn(act="answer", sentence="seen"))


async def test_an_answer_goes_by_a_channel_that_carries_words(tmp_path: Path) -> None:
    """A button at a bed shaker was pressed: the answer goes to their phone; who has no such channel is called or visited."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1, 2)
        await said(there, 1, asks="question", note="where?")
        await said(there, 2, asks="question", note="where?")
        shakers = []
        async with there.platform.database.write() as tx:
            for n in (1, 2):
                mine = sa.select(delivery).where(delivery.c.person_id == ident(n), delivery.c.channel == "sms")
                row = dict((await tx.execute(mine)).one()._mapping)
                row |= {
                    "delivery_id": ident(900 + n),
                    "channel": "bed_shaker",
                    "address_key": f"bed{n}",
                    "sealed": b"bed",
                }
                await insert_new(tx, delivery, [row])
                about = sa.update(case).where(case.c.person_id == ident(n)).values(delivery_id=row["delivery_id"])
                await tx.execute(about)
                shakers.append(row["delivery_id"])
            await tx.execute(
                sa.update(delivery)
                .where(delivery.c.person_id == ident(2), delivery.c.delivery_id != shakers[1])
                .values(channel="video_relay")
            )
        found = {c["person_id"]: c for c in await cases(there, w)}
        assert (True, False) == (found[ident(1)]["can_answer"], found[ident(2)]["can_answer"])
        answer = CaseIn(act="answer", sentence="seen")
        await act(there.platform, OFFICER, w, found[ident(1)]["case_id"], answer)
        with pytest.raises(Conflict, match="came from no phone"):
            await act(there.platform, OFFICER, w, found[ident(2)]["case_id"], answer)
        async with there.platform.database.read() as db:
            bodies = (await db.scalars(sa.select(outbox.c.body).where(outbox.c.topic == "NoticeRequested"))).all()
        sent = [m for m in map(decode, bodies) if isinstance(m, NoticeRequested) and m.kind == "case_seen"]
        assert [(contact("sms", ident(1)).address_key, "sms")] == [
            (m.contact.address_key, m.params["channel"]) for m in sent
        ]


async def test_officials_who_write_have_a_case_each(tmp_path: Path) -> None:
    """Nobody is spoken of in a call to an official: who wrote tells the cases apart."""
    async with router_town(tmp_path) as there:
        w = await begun(there, 1, workers=(worker("a", "g"), worker("b", "g")))
        async with there.platform.database.read() as db:
            rows = (
                await db.execute(
                    sa.select(delivery).where(delivery.c.step == "official", delivery.c.channel == "officer_sms")
                )
            ).all()
        for row in rows:
            log = {
                "event_key": f"in:{row.addressee_id}", "delivery_id": row.delivery_id, "answer": "", "by": "officer",
                "at": NOON, "covers": 1, "note": "which key?", "asks": "question",
            }  # fmt: skip
            async with there.platform.database.write() as tx:
                await insert_new(tx, answer_log, [log])
            await heard(there, w, row.delivery_id)
        found = await cases(there, w)
        assert [("", "worker"), ("", "worker")] == [(c["person_id"], c["from"]) for c in found]


async def test_yellow_help_is_a_case_too(tmp_path: Path) -> None:
    """Help is help at every tier."""
    async with router_town(tmp_path) as there:
        w = await there.issue(tier=Tier.YELLOW, hazard="storm")
        await there.page(w, [one(1, "sms", groups=("older_alone",), flags=("high_support",))], [DUTY])
        await there.at(0)
        await said(there, 1, "help")
        assert ["help"] == [c["kind"] for c in await cases(there, w)]


async def stop(there: RouterTown, person: int) -> None:
    """Their number said STOP: what channels write, and the hint."""
    where = [delivery.c.person_id == ident(person), delivery.c.channel == "sms"]
    await there.said(where, send_state=SendState.SUPPRESSED, state_reason="stopped")
    while await there.router.run_due():
        pass


async def test_a_stopped_number_falls_to_the_next_channel_and_in_orange_and_red_to_the_door(tmp_path: Path) -> None:
    """Orange begins with two channels: the third comes at once, and where one is left somebody goes; twice adds nothing."""
    async with router_town(tmp_path) as there:
        w = await there.issue(tier=Tier.ORANGE, hazard="storm", doors="allowed")
        await there.page(
            w,
            [
                one(1, "sms", "voice_mobile", "email"),
                one(2, "sms", "voice_mobile"),
                one(3, "sms", "voice_mobile", "email"),
            ],
            [worker("a", "g")],
        )
        await there.at(1)
        assert {"sms", "voice_mobile"} == {r.channel for r in await there.rows(person_id=ident(1))}
        for _ in range(2):
            await stop(there, 1)
            await stop(there, 2)
        mine = [(r.channel, r.reason) for r in await there.rows(person_id=ident(1), step="stopped")]
        assert [("email", "the number said STOP; other channel")] == mine
        own = sorted((r.channel, r.reason) for r in await there.rows(person_id=ident(2), step="stopped"))
        assert [
            ("door", "the number said STOP; fewer than two channels left"),
        ] == own
        assert [] == await there.rows(person_id=ident(3), step="stopped")
        calm = await there.issue("y", tier=Tier.YELLOW, hazard="storm")
        await there.page(calm, [one(4, "sms", groups=("older_alone",), flags=("high_support",))], [worker("a", "g")])
        await stop(there, 4)
        assert [] == await there.rows(warning_id=calm, channel="door"), "yellow sends nobody to a door for that"


ACTS = (("", "question"), ("", "urgent"), ("help", ""), ("moving", ""), ("safe", ""))


@st.composite
def tellings(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[int], list[int]]:
    """What one person says, in the order of its times, and two orders with repetitions in which the router hears of it."""
    said_ = draw(st.lists(st.sampled_from(ACTS), min_size=1, max_size=4))
    orders = [draw(st.permutations(range(len(said_)))) for _ in range(2)]
    again = draw(st.lists(st.integers(0, len(said_) - 1), max_size=3))
    return said_, [*orders[0], *again], [*again, *orders[1]]


def test_any_order_and_repetition_of_texts_leaves_the_same_open_cases(tmp_path: Path) -> None:
    """Callbacks come late, twice and crossed: each text stands once, one open case a kind, help open or over."""
    with asyncio.Runner() as runner:
        made = router_town(tmp_path)
        there = runner.run(made.__aenter__())
        people = iter(range(1, 200))
        w = runner.run(begun(there, *range(1, 41)))

        async def told_in(acts: list[tuple[str, str]], order: list[int]) -> tuple[Any, ...]:
            person = next(people)
            async with there.platform.database.read() as db:
                mine = sa.select(delivery).where(delivery.c.person_id == ident(person), delivery.c.channel == "sms")
                row = (await db.execute(mine)).one()
            now, heard_of = there.clock.now(), set()
            for n in order:
                answer, asks = acts[n]
                log = {
                    "event_key": f"in:{person}:{n}", "delivery_id": row.delivery_id, "answer": answer, "by": "person",
                    "at": now - 100 + n, "covers": 1, "note": "words", "asks": asks,
                }  # fmt: skip
                heard_of.add(n)
                async with there.platform.database.write() as tx:
                    await insert_new(tx, answer_log, [log])
                await heard(there, w, row.delivery_id)
            async with there.platform.database.read() as db:
                about = sa.select(case).where(case.c.person_id == ident(person))
                standing = [c.kind for c in (await db.execute(about)).all() if c.closed_at is None]
                texts = sa.select(event.c.event_key).where(event.c.event_key.startswith(f"in:{person}:"))
                keys = (await db.scalars(texts)).all()
            path = (await there.paths(w))[ident(person)]
            return sorted(standing), sorted(k.rpartition(":")[2] for k in keys), path.state, path.help_at is None

        @settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(telling=tellings())
        def same(telling: tuple[list[tuple[str, str]], list[int], list[int]]) -> None:
            acts, one_way, other = telling
            assert runner.run(told_in(acts, one_way)) == runner.run(told_in(acts, other))

        same()
        runner.run(made.__aexit__(None, None, None))


async def test_the_statements_are_the_same_on_postgresql(postgres: Postgres) -> None:
    """Opened, asked in, given to a team, seen, met: what SQLite lets pass is no proof for the county's database."""
    database = Database(postgres.database(), synchronous="OFF")
    person = {
        "delivery_id": ident(1), "warning_id": "w", "kind": "warning", "tier": 4, "person_id": "p", "addressee_id": "p",
        "addressee_kind": "person", "step": "red.1", "channel": "sms", "driver": "sms_twilio", "form": "plain", "language": "en",
        "address_key": "k", "reason": "test", "send_state": "accepted", "due_at": 0.0, "expires_at": 9e9, "state_at": 0.0,
        "answer": "help", "answer_at": 5.0,
    }  # fmt: skip
    state = {
        "warning_id": "w", "chain_id": "w", "tier": 4, "state": "active", "kind": "alert", "purpose": "live", "sent": 0.0,
        "expires_at": 9e9, "authority": "A", "number": "4721", "doors": "ask", "released_at": 0.0,
    }  # fmt: skip
    log = {
        "event_key": "in:1", "delivery_id": ident(1), "answer": "", "by": "person", "at": 6.0, "covers": 1,
        "note": "where?", "asks": "question",
    }  # fmt: skip
    out = {
        "callout_id": "c", "warning_id": "w", "person_id": "p", "about_id": ident(1), "skill": "sign_volunteer",
        "language": "en", "opened_at": 1.0, "let_go": {"a": 2.0},
    }  # fmt: skip
    try:
        async with database.write() as tx:
            await insert_new(tx, warning_state, [state])
            await insert_new(tx, delivery, [person])
            await insert_new(tx, answer_log, [log])
            await insert_new(tx, callout, [out])
            [row] = await deliveries_where(tx)
            for _ in range(2):
                await opened.call_for_help(tx, "w", "p", 5.0, [row], "")
                await opened.questions(tx, "w", [ident(1)], {ident(1): row})
            await opened.give(tx, "w", {"p": "team"}, 7.0)
        async with database.write() as tx:
            await insert_new(tx, tables.job, [{"warning_id": "w", "about_id": "w0", "kind": "update"}])
            await carry_over.onward(tx, "w0", "p", 5.0, 7.0)
            assert {} == await carry_over.still_open(tx, "w", ["w0"], ["p"])
        async with database.read() as db:
            seen = await view.cases(db, "w", 10.0)
            (called,) = await callouts.words(db, "w", "p")
            kept = await row_of(db, CalloutRow, sa.select(callout))
        assert [("question", "open", 596, ""), ("help", "owned", None, "team")] == [
            (c["kind"], c["state"], c["left"], c["team"]) for c in seen
        ]
        assert (0, "asking") == (called.asked, called.state)
        assert kept is not None
        assert {"a": 2.0} == kept.let_go
        async with database.write() as tx:
            await opened.met(tx, "w", ["p"], 11.0)
        async with database.read() as db:
            assert ["question", "help"] == [c["kind"] for c in await view.cases(db, "w", 12.0)]
            owned = await help_open(db, 12.0)
        assert {("yes",): 0.0, ("no",): 0.0} == owned
    finally:
        await database.close()


async def replaced(there: RouterTown, old: str) -> str:
    """An update takes the place of the warning."""
    new = await there.issue("n", kind="update", replaces=[old], doors="allowed")
    async with there.platform.database.write() as tx:
        state = sa.update(warning_state).where(warning_state.c.warning_id == old)
        await tx.execute(state.values(state="superseded", doors="allowed"))
    return new


async def said_under(there: RouterTown, warning_id: str, answer: str) -> None:
    """Person 1 answers the text of this warning."""
    async with there.platform.database.write() as tx:
        mine = (delivery.c.warning_id == warning_id, delivery.c.person_id == ident(1), delivery.c.channel == "sms")
        row = (await tx.execute(sa.select(delivery).where(*mine))).one()
        log = {
            "event_key": f"in:{warning_id[0]}:{answer}", "delivery_id": row.delivery_id, "answer": answer, "by": "person",
            "at": there.clock.now(), "covers": 1, "note": "", "asks": "",
        }  # fmt: skip
        await insert_new(tx, answer_log, [log])
        values = {"answer": answer, "answer_by": "person", "answer_at": there.clock.now()}
        await tx.execute(sa.update(delivery).where(*mine).values(**values))
    await heard(there, warning_id, row.delivery_id)


@pytest.mark.parametrize("when", ["before the update", "before its page", "after its page"])
async def test_help_under_a_replaced_warning_has_its_case_and_a_door_under_the_update(
    tmp_path: Path, when: str
) -> None:
    """Whenever the old text is answered: one case, with its phone, and somebody goes; then moving closes, leaving not."""
    async with router_town(tmp_path) as there:
        team = worker("a", "g")
        old = await begun(there, 1, workers=(team, DUTY), doors="allowed")
        if when == "before the update":
            await said_under(there, old, "help")
            assert 1 == len(await there.rows(warning_id=old, channel="door"))
        new = await replaced(there, old)
        if when == "before its page":
            await said_under(there, old, "help")
        await there.page(new, [one(1, "sms", "voice_mobile")], [team, DUTY])
        if when == "after its page":
            await there.at(1)
            assert [] == await there.rows(warning_id=new, channel="door")
            await said_under(there, old, "help")
        await there.at(2)
        (visit,) = await there.rows(warning_id=new, channel="door")
        assert (ident(1), "asked for help") == (visit.person_id, visit.reason)
        (found,) = [c for c in await cases(there, old) if c["kind"] == "help"]
        assert found["can_answer"]
        assert [] == await cases(there, new)
        await said_under(there, new, "leaving")
        assert "open" == (await there.paths(new))[ident(1)].state
        await there.at(3)
        await said_under(there, new, "moving")
        path = (await there.paths(new))[ident(1)]
        assert ("closed", None) == (path.ending, path.help_at)
