"""A router on a real SQLite database and a clock that is moved: warnings are issued, pages come, answers are written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services import migrations
from services.router.explaining.explain import CHANNELS
from services.router.service import RouterService
from services.router.store import tables
from services.shared.bus.outbox import digest_of, id_of, outbox
from services.shared.clock import StepClock
from services.shared.crypto.sealing import Keys
from services.shared.database.batches import insert_all, insert_new
from services.shared.database.engine import Database
from services.shared.ledger.channels import channel
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from services.shared.messages import (
    AudienceFound,
    ContactEntry,
    EvidenceRecorded,
    PersonEntry,
    Profile,
    SupporterEntry,
    WarningIssued,
    WorkerEntry,
    decode,
)
from services.shared.service import Platform
from services.shared.settings import Settings
from services.shared.tiers import Tier
from tests.kit.handed import HandedOver

NOON = 1_700_000_000.0 - 1_700_000_000 % 86400 + 12 * 3600  # UTC
MIDNIGHT = NOON + 12 * 3600


def contact(kind: str, owner: str) -> ContactEntry:
    return ContactEntry(f"{owner}-{kind}"[:32], kind, f"key-{owner}-{kind}", b"sealed", "k")


def worker(name: str, *grids: str, skills: Sequence[str] = (), per_hour: int = 10) -> WorkerEntry:
    owner = name.ljust(32, "0")
    contacts = (contact("sms", owner), contact("voice_mobile", owner))
    return WorkerEntry(owner, grids, tuple(skills), per_hour, "en", contacts)


def ident(number: int) -> str:
    return f"{number:032x}"


class RouterTown:
    """The router's part of an installation, without the others: what they would do is written by hand."""

    def __init__(self, platform: Platform, clock: StepClock, bus: HandedOver) -> None:
        self.platform = platform
        self.bus = bus
        self.clock = clock
        self.router = RouterService(platform)
        self.router.subscribe()
        self._messages = int(clock.now())

    async def issue(
        self,
        name: str = "w",
        *,
        tier: Tier = Tier.RED,
        hazard: str = "flash_flood",
        kind: str = "alert",
        ending: str = "",
        replaces: Sequence[str] = (),
        hours: float = 6,
        impact: float | None = None,
        doors: str = "ask",
        chain: str = "",
    ) -> str:
        """A warning is released now; `chain` is the name of the first of its chain, where it is not that itself."""
        warning_id, now = name.ljust(32, "0"), self.clock.now()
        chain_id = (chain or name).ljust(32, "0")
        message = WarningIssued(
            msg_id=self.msg_id(), plane="live", warning_id=warning_id, tier=int(tier), kind=kind, purpose="live",
            chain_id=chain_id, hazard=hazard, respond="", sent=now, expires=now + hours * 3600, impact=impact,
            released=now, ending=ending, replaces=tuple(r.ljust(32, "0") for r in replaces),
        )  # fmt: skip
        state = {
            "warning_id": warning_id, "chain_id": chain_id, "tier": int(tier), "state": "active", "kind": kind,
            "purpose": "live", "sent": now, "expires_at": now + hours * 3600, "authority": "A", "number": "4721",
            "doors": doors, "released_at": now,
        }  # fmt: skip
        async with self.platform.database.write() as tx:
            await insert_all(tx, warning_state, [state])
        await self.hand(message)
        return warning_id

    async def page(
        self,
        warning_id: str,
        people: Sequence[tuple[PersonEntry, Profile]],
        workers: Sequence[WorkerEntry] = (),
        unresolved: Sequence[tuple[str, str]] = (),
        *,
        last: bool = True,
        before: Sequence[Sequence[str]] = (),
    ) -> None:
        """A page of the registry: the only one, unless others follow (`last`) or came `before`, each the people it brought."""
        profiles = {p.key: p for _, p in people}
        keys = sorted(profiles)
        entries = [
            PersonEntry(
                e.person_id, e.household_id, keys.index(p.key), e.zone_id, e.grid_id, e.walk_seq, e.dossier, e.key_id,
                e.contacts, e.supporters,
            )
            for e, p in people
        ]  # fmt: skip
        ids = [*(one for page in before for one in page), *(e.person_id for e in entries)]
        message = AudienceFound(
            msg_id=self.msg_id(), plane="live", warning_id=warning_id, tier=1, purpose="live", page=len(before), last=last,
            profiles=tuple(profiles[k] for k in keys), people=tuple(entries), workers=tuple(workers),
            total=len(ids) if last else -1, digest=digest_of(ids) if last else "", unresolved=tuple(unresolved),
        )  # fmt: skip
        await self.hand(message)

    async def at(self, minute: float, since: float = NOON) -> None:
        """The clock is moved, stopping wherever the router has something to do."""
        end = since + 60 * minute
        while True:
            while await self.router.run_due():
                pass
            following = await self.router.next_at()
            if following is None or following > end:
                break
            self.clock.advance_to(max(following, self.clock.now()))
        self.clock.advance_to(max(end, self.clock.now()))
        while await self.router.run_due():
            pass

    async def word(self, warning_id: str, doors: str) -> None:
        """The commander's word."""
        async with self.platform.database.write() as tx:
            await tx.execute(
                sa.update(warning_state).where(warning_state.c.warning_id == warning_id).values(doors=doors)
            )
        await self.at(0, self.clock.now())

    async def set_driver(self, name: str, driver: str) -> None:
        """Another driver carries a channel."""
        async with self.platform.database.write() as tx:
            await tx.execute(sa.update(channel).where(channel.c.channel == name).values(driver=driver))

    async def end(self, name: str) -> None:
        """The gateway has ended a warning: what it stops is told by a message of its own."""
        async with self.platform.database.write() as tx:
            mine = warning_state.c.warning_id == name.ljust(32, "0")
            await tx.execute(sa.update(warning_state).where(mine).values(state="cancelled", ended_at=self.clock.now()))

    async def said(self, where: Sequence[Any], **values: Any) -> None:
        """What channels would write into the ledger, and its hint."""
        async with self.platform.database.write() as tx:
            ids = (
                await tx.scalars(sa.update(delivery).where(*where).values(**values).returning(delivery.c.delivery_id))
            ).all()
            row = (await tx.execute(sa.select(delivery.c.warning_id).where(delivery.c.delivery_id.in_(ids)))).first()
        assert row is not None, "nothing was said"
        message = EvidenceRecorded(
            msg_id=self.msg_id(), plane="live", warning_id=row.warning_id, tier=1, ids=tuple(sorted(ids))
        )
        await self.hand(message)

    async def rows(self, **wanted: Any) -> list[Any]:
        """Deliveries, oldest first."""
        async with self.platform.database.read() as db:
            about = [delivery.c[name] == value for name, value in wanted.items()]
            return list(
                (
                    await db.execute(
                        sa.select(delivery)
                        .where(*about)
                        .order_by(delivery.c.due_at, delivery.c.channel, delivery.c.try_no)
                    )
                ).all()
            )

    async def paths(self, warning_id: str) -> dict[str, Any]:
        """Paths by person."""
        async with self.platform.database.read() as db:
            rows = await db.execute(sa.select(tables.path).where(tables.path.c.warning_id == warning_id))
            return {r.person_id: r for r in rows}

    async def notices(self) -> list[tuple[str, str]]:
        """(kind, to whom) of what was asked to be told to officers, in the order it was said."""
        async with self.platform.database.read() as db:
            rows = (await db.execute(sa.select(outbox).where(outbox.c.topic == "NoticeRequested"))).all()
        found = [decode(r.body) for r in rows]
        return [(m.kind, m.addressee_id.rstrip("0")) for m in found]  # type: ignore[union-attr]

    async def hand(self, message: Any) -> None:
        """The router hears a message, once it was said."""
        await self.bus.hand(message)

    def msg_id(self) -> str:
        """One nobody had."""
        self._messages += 1
        return f"{self._messages:032x}"


