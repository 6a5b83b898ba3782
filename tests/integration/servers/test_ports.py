"""A port that a test keeps for its server goes to nobody else, and the server gets it."""

from __future__ import annotations

import socket

from tools.servers.ports import free_port, free_ports


def test_a_kept_port_is_given_to_nobody_and_can_be_listened_on() -> None:
    """Two thousand connections and sockets that ask for any port get others; nobody answers there before the server."""
    kept = set(free_ports(20))
    assert 20 == len(kept)
    with socket.create_server(("127.0.0.1", free_port())) as server:
        given = set()
        for _ in range(2000):
            with socket.create_connection(server.getsockname()) as out, socket.socket() as any_port:
                any_port.bind(("127.0.0.1", 0))
                given |= {out.getsockname()[1], any_port.getsockname()[1]}
                server.accept()[0].close()
    assert not kept & given
    port = kept.pop()
    with socket.socket() as nobody:
        assert 0 != nobody.connect_ex(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
        pass
