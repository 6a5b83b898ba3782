"""Every form of every real alert beside its authority's own words: none says the opposite, none leaves out where to be."""

from __future__ import annotations

import os
from pathlib import Path

from typer.testing import CliRunner

from services.commands.cap import app
from services.commands.forms_table import forms_of
from services.commands.kit import settings
from tests.kit.cap_build import alert, info

ALERTS = sorted((Path(os.environ["TOCSIN_CAP_CORPUS"]) / "alerts").glob("*.xml"))


def test_no_form_of_a_real_alert_contradicts_its_authority() -> None:
    """Each form of each language; short forms and spoken ones among them."""
    found = [one for file in ALERTS for one in forms_of(file, settings())]
    assert len(found) > 100
    assert [] == [(one.file, two) for one in found for two in one.contradictions]
    moving = [one for one in found if any({"leave", "go_up", "stay_in"} & set(form.tells or ()) for form in one.forms)]
    assert len(moving) > 10, "else nothing was held against anything"


def test_a_planted_contradiction_is_found(tmp_path: Path) -> None:
    """An alert whose English leaves and whose Chinese stays: said, with both, and the command says so by its exit."""
    file = tmp_path / "two.xml"
    file.write_bytes(
        alert(
            info(instruction="Leave your home now. Go to high ground.")
            + info(language="zh-CN", event="山洪", instruction="留在屋里,关门窗。")
        )
    )
    (one,) = forms_of(file, settings())
    assert {("en-US", "leave", "zh-CN", "stay_in")} == {
        (two.text, two.order, two.other, two.opposite) for two in one.contradictions
    }
    assert "" == one.instruction
    run = CliRunner().invoke(app, ["forms", str(file)])
    assert 1 == run.exit_code
    assert "1 alerts, 1 contradictions" in run.output
    assert "!! en-US: leave / zh-CN: stay in" in run.output
