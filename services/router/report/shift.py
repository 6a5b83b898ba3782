"""Keeps handover notes and reads who did what under a warning and its chain."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.router.report.report import Coverage
from services.router.report.zones import Zone
from services.router.store import tables
from services.router.store.cases import case
from services.router.store.handover import MOST, Note, handover
from services.shared.audit import trail
from services.shared.audit.shown import acts_shown
from services.shared.bus.outbox import new_id
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import NotFound, Refused
from services.shared.i18n import english
from services.shared.ledger.warnings import warning_state
from services.shared.messages import Profile
from services.shared.powers.who import Who

ACTS_SHOWN = 500
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ActDone(NamedTuple):
    """Something somebody did: when (wall), who, what, about which warning or case, and why."""

    at: float
    actor: str
    act: str
    subject: str
    reason: str


async def chain_of(db: Connection, warning_id: str) -> tuple[str, list[str]]:
    """A warning's chain and the warnings in it, oldest first. NotFound where there is none."""
    chain_id = await db.scalar(sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == warning_id))
    if chain_id is None:
        raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
    mine = sa.select(warning_state.c.warning_id).where(warning_state.c.chain_id == chain_id)
    return str(chain_id), list(await db.scalars(mine.order_by(warning_state.c.sent, warning_state.c.warning_id)))


async def notes(db: Connection, chain_id: str) -> list[Note]:
    """Handover notes, the newest first."""
    mine = sa.select(*columns(Note, handover)).where(handover.c.chain_id == chain_id)
    return await rows_of(db, Note, mine.order_by(handover.c.at.desc(), handover.c.note_id))


async def keep(tx: Connection, who: Who, warning_id: str, text: str, now: float) -> None:
    """Writes a note down, with its entry in the audit log. Refused where it says nothing."""
    said = text.strip()
    if not 2 <= len(said) <= MOST:
        raise Refused(
            "text: write what the next one must know, in 2 to 2,000 characters",
            field="text",
            rule="length",
            given=len(said),
        )
    chain_id, _ = await chain_of(tx, warning_id)
    await tx.execute(sa.insert(handover).values(Note(new_id(), chain_id, now, who.label[:80], said)._asdict()))
    await trail.record(tx, who.label, "handover", warning_id, english("a note for the next shift"))


async def acts(db: Connection, warning_ids: Sequence[str]) -> list[ActDone]:
    """What was done about these warnings and their cases, the newest ACTS_SHOWN, oldest first; no looks at people."""
    cases = list(await db.scalars(sa.select(case.c.case_id).where(one_of(case.c.warning_id, list(warning_ids)))))
    about = one_of(acts_shown.c.subject, sorted({*warning_ids, *cases}))
    found = sa.select(*columns(ActDone, acts_shown)).where(about).order_by(acts_shown.c.n.desc()).limit(ACTS_SHOWN)
    return (await rows_of(db, ActDone, found))[::-1]


def cell(value: object) -> str:
    """A cell no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(_STARTS_FORMULA) and not isinstance(value, int | float) else text


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV in UTF-8 with a mark that spreadsheets know it by."""
    out = io.StringIO()
    csv.writer(out).writerows([[cell(value) for value in row] for row in rows])
    return "\ufeff" + out.getvalue()


def figures_rows(figures: Coverage, zones: Iterable[Zone]) -> list[list[object]]:
    """The walk of numbers, then groups, then villages; what is not known is empty, not 0."""
    names = ("targeted", "delivered", "reached", "closed", "open")
    rows: list[list[object]] = [["what", "name", *names]]
    rows.append(["all", "", *(figures[name] for name in names)])  # type: ignore[literal-required]
    rows += [
        ["group", name, g["people"], g["delivered"], g["reached"], g["closed"], ""]
        for name, g in figures["by_group"].items()
    ]
    rows += [["village", z.zone_id, z.targeted, z.delivered, z.reached, "", z.open] for z in zones]
    return rows


def missing_rows(missing: Iterable[tuple[tables.Path, Profile]]) -> list[list[object]]:
    """People not met, by id: never a name in a file."""
    rows: list[list[object]] = [["person", "village", "needs", "state", "ending", "answer", "help"]]
    for m, profile in missing:
        groups = " ".join(profile.groups)
        rows.append([m.person_id, m.zone_id, groups, m.state, m.ending, m.answer, "yes" if m.help_at else ""])
    return rows
