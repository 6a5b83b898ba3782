"""Keys that sign are replaced while everything runs: what was made before goes on, until its version is ended."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa

from services.roles import check_keys
from services.shared.audit import trail
from services.shared.clock import wall
from services.shared.crypto import channels_keys, house_keys
from services.shared.crypto.house_keys import HouseKeys, begin, end, rotate, standing
from services.shared.crypto.sealing import USES, Keys, public_half, public_id
from services.shared.crypto.signing import KeyVersions, Signer, sign_of
from services.shared.database.engine import Database
from services.shared.errors import Broken, Conflict, NotAllowed, NotFound, Refused
from tests.kit import alerts
from tests.kit.town import open_town

LINK = re.compile(r"/a/([0-9a-f]{32})\.([a-z2-7]{16})(?![a-z0-9])")


class Process:
    """One process that signs: its own folder of keys, on a clock of the test's."""

    def __init__(self, database: Database, folder: Path, name: str) -> None:
        self.keys = Keys(folder, make=False, uses=("links", "orders"))
        self.now = 0.0
        self.part = HouseKeys(database, self.keys, name, source=lambda: self.now)

    async def look(self, at: float) -> bool:
        self.now = at
        return await self.part.turn()

    @property
    def links(self) -> Signer:
        return self.keys.signer("links")


@pytest.fixture
async def two(database: Database, tmp_path: Path) -> tuple[Process, Process]:
    """Two processes on two machines, with the same keys."""
    Keys(tmp_path / "a").ring("links")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    a, b = (Process(database, tmp_path / name, name) for name in "ab")
    for one in (a, b):
        await check_keys(database, one.keys, ())
        await begin(database, one.keys, one.keys.uses)
    return a, b


async def states(database: Database) -> list[tuple[int, str, tuple[str, ...]]]:
    return [(row.version, row.state, lacking) for row, lacking in await standing(database, "links")]


async def renew(database: Database, by: Process) -> int:
    return await rotate(database, by.keys, "links", actor="tests", reason="it is a year old")


async def test_a_new_version_signs_when_every_process_holds_it(
    database: Database, two: tuple[Process, Process], tmp_path: Path
) -> None:
    """One machine lacks the file: it is named, and nobody signs what it could not check."""
    a, b = two
    before = a.links.token("answer", "one")
    assert 2 == await renew(database, a)
    with pytest.raises(Conflict, match="version 2 of links waits until every process holds it"):
        await renew(database, a)
    assert [False, False] == [await process.look(0) for process in two]
    assert [(1, "current", ()), (2, "next", ("b",))] == await states(database)
    assert not await a.look(house_keys.ANSWER_S), "b lacks it"
    assert sign_of(1) == a.links.code("answer", "one")[0]

    made = tmp_path / "a" / "links" / "2.key"
    assert 0o600 == made.stat().st_mode & 0o777
    shutil.copy(made, tmp_path / "b" / "links")
    assert not await b.look(house_keys.ANSWER_S - 1), "who has not looked yet may lack it"
    assert await a.look(house_keys.ANSWER_S + 1)
    after = a.links.token("answer", "one")
    assert (sign_of(2), len(before)) == (after.rpartition(".")[2][0], len(after))
    for process in (a, b):  # b has not looked since
        assert ["one", "one"] == [process.links.subject("answer", token) for token in (before, after)]
    await b.look(house_keys.ANSWER_S + 2)
    assert after == b.links.token("answer", "one")
    assert [(1, "leaving", ()), (2, "current", ())] == await states(database)
    fresh = Process(database, tmp_path / "b", "c")
    await begin(database, fresh.keys, fresh.keys.uses)
    assert after == fresh.links.token("answer", "one")


