"""Reads CAP: from bytes to alerts, findings and one verdict; says what is wrong, repairs what can be understood."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

from services.gateway.cap import model
from services.gateway.cap.blocks import read_info
from services.gateway.cap.checks import check_alert
from services.gateway.cap.envelope import (
    DSIG,
    AlertElement,
    find_alerts,
    namespace,
    note_namespace,
)
from services.gateway.cap.fields import Fields
from services.gateway.cap.geometry import check_geometry
from services.gateway.cap.model import (
    FEED,
    PUSH,
    Alert,
    Reading,
    ReadingLimits,
    Reference,
    verdict_of,
)
from services.gateway.cap.rules import Notes
from services.gateway.cap.sources import offset_of
from services.gateway.cap.text import one_line, read_time

_ORDER = (
    "identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses", "code", "note",
    "references", "incidents", "info", "Signature",
)  # fmt: skip
_MANY = {"code", "info", "Signature"}
_FORBIDDEN = re.compile(r"[\s,<&]+")
_TRIPLE = re.compile(r"([^\s,]+)\s*,\s*(.+?)\s*,\s*(\S+)", re.DOTALL)
_NAME_LENGTH = 300


def read(
    data: bytes, *, strict: bool = False, limits: ReadingLimits | None = None, assume: timedelta | None = None
) -> Reading:
    """Read one file of one or many alerts.

    Tolerant (files, feeds) unless `strict` (pushed to us); limits are `FEED`'s or, when strict, `PUSH`'s unless
    given. `assume` is the offset of a source that writes times without one. Whatever the bytes are, the answer is a
    Reading; a rejected alert is missing from its `alerts` and named in its `findings`.
    """
    limits = limits or (PUSH if strict else FEED)
    notes = Notes(strict=strict)
    alerts: list[Alert] = []
    for position, found in enumerate(find_alerts(data, limits, notes)):
        notes.position = position
        alert = _read_alert(found, limits, notes, assume)
        if alert is not None:
            check_geometry(alert, limits, notes)
            if verdict_of(f for f in notes.found if f.position in (None, position)) != "reject":
                alerts.append(alert)
    return Reading(alerts=tuple(alerts), findings=tuple(notes.found), verdict=verdict_of(notes.found))


def _read_alert(found: AlertElement, limits: ReadingLimits, notes: Notes, assume: timedelta | None) -> Alert | None:
    where = found.where
    note_namespace(found.element, where, notes)
    home = f"{{{namespace(found.element)}}}" if namespace(found.element) else ""
    infos, areas = (sum(1 for _ in found.element.iter(home + tag)) for tag in ("info", "area"))
    if sum(1 for _ in found.element.iter("{*}alert")) > 1:
        notes.add("nested_alert", where)
    if infos > limits.infos or areas > limits.areas:
        notes.add("too_many_blocks", where, f"{infos} info, {areas} area", grade="reject")
        return None
    fields = Fields(found.element, where, _ORDER, _MANY, limits, notes)
    identifier, sender = (_name(fields, tag, notes) for tag in ("identifier", "sender"))
    if assume is None:
        assume = offset_of(sender)
    sent = _sent(fields, notes, assume)
    status = fields.code("status", model.STATUSES, rule=7, unknown="status_unknown")
    msg_type = fields.code("msgType", model.MSG_TYPES, rule=9, unknown="msg_type_unknown")
    scope = fields.code("scope", model.SCOPES, rule=14, unknown="scope_unknown")
    if not (identifier and sender and sent and status and msg_type and scope):
        return None
    signatures = sum(1 for child in found.element.iter(f"{{{DSIG}}}Signature"))
    if signatures:
        notes.add("signed" if signatures == 1 else "signed_twice", where, signatures)
    alert = Alert(
        identifier=identifier,
        sender=sender,
        sent=sent,
        status=status,
        msg_type=msg_type,
        scope=scope,
        restriction=fields.text("restriction"),
        addresses=_quoted(fields.text("addresses")),
        code=tuple(code for code in fields.texts("code") if code),
        note=fields.prose("note"),
        source=fields.text("source"),
        references=_references(fields.text("references", most=limits.long_text), fields, limits, notes, sender),
        incidents=_quoted(fields.text("incidents")),
        infos=tuple(
            read_info(child, f"{where}/info[{n}]", limits, notes, assume)
            for n, child in enumerate(fields.elements("info"), 1)
        ),
        raw=found.raw,
        sha256=hashlib.sha256(found.raw).hexdigest(),
        signed=signatures > 0,
        position=notes.position or 0,
    )
    return check_alert(alert, where, notes)


def _name(fields: Fields, tag: str, notes: Notes) -> str:
    """An identifier or sender; what may not stand in it becomes `_`, the same in the references that name it."""
    text = fields.required(tag)
    if len(text) > _NAME_LENGTH:
        notes.add("text_too_long", fields.at(tag), text, grade="reject")
        return ""
    if _FORBIDDEN.search(text):
        notes.add("identifier_characters", fields.at(tag), text)
    return _FORBIDDEN.sub("_", text)


def _sent(fields: Fields, notes: Notes, assume: timedelta | None) -> datetime | None:
    text = fields.required("sent")
    if not text:
        return None
    sent = read_time(text, fields.at("sent"), notes, assume)
    if sent is None:
        notes.add("sent_unreadable", fields.at("sent"), text)
    return sent


def _references(text: str, fields: Fields, limits: ReadingLimits, notes: Notes, sender: str) -> tuple[Reference, ...]:
    """The triples; times as instants. What is no triple is kept as an identifier, found by that alone."""
    where = fields.at("references")
    out: list[Reference] = []
    words = text.split()
    if len(words) > limits.references:
        notes.add(
            "too_many_blocks", where, f"{len(words)} references", grade="quarantine" if not notes.strict else None
        )
        words = words[: limits.references]
    for word in _joined(words):
        triple = _TRIPLE.fullmatch(word)
        if triple is None:
            notes.add("reference_unreadable", where, word)
            parts = [part for part in word.split(",") if part]
            if parts:
                out.append(Reference(parts[0] if len(parts) > 1 else "", parts[min(1, len(parts) - 1)], None))
            continue
        quiet = Notes(strict=False)
        sent = read_time(triple[3], where, quiet, offset_of(sender))
        if sent is None or quiet.has("time_no_offset"):
            notes.add("reference_unreadable", where, word)
            sent = None
        out.append(Reference(triple[1], _FORBIDDEN.sub("_", triple[2]), sent))
    return tuple(dict.fromkeys(out))


def _joined(words: list[str]) -> list[str]:
    """Words put together again where an identifier holds spaces: a triple has two commas."""
    out: list[str] = []
    for word in words:
        if out and out[-1].count(",") == 1 and word.count(",") <= 1:
            out[-1] += " " + word
        else:
            out.append(word)
    return out


_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


def _quoted(text: str) -> tuple[str, ...]:
    """Items by white space; one with spaces stands in double quotes."""
    items = (one_line(quoted or word) for quoted, word in _QUOTED.findall(text))
    return tuple(item for item in items if item)
