"""Makes a sketch of a warning that went out, to be changed and handed in as its update."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.gateway.drafting import moments, places
from services.gateway.drafting.sketch import SketchContent, Wording
from services.gateway.store import StoredWarning
from services.shared.database.engine import Connection
from services.shared.ledger import areas
from services.shared.people.languages import choose
from services.shared.powers.ground import km2
from services.shared.powers.may import covers
from services.shared.tiers import Tier

LEAST_KM2 = 0.01  # less of ground is how corners are rounded


async def sketch_of(
    db: Connection, row: StoredWarning, offered: Sequence[str], offset_at: Callable[[float], int]
) -> SketchContent:
    """What it says, as somebody would have typed it. Its polygon stands beside its codes only where it says more than they.

    That the place people go to is open was so when it went out: it is confirmed anew.
    """
    words = {
        choose(tag, list(offered)) or tag: Wording(
            headline=text["hazard"], what=text.get("description", ""), where=text["place"], action=text["action"],
            source=text["source"],
        )
        for tag, text in row.texts.items()
    }  # fmt: skip
    texts, unknown = await areas.of_codes(db, ((a, b) for a, b in row.geocodes))
    said_by_codes = bool(texts) and not unknown and (not row.area or _within(row.area, texts))
    impact = row.sense.get("impact")
    return SketchContent(
        updates=row.warning_id, hazard=row.sense["hazard"], tier=Tier(row.state_tier).word if row.state_tier else "",
        instruction=row.sense.get("instruction", ""), impact=moments.typed(impact, offset_at) if impact else "",
        ends=moments.typed(row.state_expires_at, offset_at),
        areas=tuple(places.key_of(a, b) for a, b in row.geocodes), geojson="" if said_by_codes else row.area,
        languages=tuple(words), words=words, place_to=dict(row.sense.get("go_to") or {}),
    )  # fmt: skip


def _within(area: str, texts: Sequence[str]) -> bool:
    """Whether a polygon says no more than the areas its codes stand for."""
    whole = places.union_of(texts)
    return covers(whole, (area,)) or km2(places.beyond(area, whole)) < LEAST_KM2
