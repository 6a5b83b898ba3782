"""Searches the model of a delivery's way for every order of events: the sound one holds, each planted fault is refuted."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from services.shared.ledger.states import TRANSITIONS

MODEL = Path(__file__).parents[2] / "model" / "sending.pml"
TEXT = MODEL.read_text()
FAULTS = {name: int(n) for name, n in re.findall(r"^#define (\w+) +(\d+) +/\*", TEXT, re.MULTILINE)}
STATES = {name.lower() for name in re.findall(r"^#define ([A-Z]+) [0-8]$", TEXT, re.MULTILINE)} - {"fault"}
TAKE_BACK, CANCEL, RECEIPT = 1, 2, 4
MOST_MB = 1000
# what is asserted > the property: no move beside the ledger's table; accepts <= 1 + ambiguous; no call of what was taken back
# or is due elsewhere; no flight after a cancel, nor two of one delivery; at the end nothing lost, in the air or claimed
PROPERTIES = {
    "? (": "table",
    "accepts[d]<=(1+ambiguous[d])": "accepts",
    "in_batch[d]==b": "called",
    "!(cancelled)": "cancelled",
    "(want&(1<<i))": "two flights",
    "!(((state[i]==0)||(state[i]==1)))": "lost",
    "!(open[i])": "in the air",
    "stands[i]": "claimed",
}
# two defects that a search comes to in a fiftieth of the time where it lets the last process move first
TELLING = {"TAKES_NO_LOCK", "SENT_AGAIN", "LANDS_FIRST", "GONE_AT_CLAIM", "BLIND_TO_CANCEL"}  # one a property
LAST_FIRST = {"LATE_OUTCOME", "CALLS_LATE"}
BREAKS = {
    "TAKES_NO_LOCK": "called", "OLD_BATCH": "called", "NO_SECOND_LOOK": "called", "SENT_AGAIN": "accepts",
    "BESIDE_A_FLIGHT": "accepts", "LANDS_FIRST": "table", "GONE_AT_CLAIM": "lost", "LATE_OUTCOME": "table",
    "BLIND_TO_CANCEL": "cancelled", "CANCEL_NO_LOCK": "cancelled", "STAYS_IN_BATCH": "called",
    "RECOVERS_CALLED": "accepts", "CALLS_LATE": "called", "GONE_WITH_PART": "lost", "AIR_LAST": "accepts",
}  # fmt: skip


def _searched(folder: Path, *how: str, fault: int, actors: int) -> str:
    """What the search of every order of events says, compiled so; `fault` 0 is the sound model."""
    moves = " || ".join(
        f"(b == {before.name} && a == {after.name})"
        for before, after in sorted(TRANSITIONS)
        if before in STATES and after in STATES
    )
    (folder / "moves.pml").write_text(f"#define MAY(b, a) ({moves})\n")
    (folder / MODEL.name).write_text(TEXT)
    limits = (f"-DMEMLIM={MOST_MB}", "-DSAFETY", "-DNOFAIR")
    for command in (
        ["spin", "-a", f"-DFAULT={fault}", f"-DACTORS={actors}", MODEL.name],
        ["gcc", "-w", *limits, *how, "-o", "pan", "pan.c"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    done = subprocess.run(["./pan", "-m100000"], cwd=folder, check=True, capture_output=True, text=True, timeout=300)
    assert "Search not completed" not in done.stdout or "assertion violated" in done.stdout, done.stdout
    return done.stdout


def _broken(said: str) -> str:
    """The property a search found broken, in words; empty where it went through every state and found none."""
    found = re.search(r"assertion violated (.*) \(at depth", said)
    if found is None:
        assert "errors: 0" in said, said
        assert "max search depth too small" not in said, said
        return ""
    return next(words for text, words in PROPERTIES.items() if text in found[1])


@pytest.mark.parametrize(
    ("actors", "how"),
    [
        # its states have room as they are, and packing them takes half as long again
        pytest.param(TAKE_BACK | CANCEL, ("-O1",), marks=pytest.mark.long),
        pytest.param(TAKE_BACK | RECEIPT, ("-O2", "-DCOLLAPSE"), marks=pytest.mark.slow),
        pytest.param(CANCEL | RECEIPT, ("-O2", "-DCOLLAPSE"), marks=pytest.mark.slow),
    ],
)
def test_no_order_of_events_breaks_a_property(tmp_path: Path, actors: int, how: tuple[str, ...]) -> None:
    """Two processes that send, die and hang, whoever looks after them, and two of those that come in between."""
    assert _broken(_searched(tmp_path, *how, fault=0, actors=actors)) == ""


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in TELLING else (pytest.mark.long,)) for n in FAULTS])
def test_a_planted_fault_is_found(tmp_path: Path, name: str) -> None:
    """Each defect the code is guarded against breaks a property of the model."""
    how = ("-O0", *(["-DREVERSE"] if name in LAST_FIRST else []))
    broken = _broken(_searched(tmp_path, *how, fault=FAULTS[name], actors=TAKE_BACK | CANCEL))
    assert broken == BREAKS[name]
