"""Serves the console (paste, look, decide, send, end) and the public check page: forms that work without a script."""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial, wraps
from types import MappingProxyType

from aiohttp import web

from services.gateway import store
from services.gateway.drafting import sketch_store
from services.gateway.intake.incoming import from_cap
from services.gateway.public_cache import Made, PublicCache, first_after
from services.gateway.store import ListedWarning
from services.gateway.warnings import shelves
from services.gateway.warnings.acts import Acts
from services.gateway.warnings.admit import Admission
from services.gateway.warnings.first_page import gathered
from services.gateway.warnings.part_return import from_form
from services.gateway.web.sign_in import SignInPages
from services.gateway.web.sketch_pages import PATH, SketchPages
from services.shared.clock import wall
from services.shared.endings import ENDING_KINDS, GOES_ON, PART_RETURNS
from services.shared.errors import Conflict, NotAllowed, NotFound, Refused
from services.shared.i18n import language, t, told
from services.shared.labels import ENDED
from services.shared.ledger.warnings import EXPIRED, state_at
from services.shared.powers.may import Thing, may, must
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import TIER_WORDS, Tier
from services.shared.web.asking import asks, the_draft, the_warning, what_is_found, what_is_sent
from services.shared.web.html import Written, link_by, page, rendered

_FILLED_IN = "\ue000number\ue000"  # signs nobody types, where a page that was made before gets the number asked for
UNSENT = ("draft", "held")
RENEWED_S = 15  # a page of 10 KB is 40 KB a minute
KEY_ENDS_S = 30 * 86400.0  # so long before a key ends its console says so


Handler = Callable[["ConsolePages", web.Request], Awaitable[web.StreamResponse]]


def _keeping_what_was_pasted(handler: Handler) -> Handler:
    """Whose sign-in is over signs in again and finds the alert they pasted in the form."""

    @wraps(handler)
    async def kept(self: ConsolePages, request: web.Request) -> web.StreamResponse:
        try:
            return await handler(self, request)
        except NotAllowed as over:
            if over.status != 401:
                raise
            return await self._sign_in.again(request, 401, text=(await _pasted(request)).decode(errors="replace"))

    return kept


