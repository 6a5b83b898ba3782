"""Plans a warning for so many people in memory alone, page by page, and says what each takes and whether memory grows.

The policy, its templates, ids, batches and encodings are those of the router; the register and the ledger are left out.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from services.router.explaining.explain import CHANNELS
from services.router.opening.open_paths import first_steps
from services.router.planning.contexts import Contexts
from services.router.planning.plan import WarningContext
from services.router.planning.templates import Templates
from services.shared.ledger.flights import batched
from services.shared.messages import PAGE_PEOPLE, ContactEntry, PersonEntry, Profile, WarningIssued

PROFILES = tuple(
    Profile(f"{n:032x}", "resident", groups, (), language, ("sms",))
    for n, (groups, language) in enumerate(
        (groups, language)
        for groups in (("general",), ("deaf",), ("blind",), ("general", "deaf"), ("blind", "deaf"), ())
        for language in ("en", "zh", "ug", "es")
    )
)
SEALED = bytes(60)


@dataclass(frozen=True)
class Planned:
    """What planning `people` took; MB at most, after the first tenth and at the end."""

    people: int
    deliveries: int
    batches: int
    cpu_s: float
    early_mb: float
    peak_mb: float

    def told(self) -> str:
        """One paragraph."""
        return (
            f"**Planning {self.people:,} people in memory**: {self.deliveries:,} deliveries in {self.batches:,} batches, "
            f"{self.cpu_s * 1e6 / self.people:.1f} us of CPU a person; at most {self.early_mb:.0f} MB after the first tenth, "
            f"{self.peak_mb:.0f} MB at the end"
        )


def measure(people: int) -> Planned:
    """A page at a time, as they would come."""
    ctx = _context()
    deliveries = batches = 0
    early = 0.0
    begun = time.process_time()
    for first in range(0, people, PAGE_PEOPLE):
        templates = Templates(partial(first_steps, ctx, ctx.issued.released, False), grids=False, zones=False)
        page = [
            row
            for entry in _page(first, min(PAGE_PEOPLE, people - first))
            for row in templates.planned(entry, PROFILES[entry.profile], "").rows
        ]
        made, batch_of = batched(page)
        deliveries, batches = deliveries + len(batch_of), batches + len(made)
        early = early or (_peak_mb() if 10 * first >= people else 0.0)
    return Planned(people, deliveries, batches, time.process_time() - begun, early, _peak_mb())


def _page(first: int, size: int) -> Iterator[PersonEntry]:
    for n in range(first, first + size):
        one = f"{n:032x}"
        contact = ContactEntry(one, "sms", one, SEALED, "k")
        yield PersonEntry(one, one, n % len(PROFILES), "", "", n, SEALED, "k", (contact,))


def _context() -> WarningContext:
    now = 1_790_000_000.0
    issued = WarningIssued(
        msg_id="m", plane="live", warning_id="w" * 32, tier=3, kind="alert", purpose="live", chain_id="c",
        hazard="flash_flood", respond="evacuate", sent=now, expires=now + 6 * 3600.0, released=now,
    )  # fmt: skip
    return WarningContext(issued, Contexts(None).current, {one: one for one in CHANNELS}, dict.fromkeys(CHANNELS, ""))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
