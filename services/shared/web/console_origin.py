"""Says by which address people open the console: passkeys are bound to it, and invitations lead there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def console_origin(public_url: str, given: str) -> str:
    """Scheme, host and port people open the console by. A passkey takes a name: this machine's own address is localhost."""
    url = urlsplit(given or public_url)
    host, port = url.hostname or "localhost", f":{url.port}" if url.port else ""
    try:
        if ipaddress.ip_address(host).is_loopback:
            host = "localhost"
    except ValueError:
        pass
    return f"{url.scheme or 'http'}://{host}{port}"
