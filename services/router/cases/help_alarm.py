"""Keeps an alarm while calls for help or questions are open, also after the end of their warning.

Each telling is the cases' own; here they are kept before the eyes of whoever looks, under the newest page of their chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from services.router.cases import cases
from services.router.store.cases import NOBODYS, OPEN, case
from services.shared import alarms
from services.shared.database.engine import Connection
from services.shared.i18n import english, mark
from services.shared.ledger.warnings import warning_state

KIND = "help"


@dataclass(frozen=True)
class Waiting:
    """What is open in one chain, and the newest released warning of it."""

    warning_id: str
    number: str
    help: int
    question: int
    nobodys: int

    @property
    def words(self) -> str:
        open_now = []
        if self.help:
            open_now.append(mark("1 call for help") if self.help == 1 else english("{n} calls for help", n=self.help))
        if self.question:
            open_now.append(mark("1 question") if self.question == 1 else english("{n} questions", n=self.question))
        what = (
            english("{calls}, and also {questions}", calls=open_now[0], questions=open_now[1])
            if open_now[1:]
            else open_now[0]
        )
        values = {"number": self.number, "what": what, "free": self.nobodys}
        if self.help + self.question == 1:
            if not self.nobodys:
                return english("No. {number}: {what} is open, none of them nobody's.", **values)
            return english("No. {number}: {what} is open, {free} of them nobody's.", **values)
        if not self.nobodys:
            return english("No. {number}: {what} are open, none of them nobody's.", **values)
        return english("No. {number}: {what} are open, {free} of them nobody's.", **values)


async def waiting(db: Connection) -> Mapping[str, Waiting]:
    """By the newest warning's id."""
    nobodys = sa.func.sum(sa.case((NOBODYS, 1), else_=0))
    counts = (
        sa.select(warning_state.c.chain_id, case.c.kind, sa.func.count().label("n"), nobodys.label("free"))
        .join(warning_state, warning_state.c.warning_id == case.c.warning_id)
        .where(OPEN)
        .group_by(warning_state.c.chain_id, case.c.kind)
    )
    chains: dict[str, dict[str, tuple[int, int]]] = {}
    for row in await db.execute(counts):
        chains.setdefault(row.chain_id, {})[row.kind] = (int(row.n), int(row.free or 0))
    found = {}
    for chain_id, kinds in chains.items():
        state = warning_state.c
        newest = sa.select(state.warning_id, state.number).where(
            state.chain_id == chain_id, state.released_at.is_not(None)
        )
        last = (
            await db.execute(newest.order_by(state.released_at.desc(), state.sent.desc(), state.warning_id).limit(1))
        ).first()
        if last is not None:
            counted = [kinds.get(kind, (0, 0)) for kind in ("help", "question")]
            free = sum(free for _, free in counted)
            found[last.warning_id] = Waiting(last.warning_id, last.number, counted[0][0], counted[1][0], free)
    return found


async def settle(tx: Connection, found: Mapping[str, Waiting]) -> None:
    """The alarms say what is open now; what nobody could be told is over once somebody has it."""
    for row in await alarms.standing(tx, KIND, cases.UNTOLD):
        kind, _, about = row.name.partition(":")
        mine = sa.select(sa.literal(1)).where(sa.exists().where(case.c.warning_id == about, OPEN, NOBODYS))
        over = about not in found if kind == KIND else await tx.scalar(mine) is None
        if over:
            await alarms.over(tx, row.name)
    for one in found.values():
        await alarms.sound(tx, f"{KIND}:{one.warning_id}", one.words, quiet=True)
