"""Decides which addresses named by outsiders we connect to: public ones, unless a setting says otherwise.

The address that was checked is the address that is connected to: a name that changes its mind in between changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from services.shared.errors import Fault
from services.shared.people.push_subscription import wrong_part


class OutOfReach(Fault):
    """Where it leads is no public address."""


def may_reach(address: str, *, private: bool) -> bool:
    """Whether an IP address may be connected to: a public one, or any where a setting says so."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if private:
        return True
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if inner is not None:
        ip = inner
    if isinstance(ip, ipaddress.IPv6Address) and (ip.teredo is not None or ip in ipaddress.ip_network("64:ff9b::/32")):
        return False  # addresses that hide another one
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def literal(host: str) -> bool:
    """Whether a URL's host is connected to as an IP address, however it is written: 127.1, 2130706433, or in full-width
    figures too. It is never resolved, so the caller checks it."""
    try:
        meant = URL.build(scheme="http", host=host).raw_host or ""
    except ValueError:
        return True  # no name at all: `may_reach` says no to it
    return ":" in meant or meant.replace(".", "").isdigit()


def check_push_service(endpoint: str, *, private: bool) -> None:
    """Refused where a push service's address is not https, or an IP address that is not public.

    A name's addresses are looked at when it is connected to.
    """
    url = urlsplit(endpoint)
    host = url.hostname or ""
    if private:
        return
    if url.scheme != "https":
        raise wrong_part("endpoint", "https", "a push service is spoken to over https alone")
    if host == "localhost" or (literal(host) and not may_reach(host, private=False)):
        raise wrong_part("endpoint", "public address", "a push service lies at a public address")


class CheckedResolver(AbstractResolver):
    """Resolves a name and keeps what may be reached; where that is nothing, nothing is connected to (OutOfReach)."""

    def __init__(self, *, private: bool, remedy: str) -> None:
        self._inner = ThreadedResolver()
        self._private = private
        self._remedy = remedy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        good = [one for one in found if may_reach(one["host"], private=self._private)]
        if not good:
            raise OutOfReach(f"{host} lies at no public address: {self._remedy}")
        return good

    async def close(self) -> None:
        await self._inner.close()
