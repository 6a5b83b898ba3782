"""Keys, sealing, audit, clock, messages, logs: each small promise of the shared rooms."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
import structlog

from services import migrations
from services.shared.accounts.tables import account, person_id
from services.shared.audit import trail
from services.shared.bus.outbox import id_of
from services.shared.clock import LinearClock, StepClock, wall
from services.shared.crypto.sealing import Keys, Opener, Sealer, address_key
from services.shared.crypto.signing import Signer
from services.shared.database.engine import Database, FileLock
from services.shared.database.instance import check_plane
from services.shared.errors import Broken, Conflict, NotAllowed, Refused
from services.shared.messages import (
    AnyMessage,
    AudienceFound,
    ContactEntry,
    DeliveryDue,
    EvidenceRecorded,
    Message,
    NoticeRequested,
    PersonEntry,
    Profile,
    WarningIssued,
    decode,
    encode,
)
from services.shared.powers.may import Thing, must
from services.shared.powers.power import Power
from services.shared.powers.who import ACTIONS
from services.shared.telemetry import configure
from services.shared.tiers import Tier
from services.shared.web.auth import api_key, create_key, who_has, who_is

GOLDEN = Path(__file__).parents[2] / "kit" / "messages"


async def _database(tmp_path: Path) -> Database:
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    migrations.upgrade(url)
    return Database(url, synchronous="OFF")


async def test_a_key_reaches_as_far_as_its_grant(tmp_path: Path) -> None:
    """Stored as a hash, known again, bound to actions and tier."""
    database = await _database(tmp_path)
    key = await create_key(
        database, name="County", label="desk", actions=["read", "send"], max_tier=Tier.ORANGE, alone=Tier.RED
    )
    async with database.read() as db:
        who = await who_is(db, key)
        assert None is await who_is(db, key[:-1] + ("A" if key[-1] != "A" else "B"))
    assert who is not None
    must(who, Power.SEND, Thing(owner="County", tier=int(Tier.ORANGE)))
    with pytest.raises(NotAllowed, match="up to orange, not red"):
        must(who, Power.SEND, Thing(owner="County", tier=int(Tier.RED)))
    with pytest.raises(NotAllowed, match="may not cancel"):
        must(who, Power.END)
    with pytest.raises(Refused, match="no action 'fly'"):
        await create_key(database, name="County", label="x", actions=["fly"], max_tier=Tier.RED, alone=Tier.RED)
    async with database.read() as db:
        assert key not in str((await db.execute(sa.select(api_key))).all())
    assert "read" in ACTIONS
    await database.close()


async def test_the_label_of_a_key_names_it(tmp_path: Path) -> None:
    """No two keys in force have one, and another authority never takes it over; whose key ran out makes its successor."""
    database = await _database(tmp_path)

    async def make(name: str, **more: Any) -> str:
        return await create_key(
            database, name=name, label="met feed", actions=["read"], max_tier=Tier.RED, alone=None, **more
        )

    await make("County", expires_at=wall() - 1)
    with pytest.raises(Conflict, match="already: choose another label"):
        await make("Village")
    second = await make("County")
    for name in ("County", "Village"):
        with pytest.raises(Conflict, match="there is a key 'met feed' already"):
            await make(name)
    async with database.read() as db:
        assert await who_is(db, second) == await who_has(db, "met feed") is not None
    await database.close()


async def test_the_keys_of_somebody_who_left_open_nothing(tmp_path: Path) -> None:
    """But the feed they answered for is read on: a warning must not be lost because its administrator has left."""
    database = await _database(tmp_path)
    key = await create_key(
        database, name="County", label="met", actions=["read"], max_tier=Tier.RED, alone=None, owner="Li Na"
    )
    async with database.read() as db:
        who = await who_is(db, key)
    assert who is not None
    assert ("Li Na", "met", person_id("li na")) == (who.label, who.key_label, who.actor)
    async with database.write() as tx:
        gone = {"person": who.person, "authority_id": id_of("authority", "County"), "name": "Li Na", "login": "lina",
                "created_at": 0.0, "ended_at": wall()}  # fmt: skip
        await tx.execute(sa.insert(account).values(gone))
    async with database.read() as db:
        feed = await who_has(db, "met")
        assert (await who_is(db, key)) is None
    assert feed is not None
    assert ("met", "") == (feed.label, feed.person)
    assert feed.actor == feed.key_id
    await database.close()


def test_links_and_cookies_cannot_be_altered() -> None:
    """A MAC vouches for one use of one id."""
    signer, other = Signer(b"k" * 32), Signer(b"l" * 32)
    token = signer.token("list", "abc-def")
    assert "abc-def" == signer.subject("list", token)
    for wrong in (token[:-1], "abd" + token[3:], token.partition(".")[0], ""):
        with pytest.raises(NotAllowed):
            signer.subject("list", wrong)
    with pytest.raises(NotAllowed):
        signer.subject("answer", token)
    with pytest.raises(NotAllowed):
        other.subject("list", token)
    cookie = signer.sealed("console", "key.1f.nonce")
    assert "key.1f.nonce" == signer.opened("console", cookie)
    for wrong in (cookie[:-1], "l" + cookie[1:], cookie.rpartition(".")[0], "", ".", "é.x", token):
        assert None is signer.opened("console", wrong)
    assert None is signer.opened("me", cookie) is other.opened("console", cookie)
    for short in (b"", b"k" * 31):
        with pytest.raises(Broken, match="give one of 32"):
            Signer(short)


def test_the_registry_seals_and_cannot_open(tmp_path: Path) -> None:
    """Only channels' private key opens; each value is bound to its owner."""
    keys = Keys(tmp_path / "keys")
    sealer = Sealer(keys.public)
    sealed = sealer.seal(b"+99971234567", "contact-1")
    assert b"1234567" not in sealed
    opener = Opener(keys.private)
    opener.learn(sealer.key_id, sealer.wrapped)
    assert b"+99971234567" == opener.open(sealed, sealer.key_id, "contact-1")
    with pytest.raises(Broken):
        opener.open(sealed, sealer.key_id, "contact-2")
    stranger = Opener(Keys(tmp_path / "others").private)
    with pytest.raises(Broken, match=r"keys/channels\.key"):
        stranger.learn(sealer.key_id, sealer.wrapped)
    (tmp_path / "keys" / "channels.key").chmod(0o644)
    with pytest.raises(Broken, match="chmod 600"):
        _ = Keys(tmp_path / "keys").private


