"""What a provider may do to us: each fault has its class, no person pays for our key, silence in red gives way."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy.exc import OperationalError

from services.channels.model import http_call
from services.channels.sending import claims, sender
from services.shared.ledger.states import SendState
from tests.faults.checker import Case, judge
from tests.faults.harness import SENT, Prepared
from tests.faults.stepped import Stepped, stepped

MISBEHAVING = 12  # so many requests, then the provider is well again


SILENT = ("hang", "accept_then_timeout")


@pytest.fixture(autouse=True)
def short_patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent provider is waited for three seconds, not ten; a slow machine is not taken for one."""
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    if parameters.get("mode") in SILENT:
        monkeypatch.setattr(http_call, "TIMEOUT", aiohttp.ClientTimeout(total=3, connect=3))


async def sound(run: Stepped, town: Prepared) -> None:
    await run.node.close()
    verdict = await judge(
        Case(run.ground, run.world.sandbox.accepts_per_delivery(), {run.warning_id: town.everybody}, [run.warning_id],
             None, town.numbers)
    )  # fmt: skip
    assert [] == verdict.findings


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        pytest.param("429", "not_sent", marks=pytest.mark.long),
        pytest.param("5xx", "ambiguous", marks=pytest.mark.slow),
        ("hang", "ambiguous"),
        pytest.param("accept_then_timeout", "ambiguous", marks=pytest.mark.slow),
        pytest.param("accept_then_reset", "ambiguous", marks=pytest.mark.long),
        pytest.param("malformed", "ambiguous", marks=pytest.mark.slow),
        pytest.param("401", "provider_fault", marks=pytest.mark.long),
    ],
)
async def test_each_fault_has_its_class_and_everybody_is_reached_all_the_same(
    hamlet: Prepared, tmp_path: Path, mode: str, outcome: str
) -> None:
    """The attempts are written down as what they were; afterwards the ledger is sound and all paths have ended."""
    async with stepped(hamlet, tmp_path, queue=deque([mode] * MISBEHAVING), retry_after_s=40) as run:
        await run.until(run.all_ended, stride=30.0)
        attempts = run.rows(
            "SELECT a.*, d.send_state, d.sent_at, d.evidence FROM attempt a JOIN delivery d USING (delivery_id)"
            " WHERE a.provider LIKE '%twilio' AND a.outcome <> 'accepted' AND a.code <> 'late_start'"
        )
        assert [outcome] * MISBEHAVING == [a["outcome"] for a in attempts]
        ambiguous = run.rows("SELECT coalesce(sum(ambiguous), 0) FROM delivery")[0][0]
        if mode in ("5xx", "hang"):
            assert MISBEHAVING == ambiguous
        elif outcome == "ambiguous":  # a callback may have come before our patience ended: then nothing is in doubt
            assert ambiguous <= MISBEHAVING
        else:
            assert 0 == ambiguous
        if mode == "429":  # not before the provider's own word
            assert all(a["sent_at"] >= SENT + 40 for a in attempts if a["sent_at"])
        assert [] == run.rows("SELECT person_id FROM router_path WHERE state = 'open'")
        await sound(run, hamlet)


@pytest.mark.long
async def test_a_refused_key_fails_nobody_however_long_it_lasts(hamlet: Prepared, tmp_path: Path) -> None:
    """Half an hour of 401 leaves no delivery FAILED; with the key mended everything goes out."""
    async with stepped(hamlet, tmp_path, rates={"401": 1.0}) as run:
        await run.until(seconds=480.0, stride=30.0)
        stormy = {r["send_state"] for r in run.rows("SELECT send_state FROM delivery WHERE driver LIKE '%twilio'")}
        tries = run.rows("SELECT max(attempts) FROM delivery")[0][0]
        run.world.behaviour.rates = {"429": 1.0}  # one refusal of another kind must not be the last straw
        await run.until(seconds=510.0, stride=30.0)
        run.world.behaviour.rates = {}
        await run.until(seconds=1200.0, stride=30.0)
        sent = run.rows(
            "SELECT count(*) FROM delivery WHERE send_state = 'failed'"
            " AND state_reason IN ('20003', '20429', 'claims_exhausted')"
        )
        assert tries > 12  # more than a message may be claimed or refused for its own sake
        assert SendState.FAILED not in stormy
        assert 0 == sent[0][0]
        assert len(run.world.accepts) > 10


