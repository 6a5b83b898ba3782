"""Reads the hazards, a file each: names, codes and words of alerts, the rule at doors.

Adding a hazard is adding a file to this folder: alerts are read as it, the policy has its rule, pages its name. Its texts stand
with the other sentences of each language, in `locale/<tag>/hazards`. A policy may give a hazard another rule. Pure.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, PrivateAttr, Tag, field_validator, model_validator

from services.shared.errors import Refused
from services.shared.input.fields import Between, ListOf, OneOf, Says
from services.shared.input.files import Entry, open_file, wrong

FOLDER = Path(__file__).parent
UNKNOWN = "unknown"
Words = tuple[str, ...]
RESPONSES = ("evacuate", "shelter_in", "check_on", "as_told")
DOOR_RULES = ("allowed", "if_commander_says_safe", "ask_commander", "forbidden")
INSTEAD_WORDS = ("voice", "sms", "supporter_by_phone", "fire_service_list")
CATEGORIES = (
    "Geo",
    "Met",
    "Safety",
    "Security",
    "Rescue",
    "Fire",
    "Health",
    "Env",
    "Transport",
    "Infra",
    "CBRNE",
    "Other",
)


class _Rule(Entry):
    """What people do, and what else holds for a danger of this kind."""

    respond: Annotated[str, OneOf(RESPONSES)]
    area_sound_s: Annotated[float | None, Between(0, 1440, unit=60)] = Field(None, alias="area_sound_at")
    sweep_forbidden: Annotated[bool, Says("forbidden")] = Field(False, alias="sweep")
    never_evacuate: Annotated[bool, Says("never")] = Field(False, alias="evacuate")
    first: str = Field("", description="The need group that this hazard comes to first.")
    backup_deadline: Annotated[bool, Says("backup_min - travel_min")] = Field(False, alias="deadline")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.never_evacuate and self.respond == "evacuate":
            wrong("respond says evacuate and evacuate says never; keep one", "respond", at=("evacuate",))
        if self.backup_deadline and not self.first:
            wrong("say for whom: add first: power_medical", "required", at=("deadline",))
        return self


class OpenRule(_Rule):
    """People may be sent to doors, at once or when the commander has said so."""

    instead: ClassVar[Words] = ()
    door_check: ClassVar[bool] = False
    door: Annotated[str, OneOf([rule for rule in DOOR_RULES if rule != "forbidden"])] = "ask_commander"

    @model_validator(mode="before")
    @classmethod
    def _no_stand_in(cls, given: object) -> object:
        if isinstance(given, dict):
            door = given.get("door", "ask_commander")
            if door not in DOOR_RULES:
                wrong(f"{door!r} is not on the list; use {', '.join(DOOR_RULES)}", "closed_list", door, at=("door",))
            for key in ("instead", "after_impact"):
                if key in given:
                    wrong(f"{key} is for hazards with door: forbidden; take it out", "door", at=(key,))
        return given


class ForbiddenRule(_Rule):
    """Nobody is sent to a door, and what stands in for it."""

    door: Literal["forbidden"]
    instead: Annotated[
        Words, ListOf(INSTEAD_WORDS, must=("fire_service_list",), why="a name must not stand nowhere")
    ] = ("fire_service_list",)
    door_check: Annotated[bool, Says("door_check")] = Field(False, alias="after_impact")


def _door(given: object) -> str:
    return "<forbidden>" if isinstance(given, dict) and given.get("door") == "forbidden" else "<open>"


Rule = Annotated[
    Annotated[OpenRule, Tag("<open>")] | Annotated[ForbiddenRule, Tag("<forbidden>")], Discriminator(_door)
]


class Alerts(Entry):
    """By what an alert is known to be about this hazard: codes first, then words."""

    model_config = ConfigDict(str_strip_whitespace=False)  # a blank at a word's end says something

    same: Words = Field((), description="SAME codes of the United States and Canada.")
    event_codes: Words = Field((), description="Event codes of any other system.")
    awareness_types: Words = Field((), description="MeteoAlarm's numbers.")
    groups: Words = Field((), description="Groups of Germany's weather service.")
    words: Words = Field((), description="Beginnings of words; a blank at the end asks for the whole word.")
    within: Words = Field((), description="Anywhere: Chinese, and the ends of German compounds.")


class Hazard(Entry):
    """One hazard's file."""

    names: dict[str, str] = Field(description="Language > name, as a page says it; English must be there.")
    order: int = Field(description="Where an alert names several, the smaller goes before the larger.")
    category: Annotated[str, OneOf(CATEGORIES)] = Field(description="CAP's, for what we publish.")
    rule: Rule
    alerts: Alerts = Alerts()

    _rule: dict[str, object] = PrivateAttr(default_factory=dict)

    @field_validator("names")
    @classmethod
    def _english(cls, names: dict[str, str]) -> dict[str, str]:
        if "en" not in names:
            wrong("add en: the name every other language falls back to", "required")
        return names

    @property
    def written(self) -> dict[str, object]:
        """The rule as the file has it."""
        return self._rule

    def name(self, language: str) -> str:
        """Its name in a language, else in English."""
        return self.names.get(language, self.names["en"])


def load(file: Path) -> Hazard:
    """A hazard out of its file."""
    document = open_file("", file)
    hazard = document.read(Hazard)
    hazard._rule = document.data["rule"]
    return hazard


@cache
def _of(folder: Path) -> dict[str, Hazard]:
    found = {file.stem: load(file) for file in sorted(folder.glob("*.yaml"))}
    if UNKNOWN not in found:
        raise Refused(f"{folder}: add the hazard 'unknown': a warning may not say what it is", rule="required")
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def known() -> dict[str, Hazard]:
    """All hazards by name, in the order in which one goes before another where an alert names several."""
    return _of(FOLDER)


def name_of(hazard: str, language: str) -> str:
    """A hazard's name in a language; one that nobody wrote down is said as it is."""
    return known()[hazard].name(language) if hazard in known() else hazard
