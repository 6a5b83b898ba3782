"""What machines call: importing people as CSV, and how many there are of each group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from aiohttp import web

from services.registry import store
from services.registry.csv_people import import_csv
from services.registry.needs import GROUPS
from services.shared.errors import Refused
from services.shared.service import Platform
from services.shared.web import caller, json_response

SHOWN = 200  # issues in one answer


class Api:
    """The registry's two addresses."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """POST /people/import, GET /people/summary."""
        return [web.post("/people/import", self.take), web.get("/people/summary", self.summary)]

    async def take(self, request: web.Request) -> web.Response:
        """Imports a CSV body (query: source, region); answers the report, row by row."""
        who = await caller(request, "register")
        source = request.query.get("source", "").strip()
        if not source:
            raise Refused(
                "say whose list this is",
                field="source",
                rule="required",
                remedy="add ?source=<name of the list> and keep it the same at every import",
            )
        report = await import_csv(
            self._platform.database,
            self._platform.keys,
            await request.read(),
            source=source,
            region=request.query.get("region", "").upper() or None,
            year=self._year(),
            actor=who.label,
        )
        answer = asdict(report)
        answer["issues"] = answer["issues"][:SHOWN]
        answer["issues_not_shown"] = max(0, len(report.issues) - SHOWN)
        return json_response(answer)

    async def summary(self, request: web.Request) -> web.Response:
        """People who are warned: in all, by kind, and by need group (groups overlap)."""
        await caller(request, "read")
        async with self._platform.database.read() as db:
            counts = await store.counts_by_profile(db)
            profiles = await store.profiles_of(db, counts)
        kinds: Counter[str] = Counter()
        groups: Counter[str] = Counter()
        for key, n in counts.items():
            kinds[profiles[key].kind] += n
            if profiles[key].kind != "facility":
                groups.update(dict.fromkeys(profiles[key].groups, n))
        return json_response(
            {
                "people": kinds["resident"] + kinds["subscriber"],
                "kinds": {kind: kinds[kind] for kind in ("resident", "subscriber", "facility")},
                "groups": {group: groups[group] for group in GROUPS},
                "profiles": len(counts),
            }
        )

    def _year(self) -> int:
        return datetime.fromtimestamp(self._platform.clock.now(), UTC).year
