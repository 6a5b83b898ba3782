"""What openapi.json says of each route for programs is so: schemathesis asks a running Tocsin, rightly and wrongly."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from services.registry.model.facilities import PlaceIn
from services.registry.people.places import import_places
from services.registry.store.register import person
from services.registry.store.tables import held_change
from services.router.store.cases import case as cases
from services.router.store.tables import path, policy_proposed
from services.shared.ledger.tables import delivery
from tests.kit import alerts
from tests.kit.town import Town, open_town
from tools import reference

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, ignored_auth,
]  # fmt: skip
EXAMPLES = {GenerationMode.POSITIVE: 6, GenerationMode.NEGATIVE: 3}  # of each route
NOBODYS = "0" * 32
POLICY = "a" * 64
FILE = "application/octet-stream"


def test_what_asks_for_a_key_is_what_is_not_everybodys() -> None:
    """The document says of each address what opens it: nothing for what everybody may read, a key for the rest."""
    document = json.loads((Path(reference.__file__).parents[1] / "docs/reference/openapi.json").read_bytes())
    for route, asked in document["paths"].items():
        for operation in asked.values():
            assert ([{"key": []}] != operation.get("security")) == route.startswith(("/public/", "/cap/")), route


async def lived_in(town: Town) -> dict[str, list[str]]:
    """A warning under way, a place and a call for help; ids by the name of the path's parameter."""
    place = PlaceIn(place_id="9" * 32, name="School", lat=30.0, lon=103.0, interpreter=("zh",))
    await import_places(town.node.platform.database, [place], actor="test")
    warning_id = await town.warn(alerts.flood("OPENAPI"))
    texted = sa.select(delivery.c.delivery_id).where(
        delivery.c.warning_id == warning_id,
        delivery.c.channel == "sms",
        delivery.c.attempts > 0,
        delivery.c.covers == 1,
    )
    for n, row in enumerate((await town.rows(texted.order_by(delivery.c.delivery_id)))[:3]):
        await town.phone_of(row.delivery_id).writes("help please", f"SM{n}")
    people = await town.rows(sa.select(path.c.person_id).where(path.c.warning_id == warning_id).limit(2))
    facilities = await town.rows(sa.select(person.c.person_id).where(person.c.kind == "facility").limit(1))
    open_cases = await town.rows(sa.select(cases.c.case_id).where(cases.c.warning_id == warning_id))
    waiting = {
        "authority": "Qingshui County", "source_id": "5" * 32, "source": "town", "change": {"status": "moved"},
        "said": ["civil_affairs", "2026-11-22", "town", "5" * 32, ""], "asked_by": "clerk", "asked_key": "4" * 32,
        "at": 0.0, "state": "waiting", "settled_by": "",
    }  # fmt: skip
    held = [{"held_id": str(n) * 32, "person_id": row.person_id, **waiting} for n, row in enumerate(people, 1)]
    async with town.node.platform.database.write() as tx:
        await tx.execute(sa.insert(held_change), held)
        proposed = {"policy": POLICY, "name": "another", "since": 0.0, "agreed": []}
        await tx.execute(sa.insert(policy_proposed).values(proposed))
    written = town.session.post(
        f"{town.url}/send/new", data={"template": "flash_flood.red.leave", "impact": ""}, allow_redirects=False,
        headers={"Authorization": f"Bearer {town.key}", "Accept": "text/html"},
    )  # fmt: skip
    async with written as answer:
        sketch_id = answer.headers["Location"].split("/")[2]
    return {
        "sketch_id": [sketch_id], "held_id": [row["held_id"] for row in held], "slot": ["fireservice"],
        "warning_id": [warning_id], "place_id": [place.place_id], "person_id": [row.person_id for row in people],
        "facility_id": [row.person_id for row in facilities], "case_id": [row.case_id for row in open_cases],
    }  # fmt: skip


def asked_about(known: Mapping[str, list[str]]) -> dict[str, Any]:
    """The document, its paths about what is there as well; its answers may hold nothing that it does not name."""
    document = copy.deepcopy(reference.openapi())
    for operations in document["paths"].values():
        for operation in operations.values():
            for one in operation.get("parameters", ()):
                if one["in"] == "path":
                    one["schema"] = {"enum": [*known[one["name"]], NOBODYS]}
    for name, schema in document["components"]["schemas"].items():
        if "properties" in schema and name != "Problem":
            schema.setdefault("additionalProperties", False)
    return document


