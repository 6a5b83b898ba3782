"""A hazard is one file: with it alerts are read as it, the policy has its rule, pages its name, messages its texts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from services.channels.messages import hazard_texts
from services.commands.example_people import made_up, of_group
from services.gateway.cap.hazards import hazard_of
from services.gateway.cap.model import Info
from services.router.explaining.explain import explain
from services.router.explaining.table import as_page
from services.router.planning.contexts import SHIPPED
from services.router.policy.engine import read, restored
from services.shared import hazards
from services.shared.errors import Refused
from services.shared.i18n import speaking
from services.shared.tiers import Tier

TEXT = SHIPPED.read_text(encoding="utf-8")
FIRE = """
names: {en: bush fire, zh: 山火}
order: 15
category: Fire
rule: {respond: evacuate, door: forbidden, instead: [sms, fire_service_list]}
alerts: {event_codes: [bushFire], words: ["fire ", wildfire], within: [山火]}
only_if: [fire]
texts:
  en:
    state: draft
    name: fire
    easy_name: Danger. Fire
    to: "to {name}"
    away: "away from the smoke"
    due: {from: "Fire from {impact}.", by: "Fire by {impact}."}
    blue: {headline: fire possible, plain: "Look out.", short: "Look out.", easy: "Look out."}
    yellow: {headline: fire likely, plain: "Pack.", short: "Pack.", easy: "Pack."}
    orange: {headline: fire near, plain: "Slow ones go now {to}.", short: "Go now {to}.", easy: "Go now {to}."}
    red: {headline: fire, plain: "Leave now {to}.", short: "Leave now {to}.", easy: "Go out now {to}."}
"""


Use = Callable[..., None]
SHIPPED_FOLDER = hazards.FOLDER


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

    return with_files


def about(**named: object) -> str:
    return hazard_of([Info(**{"language": "en", "category": (), "event": "", **named})])  # type: ignore[arg-type]


def test_a_new_hazard_is_one_new_file(use: Use) -> None:
    use({"bush_fire": FIRE})
    assert ["toxic_release", "bush_fire", "local_tsunami"] == list(hazards.known())[:3]
    assert "bush_fire" == about(event_code=(("profile:event", "bushFire"),))
    assert "bush_fire" == about(event="Large fire near Hedong")
    assert "bush_fire" == about(event="森林山火")
    assert "toxic_release" == about(event="Fire with toxic smoke"), "the smaller order goes before"
    policy = read(TEXT)
    assert "forbidden" == policy.door_rule("bush_fire")
    with speaking("zh-Hans"):
        said = explain(policy, Tier.RED, "bush_fire", made_up(["blind"], ["sms", "voice_mobile"]), "12:00")
    assert "红色,山火,12:00" in said[0]
    assert any("消防名单" in line for line in said)
    assert "bush fire" in as_page(policy, "bush_fire", of_group)
    words = hazard_texts.shipped()["bush_fire"]
    assert [] == list(hazard_texts.findings(words))
    assert "Leave now to Hill 66." in hazard_texts.compose(
        words,
        "en",
        Tier.RED,
        "plain",
        hazard_texts.replace_place(hazard_texts.MODEL["en"], "Hill 66", confirmed_open=True),
    )
    assert words.fits("Fire", "evacuate", Tier.RED)


def test_a_running_warning_keeps_the_rule_it_began_with(use: Use) -> None:
    """The file may change or go: what was kept is whole in itself."""
    use({"bush_fire": FIRE})
    kept = read(TEXT).kept
    use()
    assert "ask" == read(TEXT).door_rule("bush_fire"), "unknown by now"
    again = restored(kept)
    assert "forbidden" == again.door_rule("bush_fire")
    assert (again.kept, again.hazard("bush_fire").instead) == (kept, ("sms", "fire_service_list"))
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
        assert not hazard.texts or {"en", "zh"} == set(hazard.texts)
