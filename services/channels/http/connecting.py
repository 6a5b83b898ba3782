"""Connects to a provider: by every address of its name, over TLS that is verified. Says why where that fails."""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import cache
from ipaddress import ip_address

import aiohappyeyeballs
from aiohttp import DefaultResolver
from aiohttp.abc import AbstractResolver

from services.channels.http.request import Origin
from services.channels.model.http_call import NotSent

NAMES_S = 10.0  # so long the addresses of a name are believed
NEXT_ADDRESS_S = 0.25  # an address that does not answer in this time is tried beside the next
Addresses = list[aiohappyeyeballs.AddrInfoType]


@cache
def _verifying() -> ssl.SSLContext:
    """The authorities this machine trusts; one for all, since reading them takes its time."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connector:
    """One origin's. The addresses of its name are asked for once for all who connect meanwhile."""

    def __init__(
        self, origin: Origin, tls: ssl.SSLContext | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._origin = origin
        self._tls = tls
        self._resolver = resolver
        self._lookup: asyncio.Task[Addresses] | None = None
        self._looked_up = 0.0

    def ready(self) -> None:
        """Reads what TLS needs, which takes its time, before the first call does."""
        if self._origin.tls and self._tls is None:
            self._tls = _verifying()

    async def connect(self, protocol: asyncio.Protocol, within: float) -> NotSent | None:
        """None where it stands; `protocol` has it then."""
        self.ready()
        tls = self._tls if self._origin.tls else None
        try:
            async with asyncio.timeout(within):
                try:
                    addresses = await self._addresses()
                except OSError:
                    return NotSent("ClientConnectorDNSError")
                line = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_S)
                await asyncio.get_running_loop().create_connection(
                    lambda: protocol, sock=line, ssl=tls, server_hostname=self._origin.host if tls else None
                )
        except TimeoutError:
            return NotSent("ConnectionTimeoutError")
        except ssl.CertificateError:
            return NotSent("ClientConnectorCertificateError"[:24], "no tls")
        except ssl.SSLError:
            return NotSent("ClientConnectorSSLError", "no tls")
        except OSError:
            return NotSent("ClientConnectorError")
        return None

    async def _addresses(self) -> Addresses:
        now = asyncio.get_running_loop().time()
        known = self._lookup
        old = now > self._looked_up + NAMES_S
        if known is None or (known.done() and (old or known.cancelled() or known.exception() is not None)):
            self._lookup = known = asyncio.create_task(self._look_up(), name="addresses of a provider")
            self._looked_up = now
        return await asyncio.shield(known)

    async def _look_up(self) -> Addresses:
        host, port = self._origin.host, self._origin.port
        try:
            found = [(host, ip_address(host).version)]
        except ValueError:
            if self._resolver is None:
                self._resolver = DefaultResolver()
            answers = await self._resolver.resolve(host, port, socket.AF_UNSPEC)
            found = [(one["host"], 6 if one["family"] == socket.AF_INET6 else 4) for one in answers]
        if not found:
            raise OSError(f"{host} has no address")
        return [_address(one, port, version) for one, version in found]

    async def close(self) -> None:
        if self._lookup is not None:
            self._lookup.cancel()
        if self._resolver is not None:
            await self._resolver.close()


def _address(host: str, port: int, version: int) -> aiohappyeyeballs.AddrInfoType:
    if version == 6:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)
