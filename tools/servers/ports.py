"""Ports for the servers that tests start by number, and which nobody else is given before they are up.

A port that is looked for and let go again is anybody's: the system gives it to the next connection that goes out, and a
broker takes ten seconds to start. A socket that is bound and does not listen keeps the port out of what the system gives
away, and does not stand in the way of a server that asks for it by number (both with SO_REUSEADDR, as servers do).
"""

from __future__ import annotations

import os
import socket
from collections import deque

KEPT = 400
_kept: deque[int] = deque()  # file descriptors; those of `lasting` ports are kept by nobody and stay open


def free_port(*, lasting: bool = False) -> int:
    """A port of 127.0.0.1; ours until 400 later ones were asked for, `lasting` until this process ends."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
        held = one.detach()
    if not lasting:
        _kept.append(held)
        if len(_kept) > KEPT:
            os.close(_kept.popleft())
    return port


def free_ports(count: int, *, lasting: bool = False) -> list[int]:
    """Several, all different."""
    return [free_port(lasting=lasting) for _ in range(count)]
