"""Says what a warning changes of the one it takes the place of: tier, times, ground and words, for whoever writes it and whoever
lets it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import shapely
import sqlalchemy as sa

from services.shared import labels
from services.shared.database.engine import Connection
from services.shared.hazards.instructions import NAMES as INSTRUCTIONS
from services.shared.i18n import moment_at, t
from services.shared.ledger.warnings import warning_scope, warning_state, warning_text
from services.shared.powers.ground import ground_of, km2
from services.shared.tiers import NAMES, Tier

WORDS = ("hazard", "description", "place", "action", "source")
LEAST_KM2 = 0.01  # less of ground is how corners are rounded


class WarningVersion(NamedTuple):
    """A warning at one time: `parts` by language, `impact` as it is said, `shape` in WGS 84 or None where it is not known."""

    tier: int
    expires_at: float
    parts: Mapping[str, Mapping[str, str]]
    shape: shapely.Geometry | None
    number: str = ""
    hazard: str = ""
    instruction: str = ""  # the one thing it tells people to do, empty where it does not say one


class WarningChange(NamedTuple):
    """A part that is another now, in the reader's language."""

    name: str
    before: str
    after: str


async def version_of(db: Connection, warning_id: str) -> WarningVersion | None:
    """A stored warning; None where there is none."""
    state, scope, text = warning_state.c, warning_scope.c, warning_text.c
    row = (
        await db.execute(
            sa.select(state.tier, state.expires_at, state.number, scope.area, scope.geocodes, text.parts)
            .join(warning_scope, scope.warning_id == state.warning_id)
            .join(warning_text, text.warning_id == state.warning_id)
            .where(state.warning_id == warning_id)
        )
    ).first()
    if row is None:
        return None
    ground = await ground_of(db, row.area, row.geocodes)
    parts = {language: row.parts[language] for language in row.parts["languages"]}
    return WarningVersion(
        row.tier, row.expires_at, parts, None if ground.unknown else ground.shape, row.number,
        hazard=row.parts.get("set", ""), instruction=row.parts.get("instruction", ""),
    )  # fmt: skip


async def replaced_by(db: Connection, warning_id: str) -> WarningVersion | None:
    """The newest of its chain that went out before it, endings left out; None where it is the first."""
    mine = sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == warning_id).scalar_subquery()
    state = warning_state.c
    newest = (
        sa.select(state.warning_id)
        .where(
            state.chain_id == mine,
            state.warning_id != warning_id,
            state.released_at.is_not(None),
            state.kind != "ending",
        )
        .order_by(state.released_at.desc())
        .limit(1)
    )
    found = await db.scalar(newest)
    return await version_of(db, found) if found is not None else None


def changes(before: WarningVersion, after: WarningVersion, offset_at: Callable[[float], int]) -> list[WarningChange]:
    """What is another in the one after, the gravest first."""
    found = []
    if before.tier != after.tier:
        names = [t(NAMES[Tier(one.tier)]) if one.tier else t("not decided") for one in (before, after)]
        found.append(WarningChange(t("Tier"), *names))
    if before.instruction != after.instruction:
        orders = [
            t(INSTRUCTIONS[one.instruction]) if one.instruction else t("nothing certain") for one in (before, after)
        ]
        found.append(WarningChange(t("What people are to do"), *orders))
    if before.hazard != after.hazard:
        found.append(WarningChange(t("What happens"), labels.hazard(before.hazard), labels.hazard(after.hazard)))
    ends = [moment_at(one.expires_at, offset_at(one.expires_at)) for one in (before, after)]
    if ends[0] != ends[1]:  # as they are said: a form knows no seconds
        found.append(WarningChange(t("Holds until"), *ends))
    found += _ground(before, after)
    found += _words(before, after)
    return found


def _ground(before: WarningVersion, after: WarningVersion) -> list[WarningChange]:
    if before.shape is None or after.shape is None:
        return []
    more = km2(shapely.difference(after.shape, before.shape))
    less = km2(shapely.difference(before.shape, after.shape))
    if max(more, less) < LEAST_KM2:
        return []
    told = t(
        "{km2} km2: {more} km2 more, {less} km2 less", km2=_size(after.shape), more=f"{more:,.1f}", less=f"{less:,.1f}"
    )
    return [WarningChange(t("Ground"), t("{km2} km2", km2=_size(before.shape)), told)]


def _size(shape: shapely.Geometry) -> str:
    return f"{km2(shape):,.1f}"


def _words(before: WarningVersion, after: WarningVersion) -> list[WarningChange]:
    names = {
        "hazard": t("Headline"), "description": t("What happens"), "place": t("Where"), "action": t("Do this"),
        "source": t("Who says so"),
    }  # fmt: skip
    found = []
    for language in dict.fromkeys((*before.parts, *after.parts)):
        old, new = before.parts.get(language), after.parts.get(language)
        if old is None or new is None:
            said = (t("in this language"), t("not in this language"))
            found.append(WarningChange(language, *(said if new is None else said[::-1])))
            continue
        found += [
            WarningChange(f"{names[word]} ({language})", old.get(word, ""), new.get(word, ""))
            for word in WORDS if old.get(word, "") != new.get(word, "")
        ]  # fmt: skip
        if old.get("impact", "") != new.get("impact", ""):
            found.append(WarningChange(f"{t('It comes')} ({language})", old.get("impact", ""), new.get("impact", "")))
        places = [_place_to(one) for one in (old, new)]
        if places[0] != places[1]:
            found.append(WarningChange(f"{t('Where people go')} ({language})", *places))
    return found


def _place_to(said: Mapping[str, object]) -> str:
    """The place people are sent to, empty for none."""
    place = said.get("to")
    return str(place.get("name", "")) if isinstance(place, dict) else ""
