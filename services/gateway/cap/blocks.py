"""Reads info, resource and area blocks into their records, repairing code words, coordinates and missing parts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import timedelta

from lxml import etree

from services.gateway.cap import model
from services.gateway.cap.coordinates import read_circle, read_polygon
from services.gateway.cap.fields import Fields
from services.gateway.cap.model import Area, Info, ReadingLimits, Resource
from services.gateway.cap.rules import Notes
from services.gateway.cap.text import read_language

_INFO_ORDER = (
    "language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience", "eventCode",
    "effective", "onset", "expires", "senderName", "headline", "description", "instruction", "web", "contact",
    "parameter", "resource", "area",
)  # fmt: skip
_INFO_MANY = {"category", "responseType", "eventCode", "parameter", "resource", "area"}
_AREA_ORDER = ("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling")
_AREA_MANY = {"polygon", "circle", "geocode"}
_RESOURCE_ORDER = ("resourceDesc", "mimeType", "size", "uri", "derefUri", "digest")
_WEB = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"]+", re.IGNORECASE)
_BARE_WEB = re.compile(r"(?:www\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[^\s<>\"]*)?", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d{1,7}(?:\.\d{1,20})?", re.ASCII)


def read_info(
    element: etree._Element, where: str, limits: ReadingLimits, notes: Notes, assume: timedelta | None
) -> Info:
    """One info block; what it leaves out is Unknown, Other or absent, and said."""
    fields = Fields(element, where, _INFO_ORDER, _INFO_MANY, limits, notes)
    language = fields.text("language")
    event, headline = (fields.prose(tag, limits.short_text).replace("\n", " ") for tag in ("event", "headline"))
    if not event:
        notes.add("event_from_headline" if headline else "event_missing", fields.at("event"))
        event = headline
    return Info(
        language=read_language(language, fields.at("language"), notes) if language else model.DEFAULT_LANGUAGE,
        category=_categories(fields, notes),
        event=event,
        response_type=_responses(fields, notes),
        urgency=_level("urgency", model.URGENCIES, fields, notes),
        severity=_level("severity", model.SEVERITIES, fields, notes),
        certainty=_level("certainty", model.CERTAINTIES, fields, notes),
        audience=fields.prose("audience"),
        event_code=fields.pairs("eventCode"),
        effective=fields.time("effective", assume),
        onset=fields.time("onset", assume),
        expires=fields.time("expires", assume),
        sender_name=fields.prose("senderName").replace("\n", " "),
        headline=headline,
        description=fields.prose("description"),
        instruction=fields.prose("instruction"),
        web=_address(fields, "web", notes),
        contact=fields.prose("contact"),
        parameter=fields.pairs("parameter"),
        resources=tuple(
            _read_resource(child, f"{where}/resource[{n}]", limits, notes)
            for n, child in enumerate(fields.elements("resource"), 1)
        ),
        areas=tuple(
            _read_area(child, f"{where}/area[{n}]", limits, notes) for n, child in enumerate(fields.elements("area"), 1)
        ),
    )


def _categories(fields: Fields, notes: Notes) -> tuple[str, ...]:
    out = [
        fields.one_of(text, model.CATEGORIES, "category", rule=20, unknown="category_unknown") or "Other"
        for text in fields.texts("category")
        if text
    ]
    if not out:
        notes.add("category_missing", fields.at("category"))
    return tuple(dict.fromkeys(out)) or ("Other",)


def _responses(fields: Fields, notes: Notes) -> tuple[str, ...]:
    out: list[str] = []
    for text in filter(None, fields.texts("responseType")):
        word = fields.one_of(text, model.RESPONSE_TYPES, "responseType", rule=21, unknown="response_unknown")
        if word == "Assess":
            notes.add("response_assess", fields.at("responseType"))
        out += [word] if word else []
    return tuple(dict.fromkeys(out))


def _level(tag: str, words: tuple[str, ...], fields: Fields, notes: Notes) -> str:
    """Urgency, severity or certainty; of several the first that is known. Unknown where missing or made up."""
    texts = [text for text in fields.texts(tag) if text]
    if not texts:
        notes.add("code_missing", fields.at(tag))
        return "Unknown"
    if len(texts) > 1:
        notes.add("repeated_element", fields.at(tag), " | ".join(texts))
    if tag == "certainty" and "".join(texts[0].split()).casefold() == "verylikely":
        notes.add("likely_old_word", fields.at(tag), texts[0])
        return "Likely"
    return fields.one_of(texts[0], words, tag, rule=22, unknown="code_unknown") or "Unknown"


def _address(fields: Fields, tag: str, notes: Notes) -> str:
    """An absolute address; one that only lacks its scheme is completed, any other left out."""
    text = fields.text(tag).replace(" ", "%20")
    if not text or _WEB.fullmatch(text):
        return text
    notes.add("web_not_absolute", fields.at(tag), text)
    return "https://" + text if _BARE_WEB.fullmatch(text) else ""


def _read_resource(element: etree._Element, where: str, limits: ReadingLimits, notes: Notes) -> Resource:
    fields = Fields(element, where, _RESOURCE_ORDER, set(), limits, notes)
    desc, mime, size = fields.text("resourceDesc"), fields.text("mimeType"), fields.text("size")
    if not desc or not mime:
        notes.add("resource_incomplete", where, desc or mime)
    if size and not (size.isascii() and size.isdigit() and len(size) <= 15):
        notes.add("resource_size", fields.at("size"), size)
        size = ""
    embedded = "".join(fields.raw(child) for child in fields.elements("derefUri"))
    embedded = "".join(embedded.split())
    digest = fields.text("digest")
    if embedded:
        notes.add("deref_uri", fields.at("derefUri"), f"{len(embedded)} characters of base64")
        _check_digest(embedded, digest, fields.at("digest"), notes)
        uri = fields.text("uri")
    else:
        uri = _address(fields, "uri", notes)
    return Resource(
        desc=desc or "file",
        mime_type=mime or "application/octet-stream",
        size=int(size) if size else None,
        uri=uri,
        deref_uri=embedded,
        digest=digest,
    )


def _check_digest(embedded: str, digest: str, where: str, notes: Notes) -> None:
    if not digest:
        return
    try:
        content = base64.b64decode(embedded, validate=True)
    except (binascii.Error, ValueError):
        notes.add("resource_digest", where, "not base64")
        return
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != digest.lower():
        notes.add("resource_digest", where, digest)


def _read_area(element: etree._Element, where: str, limits: ReadingLimits, notes: Notes) -> Area:
    fields = Fields(element, where, _AREA_ORDER, _AREA_MANY, limits, notes)
    polygons, circles = [], []
    for n, child in enumerate(fields.elements("polygon"), 1):
        ring = read_polygon(fields.raw(child), f"{where}/polygon[{n}]", limits, notes)
        if ring:
            polygons.append(ring)
    for n, child in enumerate(fields.elements("circle"), 1):
        circle = read_circle(fields.raw(child), f"{where}/circle[{n}]", notes)
        if circle:
            circles.append(circle)
    geocodes = fields.pairs("geocode")
    altitude, ceiling = _heights(fields, notes)
    desc = fields.prose("areaDesc").replace("\n", " ")
    if not desc:
        notes.add("area_desc_missing", fields.at("areaDesc"))
        desc = ", ".join(f"{name} {value}" for name, value in geocodes[:20]) or "unnamed area"
    return Area(
        desc=desc,
        polygons=tuple(polygons),
        circles=tuple(circles),
        geocodes=geocodes,
        altitude=altitude,
        ceiling=ceiling,
    )


def _heights(fields: Fields, notes: Notes) -> tuple[float | None, float | None]:
    """Altitude and ceiling in feet."""
    heights: list[float | None] = []
    for tag in ("altitude", "ceiling"):
        text = fields.text(tag)
        fits = _NUMBER.fullmatch(text)
        if text and not fits:
            notes.add("altitude_unreadable", fields.at(tag), text)
        heights.append(float(text) if fits else None)
    altitude, ceiling = heights
    if ceiling is not None and altitude is None:
        notes.add("ceiling_alone", fields.at("ceiling"), ceiling)
        return None, None
    if ceiling is not None and altitude is not None and ceiling < altitude:
        notes.add("ceiling_below", fields.at("ceiling"), f"{ceiling:g} below {altitude:g}")
        return ceiling, altitude
    return altitude, ceiling