@asynccontextmanager
async def router_town(folder: Path, start: float = NOON, policy: str = "", url: str = "") -> AsyncIterator[RouterTown]:
    """A router on an empty database in `folder`, or on that of `url`; `policy` is the text of another file."""
    file = folder / "router.db"
    if not url:
        url = f"sqlite+aiosqlite:///{file}"
        migrations.upgrade(url)
    database = Database(url, synchronous="OFF")
    clock = StepClock(start)
    keys = Keys(folder / "keys")
    own = None
    if policy:
        own = folder / "policy.yaml"
        own.write_text(policy, encoding="utf-8")
    settings = Settings(data_dir=folder, utc_offset_min=0, policy=own)
    bus = HandedOver(database, "router")
    platform = Platform(settings, database, bus, clock, keys, "http://127.0.0.1")
    names = (*CHANNELS, "officer_voice")
    channels = [
        {
            "channel": name, "driver": "door" if name in ("door", "fire_service_list") else name, "contact_kinds": [],
            "two_way": True, "links": True, "voice": False, "repeats_per_day": 0, "templates_only": False,
            "working": True, "why": "",
        }
        for name in names
    ]  # fmt: skip
    async with database.write() as tx:
        await insert_new(tx, channel, channels)
    try:
        yield RouterTown(platform, clock, bus)
    finally:
        await database.close()


def one(
    number: int,
    *kinds: str,
    groups: tuple[str, ...] = ("blind",),
    flags: tuple[str, ...] = (),
    kind: str = "resident",
    helper: str = "",
    zone: str = "z",
    grid: str = "g",
) -> tuple[PersonEntry, Profile]:
    """A person with contacts of these kinds; `helper` is outside, inside or empty."""
    me = ident(number)
    supporters = (
        (SupporterEntry(ident(number + 10_000), helper == "outside", "en", (contact("sms", f"h{number}"),)),)
        if helper
        else ()
    )
    profile = Profile(
        id_of(kind, *groups, *flags, *kinds, helper), kind, groups, flags, "en", kinds,
        supporters=(("sms", helper == "outside"),) if helper else (),
    )  # fmt: skip
    entry = PersonEntry(
        me, me, 0, zone, grid, number, b"dossier", "k", tuple(contact(k, me) for k in kinds), supporters
    )
    return entry, profile
