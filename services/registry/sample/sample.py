"""Invents a fictional community inside an area; the same seed gives the same bytes.

Nobody in it exists: numbers begin with +999, a country code that was never given out, e-mail ends at example.org.
The shares are rough: about 28 % residents with needs, the rest subscribers; 1 to 4 facilities; a team of officers for
about 35 residents.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.registry.geo.areas import Shape
from services.registry.importing.report import ImportReport
from services.registry.importing.write import SealingKeys, import_areas, import_people, import_workers
from services.registry.model.facilities import AreaIn, FacilityIn, FacilityKind, WorkerIn
from services.registry.model.given import ConsentIn, ContactIn, PersonIn, Wg, mobile
from services.registry.sample.people import NAMES, SECOND, Facts, Home, Traits
from services.shared.bus.outbox import id_of
from services.shared.database.engine import Database
from services.shared.errors import Refused

ORIGIN = (30.0, 103.0)  # south-west corner (lat, lon) of the first square minted for a geocode
SQUARE = 0.02  # degrees, about 2 km
RESIDENTS = 0.28
RESIDENTS_PER_TEAM = 35
HOMES_PER_GRID = 40
GRIDS_PER_ZONE = 4
STREETS = ("River Lane", "Mill Road", "School Street", "Temple Steps", "Orchard Row", "Upper Terrace")
SKILLS = (
    ("lift_team", "liaison_team"),
    ("sign_volunteer", "guide"),
    ("nurse", "lift_team"),
    ("tactile_interpreter", "guide"),
    ("phrase_card", "liaison_team"),
)
FACILITIES: tuple[tuple[FacilityKind, str, int, int, int], ...] = (  # kind, name, heads by day, by night, not walking
    ("nursing_home", "Green Bank Nursing Home", 96, 84, 31),
    ("school", "Hillside School", 340, 0, 4),
    ("hospital", "Old Bridge Clinic", 70, 38, 15),
    ("hotel", "Ferry Guesthouse", 22, 45, 1),
)
NEEDS: tuple[tuple[str, float, int], ...] = (  # main need, share of households with one, residents in such a household
    ("mobility", 16, 1), ("hard_of_hearing", 12, 1), ("older_alone", 12, 1), ("low_vision", 8, 1), ("facility", 8, 1),
    ("cognitive", 6, 1), ("deaf_text", 5, 1), ("lift_dependent", 5, 1), ("other_language", 5, 1),
    ("older_only_home", 4, 2), ("deaf_signing", 4, 1), ("blind", 4, 1), ("no_phone", 4, 1), ("power_medical", 4, 1),
    ("newborn_or_late_pregnancy", 4, 1), ("basement", 4, 1), ("minor", 4, 1), ("psychosocial", 3, 1), ("speech", 3, 1),
    ("deafblind", 2, 1), ("boat", 1, 1),
)  # fmt: skip


AGREED = ConsentIn(  # whoever is made up may be rehearsed with: a drill writes to nobody else
    purpose="drill", decision="given", basis="public_task", by="sample"
)


@dataclass
class Community:
    """What `mint` makes; `import_community` puts it into a register."""

    people: list[PersonIn] = field(default_factory=list)
    facilities: list[FacilityIn] = field(default_factory=list)
    workers: list[WorkerIn] = field(default_factory=list)
    areas: list[AreaIn] = field(default_factory=list)


def mint(
    area_geojson: str, geocodes: Iterable[tuple[str, str]] = (), *, people: int, seed: int, year: int = 2026
) -> Community:
    """`people` persons (facilities and workers come on top), every point within the area or on its edge.

    Where there are only geocodes, each becomes a square of its own near ORIGIN; with an area they all mean that area.
    """
    areas = _areas(area_geojson, list(dict.fromkeys(geocodes)))
    if not area_geojson and not areas:
        raise Refused(
            "there is no area to put people in", field="area", rule="required", remedy="give an area or a geocode"
        )
    texts = [area_geojson] if area_geojson else [one.geojson for one in areas]
    return _Mint(Shape.from_geojson(*texts), seed, year).community(people, areas)


async def import_community(
    database: Database, keys: SealingKeys, community: Community, *, year: int = 2026, actor: str = "sample"
) -> ImportReport:
    """Imports facilities, people, officers and areas; the only channel on which made-up numbers are let in."""
    people = [one.model_copy(update={"consents": (*one.consents, AGREED)}) for one in community.people]
    everyone: list[PersonIn | FacilityIn] = [*community.facilities, *people]
    report = await import_people(database, keys, everyone, year=year, actor=actor, fictional=True)
    await import_workers(database, keys, community.workers, actor=actor, fictional=True)
    await import_areas(database, community.areas, actor=actor)
    return report


def _areas(area_geojson: str, geocodes: Sequence[tuple[str, str]]) -> list[AreaIn]:
    if area_geojson:
        return [AreaIn(value_name=v, code=c, name=f"{v} {c}", geojson=area_geojson) for v, c in geocodes]
    found = []
    for n, (value_name, code) in enumerate(geocodes):
        south, west = ORIGIN[0] + (n // 50) * 1.5 * SQUARE, ORIGIN[1] + (n % 50) * 1.5 * SQUARE
        w, s, e, north = round(west, 6), round(south, 6), round(west + SQUARE, 6), round(south + SQUARE, 6)
        ring = f"[[{w},{s}],[{e},{s}],[{e},{north}],[{w},{north}],[{w},{s}]]"
        geojson = f'{{"type":"Polygon","coordinates":[{ring}]}}'
        found.append(AreaIn(value_name=value_name, code=code, name=f"{value_name} {code}", geojson=geojson))
    return found


class _Mint:
    """One chance for everything, drawn in one order."""

    def __init__(self, area: Shape, seed: int, year: int) -> None:
        self._area = area
        self._rng = random.Random(seed)  # noqa: S311  seeded chance, not a secret
        self._seed = seed
        self._year = year
        self._traits = Traits(self._rng, area, year)
        self._homes = 0
        self._centres: list[tuple[float, float]] = []
        self.made = Community()

    def community(self, people: int, areas: list[AreaIn]) -> Community:
        """Residents by quota, subscribers for the rest, then officers for the grids that came of it."""
        made = self.made
        made.areas = areas
        residents = round(people * RESIDENTS)
        if people:
            self._centres = [self._point() for _ in range(1 + people // (2 * HOMES_PER_GRID))]
            for n in range(min(len(FACILITIES), 1 + people // 700)):
                made.facilities.append(self._facility(n))
        for need in self._quota(residents):
            if len(made.people) < people:
                self._household_with(need, people - len(made.people))
        while len(made.people) < people:
            self._subscribers(self._home(), min(self._rng.choice((1, 2, 2, 3, 4)), people - len(made.people)))
        self._officers(residents)
        return made

    def _quota(self, residents: int) -> list[str]:
        """Main needs by share, each at least once where there are residents enough, well mixed."""
        whole = sum(share * people for _, share, people in NEEDS)
        plan = [need for need, share, _ in NEEDS for _ in range(max(1, round(residents * share / whole)))]
        if residents < len(NEEDS):  # too few for one of each: the commonest stay
            plan = [need for need, _, _ in NEEDS][:residents]
        self._rng.shuffle(plan)
        return plan

    # places

    def _point(self) -> tuple[float, float]:
        """(lat, lon) anywhere in the area."""
        west, south, east, north = self._area.bounds
        for _ in range(40):
            tries = [self._round(self._rng.uniform(south, north), self._rng.uniform(west, east)) for _ in range(16)]
            held = self._area.holds([lon for _, lon in tries], [lat for lat, _ in tries])
            if held.any():
                return tries[int(held.argmax())]
        points = self._area.inner_points()
        lon, lat = points[self._rng.randrange(len(points))]
        return lat, lon

    def _near(self, centre: tuple[float, float]) -> tuple[float, float]:
        """(lat, lon) in the area within a village of the centre."""
        for shrink in (1, 2, 8, 64):
            reach = 0.006 / shrink
            tries = [
                self._round(centre[0] + self._rng.uniform(-reach, reach), centre[1] + self._rng.uniform(-reach, reach))
                for _ in range(4)
            ]
            held = self._area.holds([lon for _, lon in tries], [lat for lat, _ in tries])
            if held.any():
                return tries[int(held.argmax())]
        return centre

    @staticmethod
    def _round(lat: float, lon: float) -> tuple[float, float]:
        return max(-90.0, min(90.0, round(lat, 6))), max(-180.0, min(180.0, round(lon, 6)))

    def _home(self) -> Home:
        n = self._homes
        self._homes += 1
        village = n % len(self._centres)
        lat, lon = self._near(self._centres[village])
        tall = self._rng.random() < 0.35
        street = STREETS[village % len(STREETS)]
        return Home(
            household_id=self._id("household", n),
            lat=lat,
            lon=lon,
            address=f"{1 + n // len(self._centres)} {street}",
            zone_id=f"Z{1 + village // GRIDS_PER_ZONE:02d}",
            grid_id=f"G{1 + village:03d}",
            walk_seq=n // len(self._centres),
            floor=self._rng.randrange(1, 12) if tall else self._rng.randrange(2),
            lift=tall,
        )

    def _id(self, *parts: object) -> str:
        return id_of("sample", self._seed, *parts)

    # people

    def _add(self, home: Home, size: int, facts: Facts) -> None:
        n = len(self.made.people)
        languages = facts.pop("languages", None) or (("zh",) if self._rng.random() < 0.75 else ("en",))
        self.made.people.append(
            PersonIn.model_validate(
                {
                    "person_id": self._id("person", n),
                    "household_id": home.household_id,
                    "call_name": self._rng.choice(NAMES),
                    "languages": languages,
                    "people_at_home": size,
                    "lat": home.lat,
                    "lon": home.lon,
                    "address": home.address,
                    "zone_id": home.zone_id,
                    "grid_id": home.grid_id,
                    "walk_seq": home.walk_seq,
                    "floor": home.floor,
                    "lift": home.lift,
                    "status": "away" if self._rng.random() < 0.01 else "active",
                    **facts,
                }
            )
        )

    def _subscribers(self, home: Home, size: int) -> None:
        """Up to four adults, a couple sharing one mobile now and then."""
        shared = self._traits.number("7") if size >= 2 and self._rng.random() < 0.2 else ""
        for n in range(size):
            facts = self._traits.adult()
            if shared and n < 2:
                facts["contacts"] = mobile(shared, verified=True)
            self._add(home, size, facts)

    def _household_with(self, need: str, room: int) -> None:
        """A household around one resident, two where both are old; never more than `room` people."""
        home = self._home()
        if need == "facility":
            self._in_facility(home)
            return
        if need == "older_only_home":
            for _ in range(min(2, room)):
                self._add(home, 2, self._traits.facts_of(need, home))
            return
        facts = self._traits.facts_of(need, home)
        alone = bool(facts.get("lives_alone"))
        others = 0 if alone else min(self._rng.choice((0, 1, 1, 2)) or (need == "minor"), room - 1)
        if self._rng.random() < 0.2 and need not in ("minor", "no_phone", "older_alone"):
            self._traits.combine(facts, self._rng.choice(SECOND), home)
        if others == 0 and need != "minor":
            facts["lives_alone"] = alone or self._rng.random() < 0.4
        self._add(home, others + 1, facts)
        if others:
            self._subscribers(home, others)

    # facilities and officers

    def _facility(self, n: int) -> FacilityIn:
        kind, name, day, night, lying = FACILITIES[n]
        lat, lon = self._near(self._centres[n % len(self._centres)])
        return FacilityIn(
            facility_id=self._id("facility", n),
            name=name,
            kind=kind,
            headcount_day=day,
            headcount_night=night,
            non_walking=lying,
            contacts=(
                ContactIn(kind="duty_phone_1", address=self._traits.number("2"), order=0, verified=True),
                ContactIn(kind="duty_phone_2", address=self._traits.number("7"), order=1, verified=True),
                ContactIn(kind="sms", address=self._traits.number("7"), order=2, verified=True),
            ),
            lat=lat,
            lon=lon,
            address=f"1 {STREETS[n % len(STREETS)]}",
            zone_id=f"Z{1 + (n % len(self._centres)) // GRIDS_PER_ZONE:02d}",
            grid_id=f"G{1 + n % len(self._centres):03d}",
        )

    def _in_facility(self, home: Home) -> None:
        """A resident of one of the houses with beds; a third have a phone of their own."""
        beds = [f for f in self.made.facilities if f.headcount_night]
        house = beds[self._rng.randrange(len(beds))] if self._rng.random() < 0.2 else beds[0]
        walk = self._rng.choice((1, 2, 3, 4))
        facts: Facts = {
            "household_id": house.facility_id,
            "facility_id": house.facility_id,
            "birth_year": self._year - self._rng.randrange(68, 99),
            "wg": Wg.model_validate({"walk": walk, "cognition": self._rng.choice((1, 1, 3))}),
            "moves": ("walks", "walks", "walks_with_aid", "wheelchair")[walk - 1],
            "contacts": mobile(self._traits.number("7"), verified=True) if self._rng.random() < 0.33 else (),
            "lat": house.lat,
            "lon": house.lon,
            "address": house.address,
            "zone_id": house.zone_id,
            "grid_id": house.grid_id,
            "walk_seq": house.walk_seq,
            "floor": self._rng.randrange(3),
            "lift": True,
        }
        self._add(home, max(house.headcount_night, 1), facts)

    def _officers(self, residents: int) -> None:
        """A team for about 35 residents, at least three; every grid has one."""
        grids = sorted({p.grid_id for p in self.made.people} | {f.grid_id for f in self.made.facilities})
        teams = max(3, -(-residents // RESIDENTS_PER_TEAM))
        for n in range(teams):
            mine = [grid for g, grid in enumerate(grids) if g % teams == n] or [grids[n % len(grids)]] if grids else []
            self.made.workers.append(
                WorkerIn(
                    worker_id=self._id("worker", n),
                    name=f"Team {n + 1}",
                    grids=tuple(mine),
                    skills=SKILLS[n % len(SKILLS)],
                    doors_per_hour=10,
                    language="zh" if n % 3 else "en",
                    contacts=mobile(self._traits.number("7"), verified=True),
                )
            )
