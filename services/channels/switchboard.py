"""The switchboard: takes replies and keys, finds whose they are, has them written down, and says what to answer."""

from __future__ import annotations

import sqlalchemy as sa

from services.channels.desk import Desk, Report
from services.channels.inbound import Inbound, by_of, candidates, choose, read_reply
from services.channels.opening import Preparer
from services.channels.render import lines_for
from services.shared.db import Database
from services.shared.errors import NotFound
from services.shared.ledger import Answer, Evidence, answer_log, delivery
from services.shared.sealing import address_key


class Switchboard:
    """One per process; holds no address."""

    def __init__(self, database: Database, desk: Desk, preparer: Preparer, index_key: bytes, hotline: str) -> None:
        self.database = database
        self._desk = desk
        self._preparer = preparer
        self._index_key = index_key
        self._hotline = hotline

    def thanks(self, answer: Answer, language: str) -> str:
        """What we say back to an answer; never a promise of time."""
        lines = lines_for(language)
        return lines.thanks.get(answer, lines.not_understood).format(hotline=self._hotline)

    async def inbound(self, message: Inbound) -> str:
        """Records a reply and returns ours; empty where we know nothing of this phone (and say nothing to it)."""
        key = address_key(self._index_key, message.kind, message.address)
        async with self.database.read() as db:
            rows = await candidates(db, key)
        if not rows:
            return ""
        reply = read_reply(message.text)
        row = choose(rows, reply)
        lines = lines_for(rows[0].language)
        if row is None:
            return lines.ask_which
        if reply.count:
            return await self._count(row, reply.count, message.event_key)
        await self._desk.report(
            Report(
                row.delivery_id,
                event_key=message.event_key,
                evidence=Evidence.ACKNOWLEDGED if reply.answer else Evidence.ANSWERED,
                answer=reply.answer,
                by=by_of(row.addressee_kind),
                note="" if reply.answer else message.text,
            )
        )
        if reply.answer is None:
            return lines.not_understood.format(hotline=self._hotline)
        ask = f" {lines.ask_how_many}" if row.covers > 1 and reply.answer is not Answer.HELP else ""
        return self.thanks(reply.answer, row.language) + ask

    async def _count(self, row: sa.Row[tuple[object, ...]], count: int, event_key: str) -> str:
        """'N3': the last answer on this phone speaks for three; it counts for as many as this message covered."""
        answer = Answer(row.answer) if row.answer else None
        await self._desk.report(
            Report(
                row.delivery_id,
                event_key=event_key,
                evidence=Evidence.ACKNOWLEDGED,
                answer=answer,
                by=by_of(row.addressee_kind),
                covers=count,
                note=f"{count} together",
            )
        )
        return self.thanks(answer, row.language) if answer else lines_for(row.language).thanks["leaving"]

    async def say_again(self, delivery_id: str) -> str:
        """The spoken text of one call once more."""
        async with self.database.read() as db:
            row = (await db.execute(sa.select(delivery).where(delivery.c.delivery_id == delivery_id))).first()
        if row is None:
            raise NotFound("this call is not one of ours", field="token")
        return (await self._preparer.prepare(row)).spoken

    async def answers(self, delivery_id: str) -> list[str]:
        """What was answered on one delivery, oldest first."""
        async with self.database.read() as db:
            found = await db.scalars(
                sa.select(answer_log.c.answer).where(answer_log.c.delivery_id == delivery_id).order_by(answer_log.c.at)
            )
            return [a for a in found if a]
