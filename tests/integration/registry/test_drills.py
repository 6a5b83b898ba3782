"""A drill on the real register writes to nobody who has not agreed to drills; whoever is made up is rehearsed with."""

from __future__ import annotations

from services.registry.importing.write import import_people
from services.registry.model.given import ConsentIn
from services.registry.sample.sample import import_community, mint
from tests.integration.registry.conftest import SQUARE, YEAR, warning
from tests.integration.registry.test_audience import person

YES = ConsentIn(purpose="drill", decision="given", notice_version="2026-1")
NO = ConsentIn(purpose="drill", decision="refused")
TAKEN_BACK = ConsentIn(purpose="drill", decision="withdrawn")
WARN = ConsentIn(purpose="warn_me", decision="given", notice_version="2026-1")


async def warned(registry, plane: str) -> tuple[set[str], int, bool]:
    """Who of them is in the audience, by name; what the last page says of how many; whether it came."""
    await registry.hear(warning(f"of {plane}", plane=plane))
    await registry.work_all()
    pages = [page for page in await registry.said() if page.plane == plane]
    return {p.person_id for page in pages for p in page.people}, pages[-1].total, pages[-1].last


async def test_a_drill_is_of_those_who_agreed_and_the_real_thing_of_all(registry):
    """Nobody asked is no yes, another purpose is none, the newest word counts; pages and their counts agree."""
    given = {"yes": (YES,), "no": (NO,), "not asked": (), "another": (WARN,), "taken back": (YES,), "again": (NO,)}
    people = {name: person(name, consents=consents) for name, consents in given.items()}
    await import_people(registry.database, registry.keys, list(people.values()), year=YEAR, actor="t", fictional=True)
    later = [person("taken back", consents=(TAKEN_BACK,)), person("again", consents=(YES,))]
    await import_people(registry.database, registry.keys, later, year=YEAR, actor="t", fictional=True)
    agreed = {people["yes"].person_id, people["again"].person_id}
    assert (agreed, 2, True) == await warned(registry, "drill")
    everybody = {one.person_id for one in people.values()}
    assert (everybody, len(everybody), True) == await warned(registry, "live")


async def test_a_page_of_people_who_did_not_agree_is_followed_by_those_who_did(registry):
    """Whole pages without anybody: the job goes on behind them."""
    many = [person(f"n{n}", household_id=f"{n:032x}") for n in range(700)]
    last = person("last", household_id="f" * 32, consents=(YES,))
    await import_people(registry.database, registry.keys, [*many, last], year=YEAR, actor="t", fictional=True)
    assert ({last.person_id}, 1, True) == await warned(registry, "drill")


async def test_a_sample_community_is_rehearsed_with(registry):
    made = mint(SQUARE, people=40, seed=5)
    await import_community(registry.database, registry.keys, made)
    found, total, _ = await warned(registry, "drill")
    assert {p.person_id for p in made.people} | {f.facility_id for f in made.facilities} == found
    assert len(found) == total
