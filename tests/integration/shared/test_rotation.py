"""The channels key replaced while everything runs, and the proof that nobody but channels can open."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from services import roles
from services.channels import key_rotation as rotating
from services.channels.key_rotation import Rotation
from services.roles import ROLES, check_keys, read_keys
from services.shared.audit import trail
from services.shared.crypto import sealing
from services.shared.crypto.channels_keys import learn, list_keys, rotate, sealing_key
from services.shared.crypto.sealing import Keys, Opener, Sealer, page_key, public_half, public_id
from services.shared.database.engine import Database
from services.shared.errors import Broken, Conflict
from services.shared.ledger.tables import delivery
from services.shared.settings import Settings
from tests.kit import alerts
from tests.kit.town import open_town

SERVICES = Path(sealing.__file__).parents[2]


class Host:
    """One channels process: its own folder of keys and its part in the replacement, on a clock of the test's."""

    def __init__(self, database: Database, keys: Keys, name: str) -> None:
        self.keys = keys
        self.opener = Opener(*keys.privates(), reread=keys.privates)
        self.now = 0.0
        self.rotation = Rotation(database, keys, self.opener, name, source=lambda: self.now)

    async def turns(self, at: float) -> None:
        """All there is to do at wall time `at`."""
        self.now = max(self.now, at)
        while await self.rotation.step():
            pass


async def seal(database: Database, keys: Keys, count: int) -> list[tuple[str, bytes]]:
    """So many pages with one sealed value each: (page key id, sealed)."""
    sealers = [Sealer(keys.public) for _ in range(count)]
    async with database.write() as tx:
        await tx.execute(sa.insert(page_key), [one.row() for one in sealers])
    return [(one.key_id, one.seal(b"+99971234567", "contact")) for one in sealers]


async def opens(database: Database, opener: Opener, sealed: list[tuple[str, bytes]]) -> bool:
    """Whether every value opens with the page keys as they are wrapped now."""
    async with database.read() as db:
        wrapped = {row.key_id: row.wrapped for row in await db.execute(sa.select(page_key))}
    for key_id, blob in sealed:
        opener.learn(key_id, wrapped[key_id])
        assert b"+99971234567" == opener.open(blob, key_id, "contact")
    return True


async def states(database: Database, keys: Keys) -> list[tuple[str, int]]:
    return [(state, pages) for _, state, _, pages in await list_keys(database, keys)]


async def test_a_key_is_replaced_in_order_and_everything_opens_all_the_time(database: Database, tmp_path: Path) -> None:
    """Nobody seals for the new key before every process holds it; nobody loses the old one while anything needs it."""
    first = Keys(tmp_path / "first")
    _ = first.public
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    shutil.copytree(tmp_path / "first", tmp_path / "registry")
    (tmp_path / "registry" / "channels.key").unlink()
    await check_keys(database, first, ROLES)
    second, registry = Keys(tmp_path / "second"), Keys(tmp_path / "registry", make=False)
    a, b = Host(database, first, "a"), Host(database, second, "b")
    sealed = await seal(database, registry, 250)
    assert [("current", 250)] == await states(database, first)
    for host in (a, b):
        await host.turns(0)

    old, new = await rotate(database, first, actor="tests", reason="it is a year old")
    with pytest.raises(Conflict, match="being replaced already"):
        await rotate(database, first, actor="tests", reason="again")
    await a.turns(1)
    await learn(database, registry)
    assert public_id(registry.public) == old, "b does not hold the new key yet"
    assert [("current", 250), ("next", 0)] == await states(database, first)
    assert await opens(database, a.opener, sealed)

    made = tmp_path / "first" / f"channels-{new}.key"
    assert 0o600 == made.stat().st_mode & 0o777
    shutil.copy(made, tmp_path / "second")
    await b.turns(2)
    await learn(database, registry)
    assert public_id(registry.public) == new
    late = await seal(database, Keys(tmp_path / "registry", make=False), 1)  # began before it learnt of it
    sealed += await seal(database, registry, 2) + late
    assert await opens(database, a.opener, sealed)
    assert await opens(database, b.opener, sealed)
    await a.turns(4)
    assert [("leaving", 0), ("current", 253)] == await states(database, first)
    assert await opens(database, a.opener, sealed)
    assert await opens(database, Opener(*second.privates()), sealed), "a process that starts now"
    await check_keys(database, Keys(tmp_path / "second"), ROLES)

    async with database.read() as db:
        since = await db.scalar(sa.select(sealing_key.c.since).where(sealing_key.c.state == "current"))
    assert since is not None
    await a.turns(since + rotating.GRACE_S - 1)
    assert [("leaving", 0), ("current", 253)] == await states(database, first)
    for host in (a, b, a, b):
        await host.turns(since + rotating.GRACE_S + 5)
    assert [("gone", 0), ("current", 253)] == await states(database, first)
    for folder, host in (("first", a), ("second", b)):
        assert [] == list((tmp_path / folder).glob("channels-*"))
        assert new == public_id(public_half((tmp_path / folder / "channels.key").read_bytes()))
        assert frozenset({new}) == host.opener.public_ids
        fresh = Keys(tmp_path / folder)
        await check_keys(database, fresh, ROLES)
        assert await opens(database, Opener(*fresh.privates()), sealed)
    await check_keys(database, Keys(tmp_path / "registry", make=False), ("registry",))
    async with database.read() as db:
        acts = (await db.scalars(sa.select(trail.audit_log.c.act).order_by(trail.audit_log.c.n))).all()
    assert ["keys.rotate", "keys.current", "keys.gone"] == list(acts)
    assert new == (await rotate(database, first, actor="tests", reason="once more"))[0]


