"""Calls a driver for one message: in time after its intent, within a limit, with a last look once it is connected."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from services.channels.model.driver import Driver, Outcome, Result
from services.channels.model.final_check import Overtaken, checking
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.shared import telemetry
from services.shared.clock import Clock, wall
from services.shared.database.engine import Database
from services.shared.ledger.moves import may_be_sent
from services.shared.ledger.tables import Delivery, delivery

CALL_LIMIT_S = 10.0
STALE_INTENT_S = 0.5
LOOK_S = 1.0  # a database that hangs must not be taken for a provider that does


class DriverCall(NamedTuple):
    """A message that is to be handed to a driver now, and when its intent was committed (wall time)."""

    driver: Driver
    row: Delivery
    message: Outbound
    intended_at: float

    async def make(self, database: Database, clock: Clock) -> Result:
        """The driver's answer; NOT_SENT where it came too late to be asked, AMBIGUOUS where it said nothing."""
        if self._stale():
            return Result(Outcome.NOT_SENT, code=LATE)
        try:
            with telemetry.span("send", delivery_id=self.row.delivery_id, driver=self.driver.name, tier=self.row.tier):
                async with asyncio.timeout(CALL_LIMIT_S + 2):
                    with checking(partial(self._still_wanted, database, clock)):
                        return await self.driver.send(self.message)
        except Overtaken:
            return Result(Outcome.NOT_SENT, code=LATE)
        except TimeoutError:
            return Result(Outcome.AMBIGUOUS, code="no_answer")

    def _stale(self) -> bool:
        return wall() - self.intended_at > STALE_INTENT_S

    async def _still_wanted(self, database: Database, clock: Clock) -> None:
        """Connecting took its time: Overtaken where the warning was cancelled meanwhile, or nobody can say."""
        if not self._stale():
            return
        mine = sa.select(delivery.c.delivery_id).where(
            delivery.c.delivery_id == self.row.delivery_id, may_be_sent(clock.now())
        )
        try:
            async with asyncio.timeout(LOOK_S), database.read() as db:
                wanted = await db.scalar(mine)
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
            raise Overtaken from problem
        if wanted is None:
            raise Overtaken
