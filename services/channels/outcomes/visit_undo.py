"""Undoes the last tap of an officer at a door: the answer before it counts again, and the path is judged anew."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.bus.outbox import new_id, publish
from services.shared.database.engine import Connection
from services.shared.errors import Conflict
from services.shared.ledger.answers import answer_log
from services.shared.ledger.tables import delivery
from services.shared.messages import EvidenceRecorded


async def lock(tx: Connection, delivery_id: str) -> tuple[str, int]:
    """Its warning and the tier; nobody else notes anything at that door until the caller's transaction is over."""
    mine = sa.select(delivery.c.warning_id, delivery.c.tier).where(delivery.c.delivery_id == delivery_id)
    about = (await tx.execute(mine.with_for_update())).one()
    return about.warning_id, about.tier


async def take_back(tx: Connection, delivery_id: str, plane: str, event_key: str = "") -> str:
    """The answer that was taken back: that event's, or the last one's. It stays in the log as undone.

    Empty where that event was taken back before; Conflict where nothing was said.
    """
    warning_id, tier = await lock(tx, delivery_id)
    said = sa.select(answer_log).where(answer_log.c.delivery_id == delivery_id, answer_log.c.answer != "")
    found = (await tx.execute(said.order_by(answer_log.c.at.desc(), answer_log.c.event_key.desc()))).all()
    last = next((row for row in found if not event_key or row.event_key == event_key), None)
    if last is None:
        one = sa.and_(answer_log.c.event_key == event_key, answer_log.c.delivery_id == delivery_id)
        if event_key and await tx.scalar(sa.select(sa.exists().where(one, answer_log.c.undone != ""))):
            return ""
        raise Conflict("nothing is noted at this door: there is nothing to take back", field="outcome", rule="undo")
    before = [row for row in found if row is not last]
    words = sa.update(answer_log).where(answer_log.c.event_key == last.event_key)
    await tx.execute(words.values(answer="", undone=last.answer))
    values = (
        {
            "answer": before[0].answer,
            "answer_by": before[0].by,
            "answer_at": before[0].at,
            "answer_covers": before[0].covers,
        }
        if before
        else {"answer": "", "answer_by": "", "answer_at": None}
    )
    await tx.execute(sa.update(delivery).where(delivery.c.delivery_id == delivery_id).values(**values))
    event = EvidenceRecorded(msg_id=new_id(), plane=plane, warning_id=warning_id, tier=tier, ids=(delivery_id,))
    await publish(tx, [event])
    return str(last.answer)
