"""Serves /report for machines: coverage, paths, goals, and the commander's word on doors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict

import pydantic
import sqlalchemy as sa
from aiohttp import web

from services.router.cases import cases
from services.router.planning.contexts import Contexts
from services.router.report import report
from services.router.report.goals import GoalsMeasured, goals
from services.router.safety import out
from services.shared import alarms
from services.shared.audit import trail
from services.shared.database import locks
from services.shared.errors import Conflict, NotFound
from services.shared.ledger.warnings import warning_state
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Json, json_body
from services.shared.web.asking import asks, the_installation, the_warning


class DoorsIn(pydantic.BaseModel):
    """The commander's word: may people be sent to doors?"""

    model_config = pydantic.ConfigDict(extra="forbid")

    word: Literal["safe", "unsafe"]
    commander: str = pydantic.Field(min_length=2, max_length=80, description="who says so, by name and office")


class AlarmSaid(TypedDict):
    """What a person on duty must know now; since in seconds since 1970."""

    name: str
    since: float
    said: str


class PersonLeft(TypedDict):
    """A person whose path is open, or who was handed over."""

    person_id: str
    state: str
    ending: str
    zone_id: str


class DoorsWord(TypedDict):
    """Whether people may be sent to doors now."""

    warning_id: str
    doors: str


class CoverageApi:
    """The handlers of /report."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/report/alarms", self.alarms),
            web.get("/report/{warning_id}/coverage", self.coverage),
            web.get("/report/{warning_id}/path/{person_id}", self.path),
            web.get("/report/{warning_id}/people", self.people),
            web.get("/report/{warning_id}/goals", self.goals),
            web.post("/report/{warning_id}/doors", self.doors),
        )

    @asks(Power.WATCH, the_warning)
    async def coverage(self, request: web.Request, who: Who) -> Json[report.Coverage]:
        async with self._platform.database.read() as db:
            found = await report.coverage(db, request.match_info["warning_id"], self._platform.clock.now())
        return Json(found)

    @asks(Power.SEE_PLANT, the_installation)
    async def alarms(self, request: web.Request, who: Who) -> Json[list[AlarmSaid]]:
        """What a person on duty must be told now, the oldest first."""
        async with self._platform.database.read() as db:
            found = await alarms.standing(db)
        return Json([{"name": r.name, "since": r.since, "said": r.said} for r in found])

    @asks(Power.WATCH, the_warning)
    async def goals(self, request: web.Request, who: Who) -> Json[GoalsMeasured]:
        """The policy's goals against the ledger; heavier than coverage, and not for every five seconds."""
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            ctx = await self._contexts.of(db, warning_id)
            if ctx is None:
                raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
            return Json(await goals(db, ctx, self._platform.clock.now()))

    @asks(Power.SEE_PEOPLE, the_warning)
    async def path(self, request: web.Request, who: Who) -> Json[report.PersonPath]:
        warning_id, person_id = request.match_info["warning_id"], request.match_info["person_id"]
        async with self._platform.database.read() as db:
            found = await report.path(db, self._contexts, warning_id, person_id)
        async with self._platform.database.write() as tx:
            await trail.record(tx, who.label, "read_path", person_id, f"path under {warning_id}")
        return Json(found)

    @asks(Power.SEE_PEOPLE, the_warning)
    async def people(self, request: web.Request, who: Who) -> Json[list[PersonLeft]]:
        """Ids of open paths and of those handed over, the neediest first."""
        async with self._platform.database.read() as db:
            rows = await report.missing(db, request.match_info["warning_id"])
        return Json(
            [{"person_id": r.person_id, "state": r.state, "ending": r.ending, "zone_id": r.zone_id} for r in rows]
        )

    @asks(Power.SAY_DOORS, the_warning)
    async def doors(self, request: web.Request, who: Who) -> Json[DoorsWord]:
        given = await json_body(request, DoorsIn)
        word = await say_doors(
            self._platform, self._contexts, who, request.match_info["warning_id"], given.word, given.commander
        )
        return Json({"warning_id": request.match_info["warning_id"], "doors": word})


async def say_doors(
    platform: Platform, contexts: Contexts, who: Who, warning_id: str, word: str, commander: str
) -> str:
    """Records the commander's word; a hazard that forbids doors is not overruled from here.

    Where the policy has doors checked after the impact, the word may be given once that is over.
    """
    doors = "allowed" if word == "safe" else "unsafe"
    async with platform.database.write() as tx:
        await locks.acts(tx)
        row = (await tx.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).first()
        if row is None:
            raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
        ctx = await contexts.of(tx, warning_id)
        over = ctx is not None and ctx.waits_for_door_check and (ctx.issued.impact or 0.0) <= platform.clock.now()
        if row.doors == "forbidden" and word == "safe" and not over:
            raise Conflict(
                "the policy forbids doors for this hazard: the names are with the fire service; an update with another "
                "hazard is the way to change that",
                field="word",
                rule="hazards.door",
                given=word,
            )
        await tx.execute(
            sa.update(warning_state)
            .where(warning_state.c.warning_id == warning_id)
            .values(doors=doors, doors_by=commander)
        )
        await trail.record(tx, who.label, "doors", warning_id, f"{commander}: {word}")
        await cases.set_clock(
            tx, warning_id, platform.clock.now(), out.LOOK
        )  # whoever is out is called back, with a door or without
    platform.wake.router.set()
    platform.wake.channels.set()
    return doors
