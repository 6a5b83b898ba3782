"""Serves /api/v1/policy: what is in force, what waits for two persons, and a person's yes to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypedDict

import pydantic
import sqlalchemy as sa
from aiohttp import web

from services.router.planning.contexts import Contexts
from services.router.store import tables
from services.shared.audit import trail
from services.shared.clock import iso
from services.shared.database import locks
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of
from services.shared.errors import NotAllowed, NotFound
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Json, json_body
from services.shared.web.asking import asks, the_installation

TWO = 2


class AgreeIn(pydantic.BaseModel):
    """Which policy is meant: by its SHA-256, or how that begins."""

    model_config = pydantic.ConfigDict(extra="forbid")

    policy: str = pydantic.Field(pattern="^[0-9a-f]{8,64}$")


class ProposedShown(TypedDict):
    """A policy that waits, since when, and who said yes."""

    policy: str
    name: str
    since: str
    agreed: list[str]


class PolicyShown(TypedDict):
    """What new warnings are walked by, and what waits."""

    in_force: str
    name: str
    proposed: ProposedShown | None


class _Proposed(NamedTuple):
    policy: str
    name: str
    since: float
    agreed: list[list[str]]


class PolicyApi:
    """The handlers of /api/v1/policy."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """What there is, and a yes."""
        return (web.get("/api/v1/policy", self.shown), web.post("/api/v1/policy/agree", self.agree))

    @asks(Power.SEE_PLANT, the_installation)
    async def shown(self, request: web.Request, who: Who) -> Json[PolicyShown]:
        async with self._platform.database.read() as db:
            await self._contexts.refresh(db, self._platform.settings.plane)
            return Json(self._shown(await _newest(db)))

    @asks(Power.SET_POLICY, the_installation)
    async def agree(self, request: web.Request, who: Who) -> Json[PolicyShown]:
        """A person's yes; the second one puts it in force."""
        given = await json_body(request, AgreeIn)
        plane = self._platform.settings.plane
        async with self._platform.database.write() as tx:
            await locks.acts(tx)
            one = await _newest(tx)
            if one is None or not one.policy.startswith(given.policy):
                raise NotFound(
                    "no policy of that name waits for two persons: see tocsin policy waiting", field="policy",
                    given=given.policy,
                )  # fmt: skip
            if any(actor == who.actor for actor, _ in one.agreed):
                raise NotAllowed(
                    "you have said yes already: another person says it too",
                    field="policy",
                    rule="second",
                    given=who.label,
                )
            agreed = [*one.agreed, [who.actor, who.label]]
            await trail.record(tx, who.label, "agree_policy", one.policy, one.name, {"agreed": len(agreed)})
            mine = tables.policy_proposed.c.policy == one.policy
            await tx.execute(sa.update(tables.policy_proposed).where(mine).values(agreed=agreed))
            left: _Proposed | None = one._replace(agreed=agreed)
            if len(agreed) >= TWO:
                await self._contexts.policy(tx, one.policy)  # what cannot be read is not put in force
                await self._contexts.take_force(tx, plane, one.policy)
                left = None
        async with self._platform.database.read() as db:
            await self._contexts.refresh(db, plane)
        return Json(self._shown(left))

    def _shown(self, one: _Proposed | None) -> PolicyShown:
        proposed: ProposedShown | None = None
        if one is not None:
            names = [name for _, name in one.agreed]
            proposed = {"policy": one.policy, "name": one.name, "since": iso(one.since), "agreed": names}
        return {"in_force": self._contexts.current_key, "name": self._contexts.current.name, "proposed": proposed}


async def _newest(db: Connection) -> _Proposed | None:
    table = tables.policy_proposed
    return await row_of(db, _Proposed, sa.select(*columns(_Proposed, table)).order_by(table.c.since.desc()).limit(1))
