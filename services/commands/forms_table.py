"""Shows what each alert makes people read and hear, form beside form, and where a form contradicts the authority's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from services.channels.messages.forms import Against, FormText, against, every_channel
from services.gateway.cap import meaning, read
from services.gateway.intake.incoming import from_alert
from services.gateway.publish.parts import parts_of
from services.shared.errors import Refused
from services.shared.hazards.instructions import NAMES
from services.shared.i18n import t
from services.shared.settings import Settings
from services.shared.tiers import Tier


@dataclass(frozen=True)
class FormsOf:
    """An alert of a file: its hazard, tier and instruction, every form, and what contradicts what."""

    file: str
    hazard: str
    tier: str
    instruction: str
    forms: tuple[FormText, ...]
    contradictions: tuple[Against, ...]

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def forms_of(file: Path, settings: Settings) -> Iterator[FormsOf]:
    """Each alert of a file that would be taken in and warns of something."""
    reading = read(file.read_bytes())
    for alert in reading.alerts:
        sense = meaning(alert)
        try:
            incoming = from_alert(reading, alert)
        except Refused:
            continue
        if sense.ending or sense.nothing_to_warn:
            continue
        parts = parts_of(incoming, sense.tier, settings.offset_at, settings.authority or alert.sender)
        made = every_channel(parts, sense.tier, "0000", settings.hotline, drill=False)
        yield FormsOf(
            file.name, sense.hazard, (sense.tier or Tier.RED).word, str(parts["instruction"]), tuple(made),
            tuple(against(parts, made)),
        )  # fmt: skip


def in_words(found: FormsOf) -> Iterator[str]:
    """For a terminal: a line a form, with what it tells people to do."""
    told = t(NAMES[found.instruction]) if found.instruction else "-"
    yield f"== {found.file}: {found.hazard}, {found.tier}, {told}"
    for one in found.forms:
        tells = "?" if one.tells is None else "+".join(one.tells) or "-"
        way = f" ({t('gave way')}: {one.gave_way})" if one.gave_way else ""
        draft = f" ({t('draft: nobody has checked it')})" if one.draft else ""
        yield f"{one.language} {one.channel} [{tells}]{way}{draft}: {' '.join(one.text.split())}"
    for two in found.contradictions:
        said = t(NAMES[two.order]) if two.order else t("leaves it out")
        yield f"!! {two.text}: {said} / {two.other}: {t(NAMES[two.opposite])}"
