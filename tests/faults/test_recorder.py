"""Whatever order and however often things are told to the recorder, a delivery ends the same."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services import migrations
from services.channels.model.report import Report
from services.channels.outcomes.fold import write
from services.channels.outcomes.opted_out import stop
from services.shared.bus.outbox import new_id
from services.shared.database.engine import Database
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.flights import state_now
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from tests.kit.flights import in_the_air

S = SendState
CALLBACKS = {
    "queued": (S.ACCEPTED, Evidence.ACCEPTED),
    "sent": (S.ACCEPTED, Evidence.ACCEPTED),
    "delivered": (S.DELIVERED, Evidence.DELIVERED),
    "undelivered": (S.FAILED, Evidence.NONE),
    "read": (S.DELIVERED, Evidence.OPENED),
    "heard": (S.DELIVERED, Evidence.HEARD),
}
OUTCOMES = {S.ACCEPTED: Evidence.ACCEPTED, S.UNKNOWN: Evidence.NONE}


@dataclass
class Bench:
    """A ledger and a loop of its own: hypothesis runs plain functions."""

    database: Database
    runner: asyncio.Runner

    def play(
        self, batches: list[list[Report]], begins: SendState, stop_before: int | None = None, plain: bool = False
    ) -> tuple[Any, ...]:
        """One fresh delivery, the batches written one after the other; what is shown of it then.

        `stop_before`: its number says STOP before that batch, or after the last, and once more at the end.
        """
        return self.runner.run(self._play(batches, begins, stop_before, plain))

    async def _play(
        self, batches: list[list[Report]], begins: SendState, stop_before: int | None, plain: bool
    ) -> tuple[Any, ...]:
        one = new_id()
        async with self.database.write() as tx:
            await tx.execute(
                sa.insert(delivery).values(
                    delivery_id=one, warning_id="w", kind="warning", tier=4, person_id="p", addressee_id="p",
                    addressee_kind="person", step="red.1", channel="sms", driver="sms_twilio", form="plain", language="en",
                    address_key=one, reason="test", due_at=0.0, expires_at=9e9, state_at=0.0,
                    send_state=S.PENDING if begins is S.SENDING else begins, attempts=int(begins is not S.SENDING),
                )
            )  # fmt: skip
            called = await in_the_air(tx, [one]) if begins is S.SENDING else None
        clock = itertools.count(1)
        for n, batch in enumerate(batches):
            if n == stop_before:
                await self._stop(one)
            told = [
                msgspec.structs.replace(
                    r, delivery_id=one, event_key=f"{one[:20]}:{r.event_key}", at=float(next(clock)),
                    flight=called if r.source == "outcome" else None, plain=plain,
                )
                for r in batch
            ]  # fmt: skip
            async with self.database.write() as tx:
                await write(tx, told, "drill")
        if stop_before is not None:
            await self._stop(one)
        columns = (state_now(), delivery.c.evidence, delivery.c.answer)
        async with self.database.read() as db:
            return tuple((await db.execute(sa.select(*columns).where(delivery.c.delivery_id == one))).one())

    async def _stop(self, address_key: str) -> None:
        async with self.database.write() as tx:
            await stop(tx, [address_key], "phone", 0.5, "drill")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('recorder') / 'tocsin.db'}"
    migrations.upgrade(url)
    with asyncio.Runner() as runner:
        database = Database(url, synchronous="OFF")
        yield Bench(database, runner)
        runner.run(database.close())


@st.composite
def tellings(draw: st.DrawFn) -> tuple[SendState, list[list[Report]], list[list[Report]]]:
    """Where the delivery stands, and the same facts told twice: in two orders, with repetitions, in other batches."""
    begins = draw(st.sampled_from([S.SENDING, S.SENDING, S.UNKNOWN, S.RETRY, S.PENDING, S.ACCEPTED]))
    facts = [
        Report("", f"sid:{name}", state=CALLBACKS[name][0], evidence=CALLBACKS[name][1], reason=name)
        for name in draw(st.sets(st.sampled_from(sorted(CALLBACKS))))
    ]
    facts += [
        Report("", f"key:{answer}", "page", evidence=Evidence.ACKNOWLEDGED, answer=answer, by="person")
        for answer in draw(st.sets(st.sampled_from(list(Answer)), max_size=4))
    ]
    if begins is S.SENDING:  # our own call comes back once
        outcome = draw(st.sampled_from(list(OUTCOMES)))
        facts.append(
            Report("", "1:outcome", "outcome", state=outcome, evidence=OUTCOMES[outcome], attempt=1, reason="x")
        )
    return begins, draw(_order(facts)), draw(_order(facts))


@st.composite
def _order(draw: st.DrawFn, facts: list[Report]) -> list[list[Report]]:
    told = draw(st.permutations(facts))
    again = [f for f in facts if f.source != "outcome"]
    repeated = draw(st.lists(st.sampled_from(again), max_size=4)) if again else []
    for one in repeated:
        told.insert(draw(st.integers(0, len(told))), one)
    batches: list[list[Report]] = [[]]
    for one in told:
        if draw(st.booleans()):
            batches.append([])
        batches[-1].append(one)
    return [b for b in batches if b]


@settings(max_examples=250, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(telling=tellings())
@pytest.mark.long
def test_any_order_and_repetition_ends_in_the_same_state_evidence_and_answer(
    bench: Bench, telling: tuple[SendState, list[list[Report]], list[list[Report]]]
) -> None:
    """State, evidence and shown answer hang on what was told, not on when and how often."""
    begins, one, other = telling
    assert bench.play(one, begins) == bench.play(other, begins)
    assert bench.play(one, begins) == bench.play(one, begins, plain=True)  # many at once or one by one


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(telling=tellings(), at=st.integers(0, 4))
def test_a_stop_among_them_changes_nothing_that_went_out(
    bench: Bench, telling: tuple[SendState, list[list[Report]], list[list[Report]]], at: int
) -> None:
    """STOP takes back what is due and nothing else: told before, between or after, what was sent ends as without it."""
    begins, one, other = telling
    if begins in (S.RETRY, S.PENDING):
        begins = S.SENDING if any(r.source == "outcome" for b in one for r in b) else S.ACCEPTED
    assert bench.play(one, begins) == bench.play(other, begins, stop_before=at)


@pytest.mark.parametrize("waits", [S.PENDING, S.RETRY])
def test_what_is_due_to_a_stopped_number_is_suppressed(bench: Bench, waits: SendState) -> None:
    """Whenever the STOP comes, and however often."""
    told = Report("", "in:1", evidence=Evidence.ANSWERED, note="STOP")
    for at in (0, 1):
        assert (S.SUPPRESSED, Evidence.ANSWERED, "") == bench.play([[told], [told]], waits, stop_before=at)


@pytest.mark.parametrize("begins", [S.RETRY, S.PENDING])
def test_a_late_receipt_takes_back_the_second_try(bench: Bench, begins: SendState) -> None:
    """Unknown, set to go out once more, and then the provider says it was delivered: it does not go out again."""
    receipt = Report("", "sid:delivered", state=S.DELIVERED, evidence=Evidence.DELIVERED, reason="delivered")
    assert (S.DELIVERED, Evidence.DELIVERED, "") == bench.play([[receipt]], begins)


def test_the_outcome_of_a_call_never_undoes_a_receipt(bench: Bench, tmp_path: Path) -> None:
    """Our own call timed out after the provider had called back: delivered stays delivered."""
    receipt = Report("", "sid:delivered", state=S.DELIVERED, evidence=Evidence.DELIVERED, reason="delivered")
    silence = Report("", "1:outcome", "outcome", state=S.UNKNOWN, attempt=1, reason="ambiguous")
    assert (S.DELIVERED, Evidence.DELIVERED, "") == bench.play([[receipt], [silence]], S.SENDING)
    assert (S.DELIVERED, Evidence.DELIVERED, "") == bench.play([[silence, receipt]], S.SENDING)
