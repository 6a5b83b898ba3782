"""The demo's promises: the same seed gives the same bytes, the figures add up, a fault is one sentence."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tools.servers import commands

KEYS = [
    "targeted", "reached", "closed", "explained_not_closed", "open", "unexplained", "by_group", "by_channel",
    "provider_accepts", "ambiguous", "doubled", "unregistered", "before_impact",
]  # fmt: skip


BEFORE = [
    "minutes", "lead_min", "groups", "cannot_leave_moving", "facilities_moving", "first_knock_min",
    "knocks_after_turn_back", "help", "contradictions",
]  # fmt: skip


async def interpreted(*arguments: str, cwd: Path, hashes: int) -> tuple[int, str, str]:
    """Runs the command as a user does, by an interpreter of its own, with that seed of its hashes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services", *arguments, cwd=cwd, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=environment(cwd) | {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONHASHSEED": str(hashes)},
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def tocsin(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    """Runs the command in a process of its own."""
    done = await commands.run(*arguments, cwd=cwd, env=environment(cwd))
    return done.code, done.out, done.err


def environment(cwd: Path) -> dict[str, str]:
    return {**os.environ, "TOCSIN_DATA_DIR": str(cwd / "data")}


@pytest.mark.long
async def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two runs side by side, by hashes that differ, print the same line; another seed prints another."""
    words = ("demo", "--json", "--people", "15", "--seed")
    runs = await asyncio.gather(*(interpreted(*words, "3", cwd=tmp_path, hashes=n) for n in (1, 2)))
    assert (0, "") == (runs[0][0], runs[0][2])
    assert runs[0] == runs[1]
    figures = json.loads(runs[0][1])
    assert list(figures) == KEYS
    assert 0 == figures["unexplained"] == figures["doubled"]
    before = figures["before_impact"]
    assert set(BEFORE) <= set(before)
    assert before["groups"]["unregistered"] == [0, figures["unregistered"]]
    assert 15 == figures["unregistered"] + figures["targeted"] - 1, "one house of many comes on top"
    assert figures["targeted"] == figures["closed"] + sum(figures["explained_not_closed"].values()) + figures["open"]
    _, other, _ = await tocsin(*words, "4", cwd=tmp_path)
    assert other != runs[0][1]


KEY = ("key", "create", "--authority", "A", "--label", "b", "--max-tier", "red")
BAD = [
    (("demo", "--alert", "missing.xml"), "missing.xml: No such file or directory"),
    (("demo", "--tier", "purple"), "there is no tier 'purple'"),
    (("cap", "check", "missing.xml"), "missing.xml: No such file or directory"),
    (("warn", "missing.xml"), "missing.xml: No such file or directory"),
    (("status", "abc"), "give an API key"),
    (("status", "abc", "--key", "k", "--url", "http://127.0.0.1:9"), "no server answers at http://127.0.0.1:9"),
    (("policy", "check", "bad.yaml"), "line 1"),
    (("policy", "explain", "--tier", "red", "--needs", "telepathy"), "'telepathy' is not known"),
    (("policy", "explain", "--tier", "red", "--at", "25:00"), "give a time like 02:30"),
    (KEY, "say where it may warn: --area FILE (GeoJSON) or --anywhere"),
    ((*KEY, "--anywhere", "--area", "bad.yaml"), "say where it may warn: --area FILE (GeoJSON) or --anywhere"),
    ((*KEY, "--area", "bad.yaml"), "bad.yaml: "),
    ((*KEY, "--anywhere", "--actions", "fly"), "there is no action 'fly'"),
    (("registry", "sample", "--around", "bad.yaml"), "CAP rule"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD, ids=[" ".join(a[:3]) for a, _ in BAD])
async def test_a_wrong_command_ends_with_one_sentence_and_2(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """No traceback, no half-done work: one line on stderr that says what to do, exit 2 (3: nobody answers)."""
    (tmp_path / "bad.yaml").write_text("policies: {}\n")
    code, out, err = await tocsin(*arguments, cwd=tmp_path)
    assert (3 if "no server answers" in sentence else 2, "") == (code, out)
    assert sentence in err
    assert 1 == len(err.strip().splitlines())


async def test_help_names_every_command(tmp_path: Path) -> None:
    """`tocsin --help` is the map."""
    code, out, _ = await interpreted("--help", cwd=tmp_path, hashes=0)
    assert 0 == code
    for command in ("serve", "demo", "warn", "cancel", "status", "path", "cap", "registry", "policy", "key", "migrate"):
        assert f"\n  {command} " in out or f" {command} " in out
