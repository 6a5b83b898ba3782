"""`tocsin check`: is this installation sound? One line a part, in the order a start needs them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

import sqlalchemy as sa

from services import migrations
from services.channels.model.driver import Tells
from services.channels.service import ChannelsService, outgoing
from services.gateway.feeds.file import read_feeds
from services.gateway.feeds.poller import feed_lines
from services.gateway.publish.publishing import Publisher
from services.gateway.webhooks.webhook_store import webhook_lines
from services.router.planning.contexts import Contexts
from services.router.policy.abilities import check_channels, installed
from services.router.policy.engine import Policy
from services.shared.audit import trail
from services.shared.audit.audit_head import HeadFile, advance
from services.shared.audit.checkpoints import Signing, verify_checkpoints
from services.shared.bus.embedded import EmbeddedBus
from services.shared.clock import LinearClock
from services.shared.crypto import house_keys
from services.shared.crypto.private_files import must_be_private, of_database
from services.shared.crypto.sealing import Keys
from services.shared.database import disk
from services.shared.database.engine import Database
from services.shared.database.instance import check_plane
from services.shared.database.soundness import file_of, must_be_sound
from services.shared.errors import Fault
from services.shared.i18n import english
from services.shared.service import Platform
from services.shared.settings import Settings


async def check_installation(settings: Settings) -> tuple[list[str], bool]:
    """Sentences, and whether all is sound; a channel that is not configured is said and is no fault."""
    little = [
        f"NOT SOUND: disk: {said}" for said in {disk.low(settings.data_dir), disk.low(Path(gettempdir()))} if said
    ]
    try:
        async with AsyncExitStack() as closing:
            lines, sound = await _check(settings, closing)
    except (sa.exc.SQLAlchemyError, OSError) as problem:
        if not disk.is_full(problem):
            raise
        lines, sound = [english("NOT SOUND: {message}", message=disk.full().message)], False
    return [*little, *lines], sound and not little


async def _check(settings: Settings, closing: AsyncExitStack) -> tuple[list[str], bool]:
    lines: list[str] = []
    file = file_of(settings.resolved_database_url)
    try:
        if file is not None:
            must_be_private(of_database(file))
        await asyncio.to_thread(migrations.upgrade, settings.resolved_database_url)
        if file is not None:
            await asyncio.to_thread(must_be_sound, file, None)
        database = Database(settings.resolved_database_url)
        closing.push_async_callback(database.close)
        await check_plane(database, settings.plane)
        lines.append(f"database: schema is the newest, plane {settings.plane}")
        keys = Keys(settings.keys_dir)
        await house_keys.begin(database, keys, keys.uses)
        lines.append("keys: present, readable by their owner alone")
        feeds = read_feeds(settings.cap_feeds)
        Publisher(settings, settings.public_url)
        lines.append(
            f"cap: {'signed' if settings.cap_sign_key else 'not signed'} when published, {len(feeds)} feeds to read"
        )
        lines += await feed_lines(database, feeds)
        lines += await webhook_lines(database)
        policy = Contexts(settings.policy).current
        due = policy.review_due()
        late = "" if datetime.now(UTC).date() <= due else "; it is late: read it again and write the day down"
        lines.append(f"policy: {policy.name}, to be read again by {due}{late}")
        platform = Platform(settings, database, EmbeddedBus(database), LinearClock(), keys, settings.public_url)
        found, left_out = await _channels(platform, policy)
        lines += found
        async with database.read() as db:
            entries = await trail.verify(db)
            signed = await verify_checkpoints(db, Signing(keys.audit).public)
            head = HeadFile(settings.audit_head, Signing(keys.audit)).read()
            if head is not None:
                await advance(db, head)
            kept = f"it extends entry {head.n}, kept outside" if head else "no head of it is kept on this machine yet"
            lines.append(
                f"audit log: {entries} entries, the chain holds, as do its {signed} signed checkpoints; {kept}"
            )
    except Fault as fault:
        return [*lines, english("NOT SOUND: {message}", message=fault.message)], False
    return [*lines, *left_out], not left_out


async def _channels(platform: Platform, policy: Policy) -> tuple[list[str], list[str]]:
    """Each channel with whether it is used and why not; then what is wrong: channels that could not be made, shares of none."""
    lines: list[str] = []
    async with outgoing() as session:
        channels = ChannelsService(platform, session)
        check_channels(policy, installed(channels.carried()))
        for driver in channels.drivers.values():
            why = channels.limits.why_not(driver)
            ready = "ready" if not why else f"not used, {why.replace('_', ' ')}"
            lines += [f"channel {channel.name}: {ready} ({driver.name})" for channel in driver.channels]
            lines += await driver.told() if isinstance(driver, Tells) else []
        wrong = [f"NOT SOUND: driver {name}: {why}" for name, why in sorted(channels.left_out.items())]
        wrong += [
            f"NOT SOUND: TOCSIN_WEIGHTS: there is no driver {name!r}: use {', '.join(sorted(channels.drivers))}"
            for name in channels.sender.provider_weights.unknown
            if name not in channels.drivers
        ]
        await channels.stop()
        return lines, wrong
