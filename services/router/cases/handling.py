"""Lets a person take a case by name, hand it over, answer its phone, and close it with a reason.

Each act is one transaction with its audit entry and its line in the case; who acts is the signed-in person.
"""

from __future__ import annotations

from typing import Literal

import pydantic
import sqlalchemy as sa

from services.router.cases import cases
from services.router.cases.view import phone_of
from services.router.store.cases import CaseRow, case
from services.shared.audit import trail
from services.shared.bus.outbox import id_of, new_id, publish
from services.shared.database import locks
from services.shared.database.engine import Connection
from services.shared.database.rows import row_of
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.messages import ContactEntry, NoticeRequested
from services.shared.powers.who import Who
from services.shared.service import Platform

ANSWERS = {"seen": "case_seen", "where": "case_where", "own": "case_own"}  # set sentences of channels, or own words
MOST = 300  # characters of an own sentence: two texts


class CaseIn(pydantic.BaseModel):
    """One act: take; hand_over with `to`; answer with `sentence` (seen, where, own) and `text`; close with `reason`."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    act: Literal["take", "hand_over", "answer", "close"]
    to: str = pydantic.Field("", max_length=80, description="who has it from now on, by name")
    sentence: Literal["", "seen", "where", "own"] = ""
    text: str = pydantic.Field("", max_length=MOST)
    reason: str = pydantic.Field("", max_length=200)
    event: str = pydantic.Field("", max_length=32, description="the same act sent twice is one")


async def act(platform: Platform, who: Who, warning_id: str, case_id: str, given: CaseIn) -> str:
    """Does it and returns the case's id; Refused, Conflict or NotFound change nothing."""
    now = platform.clock.now()
    async with platform.database.write() as tx:
        await locks.cases(tx, warning_id)
        mine = (case.c.warning_id == warning_id, case.c.case_id == case_id)
        row = await row_of(tx, CaseRow, sa.select(case).where(*mine))
        if row is None:
            raise NotFound(
                f"warning {warning_id} has no case {case_id}: open the list again", field="case_id", given=case_id
            )
        if row.closed_at is not None:
            by = row.closed_by or row.close_reason
            raise Conflict(f"this case is closed already ({by}): open the list again", field="case_id", given=case_id)
        match given.act:
            case "take":
                await _take(tx, row, who, now)
            case "hand_over":
                await _hand_over(tx, row, who, given.to, now)
            case "answer":
                await _answer(tx, platform, row, who, given, now)
            case _:
                await _close(tx, row, who, given.reason, now)
    platform.bus.wake()
    platform.wake.router.set()
    return case_id


async def _take(tx: Connection, row: CaseRow, who: Who, now: float) -> None:
    if row.taken_by == who.label:
        return
    if row.taken_by:
        raise Conflict(
            f"{row.taken_by} has this case: let it be handed over to you", field="act", rule="one owner", given="take"
        )
    await _owned(tx, row, who.label, now)
    await cases.write(tx, row.case_id, "taken", now, by=who.label)
    await trail.record(tx, who.label, "case_take", row.case_id, f"case under {row.warning_id}")


async def _hand_over(tx: Connection, row: CaseRow, who: Who, to: str, now: float) -> None:
    if len(to) < 2:
        raise Refused("to: say by name who has it from now on", field="to", rule="a name", given=to)
    await _owned(tx, row, to, now)
    await cases.write(tx, row.case_id, "handed", now, by=who.label, note=to)
    await trail.record(tx, who.label, "case_hand_over", row.case_id, f"to {to}")


async def _owned(tx: Connection, row: CaseRow, by: str, now: float) -> None:
    values = {"taken_by": by[:80], "taken_at": now, "due_at": None}
    await tx.execute(sa.update(case).where(case.c.case_id == row.case_id).values(**values))


async def _answer(tx: Connection, platform: Platform, row: CaseRow, who: Who, given: CaseIn, now: float) -> None:
    """Sends a message to the phone it came from, by a channel that carries words; whoever answers owns a case without owner."""
    if not given.sentence:
        raise Refused("sentence: use seen, where or own", field="sentence", rule="closed_list", given=given.sentence)
    if given.sentence == "own" and not given.text:
        raise Refused("text: write what is to be sent", field="text", rule="not empty")
    to = await phone_of(tx, row.delivery_id)
    if to is None or to.sealed is None:
        raise Conflict(
            "this case came from no phone: send somebody, or call", field="act", rule="a phone", given="answer"
        )
    notice_id = id_of(row.case_id, "answer", given.event or new_id())
    words = {"text": given.text} if given.sentence == "own" else {}
    message = NoticeRequested(
        msg_id=id_of("notice", notice_id), plane=platform.settings.plane, warning_id="", tier=to.tier,
        notice_id=notice_id, kind=ANSWERS[given.sentence], addressee_id=to.addressee_id,
        contact=ContactEntry(to.contact_id, to.channel, to.address_key, to.sealed, to.key_id), language=to.language,
        expires=now + 3600.0, params={"channel": to.channel, **words},
    )  # fmt: skip
    await publish(tx, [message])
    if not row.taken_by:
        await _owned(tx, row, who.label, now)
    note = given.text if given.sentence == "own" else given.sentence
    await cases.write(tx, row.case_id, "answered", now, by=who.label, note=note, key=notice_id)
    await trail.record(tx, who.label, "case_answer", row.case_id, given.sentence)


async def _close(tx: Connection, row: CaseRow, who: Who, reason: str, now: float) -> None:
    if len(reason) < 2:
        raise Refused("reason: say why it is closed", field="reason", rule="a reason", given=reason)
    values = {"closed_at": now, "closed_by": who.label[:80], "close_reason": reason, "due_at": None}
    await tx.execute(sa.update(case).where(case.c.case_id == row.case_id).values(**values))
    await cases.write(tx, row.case_id, "closed", now, by=who.label, note=reason)
    await trail.record(tx, who.label, "case_close", row.case_id, reason)
