"""What no path watches: an unknown broadcast or link goes out once more; who is met after the ending is told of it."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from services.channels.model.report import Report
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.states import SendState
from tests.faults.harness import Prepared
from tests.faults.stepped import Stepped, stepped


def make_unknown(run: Stepped, where: str) -> str:
    """As a death right after the intent leaves it."""
    one = str(run.rows(f"SELECT delivery_id FROM delivery WHERE {where}")[0][0])  # noqa: S608
    change = "UPDATE delivery SET send_state = 'unknown', ambiguous = 1, state_at = ? WHERE delivery_id = ?"
    run.ground.change(change, run.clock.now(), one)
    return one


@pytest.mark.parametrize("where", ["driver = 'cap_broadcast'", "kind = 'notice' AND send_state = 'delivered'"])
async def test_an_unknown_send_that_is_nobodys_goes_out_once_more(hamlet: Prepared, tmp_path: Path, where: str) -> None:
    """A broadcast and an officer's link of which the provider knows nothing: after a minute again, then the ledger knows."""
    async with stepped(hamlet, tmp_path) as run:
        await run.until(lambda: bool(run.rows(f"SELECT 1 FROM delivery WHERE {where}")), seconds=3600.0)  # noqa: S608
        one = make_unknown(run, where)
        run.world.sandbox.messages.clear()  # it is asked, and has no record
        begun = run.clock.now()
        await run.until(lambda: run.clock.now() > begun + 90.0, stride=5.0)
        row = run.rows("SELECT * FROM delivery WHERE delivery_id = ?", one)[0]
        assert row["send_state"] in (SendState.ACCEPTED, SendState.DELIVERED)
        assert 2 == row["attempts"]


async def test_who_is_met_at_the_door_after_the_ending_went_round_is_told_of_it(
    hamlet: Prepared, tmp_path: Path
) -> None:
    """The officer was under way when it was cancelled: one ending for that door, though the others had theirs before."""
    async with stepped(hamlet, tmp_path) as run:
        listed = (
            "SELECT * FROM delivery WHERE channel = 'door' AND slot <> '' AND send_state = 'accepted' AND answer = ''"
        )
        await run.until(lambda: bool(run.rows(listed)), seconds=3600.0)
        visit = run.rows(listed)[0]
        key = {"Authorization": f"Bearer {hamlet.key}"}
        url = f"{run.node.platform.public_url}/api/v1/warnings/{run.warning_id}/cancel"
        async with (
            aiohttp.ClientSession(headers=key) as session,
            session.post(url, json={"ending": "sent_by_mistake", "reason": "test"}) as response,
        ):
            assert 202 == response.status
            ending_id = (await response.json())["warning_id"]
        await run.settle()
        ending = "SELECT count(*) FROM delivery WHERE warning_id = ? AND about_id = ?"
        assert [1] == [r[0] for r in run.rows("SELECT done FROM router_job")]
        assert 0 == run.rows(ending, ending_id, visit["delivery_id"])[0][0]
        met = Report(
            visit["delivery_id"], "visit:1", "page", state=SendState.DELIVERED, evidence=Evidence.HUMAN_CONTACT,
            answer=Answer.LEAVING, by="officer",
        )  # fmt: skip
        await run.node.channels.recorder.report(met)
        await run.settle()
        assert 1 == run.rows(ending, ending_id, visit["delivery_id"])[0][0]


async def test_who_asks_for_help_after_she_said_she_was_leaving_has_a_door_again(
    hamlet: Prepared, tmp_path: Path
) -> None:
    """The first answer took the visit off the list; the call for help puts another on it, and the path is open."""
    async with stepped(hamlet, tmp_path) as run:
        both = (
            "SELECT d.delivery_id, d.person_id, v.delivery_id AS visit FROM delivery d JOIN delivery v USING (person_id)"
            " JOIN registry_contact c ON c.contact_id = d.contact_id AND c.why_not = ''"  # of another number nothing closes
            " WHERE d.channel IN ('sms', 'voice_mobile') AND d.send_state = 'delivered' AND d.covers = 1 AND d.answer = ''"
            " AND v.channel = 'door' AND v.send_state = 'accepted' AND v.answer = '' AND v.try_no = 1"
        )
        await run.until(lambda: bool(run.rows(both)), seconds=3600.0)
        one = run.rows(both)[0]
        for n, answer in enumerate((Answer.SAFE, Answer.HELP)):
            await run.node.channels.recorder.report(
                Report(one["delivery_id"], f"key:{n}", evidence=Evidence.ACKNOWLEDGED, answer=answer, by="person")
            )
            await run.settle()
        visits = run.rows(
            "SELECT try_no, send_state FROM delivery WHERE channel = 'door' AND person_id = ? ORDER BY try_no",
            one["person_id"],
        )
        path = run.rows("SELECT state FROM router_path WHERE person_id = ?", one["person_id"])[0]
        assert [(1, "superseded"), (2, "accepted")] == [(v["try_no"], v["send_state"]) for v in visits]
        assert "open" == path["state"]
