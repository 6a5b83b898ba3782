"""A platform on a SQLite file of its own, with keys, a clock that stands still and a bus that only collects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from services import migrations
from services.registry.service import RegistryService
from services.shared.bus.outbox import id_of, outbox
from services.shared.clock import StepClock
from services.shared.crypto.dossier import assemble, owner_of, unpack
from services.shared.crypto.sealing import Dossier, Keys, Opener, page_key
from services.shared.database.engine import Database
from services.shared.messages import AudienceFound, WarningIssued, decode
from services.shared.service import Platform
from services.shared.settings import Settings
from tests.kit.handed import HandedOver

NOON = 1_790_000_000.0 - 1_790_000_000.0 % 86400 + 12 * 3600
YEAR = 2026
SQUARE = '{"type":"Polygon","coordinates":[[[103.0,30.0],[103.1,30.0],[103.1,30.1],[103.0,30.1],[103.0,30.0]]]}'
BENT = (
    '{"type":"Polygon","coordinates":[[[103.0,30.0],[103.1,30.003],[103.12,30.071],[103.05,30.12],[103.0,30.0]],'
    "[[103.04,30.03],[103.061,30.03],[103.06,30.05],[103.04,30.03]]]}"
)


@dataclass
class Registry:
    """The service under test and what a test does with it."""

    platform: Platform
    service: RegistryService
    bus: HandedOver

    @property
    def database(self) -> Database:
        return self.platform.database

    @property
    def keys(self) -> Keys:
        return self.platform.keys

    async def hear(self, message: WarningIssued) -> None:
        """As the bus shows it, once it was said."""
        await self.bus.hand(message)

    async def said(self) -> list[AudienceFound]:
        """All that stands in the outbox, in order."""
        async with self.database.read() as db:
            bodies = list(await db.scalars(sa.select(outbox.c.body).order_by(outbox.c.id)))
        return [message for body in bodies if isinstance(message := decode(body), AudienceFound)]

    async def work_all(self) -> int:
        """Works until nothing is due; how many times it did something."""
        times = 0
        while await self.service.run_due():
            times += 1
        return times


def warning(name: str = "flood", **changes: object) -> WarningIssued:
    """A red live alert over SQUARE."""
    issued = WarningIssued(
        msg_id=id_of("message", name),
        plane="live",
        warning_id=id_of("warning", name),
        tier=4,
        kind="alert",
        purpose="live",
        chain_id=id_of("warning", name),
        hazard="flash_flood",
        respond="evacuate",
        sent=NOON,
        expires=NOON + 6 * 3600,
        area=SQUARE,
    )
    return msgspec.structs.replace(issued, **changes)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    settings = Settings(data_dir=tmp_path, plane="live")
    migrations.upgrade(settings.resolved_database_url)
    database = Database(settings.resolved_database_url, synchronous="OFF")
    keys, bus = Keys(settings.keys_dir), HandedOver(database, "registry")
    platform = Platform(settings, database, bus, StepClock(NOON), keys, "http://127.0.0.1")
    service = RegistryService(platform)
    service.subscribe()
    await service.start()
    yield Registry(platform, service, bus)
    await service.stop()
    await database.close()


async def opened_dossier(database: Database, keys: Keys, sealed: bytes, person_id: str) -> Dossier:
    """A dossier as channels opens it."""
    opener = Opener(keys.private)
    async with database.read() as db:
        for row in await db.execute(sa.select(page_key)):
            opener.learn(row.key_id, row.wrapped)
    return assemble(
        [(p.name, opener.open(p.sealed, p.key_id.hex(), owner_of(person_id, p.name))) for p in unpack(sealed)]
    )
