"""One message about work to one officer, by the channel officers are told on; and who is asked what only a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from services.router.planning.plan import WarningContext
from services.shared.bus.outbox import id_of
from services.shared.database.engine import Connection
from services.shared.messages import NoticeRequested, WorkerEntry
from services.shared.powers.may import may
from services.shared.powers.pagers import Pager, pagers
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.web.auth import who_acts

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


class OnDuty(NamedTuple):
    """Who is asked what only a person may decide: duty officers on shift, or the desk's people by their pagers."""

    officers: list[WorkerEntry]
    paged: list[Pager]

    def notices(
        self,
        ctx: WarningContext,
        kind: str,
        plane: str,
        about: str = "",
        *,
        voice: bool = False,
        number: str = "",
        expires: float,
    ) -> list[NoticeRequested]:
        """The requests; a pager is told by text and call, whatever `voice` says. `number` is the warning's."""
        made = [notice(ctx, one, kind, plane, about, voice=voice) for one in self.officers]
        pages = [
            replace(page, params=page.params | {"number": number})
            for one in self.paged
            for page in one.pages(
                kind, plane=plane, warning_id=ctx.issued.warning_id, tier=ctx.issued.tier, about=about, expires=expires
            )
        ]  # fmt: skip
        return [one for one in made if one is not None] + pages


async def on_duty(db: Connection, ctx: WarningContext, power: Power) -> OnDuty:
    """The duty officers on shift, else whoever stands above; where nobody has the skill, who may do it by the desk's pagers.

    A pair in the field is asked nothing that the desk decides: it is at a door.
    """
    officers = duty_officers(ctx.workers)
    if officers:
        return OnDuty(officers, [])
    found = []
    for pager in await pagers(db):
        who = await who_acts(db, pager.actor)
        if who is not None and may(who, power, await warning_thing(db, who, ctx.issued.warning_id)) is None:
            found.append(pager)
    return OnDuty([], found[:ASKED_AT_MOST])


def in_the_field(ctx: WarningContext) -> list[WorkerEntry]:
    """Some officers of the warning, for what must be heard by somebody where no desk can be told: a pair that stops to read is
    better than a call for help, or an alarm, that nobody hears of."""
    return sorted(ctx.workers, key=lambda w: w.worker_id)[:ASKED_AT_MOST]


def duty_officers(workers: Sequence[WorkerEntry]) -> list[WorkerEntry]:
    """Officers on shift with the skill, none where nobody has it."""
    for skill in DUTY:
        found = [w for w in workers if skill in w.skills]
        if found:
            return found
    return []
