"""Serves the pages that open names, addresses and numbers: one person's, by an order of the register, or those of all who
call for help, by an order of the router."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from aiohttp import web

from services.channels.messages.prepare import Preparer
from services.shared.audit import trail
from services.shared.errors import Refused
from services.shared.ledger.opened_calls import HelpCall, order_for
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.asking import asks, what_is_found, what_is_sent
from services.shared.web.html import page
from services.shared.web.opening_order import CALLS_OPENED, read_order

MIN_REASON = 8


class OpenedCall(NamedTuple):
    """A call with its person's name and street, and (whose, number)."""

    call: HelpCall
    name: str
    street: str
    phones: tuple[tuple[str, str], ...]


class FullValues:
    """The handler of /open; only a form leads there."""

    def __init__(self, platform: Platform, preparer: Preparer) -> None:
        self._platform = platform
        self._preparer = preparer

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """POST /open (order, reason) and GET /open/calls/{order_id}."""
        return (web.post("/open", self.open), web.get("/open/calls/{order_id}", self.calls))

    @asks(Power.LOOK, what_is_sent)
    async def open(self, request: web.Request, who: Who) -> web.Response:
        """Writes it down, then opens; what cannot be written down is not opened."""
        form = await request.post()
        order = read_order(self._platform.signer("orders"), str(form.get("order", "")), who.actor)
        reason = " ".join(str(form.get("reason", "")).split())[:400]
        if len(reason) < MIN_REASON:
            raise Refused(
                "say why you need the full values: the person reads it later",
                field="reason",
                rule="required",
                given=reason,
                remedy=f"go back and write at least {MIN_REASON} characters",
            )
        async with self._platform.database.write() as tx:
            labels = sorted({value.label for value in order.values})
            await trail.record(tx, who.label, "people.open", order.person_id, reason, {"opened": labels})
        opened = [
            (value.label, (await self._preparer.open(value.blob, value.key_id, value.owner)).decode())
            for value in order.values
        ]
        return page("open.html", who=who, opened=opened, reason=reason, person_id=order.person_id,
                    plane=self._platform.settings.plane)  # fmt: skip

    @asks(Power.LOOK, what_is_found)
    async def calls(self, request: web.Request, who: Who) -> web.Response:
        """All who call for help in one look, each look written down under each of them first."""
        async with self._platform.database.write() as tx:
            order = await order_for(tx, request.match_info["order_id"], who.actor)
            opened = order.opened
            for person_id in sorted({call.person_id for call in opened}):
                detail = {"opened": ["Address", "Name", "Number"], "chain_id": order.chain_id}
                await trail.record(tx, who.label, CALLS_OPENED, person_id, order.reason, detail)
        found = [await self._opened(call) for call in opened]
        return page("calls.html", who=who, calls=found, reason=order.reason, plane=self._platform.settings.plane,
                    offset=self._platform.settings.offset_at)  # fmt: skip

    async def _opened(self, call: HelpCall) -> OpenedCall:
        about = await self._preparer.dossier(call.dossier, call.person_id)
        phones = [
            (one.label, (await self._preparer.open(one.blob, one.key_id, one.owner)).decode()) for one in call.phones
        ]
        return OpenedCall(call, about.call_name, about.address, tuple(phones))
