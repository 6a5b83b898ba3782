"""Records a called-out volunteer's reply as evidence for the resident, at lower weight.

A volunteer on a video call is no supporter at the person's side: by text or key she can say that she has spoken with her,
that help is needed, or that she does not reach her. Only on her page she passes on the person's own answer, which
counts as the person's, so that it never closes for somebody who cannot judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.channels.model.report import Report
from services.shared.ledger.ledger import Answer, Evidence, SendState

FORM = "callout:"


class CalledOut(Protocol):
    """A delivery that may be a call-out: its form, and what it is about."""

    @property
    def form(self) -> str: ...
    @property
    def params(self) -> Mapping[str, object] | None: ...


def passed_on(row: CalledOut, answer: Answer | None, event_key: str) -> list[Report]:
    """The reports a volunteer's text or key makes on the visit or video call of her call-out; help always, the rest of a
    video call only while she has it: who was merely asked ends no call."""
    params = row.params or {}
    if not row.form.startswith(FORM) or "about" not in params:
        return []
    on_it = params.get("video") and params.get("holds")
    meant = {Answer.HELP} | ({Answer.SPOKE, Answer.CANNOT_REACH} if on_it else set())
    if answer is None or answer not in meant:
        return []
    return [relayed(row, answer, event_key, by="officer")]


def relayed(row: CalledOut, answer: Answer, event_key: str, *, by: str) -> Report:
    """One answer on the visit or video call itself; the same event told twice is one."""
    params = row.params or {}
    reached = bool(params.get("video")) and answer is not Answer.CANNOT_REACH
    return Report(
        str(params["about"]),
        event_key=f"{event_key[:60]}:on",
        source="page",
        state=SendState.DELIVERED if reached else None,
        evidence=Evidence.ACKNOWLEDGED if reached else Evidence.NONE,
        answer=answer,
        by=by,
    )
