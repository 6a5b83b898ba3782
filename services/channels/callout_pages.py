"""What a called-out volunteer sees: where she is needed, her answers, and, only while she has it, the door and how to talk.

The link is the key; opening the dossier is audited like an officer's list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from services.channels import store
from services.channels.desk import Desk, Report
from services.channels.opening import Preparer
from services.channels.render import choose_language, lines_for
from services.shared import audit
from services.shared.errors import NotFound, Refused
from services.shared.ledger import Answer, Evidence
from services.shared.outbox import new_id
from services.shared.service import Platform
from services.shared.web import page

# tapped > (answer, words); the digits of a reply mean the same: 1, 3, 4, 5
CHOICES: dict[str, tuple[Answer, str]] = {
    "take": (Answer.LEAVING, "I take it"),
    "cannot": (Answer.NOT_THERE, "I can't"),
    "there": (Answer.SPOKE, "I am there"),
    "not_reached": (Answer.CANNOT_REACH, "I cannot get there"),
}
OVER = ("leaving", "moving", "safe", "not_there", "refused", "help", "no_answer", "unsafe")


class CalloutPages:
    """The handlers of /a/v."""

    def __init__(self, platform: Platform, desk: Desk, preparer: Preparer) -> None:
        self._platform = platform
        self._desk = desk
        self._preparer = preparer

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (web.get("/a/v/{token}", self.show), web.post("/a/v/{token}", self.tap))

    async def _row(self, request: web.Request) -> Any:
        delivery_id = self._platform.signer.subject("callout", request.match_info["token"])
        async with self._platform.database.read() as db:
            row = await store.with_warning(db, delivery_id)
        if row is None:
            raise NotFound("this link is not known any more: ask your command post", field="link")
        return row

    async def show(self, request: web.Request) -> web.Response:
        row = await self._row(request)
        params = row.params or {}
        async with self._platform.database.read() as db:
            visit = await store.with_warning(db, str(params.get("about", "")))
        over = row.state != "active" or visit is None or visit.answer in OVER
        dossier = None
        if params.get("holds") and not over and visit.dossier is not None:
            async with self._platform.database.write() as tx:
                await audit.record(
                    tx, f"volunteer:{row.addressee_id}", "open_visit", visit.person_id, "called out for this visit"
                )
            dossier = await self._preparer.dossier(visit.dossier, visit.person_id)
        text = await self._preparer.warning(row.warning_id)
        language = choose_language(row.language, list(text.parts["languages"]))
        names = ["there", "not_reached", "cannot"] if params.get("holds") else ["take", "cannot"]
        return page(
            "callout.html",
            row=row,
            part=text.parts[language],
            skill=lines_for("en").skills.get(str(params.get("skill", "")), "A volunteer"),
            dossier=dossier,
            over=over,
            taken=row.answer == Answer.LEAVING and not params.get("holds"),
            buttons=[(name, CHOICES[name][1]) for name in names],
            said="said" in request.query,
            token=request.match_info["token"],
            event=new_id(),
            plane=self._platform.settings.plane,
        )

    async def tap(self, request: web.Request) -> web.Response:
        """One answer; the same form sent twice is one event."""
        row = await self._row(request)
        form = await request.post()
        given = str(form.get("answer", ""))
        if given not in CHOICES:
            raise Refused(
                f"answer: choose one of {', '.join(CHOICES)}", field="answer", rule="closed_list", given=given
            )
        await self._desk.report(
            Report(
                row.delivery_id,
                event_key=f"callout:{str(form.get('event', ''))[:32] or new_id()}",
                source="page",
                evidence=Evidence.ACKNOWLEDGED,
                answer=CHOICES[given][0],
                by="officer",
            )
        )
        raise web.HTTPSeeOther(f"/a/v/{request.match_info['token']}?said=1")
