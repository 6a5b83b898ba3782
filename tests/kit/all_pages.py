"""Walks every page there is: from the program's own table of addresses, along the links, and into each form's fault.

Nobody keeps a list of pages by hand. An address without a place in it is a beginning, whatever a page links to is visited,
and at the end `never_seen` names the addresses and templates that nobody came to.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from playwright.async_api import Error, Page

from services.shared.web import html
from services.shared.web.edge import LANGUAGE_COOKIE

SERVICES = Path(html.__file__).resolve().parents[2]
EXTENDS = re.compile(r"{%-? extends")
BASES = {"console_base.html", "me_base.html", "register_base.html"}
# What would never end, or leads to another system.
NOT_ASKED = ("/live/{warning_id}/stream", "/console/sign-in/office", "/console/sign-in/office/back")
# What a program asks for, or a page loads.
NO_PAGES = ("/api/", "/report/", "/cap/", "/callbacks/", "/static/", "/vendor/", "/a/signs/", "/a/{token}/aloud",
            "/people/places/", "/send/{sketch_id}/outlines", "/send/{sketch_id}/aloud")  # fmt: skip
# A passkey is made by a script, not by sending the form.
FIELDS = """() => [...document.forms].map((form, n) => ({
  n, action: new URL(form.action).pathname, method: form.method,
  names: [...form.elements].filter(e => e.matches('input:not([type=hidden]),textarea,select') && e.name).map(e => e.name),
passkey: 'passkey' in form.dataset,
})).filter(form => form.names.length && !form.passkey)"""
EMPTIED = """n => {
  const form = document.forms[n];
  form.noValidate = true;
  for (const e of form.elements) {
    if (e.matches('input[type=radio],input[type=checkbox]')) e.checked = false;
    else if (e.matches('textarea,input:not([type=hidden])')) e.value = '';
  }
  const send = [...form.elements].find(e => e.matches('button:not([type=button])') && !e.disabled && !e.hidden);
  form.requestSubmit(send);
}"""
LINKS = "() => [...document.querySelectorAll('a[href]')].map(a => a.href.split('#')[0])"

Look = Callable[[Page, str], Awaitable[None]]


def page_templates() -> set[str]:
    """Templates that are a whole page."""
    return {
        file.name
        for file in SERVICES.glob("*/templates/*.html")
        if file.name not in BASES and EXTENDS.search(file.read_text("utf-8"))
    }


def keep_names(patch: pytest.MonkeyPatch) -> set[str]:
    """From now on, the names of the templates that are shown, whoever renders them."""
    shown: set[str] = set()
    found = jinja2.Environment.get_template

    def kept(
        self: jinja2.Environment, name: str | jinja2.Template, parent: str | None = None, globals: Any = None
    ) -> jinja2.Template:
        shown.add(str(name))
        return found(self, name, parent, globals)

    patch.setattr(jinja2.Environment, "get_template", kept)
    return shown


class Walk:
    """One way through all pages of a town; `look` is asked of each, once, with what it is called.

    The pages are read in these languages in turn. Of addresses alike but for their places `most` are followed.
    """

    def __init__(
        self, page: Page, origin: str, app: web.Application, look: Look, languages: Sequence[str], most: int = 2
    ) -> None:
        self._page, self._origin, self._app, self._look, self._most = page, origin, app, look, most
        self._languages = cycle(languages)
        self._shown: Counter[tuple[str, frozenset[str]]] = Counter()
        self._asked: set[str] = set()
        self._sent: set[tuple[str, tuple[str, ...]]] = set()
        self._with_forms: list[str] = []
        self.patterns: set[str] = set()  # of what was a page
        self.no_page: set[str] = set()

    def addresses(self) -> list[str]:
        """What can be asked for by GET, without the places that a name has to fill."""
        return sorted({
            route.resource.canonical
            for route in self._app.router.routes()
            if route.method == "GET" and route.resource is not None
        })  # fmt: skip

    async def pattern(self, path: str, method: str = "GET") -> str:
        """The address as the table has it."""
        found = await self._app.router.resolve(make_mocked_request(method, path))
        return found.route.resource.canonical if found.route.resource is not None else path

    async def come_to(self, page: Page, name: str) -> None:
        """A page that was come to by pressing, not by the walk."""
        self.patterns.add(await self.pattern(urlsplit(page.url).path))
        await self._look(page, name)

    async def walk(self, seeds: Iterable[str]) -> None:
        """Everything that can be come to from the seeds and from the addresses without a place."""
        given = list(seeds)
        todo = deque([*given, *(one for one in self.addresses() if "{" not in one)])
        chosen = set(given)
        while todo:
            address = todo.popleft()
            if address in self._asked:
                continue
            self._asked.add(address)
            split = urlsplit(address)
            pattern = await self.pattern(split.path)
            kind = pattern, frozenset(name for name, _ in parse_qsl(split.query) if name != "lang")
            if pattern in NOT_ASKED or "lang" in dict(parse_qsl(split.query)):
                continue
            if address not in chosen and self._shown[kind] >= self._most:
                continue
            self._shown[kind] += 1
            if await self._visited(address, pattern):
                todo.extend(self._ours(await self._page.evaluate(LINKS)))

    def _ours(self, links: list[str]) -> list[str]:
        return [one.removeprefix(self._origin) for one in links if one.startswith(self._origin + "/")]

    async def _read(self) -> str:
        tag = next(self._languages)
        await self._page.context.add_cookies([{"name": LANGUAGE_COOKIE, "value": tag, "url": self._origin}])
        return tag

    async def _visited(self, address: str, pattern: str) -> bool:
        tag = await self._read()
        try:
            response = await self._page.goto(self._origin + address)
        except Error as fault:  # a file to be kept
            if "Download is starting" not in str(fault):
                raise
            self.no_page.add(pattern)
            return False
        if response is None or "text/html" not in response.headers.get("content-type", ""):
            self.no_page.add(pattern)
            return False
        self.patterns.add(pattern)
        await self._look(self._page, f"{address} ({tag})")
        if await self._page.evaluate(FIELDS):
            self._with_forms.append(address)
        return True

    async def faults(self) -> None:
        """Each form once with nothing in it, and what is said then."""
        for address in self._with_forms:
            tag = await self._read()
            await self._page.goto(self._origin + address)
            for form in await self._page.evaluate(FIELDS):
                method = str(form["method"]).upper()
                pattern = await self.pattern(form["action"], method)
                kind = f"{method} {pattern}", tuple(sorted(set(form["names"])))
                if kind in self._sent or method == "DIALOG":
                    continue
                self._sent.add(kind)
                await self.send(form["n"], address)
                await self._look(self._page, f"{address} > {kind[0]} with nothing ({tag})")
                await self._page.goto(self._origin + address)

    async def send(self, n: int, address: str) -> None:
        """Sends the n-th form of the page emptied."""
        with suppress(Error):  # the page goes away while it answers
            async with self._page.expect_navigation(wait_until="load"):
                await self._page.evaluate(EMPTIED, n)

    def never_seen(self, shown: set[str]) -> list[str]:
        """Addresses and templates that nobody came to."""
        seen = self.patterns | self.no_page
        pages = [one for one in self.addresses() if not one.startswith(NO_PAGES) and one not in NOT_ASKED]
        return [*(one for one in pages if one not in seen), *sorted(page_templates() - shown)]
