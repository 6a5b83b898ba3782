"""Serves the page that opens a person's name, address and numbers, by an order of the register."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.channels.messages.prepare import Preparer
from services.shared.audit import trail
from services.shared.errors import Refused
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.asking import asks, what_is_sent
from services.shared.web.html import page
from services.shared.web.opening_order import read_order

MIN_REASON = 8


class FullValues:
    """The handler of /open; only a form leads there."""

    def __init__(self, platform: Platform, preparer: Preparer) -> None:
        self._platform = platform
        self._preparer = preparer

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """POST /open (order, reason)."""
        return (web.post("/open", self.open),)

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
