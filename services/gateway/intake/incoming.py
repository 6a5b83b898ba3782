"""Makes one thing of a warning that comes as CAP or JSON: identity, texts, area, meaning, references."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Literal

import pydantic
import shapely

from services.gateway.cap import (
    FEED,
    PUSH,
    Alert,
    Finding,
    KnownMessage,
    Reading,
    ReadingLimits,
    Reference,
    geometry,
    meaning,
    read,
)
from services.gateway.cap.colour import colour_of
from services.gateway.cap.geometry import circle_ring
from services.gateway.cap.meaning import LIFE_CUT, LONGEST_LIFE
from services.gateway.cap.model import verdict_of
from services.gateway.intake.blocks import apart, notes_on, texts_of, told
from services.gateway.store import StoredSense
from services.shared.bus.outbox import id_of
from services.shared.errors import Refused
from services.shared.hazards import RESPONSES, known
from services.shared.hazards.instructions import NAMES, against_asked, of_texts, told_in
from services.shared.i18n import english
from services.shared.input.polygon_limits import tangled_shape
from services.shared.text.invisible_signs import plain_signs
from services.shared.text.links import LinkHosts
from services.shared.tiers import Tier

PLANES = {"Actual": "live", "Exercise": "drill", "Test": "drill"}
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
GRAVE = ("reject", "quarantine")
OLDEST, NEWEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)  # beyond it is a typing error
MOST_CORNERS = 10_000  # of an area given as JSON


@dataclass(frozen=True)
class Incoming:
    """Times are seconds since 1970 UTC; `area` is GeoJSON in WGS 84 lon/lat, or empty.

    `quiet`: its level says there is nothing to warn of. `minor`: an update whose author says that it need not be told
    again. `respond` is what paths reckon with, `asked` what the alert itself asks and texts may say. `apart`: its places
    have words of their own. `hold`: why it is doubted who says it, or whether it is said now; another than brought it lets
    it out. `undecided`: what is left to decide, by whoever may send. `codes`: its hazard and event codes, which a grant may
    be bound to. `web` and `contacts` stand beside its texts. `fingerprint` and `incident` place it among other messages
    (`cap.chains`).
    """

    identifier: str
    sender: str
    sent: float
    status: str
    msg_type: str
    texts: dict[str, dict[str, str]]
    area: str
    geocodes: tuple[tuple[str, str], ...]
    tier: Tier | None
    tier_reason: str
    hazard: str
    respond: str
    expires: float
    impact: float | None
    references: tuple[Reference, ...]
    raw: bytes
    sha256: str
    via: str
    ending: bool = False
    quiet: bool = False
    notes: tuple[str, ...] = ()
    findings: tuple[dict[str, str], ...] = field(default=())
    minor: bool = False
    hold: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    colour: str = ""
    fingerprint: str = ""
    go_to: Mapping[str, str] = field(default_factory=dict)  # language > name of a place that was confirmed open
    incident: str = ""
    asked: str = ""
    apart: bool = False
    web: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    sketched: bool = False  # written on a page of ours, where it can be changed

    @cached_property
    def instruction(self) -> str:
        """The one thing its texts tell people to do; empty where they do not say one."""
        return of_texts(self.asked, {language: text["action"] for language, text in self.texts.items()})[0]

    @property
    def sense(self) -> StoredSense:
        """What is kept of its meaning, as JSON."""
        return {
            "hazard": self.hazard, "respond": self.respond, "asked": self.asked,
            "instruction": self.instruction, "apart": self.apart, "sketched": self.sketched,
            "tier_reason": self.tier_reason, "colour": self.colour, "impact": self.impact, "notes": list(self.notes),
            "findings": list(self.findings), "go_to": dict(self.go_to),
            "references": [(r.sender, r.identifier, r.sent.timestamp() if r.sent else None) for r in self.references],
        }  # fmt: skip

    @property
    def state_expires_at(self) -> float:
        """As a stored row calls it."""
        return self.expires

    @property
    def warning_id(self) -> str:
        """The same (sender, identifier, sent) is the same warning, for ever."""
        return warning_id_of(self.sender, self.identifier, self.sent)


def warning_id_of(sender: str, identifier: str, sent: float) -> str:
    """uuid5 over the CAP identity, sent as an instant."""
    return id_of("warning", sender, identifier, f"{sent:.0f}")


def from_cap(data: bytes, *, strict: bool, via: str = "cap") -> Incoming:
    """One alert from CAP bytes; Refused names rule, place and value of the gravest finding."""
    reading = read(data, strict=strict, limits=PUSH if strict else None)
    if len(reading.alerts) > 1:
        raise Refused(
            f"the file holds {len(reading.alerts)} alerts: send them one by one",
            field="body",
            rule="one alert",
            remedy="split it",
        )
    grave = [f for f in reading.findings if f.grade in GRAVE]
    if grave or not reading.alerts:
        raise _refused(grave)
    return from_alert(reading, reading.alerts[0], strict=strict, via=via)


def from_alert(reading: Reading, alert: Alert, *, strict: bool = False, via: str = "cap") -> Incoming:
    """One alert of a reading; Refused where its own findings, not its neighbours', are grave."""
    limits: ReadingLimits = PUSH if strict else FEED
    shape = geometry(replace(alert, infos=told(alert)), strict=strict, limits=limits)
    findings = tuple(dict.fromkeys((*reading.findings_of(alert), *shape.findings)))  # the reading has checked shapes
    if verdict_of(findings) in GRAVE:
        raise _refused([f for f in findings if f.grade in GRAVE])
    if not OLDEST <= alert.sent < NEWEST:
        raise Refused(
            f"sent: give a time between {OLDEST.year} and {NEWEST.year - 1}, with its offset", field="sent", rule="range",
            given=alert.sent.isoformat(), remedy="look at the clock of the program that wrote it",
        )  # fmt: skip
    sense = meaning(alert)
    notes = [f"rule {f.rule}: {f.message}" for f in findings if f.grade == "repair"]
    if sense.drill_hint and alert.status == "Actual":
        notes.append("the text speaks of a drill or test, but the status is Actual: look twice")
    if sense.expires_reason.endswith(LIFE_CUT):
        notes.append(f"its end: {sense.expires_reason}; send an update before it is over if it still holds then")
    notes += notes_on(alert)
    known = KnownMessage.of(alert, sense.expires)
    texts = texts_of(alert)
    why = apart(alert)
    _, against = of_texts("", {language: text["action"] for language, text in texts.items()})
    if against is not None and why is None:  # what came in is never stopped for it: somebody must see it at once
        notes.insert(
            0,
            english(
                "its languages contradict each other: {one} tells people to {order}, {other} to {opposite}: read both before "
                "you send it", one=against.languages[0], order=NAMES[against.orders[0]], other=against.languages[1],
                opposite=NAMES[against.orders[1]],
            ),
        )  # fmt: skip
    hold = [f"its scope is {alert.scope}: releasing it makes it public, and a person must want that"]
    hold = [] if alert.scope == "Public" else hold
    return Incoming(
        identifier=alert.identifier,
        sender=alert.sender,
        sent=alert.sent.timestamp(),
        status=alert.status,
        msg_type=alert.msg_type,
        texts=texts,
        area=shapely.to_geojson(shape.geom) if shape.geom is not None else "",
        geocodes=tuple(shape.geocodes),
        tier=sense.tier,
        tier_reason=sense.tier_reason,
        hazard=sense.hazard,
        respond=sense.respond,
        expires=sense.expires.timestamp(),
        impact=sense.impact.timestamp() if sense.impact else None,
        references=alert.references,
        raw=alert.raw,
        sha256=alert.sha256,
        via=via,
        ending=sense.ending,
        quiet=sense.nothing_to_warn,
        notes=tuple(notes),
        findings=tuple(finding_json(f) for f in findings),
        minor=sense.quiet,
        hold=tuple(hold),
        undecided=(why,) if why else (),
        codes=tuple(dict.fromkeys([sense.hazard, *(value for info in alert.infos for _, value in info.event_code)])),
        colour=colour_of(replace(alert, infos=told(alert))),
        fingerprint=known.fingerprint,
        incident=known.incident,
        asked="" if why else sense.asked,
        apart=why is not None,
        web=tuple(dict.fromkeys(info.web for info in told(alert) if info.web)),
        contacts=tuple(dict.fromkeys(info.contact for info in told(alert) if info.contact)),
    )


