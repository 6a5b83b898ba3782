"""Names points at which a test may kill the process."""

from __future__ import annotations

import os
import signal

POINTS = (
    "after_ingest_commit",
    "before_page_commit",
    "after_page_commit",
    "before_plan_commit",
    "after_plan_commit",
    "after_batch_claim",
    "after_flight",
    "mid_window",
    "after_provider_accept",
    "after_outcome_commit",
    "before_callback_commit",
    "after_callback_commit",
    "before_evidence_commit",
    "after_evidence_commit",
    "before_deadline_commit",
    "after_deadline_commit",
    "after_cancel_commit",
)

# On the way over a broker; the embedded bus does not pass them.
BROKER_POINTS = ("after_hint_claim", "after_publish", "after_confirm_noted", "before_ack", "after_ack")

_point, _, _count = os.environ.get("TOCSIN_FAULT_AT", "").partition(":")
_left = int(_count or 1)


def fault_at(point: str) -> None:
    """Kills this process outright the n-th time `point` is passed, if TOCSIN_FAULT_AT=point:n asks for it."""
    global _left
    if point == _point:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