@pytest.mark.parametrize("mode", [pytest.param("5xx", marks=pytest.mark.slow), "hang"])
@pytest.mark.long
async def test_red_silence_of_a_minute_goes_out_on_another_channel_or_once_more(
    hamlet: Prepared, tmp_path: Path, mode: str
) -> None:
    """Each unknown is answered after 60 s by a second try or another channel, and not before."""
    async with stepped(hamlet, tmp_path, queue=deque([mode] * MISBEHAVING)) as run:
        await run.settle()
        unknown = {
            r["delivery_id"]: r["state_at"] for r in run.rows("SELECT * FROM delivery WHERE send_state = 'unknown'")
        }
        assert unknown
        await run.until(seconds=55.0)
        again = run.rows("SELECT delivery_id FROM attempt WHERE n = 2")
        assert set() == {r["delivery_id"] for r in again} & set(unknown)
        await run.until(seconds=300.0)
        rows = run.rows("SELECT * FROM delivery")
        state = {r["delivery_id"]: r for r in rows}
        other = {r["person_id"] for r in rows if "unknown for 60 s" in r["reason"]}
        for one in unknown:
            row = state[one]
            receipt = row["send_state"] in ("accepted", "delivered", "failed") and row["attempts"] == 1
            closed = run.rows(
                "SELECT ending FROM router_path WHERE person_id = ? AND state = 'ended'", row["person_id"]
            )
            assert receipt or row["attempts"] == 2 or row["person_id"] in other or closed, dict(row)
        assert any(state[one]["attempts"] == 2 for one in unknown)


@pytest.mark.long
async def test_callbacks_in_any_order_and_number_end_where_the_provider_does(hamlet: Prepared, tmp_path: Path) -> None:
    """Doubled and reversed status callbacks: a text the provider delivered is delivered in the ledger."""
    async with stepped(hamlet, tmp_path, rates={"duplicated": 0.5, "reversed": 0.5}) as run:
        await run.until(run.all_ended, stride=10.0)
        state = {r["delivery_id"]: r for r in run.rows("SELECT * FROM delivery")}
        messages = run.world.sandbox.messages
        texts = [(a.delivery, messages[a.sid].status) for a in run.world.accepts if a.kind == "sms"]
        assert len(texts) > 10
        wrong = [t for t in texts if (t[1] == "delivered") is not (state[t[0]]["send_state"] == "delivered")]
        assert [] == wrong
        await sound(run, hamlet)


@pytest.mark.long
async def test_what_was_claimed_when_the_database_went_is_sent_when_it_is_back(
    hamlet: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a lease to end, and nothing is ambiguous: no call had been made. Also where the intent stood."""
    written = claims.intend

    async def goes(*args: Any) -> set[str]:
        raise OperationalError("intend", None, ConnectionError("gone"))

    async def goes_after(*args: Any) -> set[str]:
        await written(*args)
        return await goes()

    async with stepped(hamlet, tmp_path) as run:
        for away in (goes, goes_after):
            monkeypatch.setattr(sender, "intend", away)
            with pytest.raises(OperationalError):
                await run.settle()
            monkeypatch.setattr(sender, "intend", written)
        assert run.rows("SELECT 1 FROM batch WHERE worker <> ''") or run.rows("SELECT 1 FROM flight WHERE open")
        await run.until(run.all_ended, stride=30.0)
        assert [(0,)] == [tuple(r) for r in run.rows("SELECT sum(ambiguous) FROM delivery")]
        assert not run.rows("SELECT 1 FROM delivery WHERE send_state = 'retry'")
        assert not run.rows("SELECT 1 FROM batch WHERE worker <> ''")
        assert not run.rows("SELECT 1 FROM flight WHERE open")
        await sound(run, hamlet)
