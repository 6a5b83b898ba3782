"""The demo over real servers: starts a PostgreSQL and a RabbitMQ of its own, runs `tocsin demo` on them, ends them.

python -m tools.servers.demo [what `tocsin demo` takes]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.servers.postgres import Postgres
from tools.servers.rabbit import Rabbit


def main(arguments: list[str]) -> int:
    """The demo's exit code."""
    print("demo: starting a PostgreSQL and a RabbitMQ of its own", file=sys.stderr, flush=True)  # noqa: T201
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-servers-") as folder,
        Postgres(fsync=False) as postgres,
        Rabbit(Path(folder)) as rabbit,
    ):
        servers = {"TOCSIN_DATABASE_URL": postgres.database("demo"), "TOCSIN_AMQP_URL": rabbit.vhost("tocsin-demo")}
        command = [sys.executable, "-m", "services", "demo", *arguments]
        return subprocess.run(command, env=os.environ | servers, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