def test_one_number_is_one_address() -> None:
    """However it is written; voice and SMS of one number share it, another key names it otherwise."""
    key = b"i" * 32
    assert address_key(key, "sms", "+999 71-234 567") == address_key(key, "voice_mobile", "+99971234567")
    assert address_key(key, "email", "A@Example.org ") == address_key(key, "email", "a@example.org")
    assert address_key(key, "sms", "+99971234567") != address_key(b"j" * 32, "sms", "+99971234567")


async def test_the_audit_chain_tells_every_change(tmp_path: Path) -> None:
    """A flip, a deletion and a swap are found; an untouched log verifies."""
    database = await _database(tmp_path)
    async with database.write() as tx:
        for n in range(6):
            await trail.record(tx, "duty", "look", f"person-{n}", "case 7", {"n": n})
    async with database.read() as db:
        assert 6 == await trail.verify(db)
    log = trail.audit_log
    for change in (
        sa.update(log).where(log.c.n == 3).values(reason="case 8"),
        sa.delete(log).where(log.c.n == 3),
        sa.update(log).where(log.c.n == 3).values(n=30),
    ):
        with pytest.raises(Broken, match="does not follow at entry"):
            await _verify_after(database, change)
    await database.close()


async def _verify_after(database: Database, change: sa.UpdateBase) -> None:
    async with database.write() as tx:
        await tx.execute(change)
        await trail.verify(tx)


async def test_a_database_belongs_to_one_plane(tmp_path: Path) -> None:
    """A drill that opens the live database refuses to start."""
    database = await _database(tmp_path)
    await check_plane(database, "live")
    await check_plane(database, "live")
    with pytest.raises(Broken, match="live plane and TOCSIN_PLANE is drill"):
        await check_plane(database, "drill")
    await database.close()


