"""Decides who may. Every act and every look asks here, and nobody decides it elsewhere."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from services.shared.clock import wall
from services.shared.errors import NotAllowed, NotFound, NotProved, Refused
from services.shared.powers.power import BOUNDS, Bound, Power
from services.shared.powers.who import Who
from services.shared.tiers import Tier

FRESH_S = 300.0  # how long ago somebody may have shown who they are, before what is dangerous
NEAR = 1e-9  # degrees, a tenth of a millimetre: a corner that lies on the border is inside


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """What an act is about.

    `missing`: what is said where it may not be seen, the same as where there is none. `owner`: an authority's name, empty
    for nobody's yet. `shapes`: GeoJSON texts whose union is meant, `unresolved`: codes nobody knows the shape of.
    `tier`: 0 for not decided. `out`: it went out, so that everybody knows of it. `ends`: what it would put an end to.
    `sources`: whom its texts name as saying it. `holds`: doubts about who says it; who it was
    `brought_by`, a person or a key, does not lift them.
    """

    missing: str = ""
    field: str = ""
    owner: str = ""
    shapes: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    tier: int = 0
    events: tuple[str, ...] = ()
    sender: str = ""
    sources: tuple[str, ...] = ()
    out: bool = False
    ends: tuple[Thing, ...] = ()
    holds: tuple[str, ...] = ()
    brought_by: str = ""


def may(who: Who, act: Power, thing: Thing | None = None) -> Refused | None:
    """None where they may; else the fault that says which bound of the grant stands against it.

    An object they may not even see is NotFound, in the words of one that is not there. What an act would put an end to
    is held against the same grant.
    """
    bound = BOUNDS[act]
    for action in (bound.action, bound.more):
        if action is not None and action not in who.actions:
            if (why := dict(who.off).get(action)) is not None:
                return NotAllowed(why, field="Authorization", rule="grant.hours", given=action)
            return NotAllowed(
                f"{who.said} may not {action}, but {', '.join(who.actions)}: ask whoever gives grants",
                field="Authorization", rule="grant.actions", given=action,
            )  # fmt: skip
    if bound.oneself and who.proved_at is None:  # else the key of a wall's screen would open its owner's account
        return NotAllowed(
            "a key opens nobody's account, its owner's neither: sign in as yourself",
            field="Authorization",
            rule="person",
        )
    if thing is None:
        return not_proved(who) if bound.fresh == "always" and _stale(who) else None
    mine = not thing.owner or who.speaks_for(thing.owner)
    if (unseen := hidden(who, thing)) is not None:
        return unseen
    if bound.owner and not mine:
        return NotAllowed(
            f"this is {thing.owner}'s: only they may do that, or an authority they named as their superior",
            field=thing.field, rule="owner", given=who.authority, remedy=f"ask {thing.owner}",
        )  # fmt: skip
    if bound.tier and thing.tier > who.max_tier:
        return NotAllowed(
            f"{who.said} may go up to {Tier(who.max_tier).word}, not {Tier(thing.tier).word}: "
            "ask for a higher grant",
            field="tier", rule="grant.max_tier", given=Tier(thing.tier).word,
        )  # fmt: skip
    ending = Power.END if act is Power.END else Power.REPLACE
    return (
        (_of_another_subject(who, thing) if bound.subject else None)
        or (_beyond(who, thing) if bound.area else None)
        or (_ones_own_word(who, act, thing) if bound.second else None)
        or next((fault for one in thing.ends if (fault := may(who, ending, one)) is not None), None)
        or (not_proved(who) if _stale(who) and _wants_proof(who, bound, thing) else None)
    )


def _stale(who: Who) -> bool:
    """Whether they signed in, and showed who they are too long ago for what is dangerous; a key shows it each time."""
    return who.proved_at is not None and wall() - who.proved_at > FRESH_S


def _wants_proof(who: Who, bound: Bound, thing: Thing) -> bool:
    if bound.fresh == "high tier":
        return max([thing.tier, *(one.tier for one in thing.ends if one.out)]) >= Tier.ORANGE
    if bound.fresh == "above alone":
        return thing.out and thing.tier > who.alone
    return bound.fresh == "always"


def not_proved(who: Who) -> NotProved:
    """What is said to whoever signed in a while ago and wants to do what is dangerous."""
    return NotProved(
        f"this takes a fresh sign-in: {who.label}, show again that it is you, within five minutes before it",
        field="Authorization", rule="step-up", given=who.label, remedy="sign in again",
    )  # fmt: skip


def hidden(who: Who, thing: Thing) -> NotFound | None:
    """NotFound where they may not even know that it is there: it has not gone out, and is neither theirs nor below."""
    if not thing.missing or thing.out or not thing.owner or who.speaks_for(thing.owner):
        return None
    return NotFound(thing.missing, field=thing.field, rule="known")


def must(who: Who, act: Power, thing: Thing | None = None) -> None:
    """Raises what `may` says stands against it."""
    if (fault := may(who, act, thing)) is not None:
        raise fault


def _of_another_subject(who: Who, thing: Thing) -> NotAllowed | None:
    if who.senders and thing.sender not in who.senders:
        return NotAllowed(
            f"{who.said} speaks for {', '.join(who.senders)}, not for {thing.sender}: use what is granted to that sender",
            field="sender", rule="grant.senders", given=thing.sender,
        )  # fmt: skip
    if who.events and not set(who.events) & set(thing.events):
        said = ", ".join(thing.events)
        return NotAllowed(
            f"{who.said} may warn of {', '.join(who.events)}, and this is {said}: ask the authority in charge of it",
            field="event", rule="grant.events", given=said,
        )  # fmt: skip
    strange = next((name for name in thing.sources if not _speaks_as(who, name) and name != thing.sender), None)
    if who.names and strange is not None:  # a text that names nobody has its sender for a source
        return NotAllowed(
            f"its text says that it comes from {strange}, and {who.said} speaks as {', '.join(who.names)}: "
            "write one of these names, or ask for a grant with that name",
            field="source", rule="grant.names", given=strange,
        )  # fmt: skip
    return None


def _speaks_as(who: Who, source: str) -> bool:
    """Whether a source is one of the grant's names, or begins with one: an office of that authority."""
    said = " ".join(source.split()).casefold()
    for name in (" ".join(one.split()).casefold() for one in who.names):
        within = name[-1:].isascii() and said[len(name) : len(name) + 1].isalnum()  # Qingshuiville is not Qingshui
        if said.startswith(name) and not within:
            return True
    return False


