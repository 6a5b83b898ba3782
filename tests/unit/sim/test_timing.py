"""An alert at another hour, with another lead: its times move where they stand, and the hour in its words with them."""

from __future__ import annotations

import pytest

from services.demo_view import example_alert
from services.gateway.cap import meaning, read
from services.shared.errors import Refused
from services.sim.timing import moved


def test_nothing_asked_changes_nothing() -> None:
    """Byte for byte."""
    assert example_alert() == moved(example_alert())


@pytest.mark.parametrize("lead", [10, 60, 600])
def test_an_alert_at_night_with_a_lead(lead: int) -> None:
    """Sent at 02:30, the impact so much later, and in force for an hour beyond it at least."""
    found = read(moved(example_alert(), "02:30", lead)).alerts[0]
    assert "2026-06-10T02:30:00+08:00" == found.sent.isoformat()
    impact = meaning(found).impact
    assert impact is not None
    assert lead * 60 == (impact - found.sent).total_seconds()
    assert all(info.expires is not None and (info.expires - impact).total_seconds() >= 3600 for info in found.infos)


def test_the_hour_in_the_words_is_said_anew() -> None:
    """In English and Chinese; nobody reads noon for half past three."""
    text = moved(example_alert(), "02:30", 60).decode()
    assert "Water may arrive by 03:30." in text
    assert "洪水可能3时30分前到" in text
    assert "12:00" not in text
    assert "12时" not in text


def test_a_lead_where_the_alert_names_no_onset() -> None:
    """It is given one, where the standard wants it."""
    text = example_alert().decode()
    for line in text.splitlines():
        if "<onset>" in line:
            text = text.replace(line + "\n", "", 1)
    found = read(moved(text.encode(), lead_min=45)).alerts[0]
    impact = meaning(found).impact
    assert impact is not None
    assert 45 * 60 == (impact - found.sent).total_seconds()


@pytest.mark.parametrize("at", ["25:00", "2", "noon"])
def test_a_time_that_is_none_is_refused(at: str) -> None:
    with pytest.raises(Refused, match="02:30"):
        moved(example_alert(), at)
