"""kill -9 at every named point: what is on disk carries on by itself, and a judge finds nothing lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from services.shared.fault_points import POINTS
from tests.faults.checker import Case, Verdict, judge
from tests.faults.harness import Prepared, rehearsal

TELLING = ("after_provider_accept",)
LATER, LONG = ("before_page_commit", "after_flight", "before_callback_commit"), (pytest.mark.long,)
# which time the point is passed the process dies: in the middle of things, where there is a middle
NTH = {
    "after_batch_claim": 3, "after_flight": 3, "mid_window": 12, "after_provider_accept": 12, "after_outcome_commit": 5,
    "before_callback_commit": 9, "after_callback_commit": 9, "before_evidence_commit": 9, "after_evidence_commit": 9,
    "before_deadline_commit": 2, "after_deadline_commit": 2,
}  # fmt: skip
BEFORE_ANYBODY_IS_SENT_TO = ("after_ingest_commit", "before_page_commit", "after_page_commit", "before_plan_commit")


@pytest.mark.parametrize(
    "point", [pytest.param(p, marks=() if p in TELLING else LONG if p in LATER else (pytest.mark.slow,)) for p in POINTS]
)  # fmt: skip
async def test_nobody_is_lost_and_nothing_doubled_where_the_server_is_killed(
    point: str, town: Prepared, tmp_path: Path, table: Callable[[str, Verdict, float], None]
) -> None:
    """Everybody has a path that ended; doubles stay within what was truly in hand; the audit chain holds."""
    async with rehearsal(town, tmp_path, fault=f"{point}:{NTH.get(point, 1)}") as run:
        warning_id = await run.warn()
        if point == "after_cancel_commit":
            await asyncio.sleep(0.5)
            await run.cancel(warning_id)
        found = await run.until_over(warning_id)
        await run.settled()
        died = [d.code for d in run.deaths]
        words = run.in_words()
        code = await run.stop()
    assert [-9] == died, run.log()[-3000:]
    assert 0 == code, run.log()[-3000:]
    case = Case(
        ground=run.ground,
        accepts=run.world.sandbox.accepts_per_delivery(),
        targets={warning_id: town.everybody},
        promised=run.promised,
        ambiguous_allowed=frozenset().union(*(d.sending for d in run.deaths)),
        secrets=town.numbers,
        logs=run.log().encode(),
    )
    verdict = await judge(case)
    table(f"F24 {point}", verdict, max(run.recovered_s))
    assert [] == verdict.findings, words
    assert (0, 0) == (found["open"], found["unexplained"]), words
    if point in BEFORE_ANYBODY_IS_SENT_TO:
        assert 0 == verdict.ambiguous_to_people
