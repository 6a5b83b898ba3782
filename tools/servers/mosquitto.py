"""A private MQTT broker for tests: Debian's mosquitto, one folder, a free port of loopback; it ends with us, however we end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from tools.servers.ports import free_port
from tools.servers.rabbit import _answers, _Kept, _wait_for

PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER, PASSWORD = "tocsin", "secret"


class Mosquitto:
    """Started by `with`; who connects gives USER and PASSWORD, except devices, which are let in by a password of their own."""

    def __init__(self, folder: Path, *, tls: tuple[Path, Path] | None = None) -> None:
        assert PROGRAM, "please run tools/setup.sh test: mosquitto is missing"
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port(lasting=True)
        self.url = f"{'mqtts' if tls else 'mqtt'}://127.0.0.1:{self.port}"
        self._kept: _Kept | None = None
        passwords = folder / "passwords"
        passwords.touch(mode=0o600)
        for user in (USER, "device"):
            command = ["mosquitto_passwd", "-b", str(passwords), user, PASSWORD]
            subprocess.run(command, check=True, capture_output=True, timeout=10)
        lines = [
            f"listener {self.port} 127.0.0.1", "allow_anonymous false", f"password_file {passwords}", "persistence true",
            f"persistence_location {folder}/", "autosave_interval 1", "log_dest stderr",
        ]  # fmt: skip
        if tls is not None:
            lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
        if os.geteuid() == 0:
            lines += ["user root"]  # else it would leave for a user who may not read this folder
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Returns when it answers."""
        assert PROGRAM
        command = [PROGRAM, "-c", str(self.folder / "mosquitto.conf")]
        self._kept = kept = _Kept(command, os.environ, self.folder, self.folder / "mosquitto.log")

        def up() -> bool:
            assert kept.alive, (self.folder / "mosquitto.log").read_text()
            return _answers(self.port, b"")

        _wait_for(up, 10, "mosquitto")

    def kill(self) -> None:
        """kill -9."""
        if self._kept is not None:
            os.kill(self._kept.pid, signal.SIGKILL)
            self._kept.end()
            self._kept = None

    def freeze(self) -> None:
        """Connections stay, nobody answers."""
        assert self._kept is not None
        os.kill(self._kept.pid, signal.SIGSTOP)

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()
