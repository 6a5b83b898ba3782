"""What is remembered of devices, on both databases: each word means only itself, and the first of its kind stands."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from services.channels.drivers.mqtt import device_store as store
from services.channels.drivers.mqtt.device_store import Health
from services.shared.database.engine import Database

DELIVERY, LATER = "0a" * 16, "0b" * 16


async def test_what_a_device_says_of_itself_and_of_its_commands(empty: Database) -> None:
    """Health is replaced by what is said anew and kept where nothing is; a report may come before we have written."""
    async with empty.write() as tx:
        await store.heard(tx, "speaker", "school", Health(battery=80, trouble="rain"))
        await store.heard(tx, "speaker", "school", Health())
        await store.heard(tx, "speaker", "school", Health(trouble="", tested=True))
        await store.heard(tx, "shaker", "school", Health(battery=3))
        await store.became(tx, DELIVERY, "siren", "school", "received", "")
        await store.commanded(tx, DELIVERY, [("school", "siren"), ("school", "speak"), ("shop", "speak")])
        await store.became(tx, DELIVERY, "siren", "school", "failed", "first")
        await store.became(tx, DELIVERY, "siren", "school", "failed", "second" * 40)
    async with empty.write() as tx:
        await tx.execute(sa.update(store.command).values(sent_at=store.command.c.sent_at - 60))
        await store.commanded(tx, LATER, [("school", "siren")])
    async with empty.read() as db:
        seen = (await store.devices(db, "speaker"))["school"]
        last = await store.last_commands(db)
        rows = (await db.execute(sa.select(store.command).where(store.command.c.delivery_id == DELIVERY))).all()
    assert (80, "", True) == (seen.battery, seen.trouble, seen.tested_at is not None)
    assert {("school", "siren"): LATER, ("school", "speak"): DELIVERY, ("shop", "speak"): DELIVERY} == {
        key: row.delivery_id for key, row in last.items()
    }
    siren = next(row for row in rows if row.word == "siren")
    assert (True, False, False, True, "first") == (
        siren.received_at is not None, siren.playing_at is not None, siren.played_at is not None,
        siren.failed_at is not None, siren.reason,
    )  # fmt: skip


async def test_sounds_are_kept_by_their_digest_and_forgotten_after_a_week(empty: Database) -> None:
    """Twice the same is one; what is used again is kept longer."""
    wav = bytes(range(256)) * 2000
    async with empty.write() as tx:
        digests = [await store.keep_sound(tx, one) for one in (wav, wav, b"old")]
        old = store.announcement.c.sha256 == digests[2]
        await tx.execute(sa.update(store.announcement).where(old).values(made_at=0.0))
        await store.commanded(tx, DELIVERY, [("school", "siren")])
        await store.forget_old(tx)
    async with empty.read() as db:
        assert [wav, None] == [await store.sound(db, digest) for digest in digests[1:]]
        assert 1 == await db.scalar(sa.select(sa.func.count()).select_from(store.command))
    assert hashlib.sha256(wav).hexdigest() == digests[0] == digests[1]


def test_health_that_cannot_be_is_left_out() -> None:
    """The device is there all the same."""
    wrong = [{"battery": value} for value in (-1, 101, 50.5, "50", True, None)] + [{"trouble": 3}, {}]
    assert {Health()} == {Health.of(report) for report in wrong}
    assert Health(50, "x" * 80) == Health.of({"battery": 50, "trouble": "x" * 200})
