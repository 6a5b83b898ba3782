"""Takes replies and keys: finds the delivery each belongs to, records the answer, and says what to send back.

STOP is heard before anything else and from any number; all else only from a phone that was written to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

import sqlalchemy as sa

from services.channels.messages.phrases import Lines, answered_as, of_instruction
from services.channels.messages.prepare import Preparer, reference
from services.channels.messages.render import lines_for
from services.channels.model.inbound import Inbound
from services.channels.model.outbound import Outbound
from services.channels.model.report import Report
from services.channels.outcomes import opted_out
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.replies.matching import (
    Candidate,
    asks_of,
    by_of,
    candidates,
    choose,
    going_on,
    yes_means,
)
from services.channels.replies.meaning import Reply, Sense, calls_for_help, read_reply
from services.channels.replies.quoted_text import read_phone, strings
from services.channels.replies.relay import passed_on
from services.channels.replies.team_texts import TeamTexts
from services.shared.crypto.sealing import address_key
from services.shared.database.batches import one_of
from services.shared.database.rows import row_of
from services.shared.errors import NotFound
from services.shared.ledger.answers import answer_log
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.flights import calls_now
from services.shared.ledger.help_wanted import help_number
from services.shared.ledger.params import DoorReaches
from services.shared.ledger.tables import Delivery, delivery
from services.shared.ledger.warnings import warning_state, warning_text
from services.shared.people import phone_numbers
from services.shared.service import Platform

_TOLD = (
    sa.select(warning_text.c.parts, warning_state.c.tier)
    .join(warning_state, warning_state.c.warning_id == warning_text.c.warning_id)
    .where(warning_text.c.warning_id == sa.bindparam("warning"))
)
YES = "yes"  # the note of a bare yes that was asked back


class ReplyInbox:
    """One per process; holds no address."""

    def __init__(self, platform: Platform, recorder: OutcomeRecorder, preparer: Preparer) -> None:
        self.database = platform.database
        self._clock = platform.clock
        self._plane = platform.settings.plane
        self._recorder = recorder
        self._preparer = preparer
        self._teams = TeamTexts(platform)
        self._index_key = platform.keys.index
        self._hotline = platform.settings.hotline
        self._in_danger = platform.settings.in_danger

    async def thanks(self, answer: Answer, warning_id: str, language: str, person_id: str = "") -> str:
        """What we say back to an answer: what it means for what the warning told people to do, and the number of a call for
        help where the person is known. Never a promise of time."""
        lines = lines_for(language)
        if answer is Answer.LEAVING and warning_id:
            async with self.database.read() as db:
                found = (await db.execute(_TOLD, {"warning": warning_id})).first()
            told = "" if found is None else answered_as(str(found.parts.get("instruction", "")), found.tier)
            return of_instruction(lines.doing, told)
        case = ""
        if answer is Answer.HELP:
            if not person_id:  # an officer's: a person reads it at once, and it is no case of anybody's path
                return lines.read_by_person.format(hotline=self._hotline)
            chain = sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == warning_id)
            async with self.database.read() as db:
                case = help_number(await db.scalar(chain) or warning_id, person_id)
        return lines.thanks.get(answer, lines.not_understood).format(hotline=self._in_danger, case=case)

    async def inbound(self, message: Inbound) -> str:
        """Records a reply and returns ours; empty where we know nothing of this phone (and say nothing to it).

        What a machine wrote is kept like any other words, and not answered: it would answer us.
        """
        answer, reply = await self._heard(message)
        return "" if reply.machine else answer

    async def _heard(self, message: Inbound) -> tuple[str, Reply]:
        keys = self._keys(message)
        reply = read_reply(message.text)
        if reply.sense is Sense.STOP or message.opt_out == "STOP":
            return await self._stop(keys, message), reply
        if (reply.sense is Sense.START or message.opt_out == "START") and await self._start(keys):
            known = await self._language(keys)
            return (lines_for(known).started if known and message.opt_out != "START" else ""), reply
        if thanks := await self._teams.heard(keys, message.text, message.event_key):
            return thanks, Reply(None)
        async with self.database.read() as db:
            rows, active = await candidates(db, keys)
        if not rows:
            return "", reply
        refs = {reference(row.delivery_id) for row in rows}
        reply = read_phone(message.text, refs, await self._sent(rows) if calls_for_help(reply) else ())
        row, lines = choose(rows, reply), lines_for(rows[0].language)
        if row is None:
            if calls_for_help(reply):  # for whom is asked; that somebody needs help is known already
                await self._note(going_on(rows[0], active), message, "urgent")
            elif reply.sense is Sense.QUESTION:  # whoever it is of, a person reads it
                await self._note(going_on(rows[0], active), message, "question")
                return lines.read_by_person.format(hotline=self._hotline), reply
            return lines.ask_which, reply
        if reply.sense is Sense.YES:
            meant = yes_means(row)
            if meant is None:
                return await self._yes(row, message, lines), reply
            reply = Reply(meant, sense=Sense.ANSWER)
        if reply.sense is Sense.COUNT:
            newer = going_on(row, active)
            return await self._count(newer if newer.answer else row, reply.count, message.event_key), reply
        if reply.answer is None or reply.answer is Answer.HELP:
            row = going_on(row, active)  # who acts does so under the warning that goes on
        if reply.answer is None or (reply.answer is not Answer.HELP and not row.attempts):
            # an answer to a message they were not sent is to an older one, or to a call: it closes nothing by itself
            await self._note(row, message, "urgent" if reply.sense is Sense.PERHAPS_HELP else "question")
            return lines.read_by_person.format(hotline=self._hotline), reply
        await self._recorder.report(
            Report(
                row.delivery_id,
                event_key=message.event_key,
                evidence=_shows(row, Evidence.ACKNOWLEDGED),
                answer=reply.answer,
                by=by_of(row.addressee_kind),
                covers=reply.count or 1,
                # words beside a call for help say where and what: who goes there reads them
                note=message.text if reply.answer is Answer.HELP and len(message.text.strip()) > 1 else "",
                asks=asks_of(row, reply.answer),
            )
        )
        if row.addressee_kind == "worker" and reply.answer is not Answer.HELP:
            await self._teams.answered(row.addressee_id, row.warning_id, message.event_key)
        for report in passed_on(row, reply.answer, message.event_key):
            await self._recorder.report(report)
        ask = f" {lines.ask_how_many}" if row.covers > 1 and reply.answer is not Answer.HELP else ""
        return await self.thanks(reply.answer, row.warning_id, row.language, row.person_id) + ask, reply

    async def _sent(self, rows: Sequence[Candidate]) -> list[str]:
        """The authority's words in the warnings this phone was sent."""
        about = sorted({row.warning_id for row in rows})
        async with self.database.read() as db:
            found = await db.scalars(sa.select(warning_text.c.parts).where(one_of(warning_text.c.warning_id, about)))
            return [text for parts in found for text in strings(parts)]

    def _keys(self, message: Inbound) -> list[str]:
        """Under what the phone may be known."""
        if message.kind == "email":
            return [address_key(self._index_key, message.kind, message.address)]
        return self.keys_of(message.address)

    def keys_of(self, number: str) -> list[str]:
        """Keys of a phone: a provider may write its number in another legal form than a list did."""
        forms = [one for one in phone_numbers.forms(phone_numbers.normal(number)) if one] or [number]
        return [address_key(self._index_key, "sms", one) for one in forms]

    def code_of(self, use: str, value: str) -> str:
        """By the index key, under a use of its own: it joins with no name of an address."""
        mac = hmac.new(self._index_key, f"{use}\0{value}".encode(), hashlib.sha256).digest()
        return base64.b32encode(mac[:10]).lower().decode()

    async def _note(self, row: Candidate, message: Inbound, asks: str, note: str = "") -> None:
        """Words no rule understands, for a person to read: evidence that somebody reads, and no answer."""
        await self._recorder.report(
            Report(
                row.delivery_id,
                event_key=message.event_key,
                evidence=_shows(row, Evidence.ANSWERED),
                by=by_of(row.addressee_kind),
                note=note or message.text,
                asks=asks,
            )
        )

    async def _yes(self, row: Candidate, message: Inbound, lines: Lines) -> str:
        """A yes that can mean two things is asked back once; who says it again is read by a person."""
        earlier = sa.select(answer_log.c.event_key).where(
            answer_log.c.delivery_id == row.delivery_id, answer_log.c.note == YES,
            answer_log.c.event_key != message.event_key[:64],
        )  # fmt: skip
        async with self.database.read() as db:
            again = await db.scalar(earlier.limit(1)) is not None
        await self._note(row, message, "question" if again else "", "" if again else YES)
        return lines.read_by_person.format(hotline=self._hotline) if again else lines.which_yes

    async def _count(self, row: Candidate, count: int, event_key: str) -> str:
        """'N3': the last answer on this phone speaks for three; it counts for as many as this message covered.

        From a house of many that has not answered yet it is one: so many of its people have moved.
        """
        said = await self.answers(row.delivery_id)
        unsaid = Answer.LEAVING if row.addressee_kind == "facility" else None
        answer = Answer(said[-1]) if said else unsaid
        await self._recorder.report(
            Report(
                row.delivery_id,
                event_key=event_key,
                evidence=_shows(row, Evidence.ACKNOWLEDGED),
                answer=answer,
                by=by_of(row.addressee_kind),
                covers=count,
                note=f"{count} together",
            )
        )
        return (
            await self.thanks(answer, row.warning_id, row.language, row.person_id)
            if answer
            else lines_for(row.language).count_noted
        )

    # ---- STOP and START

    async def _stop(self, keys: list[str], message: Inbound) -> str:
        """Kept from whatever number it comes; confirmed once, to a phone we have written to, where the provider does not."""
        async with self.database.write() as tx:
            new = await opted_out.stop(tx, keys, "phone", self._clock.now(), self._plane)
        async with self.database.read() as db:
            rows, _ = await candidates(db, keys)
        if rows:
            await self._note(rows[0], message, "", "STOP")
        known = await self._language(keys)
        if not known or not new or message.opt_out == "STOP":
            return ""
        lines = lines_for(known)
        return lines.stopped if await self._door_reaches(keys) else lines.stopped_no_door

    async def _start(self, keys: list[str]) -> bool:
        async with self.database.write() as tx:
            return await opted_out.start(tx, keys)

    async def _language(self, keys: list[str]) -> str:
        """The language this phone was written to in, ever; empty for a phone we know nothing of."""
        last = sa.select(delivery.c.language).where(one_of(delivery.c.address_key, keys), calls_now() > 0)
        async with self.database.read() as db:
            return str(await db.scalar(last.order_by(delivery.c.due_at.desc(), delivery.c.delivery_id).limit(1)) or "")

    async def _door_reaches(self, keys: list[str]) -> bool:
        """Whether officers go to somebody who was written to on this phone: nobody else is promised it."""
        said = sa.select(delivery.c.params).where(one_of(delivery.c.address_key, keys), delivery.c.params.is_not(None))
        async with self.database.read() as db:
            return any(isinstance(one, DoorReaches) for one in await db.scalars(said.distinct()))

    # ---- calls

    async def say_again(self, delivery_id: str) -> Outbound:
        """One call's message once more."""
        async with self.database.read() as db:
            row = await row_of(db, Delivery, sa.select(delivery).where(delivery.c.delivery_id == delivery_id))
        if row is None:
            raise NotFound("this call is not one of ours", field="token")
        return await self._preparer.prepare(row)

    async def answers(self, delivery_id: str) -> list[str]:
        """What was answered on one delivery, oldest first."""
        async with self.database.read() as db:
            found = await db.scalars(
                sa.select(answer_log.c.answer).where(answer_log.c.delivery_id == delivery_id).order_by(answer_log.c.at)
            )
            return [a for a in found if a]


def _shows(row: Candidate, evidence: Evidence) -> Evidence:
    """What a reply shows of a message: nothing of one that was never sent."""
    return evidence if row.attempts else Evidence.NONE
