"""Serves the audit log to whoever may read it: entries, narrowed by person, act, subject and day, and the signed export.

Reading it is an entry of it, written before anything is shown.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from aiohttp import web

from services.shared.audit import trail
from services.shared.audit.audit_export import export
from services.shared.audit.audit_head import HeadFile
from services.shared.audit.checkpoints import Signing
from services.shared.audit.trail import audit_log
from services.shared.errors import Refused
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.asking import asks, the_installation
from services.shared.web.html import page

A_PAGE = 100
FIELDS = ("actor", "act", "subject", "day")


class LogPages:
    """The handlers of /console/log."""

    def __init__(self, platform: Platform, signing: Signing) -> None:
        self._platform = platform
        self._signing = signing

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The page and the file."""
        return (web.get("/console/log", self.log), web.post("/console/log/export", self.export))

    @asks(Power.READ_LOG, the_installation)
    async def log(self, request: web.Request, who: Who) -> web.Response:
        """Who did what, the newest first; of one person, act, warning or day where asked."""
        asked = {name: request.query.get(name, "").strip()[:80] for name in FIELDS}
        before = request.query.get("before", "")
        if not re.fullmatch(r"[0-9]{0,17}", before):
            raise Refused("before: give the number of an entry", field="before", rule="number", given=before[:40])
        offset = self._platform.settings.offset_at
        where = self._narrowed(asked)
        async with self._platform.database.write() as tx:
            await trail.record(
                tx, who.label, "audit.read", "audit", "read in the console",
                {name: value for name, value in (*asked.items(), ("before", before)) if value},
            )  # fmt: skip
        query = sa.select(audit_log).where(*where).order_by(audit_log.c.n.desc()).limit(A_PAGE + 1)
        if before:
            query = query.where(audit_log.c.n < int(before))
        async with self._platform.database.read() as db:
            rows = (await db.execute(query)).all()
            acts = (await db.scalars(sa.select(audit_log.c.act).distinct().order_by(audit_log.c.act))).all()
        return page(
            "log.html", who=who, plane=self._platform.settings.plane, rows=rows[:A_PAGE], more=len(rows) > A_PAGE,
            asked=asked, acts=acts, narrowed={name: value for name, value in asked.items() if value}, offset=offset,
        )  # fmt: skip

    def _narrowed(self, asked: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
        where = [audit_log.c[name] == asked[name] for name in FIELDS[:3] if asked[name]]
        if asked["day"]:
            try:
                day = date.fromisoformat(asked["day"])
            except ValueError as problem:
                raise Refused(
                    f"day: give a day like 2027-03-31, not {asked['day']}", field="day", rule="date", given=asked["day"]
                ) from problem
            where += [audit_log.c.at >= self._begins(day), audit_log.c.at < self._begins(day + timedelta(days=1))]
        return where

    def _begins(self, day: date) -> float:
        """When a day begins here, wall."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        return midnight - 60.0 * self._platform.settings.offset_at(midnight)

    @asks(Power.READ_LOG, the_installation)
    async def export(self, request: web.Request, who: Who) -> web.Response:
        """The whole log as a signed file, which anybody verifies with the public key; that it was taken is its last entry."""
        heads = HeadFile(self._platform.settings.audit_head, self._signing)
        with tempfile.TemporaryDirectory(prefix="tocsin-audit-") as folder:
            file = Path(folder) / "audit.jsonl"
            plane = self._platform.settings.plane
            verified = await export(self._platform.database, self._signing, file, plane, who.label, heads)
            body = await asyncio.to_thread(file.read_bytes)
        return web.Response(
            body=body,
            content_type="application/jsonl",
            headers={
                "Content-Disposition": f'attachment; filename="audit-{verified.n}.jsonl"',
                "Cache-Control": "no-store",
            },
        )
