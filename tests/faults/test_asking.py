"""What stayed silent is asked about: a lost answer and lost receipts are found at the provider, nothing goes twice."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import aiohttp
import pytest

from services.channels.model import http_call
from services.channels.sending import reconcile
from services.sim.world import World
from tests.faults.harness import SENT, Prepared
from tests.faults.stepped import stepped


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_call, "TIMEOUT", aiohttp.ClientTimeout(total=3, connect=3))


def silence(world: World) -> None:
    """The provider's callbacks never come."""
    world.sandbox._player.tell = _nothing  # type: ignore[method-assign]


async def _nothing(*args: object, **more: object) -> None:
    return None


@pytest.mark.parametrize("mode", ["accept_then_reset", pytest.param("malformed", marks=pytest.mark.slow)])
async def test_an_answer_that_was_lost_is_found_by_number_and_text(hamlet: Prepared, tmp_path: Path, mode: str) -> None:
    """Six texts were taken and we do not know it: asked after 15 s, they are the provider's, and are not sent again."""
    async with stepped(hamlet, tmp_path, queue=deque([mode] * 6)) as run:
        silence(run.world)
        await run.settle()
        unknown = [r["delivery_id"] for r in run.rows("SELECT * FROM delivery WHERE send_state = 'unknown'")]
        texts = {r["delivery_id"] for r in run.rows("SELECT * FROM delivery WHERE channel LIKE '%sms'")}
        assert 6 == len(unknown)
        await run.until(seconds=16.0)
        await run.until(seconds=22.0)
        found = {r["delivery_id"]: r for r in run.rows("SELECT * FROM delivery")}
        for one in unknown:
            if one in texts:
                assert found[one]["send_state"] in ("accepted", "delivered", "failed")
                assert found[one]["provider_ref"] in run.world.sandbox.messages
        await run.until(seconds=200.0)
        assert {1} == {run.world.sandbox.accepts_per_delivery()[one] for one in unknown if one in texts}


@pytest.mark.long
async def test_a_message_nobody_speaks_of_any_more_is_asked_about_ever_more_rarely(
    hamlet: Prepared, tmp_path: Path
) -> None:
    """No callback comes at all: after five minutes the ledger knows of each text what the provider knows."""
    async with stepped(hamlet, tmp_path) as run:
        silence(run.world)
        await run.until(seconds=290.0)
        assert run.rows("SELECT 1 FROM delivery WHERE send_state = 'accepted' AND driver = 'sms_twilio'")
        for minute in range(6, 8):
            await run.until(seconds=60.0 * minute)
        messages = run.world.sandbox.messages
        rows = [
            r
            for r in run.rows("SELECT * FROM delivery WHERE driver = 'sms_twilio' AND provider_ref <> ''")
            if r["sent_at"] is not None and r["sent_at"] < SENT + 100
        ]
        assert rows
        for row in rows:
            status = messages[row["provider_ref"]].status
            expected = {"delivered": "delivered", "undelivered": "failed", "failed": "failed"}
            assert expected[status] == row["send_state"], dict(row)


async def test_who_knows_nothing_new_is_not_asked_at_every_turn(hamlet: Prepared, tmp_path: Path) -> None:
    """A provider that says 'sent' for hours is asked after 5, 10, 25 and 85 minutes: four times in an hour and a half."""
    async with stepped(hamlet, tmp_path) as run:
        silence(run.world)
        await run.settle()
        asked: list[str] = []
        for message in run.world.sandbox.messages.values():
            message.status = "sent"
        run.world.agenda.at = lambda *a, **k: None  # type: ignore[method-assign]  # nothing happens any more

        for minute in range(5, 95, 5):
            run.clock.advance_to(SENT + 60.0 * minute + 1)
            for _ in range(12):  # more a turn than one look asks about
                run.node.channels._reconciler._next = 0.0
                await run.node.channels.tidy()
        asked = [r["times"] for r in run.rows("SELECT times FROM channels_asked")]
        assert asked
        assert {4} >= set(asked), asked
        assert reconcile.AGAIN_S[0] == 300.0
