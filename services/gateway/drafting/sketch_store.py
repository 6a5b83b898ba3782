"""Stores sketches. Each change names the version it was made on, so that of two who write at once neither loses a word."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.gateway.drafting.sketch import SketchContent
from services.shared.bus.outbox import new_id
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.errors import NotFound
from services.shared.powers.may import Thing
from services.shared.powers.who import Who

sketch = sa.Table(
    "gateway_sketch",
    metadata,
    sa.Column("sketch_id", Id, primary_key=True),
    sa.Column("authority", sa.String(80), nullable=False, index=True),
    sa.Column("begun_by", Id, nullable=False, comment="the person or key"),
    sa.Column("begun_name", sa.String(80), nullable=False),
    sa.Column("begun_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("content", sa.JSON, nullable=False, comment="what was written, as it was typed"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("changed_by", Id, nullable=False),
    sa.Column("changed_name", sa.String(80), nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column(
        "sent_at", sa.Float, comment="warning time; the CAP `sent` of what is handed in, until it is changed again"
    ),
    sa.Column("warning_id", Id, nullable=False, comment="what it was handed in as; empty while it is written"),
    sa.Column(
        "template",
        sa.String(80),
        nullable=False,
        server_default="",
        comment="the name of an own template; empty for what becomes a warning",
    ),
    sa.Column("given_up_at", sa.Float, comment="warning time"),
    sa.Column("returned_at", sa.Float, comment="warning time when whoever decides last gave it back to be changed"),
    sa.Column("returned_name", sa.String(80), nullable=False, server_default="", comment="who did"),
    sa.Column("returned_why", sa.String(400), nullable=False, server_default="", comment="what is to be changed"),
)
MOST = 50  # listed at once


class Sketch(NamedTuple):
    """A row of the table."""

    sketch_id: str
    authority: str
    begun_by: str
    begun_name: str
    begun_at: float
    content: dict[str, object]
    version: int
    changed_by: str
    changed_name: str
    changed_at: float
    sent_at: float | None
    warning_id: str
    template: str
    given_up_at: float | None
    returned_at: float | None
    returned_name: str
    returned_why: str

    @property
    def returned(self) -> bool:
        """Whether it was handed in, given back, and is to be changed."""
        return self.returned_at is not None and not self.warning_id and self.given_up_at is None

    @property
    def written(self) -> SketchContent:
        """What was written."""
        return SketchContent.of_stored(self.content)


_ALL = sa.select(*columns(Sketch, sketch))


async def begin(tx: Connection, who: Who, content: SketchContent, now: float, *, template: str = "") -> str:
    """A new sketch of the caller's authority, or under a name a template of its own; its id."""
    row = Sketch(
        new_id(), who.authority, who.actor, who.label[:80], now, content.stored, 1, who.actor, who.label[:80], now, None, "",
        template, None, None, "", "",
    )  # fmt: skip
    await tx.execute(sa.insert(sketch).values(row._asdict()))
    return row.sketch_id


async def find(db: Connection, sketch_id: str) -> Sketch | None:
    return await row_of(db, Sketch, _ALL.where(sketch.c.sketch_id == sketch_id))


async def stored(db: Connection, sketch_id: str) -> Sketch:
    """NotFound where there is none."""
    found = await find(db, sketch_id)
    if found is None:
        raise NotFound(
            "there is no such sketch: open it from the page Write a warning", field="sketch_id", given=sketch_id
        )
    return found


async def open_of(db: Connection, who: Who) -> list[Sketch]:
    """What is being written in the caller's authority and those below it, the newest change first."""
    mine = sketch.c.authority.in_((who.authority, *who.over))
    going_on = (sketch.c.warning_id == "", sketch.c.given_up_at.is_(None), sketch.c.template == "")
    return await rows_of(
        db,
        Sketch,
        _ALL.where(mine, *going_on).order_by(sketch.c.changed_at.desc()).limit(MOST),
    )


