"""Makes alerts for tests: one sound alert, and the same with a part exchanged."""

from __future__ import annotations

NS = "urn:oasis:names:tc:emergency:cap:1.2"
SQUARE = "30.0,110.0 30.0,110.2 30.2,110.2 30.2,110.0 30.0,110.0"
HEADER = {
    "identifier": "TEST-1",
    "sender": "duty@example.org",
    "sent": "2026-07-09T15:00:00+08:00",
    "status": "Actual",
    "msgType": "Alert",
    "scope": "Public",
}
INFO = {
    "language": "en-US",
    "category": "Met",
    "event": "Flash flood",
    "responseType": "Evacuate",
    "urgency": "Immediate",
    "severity": "Severe",
    "certainty": "Observed",
    "onset": "2026-07-09T18:00:00+08:00",
    "expires": "2026-07-10T03:00:00+08:00",
    "senderName": "Qingshui County Emergency Office",
    "headline": "Flash flood in Nanling",
    "description": "Water rises fast.",
    "instruction": "Walk uphill.",
}
AREA = f"<areaDesc>Nanling</areaDesc><polygon>{SQUARE}</polygon>"


def tags(values: dict[str, str | None]) -> str:
    """Elements of the values, those of None left out; a value may hold markup."""
    return "".join(f"<{tag}>{value}</{tag}>" for tag, value in values.items() if value is not None)


def info(area: str | None = AREA, more: str = "", **changed: str | None) -> str:
    """An info block: `more` stands between instruction and area, `area` inside its own element."""
    block = f"<area>{area}</area>" if area is not None else ""
    return f"<info>{tags({**INFO, **changed})}{more}{block}</info>"


def alert(infos: str | None = None, more: str = "", ns: str = NS, **changed: str | None) -> bytes:
    """A whole alert in UTF-8: `more` stands between scope and info."""
    body = tags({**HEADER, **changed}) + more + (info() if infos is None else infos)
    xmlns = f' xmlns="{ns}"' if ns else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<alert{xmlns}>{body}</alert>'.encode()


def bare(data: bytes) -> str:
    """An alert without its XML declaration, to be put into an envelope."""
    return data.decode().split("?>\n", 1)[1]
