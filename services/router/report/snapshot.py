"""Takes what the live page shows at one moment, and renders it in parts: the page and its stream show the same ones."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from markupsafe import Markup
from msgspec.structs import replace

from services.router.cases import view
from services.router.clock import officials, silence, taken_lists
from services.router.doors.capacity import Capacity
from services.router.planning.contexts import Contexts
from services.router.planning.plan import WarningContext
from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.report import board, report, team_board, zones
from services.router.report.not_reached import room, sends_people
from services.router.safety import rescue
from services.router.store import tables
from services.shared import alarms
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of
from services.shared.errors import NotFound
from services.shared.i18n import language, t, tn
from services.shared.ledger.channels import failing_channels
from services.shared.ledger.warnings import WarningState, warning_state, warning_text
from services.shared.powers.may import Thing, may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.html import for_reader, rendered

OFFERED = (
    Power.SEE_PEOPLE,
    Power.OPEN_LIST,
    Power.HANDLE,
    Power.SAY_DOORS,
    Power.END,
    Power.ASK,
    Power.WRITE,
)  # what the live page has buttons for
PARTS = (
    "recall",
    "top",
    "now",
    "help",
    "teams",
    "warnings",
    "reached",
    "acts",
    "board",
    "tables",
    "zones",
    "missing",
)  # in their order
NOT_SENT = ("top",)  # what a warning has that has told nobody
Values = dict[str, Any]  # what the templates of the parts are given
LISTED = 30  # of the missing on the page: a longer list would cost its stream a minute's worth each time one answers
KEPT_S = 20.0  # wall; villages and board are dear to count, and are not counted for every look
COMING_IN_S = 1.0  # the same while more people come under the warning


class CountedSeldom(NamedTuple):
    """What is counted once in a while: when (monotonic) and of how many targeted, the villages, the board, what teams can do."""

    at: float
    targeted: int
    zones: zones.Villages
    board: board.Board
    room: Capacity | None


class Glance(NamedTuple):
    """What readers of one language with the same powers see: when it was taken (monotonic), and its parts rendered."""

    at: float
    values: Values
    parts: Mapping[str, Markup]


Reader = tuple[str, str, tuple[bool, ...]]  # warning, language, whether they may do what is offered


class Snapshots:
    """Takes them; villages and board are kept for KEPT_S by warning, and what is shown for whoever reads the same soon."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts
        self._kept: dict[str, CountedSeldom] = {}
        self._shown: dict[Reader, Glance] = {}
        self._taking: dict[Reader, asyncio.Lock] = {}

    async def shown(self, warning_id: str, who: Who, thing: Thing, age_s: float) -> Glance:
        """No older than `age_s` (wall). Twenty consoles cost what one does: each waits for the one that takes it."""
        reader = (warning_id, language(), tuple(_offered(who, thing).values()))
        lock = self._taking.setdefault(reader, asyncio.Lock())
        async with lock:
            found = self._shown.get(reader)
            if found is None or time.monotonic() - found.at > age_s:
                async with self._platform.database.read() as db:
                    values = await self.of(db, warning_id, who)
                found = self._shown[reader] = Glance(time.monotonic(), values, parts(values))
        for old in [one for one, shown in self._shown.items() if found.at - shown.at > KEPT_S]:
            del self._shown[old]
            self._taking.pop(old, None)
        return found

    async def of(self, db: Connection, warning_id: str, who: Who, *, still: bool = False) -> Values:
        """What the templates of the parts are given. NotFound where there is no such warning."""
        now = self._platform.clock.now()
        figures = await report.coverage(db, warning_id, now)
        missing = await report.missing(db, warning_id)
        cases = await view.cases(db, warning_id, now)
        state = await _state(db, warning_id)
        text = (await db.execute(sa.select(warning_text).where(warning_text.c.warning_id == warning_id))).one()
        profiles = await tables.profiles_of(db, {m.profile_key for m in missing})
        ctx = await self._contexts.of(db, warning_id)
        thing = await warning_thing(db, who, warning_id)
        offered = _offered(who, thing)
        if not offered["HANDLE"]:
            cases = view.without_people(cases)
        active = state.state == "active"
        every = ctx.policy.updates.get(ctx.tier) if ctx is not None and active else None
        counted = await self._seldom(db, warning_id, figures["targeted"], ctx, now)
        open_cases = [c for c in cases if c["state"] != "closed"]
        return {
            "who": who, "figures": figures, "missing": [(m, profiles[m.profile_key]) for m in missing],
            "cases": open_cases, "totals": await view.totals(db, warning_id), "state": state,
            "tier": Tier(state.tier) if state.tier else None,
            "part": for_reader({language: text.parts[language] for language in text.parts["languages"]}),
            "offset": self._platform.settings.offset_at, "notes": text.parts.get("notes", []), "now": now,
            "instruction": text.parts.get("instruction", ""), "still": still,
            "down": await silence.down(db, warning_id), "failing": await failing_channels(db),
            "alarms": await alarms.standing(db),
            "unopened": [worker_id[:8] for worker_id in await taken_lists.unopened(db, warning_id)],
            "unspoken": [worker_id[:8] for worker_id in await officials.unspoken(db, warning_id)],
            "next_update": (
                state.released_at + every if every and state.released_at and state.kind != "ending" else None
            ),
            "plane": self._platform.settings.plane,
            "may": offered, "rescue": FIRE_SERVICE,
            "ending": state.kind == "ending", "running": active and not still,
            "impact": ctx.issued.impact if ctx is not None else None, "begun": ctx is not None,
            "room": counted.room if sends_people(ctx) else None,
            "teams": await team_board.of(db, ctx, warning_id, now),
            "rescue_list": await rescue.of(db, warning_id),
            "listed_most": LISTED, "most_missing": report.MISSING_SHOWN,
            "villages": counted.zones, "board": counted.board, "headline": _headline(state, figures),
        }  # fmt: skip

    async def _seldom(
        self, db: Connection, warning_id: str, targeted: int, ctx: WarningContext | None, now: float
    ) -> CountedSeldom:
        """While pages of the audience come in what was counted before them is soon no truth."""
        found = self._kept.get(warning_id)
        if found is None or time.monotonic() - found.at > (KEPT_S if found.targeted == targeted else COMING_IN_S):
            night = ctx is not None and ctx.is_night(now)
            villages, called = await zones.of(db, warning_id), await board.of(db, warning_id, night=night)
            found = CountedSeldom(time.monotonic(), targeted, villages, called, await room(db, ctx, now))
            self._kept[warning_id] = found
            for old in [k for k, v in self._kept.items() if time.monotonic() - v.at > 10 * KEPT_S]:
                del self._kept[old]
        return found


