"""Encodes what is the same for many requests once: the head, and the texts of a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import quote_plus

from yarl import URL

AGENT = "Tocsin"


@dataclass(frozen=True)
class Origin:
    """A server: its scheme, name and port."""

    host: str
    port: int
    tls: bool
    named: str  # as the Host field has it

    @classmethod
    def of(cls, url: str) -> Self:
        """ValueError where it is no address of an HTTP server."""
        try:
            found = URL(url)
        except ValueError:
            found = URL()
        host, port = found.raw_host, found.port
        if found.scheme not in ("http", "https") or not host or port is None:
            raise ValueError(f"base address: {url!r} is none: give http:// or https:// and a name")
        return cls(host.rstrip("."), port, found.scheme == "https", found.host_port_subcomponent or host)


class RequestHead:
    """The head of every request of one kind; only the length of its body is still open."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        fields = {"Host": Origin.of(url).named, "User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        lines = [f"{method} {URL(url).raw_path_qs} HTTP/1.1", *(f"{k}: {v}" for k, v in {**fields, **headers}.items())]
        if wrong := next((line for line in lines if not line.isascii() or not line.isprintable()), None):
            raise ValueError(f"request head: {wrong.partition(':')[0]!r} is no field: give printable ASCII")
        self._before = "\r\n".join(lines) + "\r\nContent-Length: "

    def request(self, body: str = "") -> bytes:
        """The whole request around an ASCII body, as a form is."""
        return f"{self._before}{len(body)}\r\n\r\n{body}".encode("ascii")


_kept = lru_cache(256)(quote_plus)


def form_text(text: str, of_many: bool) -> str:
    """A text as a form has it. What many get is kept for the next; what speaks of one person is not."""
    return _kept(text) if of_many else quote_plus(text)


def form_number(number: str) -> str:
    """A phone number as a form has it."""
    digits = number[1:]
    return f"%2B{digits}" if number[:1] == "+" and digits.isascii() and digits.isdecimal() else quote_plus(number)
