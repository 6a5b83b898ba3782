"""Holds the rules that need the whole alert: who may see it, its references, its end, whether it says anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from services.gateway.cap.model import Alert, Info
from services.gateway.cap.rules import Notes

HEADLINE_TARGET = 160
FAR = timedelta(days=7)


def check_alert(alert: Alert, where: str, notes: Notes) -> Alert:
    """The alert as it may be used: what it says wrongly or of itself is taken out, the rest noted."""
    _check_status(alert, where, notes)
    _check_audience(alert, where, notes)
    alert = _check_references(alert, where, notes)
    if alert.msg_type in ("Alert", "Update") and not alert.infos:
        notes.add("info_missing", where)
    languages = Counter(info.language.casefold() for info in alert.infos)
    for language, times in languages.items():
        if times > 1:
            notes.add("same_language", f"{where}/info", f"{times} in {language}")
    for n, info in enumerate(alert.infos, 1):
        _check_info(alert, info, f"{where}/info[{n}]", notes)
    return alert


def _check_status(alert: Alert, where: str, notes: Notes) -> None:
    if alert.status == "Draft":
        notes.add("draft", f"{where}/status")
    elif alert.status != "Actual":
        notes.add("not_actual", f"{where}/status", alert.status)
    if alert.status == "Exercise" and not alert.note:
        notes.add("exercise_without_note", f"{where}/note")
    if alert.msg_type == "Error" and not alert.note:
        notes.add("error_without_note", f"{where}/note")


def _check_audience(alert: Alert, where: str, notes: Notes) -> None:
    if alert.scope == "Restricted" and not alert.restriction:
        notes.add("restriction_missing", f"{where}/restriction")
    if alert.scope != "Restricted" and alert.restriction:
        notes.add("restriction_on_other", f"{where}/restriction", alert.restriction)
    if alert.scope == "Private" and not alert.addresses:
        notes.add("addresses_missing", f"{where}/addresses")


def _check_references(alert: Alert, where: str, notes: Notes) -> Alert:
    """Self-references go, times later than the message's own are forgotten."""
    where = f"{where}/references"
    kept = []
    for ref in alert.references:
        itself = ref.sender in ("", alert.sender) and ref.identifier == alert.identifier
        if itself and ref.sent is not None and abs(ref.sent - alert.sent) < timedelta(seconds=60):
            notes.add("reference_self", where, ref.identifier)
        elif ref.sent is not None and ref.sent > alert.sent:
            notes.add("reference_later", where, f"{ref.identifier} {ref.sent.isoformat()}")
            kept.append(replace(ref, sent=None))
        else:
            kept.append(ref)
    if alert.msg_type == "Alert" and kept:
        notes.add("references_on_alert", where, len(kept))
    if alert.msg_type != "Alert" and not kept and not notes.has("reference_self"):
        parked = alert.msg_type == "Cancel"
        notes.add("cancel_without_references" if parked else "references_missing", where)
    return replace(alert, references=tuple(kept))


def _check_info(alert: Alert, info: Info, where: str, notes: Notes) -> None:
    ending = alert.msg_type in ("Cancel", "Ack", "Error")
    if not ending:
        if not info.areas:
            notes.add("area_missing", f"{where}/area")
        if info.expires is None:
            notes.add("expires_missing", f"{where}/expires")
    if info.expires is not None:
        over = info.expires - alert.sent
        if over == timedelta(0) and not ending:
            notes.add("expires_at_sent", f"{where}/expires", info.expires.isoformat())
        elif over < timedelta(0) and not ending:
            notes.add("expires_before_sent", f"{where}/expires", info.expires.isoformat())
        elif over > FAR:
            notes.add("expires_far", f"{where}/expires", info.expires.isoformat())
        if info.onset is not None and info.onset > info.expires:
            notes.add("onset_after_expires", f"{where}/onset", info.onset.isoformat())
    if len(info.headline) > HEADLINE_TARGET:
        notes.add("headline_long", f"{where}/headline", info.headline)
