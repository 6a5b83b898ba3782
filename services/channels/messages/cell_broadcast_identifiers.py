"""Chooses the message identifier of a cell broadcast by a country's table. Pure.

Source: 3GPP TS 23.041 9.4.1.2.2 (identifiers), 9.4.1.2.1 (serial number); 47 CFR 10.400 (what is an imminent threat);
ETSI TS 102 900 (EU-Alert levels). An identifier says severity, urgency and certainty at once, so no one of them chooses it.

    wea        4371-4378 by the three codes; what they call no imminent threat is a public safety message, 4396
    eu_alert   red, Extreme and Immediate is level 1, 4370, which no phone can turn off; else as wea (levels 2 and 3; 4 is 4396)
    uk         4378 ("severe"); 4370 ("government") for red, Extreme, Immediate; one driver, 4380, for tests and exercises

Where a red or orange warning's codes name no class (Unknown, Possible, Moderate ...), the tier that was decided here does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from services.channels.messages.cap_document import CapDocument, DocumentInfo

Profile = Literal["wea", "eu_alert", "uk"]
PRESIDENTIAL, TEST, EXERCISE, OPERATOR, PUBLIC_SAFETY = 4370, 4380, 4381, 4382, 4396
_CLASSES = {
    (severity, urgency, certainty): 4371 + 4 * s + 2 * u + c
    for s, severity in enumerate(("Extreme", "Severe"))
    for u, urgency in enumerate(("Immediate", "Expected"))
    for c, certainty in enumerate(("Observed", "Likely"))
}
_BY_TIER = {"red": 4374, "orange": 4378}  # Extreme or Severe, Expected, Likely
_OTHER_LANGUAGE = 13  # 4383 to 4395 are 4370 to 4382 in another language


@dataclass(frozen=True)
class _Table:
    top: bool  # whether the worst of red goes out on 4370
    only: int | None  # one identifier for every other warning
    drills: Mapping[str, int]


_BOTH = MappingProxyType({"Test": TEST, "Exercise": EXERCISE})
_TABLES: dict[Profile, _Table] = {
    "wea": _Table(top=False, only=None, drills=_BOTH),
    "eu_alert": _Table(top=True, only=None, drills=_BOTH),
    "uk": _Table(top=True, only=4378, drills=MappingProxyType({"Test": TEST, "Exercise": TEST})),
}


def identifier(profile: Profile, document: CapDocument, info: DocumentInfo, *, first: bool) -> int:
    """For one block; `first` is the language most people read, all others have identifiers of their own."""
    found = _identifier(_TABLES[profile], document, info)
    if first:
        return found
    if PRESIDENTIAL <= found <= OPERATOR:
        return found + _OTHER_LANGUAGE
    return found + 1  # 4396 > 4397


def _identifier(table: _Table, document: CapDocument, info: DocumentInfo) -> int:
    if document.drill:
        return table.drills[document.status]
    if info.urgency == "Past" or "AllClear" in info.responses or document.msg_type == "Cancel":
        return PUBLIC_SAFETY if table.only is None else table.only
    if table.top and document.tier == "red" and (info.severity, info.urgency) == ("Extreme", "Immediate"):
        return PRESIDENTIAL
    if table.only is not None:
        return table.only
    codes = (info.severity, info.urgency, info.certainty)
    return _CLASSES.get(codes) or _BY_TIER.get(document.tier, PUBLIC_SAFETY)


def is_of_a_drill(found: int) -> bool:
    """Whether phones show it as a test or an exercise, in whichever language."""
    return found in (TEST, EXERCISE, TEST + _OTHER_LANGUAGE, EXERCISE + _OTHER_LANGUAGE)


def serial_number(name: str, place: int) -> int:
    """Of the `place`-th language of the document called `name`: the same whenever it is handed over.

    Scope PLMN (01), so that a phone that moves shows it once; ten bits of message code; update number 0, since an
    update of ours has a name of its own.
    """
    code = int.from_bytes(hashlib.sha256(f"{name}:{place}".encode()).digest()[:2], "big") >> 6
    return 0b01 << 14 | code << 4
