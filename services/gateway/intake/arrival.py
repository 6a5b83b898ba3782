"""Decides on arrival whether a message may come in, whether a person must look first, and its first state.

Pure decisions; `warnings` writes them down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import shapely

from services.gateway.cap import freshness
from services.gateway.intake.chains import ChainRow, Standing
from services.gateway.intake.incoming import PLANES, Incoming
from services.shared.errors import NotAllowed, Refused
from services.shared.web.auth import Who


@dataclass(frozen=True)
class First:
    """The first state of a message, its kind of ending (empty for none), and what was noted on the way."""

    state: str
    ending: str = ""
    notes: tuple[str, ...] = ()


def check_plane(incoming: Incoming, plane: str) -> None:
    """Refused where the message's status belongs to the other plane, or to no people at all."""
    wanted = PLANES.get(incoming.status)
    if wanted is None:
        raise Refused(
            f"status {incoming.status} is never sent to people: only Actual is, and Exercise or Test in a drill",
            field="status", rule="cap.7", given=incoming.status,
        )  # fmt: skip
    if wanted != plane:
        raise Refused(
            f"status {incoming.status} belongs to the {wanted} plane and this is the {plane} one: send it there",
            field="status", rule="plane", given=incoming.status, remedy=f"use the server with TOCSIN_PLANE={wanted}",
        )  # fmt: skip


def check_grant(who: Who, incoming: Incoming) -> None:
    """NotAllowed where the grant is bound to senders, events or an area that this message goes beyond."""
    if who.senders and incoming.sender not in who.senders:
        raise NotAllowed(
            f"the key {who.label!r} speaks for {', '.join(who.senders)}, not for {incoming.sender}: use that sender's key",
            field="sender", rule="grant.senders", given=incoming.sender,
        )  # fmt: skip
    if incoming.msg_type == "Cancel":
        return  # it makes nothing larger, and what it ends is checked by the authority that owns it
    if who.events and not set(who.events) & set(incoming.codes):
        raise NotAllowed(
            f"the key {who.label!r} may warn of {', '.join(who.events)}, and this is {', '.join(incoming.codes)}: "
            "ask the authority in charge of it",
            field="event", rule="grant.events", given=", ".join(incoming.codes),
        )  # fmt: skip
    if not who.area:
        return
    if not incoming.area:
        raise NotAllowed(
            "this key is bound to an area and the warning gives only codes", field="area", rule="grant.area"
        )
    if not _covers(who.area, incoming.area):
        raise NotAllowed(
            f"the area reaches beyond the jurisdiction of {who.authority}: draw it inside, or ask the "
            "neighbouring authority",
            field="area", rule="grant.area",
        )  # fmt: skip


def hold_stale(incoming: Incoming, now: float) -> Incoming:
    """Holds a message sent more than 24 hours ago or 5 minutes ahead: a replay, or a wrong clock."""
    sent, expires, at = (datetime.fromtimestamp(t, UTC) for t in (incoming.sent, incoming.expires, now))
    why = {
        "stale": "it was sent more than 24 hours ago: a person must say that it still holds",
        "future": "it was sent more than 5 minutes ahead of our clock: look which clock is wrong, and let it out by hand",
    }.get(freshness(sent, expires, at))
    return replace(incoming, hold=(*incoming.hold, why)) if why else incoming


def first_state(incoming: Incoming, where: Standing, now: float, *, release: bool) -> First:
    """The state of a message that has just come; a person's hold comes before everything that would send it."""
    notes = [f"{who} says it is over or replaced, and is another authority: not followed" for who in where.distrusted]
    if incoming.msg_type in ("Ack", "Error"):
        return _stored(notes, f"{incoming.msg_type} is between systems: stored, not sent")
    if where.settled_by:
        by = where.rows[where.settled_by]
        verb = "cancelled" if by.msg_type == "Cancel" else "superseded"
        return _stored(notes, f"a later message ({by.identifier}) had {verb} it when it came: stored, not sent")
    hold = list(incoming.hold)
    if where.foreign:
        hold.append(f"it would end a warning of {', '.join(where.foreign)}, another authority: a person must decide")
    if incoming.msg_type == "Cancel" or incoming.ending:
        return _ending(incoming, where, hold, notes, release=release)
    if incoming.references and not where.placement.predecessors and incoming.msg_type == "Update":
        notes.append("the warning it updates is not known here: sent as a new one")
    elif incoming.msg_type == "Update" and not where.alive:
        notes.append("nothing it updates is in force here: sent as a new one")
    if incoming.expires <= now:
        return _stored(notes, "it had expired when it came: stored, not sent")
    if incoming.quiet:
        return _stored(notes, "its level says there is nothing to warn of: stored, not sent")
    if incoming.minor and where.alive:
        why = _tells_more(incoming, [where.rows[one] for one in where.alive])
        if not why:
            return _stored(
                notes, "its author says it need not be told again, and it tells nothing more: stored, not sent"
            )
        notes.append(f"its author says it need not be told again, but {why}: told like any update")
    if hold:
        return First("held", "", (*notes, *(f"held: {why}" for why in hold)))
    if incoming.tier is None:
        return First("held", "", tuple(notes))
    return First("active" if release else "draft", "", tuple(notes))


def _stored(notes: list[str], why: str) -> First:
    return First("stored", "", (*notes, why))


def _ending(incoming: Incoming, where: Standing, hold: list[str], notes: list[str], *, release: bool) -> First:
    kind = "danger_lower_stay_away"  # nobody's all-clear says that people may go home; a person here does
    if hold:
        return First("held", kind, (*notes, *(f"held: {why}" for why in hold)))
    if where.alive:
        return First("active" if release else "draft", kind, tuple(notes))
    if where.placement.predecessors:
        return First("stored", kind, (*notes, "what it ends is over already: stored, not sent"))
    if incoming.msg_type == "Cancel":
        why = "the warning it cancels is not known here: parked; if that warning comes later it is not sent"
        return First("parked", kind, (*notes, why))
    return First("stored", kind, (*notes, "an all-clear for nothing we know: stored, not sent"))


def _tells_more(incoming: Incoming, told: list[ChainRow]) -> str:
    """What a minor change changes for people after all, or nothing: tier, end, or place beyond what was told."""
    active = [row for row in told if row.state == "active"]
    if not active:
        return "what it changes was not told yet"
    if incoming.tier is None or incoming.tier > max(row.tier for row in active):
        return "its tier is higher or not known"
    if incoming.expires > max(row.state_expires_at for row in active):
        return "it holds longer"
    codes = {tuple(code) for row in active for code in row.geocodes}
    if not set(incoming.geocodes) <= codes:
        return "it names other places"
    if incoming.area and not any(row.area and _covers(row.area, incoming.area) for row in active):
        return "its area reaches further"
    return ""


def _covers(outer: str, inner: str) -> bool:
    return bool(shapely.from_geojson(outer).buffer(1e-9).covers(shapely.from_geojson(inner)))
