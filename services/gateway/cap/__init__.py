"""CAP 1.2: reads alerts as they really are, says what is wrong with them, what they mean, where they hold.

    reading = read(data)                     alerts, findings, one verdict; strict=True for what is pushed to us
    shape = geometry(alert)                  the area, and the codes a table must resolve
    sense = meaning(alert)                   tier, hazard, response, expiry
    place(Known.of(alert, ...), known)       duplicate, update, late, or new (`chains`)
    data = write(alert); sign(data, ...)     strict CAP 1.2; `verify` says what a signature is worth

Pure: bytes and records in, records out; it opens nothing and follows no link.
"""

from services.gateway.cap.chains import (
    KnownMessage,
    Life,
    Placement,
    chains,
    fingerprint,
    freshness,
    in_force,
    life_of,
    place,
)
from services.gateway.cap.defects import DEFECTS
from services.gateway.cap.geometry import MARKER_KM, AreaShape, geometry
from services.gateway.cap.meaning import Meaning, meaning
from services.gateway.cap.model import (
    FEED,
    PUSH,
    Alert,
    Area,
    Finding,
    Info,
    Reading,
    ReadingLimits,
    Reference,
    Resource,
)
from services.gateway.cap.reader import read
from services.gateway.cap.rules import RULES
from services.gateway.cap.signature import Trust, sign, verify
from services.gateway.cap.text import write_time
from services.gateway.cap.writer import write

__all__ = [
    "DEFECTS",
    "FEED",
    "MARKER_KM",
    "PUSH",
    "RULES",
    "Alert",
    "Area",
    "AreaShape",
    "Finding",
    "Info",
    "KnownMessage",
    "Life",
    "Meaning",
    "Placement",
    "Reading",
    "ReadingLimits",
    "Reference",
    "Resource",
    "Trust",
    "chains",
    "fingerprint",
    "freshness",
    "geometry",
    "in_force",
    "life_of",
    "meaning",
    "place",
    "read",
    "sign",
    "verify",
    "write",
    "write_time",
]
