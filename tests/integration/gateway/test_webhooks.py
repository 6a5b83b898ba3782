"""Departments subscribe: signed events to a process of their own, in order, through an outage, beside one that is slow."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.gateway.webhooks import telling, webhook_store
from services.gateway.webhooks.signing import WebhookSigner
from services.gateway.webhooks.telling import GIVEN_UP_S, LONGEST_S, Webhooks
from services.gateway.webhooks.webhook_store import add, remove, subscribed, webhook_event, webhook_lines
from services.shared.clock import wall
from services.shared.errors import Conflict, NotFound, Refused
from tests.kit import alerts
from tests.kit.town import Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")
BEFORE = "alerts@qingshui.example,HOOK-1,2026-06-10T11:59:00+08:00"
RECEIVER = Path(__file__).parents[2] / "kit" / "webhook_receiver.py"


@dataclass
class Department:
    """A receiver in a process of its own."""

    folder: Path
    url: str

    def answers(self, how: str) -> None:
        (self.folder / "answer").write_text(how)

    @property
    def said(self) -> list[dict[str, Any]]:
        """What came, the oldest first."""
        file = self.folder / "said.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def office(folder: Path, public: str) -> tuple[Path, Path]:
    """Where a receiver finds our public key, and where it writes what came."""
    folder.mkdir()
    (folder / "public.pem").write_text(public)
    (folder / "answer").write_text("ok")
    return folder / "public.pem", folder / "said.jsonl"


@asynccontextmanager
async def department(town: Town, folder: Path, *, public: str = "") -> AsyncIterator[Department]:
    pem, said = office(folder, public or WebhookSigner(town.node.platform.keys.audit).public_pem)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RECEIVER), str(pem), str(said), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), 30))
        yield Department(folder, f"http://127.0.0.1:{port}/tocsin?from=county")
    finally:
        process.kill()
        await process.wait()


class Clock:
    """The wall's time, moved by the test."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return wall() + self.ahead


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    async with open_town(start=alerts.START) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def clock(town: Town) -> AsyncIterator[Clock]:
    """Each test begins with nobody subscribed."""
    yield Clock()
    database = town.node.platform.database
    async with database.read() as db:
        names = [one.name for one in await subscribed(db)]
    for name in names:
        await remove(database, name, actor="tests", reason="the test is over")


async def turn(hooks: Webhooks, times: int = 1) -> None:
    for _ in range(times):
        await hooks.begin_due()
        await hooks.settle()


async def subscribe(town: Town, name: str, url: str, *events: str) -> None:
    await add(town.node.platform.database, name, url, events, private=True, actor="tests")


async def test_a_department_is_told_what_is_released_updated_and_ended(
    town: Town, clock: Clock, tmp_path: Path
) -> None:
    """Signed, once each, in order; no word of anybody; the page and the document are where it says."""
    hooks = Webhooks(town.node.platform, clock)
    async with department(town, tmp_path / "a") as fire:
        await subscribe(town, "Fire service", fire.url)
        first = await town.warn(alerts.flood("HOOK-1"))
        second = await town.warn(alerts.alert("HOOK-2", kind="Update", references=BEFORE))
        ended = await town.cancel(second, "sent_by_mistake")
        await turn(hooks, 5)
        bodies = [one["body"] for one in fire.said]
    assert ["", "", ""] == [one["why"] for one in fire.said], "the signature holds, fresh, and none came twice"
    assert ["warning.released", "warning.updated", "warning.ended"] == [body["event"] for body in bodies]
    assert [first, second, ended] == [body["warning_id"] for body in bodies]
    assert [one["id"] for one in fire.said] == [body["event_id"] for body in bodies]
    assert 3 == len({body["event_id"] for body in bodies})
    assert 1 == len({body["chain_id"] for body in bodies})
    assert ("red", "live", "Actual", "sent_by_mistake") == (
        bodies[0]["tier"], bodies[0]["plane"], bodies[0]["status"], bodies[2]["ending"],
    )  # fmt: skip
    allowed = {
        "event_id", "event", "at", "plane", "status", "warning_id", "chain_id", "replaces", "number", "tier", "ending", "sent",
        "expires", "authority", "page", "cap",
    }  # fmt: skip
    assert all(allowed == body.keys() for body in bodies), "nothing else: no name, no phone, no count"
    async with aiohttp.ClientSession() as session, session.get(bodies[0]["cap"]) as response:
        assert 200 == response.status
    [line] = await webhook_lines(town.node.platform.database)
    assert "last told" in line
    assert "?from" not in line, "what stands behind the address may be a secret"


async def test_an_outage_loses_nothing_and_keeps_the_order(town: Town, clock: Clock, tmp_path: Path) -> None:
    """Again after 5 s, 10 s ..., with the same id and another nonce; given up after a day, which the check says."""
    hooks = Webhooks(town.node.platform, clock)
    async with department(town, tmp_path / "b") as police:
        await subscribe(town, "Police", police.url, "released")
        police.answers("503")
        first = await town.warn(alerts.flood("OUT-1"))
        second = await town.warn(alerts.flood("OUT-2"))
        await turn(hooks, 3)
        assert 1 == len(police.said), "it is not tried again at once, and the second waits behind it"
        clock.ahead += 6
        await turn(hooks)
        assert 2 == len(police.said)
        [line] = await webhook_lines(town.node.platform.database)
        assert "2 events wait" in line
        assert "failed 2 times since: it answers 503" in line
        police.answers("ok")
        clock.ahead += 12
        await turn(hooks, 2)
        assert [first, first, first, second] == [one["body"]["warning_id"] for one in police.said]
        assert 1 == len({one["id"] for one in police.said[:3]})
        assert {""} == {one["why"] for one in police.said}, "signed anew each time: no nonce came twice"
        police.answers("500")
        await town.warn(alerts.flood("OUT-3"))
        await turn(hooks)
        clock.ahead += GIVEN_UP_S + LONGEST_S
        await turn(hooks)
        [line] = await webhook_lines(town.node.platform.database)
        assert "1 given up after a day" in line
        assert "wait" not in line


