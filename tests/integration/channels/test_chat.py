"""Chat and webhooks through Apprise: whose text decides what, what an answer means, what is logged."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.channels.drivers.chat import chat
from services.channels.drivers.chat.chat import Chat
from services.channels.drivers.chat.groups_file import read_chat_file
from services.channels.model.driver import Outcome
from services.shared.errors import Refused
from tests.kit.driving import driving, message


@dataclass
class Receiver:
    """Somebody's webhook: what came, and what it answers; a status of 0 is silence."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def place(self) -> str:
        return self.url.partition("://")[2].rstrip("/")

    def of(self, path: str) -> list[dict[str, Any]]:
        return [body for at, body in self.seen if at == path]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()

    async def take(request: web.Request) -> web.Response:
        made.seen.append((request.path, await request.json()))
        if made.status == 0 or request.path.startswith("/silent"):
            await asyncio.sleep(30)
        status = 500 if request.path.endswith("/broken") else made.status
        return web.Response(status=status, headers=made.headers)

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/"))
        yield made


def chat_file(folder: Path, monkeypatch: pytest.MonkeyPatch, data: Any) -> Path:
    file = folder / "chat.yaml"
    file.write_text(data if isinstance(data, str) else yaml.safe_dump(data, allow_unicode=True), "utf-8")
    monkeypatch.setenv("TOCSIN_CHAT_FILE", str(file))
    return file


async def test_a_resident_is_written_to_by_the_operators_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address fills one place of it; the text comes whole, with its signs, and taken is accepted."""
    async with receiver() as there:
        chat_file(tmp_path, monkeypatch, {"people": {"desk": f"json://{there.place}/to/{{address}}"}})
        async with driving(Chat) as driver:
            assert ["chat"] == [channel.name for channel in driver.channels]
            text = "Go <now> & uphill.\n马上走 *yes* https://warn.example.org/a/x"
            sent = await driver.send(message(channel="chat", to="desk:@mei.li", text=text))
    assert (Outcome.ACCEPTED, "d" * 32) == (sent.outcome, sent.ref)
    [body] = there.of("/to/@mei.li")
    assert (text, "Go now 马上走: flash flood") == (body["message"], body["title"])


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("tgram:1", "no service tgram"), ("desk", ""), ("desk:", "address"), ("desk:a/b", "address"),
        ("desk:a?method=GET", "address"), ("desk:a@b&x=1", "address"), ("desk:%2e%2e", "address"),
        ("desk:{address}", "address"), ("json://evil.example.org/x", "no service json"), ("desk:" + "a" * 81, "address"),
    ],
)  # fmt: skip
async def test_her_text_chooses_no_service_host_or_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, code: str
) -> None:
    async with receiver() as there:
        chat_file(tmp_path, monkeypatch, {"people": {"desk": f"json://{there.place}/to/{{address}}"}})
        async with driving(Chat) as driver:
            result = await driver.send(message(channel="chat", to=to))
    assert Outcome.PERMANENT is result.outcome
    assert code in result.code
    assert [] == there.seen


async def test_each_organisation_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails stops no other, and says how many; nobody hears it twice."""
    async with receiver() as there:
        groups = [{"name": name, "url": f"json://{there.place}/{name}"} for name in ("school", "broken", "hospital")]
        chat_file(tmp_path, monkeypatch, {"organisations": groups[::2]})
        async with driving(Chat) as driver:
            assert ["organisations"] == [channel.name for channel in driver.channels]
            assert Outcome.ACCEPTED is (await driver.send(message(channel="organisations"))).outcome
        chat_file(tmp_path, monkeypatch, {"organisations": groups})
        async with driving(Chat) as driver:
            result = await driver.send(message(channel="organisations"))
    assert (Outcome.AMBIGUOUS, "1 of 3 said no") == (result.outcome, result.code)
    assert (2, 2, 1) == tuple(len(there.of(f"/{name}")) for name in ("school", "hospital", "broken"))


