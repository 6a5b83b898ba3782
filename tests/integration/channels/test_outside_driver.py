"""The three steps of the how-to, done: a driver in a package of its own, installed beside Tocsin, sends a warning."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services import migrations
from services.channels.model.driver import Tools
from services.channels.providers import loading
from services.registry.importing.write import import_people
from services.registry.model.given import ContactIn, PersonIn
from services.registry.people.sources import SourceList
from services.shared.bus.outbox import id_of
from services.shared.clock import StepClock
from services.shared.crypto.sealing import Keys
from services.shared.crypto.signing import Signer
from services.shared.database.engine import Database
from services.shared.powers.who import ACTIONS
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import create_key
from tests.kit import alerts
from tools.servers import commands

ROOT = Path(__file__).parents[3]
WAIT_S = 30.0
PERSON = id_of("pigeon", 1)


def steps() -> tuple[str, str, str]:
    """The driver, the pyproject and the install command, as the how-to has them."""
    section = (ROOT / "docs" / "how-to" / "add-a-driver.md").read_text("utf-8")
    blocks = [textwrap.dedent(block) for block in re.findall(r"\n\n((?: {8}.*\n|\n(?= {8}))+)", section)]
    assert 3 == len(blocks), "a driver, a pyproject, two commands"
    driver, project, commands = blocks
    return driver, project, commands


def read(file: Path) -> str:
    return file.read_text("utf-8")


def package(folder: Path, driver: str, project: str) -> Path:
    """A small distribution."""
    folder.mkdir()
    (folder / "pigeon.py").write_text(driver, "utf-8")
    (folder / "pyproject.toml").write_text(project, "utf-8")
    return folder


def install(source: Path, target: Path) -> None:
    """The how-to's own command, into a folder of the test's instead of .venv."""
    command = next(line for line in steps()[2].splitlines() if " install " in line)
    words = command.removeprefix(".venv/bin/pip ").split()
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(target), "--quiet", "--disable-pip-version-check"],
        cwd=source, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the how-to's driver is installed."""
    folder = tmp_path_factory.mktemp("pigeon")
    driver, project, _ = steps()
    install(package(folder / "source", driver, project), folder / "site")
    return folder / "site"


