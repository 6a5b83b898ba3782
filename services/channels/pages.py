"""What officers and residents see: /l a list of doors, /a an answer page. Plain forms, no script, no sign-in to read.

Opening a list opens sealed dossiers: it is audited each time, with the list as its reason. The link is the key to
the list; it names one warning and one officer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from services.channels import store
from services.channels.desk import Desk, Report
from services.channels.inbound import by_of
from services.channels.opening import Preparer
from services.channels.render import choose_language, lines_for
from services.shared import audit
from services.shared.errors import NotFound, Refused
from services.shared.ledger import Answer, Evidence, SendState
from services.shared.outbox import new_id
from services.shared.sealing import Dossier
from services.shared.service import Platform
from services.shared.web import page

# outcome tapped > (answer, words on the button); what "seen" means depends on what people are asked to do
OUTCOMES: dict[str, tuple[Answer, str]] = {
    "can_go": (Answer.LEAVING, "Seen, can go"),
    "moving": (Answer.MOVING, "Seen, moving with help"),
    "safe_here": (Answer.SAFE, "Seen, safe here"),
    "gone": (Answer.NOT_THERE, "Gone or elsewhere"),
    "help": (Answer.HELP, "NEEDS HELP"),
    "no_answer": (Answer.NO_ANSWER, "No answer"),
    "refused": (Answer.REFUSED, "Won't go"),
    "unsafe": (Answer.UNSAFE, "Unsafe to go there"),
}
ANSWERS: dict[str, dict[str, tuple[Answer, str]]] = {
    "person": {
        "leaving": (Answer.LEAVING, "I am leaving / I can do it"),
        "help": (Answer.HELP, "I need help"),
        "not_there": (Answer.NOT_THERE, "I am not there"),
        "moving": (Answer.MOVING, "I am on the way"),
        "safe": (Answer.SAFE, "I am safe"),
    },
    "supporter": {
        "spoke": (Answer.SPOKE, "I have spoken with the person"),
        "moving_with": (Answer.MOVING, "I am with the person and we are going"),
        "safe_with": (Answer.SAFE, "I am with the person and we are safe"),
        "help": (Answer.HELP, "The person needs help"),
        "cannot_reach": (Answer.CANNOT_REACH, "I cannot reach the person"),
    },
}


class Pages:
    """The handlers of /l and /a."""

    def __init__(self, platform: Platform, desk: Desk, preparer: Preparer) -> None:
        self._platform = platform
        self._desk = desk
        self._preparer = preparer

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/l/{token}", self.list_page),
            web.post("/l/{token}/{delivery_id}", self.tap),
            web.get("/a/{token}", self.answer_page),
            web.post("/a/{token}", self.answer),
        )

    async def list_page(self, request: web.Request) -> web.Response:
        """One officer's doors, those open first in walking order."""
        warning_id, worker_id = self._list_of(request)
        async with self._platform.database.read() as db:
            warning = await store.state_of(db, warning_id)
            rows = await store.visits(db, warning_id, worker_id)
        if warning is None:
            raise NotFound("there is no such list: ask your command post for a new link", field="link")
        async with self._platform.database.write() as tx:
            await audit.record(
                tx, f"officer:{worker_id}", "open_list", warning_id, "list of assigned visits", {"rows": len(rows)}
            )
        seen = [await self._visit(row) for row in rows]
        to_do = [v for v in seen if not v["done"]]
        text = await self._preparer.warning(warning_id)
        language = choose_language("en", list(text.parts["languages"]))
        return page(
            "list.html",
            warning=warning,
            part=text.parts[language],
            visits=to_do + [v for v in seen if v["done"]],
            to_do=len(to_do),
            total=len(seen),
            token=request.match_info["token"],
            now=self._platform.clock.now(),
            offset=text.parts.get("utc_offset_min", 0),
            stopped=warning.state != "active" or warning.doors not in ("allowed", "forbidden"),
        )

    async def _visit(self, row: Any) -> dict[str, Any]:
        params = row.params or {}
        dossier = (
            await self._preparer.dossier(row.dossier, row.dossier_key_id, row.person_id)
            if row.dossier is not None
            else Dossier("(area)", "")
        )
        seen_as = {"evacuate": "can_go"}.get(params.get("respond", ""), "safe_here")
        if params.get("closing", "default") != "default" and seen_as == "can_go":
            seen_as = "moving"
        buttons = [seen_as, "gone", "help", "no_answer", "refused", "unsafe"]
        return {
            "id": row.delivery_id,
            "dossier": dossier,
            "team": params.get("team", "officer"),
            "buttons": [(name, OUTCOMES[name][1]) for name in buttons],
            "answer": row.answer,
            "answer_at": row.answer_at,
            "done": row.answer in ("leaving", "moving", "safe", "not_there"),
            "second_knock": row.try_no > 1,
            "event": new_id(),
        }

    async def tap(self, request: web.Request) -> web.Response:
        """One outcome; the same form sent twice is one event."""
        warning_id, worker_id = self._list_of(request)
        form = await request.post()
        outcome = str(form.get("outcome", ""))
        if outcome not in OUTCOMES:
            raise Refused(
                f"outcome: choose one of {', '.join(OUTCOMES)}", field="outcome", rule="closed_list", given=outcome
            )
        delivery_id = request.match_info["delivery_id"]
        async with self._platform.database.read() as db:
            row = await store.with_warning(db, delivery_id)
        if row is None or row.warning_id != warning_id or row.slot != worker_id or row.channel != "door":
            raise NotFound("this door is not on your list: open the list again", field="delivery_id", given=delivery_id)
        event = str(form.get("event", ""))[:32] or new_id()
        answer = OUTCOMES[outcome][0]
        met = answer not in (Answer.NO_ANSWER, Answer.UNSAFE, Answer.NOT_THERE)
        await self._desk.report(
            Report(
                delivery_id,
                event_key=f"visit:{event}",
                source="page",
                state=SendState.DELIVERED if met else None,
                evidence=Evidence.HUMAN_CONTACT if met else Evidence.NONE,
                answer=answer,
                by="officer",
                note=str(form.get("note", ""))[:400],
            )
        )
        async with self._platform.database.write() as tx:
            await audit.record(tx, f"officer:{worker_id}", "visit_outcome", delivery_id, outcome)
        raise web.HTTPSeeOther(f"/l/{request.match_info['token']}#v{delivery_id}")

    def _list_of(self, request: web.Request) -> tuple[str, str]:
        subject = self._platform.signer.subject("list", request.match_info["token"])
        warning_id, _, worker_id = subject.partition("-")
        return warning_id, worker_id

    async def _delivery_of(self, request: web.Request) -> Any:
        delivery_id = self._platform.signer.subject("answer", request.match_info["token"])
        async with self._platform.database.read() as db:
            row = await store.with_warning(db, delivery_id)
        if row is None:
            raise NotFound("we cannot find this message any more: call the hotline to check it", field="link")
        return row

    async def answer_page(self, request: web.Request) -> web.Response:
        """What to do first, then the buttons; a cancelled warning says so at the top."""
        row = await self._delivery_of(request)
        text = await self._preparer.warning(row.warning_id)
        language = choose_language(request.query.get("lang", row.language), list(text.parts["languages"]))
        kind = row.addressee_kind if row.addressee_kind in ANSWERS else "person"
        about = ""
        if kind == "supporter" and row.dossier is not None:
            about = (await self._preparer.dossier(row.dossier, row.dossier_key_id, row.person_id)).call_name
        return page(
            "answer.html",
            row=row,
            part=text.parts[language],
            language=language,
            languages=text.parts["languages"],
            buttons=[(name, words) for name, (_, words) in ANSWERS[kind].items()],
            about=about,
            token=request.match_info["token"],
            event=new_id(),
            said=request.query.get("said", ""),
            thanks=lines_for(language)
            .thanks.get(request.query.get("said", ""), "")
            .format(hotline=self._platform.settings.hotline),
            hotline=self._platform.settings.hotline,
        )

    async def answer(self, request: web.Request) -> web.Response:
        """One answer by link; it can be changed later, the most serious one is shown to the officers."""
        row = await self._delivery_of(request)
        form = await request.post()
        kind = row.addressee_kind if row.addressee_kind in ANSWERS else "person"
        choice = str(form.get("answer", ""))
        if choice not in ANSWERS[kind]:
            raise Refused(
                f"answer: choose one of {', '.join(ANSWERS[kind])}", field="answer", rule="closed_list", given=choice
            )
        given = ANSWERS[kind][choice][0]
        by = "supporter_with_person" if choice.endswith("_with") else by_of(row.addressee_kind)
        event = str(form.get("event", ""))[:32] or new_id()
        await self._desk.report(
            Report(
                row.delivery_id,
                event_key=f"link:{event}",
                source="page",
                evidence=Evidence.ACKNOWLEDGED,
                answer=given,
                by=by,
            )
        )
        raise web.HTTPSeeOther(f"/a/{request.match_info['token']}?said={given}&lang={form.get('lang', '')}")
