"""What a run costs: CPU seconds and memory of process trees, read from /proc; and what machine it ran on."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import uvloop

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and its descendants; one that ends meanwhile (a database's helper, at any moment) is left out."""
    found, at = [pid], 0
    while at < len(found):
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{found[at]}/task").iterdir():
                with suppress(FileNotFoundError, ProcessLookupError):
                    children = (thread / "children").read_text()
                    found += [int(word) for word in children.split()]
        at += 1
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """User and system seconds of these processes and all their descendants, those that ended included."""
    ticks = 0
    for root in pids:
        for pid in tree(root):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            ticks += sum(int(fields[at]) for at in (11, 12, 13, 14))  # own user and system, reaped children's
    return ticks / TICKS


def peak_mb(pid: int) -> float:
    """Largest resident size so far, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def reset_peak(pid: int) -> None:
    """Lets `peak_mb` begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The loop that serves."""
    return uvloop.new_event_loop


def steal_s() -> float:
    """Seconds the host took from this machine since boot."""
    return int(Path("/proc/stat").read_text().split()[8]) / TICKS


def described() -> dict[str, str]:
    """The machine, in words."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return {
        "cpu": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "load": f"{os.getloadavg()[0]:.1f} when it began",
        "python": platform.python_version(),
    }


def version_of(*command: str) -> str:
    """The first line a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]
