"""Decides on arrival whether a message may come in, whether a person must look first, and its first state.

`warnings` writes it down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from msgspec import structs

from services.gateway.cap import freshness
from services.gateway.intake.chains import ChainRow, Standing
from services.gateway.intake.incoming import PLANES, Incoming
from services.gateway.store import Texts
from services.shared.database.engine import Connection
from services.shared.errors import Refused
from services.shared.powers.may import Thing, covers, must
from services.shared.powers.power import Power
from services.shared.powers.warnings import place_of, warning_thing
from services.shared.powers.who import Who


@dataclass(frozen=True)
class First:
    """The first state of a message, its kind of ending (empty for none), and what was noted on the way.

    `holds`: doubts about who says it, or whether it is said now: another key than brought it lifts them. What merely
    waits for a decision is held without any.
    """

    state: str
    ending: str = ""
    notes: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()


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


async def check_grant(
    db: Connection, who: Who, act: Power, incoming: Incoming, doors: str = "", ends: Sequence[str] = ()
) -> None:
    """NotAllowed where the grant does not reach this message, its whole place, or what it would put an end to.

    A cancel makes nothing larger: it is held against its sender and what it ends. The commander's word on doors is the
    commander's here too.
    """
    cancels = incoming.msg_type == "Cancel"
    shapes, unresolved = await place_of(db, who, incoming.area, () if cancels else incoming.geocodes)
    thing = Thing(
        tier=int(incoming.tier or 0), shapes=shapes, unresolved=unresolved, events=incoming.codes,
        sender=incoming.sender, sources=sources_of(incoming.texts),
    )  # fmt: skip
    ended = tuple([await warning_thing(db, who, one) for one in ends])
    if doors:
        must(who, Power.SAY_DOORS, thing)
    if not cancels:
        must(who, act, structs.replace(thing, ends=ended))
        return
    must(who, act)
    must(who, Power.SPEAK, thing)
    for one in ended:
        must(who, Power.END, one)


def sources_of(texts: Texts) -> tuple[str, ...]:
    """Whom the texts of a warning name as saying it, each once."""
    return tuple(dict.fromkeys(text["source"] for text in texts.values()))


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
    if hold or incoming.undecided or incoming.tier is None:
        return First("held", "", (*notes, *_held(hold, incoming)), tuple(hold))
    return First("active" if release else "draft", "", tuple(notes))


def _stored(notes: list[str], why: str) -> First:
    return First("stored", "", (*notes, why))


def _ending(incoming: Incoming, where: Standing, hold: list[str], notes: list[str], *, release: bool) -> First:
    kind = "danger_lower_stay_away"  # nobody's all-clear says that people may go home; a person here does
    if hold or incoming.undecided:
        return First("held", kind, (*notes, *_held(hold, incoming)), tuple(hold))
    if where.alive:
        return First("active" if release else "draft", kind, tuple(notes))
    if where.placement.predecessors:
        return First("stored", kind, (*notes, "what it ends is over already: stored, not sent"))
    if incoming.msg_type == "Cancel":
        why = "the warning it cancels is not known here: parked; if that warning comes later it is not sent"
        return First("parked", kind, (*notes, why))
    return First("stored", kind, (*notes, "an all-clear for nothing we know: stored, not sent"))


def _held(hold: Sequence[str], incoming: Incoming) -> list[str]:
    return [f"held: {why}" for why in (*hold, *incoming.undecided)]


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
    if incoming.area and not any(row.area and covers(row.area, (incoming.area,)) for row in active):
        return "its area reaches further"
    return ""