async def test_a_key_that_another_wrote_into_the_database_is_not_sealed_for(database: Database, tmp_path: Path) -> None:
    """Whoever can write there and has not the key orders gets no page wrapped for his key; sends go on."""
    keys = Keys(tmp_path / "keys")
    ours = keys.public
    host = Host(database, keys, "a")
    await rotate(database, keys, actor="tests", reason="test")
    theirs = public_half(b"t" * 32)
    async with database.write() as tx:
        row = {"public_id": public_id(theirs), "public": theirs, "state": "current", "since": 1.0, "mac": "0" * 64}
        await tx.execute(sa.delete(sealing_key).where(sealing_key.c.state == "current"))
        await tx.execute(sa.insert(sealing_key).values(**row))
    await learn(database, keys)
    await host.turns(1)
    assert ours == keys.public
    with pytest.raises(Broken, match="not announced by this installation"):
        await check_keys(database, Keys(tmp_path / "keys"), ROLES)


async def test_a_process_without_the_current_key_does_not_start(database: Database, tmp_path: Path) -> None:
    """Channels are told to copy it; a registry with the old public half learns the new one."""
    keys = Keys(tmp_path / "keys")
    _ = keys.public
    await check_keys(database, keys, ROLES)
    shutil.copytree(tmp_path / "keys", tmp_path / "old")
    _, new = await rotate(database, keys, actor="tests", reason="test")
    await Host(database, keys, "a").turns(1)
    behind = Keys(tmp_path / "old", make=False)
    with pytest.raises(Broken, match=f"the channels key {new} is missing here"):
        await check_keys(database, behind, ("channels",))
    await check_keys(database, behind, ("registry",))
    assert new == public_id(behind.public)


async def test_a_warning_under_way_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is replaced between two minutes of a red warning: everything planned before and after it opens."""
    monkeypatch.setattr(rotating, "GRACE_S", 0.0)
    monkeypatch.setattr(rotating, "LOOK_EVERY_S", 0.0)
    async with open_town(people=40) as tocsin:
        node = tocsin.node
        warning_id = await tocsin.warn(alerts.flood(), doors="safe")
        for minute in range(12):
            await tocsin.at("+1 min")
            if minute == 1:
                await rotate(node.platform.database, node.platform.keys, actor="tests", reason="test")
            if minute >= 1:
                await node.channels.tidy()
                node.channels.rotation._opener._pages.clear()  # as a process that has just started
        rows = await tocsin.rows(sa.select(delivery).where(delivery.c.warning_id == warning_id))
        late = [r for r in rows if r.sent_at is not None and r.sent_at > alerts.START + 130 and r.sealed is not None]
        assert late, "nothing was sent under the new key"
        assert [] == [r.state_reason for r in rows if r.state_reason.startswith("unsendable")]
        assert [("gone", 0)] == (await states(node.platform.database, node.platform.keys))[:1]


def test_each_role_reads_the_keys_it_needs_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded into a process of each role, file by file."""
    whole = Keys(tmp_path / "keys")
    _ = whole.public
    read: list[str] = []
    load = sealing.load_secret

    def noted(path: Path, size: int = 32) -> bytes:
        read.append(str(path.relative_to(tmp_path / "keys")))
        return load(path, size)

    monkeypatch.setattr(sealing, "load_secret", noted)
    url = "postgresql+asyncpg://nobody@127.0.0.1/none"
    found = {}
    for role in ROLES:
        read.clear()
        read_keys(Settings(data_dir=tmp_path, database_url=url), (role,))
        found[role] = set(read) - ({"channels.key"} if role == "registry" else set())
    # a registry's host has no channels.key: where it lies beside, the public half is compared with it
    assert {"audit.key"} == found["gateway"]
    assert set() == found["router"]
    both = {"residents/1.key", "orders/1.key", "index.key", "channels.pub"}
    assert both | {"cookies/1.key"} == found["registry"]
    assert both | {"links/1.key", "callbacks/1.key", "channels.key"} == found["channels"]


def test_nobody_but_channels_names_what_opens() -> None:
    """No module of another service mentions the opener or a private key."""
    opening = {"Opener", "private", "privates", "rewrap", "load_secret"}
    found: dict[str, set[str]] = {}
    for service in ("gateway", "registry", "router", "sim", "channels"):
        for path in (SERVICES / service).rglob("*.py"):
            tree = ast.walk(ast.parse(path.read_text()))
            words = {
                n.attr if isinstance(n, ast.Attribute) else n.id
                for n in tree
                if isinstance(n, ast.Attribute | ast.Name)
            }
            if words & opening - (
                {"private"} if service in ("gateway", "registry") or path.name == "web_push.py" else set()
            ):  # a feed in a private network
                found.setdefault(service, set()).add(path.name)
    assert {"channels": {"service.py", "prepare.py", "key_rotation.py"}} == found


def test_each_service_signs_with_the_keys_it_holds() -> None:
    """Who names a key that its process is not given answers 500 wherever the services stand apart."""
    found = {
        (role, use)
        for role in ROLES
        for file in (Path(roles.__file__).parent / role).rglob("*.py")
        for use in re.findall(r"signer\(\"(\w+)\"\)", file.read_text(encoding="utf-8"))
    }
    assert len(found) > 5
    assert [] == sorted((role, use) for role, use in found if role not in roles.HOLDERS[use])
