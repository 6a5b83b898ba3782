"""How many examples a property is tried on: all in the suite, a tenth where somebody waits (`make test-unit`)."""

from __future__ import annotations

import os

QUICK = os.environ.get("HYPOTHESIS_PROFILE") == "quick"


def drawn(most: int) -> int:
    """So many, or a tenth of them, at least ten."""
    return max(most // 10, 10) if QUICK else most