async def returned_of(db: Connection, who: Who) -> list[Sketch]:
    """Of those, what whoever decides has given back to be changed, the newest first."""
    mine = sketch.c.authority.in_((who.authority, *who.over))
    back = (sketch.c.warning_id == "", sketch.c.given_up_at.is_(None), sketch.c.returned_at.is_not(None))
    return await rows_of(
        db, Sketch, _ALL.where(mine, *back).order_by(sketch.c.returned_at.desc(), sketch.c.sketch_id).limit(MOST)
    )


async def templates_of(db: Connection, who: Who) -> list[Sketch]:
    """The own templates of the caller's authority and those below it, by name."""
    mine = sketch.c.authority.in_((who.authority, *who.over))
    kept = (sketch.c.template != "", sketch.c.given_up_at.is_(None))
    return await rows_of(
        db, Sketch, _ALL.where(mine, *kept).order_by(sketch.c.template, sketch.c.sketch_id).limit(MOST)
    )


async def change(tx: Connection, who: Who, row: Sketch, content: SketchContent, now: float) -> bool:
    """Writes a change of that very version down; False where somebody else has changed it since, or it was handed in."""
    values = {
        "content": content.stored, "version": row.version + 1, "changed_by": who.actor, "changed_name": who.label[:80],
        "changed_at": now, "sent_at": None,
    }  # fmt: skip
    this = (sketch.c.sketch_id == row.sketch_id, sketch.c.version == row.version, sketch.c.warning_id == "")
    done = await tx.execute(sa.update(sketch).where(*this, sketch.c.given_up_at.is_(None)).values(values))
    return done.rowcount == 1


async def date_it(tx: Connection, row: Sketch, now: float) -> Sketch | None:
    """Its CAP `sent` is decided, once for each version: handing in twice is handing in one alert. None where it is another
    version by now: what is handed in is what was looked at."""
    undated = (sketch.c.sketch_id == row.sketch_id, sketch.c.version == row.version, sketch.c.sent_at.is_(None))
    await tx.execute(sa.update(sketch).where(*undated).values(sent_at=float(int(now))))
    found = await stored(tx, row.sketch_id)
    return found if found.version == row.version and found.given_up_at is None else None


async def undate(tx: Connection, sketch_id: str) -> None:
    """What was not taken is dated anew the next time."""
    mine = (sketch.c.sketch_id == sketch_id, sketch.c.warning_id == "")
    await tx.execute(sa.update(sketch).where(*mine).values(sent_at=None))


async def handed_in(tx: Connection, row: Sketch, warning_id: str) -> bool:
    """That version became a warning; False where it is another by now. Pressed twice it is the same warning."""
    this = (sketch.c.sketch_id == row.sketch_id, sketch.c.version == row.version, sketch.c.given_up_at.is_(None))
    same = sketch.c.warning_id.in_(("", warning_id))
    done = await tx.execute(sa.update(sketch).where(*this, same).values(warning_id=warning_id))
    return done.rowcount == 1


async def handed_in_as(db: Connection, warning_id: str) -> Sketch | None:
    """The sketch a warning was handed in from; None where it came as CAP or JSON."""
    return await row_of(db, Sketch, _ALL.where(sketch.c.warning_id == warning_id))


async def give_back(tx: Connection, row: Sketch, by: str, why: str, now: float) -> None:
    """It is written on, as another version: what is handed in anew is another alert."""
    values = {
        "warning_id": "", "version": row.version + 1, "sent_at": None, "returned_at": now, "returned_name": by[:80],
        "returned_why": why[:400],
    }  # fmt: skip
    await tx.execute(sa.update(sketch).where(sketch.c.sketch_id == row.sketch_id).values(values))


async def give_up(tx: Connection, sketch_id: str, now: float) -> None:
    """It is listed no more; nothing of it was ever sent."""
    mine = (sketch.c.sketch_id == sketch_id, sketch.c.warning_id == "")
    await tx.execute(sa.update(sketch).where(*mine).values(given_up_at=now))


def thing_of(row: Sketch | None) -> Thing:
    """The sketch as what an act is about: its authority's alone until it is handed in."""
    missing = "there is no such sketch: open it from the page Write a warning"
    return Thing(missing=missing, field="sketch_id", owner=row.authority if row is not None else "\0")
