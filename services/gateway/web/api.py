"""Serves /api/v1/warnings for programs; 202 only after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, TypedDict

import pydantic
from aiohttp import web

from services.gateway import store
from services.gateway.cap import Reference
from services.gateway.intake.incoming import Incoming, WarningIn, from_cap, from_json
from services.gateway.publish.parts import line
from services.gateway.warnings import shelves
from services.gateway.warnings.acts import Acts
from services.gateway.warnings.admit import Admission
from services.gateway.warnings.part_return import PartIn
from services.gateway.warnings.taken import Taken
from services.shared.clock import iso
from services.shared.errors import NotFound, Refused
from services.shared.ledger.warnings import state_at
from services.shared.powers.approval import approval_of
from services.shared.powers.ground import contradicts, neighbours
from services.shared.powers.may import hidden
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.answers import Accepted, Json, json_body, refused_by
from services.shared.web.asking import asks, the_draft, the_warning, what_is_found, what_is_sent

CAP_TYPES = ("application/cap+xml", "application/xml", "text/xml")


class DecideIn(pydantic.BaseModel):
    """A person's decision on a held warning or draft."""

    model_config = pydantic.ConfigDict(extra="forbid")

    tier: Literal["blue", "yellow", "orange", "red"] | None = None
    doors: Literal["safe", "unsafe"] | None = pydantic.Field(
        None, description="may people be sent; empty asks the commander"
    )
    reason: str = pydantic.Field("", max_length=400)
    approves: str = pydantic.Field(
        "",
        max_length=160,
        description="`approval` of the warning as you looked at it; asked for where it takes two persons",
    )
    place: str = pydantic.Field(
        "", max_length=20_000, description="its place typed again; asked for where it is far larger than usual"
    )


class CancelIn(pydantic.BaseModel):
    """How a warning ends."""

    model_config = pydantic.ConfigDict(extra="forbid")

    ending: Literal[
        "danger_lower_stay_away", "may_return", "may_return_part", "sent_by_mistake", "checking", "not_ours"
    ]
    reason: str = pydantic.Field(min_length=2, max_length=400)
    part: PartIn | None = pydantic.Field(None, description="where people may return, for may_return_part alone")


class WarningLine(TypedDict):
    """A warning of the list."""

    warning_id: str
    state: str
    kind: str
    number: str
    tier: str | None
    sent: str
    expires: str


class OverlapShown(TypedDict):
    """Another warning in force in the same place; `contradicts`: people there are told the opposite; `forbids_doors`: nobody
    is sent to a door there, for this warning either."""

    warning_id: str
    authority: str
    number: str
    tier: str
    instruction: str
    contradicts: bool
    forbids_doors: bool


class WarningShown(TypedDict):
    """A warning as it stands."""

    warning_id: str
    chain_id: str
    identifier: str
    sender: str
    sent: str
    expires: str
    state: str
    kind: str
    ending: str | None
    tier: str | None
    tier_reason: str
    hazard: str
    respond: str
    asked: str
    instruction: str
    number: str
    doors: str
    notes: list[str]
    replaces: list[str]
    places: dict[str, str]
    approval: str | None
    overlaps: list[OverlapShown]


class WarningTaken(TypedDict):
    """What became of a message, and where to look."""

    warning_id: str
    state: str
    tier: str | None
    notes: list[str]
    seen_before: bool
    live: str


