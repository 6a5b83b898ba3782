"""The command as people and scripts use it: where it asks, what it says of wrong words, tables that are whole, a trial."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import aiohttp
import pytest
import shapely
from rich.table import Table

from services.commands.kit import show
from services.commands.variables import known_variables, unknown_variables
from services.demo_view import example_alert
from services.gateway.cap import read
from services.gateway.intake.incoming import from_cap
from services.registry.sample.sample import mint
from services.trial import of_today, villages
from tests.integration.deploy.test_installation import tocsin

WITHIN_S = 60.0


async def test_version_completion_and_the_port_it_asks(tmp_path: Path) -> None:
    """Whoever moves the port of the server by its variable has moved the commands with it."""
    assert (0, f"tocsin {version('tocsin')}\n", "") == await tocsin("--version", cwd=tmp_path)
    # the shell is said, since what starts a test may have none above it to be found
    said = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    code, out, _ = await tocsin("--show-completion", "bash", cwd=tmp_path, **said)
    assert (0, True) == (code, "COMPREPLY" in out)
    code, _, err = await tocsin("status", "--channels", cwd=tmp_path, TOCSIN_PORT="1", TOCSIN_KEY="toc_x")
    assert (3, True) == (code, err.startswith("tocsin: no server answers at http://127.0.0.1:1: "))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cancel", "x", "--reason", "y"), "sent_by_mistake, checking, not_ours. (see: tocsin cancel --help)"),
        (("registry", "imprt"), "(see: tocsin registry --help)"),
        (("warm",), "(see: tocsin --help)"),
    ],
)
async def test_wrong_words_name_what_may_stand_there_and_the_right_help(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    code, out, err = await tocsin(*words, cwd=tmp_path)
    assert (2, "", 1) == (code, out, len(err.splitlines()))
    assert said in err


async def test_a_variable_that_is_misspelt_is_told(tmp_path: Path) -> None:
    """By check, which is not sound, and at the start; one that nothing here is near to belongs to somebody else."""
    code, out, _ = await tocsin(
        "check", cwd=tmp_path, TOCSIN_DATA_DIR=str(tmp_path / "data"), TOCSIN_HOTLIN="12345", TOCSIN_ZZZ_OWN="1"
    )
    assert "NOT SOUND: nothing of ours reads the variable TOCSIN_HOTLIN: did you mean TOCSIN_HOTLINE?" in out
    assert "\nnothing of ours reads the variable TOCSIN_ZZZ_OWN\n" in out
    assert 1 == code


def test_every_variable_that_is_told_of_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of README and of the example of settings for compose, but for those compose itself reads."""
    root = Path(__file__).parents[3]
    named = set(re.findall(r"\bTOCSIN_[A-Z0-9_]+[A-Z0-9]\b(?!_)", (root / "deploy" / "env.example").read_text()))
    compose = set(re.findall(r"\$\{(TOCSIN_[A-Z0-9_]+)", (root / "docker-compose.yml").read_text()))
    assert set() == named - known_variables() - compose
    for name in list(os.environ):
        if name.startswith("TOCSIN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOCSIN_SMPP_PASWORD", "x")
    assert ["TOCSIN_SMPP_PASWORD"] == list(unknown_variables())


