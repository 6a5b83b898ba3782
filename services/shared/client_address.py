"""Finds the address a request comes from: the last that is no proxy of ours; of IPv6 the /64."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # settings come through here too, and a command need not load a server
    from aiohttp import web

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks_of(text: str) -> tuple[Network, ...]:
    """Addresses and networks joined by commas. ValueError names the one that is none."""
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


def address_of(text: str) -> Address | None:
    """The address that a header or a socket wrote; an IPv4 address mapped into IPv6 as IPv4. None where it is none."""
    plain = text.strip().strip('"')
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:  # IPv4 with its port
        plain = plain.partition(":")[0]
    try:
        found = ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether the address is of one of the networks."""
    return any(address in one for one in networks)


def counted(address: Address) -> str:
    """What budgets count: an IPv4 address; of an IPv6 address its /64, since whoever has one address has them all."""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


def origin_of(request: web.Request, trusted: Sequence[Network]) -> str:
    """The caller's address, as `counted`. X-Forwarded-For is believed from the right, as far as trusted proxies wrote it.

    Where a trusted proxy passes something on that is no address, it counts for the proxy itself.
    """
    here = address_of(request.remote or "")
    if here is None:
        return "unknown"
    hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
    while is_in(here, trusted) and hops:
        before = address_of(hops.pop())
        if before is None:
            break
        here = before
    return counted(here)