class WarningsApi:
    """The handlers of /api/v1/warnings."""

    def __init__(self, platform: Platform, admission: Admission, acts: Acts) -> None:
        self._platform = platform
        self._admission = admission
        self._acts = acts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.post("/api/v1/warnings", self.post_warning),
            web.get("/api/v1/warnings", self.index),
            web.get("/api/v1/warnings/{warning_id}", self.get_warning),
            web.post("/api/v1/warnings/{warning_id}/release", self.release),
            web.post("/api/v1/warnings/{warning_id}/cancel", self.cancel),
        )

    @asks(Power.DRAFT, what_is_sent)
    async def post_warning(self, request: web.Request, who: Who) -> Accepted[WarningTaken]:
        """CAP or JSON in; `?release=false` keeps it as a draft to look at; `?doors=safe|unsafe` is the commander's word."""
        release = _flag(request, "release", default=True)
        doors = request.query.get("doors", "")
        if doors not in ("", "safe", "unsafe"):
            raise Refused("doors: use safe or unsafe, or leave it out", field="doors", rule="closed_list", given=doors)
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > 200:
            raise Refused(
                "Idempotency-Key: at most 200 characters", field="Idempotency-Key", rule="length", given=key[:40]
            )
        incoming = await self._read(who, request)
        taken = await self._admission.admit(who, incoming, release=release, idempotency_key=key, doors=doors)
        return answer(taken)

    async def _read(self, who: Who, request: web.Request) -> Incoming:
        body = await request.read()
        if not body.strip():
            raise Refused("the body is empty: send a CAP document or JSON", field="body", rule="required")
        kind = request.content_type
        if kind == "application/json":
            try:
                given = WarningIn.model_validate_json(body)
            except pydantic.ValidationError as wrong:
                raise refused_by(wrong) from wrong
            # its polygons are computed with: never on the loop that sends
            return await asyncio.to_thread(from_json, given, body, await self._reference(who, given.updates))
        if kind in CAP_TYPES:
            return await asyncio.to_thread(from_cap, body, strict=_flag(request, "strict", default=True))
        raise Refused(
            f"content type {kind} is not known: send application/cap+xml or application/json",
            field="Content-Type", rule="closed_list", given=kind,
        )  # fmt: skip

    async def _reference(self, who: Who, updates: str) -> tuple[Reference, ...]:
        if not updates:
            return ()
        async with self._platform.database.read() as db:
            row = await store.find_stored(db, updates)
            unseen = hidden(who, await warning_thing(db, who, updates))
        if row is None or unseen is not None:
            raise NotFound(f"updates: there is no warning {updates}", field="updates", given=updates)
        return (Reference(row.sender, row.identifier, datetime.fromtimestamp(row.sent, UTC)),)

    @asks(Power.SEE, what_is_found)
    async def index(self, request: web.Request, who: Who) -> Json[list[WarningLine]]:
        """Lists all in force by tier, and late orange and red, on the first page; then 50 others a page."""
        page, now = shelves.page_of(request.query.get("page", ""), "page"), self._platform.clock.now()
        async with self._platform.database.read() as db:
            first = [*await shelves.running(db, now), *await shelves.late(db, now)] if page == 1 else []
            rest = await shelves.rest(db, who, now, page)
        headers = {"Link": f'</api/v1/warnings?page={page + 1}>; rel="next"'} if rest.more else {}
        return Json(
            [
                {"warning_id": r.warning_id, "state": state_at(r.state, r.expires_at, now), "kind": r.kind, "number": r.number,
                 "tier": Tier(r.tier).word if r.tier else None, "sent": iso(r.sent), "expires": iso(r.expires_at)}
                for r in (*first, *rest.rows)
            ],
            headers=headers,
        )  # fmt: skip

    @asks(Power.SEE, the_warning)
    async def get_warning(self, request: web.Request, who: Who) -> Json[WarningShown]:
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            row = await store.stored(db, warning_id)
            unsent, now = row.state_state in ("draft", "held"), self._platform.clock.now()
            plane = self._platform.settings.plane
            approval = (await approval_of(db, warning_id, plane, now)).seal if unsent else None
            others = await neighbours(db, row.state_chain_id, row.area, row.geocodes, now)
        instruction = row.sense.get("instruction", "")
        return Json(
            {
                "warning_id": warning_id,
                "chain_id": row.state_chain_id,
                "identifier": row.identifier,
                "sender": row.sender,
                "sent": iso(row.sent),
                "expires": iso(row.state_expires_at),
                "state": state_at(row.state_state, row.state_expires_at, self._platform.clock.now()),
                "kind": row.state_kind,
                "ending": row.state_ending or None,
                "tier": Tier(row.state_tier).word if row.state_tier else None,
                "tier_reason": row.sense["tier_reason"],
                "hazard": row.sense["hazard"],
                "respond": row.sense["respond"],
                "asked": row.sense.get("asked", ""),
                "instruction": instruction,
                "number": row.state_number,
                "doors": row.state_doors,
                "notes": row.sense["notes"],
                "replaces": list(row.replaces),
                "places": {language: line(text["place"]) for language, text in row.texts.items()},
                "approval": approval,
                "overlaps": [
                    {
                        "warning_id": o.warning_id,
                        "authority": o.authority,
                        "number": o.number,
                        "tier": Tier(o.tier).word,
                        "instruction": o.instruction,
                        "contradicts": contradicts(instruction, row.state_ending, o),
                        "forbids_doors": o.forbids_doors,
                    }
                    for o in others
                ],
            }
        )

    @asks(Power.SEND, the_draft)
    async def release(self, request: web.Request, who: Who) -> Accepted[WarningTaken]:
        given = await json_body(request, DecideIn)
        taken = await self._acts.release(
            who,
            request.match_info["warning_id"],
            Tier.of(given.tier) if given.tier else None,
            given.doors or "",
            given.reason,
            given.approves,
            given.place,
        )
        return answer(taken)

    @asks(Power.CHECK, the_warning)
    async def cancel(self, request: web.Request, who: Who) -> Accepted[WarningTaken]:
        given = await json_body(request, CancelIn)
        return answer(
            await self._acts.cancel(who, request.match_info["warning_id"], given.ending, given.reason, given.part)
        )


def answer(taken: Taken) -> Accepted[WarningTaken]:
    """What the caller hears: id, state, tier, notes, and where to look."""
    return Accepted(
        {
            "warning_id": taken.warning_id,
            "state": taken.state,
            "tier": taken.tier.word if taken.tier else None,
            "notes": list(taken.notes),
            "seen_before": taken.again,
            "live": f"/live/{taken.warning_id}",
        },
        headers={"Location": f"/api/v1/warnings/{taken.warning_id}"},
    )


def _flag(request: web.Request, name: str, *, default: bool) -> bool:
    value = request.query.get(name)
    if value is None:
        return default
    if value not in ("true", "false"):
        raise Refused(f"{name}: use true or false", field=name, rule="boolean", given=value)
    return value == "true"
