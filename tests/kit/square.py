"""CAP alerts about one square, sent so many minutes after the clock of a town without people begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

SENT = 1_781_053_800.0
"""2026-06-10T01:10:00 UTC, when that clock begins."""
SQUARE = "30.0,103.0 30.0,103.1 30.1,103.1 30.1,103.0 30.0,103.0"


def cap(
    identifier: str = "A-1",
    *,
    sender: str = "met@qingshui.example",
    minutes: float = 0,
    kind: str = "Alert",
    names: Sequence[tuple[str, float]] = (),
    severity: str = "Severe",
    expires: float = 360,
    polygon: str = SQUARE,
    extra: str = "",
    head: str = "",
    scope: str = "Public",
    status: str = "Actual",
    event: str = "Flash flood",
    response: str = "Evacuate",
    info: bool = True,
) -> bytes:
    """A CAP alert; `minutes` after SENT it is sent, `names` are (identifier, minutes) it refers to."""
    refs = " ".join(f"{sender},{name},{moment(m)}" for name, m in names)
    block = f"""<info><language>en-US</language><category>Met</category><event>{event}</event>
<responseType>{response}</responseType><urgency>Immediate</urgency><severity>{severity}</severity>
<certainty>Likely</certainty><expires>{moment(minutes + expires)}</expires><senderName>Qingshui Met</senderName>
<headline>{event}</headline><instruction>Leave now.</instruction>{extra}
<area><areaDesc>Hedong</areaDesc><polygon>{polygon}</polygon></area></info>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier><sender>{sender}</sender>
<sent>{moment(minutes)}</sent><status>{status}</status><msgType>{kind}</msgType><scope>{scope}</scope>{head}
{f"<references>{refs}</references>" if refs else ""}{block if info else ""}</alert>""".encode()


def moment(minutes: float) -> str:
    """CAP's time, so many minutes after SENT."""
    return datetime.fromtimestamp(SENT + minutes * 60, UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")
