"""Shows each phone and mailbox of the stand-in, as pages to look at and to answer from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from aiohttp import web

from services.channels.messages.render import segments
from services.sim.mailbox import Mailbox
from services.sim.sandbox import Sandbox
from services.sim.shapes import Call, MessageResource
from services.sim.twiml import NotTwiml, play

SHOWN = 200  # on the page of all phones
_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One thing that arrived at a phone or mailbox, or that a phone said back (`mine`)."""

    kind: str
    to: str
    words: str
    about: str = ""
    title: str = ""
    mine: bool = False


class Inbox:
    """The pages `/` and `/phones/{number}`."""

    def __init__(self, sandbox: Sandbox, mailbox: Mailbox) -> None:
        self._sandbox = sandbox
        self._mailbox = mailbox
        self._said: list[tuple[float, Item]] = []  # when, and what somebody typed as that phone

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.get("/", self._all),
            web.get("/phones/{number}", self._one),
            web.post("/phones/{number}/reply", self._reply),
        )

    async def _all(self, request: web.Request) -> web.Response:
        return self._page("", self._items())

    async def _one(self, request: web.Request) -> web.Response:
        return self._page(request.match_info["number"], self._items(request.match_info["number"]))

    async def _reply(self, request: web.Request) -> web.Response:
        """A text from that phone to the number it was written to from, as if somebody had typed it."""
        number, form = request.match_info["number"], await request.post()
        body = str(form.get("body", ""))
        self._said.append((self._sandbox.agenda.clock.now(), Item("text", number, body, mine=True)))
        last = next((m.form["From"] for m in reversed(self._sandbox.messages.values()) if m.form["To"] == number), "")
        heard = await self._sandbox.inbound(
            sender=number, to=last or self._sandbox.from_number, body=body, key=f"inbox:{len(self._said)}:{number}",
        )  # fmt: skip
        return self._page(
            number, self._items(number), heard if heard is not None else "no answer came; is Tocsin there?"
        )

    def _items(self, only: str = "") -> list[Item]:
        """The newest first, of one phone or of all."""
        mailed = {a.sid: a.at for a in self._sandbox.accepts if a.kind == "email"}
        found = [(m.created, text(m)) for m in self._sandbox.messages.values()]
        found += [(c.created, spoken(c)) for c in self._sandbox.calls.values()]
        found += [
            (mailed.get(m.delivery, 0.0), Item("mail", m.to, m.body, title=m.subject)) for m in self._mailbox.mails
        ]
        found += self._said
        found.sort(key=lambda one: -one[0])
        return [item for _, item in found if only in ("", item.to)]

    def _page(self, phone: str, items: Sequence[Item], heard: str = "") -> web.Response:
        counts = Counter[str](sms=0, call=0, email=0)
        counts.update(a.kind for a in self._sandbox.accepts)
        shown = items if phone else items[:SHOWN]
        body = _pages.get_template("inbox.html").render(
            phone=phone, items=shown, more=len(items) - len(shown), counts=counts, heard=heard
        )
        return web.Response(text=body, content_type="text/html", headers={"Cache-Control": "no-store"})


def text(message: MessageResource) -> Item:
    """A text as the phone shows it, with what it cost and what became of it."""
    body = message.form.get("Body", "")
    used = segments(body)
    return Item(
        "text",
        message.form["To"],
        body,
        f"{message.status} · {used.count} segment{'' if used.count == 1 else 's'} of {used.encoding}",
    )


def spoken(call: Call) -> Item:
    """A call as it is heard from its start, before any key."""
    try:
        said = "\n".join(verb.said for verb in play(call.form.get("Twiml", "").encode()) if verb.said)
    except NotTwiml as wrong:
        said = f"cannot be played: {wrong}"
    return Item("call", call.form["To"], said, f"{call.status}{f', {call.answered_by}' if call.answered_by else ''}")