def _beyond(who: Who, thing: Thing) -> NotAllowed | None:
    """A grant bound to an area holds only what lies in it whole; what has no known place lies in none."""
    if not who.area:
        return None
    if thing.unresolved:
        return NotAllowed(
            f"your grant is bound to an area and nobody knows where {', '.join(thing.unresolved)} lies: import the area, "
            "or draw it",
            field="geocodes", rule="grant.area", given=", ".join(thing.unresolved), remedy="tocsin registry areas import",
        )  # fmt: skip
    if not thing.shapes:
        return NotAllowed(
            "your grant is bound to an area and nothing says where this lies: draw it inside",
            field="area",
            rule="grant.area",
        )
    if not covers(who.area, thing.shapes):
        return NotAllowed(
            f"the area reaches beyond the jurisdiction of {who.authority}: draw it inside, or ask the "
            "neighbouring authority",
            field="area", rule="grant.area",
        )  # fmt: skip
    return None


def _ones_own_word(who: Who, act: Power, thing: Thing) -> NotAllowed | None:
    """What is doubted, and a tier that takes two persons, is let out by another than brought it."""
    if (doubted := ones_own_doubt(who, thing)) is not None:
        return doubted
    tier = max([thing.tier, *(one.tier for one in thing.ends if one.out)])  # to lower a red is a word about red
    if act is Power.SEND and thing.brought_by == who.actor and tier > who.alone:
        return NotAllowed(
            f"{Tier(tier).word} takes two persons: somebody else than drafted it sends it, in their own name",
            field="tier", rule="grant.alone", given=who.label,
        )  # fmt: skip
    return None


def ones_own_doubt(who: Who, thing: Thing) -> NotAllowed | None:
    """What is doubted is let out by another than brought it, an ending too; to withdraw it lets nothing out."""
    if not thing.holds or thing.brought_by != who.actor:
        return None
    return NotAllowed(
        f"it is held ({'; '.join(thing.holds)}) and was brought by you or with your key: another person lets it out",
        field="warning_id", rule="hold", given=who.label,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _wide(area: str) -> shapely.Geometry:
    wide = shapely.from_geojson(area).buffer(NEAR)
    shapely.prepare(wide)
    return wide


@lru_cache(maxsize=512)
def covers(outer: str, inner: tuple[str, ...]) -> bool:
    """Whether one GeoJSON area holds each of others whole, edges included."""
    wide = _wide(outer)
    return all(bool(shapely.covers(wide, shapely.from_geojson(one))) for one in inner)


def holds(outer: str, lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """The same of many points at once."""
    found: npt.NDArray[np.bool_] = shapely.intersects_xy(_wide(outer), np.asarray(lon), np.asarray(lat))
    return found
