"""What a card tells whoever stands at the door."""

from __future__ import annotations

from services.registry.model.cards import card_of
from tests.unit.registry.test_needs import person


def test_who_comes_to_a_quarantine_is_told_not_to_enter() -> None:
    """Beside what else they must know, and of nobody else."""
    both = card_of(person(quarantine=True, power_device="oxygen", backup_min=30)).note
    assert both.startswith("QUARANTINE: do not enter, speak through the door")
    assert "30 min of battery" in both
    assert "" == card_of(person()).note