def sound(known: Mapping[str, list[str]], draft: str, asked: str, listed: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """One right request of each route to which chance alone makes none."""
    why = {"body": {"reason": "the phone is lost"}, "media_type": "application/json"}
    yes = {"by": "self", "method": "in_person", "notice_version": "2026-1", "purposes": ["warn_me"]}
    somebody = {"call_name": "Ms Anna", "lat": 30.05, "lon": 103.05, "wg": {"hear": 4}, "birth_year": 1950}
    corners = [[[103.0, 30.0], [103.1, 30.0], [103.1, 30.1], [103.0, 30.0]]]
    square = {
        "type": "Feature", "properties": {"code": "7", "name": "East"},
        "geometry": {"type": "Polygon", "coordinates": corners},
    }  # fmt: skip
    areas = json.dumps({"type": "FeatureCollection", "features": [square]}).encode()
    return {
        "POST /api/v1/warnings": {
            "query": {"strict": "false", "release": "false"}, "body": alerts.flood("OPENAPI-3").encode(),
            "media_type": "application/cap+xml",
        },
        "POST /api/v1/warnings/{warning_id}/release": {"path_parameters": {"warning_id": draft}, "body": {}},
        "POST /api/v1/policy/agree": {"body": {"policy": POLICY[:12]}},
        "POST /api/v1/warnings/{warning_id}/ask": {"path_parameters": {"warning_id": asked}, "body": {"alone": False}},
        "POST /channels/lists/{warning_id}/{slot}/link": {
            "path_parameters": {"warning_id": listed[0], "slot": listed[1]}, **why,
        },
        "POST /channels/lists/{warning_id}/recall": {
            "path_parameters": {"warning_id": known["warning_id"][0]}, **why,
        },
        "POST /people": {"body": {"person": somebody, "yes": yes}},
        "POST /people/areas": {"query": {"value_name": "GB2260"}, "body": areas, "media_type": FILE},
        "POST /people/import": {
            "query": {"source": "town"}, "body": b"id,name,lat,lon\n1,A,30.05,103.05\n2,B,x,103.05\n", "media_type": FILE,
        },
        "POST /people/selection": {"body": {"polygons": [square["geometry"]]}},
        "POST /people/decoys": {"body": {"count": 1}},
        "POST /people/held/{held_id}/confirm": {"path_parameters": {"held_id": known["held_id"][0]}},
        "POST /people/held/{held_id}/reject": {"path_parameters": {"held_id": known["held_id"][1]}},
        "POST /people/facilities/{facility_id}/occupancy": {
            "path_parameters": {"facility_id": known["facility_id"][0]}, "body": {"day": "2026-11-22", "people": 45},
        },
    }  # fmt: skip


class Asking:
    """Asks one route with a key that may do everything, and holds each answer against the document."""

    def __init__(self, operation: Any, town: Town) -> None:
        self._operation = operation
        self._url = town.url
        self._key = {"Authorization": f"Bearer {town.key}"}
        self.heard: set[int] = set()

    def ask(self, case: schemathesis.Case) -> None:
        answer = case.call(base_url=self._url, headers=self._key)
        self.heard.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    def by_chance(self, mode: GenerationMode) -> None:
        """The same examples in each run."""

        @settings(
            max_examples=EXAMPLES[mode], derandomize=True, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=self._operation.as_strategy(generation_mode=mode))
        def answers_as_it_says(case: schemathesis.Case) -> None:
            self.ask(case)

        answers_as_it_says()

    def all(self, right: Mapping[str, Any] | None) -> None:
        """The right request if one is given, others that the document allows, and such that it does not."""
        if right is not None:
            self.ask(self._operation.Case(**right))
        self.by_chance(GenerationMode.POSITIVE)
        if self._operation.body or list(self._operation.iter_parameters()):
            self.by_chance(GenerationMode.NEGATIVE)


@pytest.mark.long
async def test_every_route_answers_as_the_document_says(tmp_path: Path) -> None:
    """No 500; status, content type and body are documented, for what is refused and for what is done."""
    async with open_town(tmp_path, people=24) as town:
        known, draft = await lived_in(town), await town.draft(alerts.flood("OPENAPI-2"))
        asked = await town.draft(alerts.flood("OPENAPI-5"))
        assert all(known.values()), known
        walked = await town.warn(alerts.flood("OPENAPI-4"), doors="safe")
        right = sound(known, draft, asked, (walked, (await town.officers_of(walked))[0]))
        wrong, undone = [], []
        for found in schemathesis.openapi.from_dict(asked_about(known)).get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            asking = Asking(operation, town)
            try:
                await asyncio.to_thread(asking.all, right.get(operation.label))
            except ExceptionGroup as failures:
                wrong += [f"{operation.label}: {one}" for one in failures.exceptions]
            if asking.heard.isdisjoint({200, 201, 202}):
                undone.append(operation.label)
    assert not wrong, "\n\n".join(wrong)
    assert ["POST /open/devices/test"] == undone  # no speaker hangs here
