"""/channels: how each channel and each of its providers stands; as JSON for `tocsin status --channels`.

/channels/stations/WARNING: which operators, broadcasters and groups took an area's message, and which did not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypedDict

import sqlalchemy as sa
from aiohttp import web

from services.channels.model.driver import Driver
from services.channels.model.outcome import Outcome
from services.channels.providers.acceptance import by_provider
from services.channels.providers.country_limits import CountryLimits
from services.channels.providers.link_tests import TESTED
from services.channels.providers.provider_store import LinkTestRow, all_rows, link_tests
from services.channels.providers.stations import of_warning
from services.channels.providers.weights import ProviderWeights, in_words
from services.shared import alarms
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import NotFound
from services.shared.i18n import mark, t
from services.shared.ledger.channels import channel
from services.shared.ledger.warnings import warning_state
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Json
from services.shared.web.asking import asks, the_installation, the_warning
from services.shared.web.edge import wants_page
from services.shared.web.html import page

# what a person is told of each outcome
WORDS = {
    Outcome.ACCEPTED: mark("took it"), Outcome.NOT_SENT: mark("not there: is tried again"),
    Outcome.PERMANENT: mark("refused it for good"),
    Outcome.PROVIDER_FAULT: mark("refuses us: look at its token, certificate or address"),
    Outcome.AMBIGUOUS: mark("may have it: no clear answer"),
}  # fmt: skip


class ChannelStand(NamedTuple):
    """A channel as the table has it."""

    channel: str
    working: bool
    why: str
    two_way: bool
    links: bool
    repeats_per_day: int
    templates_only: bool


class ProviderState(TypedDict):
    """How a provider of a channel stands; times are seconds since 1970."""

    provider: str
    why: str
    stands: str
    alarm: str
    test: str
    test_ok_at: float | None
    test_failures: int


class ChannelState(TypedDict):
    """How a channel stands, and what it can do."""

    channel: str
    working: bool
    why: str
    two_way: bool
    links: bool
    repeats_per_day: int
    templates_only: bool
    providers: list[ProviderState]


# what became of an area's message at one of those that take it
StationState = TypedDict(
    "StationState", {"channel": str, "try": int, "name": str, "outcome": str, "code": str, "at": float}
)


class ChannelPages:
    """The handlers of /channels."""

    def __init__(
        self,
        platform: Platform,
        drivers: Mapping[str, Driver],
        limits: CountryLimits,
        provider_weights: ProviderWeights,
    ) -> None:
        self._platform = platform
        self._drivers = drivers
        self._limits = limits
        self._provider_weights = provider_weights

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """GET /channels (a page), /channels/state (JSON), /channels/stations/{warning_id} (either)."""
        return (
            web.get("/channels", self.channels),
            web.get("/channels/state", self.state),
            web.get("/channels/stations/{warning_id}", self.stations),
        )

    @asks(Power.SEE_PLANT, the_installation)
    async def channels(self, request: web.Request, who: Who) -> web.Response:
        async with self._platform.database.read() as db:
            found, standing = await self._found(db), await alarms.standing(db)
        offset = self._platform.settings.offset_at
        shown = [{**one, "lacks": _lacks(one), "fails": _fails(one)} for one in found]
        shown.sort(key=lambda one: not one["fails"])  # what is wrong comes first
        failing = sum(map(_fails, found))
        return page(
            "channels.html", who=who, channels=shown, failing=failing, now=self._platform.clock.now(), offset=offset,
            plane=self._platform.settings.plane, alarms=standing,
        )  # fmt: skip

    @asks(Power.SEE_PLANT, the_installation)
    async def state(self, request: web.Request, who: Who) -> Json[list[ChannelState]]:
        async with self._platform.database.read() as db:
            return Json(await self._found(db))

    @asks(Power.WATCH, the_warning)
    async def stations(self, request: web.Request, who: Who) -> Json[list[StationState]] | web.Response:
        """[{channel, try, name, outcome, code, at}], those that did not take it first; NotFound where no such warning is."""
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            known = sa.select(warning_state.c.number).where(warning_state.c.warning_id == warning_id)
            number = await db.scalar(known)
            if number is None:
                raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
            found: list[StationState] = [
                {
                    "channel": r.channel,
                    "try": r.try_no,
                    "name": r.name,
                    "outcome": r.outcome,
                    "code": r.code,
                    "at": r.at,
                }
                for r in await of_warning(db, warning_id)
            ]
        if not wants_page(request):
            return Json(found)
        offset = self._platform.settings.offset_at
        return page(
            "stations.html", who=who, warning_id=warning_id, number=number, stations=found, offset=offset, words=WORDS,
            missed=sum(one["outcome"] != Outcome.ACCEPTED for one in found), plane=self._platform.settings.plane,
        )  # fmt: skip

    async def _found(self, db: Connection) -> list[ChannelState]:
        """Every channel: {channel, working, why, two_way, links, repeats_per_day, templates_only, providers: [...]}."""
        rows = await rows_of(db, ChannelStand, sa.select(*columns(ChannelStand, channel)).order_by(channel.c.channel))
        words = in_words(await all_rows(db), self._provider_weights.groups, wall())
        silent = by_provider(await alarms.standing(db))
        tests = {(r.channel, r.provider): r for r in await link_tests(db)}
        return [
            {
                "channel": r.channel, "working": r.working, "why": r.why, "two_way": r.two_way, "links": r.links,
                "repeats_per_day": r.repeats_per_day, "templates_only": r.templates_only,
                "providers": self._providers(r.channel, words, tests, silent),
            }
            for r in rows
        ]  # fmt: skip

    def _providers(
        self,
        name: str,
        words: Mapping[str, str],
        tests: Mapping[tuple[str, str], LinkTestRow],
        silent: Mapping[str, str],
    ) -> list[ProviderState]:
        found: list[ProviderState] = []
        for driver in sorted(self._drivers.values(), key=lambda d: d.name):
            if name not in {r.name for r in driver.channels}:
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


def _fails(one: ChannelState) -> bool:
    """Whether its link test fails, or an alarm stands for one of its providers."""
    return one["why"].startswith(TESTED) or any(p["alarm"] for p in one["providers"])


def _lacks(one: ChannelState) -> list[str]:
    """What a channel cannot do, in words."""
    words = [
        (t("no replies"), not one["two_way"]),
        (t("no links"), not one["links"]),
        (t("templates only"), one["templates_only"]),
    ]
    found = [word for word, holds in words if holds]
    if one["repeats_per_day"]:
        found.append(t("the same words at most {n} times a day", n=one["repeats_per_day"]))
    return found