def without_links(incoming: Incoming, links: LinkHosts) -> Incoming:
    """Its texts without links to other hosts than those allowed, and a note that says which are gone."""
    texts = {
        language: {name: links.kept(words) for name, words in text.items()} for language, text in incoming.texts.items()
    }
    every = [*incoming.contacts, *(words for text in incoming.texts.values() for words in text.values())]
    strange = [link for words in every for link in links.strange(words)]
    gone = list(dict.fromkeys([*(link for link in incoming.web if not links.allow(link)), *strange]))
    if not gone:
        return incoming
    note = english(
        "links are taken out of what people get ({links}): only those to {hosts} are allowed (TOCSIN_LINK_HOSTS)",
        links=", ".join(link[:80] for link in gone[:5]) + (f", {len(gone) - 5} more" if len(gone) > 5 else ""),
        hosts=", ".join(links.names),
    )
    return replace(incoming, texts=texts, notes=(*incoming.notes, note))


def finding_json(finding: Finding) -> dict[str, str]:
    """A finding as JSON members."""
    return {
        "rule": str(finding.rule), "grade": finding.grade, "where": finding.where, "value": finding.value[:200],
        "message": finding.message,
    }  # fmt: skip


def _refused(findings: Sequence[Finding]) -> Refused:
    if not findings:
        return Refused("there is no CAP alert in this file: send one <alert> of CAP 1.1 or 1.2", field="body", rule="1")
    worst = sorted(findings, key=lambda f: f.grade != "reject")[0]
    more = f" ({len(findings) - 1} more)" if len(findings) > 1 else ""
    return Refused(
        f"CAP rule {worst.rule}: {worst.message}{more}",
        field=worst.where,
        rule=f"cap.{worst.rule}",
        given=worst.value,
        remedy="tocsin cap check FILE names every fault",
    )


