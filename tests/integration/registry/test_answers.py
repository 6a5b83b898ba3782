"""One row an answer: a new field of the model is listed, imported, asked and reviewed by what stands beside it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from services.registry.importing.list_columns import COLUMNS
from services.registry.model.answers import AskedAnswer, rows_of, those
from services.registry.model.facts import HOME, MEDICAL, TEMPORARY, said_by
from services.registry.model.given import ANSWERS, QUESTIONS, WG, PersonIn


class Asked(BaseModel):
    ramp: Annotated[bool, AskedAnswer(("Ramp", "坡道"), ("Is there a ramp?", "有坡道吗?"), home=True)] = Field(
        False, description="a wheelchair gets in"
    )
    dogs: Annotated[int, AskedAnswer(("Dogs", "狗"), ("How many dogs?", "几只狗?"))] = Field(0, ge=0, le=20)
    gate: Annotated[Literal["none", "code", "key"], AskedAnswer(("Gate", "大门"))] = "none"
    since: Annotated[int | None, AskedAnswer(("Since", "自"), help="four digits", reads="year")] = Field(
        None, ge=1900, le=2100
    )
    tools: Annotated[tuple[Literal["saw", "rope"], ...], AskedAnswer(("Tools", "工具"), ("Which?", "哪些?"))] = ()
    other: str = ""


def test_a_row_says_what_its_type_says() -> None:
    """How it is asked, what may be answered, its bounds, its column's help."""
    rows = rows_of(Asked)
    assert ["ramp", "dogs", "gate", "since", "tools"] == list(rows)
    assert ["yes", "number", "one", "number", "several"] == [row.kind for row in rows.values()]
    assert ("yes or no: a wheelchair gets in", True) == (rows["ramp"].help, rows["ramp"].asked)
    assert (0, 20, 0) == (rows["dogs"].least, rows["dogs"].most, rows["dogs"].default)
    assert (("none", "code", "key"), "none, code, key", False) == (
        rows["gate"].values, rows["gate"].help, rows["gate"].asked,
    )  # fmt: skip
    assert ("four digits", None) == (rows["since"].help, rows["since"].default)
    assert ("saw", "rope") == rows["tools"].values
    assert {"ramp"} == those(rows, "home")


def test_every_list_of_answers_is_these_rows() -> None:
    """Nothing is named a second time: columns, questions, what is shared at home, what is reviewed early."""
    assert set(WG) < set(ANSWERS)
    assert set(ANSWERS) - set(WG) <= set(PersonIn.model_fields)
    assert {name: row.help for name, row in ANSWERS.items() if name not in WG}.items() <= COLUMNS.items()
    assert {"floor", "lift", "basement", "people_at_home", "boat", "quarantine"} == HOME
    assert {"power_device", "backup_min"} == MEDICAL
    assert {"pregnancy_or_newborn", "quarantine"} == TEMPORARY
    assert set(ANSWERS) - set(QUESTIONS) == {"own_channels", "asked_for"}  # chosen on the page of channels
    whole = PersonIn.model_validate(
        {"person_id": "0" * 32, "lat": 30, "lon": 103, "wg": dict.fromkeys(WG, 3)}
        | {name: row.default for name, row in ANSWERS.items() if name not in WG}
    )
    assert list(ANSWERS) == list(said_by(whole))
