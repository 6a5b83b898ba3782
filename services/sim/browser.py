"""A visitor of Tocsin's pages: opens a link, reads the forms, presses a button. No script.

A phone is a link's: cookies that pages under a link lay go back with that link alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin

import aiohttp
from lxml import html
from yarl import URL

from services.sim.postman import Postman

_HEADERS = {"Accept": "text/html", "User-Agent": "visitor"}
_FORM_HEADERS = _HEADERS | {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Form:
    """A form: where it goes, what it carries unseen, and its buttons' name and values."""

    action: str
    hidden: Mapping[str, str]
    button: str
    values: tuple[str, ...]


class Browser:
    """Uses the stand-ins' one session; counts what it did."""

    def __init__(self, postman: Postman) -> None:
        self._postman = postman
        self._in_flight = 0
        self._cookies: dict[tuple[str, ...], dict[str, str]] = {}  # link > those laid under it
        self.counts: Counter[str] = Counter()

    @property
    def busy(self) -> bool:
        return self._in_flight > 0

    async def open(self, url: str) -> html.HtmlElement | None:
        """The page, or None where it cannot be had now (no connection, 5xx) or at all (4xx)."""
        self._in_flight += 1
        try:
            headers = _HEADERS | self._with_cookies(url)
            async with self._postman.session.get(URL(url, encoded=True), headers=headers) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            self.counts["page_unreachable"] += 1
            return None
        finally:
            self._in_flight -= 1
        self.counts[f"page_{response.status}"] += 1
        if response.status != 200 or not body:
            return None
        return html.document_fromstring(body, parser=html.HTMLParser(encoding="utf-8"), base_url=url)

    def _with_cookies(self, url: str) -> dict[str, str]:
        held = self._cookies.get(_link(url), {})
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in held.items())} if held else {}

    async def press(self, form: Form, value: str) -> bool:
        """Sends the form with one of its buttons; True where it was taken."""
        body = urlencode({**form.hidden, form.button: value}).encode()
        self._in_flight += 1
        try:
            headers = _FORM_HEADERS | self._with_cookies(form.action)
            async with self._postman.session.post(
                URL(form.action, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as response:
                await response.read()
                laid = {name: morsel.value for name, morsel in response.cookies.items()}
                self._cookies.setdefault(_link(form.action), {}).update(laid)
        except (aiohttp.ClientError, TimeoutError):
            self.counts["press_unreachable"] += 1
            return False
        finally:
            self._in_flight -= 1
        self.counts[f"press_{response.status}"] += 1
        return response.status < 400


def _link(url: str) -> tuple[str, ...]:
    return URL(url, encoded=True).parts[:3]


def form_of(node: html.HtmlElement, button: str, url: str) -> Form | None:
    """The first form under `node` that has buttons named `button`, or None."""
    for form in node.iter("form"):
        values = tuple(b.get("value", "") for b in form.iter("button") if b.get("name") == button)
        if values:
            hidden = {i.get("name", ""): i.get("value", "") for i in form.iter("input") if i.get("type") == "hidden"}
            return Form(urljoin(url, form.get("action") or url), hidden, button, values)
    return None
