"""Decoys: people who do not exist, among those who do. Whoever looks at one was browsing, and an alarm says so.

A decoy is suspended: nobody warns her, nobody is sent to her door, and no count holds her.
"""

from __future__ import annotations

import random
from collections.abc import Collection

import sqlalchemy as sa
import structlog

from services.registry import store
from services.registry.given import WARNED, PersonIn
from services.registry.imports import SealingKeys, import_people
from services.registry.look_tables import decoy
from services.shared import audit
from services.shared.auth import Who
from services.shared.batches import insert_new
from services.shared.clock import wall
from services.shared.db import Connection, Database
from services.shared.errors import Refused
from services.shared.outbox import new_id

log = structlog.get_logger("look")
MOST = 200
NAMES = ("Wang", "Li", "Zhang", "Chen", "Liu", "Ma", "Sun", "Zhao", "He", "Lin")
_rng = random.SystemRandom()


async def plant(database: Database, keys: SealingKeys, count: int, *, year: int, by: str) -> list[str]:
    """Makes decoys near real homes, so that any list that is long enough holds one; their ids."""
    if not 1 <= count <= MOST:
        raise Refused(f"plant 1 to {MOST} at a time", field="count", rule="range", given=count)
    async with database.read() as db:
        like = sa.select(store.person).where(store.person.c.status.in_(WARNED), store.person.c.kind != "facility")
        homes = (await db.execute(like.order_by(store.person.c.person_id).limit(5000))).all()
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
        await audit.record(tx, by, "decoys.plant", "register", "decoys", {"count": count})
    await import_people(database, keys, made, year=year, actor=by)
    return [p.person_id for p in made]


async def alarm(tx: Connection, who: Who, people: Collection[str], reason: str) -> int:
    """Raises it for each decoy among the people somebody was shown: an audit entry, a log line, a count; how many."""
    found = list(await tx.scalars(sa.select(decoy.c.person_id).where(decoy.c.person_id.in_(people))))
    for person_id in sorted(found):
        await tx.execute(sa.update(decoy).where(decoy.c.person_id == person_id).values(seen=decoy.c.seen + 1))
        await audit.record(tx, who.label, "decoy.seen", person_id, reason, {"caller_id": who.key_id})
        log.warning("decoy_seen", caller_id=who.key_id, person_id=person_id)
    return len(found)