def parts(values: Values) -> dict[str, Markup]:
    """Part > its HTML, in the reader's language."""
    names = PARTS if values["state"].released_at else NOT_SENT
    return {name: Markup(rendered(f"live_{name}.html", **values).strip()) for name in names}  # noqa: S704  ours


def marks(shown: Mapping[str, str]) -> dict[str, str]:
    """Part > a short digest of what it shows, by which a reader says what they have."""
    return {name: hashlib.blake2s(html.encode(), digest_size=4).hexdigest() for name, html in shown.items()}


def _offered(who: Who, thing: Thing) -> dict[str, bool]:
    """Power > whether its button is there; one that asks again who they are is."""
    shown = replace(who, proved_at=None)
    return {power.name: may(shown, power, thing) is None for power in OFFERED}


async def _state(db: Connection, warning_id: str) -> WarningState:
    mine = sa.select(*columns(WarningState, warning_state)).where(warning_state.c.warning_id == warning_id)
    found = await row_of(db, WarningState, mine)
    if found is None:
        raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
    return found


def _headline(state: WarningState, figures: report.Coverage) -> str:
    if state.kind == "ending":
        return t("{n} told, No. {number}", n=figures["targeted"], number=state.number)
    return t("{n} open, No. {number}", n=figures["open"], number=state.number)


def sentence(values: Values) -> str:
    """One sentence for whoever hears the page."""
    figures, totals = values["figures"], values["totals"]
    if values["ending"]:
        return tn("{n:,} person is told.", "{n:,} people are told.", figures["targeted"])
    people = tn("{n:,} person open", "{n:,} people open", figures["open"])
    calls = tn("{n} call for help without an owner", "{n} calls for help without an owner", totals["nobodys"])
    return t("{people}, {calls}.", people=people, calls=calls)