def _plain_signs(value: object) -> object:
    return plain_signs(value) if isinstance(value, str) else value


Plain = Annotated[
    str, pydantic.BeforeValidator(_plain_signs)
]  # as the words of a CAP alert are: before they are measured


class TextIn(pydantic.BaseModel):
    """One language of a warning given as JSON."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    source: Plain = pydantic.Field(min_length=2, max_length=80, description="who says so, as people know them")
    hazard: Plain = pydantic.Field(min_length=2, max_length=160)
    place: Plain = pydantic.Field(min_length=2, max_length=300)
    action: Plain = pydantic.Field(min_length=2, max_length=1000, description="what to do, the most important first")


class CircleIn(pydantic.BaseModel):
    """A circle in WGS 84."""

    model_config = pydantic.ConfigDict(extra="forbid")

    lat: float = pydantic.Field(ge=-90, le=90)
    lon: float = pydantic.Field(ge=-180, le=180)
    radius_km: float = pydantic.Field(gt=0, le=1000)


PlaceName = Annotated[Plain, pydantic.Field(min_length=2, max_length=60)]


class GoToIn(pydantic.BaseModel):
    """Where people are to go; a place nobody has confirmed open is named to nobody."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: dict[str, PlaceName] = pydantic.Field(min_length=1, description="language, as in texts > name")
    open: bool

    @pydantic.model_validator(mode="after")
    def _open(self) -> GoToIn:
        if not self.open:
            raise ValueError(
                "open: nobody is sent to a place that is not confirmed open; have it opened and say true, or leave go_to "
                "out: people are told to go to high ground or away"
            )
        return self