async def test_what_an_ended_version_signed_is_taken_back_at_once(
    database: Database, two: tuple[Process, Process], tmp_path: Path
) -> None:
    """By every process when it looks next; its file goes, and a process that brings it back does not accept it."""
    a, b = two
    before, cookie = a.links.token("answer", "one"), a.links.sealed("cookie", "one")
    with pytest.raises(Conflict, match="signs: begin a new one first, tocsin keys rotate links"):
        await end(database, a.keys, "links", 1, actor="tests", reason="stolen")
    with pytest.raises(NotFound, match="no version 7 of links"):
        await end(database, a.keys, "links", 7, actor="tests", reason="stolen")
    await renew(database, a)
    shutil.copy(tmp_path / "a" / "links" / "2.key", tmp_path / "b" / "links")
    kept = (tmp_path / "a" / "links" / "1.key").read_bytes()
    for at in (0.0, house_keys.ANSWER_S):
        await b.look(at)
        await a.look(at)
    after = a.links.token("answer", "one")
    await end(database, a.keys, "links", 1, actor="tests", reason="stolen")
    with pytest.raises(Conflict, match="has ended already"):
        await end(database, a.keys, "links", 1, actor="tests", reason="stolen")
    for process in (a, b):
        await process.look(house_keys.ANSWER_S + 2)
        with pytest.raises(NotAllowed, match="links of that time were taken back"):
            process.links.subject("answer", before)
        assert None is process.links.opened("cookie", cookie)
        assert "one" == process.links.subject("answer", after)
    assert ["2.key"] == [file.name for file in (tmp_path / "b" / "links").iterdir()]
    (tmp_path / "b" / "links" / "1.key").write_bytes(kept)
    (tmp_path / "b" / "links" / "1.key").chmod(0o600)
    b.keys.ring("links").look_again()
    fresh = Process(database, tmp_path / "b", "c")
    await begin(database, fresh.keys, fresh.keys.uses)
    for process in (b, fresh):
        with pytest.raises(NotAllowed):
            process.links.subject("answer", before)
    async with database.read() as db:
        acts = (await db.execute(sa.select(trail.audit_log.c.act, trail.audit_log.c.subject))).all()
    assert [("keys.rotate", "links 2"), ("keys.current", "links 2"), ("keys.ended", "links 1")] == [
        tuple(a) for a in acts
    ]