def test_one_process_holds_a_directory(tmp_path: Path) -> None:
    """The second is told who does."""
    first, second = FileLock(tmp_path), FileLock(tmp_path)
    first.acquire()
    with pytest.raises(Conflict, match="in use by process"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_clocks() -> None:
    """A rehearsal runs at its rate from its anchor; a step clock never runs back."""
    now = 100.0
    clock = LinearClock(1000.0, 60.0, 100.0, source=lambda: now)
    assert 1000.0 == clock.now()
    now = 101.0
    assert 1060.0 == clock.now()
    assert 2.0 == clock.wall_seconds(120.0)
    step = StepClock(5.0)
    step.advance_to(6.0)
    with pytest.raises(ValueError, match="does not run back"):
        step.advance_to(5.0)


CONTACT = ContactEntry("c1", "sms", "ab" * 32, b"sealed", "k1")
MESSAGES: list[Message] = [
    WarningIssued(
        msg_id="m1", plane="live", warning_id="w1", tier=4, kind="alert", purpose="live", chain_id="w1", hazard="storm",
        respond="shelter_in", sent=1.0, expires=2.0, impact=1.5, area="{}", geocodes=(("SAME", "1"),), replaces=("w0",),
        utc_offset_min=480, released=1.25,
    ),
    AudienceFound(
        msg_id="m2", plane="live", warning_id="w1", tier=4, purpose="live", page=0, last=True,
        profiles=(Profile("p", "resident", ("blind",), ("high_support",), "en", ("sms",), (("email", "said_no"),)),),
        people=(PersonEntry("q", "h", 0, "z", "g", 7, b"dossier", "k1", (CONTACT,)),), total=1, digest="0" * 32,
    ),
    DeliveryDue(msg_id="m3", plane="live", warning_id="w1", tier=4, ids=("d1", "d2")),
    EvidenceRecorded(msg_id="m4", plane="live", warning_id="w1", tier=4, ids=("d1",)),
    NoticeRequested(
        msg_id="m5", plane="live", warning_id="w1", tier=4, notice_id="n", kind="officer_link", addressee_id="o",
        contact=CONTACT, language="en", expires=2.0, params={"a": "b"},
    ),
]  # fmt: skip


def begins(first: object, now: object) -> bool:
    """Whether a message is the older one with fields appended at most, in itself or in what stands in it."""
    if isinstance(first, list) and isinstance(now, list):
        return len(first) <= len(now) and all(map(begins, first, now))
    return first == now


@pytest.mark.parametrize("message", MESSAGES, ids=[type(m).__name__ for m in MESSAGES])
def test_messages_of_version_1_read_as_they_were_written(message: Message) -> None:
    """As first written: they are read by this code, which only appends to them, and an appended field disturbs nobody."""
    golden = (GOLDEN / f"{type(message).__name__}.1.json").read_bytes()
    assert message == msgspec.json.decode(golden, type=AnyMessage)
    first, now = json.loads(golden), json.loads(msgspec.json.encode(message))
    assert begins(first, now), "a field was moved, changed or taken out"
    assert message == decode(encode(message))
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(encode(message)), "a field of version 2"])
    assert message == decode(longer)


def test_no_number_leaves_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Even where somebody logs one by mistake; ids stay."""
    stream = io.StringIO()
    configure("INFO", pretty=False)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    structlog.get_logger("t").info("sent", to="+999 7123 4567", delivery_id="0c81448db0785525a2df0574d69dc926")
    structlog.reset_defaults()
    assert "7123" not in stream.getvalue()
    assert "0c81448db0785525a2df0574d69dc926" in stream.getvalue()


@pytest.mark.parametrize("pretty", [True, False])
def test_no_value_of_a_frame_leaves_with_a_traceback(pretty: bool) -> None:
    """A local of a function that failed may be somebody's name; the line that failed is said."""
    stream = io.StringIO()
    configure("INFO", pretty=pretty)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    try:
        int("x")
    except ValueError:
        somebody = "".join(("Hidden", " ", "Resident"))
        structlog.get_logger("t").exception("failed", length=len(somebody))
    structlog.reset_defaults()
    assert "Hidden Resident" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_a_link_has_one_spelling_only() -> None:
    signer = Signer(b"k" * 32)
    token, cookie = signer.token("answer", "a" * 32), signer.sealed("cookie", "b" * 32)
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=."
    assert [c for c in signs if _taken(signer, token[:-1] + c)] == [token[-1]]
    assert [c for c in signs if signer.opened("cookie", cookie[:-1] + c)] == [cookie[-1]]
    assert not _taken(signer, token + "=")
    assert not _taken(signer, token.upper())


def test_a_link_can_be_typed_from_a_text_message() -> None:
    """Small letters and figures, none of which looks like another of them: no 0, 1, 8, 9, no sign to look for."""
    codes = "".join(Signer(b"k" * 32).code("answer", str(n)) for n in range(200))
    assert set("abcdefghijklmnopqrstuvwxyz234567") == set(codes)
    assert 16 * 200 == len(codes)


def _taken(signer: Signer, token: str) -> bool:
    try:
        return bool(signer.subject("answer", token))
    except NotAllowed:
        return False
