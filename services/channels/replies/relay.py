"""Records a called-out volunteer's reply as evidence for the resident, at lower weight.

A volunteer on a video call is no supporter at the person's side. By text or key they can say that they have spoken with
the person, that help is needed, or that they reach nobody. Only on their page they pass on the person's own answer. It
counts as the person's, so that it never closes for somebody who cannot judge.
"""

from __future__ import annotations

from typing import Protocol

from services.channels.model.report import Report
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.params import Callout, Params
from services.shared.ledger.states import SendState


class MaybeCallout(Protocol):
    """A delivery that may ask a volunteer."""

    @property
    def params(self) -> Params | None: ...


def passed_on(row: MaybeCallout, answer: Answer | None, event_key: str) -> list[Report]:
    """The reports that a volunteer's text or key makes on the visit or video call they were called out for. Help is
    always passed on. The rest of a video call is, only while they hold it: who was merely asked ends no call."""
    if not isinstance(row.params, Callout):
        return []
    on_it = row.params.video and row.params.holds
    meant = {Answer.HELP} | ({Answer.SPOKE, Answer.CANNOT_REACH} if on_it else set())
    if answer is None or answer not in meant:
        return []
    return [relayed(row.params, answer, event_key, by="officer")]


def relayed(asked: Callout, answer: Answer, event_key: str, *, by: str) -> Report:
    """One answer on the visit or video call itself; the same event told twice is one."""
    reached = asked.video and answer is not Answer.CANNOT_REACH
    return Report(
        asked.visit_id,
        event_key=f"{event_key[:60]}:on",
        source="page",
        state=SendState.DELIVERED if reached else None,
        evidence=Evidence.ACKNOWLEDGED if reached else Evidence.NONE,
        answer=answer,
        by=by,
    )
