"""The broker's and the database's files in deploy/ are read by a real broker and a real database, which then do as told."""

from __future__ import annotations

from pathlib import Path

import aio_pika
import pytest

from tools.servers.postgres import Postgres
from tools.servers.rabbit import Rabbit

DEPLOY = Path(__file__).parents[3] / "deploy"


def settings_in(name: str) -> dict[str, str]:
    """The lines of a file of `name = value`."""
    lines = (DEPLOY / name).read_text("utf-8").splitlines()
    return dict(line.split(" = ", 1) for line in lines if line and not line.startswith("#"))


def test_postgresql_starts_with_our_settings() -> None:
    """None is unknown to it, and each is in force as it is written."""
    given = {name: value for name, value in settings_in("postgresql.conf").items() if name != "listen_addresses"}
    with Postgres(settings=given) as server, server.connect(server.database(migrated=False)) as connection:
        shown = {name: (connection.execute(f"SHOW {name}").fetchone() or [None])[0] for name in given}
    assert {name: value.strip("'") for name, value in given.items()} == shown


@pytest.mark.slow
async def test_the_broker_starts_with_our_settings_and_knows_its_plane(tmp_path: Path) -> None:
    """Its own user and vhost are there, the guest is not, and a message that is far too large is refused."""
    node = Rabbit(tmp_path)
    ours = settings_in("rabbitmq.conf") | {
        "listeners.tcp.default": str(node.port),
        "default_user": "tocsin", "default_pass": "pass", "default_vhost": "tocsin-drill",
    }  # fmt: skip
    (tmp_path / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in ours.items()))
    with node:
        connection = await aio_pika.connect(f"amqp://tocsin:pass@127.0.0.1:{node.port}/tocsin-drill", timeout=10)
        async with connection:
            channel = await connection.channel()
            await channel.declare_queue("here", durable=True, arguments={"x-queue-type": "quorum"})
            sent = channel.default_exchange.publish(aio_pika.Message(b"x" * 2_000_000), "here", timeout=5)
            with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed):
                await sent
        with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
            await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{node.port}/tocsin-drill", timeout=10)
