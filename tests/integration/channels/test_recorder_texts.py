"""What strangers write reaches the recorder: nothing in it may spoil what was learnt of others in the same moment."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError

from services.channels.model.report import Report
from services.channels.outcomes import fold as reports_module
from services.channels.outcomes import recorder as recorder_module
from services.channels.outcomes.recorder import OutcomeRecorder
from services.shared.bus.outbox import id_of
from services.shared.bus.port import Bus
from services.shared.clock import StepClock
from services.shared.database.engine import Database
from services.shared.ledger.answers import answer_log
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.tables import delivery


class Quiet:
    def wake(self) -> None:
        return None


@pytest.fixture
async def database(empty: Database) -> Database:
    rows = [
        {
            "delivery_id": id_of(n), "warning_id": id_of("w"), "kind": "warning", "tier": 4, "person_id": id_of("p", n),
            "addressee_id": id_of("p", n), "addressee_kind": "person", "step": "red.1", "channel": "sms",
            "driver": "sms_twilio", "form": "plain", "language": "en", "address_key": str(n), "reason": "test",
            "send_state": "accepted", "due_at": 0.0, "expires_at": 9e9, "state_at": 0.0, "attempts": 1, "token": 1,
        }
        for n in range(3)
    ]  # fmt: skip
    async with empty.write() as tx:
        await tx.execute(sa.insert(delivery), rows)
    return empty


def recorder_of(database: Database) -> OutcomeRecorder:
    return OutcomeRecorder(database, cast(Bus, Quiet()), StepClock(1000.0), "drill")


def said(n: int, **more: Any) -> Report:
    return Report(
        id_of(n), event_key=f"in:{n}", evidence=Evidence.ACKNOWLEDGED, answer=Answer.HELP, by="person", **more
    )


async def evidence(database: Database) -> list[int]:
    async with database.read() as db:
        return list((await db.scalars(sa.select(delivery.c.evidence).order_by(delivery.c.address_key))).all())


@pytest.mark.parametrize("dirt", ["\0", "a\0b", "\ud800", "x" * 5000, "a\nb", "\u202e\x1b[2J"])
async def test_no_text_of_a_stranger_spoils_what_was_learnt_of_others(database: Database, dirt: str) -> None:
    """As key of an event, as note, reason, code and reference; all three are written, and no dirt comes along."""
    one = recorder_of(database)
    await asyncio.gather(
        one.report(said(0)),
        one.report(
            Report(id_of(1), event_key=dirt, answer=Answer.HELP, by="person", evidence=Evidence.ACKNOWLEDGED, note=dirt,
                   reason=dirt, code=dirt, ref=dirt)
        ),
        one.report(said(2)),
    )  # fmt: skip
    assert [int(Evidence.ACKNOWLEDGED)] * 3 == await evidence(database)
    async with database.read() as db:
        notes = (await db.scalars(sa.select(answer_log.c.note).where(answer_log.c.delivery_id == id_of(1)))).all()
    assert all(c.isprintable() for note in notes for c in note)


async def test_a_report_no_database_takes_fails_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sent it hears so; the others in the same burst are written."""
    real = reports_module.write

    async def write(tx: Any, reports: list[Report], *rest: Any) -> None:
        if any(r.delivery_id == id_of(1) for r in reports):
            raise DataError("insert", None, ValueError("no"))
        await real(tx, reports, *rest)

    monkeypatch.setattr(recorder_module, "write", write)
    one = recorder_of(database)
    found = await asyncio.gather(*(one.report(said(n)) for n in range(3)), return_exceptions=True)
    assert [None, DataError, None] == [f if f is None else type(f) for f in found]
    assert [int(Evidence.ACKNOWLEDGED), 0, int(Evidence.ACKNOWLEDGED)] == await evidence(database)
