"""The lock files: what is installed is exact, checked by hash, and the same for running and testing."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = ["requirements.lock", "requirements-extras.lock", "requirements-dev.lock"]
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$")


def pins(lock: str) -> dict[tuple[str, str], tuple[str, int]]:
    """The lock as {(name, marker): (version, number of hashes)}; any line but pin, hash, comment fails."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    key = None
    for line in (ROOT / lock).read_text("utf-8").splitlines():
        if match := PIN.match(line):
            key = (match["name"], match["marker"] or "")
            found[key] = (match["version"], 0)
        elif key and re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line):
            found[key] = (found[key][0], found[key][1] + 1)
        else:
            assert line.startswith("#"), f"{lock}: {line}"
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_line_names_a_place(lock: str) -> None:
    """A lock holds pins, hashes and comments: no address, no path, no option of pip's."""
    found = pins(lock)
    assert found
    assert [] == [name for name, (_, hashes) in found.items() if hashes == 0]
    assert [] == re.findall(r"\w+://\S+", (ROOT / lock).read_text("utf-8"))


@pytest.mark.parametrize("smaller", LOCKS[:-1])
def test_tests_run_on_the_versions_that_are_shipped(smaller: str) -> None:
    """The development lock holds everything the others do, in the same versions, on at least as many machines."""
    shipped, developed = pins(smaller), pins(LOCKS[-1])
    tried = {(name, marker): developed.get((name, marker), developed.get((name, ""))) for name, marker in shipped}
    assert {key: version for key, (version, _) in shipped.items()} == {
        key: found[0] if found else None for key, found in tried.items()
    }


def test_what_the_project_asks_for_is_locked() -> None:
    """Each requirement in pyproject.toml is pinned: whoever adds one also runs `make lock`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[<>=;! ]", requirement)[0].lower() for requirement in requirements}

    extras = project["project"]["optional-dependencies"]
    run, extra, develop = ({name for name, _ in pins(lock)} for lock in LOCKS)
    assert set() == names(project["project"]["dependencies"] + groups["build"]) - run
    assert set() == names(extras["chat"] + extras["sim"]) - extra
    assert set() == names(extras["chat"] + extras["sim"]) & run, "an extra is asked for, never brought along"
    assert set() == names(groups["dev"]) - develop


@pytest.mark.parametrize("folder", ["tools/peers", "tools/peers/heavy"])
def test_npm_packages_are_exact_hashed_and_of_no_place(folder: str) -> None:
    """What package.json asks for is one version each; the lock holds a hash for every package, and no address of one."""
    asked = json.loads((ROOT / folder / "package.json").read_text("utf-8"))["dependencies"]
    assert [] == [version for version in asked.values() if not re.fullmatch(r"\d+\.\d+\.\d+", version)]
    locked = json.loads((ROOT / folder / "package-lock.json").read_text("utf-8"))["packages"]
    assert asked == locked[""]["dependencies"]
    others = {name: one for name, one in locked.items() if name}
    assert set() == {f"node_modules/{name}" for name in asked} - set(others)
    assert [] == [
        name for name, one in others.items() if "resolved" in one or not one.get("integrity", "").startswith("sha")
    ]
