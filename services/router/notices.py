"""One message about work to one officer, by the road officers are told on."""

from __future__ import annotations

from services.router.plan import Context
from services.shared.messages import NoticeRequested, WorkerEntry
from services.shared.outbox import id_of


def notice(ctx: Context, worker: WorkerEntry, kind: str, plane: str, about: str = "") -> NoticeRequested | None:
    """The request, once for each worker, kind and `about`; None where the officer has no number we may use."""
    contact = next((c for c in worker.contacts if c.kind == "sms" and c.usable), None)
    if contact is None or ctx.roads.get("officer_sms", "no_driver"):
        return None
    notice_id = id_of(ctx.issued.warning_id, worker.worker_id, kind, *((about,) if about else ()))
    return NoticeRequested(
        msg_id=id_of("notice", notice_id), plane=plane, warning_id=ctx.issued.warning_id, tier=ctx.issued.tier,
        notice_id=notice_id, kind=kind, addressee_id=worker.worker_id, contact=contact, language=worker.language,
        expires=max(ctx.issued.expires, ctx.issued.released) + (3600.0 if kind == "expired" else 0.0),
    )  # fmt: skip
