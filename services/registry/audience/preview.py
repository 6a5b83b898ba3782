"""Counts the people of an area by profile, for a preview: nobody by name or id."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from msgspec.structs import replace

from services.registry.audience import whereabouts
from services.registry.audience.audience import workers_on_shift
from services.registry.audience.whereabouts import Moment
from services.registry.geo.areas import BOUNDARY, INSIDE, Shape
from services.registry.store import register
from services.shared.bus.outbox import id_of
from services.shared.database.engine import Connection
from services.shared.messages import AudienceFound, WarningIssued

EXACT_BELOW = 5000  # people in boundary cells that are looked at one by one


@dataclass(frozen=True)
class Counts:
    """People per profile in an area; `estimated` of them by the share of a cell that the area covers."""

    by_profile: dict[str, int]
    estimated: int


async def count(db: Connection, area: Shape | None, moment: Moment) -> Counts:
    """How many people of each profile the area holds: from counts inside, one by one or estimated at the edge."""
    if area is None:
        return Counts({}, 0)
    counts = await _at_home(db, area)
    guests = Counter(v.row.profile_key for v in await whereabouts.visitors(db, area, moment))
    return Counts(dict(guests + Counter(counts.by_profile)), counts.estimated)


async def _at_home(db: Connection, area: Shape) -> Counts:
    cells = await register.occupied(db, *area.cell_range(), columns=area.columns())
    kinds = area.classify(c for c, _ in cells)
    inside = [c for (c, _), kind in zip(cells, kinds, strict=True) if kind == INSIDE]
    edge = {c: n for (c, n), kind in zip(cells, kinds, strict=True) if kind == BOUNDARY}
    found: Counter[str] = Counter()
    for _, key, n in await register.counts_in(db, inside):
        found[key] += n
    if sum(edge.values()) < EXACT_BELOW:
        points = await register.points_in(db, list(edge))
        held = area.holds([p.lon for p in points], [p.lat for p in points])
        found.update(p.profile_key for p, inside_it in zip(points, held, strict=True) if inside_it)
        return Counts({k: n for k, n in found.items() if n}, 0)
    share = dict(zip(edge, area.share(edge), strict=True))
    expected: dict[str, float] = {}
    for cell, key, n in await register.counts_in(db, list(edge)):
        expected[key] = expected.get(key, 0.0) + n * float(share[cell])
    estimated = {key: round(n) for key, n in expected.items()}
    found.update(estimated)
    return Counts({k: n for k, n in found.items() if n}, sum(estimated.values()))


async def preview(db: Connection, asked: WarningIssued, now: float) -> AudienceFound:
    """The answer to a preview: profiles, and how many people have each."""
    area, unresolved = await register.area_of(db, asked.area, asked.geocodes)
    counts = await count(db, area, Moment(now, asked.utc_offset_min))
    workers = await workers_on_shift(db, Moment(now, asked.utc_offset_min).minute)
    known = await register.profiles_of(db, counts.by_profile)
    keys = sorted(counts.by_profile)
    return AudienceFound(
        msg_id=id_of("audience", "preview", asked.msg_id),
        plane=asked.plane,
        warning_id=asked.warning_id,
        tier=asked.tier,
        purpose="preview",
        page=0,
        last=True,
        profiles=tuple(known[key] for key in keys),
        workers=tuple(replace(one, contacts=()) for one in workers),  # how many doors they can do; nobody is asked
        total=sum(counts.by_profile.values()),
        counts=tuple(counts.by_profile[key] for key in keys),
        estimated=counts.estimated,
        unresolved=unresolved,
        asked=asked,
    )
