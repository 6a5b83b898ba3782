"""Shares between a resident's pages: language, session, what they may decide, one question a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web

from services.registry.model.facts import Provenance
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.people.update import Changes, Revision, said, update_person
from services.registry.resident.access import Access, Seat, Session, is_child
from services.registry.resident.words import words
from services.shared.errors import NotAllowed
from services.shared.service import Platform
from services.shared.web.html import page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Ask:
    """One input: text, tel, number, date, radio or check; `choices` are (value, words)."""

    kind: str
    name: str
    label: str
    value: object = ""
    choices: Sequence[tuple[str, str]] = ()
    attributes: dict[str, str] = field(default_factory=dict)


class Seated(NamedTuple):
    """Somebody signed in, for somebody."""

    session: Session
    seat: Seat
    record: PersonRecord


class MeBase:
    """Platform, access and rendering."""

    def __init__(self, platform: Platform, access: Access) -> None:
        self._platform = platform
        self._access = access

    def show(self, request: web.Request, template: str, status: int = 200, **values: object) -> web.Response:
        """A page in the language that was chosen."""
        return page(
            template, status=status, w=self.w, path=request.path, plane=self._platform.settings.plane,
            saved=request.query.get("saved", "") in ("1", "2") and request.query["saved"], **values,
        )  # fmt: skip

    def question(
        self,
        request: web.Request,
        title: str,
        asks: Sequence[Ask],
        *,
        hint: str = "",
        problem: str = "",
        button: str = "",
        back: str = "/me/home",
        hidden: Sequence[tuple[str, str]] = (),
        danger: bool = False,
    ) -> web.Response:
        """One question, or a few inputs that are one; `problem` says what to do about what was given."""
        button = button or self.w("save")
        return self.show(
            request, "me_question.html", status=422 if problem else 200, title=title, asks=asks, hint=hint,
            problem=problem, button=button, back=back, hidden=hidden, danger=danger,
        )  # fmt: skip

    def w(self, key: str, **values: object) -> str:
        """One sentence of the resident's pages."""
        return words(key, hotline=self._platform.settings.hotline, **values)

    # who

    @property
    def year(self) -> int:
        """Of warning time."""
        return datetime.fromtimestamp(self._platform.clock.now(), UTC).year

    async def seated(self, request: web.Request, *, helper: bool = False) -> Seated:
        """Whoever signed in and took a seat; else back to the first page. A helper sees the helper's page alone."""
        session = await self._access.session(request)
        if session is None or not session.person_id:
            raise web.HTTPSeeOther("/me")
        async with self._platform.database.read() as db:
            seat = await self._access.seated(db, session)
            if seat is None:
                raise web.HTTPSeeOther("/me")
            if seat.role == "helper" and not helper:
                raise web.HTTPSeeOther("/me/helping")
            if not seat.proven:
                raise web.HTTPSeeOther("/me/who")
            record = await repository.load_one(db, session.person_id)
        return Seated(session, seat, record)

    def decides(self, request: web.Request, who: Seated) -> None:
        """Whether this is for whoever came to decide: a child's guardian, or the person. NotAllowed says who."""
        child = is_child(who.record, self.year)
        if who.seat.role == "guardian" and not child:
            raise NotAllowed(self.w("she_decides"), field="role", rule="supported decision")
        if who.seat.role == "self" and child:
            raise NotAllowed(self.w("guardian_only"), field="role", rule="guardian")

    def may_answer(self, request: web.Request, who: Seated, fact: str) -> None:
        """A child's guardian answers all; an adult's only what the adult has not said."""
        if is_child(who.record, self.year):
            self.decides(request, who)
        elif who.seat.role == "guardian" and self.said_herself(who.record, fact):
            raise NotAllowed(self.w("she_said"), field=fact, rule="supported decision")

    @staticmethod
    def said_herself(record: PersonRecord, fact: str) -> bool:
        """Whether this answer is the person's own word."""
        known = fact in record.facts.answers or fact.partition(":")[2] in record.facts.marks
        return known and record.facts.source(fact).source == "self"

    def by(self, who: Seated) -> Provenance:
        """As whose word it is kept."""
        return said("proxy", "guardian") if who.seat.role == "guardian" else said("self", "self")

    async def change(self, who: Seated, changes: Changes, reason: str) -> Revision:
        """Into the register, audited."""
        async with self._platform.database.write() as tx:
            return await update_person(
                tx, self._platform.keys, who.record.person_id, changes, self.by(who), reason=reason
            )


def mask(record: PersonRecord) -> str:
    """The first letter of the person's name."""
    return record.facts.marks.get("call_name", ("", ""))[1] or "…"