class ConsolePages:
    """The handlers of /console and /public."""

    def __init__(
        self,
        platform: Platform,
        admission: Admission,
        acts: Acts,
        kept: PublicCache,
        sign_in: SignInPages,
        sketches: SketchPages,
    ) -> None:
        self._platform = platform
        self._sign_in = sign_in
        self._sketches = sketches
        self._kept = kept
        self._admission = admission
        self._acts = acts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens."""
        return (
            web.get("/console", self.console),
            web.post("/console/sign-in", self.signed_in),
            web.post("/console/warnings", self.draft),
            web.post("/console/warnings/{warning_id}/send", self.send),
            web.get("/console/warnings/{warning_id}/end", self.end_form),
            web.post("/console/warnings/{warning_id}/end", self.end),
            web.get("/public/check", self.check),
        )

    @property
    def _plane(self) -> str:
        return self._platform.settings.plane

    async def signed_in(self, request: web.Request) -> web.StreamResponse:
        """Goes on where they were going, or shows the console with the alert they had pasted before."""
        entered = await self._sign_in.entered(request)
        if isinstance(entered, web.Response):
            return entered
        if entered.text and entered.to.startswith(PATH):
            return self._sign_in.lay(
                await self._sketches.typed_before(entered.who, entered.to, entered.text), entered.cookie
            )
        if entered.text:
            return self._sign_in.lay(await self._console(request, entered.who, "", entered.text), entered.cookie)
        raise self._sign_in.lay(web.HTTPSeeOther(entered.to), entered.cookie)

    @asks(Power.SEE, what_is_found)
    async def console(self, request: web.Request, who: Who) -> web.Response:
        return await self._console(request, who, "", "")

    async def _console(
        self, request: web.Request, who: Who, problem: str, text: str, status: int = 200
    ) -> web.Response:
        pages = {name: shelves.page_of(request.query.get(name, ""), name) for name in ("waiting", "earlier")}
        must(who, Power.SEE)  # a form that is shown again stands on the page of all warnings
        async with self._platform.database.read() as db:
            now = self._platform.clock.now()
            found = await gathered(db, who, now, pages)
            drafts = may(who, Power.DRAFT) is None
            returned = await sketch_store.returned_of(db, who) if drafts else []
        return page(
            "console.html",
            status=status,
            who=who,
            drafts=drafts,
            returned=returned,
            plant=may(who, Power.SEE_PLANT) is None,
            opens=partial(_opens, who),
            **found._asdict(),
            live=[r for r in found.running if r.kind != "ending"],
            endings=[r for r in found.running if r.kind == "ending"],
            key_ends=who.expires_at if who.expires_at is not None and who.expires_at - wall() < KEY_ENDS_S else None,
            state_at=state_at,
            problem=problem,
            text=Written(text),
            plane=self._plane,
            renewed_s=RENEWED_S,
            other_plane=self._platform.settings.other_plane,
            now=now,
            offset=self._platform.settings.offset_at,
        )

    @_keeping_what_was_pasted
    @asks(Power.DRAFT, what_is_sent)
    async def draft(self, request: web.Request, who: Who) -> web.StreamResponse:
        """A CAP file, pasted or uploaded, becomes a draft; whatever is wrong with it is said over the kept text."""
        data = await _pasted(request)
        text = data.decode(errors="replace")
        if not data.strip():
            return await self._console(request, who, t("Paste a CAP alert or choose a file."), text, 422)
        try:
            taken = await self._admission.admit(who, from_cap(data, strict=False, via="console"), release=False)
        except Refused as fault:
            return await self._console(request, who, told(fault.message), text, fault.status)
        if taken.state in ("active", EXPIRED):
            raise web.HTTPSeeOther(f"/live/{taken.warning_id}")
        if taken.again:  # the register may have changed since it was first asked
            await self._acts.preview(taken.warning_id)
        raise web.HTTPSeeOther(f"/live/{taken.warning_id}/preview")

    @asks(Power.SEND, the_draft)
    async def send(self, request: web.Request, who: Who) -> web.StreamResponse:
        """The button names tier and effect; a held warning's tier is decided here, with a reason."""
        form = await request.post()
        word, doors = str(form.get("tier", "")), str(form.get("doors", ""))
        if word and word not in TIER_WORDS:
            raise Refused(f"tier: use one of {', '.join(TIER_WORDS)}", field="tier", rule="closed_list", given=word)
        if doors not in ("", "safe", "unsafe"):
            raise Refused(
                "doors: choose safe, unsafe or ask the commander", field="doors", rule="closed_list", given=doors
            )
        tier, reason = Tier.of(word) if word else None, str(form.get("reason", "")).strip()
        if tier is not None and len(reason) < 2:
            raise Refused(
                "reason: say in a few words why you chose this tier; it is kept in the log",
                field="reason",
                rule="required",
            )
        warning_id = request.match_info["warning_id"]
        approves, place = str(form.get("approves", ""))[:160], str(form.get("place", ""))[:20_000]
        await self._acts.release(who, warning_id, tier, doors, reason[:400], approves, place)
        raise web.HTTPSeeOther(f"/live/{warning_id}")

    @asks(Power.CHECK, the_warning)
    async def end_form(self, request: web.Request, who: Who) -> web.Response:
        pressed = (
            request.query.get("ending", ""),
            request.query.get("reason", "")[:400],
        )  # Enter ends nothing: shown again
        said = t("Enter ends nothing: press the button.") if any(pressed) else ""
        return await self._end_form(request, who, kind=pressed[0], reason=pressed[1], said=said)

    async def _end_form(
        self,
        request: web.Request,
        who: Who,
        problem: str = "",
        field: str = "",
        kind: str = "",
        reason: str = "",
        said: str = "",
        part: Mapping[str, object] = MappingProxyType({}),
    ) -> web.Response:
        """How it ends; for what was not sent yet, only why it is given up. Keeps what was chosen where it was refused."""
        row = await self._row(request)
        return page(
            "end.html",
            status=422 if problem else 200,
            who=who,
            row=row,
            tier=Tier(row.state_tier) if row.state_tier else None,
            unsent=row.state_state in UNSENT,
            over=row.state_kind == "ending" or row.state_state not in ("active", *UNSENT),
            problem=problem,
            field=field,
            kind=kind,
            reason=reason,
            said=said,
            part=part,
            plane=self._plane,
        )

    async def _row(self, request: web.Request) -> store.StoredWarning:
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            row = await store.find_stored(db, warning_id)
        if row is None:
            raise NotFound(
                "there is no such warning: open it from the first page", field="warning_id", given=warning_id
            )
        return row

    @asks(Power.CHECK, the_warning)
    async def end(self, request: web.Request, who: Who) -> web.StreamResponse:
        form = await request.post()
        kind, reason = str(form.get("ending", "")), str(form.get("reason", "")).strip()
        row = await self._row(request)
        if kind == "withdraw":
            if row.state_state not in UNSENT:
                raise Conflict(
                    "this warning has gone out meanwhile: open its live page and end it there",
                    field="ending", rule="state", given=row.state_state,
                )  # fmt: skip
            kind = "checking"  # were it sent this very moment, this is the ending that stops and withdraws nothing
        elif kind not in ENDING_KINDS:
            return await self._end_form(request, who, t("Choose how the warning ends."), "ending", "", reason)
        if len(reason) < 2:
            wrong = t("Say in a few words why it ends: it is kept in the log.")
            return await self._end_form(request, who, wrong, "reason", kind, reason)
        try:
            part = from_form(list(row.texts), form) if kind == PART_RETURNS else None
            taken = await self._acts.cancel(who, row.warning_id, kind, reason[:400], part)
        except Refused as wrong:
            if not wrong.field.startswith("part"):
                raise
            return await self._end_form(request, who, told(wrong.message), "part", kind, reason, part=form)
        to = {
            "withdrawn": "/console",
            "held": f"/live/{taken.warning_id}/preview",
        }  # held: what it waits for is said there
        raise web.HTTPSeeOther(to.get(taken.state, f"/live/{taken.warning_id}"))

    async def check(self, request: web.Request) -> web.Response:
        """Is this message real? By its four digits, without a link and without signing in."""
        # a Chinese keyboard types full-width digits, an Arabic one its own
        number = "".join(str(unicodedata.decimal(c)) for c in request.query.get("number", "")[:40] if c.isdecimal())[:8]
        if number in (await store.names_out(self._platform, self._kept)).numbers:
            made = await self._kept.of(("check", number, language()), lambda: self._checked(number))
            return made.answer(request)
        # of all numbers that are not ours there is one page, with the number filled in
        asked = "number" in request.query
        made = await self._kept.of(("check", asked, language()), lambda: self._checked(_FILLED_IN, asked=asked))
        return replace(made, body=made.body.replace(_FILLED_IN.encode(), number.encode())).answer(request)

    async def _checked(self, number: str, *, asked: bool = True) -> Made:
        first = found = checking = None
        now = self._platform.clock.now()
        if number != _FILLED_IN:
            async with self._platform.database.read() as db:
                first = await store.by_number(db, number)
                if first is not None:  # whichever message of its chain somebody holds, the newest word is what holds
                    found = await store.last_word(db, first.chain_id)
                if found is not None and found.ending in GOES_ON:
                    checking, warned = found, await store.newest_of(db, found.chain_id)
                    found = warned if warned is not None and warned.state == "active" else found
        # made once for whoever asks: the links to its other languages name the number and nothing else of a request
        link_by(lambda tag: f"?number={number}&lang={tag}" if asked else f"?lang={tag}")
        text = rendered(
            "check.html",
            endings=ENDED,
            number=number,
            asked=asked,
            found=found,
            older=first is not None and found is not None and first.warning_id != found.warning_id,
            checking=checking if checking is not found else None,
            tier=Tier(found.tier) if found is not None and found.tier else None,
            now=now,
            hotline=self._platform.settings.hotline,
            offset=self._platform.settings.offset_at,
            plane=self._plane,
        )
        until = first_after(now, [found.expires_at] if found is not None else ())
        return Made(text.encode(), "text/html; charset=utf-8", until=until)


def _opens(who: Who, row: ListedWarning) -> str:
    """Where a warning of the list leads a caller: its page where that opens, else what everybody may read of it."""
    thing = Thing(owner=row.authority, out=row.released_at is not None)
    waits = row.state in UNSENT
    if may(who, Power.PREVIEW if waits else Power.WATCH, thing) is None:
        return f"/live/{row.warning_id}/preview" if waits else f"/live/{row.warning_id}"
    return f"/public/check?number={row.number}" if thing.out else ""


async def _pasted(request: web.Request) -> bytes:
    """The alert of the console's form: the file if one was chosen, else what was pasted."""
    form = await request.post()
    upload = form.get("file")
    data = upload.file.read() if isinstance(upload, web.FileField) else b""
    return data or str(form.get("text", "")).encode()