def environment(site: Path, data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    given = {"TOCSIN_DATA_DIR": str(data), "TOCSIN_PORT": "0", "TOCSIN_HOTLINE": "12345", "PYTHONUNBUFFERED": "1"}
    return kept | given | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"} | more


async def tocsin(*words: str, env: dict[str, str]) -> tuple[int, str]:
    """The command's exit code, and all that it said."""
    done = await commands.run(*words, env=env, cwd=ROOT)
    return done.code, done.out + done.err


@dataclass
class Loft:
    """Where the birds arrive."""

    url: str = ""
    letters: list[dict[str, Any]] = field(default_factory=list)


@asynccontextmanager
async def loft() -> AsyncIterator[Loft]:
    made = Loft()

    async def take(request: web.Request) -> web.Response:
        made.letters.append(await request.json())
        return web.Response(status=201)

    app = web.Application()
    app.router.add_post("/", take)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/"))
        yield made


async def town(data: Path) -> str:
    """One resident with an e-mail address alone, and a key."""
    url = f"sqlite+aiosqlite:///{data / 'tocsin.db'}"
    await asyncio.to_thread(migrations.upgrade, url)
    database, keys = Database(url), Keys(data / "keys")
    contacts = (ContactIn(kind="email", address="mei@example.org"),)
    one = PersonIn(person_id=PERSON, lat=30.02, lon=103.02, contacts=contacts, languages=("en",))
    source = SourceList("own", "self", "2026-01-02")
    await import_people(database, keys, [one], year=2026, fictional=False, source=source)
    key = await create_key(
        database, name="Qingshui County", label="duty", actions=ACTIONS, max_tier=Tier.RED, alone=Tier.RED
    )
    await database.close()
    return key


def alert_of_today() -> str:
    now = datetime.now(UTC).replace(microsecond=0)
    cap = alerts.alert("PIGEON-1", sent=now.isoformat())
    return cap.replace("2026-06-10T18:00:00+08:00", (now + timedelta(hours=3)).isoformat())


@asynccontextmanager
async def serving(env: dict[str, str], log: Path) -> AsyncIterator[str]:
    """The real server in a process of its own, ended by SIGTERM."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", "serve", env=env, stdout=out, stderr=out, cwd=ROOT
        )
    try:
        end = time.monotonic() + WAIT_S
        while (found := re.search(r"http://127\.0\.0\.1:\d+", read(log))) is None:
            assert process.returncode is None, read(log)
            assert time.monotonic() < end, read(log)
            await asyncio.sleep(0.05)
        yield found[0]
    finally:
        if process.returncode is None:
            process.terminate()
        assert 0 == await asyncio.wait_for(process.wait(), WAIT_S), read(log)


@pytest.mark.long
async def test_its_channel_is_there_with_its_limits(installed: Path, tmp_path: Path) -> None:
    """Ours of the same channel is not configured, which is said and is no fault; the policy's check reads what it lacks."""
    env = environment(installed, tmp_path, TOCSIN_PIGEON_LOFT="http://127.0.0.1:9/")
    code, said = await tocsin("check", env=env)
    assert 0 == code, said
    assert ["not used, not configured (email)", "ready (pigeon)"] == re.findall(r"^channel email: (.*)$", said, re.M)
    code, said = await tocsin("policy", "channels", env=env)
    email = said.partition("\nemail:")[2].partition("\nofficer_sms:")[0]
    assert 0 == code
    assert "links: false" in email
    assert "repeats_per_day: 3" in email


async def test_a_warning_goes_over_it(installed: Path, tmp_path: Path) -> None:
    """From the alert to the letter: opened for the resident alone, without a link, and accepted in their path."""
    key = await town(tmp_path)
    async with loft() as there, serving(
        environment(installed, tmp_path, TOCSIN_PIGEON_LOFT=there.url), tmp_path / "log"
    ) as url, aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:  # fmt: skip
        headers = {"Content-Type": "application/cap+xml", "Idempotency-Key": "pigeon-1"}
        async with session.post(
            f"{url}/api/v1/warnings?strict=false", data=alert_of_today().encode(), headers=headers
        ) as response:
            taken = await response.json(content_type=None)
            assert 202 == response.status, taken
        end = time.monotonic() + WAIT_S
        states: list[str] = []
        while states != ["accepted"]:
            assert time.monotonic() < end, (states, read(tmp_path / "log")[-3000:])
            await asyncio.sleep(0.1)
            async with session.get(f"{url}/report/{taken['warning_id']}/path/{PERSON}") as response:
                path = await response.json(content_type=None)
            states = [one["state"] for one in path.get("deliveries", []) if one["channel"] == "email"]
    [letter] = there.letters
    assert "mei@example.org" == letter["to"]
    assert "Leave now, on foot" in letter["text"]
    assert "http" not in letter["text"], "its channel lets no link through"
    assert "mei@example.org" not in read(tmp_path / "log")


async def test_a_setting_that_is_wrong_is_told(installed: Path, tmp_path: Path) -> None:
    """By its variable."""
    code, said = await tocsin("check", env=environment(installed, tmp_path, TOCSIN_PIGEON_BIRDS="many"))
    assert 1 == code
    assert "NOT SOUND: TOCSIN_PIGEON_BIRDS: " in said
    assert "Traceback" not in said


async def test_two_of_one_name_are_refused_by_both_names(installed: Path, tmp_path: Path) -> None:
    """Nobody could say which of them sends: the server does not start."""
    site = beside(tmp_path / "site", "another", "pigeon = coop:DRIVER")
    code, said = await tocsin("serve", env=environment(Path(f"{installed}{os.pathsep}{site}"), tmp_path))
    assert 0 != code
    assert "two channels are called 'pigeon'" in said
    assert "coop:DRIVER of another" in said
    assert "pigeon:DRIVER of tocsin-pigeon" in said
    assert "Traceback" not in said


async def test_one_that_cannot_be_loaded_stops_nobody_else(tmp_path: Path) -> None:
    """It is named, in the log too; the others are there, and the check is not content."""
    site = beside(tmp_path / "site", "lame", "lame = lame_pigeon:DRIVER", "import nosuchmodule\n")
    code, said = await tocsin("check", env=environment(site, tmp_path))
    assert 1 == code, said
    assert "NOT SOUND: driver lame: lame_pigeon:DRIVER of lame cannot be imported: ModuleNotFoundError" in said
    assert "driver_left_out" in said
    assert "channel sms: not used, not configured" in said
    assert "audit log: 0 entries, the chain holds" in said


def beside(site: Path, name: str, line: str, content: str = "") -> Path:
    """Another installed distribution with one entry point."""
    info = site / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[tocsin.drivers]\n{line}\n")
    if content:
        (site / f"{line.partition(' = ')[2].partition(':')[0]}.py").write_text(content, "utf-8")
    return site


SPEC = "from types import SimpleNamespace as N\nfrom services.channels.model.driver import Channel, Spec\n"
BROKEN = [
    ("import nosuchmodule\n", "cannot be imported: ModuleNotFoundError: No module named 'nosuchmodule'"),
    ("DRIVER = 3\n", "is no Spec"),
    ("x = 1\n", "cannot be imported: AttributeError"),
    ("def (\n", "cannot be imported: SyntaxError"),
    ("raise SystemError('lame')\n", "cannot be imported: SystemError: lame"),
    (f"{SPEC}DRIVER = Spec('crow', N)\n", "calls itself 'crow'"),
    (f"{SPEC}DRIVER = Spec('lame', lambda tools: 1 / 0)\n", "cannot be made: ZeroDivisionError"),
    (f"{SPEC}DRIVER = Spec('lame', lambda tools: N(name='crow'))\n", "makes a driver called 'crow'"),
    (
        f"{SPEC}DRIVER = Spec('lame', lambda tools: N(name='lame', channels=('sms',), concurrency=1))\n",
        "has channels that are none",
    ),
    (
        f"{SPEC}DRIVER = Spec('lame', lambda tools: N(name='lame', channels=(), concurrency=0))\n",
        "has a concurrency of 0",
    ),
    (
        f"{SPEC}DRIVER = Spec('lame', lambda tools: N(name='lame', channels=(), concurrency=1))\n",
        "cannot be made: AttributeError",
    ),
]


@pytest.mark.parametrize(("content", "why"), BROKEN)
async def test_each_way_to_be_broken_has_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, why: str
) -> None:
    """And all of ours are there."""
    monkeypatch.syspath_prepend(beside(tmp_path / "site", "lame", "lame = lame_pigeon:DRIVER", content))
    monkeypatch.delitem(sys.modules, "lame_pigeon", raising=False)
    async with aiohttp.ClientSession() as session:
        tools = cast(Any, Tools)(
            session, None, Signer(b"k" * 32), StepClock(0.0), "http://127.0.0.1", settings=Settings()
        )
        loaded = loading.load(tools)
    assert ["lame"] == list(loaded.broken)
    assert loaded.broken["lame"].startswith(f"lame_pigeon:DRIVER of lame {why}")
    assert {"sms_twilio", "email", "door"} <= loaded.drivers.keys()
