"""`tocsin cap show`: an alert as a person reads it, what it means here, what people will read, and what is wrong with it.

Nothing is cut: whatever can be long is folded text, never a panel's title.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.gateway.cap import Alert, Area, Finding, Info, Meaning, Reading, verify
from services.gateway.cap.model import verdict_of
from services.gateway.cli.cap_check import judge_file
from services.gateway.cli.cap_words import LABELS, VALUES, day, english, in_chinese
from services.gateway.intake.blocks import apart, notes_on
from services.gateway.intake.incoming import from_alert
from services.gateway.intake.trust import Pins
from services.gateway.publish.parts import parts_of
from services.shared.errors import Refused
from services.shared.hazards import name_of
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


class MakeTexts(Protocol):
    """Makes every channel's text of a warning's parts."""

    def __call__(
        self, parts: Mapping[str, Any], tier: Tier | None, number: str, hotline: str, *, drill: bool
    ) -> Sequence[TextShown]: ...


def show(
    name: str, data: bytes, pins: Pins, *, lang: str, settings: Settings | None = None, say: MakeTexts | None = None
) -> Iterator[RenderableType]:
    """One panel an alert, with what `say` makes people read of it; then the findings; where there is no alert, only these."""
    reading, findings, senses = judge_file(data)
    words = _Words(lang)
    for alert, sense in zip(reading.alerts, senses, strict=True):
        trust = verify(alert.raw, pins.of(alert.sender), at=alert.sent)
        said = f"{trust.message_zh if words.chinese else trust.message} {trust.by}".strip()
        parts: list[RenderableType] = [_head(alert, sense, said, words)]
        parts += [_block(info, words) for info in alert.infos]
        if say is not None and settings is not None and not sense.ending:
            parts += _read(reading, alert, sense, settings, say, words)
        yield Panel(Group(*parts))
    yield _findings(name, findings, words)


class _Words:
    """Labels and CAP's own words in the reader's language."""

    def __init__(self, lang: str) -> None:
        self.chinese = lang == "zh"

    def __call__(self, word: str) -> str:
        return LABELS.get(word, word) if self.chinese else english(word)

    def value(self, word: str) -> str:
        return VALUES.get(word, word) if self.chinese else word

    def hazard(self, name: str) -> str:
        return name_of(name, "zh") if self.chinese else name

    def reason(self, text: str) -> str:
        return in_chinese(text) if self.chinese else text


def _head(alert: Alert, sense: Meaning, signature: str, say: _Words) -> Table:
    if sense.tier is None:
        tier = say("nothing to warn of" if sense.nothing_to_warn else "held: a person decides")
    else:
        tier = f"{say.value(sense.tier.word)} ({TITLES[sense.tier][1 if say.chinese else 0]})"
    hints = (("an ending", sense.ending), ("speaks of a drill or test", sense.drill_hint))
    held = apart(alert)
    chosen = 1 if say.chinese else 0
    rows = [
        ("Identifier", alert.identifier),
        ("From", alert.sender),
        ("Sent", _time(alert.sent, say)),
        ("Kind", ", ".join(map(say.value, (alert.status, alert.msg_type, alert.scope)))),
        ("Refers to", "; ".join(f"{r.sender} {r.identifier}" for r in alert.references)),
        ("Tier", f"{tier}: {say.reason(sense.tier_reason)}"),
        ("Hazard", f"{say.hazard(sense.hazard)} ({say('reckoned with')}: {say.value(sense.respond)})"),
        ("Asks", say.value(sense.asked) if sense.asked else "" if sense.ending else say("nothing is named")),
        ("Begins", _time(sense.impact, say) if sense.impact else ""),
        ("Until", f"{_time(sense.expires, say)} ({say.reason(sense.expires_reason)})"),
        ("Here", "; ".join(say(word) for word, holds in hints if holds)),
        ("Held", held[chosen] if held is not None else ""),
        ("Note", "\n".join(note[chosen] for note in notes_on(alert))),
        ("Signature", signature),
    ]
    return _table(rows, say)


def _block(info: Info, say: _Words) -> Panel:
    begins = info.onset or info.effective
    onset = "" if info.onset else f" ({say('effective')})"
    rows = [
        ("Headline", info.headline),
        ("Event", info.event),
        ("Level", ", ".join(map(say.value, (info.severity, info.urgency, info.certainty)))),
        ("Asks", ", ".join(map(say.value, info.response_type)) or say("none is named")),
        ("Begins", f"{_time(begins, say)}{onset}" if begins else ""),
        ("Until", _time(info.expires, say) if info.expires else ""),
        ("Says", info.description),
        ("Do", info.instruction),
        ("Area", "\n".join(_area(area, say) for area in info.areas)),
        ("Codes", ", ".join(f"{a}={b}" for a, b in (*info.event_code, *info.parameter))),
        ("Files", ", ".join(f"{r.desc} ({r.mime_type})" for r in info.resources)),
        ("Contact", " ".join((info.contact, info.web)).strip()),
    ]
    return Panel(_table(rows, say), title=Text(f"[{info.language}]"), title_align="left")


def _read(
    reading: Reading, alert: Alert, sense: Meaning, settings: Settings, say: MakeTexts, words: _Words
) -> Iterator[RenderableType]:
    """What people will read and hear, a panel a language; nothing of an alert that would be refused."""
    try:
        incoming = from_alert(reading, alert)
    except Refused:
        return
    parts = parts_of(incoming, sense.tier, settings.offset_at, settings.authority or alert.sender)
    rows: dict[str, list[tuple[str, str]]] = {}
    for one in say(parts, sense.tier, "0000", settings.hotline, drill=settings.plane == "drill"):
        counted = f" ({one.segments} x {one.encoding})" if one.segments else ""
        rows.setdefault(one.language, []).append((f"{words(one.channel)}{counted}", one.text))
    undecided = f", {words('as for red')}" if sense.tier is None else ""
    for language, texts in rows.items():
        title = Text(f"{words('What people will read')} [{language}]{undecided}")
        yield Panel(_table(texts, words), title=title, title_align="left")


def _area(area: Area, say: _Words) -> str:
    shapes = [
        f"{len(area.polygons)} {say('polygons')}" if area.polygons else "",
        f"{len(area.circles)} {say('circles')}" if area.circles else "",
    ]
    codes = [f"{a}={b}" for a, b in area.geocodes[:6]]
    codes += [f"+ {len(area.geocodes) - 6} {say('more')}"] if len(area.geocodes) > 6 else []
    more = ", ".join([*(s for s in shapes if s), *codes])
    return f"{area.desc} ({more})" if more else area.desc


def _table(rows: list[tuple[str, str]], say: Callable[[str], str]) -> Table:
    """Label and text; empty ones are left out. The text is an alert's own: never read as markup."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", max_width=24, overflow="fold")
    table.add_column(overflow="fold")
    for label, text in rows:
        if text:
            table.add_row(say(label), Text(text))
    return table


def _findings(name: str, findings: tuple[Finding, ...], say: _Words) -> RenderableType:
    verdict = verdict_of(findings)
    title = Text(f"{name}: {say(verdict)}")
    if not findings:
        return Panel(say("no fault found"), title=title, title_align="left")
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(
            Text(say(finding.grade), style=_STYLES[finding.grade]),
            Text(f"{say('rule')} {finding.rule}"),
            Text(f"{finding.message_zh if say.chinese else finding.message} {finding.where}"),
        )
    return Panel(table, title=title, title_align="left")


def _time(when: datetime, say: _Words) -> str:
    if say.chinese:
        return f"{when.year}年{when.month}月{when.day}日 {day(when.weekday())} {when:%H:%M %z}"
    return when.strftime("%a %d %b %Y %H:%M %z")
