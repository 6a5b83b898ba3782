"""`tocsin cap show`: an alert as a person reads it, with what it means here and what was found wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.gateway.cap import Alert, Area, Finding, Info, Meaning, verify
from services.gateway.cap.model import verdict_of
from services.gateway.cap_check import look
from services.gateway.trust import Pins
from services.shared.tier import TITLES

_STYLES = {"reject": "bold red", "quarantine": "red", "repair": "yellow", "info": "dim"}
_ZH = {
    "From": "发自", "Sent": "时间", "Until": "有效至", "Kind": "类别", "Area": "区域", "Says": "内容", "Do": "怎么做",
    "Level": "等级", "Tier": "我方级别", "Hazard": "灾种", "Signature": "签名", "Refers to": "引用", "Contact": "联系",
    "Files": "附件", "Codes": "代码", "Findings": "问题", "held: a person decides": "待人定级", "Here": "在本系统",
    "no fault found": "没有发现问题", "an ending": "解除", "nothing to warn of": "没有需要预警的内容",
    "speaks of a drill or test": "提到演练或测试",
}  # fmt: skip


def show(name: str, data: bytes, pins: Pins, *, lang: str) -> Iterator[RenderableType]:
    """One panel an alert, then the findings; where there is no alert, only these."""
    reading, findings, senses = look(data)
    say = _Words(lang)
    for alert, sense in zip(reading.alerts, senses, strict=True):
        trust = verify(alert.raw, pins.of(alert.sender), at=alert.sent)
        said = f"{trust.message_zh if lang == 'zh' else trust.message} {trust.by}".strip()
        parts: list[RenderableType] = [_head(alert, sense, said, say)]
        parts += [_block(info, say) for info in alert.infos]
        yield Panel(Group(*parts), title=Text(f"{alert.msg_type} {alert.identifier}"), title_align="left")
    yield _findings(name, findings, say)


class _Words:
    """Labels in the reader's language."""

    def __init__(self, lang: str) -> None:
        self.chinese = lang == "zh"

    def __call__(self, word: str) -> str:
        return _ZH.get(word, word) if self.chinese else word


def _head(alert: Alert, sense: Meaning, signature: str, say: _Words) -> Table:
    if sense.tier is None:
        tier = say("nothing to warn of" if sense.nothing_to_warn else "held: a person decides")
    else:
        tier = f"{sense.tier.word} ({TITLES[sense.tier][1 if say.chinese else 0]})"
    hints = (("an ending", sense.ending), ("speaks of a drill or test", sense.drill_hint))
    rows = [
        ("From", alert.sender),
        ("Sent", _time(alert.sent)),
        ("Kind", f"{alert.status}, {alert.msg_type}, {alert.scope}"),
        ("Refers to", "; ".join(f"{r.sender} {r.identifier}" for r in alert.references)),
        ("Tier", f"{tier}: {sense.tier_reason}"),
        ("Hazard", f"{sense.hazard}, {sense.respond}"),
        ("Until", f"{_time(sense.expires)} ({sense.expires_reason})"),
        ("Here", "; ".join(say(word) for word, holds in hints if holds)),
        ("Signature", signature),
    ]  # fmt: skip
    return _table(rows, say)


def _block(info: Info, say: _Words) -> Panel:
    rows = [
        ("Level", ", ".join((info.severity, info.urgency, info.certainty))),
        ("Says", info.description),
        ("Do", info.instruction),
        ("Area", "\n".join(_area(area) for area in info.areas)),
        ("Codes", ", ".join(f"{a}={b}" for a, b in (*info.event_code, *info.parameter))),
        ("Files", ", ".join(f"{r.desc} ({r.mime_type})" for r in info.resources)),
        ("Contact", " ".join((info.contact, info.web)).strip()),
    ]
    return Panel(_table(rows, say), title=Text(f"[{info.language}] {info.headline or info.event}"), title_align="left")


def _area(area: Area) -> str:
    shapes = [
        f"{len(area.polygons)} polygons" if area.polygons else "",
        f"{len(area.circles)} circles" if area.circles else "",
    ]
    codes = [f"{a}={b}" for a, b in area.geocodes[:6]] + (["..."] if len(area.geocodes) > 6 else [])
    more = ", ".join([*(s for s in shapes if s), *codes])
    return f"{area.desc} ({more})" if more else area.desc


def _table(rows: list[tuple[str, str]], say: _Words) -> Table:
    """Label and text; empty ones are left out. The text is an alert's own: never read as markup."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        if text:
            table.add_row(say(label), Text(text))
    return table


def _findings(name: str, findings: tuple[Finding, ...], say: _Words) -> RenderableType:
    verdict = verdict_of(findings)
    title = Text(f"{name}: {verdict}")
    if not findings:
        return Panel(say("no fault found"), title=title, title_align="left")
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        table.add_row(
            Text(finding.grade, style=_STYLES[finding.grade]),
            Text(f"rule {finding.rule}"),
            Text(f"{finding.message_zh if say.chinese else finding.message} {finding.where}"),
        )
    return Panel(table, title=title, title_align="left")


def _time(when: datetime) -> str:
    return when.strftime("%a %d %b %Y %H:%M %z")