async def test_who_died_without_it_keeps_nobody_waiting(
    database: Database, two: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it said last counts for a minute."""
    a, b = two
    await renew(database, a)
    await b.look(0)
    await a.look(0)
    assert not await a.look(house_keys.ANSWER_S)
    later = wall() + house_keys.SILENT_S + 1
    monkeypatch.setattr(house_keys, "wall", lambda: later)
    assert await a.look(house_keys.ANSWER_S + house_keys.SILENT_S)


async def test_a_process_with_another_file_of_that_number_is_told(
    database: Database, two: tuple[Process, Process], tmp_path: Path
) -> None:
    """While it is new nobody signs with it; a start without it, or with another, is refused."""
    a, b = two
    await renew(database, a)
    foreign = tmp_path / "b" / "links" / "2.key"
    foreign.write_bytes(b"f" * 32)
    foreign.chmod(0o600)
    for at in (0.0, house_keys.ANSWER_S):
        await b.look(at)
        assert not await a.look(at)
    assert (2, "next", ("b",)) == (await states(database))[-1]
    foreign.unlink()
    async with database.write() as tx:
        await tx.execute(
            sa.update(house_keys.house_key).values(state="leaving").where(house_keys.house_key.c.version == 2)
        )
    fresh = Process(database, tmp_path / "b", "c")
    with pytest.raises(Broken, match=r"links/2\.key is missing: copy it"):
        await begin(database, fresh.keys, fresh.keys.uses)
    foreign.write_bytes(b"f" * 32)
    foreign.chmod(0o600)
    fresh = Process(database, tmp_path / "b", "c")
    with pytest.raises(Broken, match=r"links/2\.key here is not the one this database knows"):
        await begin(database, fresh.keys, fresh.keys.uses)


async def test_a_key_that_lies_there_already_is_taken_and_an_old_one_is_not(
    database: Database, two: tuple[Process, Process], tmp_path: Path
) -> None:
    """As where the folder of keys cannot be written."""
    a, _ = two
    waiting = tmp_path / "a" / "links" / "2.key"
    waiting.write_bytes((tmp_path / "a" / "links" / "1.key").read_bytes())
    waiting.chmod(0o600)
    with pytest.raises(Refused, match="was in use before"):
        await renew(database, a)
    waiting.write_bytes(b"w" * 32)
    assert 2 == await renew(database, a)
    assert b"w" * 32 == waiting.read_bytes()


async def test_orders_that_stand_in_the_database_are_signed_anew_before_their_version_ends(
    database: Database, two: tuple[Process, Process], tmp_path: Path
) -> None:
    """Ours go on; what another wrote there stays another's."""
    a, _ = two
    _ = a.keys.public
    await channels_keys.rotate(database, a.keys, actor="tests", reason="test")
    await rotate(database, a.keys, "orders", actor="tests", reason="test")
    shutil.rmtree(tmp_path / "b")
    await a.look(0)
    await a.look(house_keys.ANSWER_S)
    await end(database, a.keys, "orders", 1, actor="tests", reason="test")
    await a.look(house_keys.ANSWER_S + 2)
    async with database.read() as db:
        assert {"current", "next"} == (await channels_keys.known(db, a.keys.signer("orders"))).keys()
    theirs = public_half(b"t" * 32)
    row = {"public_id": public_id(theirs), "public": theirs, "state": "gone", "since": 1.0, "mac": "b" + "A" * 43}
    async with database.write() as tx:
        await tx.execute(sa.insert(channels_keys.sealing_key).values(**row))
        await channels_keys.sign_anew(tx, a.keys.signer("orders"))
        with pytest.raises(Broken, match="not announced by this installation"):
            await channels_keys.known(tx, a.keys.signer("orders"))


def test_versions_cannot_stand_in_for_each_other() -> None:
    """A sign names the key that is asked; one that names none is no sign of ours."""
    older, newer = Signer(b"k" * 32), Signer(KeyVersions({1: b"l" * 32, 2: b"k" * 32}))
    token = older.token("answer", "one")
    with pytest.raises(NotAllowed, match="not complete or not one of ours"):
        newer.subject("answer", token)
    subject, _, code = token.rpartition(".")
    for sign in (sign_of(3), "", "1", "é", "\udcff"):
        with pytest.raises(NotAllowed):
            newer.subject("answer", f"{subject}.{sign}{code[1:]}")
        assert None is newer.opened("cookie", f"{subject}.{sign}{code[1:]}")


async def test_under_a_warning_nothing_is_lost(tmp_path: Path) -> None:
    """Links, callbacks and codes are replaced between two minutes of a red warning, and the old versions ended later.

    What a provider reports on calls that began before is taken, a link of before is answered, and after the end of its
    version it says that it was taken back, while one of after works.
    """
    async with open_town(tmp_path, people=60) as tocsin:
        node = tocsin.node
        database, keys, house = node.platform.database, node.platform.keys, node.house
        assert house is not None
        warning_id = await tocsin.warn(alerts.flood(), doors="safe")
        for _ in range(2):
            await tocsin.at("+1 min")
        for use in USES:
            await rotate(database, keys, use, actor="tests", reason="under way")
        under_way = len(tocsin.outside.sandbox.calls)
        assert await house.turn()
        await tocsin.warn(alerts.flood("R-AGAIN"), doors="safe")
        for _ in range(6):
            await tocsin.at("+1 min")
        texts = [m.form["Body"] for m in tocsin.outside.sandbox.messages.values()]
        links = [found.groups() for text in texts if (found := LINK.search(text))]
        made = {sign_of(version): [one for one in links if one[1][0] == sign_of(version)] for version in (1, 2)}
        assert all(made.values()), "links were made before and after"
        counts = tocsin.outside.sandbox.postman.counts
        assert counts["callback"] > 0
        assert [] == [name for name in counts if name.endswith("_refused")]
        assert len(tocsin.outside.sandbox.calls) > under_way > 0
        before, after = (f"{tocsin.url}/a/{'.'.join(made[sign][0])}" for sign in "bc")
        async with aiohttp.ClientSession() as phone:
            for link in (before, after):
                async with phone.post(link, data={"answer": "help"}) as answered:
                    assert 200 == answered.status, await answered.text()
            for use in USES:
                await end(database, keys, use, 1, actor="tests", reason="a phone was stolen")
            await house.turn()
            async with phone.get(before) as answered:
                assert (403, True) == (answered.status, "links of that time were taken back" in await answered.text())
            async with phone.get(after) as answered:
                assert 200 == answered.status
        before_end = dict(counts)
        for _ in range(5):
            await tocsin.at("+1 min")
        assert counts["callback"] > before_end["callback"]
        assert not [name for name in counts if name.endswith("_refused")], "what is made now is taken"
        assert await tocsin.state(warning_id) == "active"
