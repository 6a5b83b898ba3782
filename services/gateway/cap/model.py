"""What a CAP alert says, as frozen records: the standard's words, a reading's findings, the limits of a reading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

CAP_1_2 = "urn:oasis:names:tc:emergency:cap:1.2"

STATUSES = ("Actual", "Exercise", "System", "Test", "Draft")
MSG_TYPES = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPES = ("Public", "Restricted", "Private")
CATEGORIES = (
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other",
)  # fmt: skip
RESPONSE_TYPES = (
    "Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None",
)  # fmt: skip
URGENCIES = ("Immediate", "Expected", "Future", "Past", "Unknown")
SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
CERTAINTIES = ("Observed", "Likely", "Possible", "Unlikely", "Unknown")

DEFAULT_LANGUAGE = "en-US"

Grade = Literal["reject", "quarantine", "repair", "info"]
Verdict = Literal["accept", "repair", "quarantine", "reject"]
Pairs = tuple[tuple[str, str], ...]
Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """One earlier message, as `references` names it; `sent` is None where the triple's time cannot be read."""

    sender: str
    identifier: str
    sent: datetime | None


@dataclass(frozen=True, slots=True)
class Resource:
    """A file beside the alert; never fetched. `size` in bytes, `digest` SHA-1 hex as given, `deref_uri` base64."""

    desc: str
    mime_type: str
    size: int | None = None
    uri: str = ""
    deref_uri: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """One area block. Pairs are (lat, lon) in WGS 84 degrees as read; circles (lat, lon, radius in km).

    Geocodes are a multi-map in the order given; altitude and ceiling are feet above mean sea level.
    """

    desc: str
    polygons: tuple[Ring, ...] = ()
    circles: tuple[tuple[float, float, float], ...] = ()
    geocodes: Pairs = ()
    altitude: float | None = None
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """One info block: what is said, in one language. Times are aware; code lists keep the order given."""

    language: str
    category: tuple[str, ...]
    event: str
    response_type: tuple[str, ...] = ()
    urgency: str = "Unknown"
    severity: str = "Unknown"
    certainty: str = "Unknown"
    audience: str = ""
    event_code: Pairs = ()
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameter: Pairs = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One CAP message.

    `raw` is the very element as received, `sha256` its hex digest, `position` its place among the file's alerts.
    """

    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    scope: str
    restriction: str = ""
    addresses: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    note: str = ""
    source: str = ""
    references: tuple[Reference, ...] = ()
    incidents: tuple[str, ...] = ()
    infos: tuple[Info, ...] = ()
    raw: bytes = b""
    sha256: str = ""
    signed: bool = False
    position: int = 0

    @property
    def key(self) -> tuple[str, str, datetime]:
        """(sender, identifier, sent as an instant): the same message, if all three agree."""
        return (self.sender, self.identifier, self.sent)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong or worth knowing: the rule's number, what was done about it, where, what stood there, why.

    `code` is the short name of the defect (several may belong to one rule); `position` counts the alerts of the
    file from 0, None for what concerns the file itself.
    """

    rule: int
    grade: Grade
    where: str
    value: str
    message: str
    code: str = ""
    position: int | None = None


_ORDER: tuple[Grade, ...] = ("info", "repair", "quarantine", "reject")
_VERDICTS: tuple[Verdict, ...] = ("accept", "repair", "quarantine", "reject")


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The gravest grade among the findings; `info` alone is acceptance."""
    worst = max((_ORDER.index(f.grade) for f in findings), default=0)
    return _VERDICTS[worst]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file holds. A rejected alert is not among `alerts`; its findings say why."""

    alerts: tuple[Alert, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict

    def findings_of(self, alert: Alert) -> tuple[Finding, ...]:
        """The findings on that alert, and on the file it came in."""
        return tuple(f for f in self.findings if f.position in (None, alert.position))

    def verdict_on(self, alert: Alert) -> Verdict:
        """The verdict on one alert of many: a bad neighbour changes nothing."""
        return verdict_of(self.findings_of(alert))


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """How much a file may ask of us: bytes, nesting, elements, alerts, blocks, characters, corners of areas.

    `crossings` bounds the pairs of edges that may meet (their boxes overlap) beyond eight an edge: it, and not
    the number of corners, decides what an area costs to compute.
    """

    bytes: int = 2 * 1024 * 1024
    depth: int = 32
    nodes: int = 60_000
    alerts: int = 1_000
    infos: int = 60
    areas: int = 2_000
    references: int = 500
    polygons: int = 1_000
    vertices_each: int = 60_000
    vertices: int = 150_000
    crossings: int = 60_000
    circles: int = 1_000
    circle_km: float = 3_000.0
    short_text: int = 600
    long_text: int = 40_000


FEED = ReadingLimits()
"""What we fetch ourselves from allowed sources: real alerts reach 1.7 MB and 34,000 corners a polygon."""

PUSH = ReadingLimits(
    bytes=256 * 1024, nodes=20_000, alerts=1, infos=30, areas=500,
    polygons=100, vertices_each=1_000, vertices=10_000, circles=100, circle_km=1_000.0,
)  # fmt: skip
"""What is pushed to us: the narrow limits against bombs in markup and polygons."""
