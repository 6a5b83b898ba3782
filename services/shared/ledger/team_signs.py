"""Keeps signs of life of teams at doors: when one was sent out, that it is all right, back or cannot go, and what it was asked.

A team is out from its first door, under whichever warning, until it says that it is back or cannot go. A sign under one is
one under all: they are the same people. Channels write what a team says on its list or by text; the router writes what the desk
heard by radio, and when a team was sent out, called back, relieved or asked where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa

from services.shared import alarms
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.ledger.warnings import warning_state

LATELY_S = 86400.0  # a team that was sent out longer ago has been looked for, or was never out
ALARM = "team"  # the alarm about one that gives no sign


class SignKind(StrEnum):
    """What is kept of a team, in the order in which things of one instant are read."""

    OUT = "out"  # its first door was given to it, or it goes out again
    RECALLED = "recalled"  # it was told to come back
    HERE = "here"  # it is all right: it said so, or noted something at a door
    RELIEVED = "relieved"  # no new doors: it has been out so long, or its doors were given to others since it cannot go
    ASKED = "asked"  # its sign of life was missed: it and its partner were asked
    MISSED = "missed"  # nobody answered: the command was told
    CANNOT = "cannot"  # its own people are affected
    BACK = "back"  # it is in safety


_ORDER = {kind: n for n, kind in enumerate(SignKind)}
SAID = (SignKind.HERE, SignKind.CANNOT, SignKind.BACK)  # what comes from the team itself

team_sign = sa.Table(
    "team_sign",
    metadata,
    sa.Column("sign_id", Id, primary_key=True),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("slot", Id, nullable=False, comment="the team, as on its list of doors"),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("at", sa.Float, nullable=False, comment="warning time"),
    sa.Column(
        "by", sa.String(80), nullable=False, comment="list, text, door, the desk by name, or why it was called back"
    ),
    sa.Column(
        "within_s", sa.Float, nullable=False, comment="how soon the next sign is due, of out and recalled; else 0"
    ),
    sa.CheckConstraint("kind IN ({})".format(",".join(f"'{k}'" for k in SignKind)), name="kind"),
    sa.Index("ix_team_sign_warning", "warning_id", "slot"),
    sa.Index("ix_team_sign_slot", "slot", "at"),
    comment="signs of life of teams at doors, and what they were asked",
)


class TeamSign(NamedTuple):
    """One row; see the columns of `team_sign`."""

    sign_id: str
    warning_id: str
    slot: str
    kind: str
    at: float
    by: str
    within_s: float


class TeamStanding(NamedTuple):
    """How it stands with one team; times are warning time, None where that is not so.

    `since` is when it went out, None while it is in, `sent_at` when it was sent out last: again after it was called back, say.
    `heard_at` and `heard_by` are its last sign, `heard` its kind: empty
    where it never gave one. What it was asked, or called back, counts until it answers.
    """

    slot: str
    since: float | None = None
    sent_at: float | None = None
    within_s: float = 0.0
    heard: str = ""
    heard_at: float | None = None
    heard_by: str = ""
    recalled_at: float | None = None
    recalled_why: str = ""
    return_s: float = 0.0
    relieved_at: float | None = None
    asked_at: float | None = None
    missed_at: float | None = None
    in_at: float | None = None

    @property
    def due(self) -> float | None:
        """When its next sign is due: so long after the last one, or after it was called back. None while it is in."""
        if self.since is None:
            return None
        last = max(self.since, self.sent_at or self.since, self.heard_at or self.since)
        if self.recalled_at is not None:
            return max(last, self.recalled_at) + self.return_s
        return last + self.within_s

    @property
    def is_back(self) -> bool:
        """Whether it has said that it is in safety."""
        return self.since is None and self.in_at is not None and not self.cannot

    @property
    def cannot(self) -> bool:
        """Whether it has said that its own people are affected, and has not gone out again."""
        return self.since is None and self.heard == SignKind.CANNOT

    @property
    def rests(self) -> bool:
        """Whether no new doors may be given to it."""
        return self.cannot or self.relieved_at is not None


def standing(slot: str, signs: Iterable[TeamSign]) -> TeamStanding:
    """How it stands with a team by all its signs, in whatever order they come."""
    now = TeamStanding(slot)
    for one in sorted(signs, key=lambda s: (s.at, _ORDER[SignKind(s.kind)], s.sign_id)):
        match SignKind(one.kind):
            case SignKind.OUT if now.since is None or now.recalled_at is not None:
                relieved = None if now.since is None else now.relieved_at
                now = now._replace(
                    since=one.at if now.since is None else now.since, sent_at=one.at, within_s=one.within_s,
                    recalled_at=None, recalled_why="", return_s=0.0, relieved_at=relieved, in_at=None,
                )  # fmt: skip
            case SignKind.RECALLED if now.since is not None:
                now = now._replace(
                    recalled_at=one.at, recalled_why=one.by, return_s=one.within_s, asked_at=None, missed_at=None
                )
            case (
                SignKind.RELIEVED
            ):  # whoever cannot go rests until it goes out again, also where it says that it is back
                now = now._replace(relieved_at=one.at)
            case SignKind.ASKED if now.since is not None:
                now = now._replace(asked_at=one.at)
            case SignKind.MISSED if now.since is not None:
                now = now._replace(missed_at=one.at)
            case SignKind.HERE | SignKind.CANNOT | SignKind.BACK:
                over = one.kind != SignKind.HERE
                keeps = not over and now.since is None and now.heard  # whoever is in stays in by a further word
                now = now._replace(
                    heard=now.heard if keeps else one.kind, heard_at=one.at, heard_by=one.by, asked_at=None,
                    missed_at=None, since=None if over else now.since, in_at=one.at if over else now.in_at,
                )  # fmt: skip
    if now.due is not None:  # a phone without a network sends a sign late: what was asked before its time is answered
        asked = now.asked_at if now.asked_at is not None and now.asked_at >= now.due else None
        missed = now.missed_at if now.missed_at is not None and now.missed_at >= now.due else None
        now = now._replace(asked_at=asked, missed_at=missed)
    return now


def goes_out_at(team: TeamStanding, now: float) -> float:
    """When a team goes out that does so now: after it was in, or called back, also where both fall into one instant."""
    return max([now, *(at + 0.001 for at in (team.in_at, team.recalled_at) if at is not None)])


async def keep(
    tx: Connection,
    warning_id: str,
    slot: str,
    kind: SignKind,
    at: float,
    by: str,
    *,
    sign_id: str,
    within_s: float = 0.0,
) -> bool:
    """Keeps one sign; the same id twice is one. Whether it is new.

    A team that is heard ends the alarm about it, but not by what it did before it was missed: a phone sends that by itself.
    """
    row = TeamSign(sign_id, warning_id, slot, kind, at, by[:80], within_s)
    new = await insert_new(tx, team_sign, [row._asdict()]) > 0
    if new and kind in SAID and (await of_slots(tx, [slot], at))[slot].missed_at is None:
        await alarms.over(tx, f"{ALARM}:{slot}")
    return new


async def of_slots(db: Connection, slots: Sequence[str], now: float) -> dict[str, TeamStanding]:
    """Team > how it stands with it, of these; a team nothing is kept of is left out."""
    found = sa.select(*columns(TeamSign, team_sign)).where(
        one_of(team_sign.c.slot, sorted(set(slots))), team_sign.c.at > now - LATELY_S
    )
    by_slot: dict[str, list[TeamSign]] = {}
    for one in await rows_of(db, TeamSign, found):
        by_slot.setdefault(one.slot, []).append(one)
    return {slot: standing(slot, signs) for slot, signs in sorted(by_slot.items())}


def _in_chain(warning_id: str) -> sa.ColumnElement[bool]:
    chain = sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == warning_id).scalar_subquery()
    return team_sign.c.warning_id.in_(sa.select(warning_state.c.warning_id).where(warning_state.c.chain_id == chain))


async def of_chain(db: Connection, warning_id: str, now: float) -> dict[str, TeamStanding]:
    """The same for every team that was sent out under a warning or another of its chain."""
    sent = sa.select(team_sign.c.slot).where(_in_chain(warning_id), team_sign.c.kind == SignKind.OUT)
    slots = (await db.scalars(sent.distinct())).all()
    return await of_slots(db, slots, now) if slots else {}


async def last_of_kind(db: Connection, warning_id: str, kind: SignKind) -> dict[str, float]:
    """Team > when a sign of that kind was kept last, under a warning or another of its chain."""
    last = sa.select(team_sign.c.slot, sa.func.max(team_sign.c.at).label("at")).where(
        _in_chain(warning_id), team_sign.c.kind == kind
    )
    return {row.slot: float(row.at) for row in await db.execute(last.group_by(team_sign.c.slot))}


async def latest_in_chain(db: Connection, warning_id: str, slot: str) -> TeamSign | None:
    """The newest word of one list that it is seen to, under a warning or another of its chain. The fire service gives no signs of
    life here: on its list HERE says that it has the names that stood there then, and `by` who said so."""
    mine = sa.select(*columns(TeamSign, team_sign)).where(
        team_sign.c.slot == slot, team_sign.c.kind == SignKind.HERE, _in_chain(warning_id)
    )
    return await row_of(db, TeamSign, mine.order_by(team_sign.c.at.desc()).limit(1))


async def out_for_another(db: Connection, warning_id: str, now: float) -> set[str]:
    """Teams that were sent out lately under a warning in force that is of another chain."""
    chain = sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == warning_id).scalar_subquery()
    state = warning_state.c
    sent = (
        sa.select(team_sign.c.slot)
        .join(warning_state, state.warning_id == team_sign.c.warning_id)
        .where(
            team_sign.c.kind == SignKind.OUT, team_sign.c.at > now - LATELY_S, state.state == "active",
            state.kind != "ending", state.expires_at > now, state.chain_id != chain,
        )
    )  # fmt: skip
    return set((await db.scalars(sent.distinct())).all())


async def heard_since(db: Connection, slot: str, since: float) -> bool:
    """Whether a team has given any sign of life since then."""
    theirs = (team_sign.c.slot == slot, team_sign.c.kind.in_(SAID), team_sign.c.at >= since)
    return bool(await db.scalar(sa.select(sa.exists().where(*theirs))))


async def relieved_and_back(db: Connection, now: float) -> list[str]:
    """Teams that were relieved lately, are in safety, and have not said that they go out again."""
    lately = (team_sign.c.kind == SignKind.RELIEVED, team_sign.c.at > now - LATELY_S)
    slots = (await db.scalars(sa.select(team_sign.c.slot).where(*lately).distinct())).all()
    teams = await of_slots(db, slots, now) if slots else {}
    return [slot for slot, team in teams.items() if team.is_back and team.relieved_at is not None]


class SaidCannot(NamedTuple):
    """Under which warning a team said that it cannot go, and when (warning time)."""

    warning_id: str
    at: float


async def cannot_and_not_relieved(db: Connection, now: float) -> dict[str, SaidCannot]:
    """Team that said lately that it cannot go, and was not relieved since > its last word of it."""
    after = team_sign.alias()
    relieved = sa.exists().where(
        after.c.slot == team_sign.c.slot, after.c.kind == SignKind.RELIEVED, after.c.at >= team_sign.c.at
    )
    said = (team_sign.c.kind == SignKind.CANNOT, team_sign.c.at > now - LATELY_S, sa.not_(relieved))
    words = sa.select(team_sign.c.slot, *columns(SaidCannot, team_sign)).where(*said).order_by(team_sign.c.at)
    return {row.slot: SaidCannot(row.warning_id, row.at) for row in await db.execute(words)}
