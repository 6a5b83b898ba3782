"""Makes the golden record again: what the shipped policy promises each group, in tests/kit/policy, a file a hazard.

    python -m tools.golden_table

Read the difference before committing it: it is what changes for people.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from services.commands.example_people import of_group
from services.router.explaining.table import as_text
from services.router.planning.contexts import SHIPPED
from services.router.policy.engine import read

FOLDER = Path(__file__).parents[1] / "tests" / "kit" / "policy"


@cache
def made() -> dict[str, str]:
    """File name > text."""
    policy = read(SHIPPED.read_text(encoding="utf-8"))
    return {f"{hazard}.txt": as_text(policy, hazard, of_group) for hazard in policy.hazards}


if __name__ == "__main__":
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name, text in made().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
