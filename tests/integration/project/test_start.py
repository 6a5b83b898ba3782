"""What a start loads: nothing of a service that this process does not play, nothing of a command that was not given."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = "import sys, {0}; print(*sys.modules)"


def loaded_by(*modules: str) -> set[str]:
    """What stands in sys.modules of a fresh process."""
    run = subprocess.run(
        [sys.executable, "-c", LOADED.format(", ".join(modules))], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_the_command_loads_no_service_and_nothing_heavy() -> None:
    found = loaded_by("services.__main__")
    assert "services.commands.kit" in found
    heavy = {"shapely", "openpyxl", "phonenumbers", "signxml", "alembic", "services.run", "services.demo"}
    assert set() == found & heavy
    parts = ("gateway", "registry", "router", "channels", "sim")
    assert [] == sorted(m for m in found if m.startswith(tuple(f"services.{part}." for part in parts)))


@pytest.mark.parametrize("role", ["gateway", "registry", "router", "channels"])
def test_a_process_loads_the_service_it_plays(role: str) -> None:
    found = loaded_by("services.run", f"services.{role}.service")
    others = {"gateway", "registry", "router", "channels"} - {role}
    assert set() == found & {f"services.{other}.service" for other in others}
    assert "openpyxl" not in found
