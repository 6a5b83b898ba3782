"""Reads what channels to an area need from a CAP document we published: codes, texts, area, tier. Pure.

The document is our own, strict, by the gateway's writer; anything else is Broken. Coordinates are degrees, lengths metres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import shapely
from lxml import etree

from services.shared.errors import Broken

_NS = "{urn:oasis:names:tc:emergency:cap:1.2}"
_DEGREE_M = 111_195.0  # of latitude, on the sphere CAP's circles are meant on
Ring = tuple[tuple[float, float], ...]  # (lat, lon)


@dataclass(frozen=True)
class DocumentArea:
    """Of all info blocks together."""

    polygons: tuple[Ring, ...] = ()
    circles: tuple[tuple[float, float, float], ...] = ()  # lat, lon, radius in metres
    geocodes: frozenset[str] = frozenset()

    @property
    def has_shape(self) -> bool:
        return bool(self.polygons or self.circles)

    def within(self, lat: float, lon: float, reach_m: float) -> bool:
        """Whether the area comes within `reach_m` of the point: on a flat map around it, true to a percent within 100 km."""
        narrow = max(math.cos(math.radians(lat)), 1e-6)
        for circle_lat, circle_lon, radius in self.circles:
            if math.hypot(_from(lon, circle_lon) * narrow, circle_lat - lat) * _DEGREE_M <= radius + reach_m:
                return True
        return any(self._near(shape, lat, lon, reach_m / _DEGREE_M, narrow) for shape in self._shapes)

    @cached_property
    def _shapes(self) -> tuple[shapely.Geometry, ...]:
        """Valid, quick to ask, in (lon, lat) that runs on over the antimeridian."""
        found = tuple(
            shapely.make_valid(shapely.Polygon([(ring[0][1] + _from(ring[0][1], lon), lat) for lat, lon in ring]))
            for ring in self.polygons
        )
        for shape in found:
            shapely.prepare(shape)
        return found

    @staticmethod
    def _near(shape: shapely.Geometry, lat: float, lon: float, reach: float, narrow: float) -> bool:
        """`reach` in degrees of latitude; a degree of longitude is `narrow` times as long."""
        west, south, east, north = shapely.bounds(shape)
        middle = (west + east) / 2
        here = middle + _from(middle, lon)
        if shapely.covers(shape, shapely.Point(here, lat)):
            return True
        aside = max(west - here, here - east, 0.0) * narrow
        if aside > reach or max(south - lat, lat - north) > reach:
            return False  # most of those outside, without looking at every corner
        flat = shapely.transform(shape, lambda corners: (corners - (here, lat)) * (narrow, 1.0))
        return bool(shapely.distance(flat, shapely.Point(0.0, 0.0)) <= reach)


def _from(lon: float, to_lon: float) -> float:
    """Degrees to the east, the short way round."""
    return (to_lon - lon + 180.0) % 360.0 - 180.0


@dataclass(frozen=True)
class DocumentInfo:
    """One block."""

    language: str
    urgency: str
    severity: str
    certainty: str
    event: str = ""
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    contact: str = ""
    places: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CapDocument:
    """One alert as it was published."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    infos: tuple[DocumentInfo, ...]
    area: DocumentArea

    @property
    def drill(self) -> bool:
        """Exercise or Test."""
        return self.status in ("Exercise", "Test")

    @property
    def tier(self) -> str:
        """Our tier's word; empty where no block says it."""
        return next((t for info in self.infos if (t := info.parameters.get("tocsin:tier", ""))), "")


def read_document(data: bytes) -> CapDocument:
    """Broken where it is no document of ours: whoever has written it is at fault, not the channel."""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        root = etree.fromstring(data, parser)
        if root.tag != f"{_NS}alert":
            raise Broken(f"the area's document is no CAP 1.2 alert but <{root.tag!r}>")
        return CapDocument(
            identifier=_text(root, "identifier"),
            sender=_text(root, "sender"),
            sent=datetime.fromisoformat(_text(root, "sent")),
            status=_text(root, "status"),
            msg_type=_text(root, "msgType"),
            infos=tuple(_info(block) for block in root.iterfind(f"{_NS}info")),
            area=_area(root),
        )
    except (etree.XMLSyntaxError, ValueError) as problem:
        raise Broken(f"the area's CAP document cannot be read: {problem}") from problem


def _text(parent: etree._Element, tag: str) -> str:
    return (parent.findtext(f"{_NS}{tag}") or "").strip()


def _info(block: etree._Element) -> DocumentInfo:
    return DocumentInfo(
        language=_text(block, "language") or "en-US",
        urgency=_text(block, "urgency"),
        severity=_text(block, "severity"),
        certainty=_text(block, "certainty"),
        event=_text(block, "event"),
        sender_name=_text(block, "senderName"),
        headline=_text(block, "headline"),
        description=_text(block, "description"),
        instruction=_text(block, "instruction"),
        contact=_text(block, "contact"),
        places=tuple(filter(None, (_text(area, "areaDesc") for area in block.iterfind(f"{_NS}area")))),
        responses=tuple((r.text or "").strip() for r in block.iterfind(f"{_NS}responseType")),
        parameters={_text(p, "valueName"): _text(p, "value") for p in block.iterfind(f"{_NS}parameter")},
    )


def _area(root: etree._Element) -> DocumentArea:
    areas = list(root.iterfind(f"{_NS}info/{_NS}area"))
    return DocumentArea(
        polygons=tuple(dict.fromkeys(ring for a in areas for ring in _rings(a))),
        circles=tuple(dict.fromkeys(circle for a in areas for circle in _circles(a))),
        geocodes=frozenset(_text(code, "value") for a in areas for code in a.iterfind(f"{_NS}geocode")),
    )


def _rings(area: etree._Element) -> Iterator[Ring]:
    for polygon in area.iterfind(f"{_NS}polygon"):
        yield tuple(_pair(corner) for corner in (polygon.text or "").split())


def _circles(area: etree._Element) -> Iterator[tuple[float, float, float]]:
    for circle in area.iterfind(f"{_NS}circle"):
        centre, _, radius_km = (circle.text or "").strip().partition(" ")
        yield (*_pair(centre), float(radius_km) * 1000.0)


def _pair(text: str) -> tuple[float, float]:
    lat, _, lon = text.partition(",")
    return float(lat), float(lon)
