"""A hazard is one file: with it alerts are read as it, the policy has its rule, pages its name; its texts are one a language."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from services.channels.messages import hazard_texts
from services.channels.messages.hazard_text_rules import findings
from services.commands.example_people import made_up, of_group
from services.gateway.cap.hazards import hazard_of
from services.gateway.cap.model import Info
from services.router.explaining.explain import explain
from services.router.explaining.table import as_page
from services.router.planning.contexts import SHIPPED
from services.router.policy.engine import read, restored
from services.shared import hazards, i18n
from services.shared.errors import Refused
from services.shared.i18n import speaking
from services.shared.tiers import Tier

TEXT = SHIPPED.read_text(encoding="utf-8")
ASH = """
names: {en: ash fall, zh: 火山灰}
order: 15
category: Geo
rule: {respond: shelter_in, door: forbidden, instead: [sms, fire_service_list]}
alerts: {event_codes: [volcanicAsh], words: ["ash ", volcan], within: [火山]}
"""
TEXTS = """
state: draft
name: ash
easy_name: ash in the air
about: [ash]
away: "away from the smoke"
to: "to {name}"
texts:
  red:
    leave: {headline: ash, plain: "Leave now {to}.", short: "Leave now {to}.", easy: "Leave now {to}."}
"""


Use = Callable[..., None]
SHIPPED_FOLDER = hazards.FOLDER
LANGUAGES_FOLDER = i18n.FOLDER


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """A copy of the hazards that ship is in use, with others and without some."""
    folders = count()

    def with_files(more: dict[str, str] | None = None, without: str = "") -> None:
        folder = tmp_path / str(next(folders))
        shutil.copytree(SHIPPED_FOLDER, folder)
        for name, text in (more or {}).items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        if without:
            (folder / f"{without}.yaml").unlink()
        monkeypatch.setattr(hazards, "FOLDER", folder)
        languages = folder.with_name(f"{folder.name}-languages")
        shutil.copytree(LANGUAGES_FOLDER, languages)
        for name in more or {}:
            (languages / "en" / "hazards" / f"{name}.yaml").write_text(TEXTS, encoding="utf-8")
        monkeypatch.setattr(i18n, "FOLDER", languages)

    return with_files


def about(**named: object) -> str:
    return hazard_of([Info(**{"language": "en", "category": (), "event": "", **named})])  # type: ignore[arg-type]


def test_a_new_hazard_is_one_new_file_and_one_of_texts(use: Use) -> None:
    use({"ash_fall": ASH})
    assert ["public_security", "ash_fall", "tsunami"] == list(hazards.known())[2:5]
    assert "ash_fall" == about(event_code=(("profile:event", "volcanicAsh"),))
    assert "ash_fall" == about(event="Heavy ash near Hedong")
    assert "ash_fall" == about(event="火山喷发")
    assert "toxic_release" == about(event="Ash with toxic smoke"), "the smaller order goes before"
    policy = read(TEXT)
    assert "forbidden" == policy.door_rule("ash_fall")
    with speaking("zh-Hans"):
        said = explain(policy, Tier.RED, "ash_fall", made_up(["blind"], ["sms", "voice_mobile"]), "12:00")
    assert "红色,火山灰,12:00" in said[0]
    assert any("消防名单" in line for line in said)
    assert "ash fall" in as_page(policy, "ash_fall", of_group)
    words = hazard_texts.shipped()["ash_fall"]
    assert [] == list(findings(words))
    assert "Leave now to Hill 66." in hazard_texts.compose(
        words,
        "en",
        Tier.RED,
        "leave",
        "plain",
        hazard_texts.replace_place(hazard_texts.MODEL["en"], "Hill 66", confirmed_open=True),
    )
    assert words.fits("en", "Ash fall", Tier.RED, "leave")


def test_a_running_warning_keeps_the_rule_it_began_with(use: Use) -> None:
    """The file may change or go: what was kept is whole in itself."""
    use({"ash_fall": ASH})
    kept = read(TEXT).kept
    use()
    assert "ask" == read(TEXT).door_rule("ash_fall"), "unknown by now"
    again = restored(kept)
    assert "forbidden" == again.door_rule("ash_fall")
    assert (again.kept, again.hazard("ash_fall").instead) == (kept, ("sms", "fire_service_list"))
    assert restored(read(TEXT).kept).hazards == read(TEXT).hazards


def test_a_policys_own_rule_stands_in_place_of_the_files() -> None:
    own = read(TEXT + "\nhazards: {storm: {respond: as_told, door: allowed}}\n")
    assert ("allowed", "as_told") == (own.door_rule("storm"), own.hazard("storm").respond)
    assert own.hazard("landslide") == read(TEXT).hazard("landslide")
    assert own.kept != read(TEXT).kept


def test_without_the_unknown_nothing_starts(use: Use) -> None:
    use(without="unknown")
    with pytest.raises(Refused, match="add the hazard 'unknown'"):
        hazards.known()


def test_what_ships_is_what_policies_and_texts_say() -> None:
    """A group that a rule names is one of the policy's; every text says what to do."""
    policy = read(TEXT)
    for name, hazard in hazards.known().items():
        assert {"en", "zh"} == set(hazard.names), name
        assert hazard.rule.first in ("", *policy.groups)
    for name, words in hazard_texts.shipped().items():
        assert name in hazards.known(), f"{name}: texts of no hazard"
        assert {"en", "zh", "zh-Hant"} <= set(words.languages)
