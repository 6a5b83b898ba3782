"""/roads: how each road and each of its providers stands, for who is on duty; the same as JSON for `tocsin status --roads`.

/roads/stations/WARNING: which operators, broadcasters and groups took an area's message, and which did not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from services.channels.model.driver import Driver
from services.channels.model.outcome import Outcome
from services.channels.providers.acceptance import by_provider
from services.channels.providers.country_limits import Limits
from services.channels.providers.link_tests import TESTED
from services.channels.providers.provider_store import all_rows, link_test
from services.channels.providers.stations import of_warning
from services.channels.providers.weights import Shares, in_words
from services.shared import alarms
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.errors import NotFound
from services.shared.ledger.ledger import road, warning_state
from services.shared.service import Platform
from services.shared.web.edge import caller, json_response, page, wants_page

# what a person is told of each outcome
WORDS = {
    Outcome.ACCEPTED: "took it", Outcome.NOT_SENT: "not there: is tried again", Outcome.PERMANENT: "refused it for good",
    Outcome.PROVIDER_FAULT: "refuses us: look at its token, certificate or address",
    Outcome.AMBIGUOUS: "may have it: no clear answer",
}  # fmt: skip


class RoadPages:
    """The handlers of /roads."""

    def __init__(self, platform: Platform, drivers: Mapping[str, Driver], limits: Limits, shares: Shares) -> None:
        self._platform = platform
        self._drivers = drivers
        self._limits = limits
        self._shares = shares

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """GET /roads (a page), /roads/state (JSON), /roads/stations/{warning_id} (either)."""
        return (
            web.get("/roads", self.roads),
            web.get("/roads/state", self.state),
            web.get("/roads/stations/{warning_id}", self.stations),
        )

    async def roads(self, request: web.Request) -> web.Response:
        who = await caller(request, "read")
        async with self._platform.database.read() as db:
            found, standing = await self._found(db), await alarms.standing(db)
        offset = self._platform.settings.offset_at
        for one in found:
            one["lacks"] = _lacks(one)
            one["fails"] = one["why"].startswith(TESTED) or any(p["alarm"] for p in one["providers"])
        found.sort(key=lambda one: not one["fails"])  # what is wrong comes first
        failing = sum(one["fails"] for one in found)
        return page(
            "roads.html", who=who, roads=found, failing=failing, now=self._platform.clock.now(), offset=offset,
            plane=self._platform.settings.plane, alarms=standing,
        )  # fmt: skip

    async def state(self, request: web.Request) -> web.Response:
        await caller(request, "read")
        async with self._platform.database.read() as db:
            return json_response(await self._found(db))

    async def stations(self, request: web.Request) -> web.Response:
        """[{road, try, name, outcome, code, at}], those that did not take it first; NotFound where no such warning is."""
        who = await caller(request, "read")
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            known = sa.select(warning_state.c.number).where(warning_state.c.warning_id == warning_id)
            number = await db.scalar(known)
            if number is None:
                raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
            found = [
                {"road": r.road, "try": r.try_no, "name": r.name, "outcome": r.outcome, "code": r.code, "at": r.at}
                for r in await of_warning(db, warning_id)
            ]
        if not wants_page(request):
            return json_response(found)
        offset = self._platform.settings.offset_at
        return page(
            "stations.html", who=who, warning_id=warning_id, number=number, stations=found, offset=offset, words=WORDS,
            missed=sum(one["outcome"] != Outcome.ACCEPTED for one in found), plane=self._platform.settings.plane,
        )  # fmt: skip

    async def _found(self, db: Connection) -> list[dict[str, Any]]:
        """Every road: {road, working, why, two_way, links, repeats_per_day, templates_only, providers: [...]}."""
        rows = (await db.execute(sa.select(road).order_by(road.c.road))).all()
        words = in_words(await all_rows(db), self._shares.groups, wall())
        silent = by_provider(await alarms.standing(db))
        tests = {(r.road, r.provider): r for r in await db.execute(sa.select(link_test))}
        return [
            {
                "road": r.road, "working": r.working, "why": r.why, "two_way": r.two_way, "links": r.links,
                "repeats_per_day": r.repeats_per_day, "templates_only": r.templates_only,
                "providers": self._providers(r.road, words, tests, silent),
            }
            for r in rows
        ]  # fmt: skip

    def _providers(
        self, name: str, words: Mapping[str, str], tests: Mapping[Any, Any], silent: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        found = []
        for driver in sorted(self._drivers.values(), key=lambda d: d.name):
            if name not in {r.name for r in driver.roads}:
                continue
            test = tests.get((name, driver.name))
            why = self._limits.why_not(driver)
            found.append(
                {
                    "provider": driver.name, "why": why, "stands": "" if why else words.get(driver.name, ""),
                    "alarm": silent.get(driver.name, ""), "test": test.said if test is not None else "",
                    "test_ok_at": test.ok_at if test is not None else None,
                    "test_failures": test.failures if test is not None else 0,
                }
            )  # fmt: skip
        return found


def _lacks(one: Mapping[str, Any]) -> list[str]:
    """What a road cannot do, in words."""
    words = [
        ("no replies", not one["two_way"]),
        ("no links", not one["links"]),
        ("templates only", one["templates_only"]),
    ]
    found = [word for word, holds in words if holds]
    if one["repeats_per_day"]:
        found.append(f"the same words at most {one['repeats_per_day']} times a day")
    return found