def test_tables_are_whole_where_nobody_looks_at_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A name is never cut, and there are no lines a program would have to read around."""
    table = Table("group", "people")
    name = "a group whose name is longer than any eighty columns that ever were on a terminal of the old kind"
    table.add_row(name, "1,000,000")
    show(table)
    out = capsys.readouterr().out
    assert name in out
    assert re.search(r"1,000,000", out)
    assert not set(out) & set("\u2500\u2502\u2503\u2501\u250f\u2513\x1b")


def test_the_alert_of_a_trial_is_of_today() -> None:
    """Sent a minute ago, the water due on a full hour within four, its words as its times."""
    alert = read(of_today(example_alert(), 1_795_900_000.0)).alerts[0]
    assert 1_795_900_000 - 60 == alert.sent.timestamp()
    for block in alert.infos:
        assert block.onset is not None
        assert block.expires is not None
        assert 3 * 3600 <= block.onset.timestamp() - 1_795_900_000 <= 4 * 3600
        assert 6 * 3600 == (block.expires - block.onset).total_seconds()
        assert f"{block.onset:%H:%M}" in (block.instruction or "") or f"{block.onset.hour}时前" in (
            block.instruction or ""
        )


async def test_a_trial_from_the_command_to_a_call_for_help(tmp_path: Path) -> None:
    """A console with data, an alert that waits, phones that show what arrived and answer; nothing is left behind."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services", "try", "--people", "30", stdout=asyncio.subprocess.PIPE,
        env={**clean, "TMPDIR": str(tmp_path), "TOCSIN_TWILIO_AUTH_TOKEN": "a real one"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        async with asyncio.timeout(WITHIN_S):
            while "Ctrl-C" not in said:
                said += (await process.stdout.readline()).decode()
        found = {name: re.search(rf"{name}\s+(\S+)", said) for name in ("console", "key", "phones")}
        console, key, phones = (str(match[1]) for match in found.values() if match is not None)
        headers = {"Authorization": f"Bearer {key}"}
        base = console.removesuffix("/console")
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{base}/api/v1/warnings") as response:
                (waiting,) = [one for one in await response.json() if one["state"] == "draft"]
            warning_id = waiting["warning_id"]
            async with session.post(f"{base}/api/v1/warnings/{warning_id}/release", json={"reason": "try"}) as response:
                assert 202 == response.status, await response.text()

            async def until(url: str, wanted: str) -> str:
                async with asyncio.timeout(WITHIN_S):
                    while True:
                        if re.search(wanted, text := await (await session.get(url)).text()):
                            return text
                        await asyncio.sleep(0.1)

            seen = await until(phones, "<b>text</b>")
            for phone in re.findall(r'href="(/phones/[^"]+)">\+999', seen)[:8]:  # a helper's or an officer's is no call
                async with session.post(f"{phones}{phone}/reply", data={"body": "2"}) as response:
                    assert (200, True) == (response.status, "Answered: " in await response.text())
            await until(f"{base}/live/{warning_id}", "calls? for help (is|are) open")
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(WITHIN_S):
            assert 0 == await process.wait()
    assert [] == await asyncio.to_thread(lambda: list(tmp_path.glob("tocsin-try-*")))


def test_without_the_stand_ins_the_rest_runs_and_demo_says_what_to_install() -> None:
    """A county's image has no services/sim: the four services import without it, and `sandbox` ends with a sentence."""
    lines = (
        "import sys; sys.modules['services.sim'] = None; sys.modules['aiosmtpd'] = None; sys.modules['apprise'] = None",
        "import services.run, services.check, services.channels.providers.loading as loading",
        "assert not loading.find().broken",
        "import sys; sys.argv = ['tocsin', 'sandbox']; from services.__main__ import main; main()",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60)
    assert 2 == done.returncode, done.stderr
    assert "services.sim" in done.stderr
    assert "pip install 'tocsin[sim]'" in done.stderr


def test_a_trial_has_villages_to_warn_in() -> None:
    """Each zone of its register is an area with a name, and whoever lives there lies in it."""
    alert = from_cap(of_today(example_alert(), 1_795_900_000.0), strict=False)
    community = mint(alert.area, alert.geocodes, people=300, seed=1)
    found = {one.code: shapely.from_geojson(one.geojson) for one in villages(community)}
    assert {p.zone_id for p in community.people} == found.keys()
    assert all(found[p.zone_id].covers(shapely.Point(p.lon, p.lat)) for p in community.people)
    assert "Hedong" in {one.name for one in villages(community)}
