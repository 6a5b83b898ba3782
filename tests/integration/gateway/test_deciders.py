"""Whoever writes a warning is shown by name for whom it will wait: who may send it now, and by whom it is not decided."""

from __future__ import annotations

import re

import shapely

from services.registry.importing.write import import_areas
from services.registry.model.facilities import AreaIn
from services.shared.accounts import people
from services.shared.accounts.tables import person_id
from services.shared.tiers import Tier
from tests.integration.gateway.test_accounts import Somebody, joined, quick
from tests.kit.town import Town

__all__ = ["quick"]  # a fixture
NANLING = str(shapely.to_geojson(shapely.box(102.95, 29.95, 103.05, 30.05)))
ELSEWHERE = str(shapely.to_geojson(shapely.box(10, 10, 11, 11)))
EVERY_DAY = "Mo-Su 00:00-24:00"


async def checked(author: Somebody) -> str:
    """What the check of a red warning for Nanling says of who decides."""
    begun = {"template": "flash_flood.red.leave", "impact": "", "zone": "zone=N1"}
    async with author.http.post(f"{author.town.url}/send/new", data=begun) as answer:
        page = await answer.text()
    assert 200 == answer.status, page
    found = re.search(r'<p id="waits-for">(.*?)</p>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", found[1]).split()) if found else page


async def test_for_whom_it_waits_is_said_by_name(desk: Town) -> None:
    """Not the author, nor who may not go so high or so far; who is on duty is said to be."""
    area = AreaIn(value_name="zone", code="N1", name="Nanling", geojson=NANLING)
    await import_areas(desk.node.platform.database, [area], actor="the test")
    async with joined(desk, "Sun Yu", "author", "approver") as author:
        assert "Nobody else may send this now, and nobody is paged" in await checked(author)
        async with (
            joined(desk, "Wang Wu", "approver"),
            joined(desk, "Li Na", "approver", hours=EVERY_DAY),
            joined(desk, "Zhao Lei", "approver", max_tier=int(Tier.ORANGE)),
            joined(desk, "Qian Lin", "approver", area=ELSEWHERE),
            joined(desk, "Zhou Yi", "observer"),
        ):
            none = ", gave no number to be paged at"
            assert f"Waits for: Li Na, on duty{none}; Wang Wu{none}" == await checked(author)
            await people.end(desk.node.platform.database, person_id("Li Na"), by="t", reason="ill")
            assert f"Waits for: Wang Wu{none}" == await checked(author)