async def test_slow_groups_are_not_waited_for_beyond_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that took it took it; the others are counted, and named in the log."""
    monkeypatch.setattr(chat, "GROUPS_S", 0.6)
    monkeypatch.setattr(chat, "READ_S", 1.0)
    async with receiver() as there:
        groups = [
            {"name": f"group {n}", "url": f"json://{there.place}/{'silent' if n % 2 else 'quick'}/{n}"}
            for n in range(4)
        ]
        chat_file(tmp_path, monkeypatch, {"organisations": groups})
        async with driving(Chat) as driver, asyncio.timeout(3):
            result = await driver.send(message(channel="organisations"))
    assert (Outcome.AMBIGUOUS, "2 of 4 said no") == (result.outcome, result.code)
    said = "".join(capsys.readouterr())
    assert "group 1" in said
    assert "group 3" in said
    assert "group 0" not in said


@pytest.mark.parametrize("how", [400, 401, 404, 429, 500, 302, "silence", "nobody"])
async def test_a_no_has_no_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: int | str) -> None:
    """Whatever it was: ambiguous. Nothing is followed, nothing waits longer than we let it, nothing is tried twice."""
    monkeypatch.setattr(chat, "READ_S", 0.3)
    async with receiver() as there:
        there.status = how if isinstance(how, int) else 0
        there.headers = {"Location": f"{there.url}elsewhere"} if how == 302 else {}
        place = "127.0.0.1:9" if how == "nobody" else there.place
        chat_file(tmp_path, monkeypatch, {"people": {"desk": f"json://{place}/{{address}}"}})
        async with driving(Chat) as driver, asyncio.timeout(5):
            result = await driver.send(message(channel="chat", to="desk:a"))
    assert Outcome.AMBIGUOUS is result.outcome
    assert (0 if how == "nobody" else 1) == len(there.seen)


async def test_no_person_and_no_secret_in_any_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Apprise names hosts and people, its HTTP client whole addresses: neither comes out, whatever the level."""
    caplog.set_level(logging.DEBUG)
    async with receiver() as there:
        chat_file(tmp_path, monkeypatch, {"people": {"desk": f"json://{there.place}/sEcReT/{{address}}"}})
        async with driving(Chat) as driver:
            await driver.send(message(channel="chat", to="desk:needle"))
            there.status = 500
            await driver.send(message(channel="chat", to="desk:needle"))
    assert 2 == len(there.seen)
    ours = [
        record.getMessage() for record in caplog.records if record.name != "aiohttp.access"
    ]  # that is the receiver's
    said = "".join((*ours, *capsys.readouterr()))
    assert [] == [word for word in ("sEcReT", "needle", "uphill") if word in said]


BAD: list[tuple[Any, str]] = [
    ("people: [", "line 2: no YAML"),
    ("", "line 1: give entries"),
    ({"persons": {}}, "persons: 'persons' is not known here; use organisations, people"),
    ({"people": []}, ""),
    ({"people": {"Tele gram": "tgram://t/{address}"}}, "people.Tele gram: no name of a service"),
    ({"people": {"telegram": "tgram://t/"}}, "people.telegram: no address with one {address}"),
    ({"people": {"telegram": "{address}"}}, "people.telegram: no address with one {address}"),
    ({"people": {"any": "{address}://x/"}}, "people.any: no address with one {address}"),
    ({"people": {"hook": "json://{address}/x"}}, "people.hook: it lets a resident choose the host"),
    ({"people": {"hook": "json://{address}"}}, "people.hook: it lets a resident choose the host"),
    ({"organisations": {"a": "b"}}, "organisations: give a list"),
    ({"organisations": [{"name": "a"}]}, "organisations.1.url: the entry 'url' is missing"),
    ({"organisations": [{"name": "a", "url": "b"}]}, "organisations.1.url: no address of a group"),
    ({"organisations": [{"name": "a", "url": "json://h/{address}"}]}, "organisations.1.url: no address of a group"),
    (
        {"organisations": [{"name": "a", "url": "json://h/1"}, {"name": "a", "url": "json://h/2"}]},
        "organisations.2.name: it has the name",
    ),
    ({"organisations": [{"name": "a", "url": "nosuch://h/sEcReT"}]}, "a: Apprise does not know such an address"),
]


@pytest.mark.parametrize(("data", "told"), BAD)
async def test_a_wrong_file_is_told_by_entry_and_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Any, told: str
) -> None:
    chat_file(tmp_path, monkeypatch, data)
    if not told:  # an empty part is no part
        async with driving(Chat) as driver:
            assert "not_configured" == driver.why_not()
        return
    with pytest.raises(Refused) as refused:
        async with driving(Chat):
            pass
    assert told in refused.value.message
    assert "TOCSIN_CHAT_FILE" in refused.value.message
    assert "sEcReT" not in refused.value.message


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="give a file that can be read"):
        read_chat_file(tmp_path / "none.yaml")


async def test_where_nothing_is_listed_apprise_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred modules of somebody else's in every process would be a price for nothing."""
    script = (
        "import asyncio, sys\n"
        "from tests.kit.driving import driving\n"
        "from services.channels.drivers.chat.chat import Chat\n"
        "async def go():\n"
        "    async with driving(Chat) as driver:\n"
        "        print(driver.why_not(), 'apprise' in sys.modules)\n"
        "asyncio.run(go())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert b"not_configured False" == out.strip()


async def test_without_the_extra_only_who_configures_chat_hears_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apprise is an extra: unconfigured the driver runs without it, configured it says what to install."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.delenv("TOCSIN_CHAT_FILE", raising=False)
    async with driving(Chat) as driver:
        assert "not_configured" == driver.why_not()
    file = tmp_path / "chat.yaml"
    file.write_text(yaml.safe_dump({"people": {"desk": "json://127.0.0.1:9/{address}"}}), "utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("TOCSIN_CHAT_FILE", str(file))
    with pytest.raises(Refused, match=r"package apprise is not installed: pip install 'tocsin\[chat\]'"):
        async with driving(Chat):
            pass
