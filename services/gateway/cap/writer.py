"""Writes CAP 1.2, strict: the schema's order, its times, closed polygons, plain text, nothing embedded.

What it writes it has read back by the strict rules before it hands it out.
"""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from services.gateway.cap.geometry import ring_as_meant
from services.gateway.cap.model import CAP_1_2, FEED, Alert, Area, Info, Pairs, Reference, Resource
from services.gateway.cap.reader import read
from services.gateway.cap.text import clean, write_time
from services.shared.errors import Refused

_OURS_TO_DECIDE = {
    "area_missing",
    "area_text_only",
    "area_geocode_only",
    "expires_missing",
    "expires_before_sent",
    "expires_at_sent",
    "addresses_missing",
    "restriction_missing",
    "restriction_on_other",
    "info_missing",
    "draft",
    "text_too_long",
    "circle_huge",
    "polygon_polar",
    "polygon_tangled",
    "too_many_corners",
    "out_of_range",
}
"""Refused when pushed to us, but good CAP all the same: whether to pass such an alert on is decided elsewhere."""


def write(alert: Alert, *, embedded: bool = False) -> bytes:
    """The alert as UTF-8 XML, valid by the official schema; one info block for each of `alert.infos`, in order.

    Files embedded as base64 are stripped unless `embedded`. Polygons are closed and turned the right way round;
    one without extent is left out. An Update that names nothing is written as the Alert it is taken for. Raises
    Refused where what is left would break a rule of the standard.
    """
    root = etree.Element(_q("alert"), nsmap={None: CAP_1_2})
    for tag, text in (
        ("identifier", alert.identifier),
        ("sender", alert.sender),
        ("sent", write_time(alert.sent)),
        ("status", alert.status),
        ("msgType", _msg_type(alert)),
    ):
        _add(root, tag, text)
    _optional(root, "source", alert.source)
    _add(root, "scope", alert.scope)
    _optional(root, "restriction", alert.restriction)
    _optional(root, "addresses", _quoted(alert.addresses))
    for code in alert.code:
        _add(root, "code", code)
    _optional(root, "note", alert.note)
    _optional(root, "references", _references(alert))
    _optional(root, "incidents", _quoted(alert.incidents))
    for info in alert.infos:
        _info(root, info, embedded)
    # No white space between elements: some receivers drop it before they verify a signature.
    data: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    _check(data)
    return data


def _msg_type(alert: Alert) -> str:
    return "Alert" if alert.msg_type == "Update" and not alert.references else alert.msg_type


def _check(data: bytes) -> None:
    reading = read(data, strict=True, limits=FEED)
    for finding in reading.findings:
        if finding.grade == "reject" and finding.code not in _OURS_TO_DECIDE:
            raise Refused(
                f"This alert cannot be written as CAP: {finding.where}: {finding.message}",
                field=finding.where,
                rule=f"cap.{finding.rule}.{finding.code}",
                given=finding.value,
                remedy=finding.message,
            )


def _q(tag: str) -> str:
    return f"{{{CAP_1_2}}}{tag}"


def _add(parent: etree._Element, tag: str, text: str) -> None:
    etree.SubElement(parent, _q(tag)).text = clean(text)


def _optional(parent: etree._Element, tag: str, text: str) -> None:
    if text:
        _add(parent, tag, text)


def _quoted(items: Iterable[str]) -> str:
    return " ".join(f'"{item}"' if " " in item else item for item in (i.replace('"', "'") for i in items))


def _references(alert: Alert) -> str:
    """Triples; one known by its identifier alone is completed with our best knowledge, as the schema asks."""
    return " ".join(_triple(ref, alert) for ref in alert.references)


def _triple(ref: Reference, alert: Alert) -> str:
    return f"{ref.sender or alert.sender},{ref.identifier},{write_time(ref.sent or alert.sent)}"


def _info(root: etree._Element, info: Info, embedded: bool) -> None:
    block = etree.SubElement(root, _q("info"))
    _add(block, "language", info.language)
    for category in info.category:
        _add(block, "category", category)
    _add(block, "event", info.event)
    for response in info.response_type:
        _add(block, "responseType", response)
    for tag, text in (("urgency", info.urgency), ("severity", info.severity), ("certainty", info.certainty)):
        _add(block, tag, text)
    _optional(block, "audience", info.audience)
    _pairs(block, "eventCode", info.event_code)
    for tag, moment in (("effective", info.effective), ("onset", info.onset), ("expires", info.expires)):
        if moment is not None:
            _add(block, tag, write_time(moment))
    for tag, text in (
        ("senderName", info.sender_name),
        ("headline", info.headline),
        ("description", info.description),
        ("instruction", info.instruction),
        ("web", info.web),
        ("contact", info.contact),
    ):
        _optional(block, tag, text)
    _pairs(block, "parameter", info.parameter)
    for resource in info.resources:
        _resource(block, resource, embedded)
    for area in info.areas:
        _area(block, area)


def _pairs(parent: etree._Element, tag: str, pairs: Pairs) -> None:
    for name, value in pairs:
        block = etree.SubElement(parent, _q(tag))
        _add(block, "valueName", name)
        _add(block, "value", value)


def _resource(parent: etree._Element, resource: Resource, embedded: bool) -> None:
    block = etree.SubElement(parent, _q("resource"))
    _add(block, "resourceDesc", resource.desc)
    _add(block, "mimeType", resource.mime_type)
    if resource.size is not None:
        _add(block, "size", str(resource.size))
    # A relative address is one only beside the embedded file.
    if embedded or not resource.deref_uri or "://" in resource.uri:
        _optional(block, "uri", resource.uri)
    if embedded:
        _optional(block, "derefUri", resource.deref_uri)
    _optional(block, "digest", resource.digest)


def _area(parent: etree._Element, area: Area) -> None:
    block = etree.SubElement(parent, _q("area"))
    _add(block, "areaDesc", area.desc)
    for ring in area.polygons:
        if meant := ring_as_meant(ring):
            _add(block, "polygon", " ".join(f"{number(lat)},{number(lon)}" for lat, lon in meant))
    for lat, lon, radius in area.circles:
        _add(block, "circle", f"{number(lat)},{number(lon)} {number(radius)}")
    _pairs(block, "geocode", area.geocodes)
    for tag, height in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        if height is not None:
            _add(block, tag, number(height))


def number(value: float) -> str:
    """A number without exponent; read back it is the same, to a ten-thousandth of a millionth of a degree."""
    text = repr(float(value))
    if "e" in text:
        text = f"{value:.15f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