class WarningIn(pydantic.BaseModel):
    """A warning given as JSON; CAP says more and is the better way in."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    identifier: str = pydantic.Field(pattern=r"^[^\s,<&]{1,200}$")
    sender: str = pydantic.Field(pattern=r"^[^\s,<&]{1,200}$")
    sent: pydantic.AwareDatetime
    expires: pydantic.AwareDatetime
    onset: pydantic.AwareDatetime | None = None
    status: Literal["Actual", "Exercise", "Test"] = "Actual"
    tier: Literal["blue", "yellow", "orange", "red"] | None = None
    hazard: str = "unknown"
    respond: str = "as_told"
    texts: dict[str, TextIn] = pydantic.Field(min_length=1, description="BCP 47 language > parts")
    area: dict[str, object] | None = pydantic.Field(None, description="GeoJSON Polygon or MultiPolygon, lon/lat")
    circle: CircleIn | None = None
    geocodes: list[tuple[str, str]] = pydantic.Field(default_factory=list, max_length=500)
    go_to: GoToIn | None = None
    updates: str = pydantic.Field("", description="id of the warning this one replaces")
    languages_read: bool = pydantic.Field(
        False, description="somebody has read every language and says that all tell people the same"
    )

    @pydantic.model_validator(mode="after")
    def _whole(self) -> WarningIn:
        if not OLDEST <= self.sent < NEWEST:
            raise ValueError(f"sent: give a time between {OLDEST.year} and {NEWEST.year - 1}, with its offset")
        if self.expires - self.sent > LONGEST_LIFE:
            raise ValueError(
                "expires lies more than 31 days after sent: give an end within 31 days, and an update if it holds longer"
            )
        if self.onset is not None and not OLDEST <= self.onset < NEWEST:
            raise ValueError(f"onset: give a time between {OLDEST.year} and {NEWEST.year - 1}, with its offset")
        if self.expires <= self.sent:
            raise ValueError("expires lies before sent: a warning that is over cannot be sent")
        if self.area is None and self.circle is None and not self.geocodes:
            raise ValueError("say where: give area, circle or geocodes")
        if self.hazard not in known():
            raise ValueError(f"hazard: use one of {', '.join(known())}")
        for tag in self.texts:
            if not _LANGUAGE.fullmatch(tag):
                raise ValueError(f"texts: {tag[:40]!r} is no language tag: use one like zh-CN")
        if self.go_to is not None and (missing := sorted(set(self.texts) - set(self.go_to.name))):
            raise ValueError(
                f"go_to.name: give the place's name in {', '.join(missing)} too: every text must say where"
            )
        if self.respond not in RESPONSES:
            raise ValueError(f"respond: use one of {', '.join(RESPONSES)}")
        return self


def from_json(given: WarningIn, raw: bytes, references: tuple[Reference, ...] = ()) -> Incoming:
    """A warning from its JSON form."""
    shapes = []
    if given.area is not None:
        shapes.append(polygon(given.area))
    if given.circle is not None:
        shapes.append(shapely.Polygon(circle_ring(given.circle.lat, given.circle.lon, given.circle.radius_km)))
    area = shapely.to_geojson(shapely.union_all(shapes)) if shapes else ""
    onset: datetime | None = given.onset
    sha256 = hashlib.sha256(raw).hexdigest()
    if not given.languages_read:
        _one_instruction(given)
    return Incoming(
        identifier=given.identifier,
        sender=given.sender,
        sent=given.sent.replace(microsecond=0).timestamp(),  # as CAP writes it: an id is made of whole seconds
        status=given.status,
        msg_type="Update" if given.updates else "Alert",
        texts={lang: {**t.model_dump(), "event": t.hazard, "description": ""} for lang, t in given.texts.items()},
        area=area,
        geocodes=tuple((str(a), str(b)) for a, b in given.geocodes),
        tier=Tier.of(given.tier) if given.tier else None,
        tier_reason="given" if given.tier else "held: no tier given",
        hazard=given.hazard,
        respond=given.respond,
        asked="" if given.respond == "as_told" else given.respond,
        expires=given.expires.timestamp(),
        impact=onset.timestamp() if onset is not None and onset > given.sent else None,
        references=references,
        raw=raw,
        sha256=sha256,
        via="json",
        codes=(given.hazard,),
        go_to=given.go_to.name if given.go_to else {},
        fingerprint=sha256,
    )


def _one_instruction(given: WarningIn) -> None:
    """Refused where its languages, or its response and its words, tell people what cannot both be done."""
    asked = "" if given.respond == "as_told" else given.respond
    _, against = of_texts("", {language: text.action for language, text in given.texts.items()})
    if against is not None:
        one, other = against.languages
        raise Refused(
            f"the languages contradict each other: {one} tells people to {NAMES[against.orders[0]]}, {other} to "
            f"{NAMES[against.orders[1]]}: make them say the same, or give languages_read: true where you have read both",
            field=f"texts.{other}.action", rule="one instruction", given=given.texts[other].action[:200],
        )  # fmt: skip
    for language, text in given.texts.items():
        if order := against_asked(asked, told_in(text.action, language)):
            raise Refused(
                f"respond is {given.respond}, and {language} tells people to {NAMES[order]}: make them say the same, or give "
                "languages_read: true where you have read both",
                field="respond", rule="one instruction", given=given.respond,
            )  # fmt: skip


def polygon(area: dict[str, object]) -> shapely.Geometry:
    """A valid polygon; Refused says what is wrong with it."""
    if area.get("type") not in ("Polygon", "MultiPolygon"):
        raise Refused("area: give a GeoJSON Polygon or MultiPolygon", field="area.type", given=area.get("type"))
    text = json.dumps(area)
    if text.count("[") > 2 * MOST_CORNERS + 100:  # one a corner and a few more: counted before anything is made of them
        raise _too_many_corners()
    try:
        shape = shapely.from_geojson(text)
    except shapely.errors.GEOSException as wrong:
        raise Refused(f"area: {wrong}", field="area", rule="geojson", remedy="close each ring") from wrong
    if shapely.get_num_coordinates(shape) > MOST_CORNERS:
        raise _too_many_corners()
    if tangled_shape(shape):
        raise Refused(
            "area: its lines cross each other too often to be computed", field="area", rule="simple polygon",
            remedy="draw it without crossings",
        )  # fmt: skip
    if not shape.is_valid:
        raise Refused(
            f"area: {shapely.is_valid_reason(shape)}",
            field="area",
            rule="simple polygon",
            remedy="draw it without crossings",
        )
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise Refused("area: a corner lies outside the globe: give lon, lat in degrees", field="area", rule="WGS 84")
    return shape


def _too_many_corners() -> Refused:
    return Refused(f"area: more than {MOST_CORNERS:,} corners: simplify it", field="area", rule="limit")
