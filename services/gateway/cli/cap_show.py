"""`tocsin cap show`: an alert as a person reads it, its meaning here, what people will read, and its faults.

Nothing is cut: whatever can be long is folded text, never a panel's title.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.gateway.cap import Alert, Area, Finding, Info, Meaning, Reading, verify
from services.gateway.cap.model import verdict_of
from services.gateway.cli.cap_check import GRADES, judge_file
from services.gateway.cli.cap_words import reason, value
from services.gateway.intake.blocks import apart, notes_on
from services.gateway.intake.incoming import from_alert
from services.gateway.intake.trust import Pins
from services.gateway.publish.parts import parts_of
from services.gateway.store import Parts
from services.shared import labels
from services.shared.errors import Refused
from services.shared.i18n import listed, t, tc, tn, told, written
from services.shared.settings import Settings
from services.shared.tiers import TITLES, Tier

_STYLES = {"reject": "bold red", "quarantine": "red", "repair": "yellow", "info": "dim"}


class TextShown(Protocol):
    """One text on one channel."""

    @property
    def language(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def segments(self) -> int: ...
    @property
    def encoding(self) -> str: ...
    @property
    def draft(self) -> bool: ...


class MakeTexts(Protocol):
    """Makes every channel's text of a warning's parts."""

    def __call__(
        self, parts: Parts, tier: Tier | None, number: str, hotline: str, *, drill: bool
    ) -> Sequence[TextShown]: ...


def show(
    name: str, data: bytes, pins: Pins, *, settings: Settings | None = None, say: MakeTexts | None = None
) -> Iterator[RenderableType]:
    """Shows one panel an alert, with what `say` makes people read of it, then the findings."""
    reading, findings, senses = judge_file(data)
    for alert, sense in zip(reading.alerts, senses, strict=True):
        trust = verify(alert.raw, pins.of(alert.sender), at=alert.sent)
        parts: list[RenderableType] = [_head(alert, sense, f"{told(trust.message)} {trust.by}".strip())]
        parts += [_block(info) for info in alert.infos]
        if say is not None and settings is not None and not sense.ending:
            parts += _read(reading, alert, sense, settings, say)
        yield Panel(Group(*parts))
    yield _findings(name, findings)


def _head(alert: Alert, sense: Meaning, signature: str) -> Table:
    if sense.tier is None:
        tier = t("nothing to warn of") if sense.nothing_to_warn else t("held: a person decides")
    else:
        tier = f"{value(sense.tier.word)} ({t(TITLES[sense.tier])})"
    hints = ((t("an ending"), sense.ending), (t("speaks of a drill or test"), sense.drill_hint))
    nothing = "" if sense.ending else t("nothing is named")
    rows = [
        (t("Identifier"), alert.identifier),
        (t("From"), alert.sender),
        (t("Sent"), _time(alert.sent)),
        (tc("of an alert", "Kind"), listed(map(value, (alert.status, alert.msg_type, alert.scope)))),
        (t("Refers to"), "; ".join(f"{r.sender} {r.identifier}" for r in alert.references)),
        (tc("of an alert", "Tier"), f"{tier}: {reason(sense.tier_reason)}"),
        (
            t("Hazard"),
            t("{hazard} (reckoned with: {respond})", hazard=labels.hazard(sense.hazard), respond=value(sense.respond)),
        ),
        (t("Asks"), value(sense.asked) if sense.asked else nothing),
        (t("Begins"), _time(sense.impact) if sense.impact else ""),
        (t("Until"), f"{_time(sense.expires)} ({reason(sense.expires_reason)})"),
        (t("Here"), "; ".join(words for words, holds in hints if holds)),
        (t("Held"), told(apart(alert) or "")),
        (t("Note"), "\n".join(map(told, notes_on(alert)))),
        (t("Signature"), signature),
    ]
    return _table(rows)


def _block(info: Info) -> Panel:
    begins = info.onset or info.effective
    onset = "" if info.onset else f" ({t('effective')})"
    rows = [
        (t("Headline"), info.headline),
        (t("Event"), info.event),
        (t("Level"), listed(map(value, (info.severity, info.urgency, info.certainty)))),
        (t("Asks"), listed(map(value, info.response_type)) or t("none is named")),
        (t("Begins"), f"{_time(begins)}{onset}" if begins else ""),
        (t("Until"), _time(info.expires) if info.expires else ""),
        (t("Says"), info.description),
        (tc("what people are to do", "Do"), info.instruction),
        (t("Area"), "\n".join(map(_area, info.areas))),
        (t("Codes"), ", ".join(f"{a}={b}" for a, b in (*info.event_code, *info.parameter))),
        (t("Files"), ", ".join(f"{r.desc} ({r.mime_type})" for r in info.resources)),
        (t("Contact"), " ".join((info.contact, info.web)).strip()),
    ]
    return Panel(_table(rows), title=Text(f"[{info.language}]"), title_align="left")


def _read(
    reading: Reading, alert: Alert, sense: Meaning, settings: Settings, say: MakeTexts
) -> Iterator[RenderableType]:
    """What people will read and hear, a panel a language; nothing of an alert that would be refused."""
    try:
        incoming = from_alert(reading, alert)
    except Refused:
        return
    places = settings.languages_at(incoming.geocodes)
    parts = parts_of(incoming, sense.tier, settings.offset_at, settings.authority or alert.sender, places)
    rows: dict[str, list[tuple[str, str]]] = {}
    drafts = set[str]()
    for one in say(parts, sense.tier, "0000", settings.hotline, drill=settings.plane == "drill"):
        counted = f" ({one.segments} x {one.encoding})" if one.segments else ""
        drafts |= {one.language} if one.draft else set()
        rows.setdefault(one.language, []).append((f"{labels.say(labels.TEXTS, one.channel)}{counted}", one.text))
    for language, texts in rows.items():
        if sense.tier is None:
            title = t("What people will read [{language}], as for red", language=language)
        else:
            title = t("What people will read [{language}]", language=language)
        if language in drafts:
            title = t("{title} (our own sentences are a draft: nobody has checked them)", title=title)
        yield Panel(_table(texts), title=Text(title), title_align="left")


def _area(area: Area) -> str:
    shapes = [
        tn("{n} polygon", "{n} polygons", len(area.polygons)) if area.polygons else "",
        tn("{n} circle", "{n} circles", len(area.circles)) if area.circles else "",
    ]
    codes = [f"{a}={b}" for a, b in area.geocodes[:6]]
    codes += [t("+ {n} more", n=len(area.geocodes) - 6)] if len(area.geocodes) > 6 else []
    more = listed([*(s for s in shapes if s), *codes])
    return f"{area.desc} ({more})" if more else area.desc


def _table(rows: list[tuple[str, str]]) -> Table:
    """Label and text; empty ones are left out. The text is an alert's own: never read as markup."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", max_width=24, overflow="fold")
    table.add_column(overflow="fold")
    for label, text in rows:
        if text:
            table.add_row(label, Text(text))
    return table


def _findings(name: str, findings: tuple[Finding, ...]) -> RenderableType:
    title = Text(f"{name}: {t(GRADES[verdict_of(findings)])}")
    if not findings:
        return Panel(t("no fault found"), title=title, title_align="left")
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(
            Text(t(GRADES[finding.grade]), style=_STYLES[finding.grade]),
            Text(t("rule {n}", n=finding.rule)),
            Text(f"{told(finding.message)} {finding.where}"),
        )
    return Panel(table, title=title, title_align="left")


def _time(when: datetime) -> str:
    pattern = tc("a moment of an alert", "EEE dd MMM y HH:mm")
    return f"{written(when, pattern)} {when:%z}"
