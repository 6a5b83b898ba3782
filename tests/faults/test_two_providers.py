"""SMS by two providers at once: an operator's SMSC (npm's smpp) and the HTTP stand-in, one warning over both."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import Prepared
from tests.faults.stepped import Stepped, stepped
from tests.kit.smsc import Smsc, smsc

SENT_BY = (
    "SELECT delivery_id, provider, n, outcome FROM attempt WHERE provider IN ('sms_smpp', 'sms_twilio') ORDER BY n"
)


@pytest.fixture
def bound_to(monkeypatch: pytest.MonkeyPatch) -> Any:
    def point(server: Smsc, **more: str) -> None:
        given = {"host": "127.0.0.1", "port": str(server.port), "system_id": "tocsin", "password": "secret"}
        for name, value in (given | more).items():
            monkeypatch.setenv(f"TOCSIN_SMPP_{name.upper()}", value)

    return point


async def is_bound(run: Stepped) -> None:
    link: Any = run.node.channels.drivers["sms_smpp"]
    async with asyncio.timeout(20):
        while link._link.session is None:  # noqa: ASYNC110  the library tells nobody
            await asyncio.sleep(0.01)


def accepted_once(run: Stepped) -> dict[str, str]:
    """Delivery > who accepted it; more than one accept a delivery is a double."""
    found = [r for r in run.rows(SENT_BY) if r["outcome"] == "accepted"]
    assert 1 == max(Counter(r["delivery_id"] for r in found).values())
    return {r["delivery_id"]: r["provider"] for r in found}


async def test_both_have_their_share_and_nobody_gets_a_thing_twice(
    hamlet: Prepared, tmp_path: Path, bound_to: Any
) -> None:
    """Each accepted by one of the two, half and half; receipts of both are written to the same ledger."""
    async with smsc("tocsin", "secret") as server:
        bound_to(server)
        async with stepped(hamlet, tmp_path) as run:
            await is_bound(run)
            await run.until(seconds=120.0, stride=5.0)
            who = accepted_once(run)
            by = Counter(who.values())
            assert by.total() >= 12
            assert abs(by["sms_smpp"] - by["sms_twilio"]) <= by.total() * 0.3
            assert {p["to"] for p in server.messages}
            states = {r["delivery_id"]: r["send_state"] for r in run.rows("SELECT * FROM delivery")}
            ends = Counter((who[one], states[one]) for one in who)
            assert ends["sms_smpp", "delivered"] > 0
            assert ends["sms_twilio", "delivered"] > 0


async def test_where_one_is_gone_all_goes_by_the_other_and_nobody_pays_for_it(
    hamlet: Prepared, tmp_path: Path, bound_to: Any
) -> None:
    """The SMSC never answers a bind: what was dealt to it was surely not sent, and the next try is the other's."""
    async with smsc("tocsin", "another") as server:
        bound_to(server)
        async with stepped(hamlet, tmp_path) as run:
            await run.until(seconds=180.0, stride=5.0)
            rows = run.rows(SENT_BY)
            assert {"not_sent"} == {r["outcome"] for r in rows if r["provider"] == "sms_smpp"}
            assert {"sms_twilio"} == set(accepted_once(run).values())
            second = {r["delivery_id"]: r["provider"] for r in rows if r["n"] == 2}
            assert second
            assert {"sms_twilio"} == set(second.values())
            assert not run.rows("SELECT 1 FROM delivery WHERE send_state = 'failed' AND state_reason = 'not_bound'")
