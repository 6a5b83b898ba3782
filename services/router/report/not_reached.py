"""Serves what teams can do against the doors that wait: who will not be reached before it is time to turn back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeGuard

import sqlalchemy as sa
from aiohttp import web

from services.router.doors.capacity import Capacity
from services.router.doors.teams import capacity_of
from services.router.planning import area
from services.router.planning.contexts import Contexts
from services.router.planning.plan import WarningContext
from services.router.store import tables
from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection
from services.shared.errors import NotFound
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from services.shared.powers.may import may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.asking import asks, the_warning
from services.shared.web.html import page


class PersonNotReached(NamedTuple):
    """Somebody no team is done with in time. `begins`: when the team on whose list they stand is there; None on no list.
    `named`: it stands on the fire service's list; `helped`: somebody who helps them was told; `calls`: they asked for help."""

    person_id: str
    zone_id: str
    groups: tuple[str, ...]
    begins: float | None
    named: bool
    helped: bool
    calls: bool


def sends_people(ctx: WarningContext | None) -> TypeGuard[WarningContext]:
    """Whether anybody goes to doors for it: not by the hazard, the commander, or since it is over."""
    return (
        ctx is not None
        and ctx.state == "active"
        and not ctx.phone_only
        and ctx.doors != "unsafe"
        and ctx.issued.kind != "ending"
    )


async def room(db: Connection, ctx: WarningContext | None, now: float) -> Capacity | None:
    """What the teams can do; None where nobody goes to doors."""
    return await capacity_of(db, ctx, now) if sends_people(ctx) else None


async def people_of(db: Connection, warning_id: str, found: Capacity) -> list[PersonNotReached]:
    """Whom a team does not reach, in the order in which they would be given one; whoever is met or ended is left out."""
    path, homes = tables.path.c, {one.home_id: one for one in found.not_reached}
    rows = [
        row
        for part in chunks(sorted(homes), 500)
        for row in await db.execute(
            sa.select(path.person_id, path.household_id, path.zone_id, path.profile_key, path.help_at)
            .where(path.warning_id == warning_id, path.state == "open")
            .where(sa.or_(one_of(path.person_id, part), one_of(path.household_id, part)))
        )
    ]
    asked = sa.select(delivery.c.person_id, delivery.c.kind, delivery.c.addressee_kind).where(
        delivery.c.warning_id == warning_id,
        sa.or_(
            delivery.c.kind.in_((DeliveryKind.VISIT, DeliveryKind.RESCUE)), delivery.c.addressee_kind == "supporter"
        ),
    )
    known = {r.person_id: r for r in rows}
    visited, named, helped = set[str](), set[str](), set[str]()
    for part in chunks(sorted(known), 500):
        for one in await db.execute(asked.where(one_of(delivery.c.person_id, part))):
            {DeliveryKind.VISIT: visited, DeliveryKind.RESCUE: named}.get(one.kind, helped).add(one.person_id)
    profiles = await tables.profiles_of(db, {r.profile_key for r in rows})
    order = {home_id: n for n, home_id in enumerate(homes)}
    shown = []
    for person_id in visited:
        r = known[person_id]
        home = homes.get(person_id) or homes[r.household_id]
        person = PersonNotReached(
            person_id, r.zone_id, profiles[r.profile_key].groups, home.begins, person_id in named, person_id in helped,
            r.help_at is not None,
        )  # fmt: skip
        shown.append((not person.calls, order[home.home_id], person))
    return [person for _, _, person in sorted(shown)]


class NotReachedPage:
    """Its handler."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (web.get("/live/{warning_id}/not-reached", self.not_reached),)

    @asks(Power.WATCH, the_warning)
    async def not_reached(self, request: web.Request, who: Who) -> web.Response:
        """Doors against teams, who is left and what would help; who they are for whoever may look at people."""
        warning_id, now = request.match_info["warning_id"], self._platform.clock.now()
        async with self._platform.database.read() as db:
            state = (await db.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).first()
            if state is None:
                raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
            thing = await warning_thing(db, who, warning_id)
            found = await room(db, await self._contexts.of(db, warning_id, workers=True), now)
            return page(
                "not_reached.html", who=who, state=state, capacity=found,
                people=await people_of(db, warning_id, found) if found is not None else [],
                sounded=await area.sounded(db, warning_id, "shortage"),
                may_see=may(who, Power.SEE_PEOPLE, thing) is None, may_list=may(who, Power.HANDLE, thing) is None,
                offset=self._platform.settings.offset_at, plane=self._platform.settings.plane,
            )  # fmt: skip
