"""One message about work to one officer, by the channel officers are told on; and who is asked what only a person decides."""

from __future__ import annotations

from collections.abc import Sequence

from services.router.planning.plan import WarningContext
from services.shared.bus.outbox import id_of
from services.shared.messages import NoticeRequested, WorkerEntry

DUTY = ("duty_officer", "superior")  # skills of those who are asked; the first of them anybody on shift has
ASKED_AT_MOST = 3
VOICES = ("voice_mobile", "voice_landline")


def notice(
    ctx: WarningContext, worker: WorkerEntry, kind: str, plane: str, about: str = "", *, voice: bool = False
) -> NoticeRequested | None:
    """The request, once for each worker, kind, `about` and channel; None where the officer has no number we may use.

    `voice`: as a call instead of a text.
    """
    kinds, channel = (VOICES, "officer_voice") if voice else (("sms",), "officer_sms")
    contact = next((c for c in worker.contacts if c.kind in kinds and c.usable), None)
    if contact is None or ctx.channels.get(channel, "no_driver"):
        return None
    parts = ((about,) if about else ()) + ((channel,) if voice else ())
    notice_id = id_of(ctx.issued.warning_id, worker.worker_id, kind, *parts)
    return NoticeRequested(
        msg_id=id_of("notice", notice_id), plane=plane, warning_id=ctx.issued.warning_id, tier=ctx.issued.tier,
        notice_id=notice_id, kind=kind, addressee_id=worker.worker_id, contact=contact, language=worker.language,
        expires=max(ctx.issued.expires, ctx.issued.released) + (3600.0 if kind == "expired" else 0.0),
        params={"channel": channel} if voice else {},
    )  # fmt: skip


def duty_officers(workers: Sequence[WorkerEntry]) -> list[WorkerEntry]:
    """Who is asked what only a person may decide: the duty officers on shift, else the first few of all officers."""
    for skill in DUTY:
        found = [w for w in workers if skill in w.skills]
        if found:
            return found
    return sorted(workers, key=lambda w: w.worker_id)[:ASKED_AT_MOST]
