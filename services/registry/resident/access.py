"""Signs a resident in with a code to their phone; nobody finds out by asking whether a number is registered.

The request does the same for every number: it writes a challenge. Whether anybody gets a code is decided later, in the
registry's loop. A code follows from the challenge's id and the index key, so none is stored. What a caller is told of
budgets counts what this caller's network address asked for, whether or not anybody was sent anything; what a phone and
all phones together may get is decided in the loop, unseen, and counts codes that went out: numbers of nobody use up nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from aiohttp import web

from services.registry.lookup.search import number_of
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.people.update import Changes, said, today, update_person
from services.registry.resident.code_budget import OWN_S, PER_NUMBER, may_get
from services.registry.store import register
from services.registry.store.resident_tables import challenge
from services.shared.bus.outbox import id_of, new_id, publish
from services.shared.client_address import origin_of
from services.shared.clock import wall
from services.shared.crypto.kept_sealer import KeptSealer
from services.shared.crypto.one_time_codes import is_code_of
from services.shared.crypto.sealing import address_key, page_key
from services.shared.database import locks
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.errors import TooMany
from services.shared.messages import ContactEntry, NoticeRequested
from services.shared.people import phone_numbers
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web import sessions
from services.shared.web.cookies import ME_COOKIE, cookie_of, lay_cookie, take_cookie

CODE_S = 600.0
EVERY_S = 1.0  # wall, between two looks for codes that were asked for
TRIES = 5
PER_ORIGIN = 30
KEPT_S = 86_400.0
GUESSES = 3
GUARDIAN_UNTIL = 14  # below it the guardian decides
CHANNELS = {"self": {"sms": "sms", "voice_mobile": "voice_mobile", "voice_landline": "voice_landline"},
         "other": {"sms": "supporter_sms", "voice_mobile": "supporter_voice", "voice_landline": "supporter_voice"}}  # fmt: skip
TO_REGISTER = {**CHANNELS["self"], "email": "email"}  # kind of contact > channel of its code


class Numbers(NamedTuple):
    """The two forms of the number a code is asked for, as keys; the second may be empty."""

    address_key: str
    other_key: str


class Challenge(NamedTuple):
    """A code that was asked for."""

    challenge_id: str
    address_key: str
    other_key: str
    origin: str
    language: str
    asked_at: float
    kind: str
    sealed: bytes
    key_id: str


class SealedContact(NamedTuple):
    """A contact as a message carries it, whose it is, and whether it may be used."""

    contact_id: str
    owner_id: str
    kind: str
    address_key: str
    sealed: bytes
    key_id: str
    why_not: str
    safe: bool


@dataclass(frozen=True)
class Seat:
    """As whom somebody may go on after the code: the person, their guardian, or a helper; `contact_id` is the phone."""

    person_id: str
    role: str  # self, guardian, helper
    contact_id: str
    supporter_id: str = ""
    proven: bool = True  # False: the number came from a list and was never verified


@dataclass(frozen=True)
class Session:
    """What the cookie says: the phone that was proven, and the seat taken (empty before the choice)."""

    address_key: str
    person_id: str = ""
    role: str = ""
    supporter_id: str = ""


class Access:
    """Codes, seats and sessions."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._index = platform.keys.index
        self._next_look = 0.0  # wall
        self._sealer = KeptSealer(platform.keys)

    # codes

    async def ask(self, number: str, request: web.Request, language: str) -> str:
        """A challenge for this number, known or not; its id. TooMany over a budget, Refused where it is no number."""
        return await self._challenge(
            self._keys_of(number_of(number, self._platform.settings.country)), request, language
        )

    async def ask_to_register(self, kind: str, address: str, request: web.Request, language: str) -> str:
        """A challenge for a phone (E.164) or mailbox that somebody registers with, known or not; its id. TooMany over a
        budget. The code goes to what is typed, wherever nobody hides behind it."""
        keys = Numbers(address_key(self._index, kind, address), "") if kind == "email" else self._keys_of(address)
        challenge_id = new_id()
        sealer = self._sealer.sealer()
        where = {"kind": kind, "sealed": sealer.seal(address.encode(), challenge_id), "key_id": sealer.key_id}
        return await self._challenge(keys, request, language, challenge_id, where, sealer.row())

    def _keys_of(self, e164: str) -> Numbers:
        forms = sorted(phone_numbers.forms(e164))  # one budget, however it is written
        key, *other = [address_key(self._index, "sms", one) for one in forms]
        return Numbers(key, "".join(other))

    async def _challenge(
        self,
        keys: Numbers,
        request: web.Request,
        language: str,
        challenge_id: str = "",
        where: Mapping[str, object] | None = None,
        page: Mapping[str, object] | None = None,
    ) -> str:
        key = keys.address_key
        row = {
            "challenge_id": challenge_id or new_id(), "address_key": key, "other_key": keys.other_key,
            "origin": self.origin(request), "language": language, "asked_at": wall(), "tries": 0, "sent": 0,
            "state": "asked", "kind": "", "sealed": b"", "key_id": "", **(where or {}),
        }  # fmt: skip
        async with self._platform.database.write() as tx:
            if page is not None:
                await insert_new(tx, page_key, [page])
            since = challenge.c.asked_at > wall() - 3600
            here = challenge.c.origin == row["origin"]
            budgets = ((PER_NUMBER, sa.and_(here, challenge.c.address_key == key)), (PER_ORIGIN, here))
            for most, which in budgets:
                count = await tx.scalar(sa.select(sa.func.count()).select_from(challenge).where(since, which))
                if int(count or 0) >= most:
                    raise TooMany(
                        "too many codes were asked for within an hour: use the last one, or wait an hour, or call "
                        f"{self._platform.settings.hotline}",
                        retry_after=3600,
                    )
            await tx.execute(sa.insert(challenge).values(**row))
        return str(row["challenge_id"])  # handled with others, once a second: what follows slows no later request

    def origin(self, request: web.Request) -> str:
        """Keyed hash of the caller's network address."""
        address = origin_of(request, self._platform.settings.proxies)
        return hmac.new(self._index, b"origin\0" + address.encode(), hashlib.sha256).hexdigest()

    async def answer(self, challenge_id: str, code: str) -> Sequence[Seat]:
        """The seats the phone opens; none where the code is wrong, old, used, tried too often, or the phone nobody's."""
        async with self._platform.database.write() as tx:
            asked = await self._tried(tx, challenge_id, code)
            if asked is None:
                return ()
            seats = await self.seats(tx, await self._registered(tx, asked.address_key, asked.other_key))
            if seats:
                await self._use(tx, challenge_id)
        return seats

    async def proves(self, challenge_id: str, code: str, kind: str, address: str) -> str:
        """The address key of what somebody registers with and has proven by this code, of the form of the number that is in
        the register if one is; empty where the code is wrong, old, used or tried too often."""
        async with self._platform.database.write() as tx:
            asked = await self._tried(tx, challenge_id, code)
            if asked is None:
                return ""
            await self._use(tx, challenge_id)
            known = await self._registered(tx, asked.address_key, asked.other_key)
            theirs = sa.select(register.contact.c.address_key).where(register.contact.c.address_key == known)
            there = await tx.scalar(theirs.limit(1)) is not None
            return known if there else self.contact_key(kind, address)  # as it will stand there

    async def _tried(self, tx: Connection, challenge_id: str, code: str) -> Numbers | None:
        """The numbers of a challenge whose code this is; each try is counted."""
        open_one = (
            challenge.c.challenge_id == challenge_id, challenge.c.tries < TRIES, challenge.c.state != "used",
            challenge.c.asked_at > wall() - CODE_S,
        )  # fmt: skip
        counted = sa.update(challenge).where(*open_one).values(tries=challenge.c.tries + 1)
        asked = await row_of(tx, Numbers, counted.returning(*columns(Numbers, challenge)))
        right = is_code_of(self._platform.signer("residents"), challenge_id, code.strip())
        return asked if right else None

    @staticmethod
    async def _use(tx: Connection, challenge_id: str) -> None:
        await tx.execute(sa.update(challenge).where(challenge.c.challenge_id == challenge_id).values(state="used"))

    async def key_of(self, challenge_id: str) -> str:
        """The address key a challenge was made for, of the form of the number that is in the register."""
        async with self._platform.database.read() as db:
            found = sa.select(*columns(Numbers, challenge)).where(challenge.c.challenge_id == challenge_id)
            row = await row_of(db, Numbers, found)
            return await self._registered(db, row.address_key, row.other_key) if row is not None else ""

    @staticmethod
    async def _registered(db: Connection, address_key: str, other_key: str) -> str:
        """Of the two forms of a number the one somebody is registered with."""
        if other_key:
            mine = sa.select(register.contact.c.address_key).where(register.contact.c.address_key == address_key)
            if await db.scalar(mine.limit(1)) is None:
                return other_key
        return address_key

    async def seats(self, db: Connection, key: str) -> Sequence[Seat]:
        """Everybody this phone may speak for: people whose own it is, people whose helper or guardian it belongs to."""
        found: list[Seat] = []
        rows = await db.execute(
            sa.select(register.contact, register.person.c.person_id)
            .join(register.person, register.person.c.person_id == register.contact.c.owner_id)
            .where(
                register.contact.c.address_key == key, register.contact.c.why_not != "not_hers",
                register.person.c.kind != "facility",
            )
            .order_by(register.person.c.person_id, register.contact.c.kind)
        )  # fmt: skip
        for row in rows:
            proven = bool(row.verified_on) or row.given_by == "self"
            found.append(Seat(row.person_id, "self", row.contact_id, proven=proven))
        rows = await db.execute(
            sa.select(register.contact.c.contact_id, register.supporter)
            .join(register.supporter, register.supporter.c.supporter_id == register.contact.c.owner_id)
            .where(register.contact.c.address_key == key, register.contact.c.why_not != "not_hers")
            .order_by(register.supporter.c.person_id, register.contact.c.kind)
        )
        for row in rows:
            guards = row.relation == "guardian" and row.accepted_on
            found.append(Seat(row.person_id, "guardian" if guards else "helper", row.contact_id, row.supporter_id))
        once: dict[tuple[str, str], Seat] = {}
        for seat in found:
            once.setdefault((seat.person_id, seat.role), seat)
        return tuple(once.values())

    async def send_due(self) -> bool:
        """Sends the codes that were asked for to those who are in the register; True if any was asked for."""
        if wall() < self._next_look:
            return False
        self._next_look = wall() + EVERY_S
        async with self._platform.database.read() as db:
            waiting = sa.select(challenge.c.challenge_id).where(challenge.c.state == "asked").limit(1)
            if await db.scalar(waiting) is None:
                return False
        async with self._platform.database.write() as tx:
            await locks.sign_in_codes(tx)
            asked = challenge.c.state == "asked"
            known = sa.exists().where(
                register.contact.c.address_key.in_((challenge.c.address_key, challenge.c.other_key))
            )
            # numbers of nobody are done with at once, however many: nobody's code waits behind them
            nobody = sa.and_(asked, sa.not_(known), challenge.c.kind == "")
            await tx.execute(sa.update(challenge).where(nobody).values(state="handled"))
            some = sa.select(*columns(Challenge, challenge)).where(asked).order_by(challenge.c.asked_at).limit(50)
            for row in await rows_of(tx, Challenge, some):
                sent = 0
                most = self._platform.settings.codes_per_hour
                registers = bool(row.kind)
                if row.asked_at > wall() - CODE_S and await may_get(
                    tx, row.address_key, row.origin, most, registers=registers
                ):
                    known_as = await self._registered(tx, row.address_key, row.other_key)
                    entry = await (self._typed(tx, row, known_as) if registers else self._channel(tx, known_as))
                    if entry is not None:
                        await publish(
                            tx, [self.notice(row.challenge_id, "one_time_code", *entry, row.language, CODE_S)]
                        )
                        sent = 1
                mine = challenge.c.challenge_id == row.challenge_id
                await tx.execute(sa.update(challenge).where(mine).values(state="handled", sent=sent, sealed=b""))
            own = sa.and_(challenge.c.state == "used", challenge.c.origin != "", challenge.c.asked_at > wall() - OWN_S)
            await tx.execute(sa.delete(challenge).where(challenge.c.asked_at < wall() - KEPT_S, sa.not_(own)))
        self._platform.bus.wake()
        return True

    async def _channel(self, tx: Connection, key: str) -> tuple[str, ContactEntry, str] | None:
        """(owner, sealed contact, channel) a code may go to: never a phone that a message would betray."""
        found = sa.select(*columns(SealedContact, register.contact)).where(register.contact.c.address_key == key)
        rows = await rows_of(tx, SealedContact, found)
        people = await repository.load(tx, [row.owner_id for row in rows])
        helpers = set(
            await tx.scalars(
                sa.select(register.supporter.c.supporter_id).where(
                    register.supporter.c.supporter_id.in_([row.owner_id for row in rows])
                )
            )
        )
        for kind in CHANNELS["self"]:  # a text before a call
            for row in rows:
                if row.kind != kind or row.why_not == "not_hers":
                    continue
                if (owner := people.get(row.owner_id)) is not None:
                    if not owner.house and not betrays(owner, row.safe):
                        return row.owner_id, entry_of(row), CHANNELS["self"][kind]
                elif row.owner_id in helpers:
                    return row.owner_id, entry_of(row), CHANNELS["other"][kind]
        return None

    async def _typed(self, tx: Connection, row: Challenge, known_as: str) -> tuple[str, ContactEntry, str] | None:
        """(challenge, what was typed, channel); None where somebody hides behind that phone."""
        if await self.hides(tx, known_as):
            return None
        entry = ContactEntry(row.challenge_id, row.kind, row.address_key, row.sealed, row.key_id)
        return row.challenge_id, entry, TO_REGISTER[row.kind]

    async def hides(self, tx: Connection, key: str) -> bool:
        """Whether somebody hides behind this phone or mailbox, whom a message they did not wait for would betray."""
        found = sa.select(*columns(SealedContact, register.contact)).where(register.contact.c.address_key == key)
        rows = [one for one in await rows_of(tx, SealedContact, found) if one.why_not != "not_hers"]
        people = await repository.load(tx, [one.owner_id for one in rows])
        return any(one.owner_id in people and betrays(people[one.owner_id], one.safe) for one in rows)

    async def may_write_unasked(self, tx: Connection, key: str, most: int) -> bool:
        """Whether one more message that somebody else has caused may go to this phone or mailbox, of `most` a day, whoever
        they are; it is counted. Never where somebody hides."""
        counted = hmac.new(self._index, f"unasked\0{key}".encode(), hashlib.sha256).hexdigest()
        lately = (challenge.c.address_key == counted, challenge.c.asked_at > wall() - KEPT_S)
        sent = int(await tx.scalar(sa.select(sa.func.count()).select_from(challenge).where(*lately)) or 0)
        if sent >= most or await self.hides(tx, key):
            return False
        row = {
            "challenge_id": new_id(), "address_key": counted, "origin": "", "language": "", "asked_at": wall(),
            "tries": TRIES, "state": "used",
        }  # fmt: skip
        await tx.execute(sa.insert(challenge).values(**row))
        return True

    def contact_key(self, kind: str, address: str) -> str:
        """Under which a contact is found."""
        return address_key(self._index, kind, address)

    def notice(
        self,
        notice_id: str,
        kind: str,
        addressee_id: str,
        contact: ContactEntry,
        channel: str,
        language: str,
        lasts: float,
    ) -> NoticeRequested:
        """The message to channels; `lasts` in seconds of warning time."""
        return NoticeRequested(
            msg_id=id_of("notice", notice_id), plane=self._platform.settings.plane, warning_id="", tier=int(Tier.BLUE),
            notice_id=notice_id, kind=kind, addressee_id=addressee_id, contact=contact, language=language,
            expires=self._platform.clock.now() + lasts, params={"channel": channel},
        )  # fmt: skip

    # sessions

    async def give(self, request: web.Request, response: web.StreamResponse, session: Session) -> None:
        """Lays the cookie of a new sign-in on an answer, in place of the old one. It lives an hour at most."""
        if (said_before := self._cookie(request)) is not None:
            await sessions.end(self._platform.database, said_before[-1])
        async with self._platform.database.write() as tx:
            nonce, began = await sessions.begin(tx, "me", session.address_key)
        said_by_it = (session.address_key, session.person_id, session.role, session.supporter_id, f"{began:x}", nonce)
        cookie = self._platform.signer("cookies").sealed("me", "_".join(said_by_it))
        lay_cookie(response, ME_COOKIE, cookie, seconds=sessions.LONGEST_S["me"], https=self._platform.https)

    async def session(self, request: web.Request) -> Session | None:
        """Who signed in; None where nobody did, or it is over."""
        if (said_by_it := self._cookie(request)) is None:
            return None
        key, person_id, role, supporter_id, _, nonce = said_by_it
        on = await sessions.subject_of(self._platform.database, "me", nonce)
        return Session(key, person_id, role, supporter_id) if on == key else None

    def _cookie(self, request: web.Request) -> list[str] | None:
        subject = self._platform.signer("cookies").opened("me", cookie_of(request, ME_COOKIE))
        return subject.split("_") if subject else None

    async def leave(self, request: web.Request, response: web.StreamResponse) -> None:
        """Ends the sign-in: its cookie, wherever a copy of it lies, opens nothing any more."""
        if (said_by_it := self._cookie(request)) is not None:
            await sessions.end(self._platform.database, said_by_it[-1])
        take_cookie(response, ME_COOKIE, https=self._platform.https)

    async def seated(self, db: Connection, session: Session) -> Seat | None:
        """The seat of this session as it stands now: a phone that was taken off opens nothing any more."""
        for seat in await self.seats(db, session.address_key):
            if (seat.person_id, seat.role) == (session.person_id, session.role):
                return seat
        return None

    async def may_guess(self, tx: Connection, session: Session) -> bool:
        """Whether the year of birth may be tried again for this phone and person: three times a day."""
        which = (challenge.c.address_key == self._guess(session), challenge.c.asked_at > wall() - KEPT_S)
        return int(await tx.scalar(sa.select(sa.func.count()).select_from(challenge).where(*which)) or 0) < GUESSES

    async def guessed(self, tx: Connection, session: Session) -> None:
        """Notes one try that was wrong."""
        row = {
            "challenge_id": new_id(), "address_key": self._guess(session), "origin": "", "language": "",
            "asked_at": wall(), "tries": TRIES, "state": "used",
        }  # fmt: skip
        await tx.execute(sa.insert(challenge).values(**row))

    def _guess(self, session: Session) -> str:
        body = f"guess\0{session.address_key}{session.person_id}".encode()
        return hmac.new(self._index, body, hashlib.sha256).hexdigest()

    async def prove(self, tx: Connection, seat: Seat) -> None:
        """Verifies the phone of whoever had the code and knew what a stranger with their old number would not."""
        changes = Changes(channel={seat.contact_id: {"verified_on": today()}})
        await update_person(
            tx, self._platform.keys, seat.person_id, changes, said("self", "self"), reason="code by phone"
        )


def betrays(record: PersonRecord, safe: bool) -> bool:
    """Whether somebody a person hides from could see a message that the person did not wait for."""
    said_so = record.facts.answers
    return not safe and bool(said_so.get("no_test") or said_so.get("protected_address"))


def entry_of(row: SealedContact) -> ContactEntry:
    """A sealed contact as a message carries it."""
    return ContactEntry(row.contact_id, row.kind, row.address_key, row.sealed, row.key_id)


def is_child(record: PersonRecord, year: int) -> bool:
    """Whether a guardian decides for the person; of an unknown age they decide themselves."""
    born = record.facts.answers.get("birth_year")
    return isinstance(born, int) and year - born < GUARDIAN_UNTIL
