"""Serves the page of a called-out volunteer: where they are needed, their answers, and the door once it is theirs.

The link is the key; opening the dossier is audited like an officer's list.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.channels.messages.message_facts import choose_language, of_place
from services.channels.messages.prepare import Preparer
from services.channels.messages.render import lines_for
from services.channels.model.report import Report
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.pages import store
from services.channels.replies.relay import relayed
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.i18n import language, mark, t
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.params import Callout
from services.shared.service import Platform
from services.shared.web.html import page

# tapped > (answer, words); the digits of a reply mean the same: 1, 3, 4, 5
CHOICES: dict[str, tuple[Answer, str]] = {
    "take": (Answer.LEAVING, mark("I take it")),
    "cannot": (Answer.NOT_THERE, mark("I can't")),
    "there": (Answer.SPOKE, mark("I am there")),
    "not_reached": (Answer.CANNOT_REACH, mark("I cannot get there")),
}
VIDEO: dict[str, tuple[Answer, str]] = {  # on a video call: what the person says, passed on
    "going": (Answer.LEAVING, mark("Spoken with them: they go, or do as told")),
    "moving": (Answer.MOVING, mark("Spoken with them: they are on the way")),
    "safe": (Answer.SAFE, mark("Spoken with them: they are safe")),
    "help": (Answer.HELP, mark("Spoken with them: THEY NEED HELP")),
    "not_reached": (Answer.CANNOT_REACH, mark("I cannot reach them")),
}
OVER = ("leaving", "moving", "safe", "not_there", "refused", "help", "no_answer", "unsafe")


class CalloutPages:
    """The handlers of /a/v."""

    def __init__(self, platform: Platform, recorder: OutcomeRecorder, preparer: Preparer) -> None:
        self._platform = platform
        self._recorder = recorder
        self._preparer = preparer

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (web.get("/a/v/{token}", self.show), web.post("/a/v/{token}", self.tap))

    async def _row(self, request: web.Request) -> tuple[store.WithWarning, Callout]:
        delivery_id = self._platform.signer("links").subject("callout", request.match_info["token"])
        async with self._platform.database.read() as db:
            row = await store.with_warning(db, delivery_id)
        if row is None or not isinstance(row.params, Callout):
            raise NotFound("this link is not known any more: ask your command post", field="link")
        return row, row.params

    async def show(self, request: web.Request) -> web.Response:
        row, asked = await self._row(request)
        async with self._platform.database.read() as db:
            visit = await store.with_warning(db, asked.visit_id)
        video = asked.video
        if visit is not None and (row.state != "active" or visit.answer in OVER):
            visit = None
        dossier, number = None, ""
        if asked.holds and visit is not None:
            async with self._platform.database.write() as tx:
                await trail.record(
                    tx, f"volunteer:{row.addressee_id}", "open_visit", visit.person_id, "called out for this visit"
                )
            if video:
                number = (await self._preparer.open(visit.sealed or b"", visit.key_id, visit.contact_id)).decode()
            elif visit.dossier is not None:
                dossier = await self._preparer.dossier(visit.dossier, visit.person_id)
        text = await self._preparer.warning(row.warning_id)
        said_in = choose_language(f"{language()};{row.language}", list(text.parts["languages"]), of_place(text.parts))
        names = ["take", "cannot"]
        if asked.holds:
            names = [*VIDEO, "cannot"] if video else ["there", "not_reached", "cannot"]
        known = {**CHOICES, **VIDEO} if video else CHOICES
        return page(
            "callout.html",
            row=row,
            part=text.parts[said_in],
            skill=lines_for(language()).skills.get(asked.skill) or t("A volunteer"),
            dossier=dossier,
            number=number,
            video=video,
            over=visit is None,
            taken=row.answer == Answer.LEAVING and not asked.holds,
            buttons=[(name, t(known[name][1])) for name in names],
            said="said" in request.query,
            token=request.match_info["token"],
            event=new_id(),
            plane=self._platform.settings.plane,
        )

    async def tap(self, request: web.Request) -> web.Response:
        """One answer; the same form sent twice is one event."""
        row, asked = await self._row(request)
        form = await request.post()
        given = str(form.get("answer", ""))
        known = {**CHOICES, **VIDEO} if asked.video else CHOICES
        if given not in known:
            raise Refused(f"answer: choose one of {', '.join(known)}", field="answer", rule="closed_list", given=given)
        event = f"callout:{str(form.get('event', ''))[:32] or new_id()}"
        relays = asked.video and given in VIDEO
        if relays and not asked.holds:
            raise Conflict("somebody else has it now: nothing was passed on", field="answer", given=given)
        said = known[given][0]
        own = Answer.SPOKE if relays and said is not Answer.CANNOT_REACH else said
        await self._recorder.report(
            Report(
                row.delivery_id,
                event_key=event,
                source="page",
                evidence=Evidence.ACKNOWLEDGED,
                answer=own,
                by="officer",
            )
        )
        if relays:
            by = "officer" if said is Answer.CANNOT_REACH else "person"
            await self._recorder.report(relayed(asked, said, event, by=by))
        raise web.HTTPSeeOther(f"/a/v/{request.match_info['token']}?said=1")
