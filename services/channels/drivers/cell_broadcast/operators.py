"""The mobile operators of TOCSIN_CELL_BROADCAST_OPERATORS and _TOKENS: each its gateway's routes and token. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from services.shared.errors import Refused

PREFIX = "TOCSIN_CELL_BROADCAST_"
NEAR = ("localhost", "127.0.0.1", "::1")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}")


@dataclass(frozen=True)
class Operator:
    """One operator's gateway: where, and with which token."""

    name: str
    routes: tuple[str, ...]
    token: str = ""


def read_operators(given: str, tokens: str) -> tuple[Operator, ...]:
    """The operators of the two settings; Refused names the setting, the operator and the rule."""
    secret = dict(_pairs(f"{PREFIX}TOKENS", tokens, secret=True))
    found: dict[str, Operator] = {}
    for name, value in _pairs(f"{PREFIX}OPERATORS", given):
        routes = tuple(url.strip() for url in value.split("|") if url.strip())
        for url in routes:
            _check(name, url)
        if not 1 <= len(routes) <= 2 or len(set(routes)) != len(routes):
            raise _refused(
                "OPERATORS", "routes", f"{name}: give one address, or two different ones with | between", value
            )
        if name in found:
            raise _refused("OPERATORS", "unique", f"{name} stands there twice", name)
        found[name] = Operator(name, routes, secret.pop(name, ""))
    if secret:
        raise _refused(
            "TOKENS", "known operator", f"{next(iter(secret))} is no operator of OPERATORS", next(iter(secret))
        )
    return tuple(found.values())


def _pairs(setting: str, given: str, *, secret: bool = False) -> list[tuple[str, str]]:
    found = []
    for part in filter(None, (p.strip() for p in given.split(","))):
        name, sign, value = part.partition("=")
        if not sign or not _NAME.fullmatch(name.strip()) or not value.strip():
            shown = "..." if secret else part[:60]
            raise Refused(
                f"{setting}: write name=value with commas between, the name in a-z, 0-9, - and _, at most 16",
                field=setting, rule="name=value", given=shown,
            )  # fmt: skip
        found.append((name.strip(), value.strip()))
    return found


def _check(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password or not parts.hostname:
        raise _refused("OPERATORS", "address", f"{name}: give a whole address without a user name in it", url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in NEAR):
        raise _refused("OPERATORS", "https", f"{name}: a gateway is reached over https", url)


def _refused(setting: str, rule: str, said: str, given: str) -> Refused:
    return Refused(f"{PREFIX}{setting}: {said}", field=f"{PREFIX}{setting}", rule=rule, given=given[:80])