async def test_who_is_slow_keeps_nobody_waiting(
    town: Town, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has it while the slow one has not answered; then it counts as a failure."""
    monkeypatch.setattr(telling, "TIMEOUT", aiohttp.ClientTimeout(total=1.5))
    hooks = Webhooks(town.node.platform, clock)
    async with department(town, tmp_path / "c") as slow, department(town, tmp_path / "d") as quick:
        await subscribe(town, "Slow", slow.url)
        await subscribe(town, "Quick", quick.url)
        slow.answers("slow")
        await town.warn(alerts.flood("SLOW-1"))
        await town.warn(alerts.flood("SLOW-2"))
        await hooks.begin_due()
        while len(quick.said) < 2:
            await hooks.begin_due()
            await asyncio.sleep(0)
        assert 1 == len(slow.said)
        await hooks.settle()
        lines = await webhook_lines(town.node.platform.database)
        assert ["failed" in line for line in lines] == [False, True], lines
        assert "TimeoutError" in lines[1]


async def test_a_receiver_with_another_key_takes_nothing(town: Town, clock: Clock, tmp_path: Path) -> None:
    """The signature is what it goes by: somebody else's key fits nothing of ours."""
    hooks = Webhooks(town.node.platform, clock)
    async with department(town, tmp_path / "e", public=WebhookSigner(b"x" * 32).public_pem) as other:
        await subscribe(town, "Other", other.url)
        await town.warn(alerts.flood("KEY-1"))
        await turn(hooks)
        assert ["signature"] == [one["why"] for one in other.said]
    [line] = await webhook_lines(town.node.platform.database)
    assert "it answers 400" in line


async def test_what_is_no_address_we_tell(town: Town, clock: Clock) -> None:
    """Which field, which rule; no address of our own network unless that is meant; a name stands for one."""
    database = town.node.platform.database
    for url in (
        "ftp://example.org/", "https://", "http://example.org/", "https://localhost/", "https://127.0.0.1/",
        "https://10.0.0.1/", "https://[::1]/",
        "https://127.1/", "https://2130706433/", "https://\uff11\uff12\uff17.0.0.1/",
        "https://name:secret@example.org/", "https://example.org/#part", "x" * 1001,
    ):  # fmt: skip
        with pytest.raises(Refused) as wrong:
            await add(database, "D", url, (), private=False, actor="tests")
        assert "url" == wrong.value.field, url
        assert wrong.value.remedy
    with pytest.raises(Refused):
        await add(database, "D", "https://example.org/", ("exploded",), private=False, actor="tests")
    with pytest.raises(Refused):
        await add(database, " ", "https://example.org/", (), private=False, actor="tests")
    await add(database, "D", "https://example.org/", ("ended",), private=False, actor="tests")
    with pytest.raises(Conflict):
        await add(database, "D", "https://example.org/", (), private=False, actor="tests")
    with pytest.raises(NotFound):
        await remove(database, "E", actor="tests", reason="none")


async def test_a_name_that_leads_into_our_network_is_not_followed(
    town: Town, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at when it is connected to, whatever it was when it was added."""
    hooks = Webhooks(town.node.platform, clock)
    async with department(town, tmp_path / "f") as inside:
        url = inside.url.replace("127.0.0.1", "localhost")
        await subscribe(town, "Inside", url)
        async with town.node.platform.database.write() as tx:
            await tx.execute(sa.update(webhook_store.webhook).values(private=False))
        await town.warn(alerts.flood("IN-1"))
        await turn(hooks)
        assert [] == inside.said
    [line] = await webhook_lines(town.node.platform.database)
    assert "no public address" in line


@pytest.mark.parametrize("left", [False, True])
async def test_what_another_gateway_has_told_meanwhile_is_not_told_again(
    town: Town, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    """Between the look at what is due and the lock; an old event after a newer one would say that a warning lives again."""
    slow, quick = Webhooks(town.node.platform, clock), Webhooks(town.node.platform, clock)
    gate = asyncio.Event()

    @asynccontextmanager
    async def after_the_gate(*_: object) -> AsyncIterator[bool]:
        await gate.wait()
        yield True

    async with department(town, tmp_path / f"h{left}") as told:
        await subscribe(town, "Two", told.url, "released")
        await town.warn(alerts.flood(f"TWO-{left}"))
        with monkeypatch.context() as held:
            held.setattr("services.gateway.webhooks.telling.locks.webhook", after_the_gate)
            await slow.begin_due()
            await asyncio.sleep(0)  # it stands at the gate
        if left:
            await remove(town.node.platform.database, "Two", actor="tests", reason="moved")
        else:
            await turn(quick)
        gate.set()
        await slow.settle()
        assert (0 if left else 1) == len(told.said)


async def test_who_left_is_told_nothing_any_more(town: Town, clock: Clock, tmp_path: Path) -> None:
    """Also not what waited; and what nobody subscribed to is kept for nobody."""
    hooks = Webhooks(town.node.platform, clock)
    async with department(town, tmp_path / "g") as gone:
        await subscribe(town, "Gone", gone.url, "released")
        await town.warn(alerts.flood("GONE-1"))
        await remove(town.node.platform.database, "Gone", actor="tests", reason="moved")
        await turn(hooks)
        assert [] == gone.said
    await town.warn(alerts.flood("GONE-2"))
    assert [] == await town.rows(sa.select(webhook_event).where(webhook_event.c.state == "waiting"))
