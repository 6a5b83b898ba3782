"""One reader of files: every fault names setting, file, line, field, rule and what to do, and a secret stands in none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import StrictBool

from services.shared.errors import Refused
from services.shared.input.fields import Between, ListOf, OneOf, Says
from services.shared.input.files import Document, Entry, read_file


class Lamp(Entry):
    name: str
    watts: Annotated[float, Between(1, 100)] = 5
    colour: Literal["red", "blue"] = "red"
    lit: StrictBool = False
    days: Annotated[tuple[str, ...], ListOf(("mon", "tue"), must=("mon",), why="somebody looks then")] = ("mon",)
    kind: Annotated[str, OneOf(("a", "b"))] = "a"
    dim: Annotated[bool, Says("dim")] = False


class Lamps(Entry):
    lamps: list[Lamp]


FAULTS = [
    ("lamps:\n- {name: x}\n- {watts: 3}", "line 3, lamps.2.name: the entry 'name' is missing; add it", "required"),
    ("lamp: []", "line 1, lamp: 'lamp' is not known here; use lamps", "closed_list"),
    ("", "line 1: give entries in { }, not None", "mapping"),
    ("lamps: 3", "line 1, lamps: give a list in [ ], not 3", "list"),
    ("lamps:\n- {name: x,\n   watts: 101}", "line 3, lamps.1.watts: give a number of 1 to 100, not 101", "number"),
    ("lamps:\n- {name: x, watts: 2026-13-45}", "give a number of 1 to 100, not '2026-13-45'", "number"),
    ("lamps:\n- {name: x, colour: green}", "lamps.1.colour: 'green' is not on the list; use red, blue", "closed_list"),
    ("lamps:\n- {name: x, lit: 1}", "lamps.1.lit: give true or false, not 1", "flag"),
    ("lamps:\n- {name: x, days: [mon, sun]}", "lamps.1.days.2: 'sun' is not on the list; use mon, tue", "closed_list"),
    ("lamps:\n- {name: x, days: [mon, mon]}", "lamps.1.days.2: 'mon' stands in this list twice; keep one", "doubled"),
    ("lamps:\n- {name: x, days: [tue]}", "lamps.1.days: add mon: somebody looks then", "required"),
    ("lamps:\n- {name: x, kind: c}", "lamps.1.kind: 'c' is not on the list; use a, b", "closed_list"),
    ("lamps:\n- {name: x, dim: bright}", "'bright' is not on the list; use dim, or leave it out", "closed_list"),
    ("lamps:\n- {name: x,\n   name: y}", "line 3, lamps.1.name: 'name' stands here twice; keep one", "doubled"),
    ("lamps: [", "line 2: did not find expected node content; correct the YAML there", "yaml"),
    ("a: &a [1]\nlamps: *a", "it cannot be read: line 2 refers to another by *: write out what is meant", "yaml"),
    ("lamps: \x01", "save the file as plain UTF-8 text", "yaml"),
]


@pytest.mark.parametrize(("text", "said", "rule"), FAULTS, ids=[str(n) for n in range(len(FAULTS))])
def test_a_fault_says_where_by_which_rule_and_what_to_do(tmp_path: Path, text: str, said: str, rule: str) -> None:
    (tmp_path / "lamps.yaml").write_text(text)
    with pytest.raises(Refused) as refused:
        read_file("TOCSIN_LAMPS", tmp_path / "lamps.yaml", Lamps)
    assert refused.value.message.startswith(f"TOCSIN_LAMPS={tmp_path / 'lamps.yaml'}: ")
    assert said in refused.value.message
    assert ("TOCSIN_LAMPS", rule) == (refused.value.field, refused.value.rule)


@pytest.mark.parametrize("text", [text for text, _, _ in FAULTS if text])
def test_a_secret_file_shows_nothing_it_holds(text: str) -> None:
    """Names of its entries are ours; values are not."""
    with pytest.raises(Refused) as refused:
        Document(text.replace("green", "sEcReT").replace("101", "777").replace("3}", "777}"), secret=True).read(Lamps)
    assert "sEcReT" not in refused.value.message
    assert "777" not in refused.value.message or "number of" in refused.value.message
    assert refused.value.given is None


def test_a_file_that_is_whole_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lamps.yaml"
    path.write_text("lamps:\n- {name: hall, days: [mon, tue], dim: dim}\n")
    found = read_file("TOCSIN_LAMPS", path, Lamps).lamps
    assert [Lamp(name="hall", days=["mon", "tue"], dim="dim")] == found  # type: ignore[arg-type]
    assert (("mon", "tue"), True) == (found[0].days, found[0].dim)


def test_what_cannot_be_opened_is_said_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"TOCSIN_LAMPS=.*No such file or directory; give a file that can be read"):
        read_file("TOCSIN_LAMPS", tmp_path / "none.yaml", Lamps)
    (tmp_path / "old.yaml").write_bytes("lamps: [é]".encode("latin-1"))
    with pytest.raises(Refused, match="save it as UTF-8"):
        read_file("TOCSIN_LAMPS", tmp_path / "old.yaml", Lamps)


def test_one_entry_is_read_by_itself() -> None:
    """A fault of another does not stand in its way."""
    document = Document("lamps:\n- {name: hall}\n- {name: x, name: y}\n- {name: attic}")
    assert "attic" == document.read(Lamp, ("lamps", 2)).name
    with pytest.raises(Refused, match=r"line 3, lamps\.2\.name"):
        document.read(Lamp, ("lamps", 1))
