"""Takes what the desk hears of teams by radio: that one is all right, or back in safety."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.errors import NotFound, Refused
from services.shared.ledger import team_signs
from services.shared.ledger.team_signs import SignKind
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.asking import asks, the_warning

HEARD = {"here": SignKind.HERE, "back": SignKind.BACK}  # value of the button > what is kept


class TeamPages:
    """The handler of /live/WARNING/teams."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (web.post("/live/{warning_id}/teams", self.heard),)

    @asks(Power.HANDLE, the_warning)
    async def heard(self, request: web.Request, who: Who) -> web.Response:
        """A team was heard by radio: one sign of life, kept under whoever heard it."""
        warning_id, form, now = request.match_info["warning_id"], await request.post(), self._platform.clock.now()
        slot, said = str(form.get("team", "")), str(form.get("sign", ""))
        if said not in HEARD:
            choices = ", ".join(HEARD)
            raise Refused(f"sign: choose one of {choices}", field="sign", rule="closed_list", given=said)
        async with self._platform.database.write() as tx:
            if slot not in await team_signs.of_chain(tx, warning_id, now):
                raise NotFound("no such team was sent to doors: choose one of the table", field="team", given=slot[:40])
            await team_signs.keep(tx, warning_id, slot, HEARD[said], now, who.label, sign_id=new_id())
            await trail.record(tx, who.label, "team_heard", warning_id, f"{slot}: {said}")
        self._platform.wake.router.set()
        raise web.HTTPSeeOther(f"/live/{warning_id}#teams")
