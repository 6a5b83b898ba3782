"""Plants decoys, people who do not exist; a look at one raises an alarm.

A decoy is suspended: nobody warns them, nobody is sent to their door, and no count holds them.
"""

from __future__ import annotations

import random
from collections.abc import Collection

import sqlalchemy as sa
import structlog

from services.registry.importing.write import SealingKeys, import_people
from services.registry.model.given import WARNED, PersonIn
from services.registry.store import register
from services.registry.store.lookup_tables import decoy
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection, Database
from services.shared.errors import Refused
from services.shared.powers.who import Who

log = structlog.get_logger("look")
MOST = 200
NAMES = ("Wang", "Li", "Zhang", "Chen", "Liu", "Ma", "Sun", "Zhao", "He", "Lin")
_rng = random.SystemRandom()


async def plant(database: Database, keys: SealingKeys, count: int, *, year: int, by: str) -> list[str]:
    """Makes decoys near real homes, so that any list that is long enough holds one; their ids."""
    if not 1 <= count <= MOST:
        raise Refused(f"plant 1 to {MOST} at a time", field="count", rule="range", given=count)
    async with database.read() as db:
        like = sa.select(register.person).where(
            register.person.c.status.in_(WARNED), register.person.c.kind != "facility"
        )
        homes = (await db.execute(like.order_by(register.person.c.person_id).limit(5000))).all()
    if not homes:
        raise Refused("the register is empty: import people first", field="count", rule="people")
    made = []
    for home in (_rng.choice(homes) for _ in range(count)):
        name = f"{_rng.choice(NAMES)} {_rng.choice(NAMES)}"
        made.append(
            PersonIn(
                person_id=new_id(), status="suspended", call_name=name, birth_year=year - _rng.randint(30, 88),
                lives_alone=True, lat=home.lat, lon=home.lon, zone_id=home.zone_id, grid_id=home.grid_id,
                walk_seq=home.walk_seq,
            )
        )  # fmt: skip
    rows = [{"person_id": p.person_id, "planted_at": wall(), "seen": 0} for p in made]
    async with database.write() as tx:  # before they can be looked at
        await insert_new(tx, decoy, rows)
        await trail.record(tx, by, "decoys.plant", "register", "decoys", {"count": count})
    await import_people(database, keys, made, year=year, actor=by)
    return [p.person_id for p in made]


async def alarm(tx: Connection, who: Who, people: Collection[str], reason: str) -> int:
    """Raises an alarm for each decoy among the people shown: an audit entry, a log line, a count. Returns how many."""
    found = list(await tx.scalars(sa.select(decoy.c.person_id).where(decoy.c.person_id.in_(people))))
    for person_id in sorted(found):
        await tx.execute(sa.update(decoy).where(decoy.c.person_id == person_id).values(seen=decoy.c.seen + 1))
        await trail.record(tx, who.label, "decoy.seen", person_id, reason, {"caller_id": who.actor})
        log.warning("decoy_seen", caller_id=who.actor, person_id=person_id)
    return len(found)
