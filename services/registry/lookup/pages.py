"""Serves /people for whoever may look: search, one person masked, emergency unlock, decoys. Plain forms, no script.

The reason is given with every search and every look, in a form that is sent (POST): no address that opens data exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypedDict

import pydantic
from aiohttp import web

from services.registry.lookup import unlock
from services.registry.lookup.decoys import plant
from services.registry.lookup.search import BY, Asked, Search, Shown
from services.registry.model.answer_words import SOURCES, name_of, value_of
from services.registry.model.facts import PLACE, SEALED
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.people.rows import by_position
from services.shared.crypto.dossier import owner_of
from services.shared.database.engine import Connection
from services.shared.errors import Refused
from services.shared.i18n import mark, t
from services.shared.ledger.opened_calls import Sealed
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Created, json_body
from services.shared.web.asking import asks, the_installation, what_is_found, what_is_sent
from services.shared.web.html import page
from services.shared.web.opening_order import give

LABELS = {"call_name": mark("Name"), "address": mark("Address")}


class DecoysIn(pydantic.BaseModel):
    """How many people who do not exist to plant."""

    model_config = pydantic.ConfigDict(extra="forbid")
    count: int


class DecoysPlanted(TypedDict):
    """Their ids, said once."""

    decoys: list[str]


class LookupPages:
    """The handlers of /people that a person opens."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        settings = platform.settings
        self._search = Search(platform.database, platform.keys.index, settings.country, settings.look_quota)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/people, /people/search, /people/<id>, /people/unlock, POST /people/decoys."""
        return (
            web.get("/people", self.start),
            web.post("/people/search", self.search),
            web.get("/people/unlock", self.unlock_page),
            web.post("/people/unlock", self.unlock),
            web.post("/people/decoys", self.decoys),
            web.get("/people/{person_id:[0-9a-f]{32}}", self.ask),
            web.post("/people/{person_id:[0-9a-f]{32}}", self.person),
        )

    @asks(Power.LOOK, what_is_found)
    async def start(self, request: web.Request, who: Who) -> web.Response:
        """The form; nobody is listed before somebody says whom and why."""
        return await self._search_page(who, Asked("phone", "", ""), None)

    @asks(Power.LOOK, what_is_found)
    async def search(self, request: web.Request, who: Who) -> web.Response:
        """People found, masked."""
        form = await request.post()
        asked = Asked(*(str(form.get(name, ""))[:400] for name in ("by", "value", "reason", "after")))
        try:
            shown = await self._search.search(who, asked, self._platform.clock.now())
        except Refused as fault:
            return await self._search_page(who, asked, None, fault)
        return await self._search_page(who, asked, shown)

    async def _search_page(
        self, who: Who, asked: Asked, shown: Shown | None, fault: Refused | None = None
    ) -> web.Response:
        async with self._platform.database.read() as db:
            open_ones = await unlock.open_ones(db, who, self._platform.clock.now())
            masks = await _masks(db, [row.person_id for row in shown.people]) if shown else {}
        return page(
            "look.html", status=fault.status if fault else 200, who=who, asked=asked, shown=shown, fault=fault, masks=masks,
            by=BY, open_ones=open_ones, quota=self._platform.settings.look_quota, plane=self._platform.settings.plane,
            offset=self._offset,
        )  # fmt: skip

    @property
    def _offset(self) -> Callable[[float], int]:
        return self._platform.settings.offset_at

    @asks(Power.LOOK, what_is_found)
    async def ask(self, request: web.Request, who: Who) -> web.Response:
        """Asks for the reason; the same for every id, whether somebody has it or not."""
        return self._ask(who, request.match_info["person_id"])

    def _ask(self, who: Who, person_id: str, fault: Refused | None = None, reason: str = "") -> web.Response:
        status = fault.status if fault else 200
        return page("look_ask.html", status=status, who=who, person_id=person_id, fault=fault, reason=reason,
                    plane=self._platform.settings.plane)  # fmt: skip

    @asks(Power.LOOK, what_is_found)
    async def person(self, request: web.Request, who: Who) -> web.Response:
        """One person, masked: answers with their source and age, channels, helpers, and the order to open the rest."""
        person_id = request.match_info["person_id"]
        reason = str((await request.post()).get("reason", ""))
        try:
            allowed = await self._search.open(who, person_id, reason, self._platform.clock.now())
        except Refused as fault:
            return self._ask(who, person_id, fault, reason)
        if not allowed:
            return page("look_none.html", status=404, who=who, plane=self._platform.settings.plane)
        async with self._platform.database.read() as db:
            record = await repository.load_one(db, person_id)
        hidden = bool(record.facts.answers.get("protected_address"))
        order = give(self._platform.signer("orders"), person_id, who.actor, _sealed_of(record, hidden))
        return page(
            "look_person.html", who=who, record=record, reason=reason, order=order, hidden=hidden,
            mask=record.facts.marks.get("call_name", ("", "…"))[1],
            answers=answers_of(record), contacts=by_position(record.contacts),
            supporters=by_position(record.supporters),
            helper_contacts={k: by_position(v) for k, v in record.helper_contacts.items()},
            plane=self._platform.settings.plane,
        )  # fmt: skip

    @asks(Power.UNLOCK, what_is_found)
    async def unlock_page(self, request: web.Request, who: Who) -> web.Response:
        """Which unlocks are open, and the form for another."""
        return await self._unlock_page(who)

    async def _unlock_page(
        self, who: Who, fault: Refused | None = None, given: dict[str, str] | None = None
    ) -> web.Response:
        now = self._platform.clock.now()
        async with self._platform.database.read() as db:
            open_ones = await unlock.open_ones(db, who, now)
            declared = await unlock.declared(db, who, now)
        return page(
            "unlock.html", status=fault.status if fault else 200, who=who, open_ones=open_ones, declared=declared,
            hours=unlock.HOURS, fault=fault, given=given or {}, offset=self._offset, plane=self._platform.settings.plane,
        )  # fmt: skip

    @asks(Power.UNLOCK, what_is_sent)
    async def unlock(self, request: web.Request, who: Who) -> web.Response:
        """Opens one."""
        form = await request.post()
        given = {name: str(form.get(name, ""))[:400] for name in ("warning_id", "zone", "hours", "reason")}
        try:
            async with self._platform.database.write() as tx:
                await unlock.open_unlock(
                    tx, who, warning_id=given["warning_id"], zone=given["zone"], reason=given["reason"],
                    hours=int(given["hours"]) if given["hours"].isdecimal() else 0, now=self._platform.clock.now(),
                )  # fmt: skip
        except Refused as fault:
            return await self._unlock_page(who, fault, given)
        raise web.HTTPSeeOther("/people/unlock")

    @asks(Power.DECOY, the_installation)
    async def decoys(self, request: web.Request, who: Who) -> Created[DecoysPlanted]:
        """Plants decoys (JSON: count); answers their ids, once."""
        asked = await json_body(request, DecoysIn)
        year = datetime.fromtimestamp(self._platform.clock.now(), UTC).year
        made = await plant(self._platform.database, self._platform.keys, asked.count, year=year, by=who.label)
        return Created({"decoys": made})


def answers_of(record: PersonRecord, *, own: bool = False) -> list[dict[str, str]]:
    """Every answer in words, with who said it and when; sealed texts by name alone.

    `own` for the person's own page: to others the point on the map is a sealed address's double.
    """
    found = []
    names = [*record.facts.answers, *(SEALED + part for part in record.facts.marks if part != "card")]
    for name in names:
        who = record.facts.source(name)
        if name == PLACE and not own:
            continue
        if name in record.facts.answers:
            said = value_of(name, record.facts.answers[name])
        else:
            said = record.facts.marks["call_name"][1] if name == f"{SEALED}call_name" else "…"
        source = t(SOURCES.get(who.source, who.source)) if own or who.source != "self" else t("the person")
        found.append({"name": name, "words": name_of(name), "said": said, "source": source, "on": who.on})
    return found


async def _masks(db: Connection, people: list[str]) -> dict[str, str]:
    """person_id > first letter of the name."""
    records = await repository.load(db, people)
    return {person_id: record.facts.marks.get("call_name", ("", "…"))[1] for person_id, record in records.items()}


def _sealed_of(record: PersonRecord, hidden: bool) -> tuple[Sealed, ...]:
    """Name, address and numbers as they are sealed; of a protected person the name and safe numbers alone."""
    found = [
        Sealed(LABELS[part.name], owner_of(record.person_id, part.name), part.key_id.hex(), part.sealed)
        for part in record.parts.values()
        if part.name in LABELS and not (hidden and part.name == "address")
    ]
    found += [
        Sealed(row["kind"].replace("_", " "), row["contact_id"], row["key_id"], row["sealed"])
        for row in by_position(record.contacts)
        if not hidden or row["safe"]
    ]
    for supporter_id, row in record.supporters.items():
        found.append(Sealed(f"Helper ({row['relation']})", supporter_id, row["key_id"], row["name"]))
        theirs = by_position(record.helper_contacts.get(supporter_id, {}))
        found += [Sealed("Helper's number", c["contact_id"], c["key_id"], c["sealed"]) for c in theirs]
    return tuple(found)
