"""The JSON API, each endpoint with each field wrong in turn: a problem document that names field and rule, nothing changed."""

from __future__ import annotations

import copy
import io
from typing import Any

import aiohttp
import pytest

from tests.kit import alerts
from tests.kit.town import Town, said

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24

CAP = "application/cap+xml"
JSON = "application/json"
NOBODY = "0" * 32
SQUARE = [[102.98, 30.0], [103.05, 30.0], [103.05, 30.05], [102.98, 30.05], [102.98, 30.0]]
BOW_TIE = [[102.98, 30.0], [103.05, 30.05], [103.05, 30.0], [102.98, 30.05], [102.98, 30.0]]
GOOD: dict[str, Any] = {
    "identifier": "JSON-1",
    "sender": "alerts@qingshui.example",
    "sent": "2026-06-10T11:59:00+08:00",
    "expires": "2026-06-10T18:00:00+08:00",
    "tier": "red",
    "hazard": "flash_flood",
    "respond": "evacuate",
    "texts": {"en": {"source": "Town", "hazard": "Flash flood", "place": "Hedong", "action": "Leave now."}},
    "area": {"type": "Polygon", "coordinates": [SQUARE]},
}
MISSING = object()
# what is wrong: path in the body, value, and the field and rule that are named ("" where any will do)
BODIES: list[tuple[str, object, str, str]] = [
    ("identifier", MISSING, "identifier", "missing"),
    ("identifier", "two words", "identifier", "string_pattern_mismatch"),
    ("identifier", "", "identifier", "string_pattern_mismatch"),
    ("identifier", 7, "identifier", "string_type"),
    ("sender", "a,b", "sender", "string_pattern_mismatch"),
    ("sent", "yesterday", "sent", ""),
    ("sent", "2026-06-10T11:59:00", "sent", "timezone_aware"),
    ("expires", MISSING, "expires", "missing"),
    ("expires", "2026-06-10T10:00:00+08:00", "body", "value_error"),
    ("onset", "soon", "onset", ""),
    ("status", "System", "status", "literal_error"),
    ("status", "Exercise", "status", "plane"),
    ("tier", "purple", "tier", "literal_error"),
    ("hazard", "dragon", "body", "value_error"),
    ("respond", "dance", "body", "value_error"),
    ("go_to", {"name": {"en": "Nanling School"}, "open": False}, "go_to", "value_error"),
    ("go_to", {"name": {"en": "Nanling School"}}, "go_to.open", "missing"),
    ("texts", {}, "texts", "too_short"),
    ("texts", {"not a tag": GOOD["texts"]["en"]}, "body", "value_error"),
    ("texts.en.action", "", "texts.en.action", "string_too_short"),
    ("texts.en.action", "x" * 1001, "texts.en.action", "string_too_long"),
    ("texts.en.source", MISSING, "texts.en.source", "missing"),
    ("texts.en.joke", "ha", "texts.en.joke", "extra_forbidden"),
    ("area", MISSING, "body", "value_error"),
    ("area", {"type": "Point", "coordinates": [1, 2]}, "area.type", ""),
    ("area", {"type": "Polygon", "coordinates": [SQUARE[:-2]]}, "area", "geojson"),
    ("area", {"type": "Polygon", "coordinates": [BOW_TIE]}, "area", "simple polygon"),
    ("area", {"type": "Polygon", "coordinates": [[[200, 0], [210, 0], [210, 5], [200, 0]]]}, "area", "WGS 84"),
    ("circle", {"lat": 91, "lon": 0, "radius_km": 1}, "circle.lat", "less_than_equal"),
    ("circle", {"lat": 1, "lon": 181, "radius_km": 1}, "circle.lon", "less_than_equal"),
    ("circle", {"lat": 1, "lon": 0, "radius_km": 0}, "circle.radius_km", "greater_than"),
    ("geocodes", [["a", "b"]] * 501, "geocodes", "too_long"),
    ("geocodes", [["only one"]], "geocodes.0.1", "missing"),
    ("updates", NOBODY, "updates", ""),
    ("surprise", 1, "surprise", "extra_forbidden"),
]


def changed(path: str, value: object) -> dict[str, Any]:
    """A good body with one thing wrong."""
    body = copy.deepcopy(GOOD)
    at = body
    *way, last = path.split(".")
    for step in way:
        at = at[step]
    if value is MISSING:
        del at[last]
    else:
        at[last] = value
    return body


async def refused(response: aiohttp.ClientResponse, status: int, field: str, rule: str) -> None:
    """A problem document of that status that names field and rule and says something."""
    text = await response.text()
    assert status == response.status, text
    assert "application/problem+json" == response.content_type
    problem = said(text)
    assert status == problem["status"]
    assert 8 < len(problem["title"]) < 500
    assert "Traceback" not in text
    if field:
        assert field == problem.get("field"), text
    if rule:
        assert rule == problem.get("rule"), text


@pytest.fixture
def head(tocsin: Town) -> dict[str, str]:
    return {"Authorization": f"Bearer {tocsin.key}"}


async def test_each_wrong_field_of_a_json_warning(client: aiohttp.ClientSession, tocsin: Town, head) -> None:
    """The first wrong field is named with its rule; no warning comes of it."""
    before = await tocsin.shape()
    for path, value, field, rule in BODIES:
        async with client.post(f"{tocsin.url}/api/v1/warnings", json=changed(path, value), headers=head) as response:
            await refused(response, 404 if path == "updates" else 422, field, rule)
    assert before == await tocsin.shape()


async def test_each_wrong_request_for_a_warning(client: aiohttp.ClientSession, tocsin: Town, head) -> None:
    """Body, content type, query, headers and key, one wrong at a time."""
    before = await tocsin.shape()
    cap, url = alerts.flood("API-CAP").encode(), f"{tocsin.url}/api/v1/warnings"
    cases: list[tuple[int, str, str, bytes, dict[str, str], str]] = [
        (422, "", CAP, b"", {}, "body"),
        (422, "", CAP, b"   ", {}, "body"),
        (422, "", CAP, alerts.GARBAGE.encode(), {}, ""),
        (422, "", CAP, alerts.XXE.encode(), {}, ""),
        (422, "", CAP, b"\xff\xfe\x00<alert", {}, ""),
        (422, "", JSON, b"{", {}, "body"),
        (422, "", JSON, b"[]", {}, "body"),
        (422, "", JSON, b"\xff", {}, "body"),
        (422, "", "text/plain", cap, {}, "Content-Type"),
        (422, "", "application/octet-stream", cap, {}, "Content-Type"),
        (422, "?release=maybe", CAP, cap, {}, "release"),
        (422, "?strict=1", CAP, cap, {}, "strict"),
        (422, "?doors=open", CAP, cap, {}, "doors"),
        (422, "", CAP, cap, {"Idempotency-Key": "k" * 201}, "Idempotency-Key"),
        (401, "", CAP, cap, {"Authorization": "Bearer toc_nobody"}, "Authorization"),
        (401, "", CAP, cap, {"Authorization": "Basic abc"}, "Authorization"),
        (401, "", CAP, cap, {"Authorization": "Bearer"}, "Authorization"),
        (403, "", CAP, cap, {"Authorization": f"Bearer {tocsin.reader}"}, ""),
        (413, "", CAP, b"x" * (2 * 1024 * 1024 + 1), {}, ""),
    ]  # fmt: skip
    for status, query, kind, body, more, field in cases:
        sending = io.BytesIO(body) if len(body) > 1_000_000 else body
        async with client.post(url + query, data=sending, headers={**head, "Content-Type": kind, **more}) as response:
            await refused(response, status, field, "")
    assert before == await tocsin.shape()


async def test_the_same_name_with_other_content_is_a_conflict(
    client: aiohttp.ClientSession, tocsin: Town, head
) -> None:
    """Sent twice it is one warning; with other content, or one Idempotency-Key for two, it is 409."""
    url, kind = f"{tocsin.url}/api/v1/warnings?release=false&strict=false", {**head, "Content-Type": CAP}
    first = alerts.flood("API-TWICE").encode()
    async with client.post(url, data=first, headers={**kind, "Idempotency-Key": "k1"}) as response:
        assert 202 == response.status
        warning_id = (await response.json())["warning_id"]
    before = await tocsin.shape()
    async with client.post(url, data=first, headers=kind) as response:
        again = await response.json()
        assert (202, warning_id, True) == (response.status, again["warning_id"], again["seen_before"])
    async with client.post(url, data=first.replace(b"Leave now", b"Stay"), headers=kind) as response:
        await refused(response, 409, "identifier", "cap.5")
    other = alerts.flood("API-OTHER").encode()
    async with client.post(url, data=other, headers={**kind, "Idempotency-Key": "k1"}) as response:
        await refused(response, 409, "Idempotency-Key", "same key, same body")
    assert before == await tocsin.shape()


async def test_each_wrong_act_on_a_warning(client: aiohttp.ClientSession, tocsin: Town, head) -> None:
    """Release, cancel, the commander's word, reading: closed lists, lengths, unknown ids, wrong methods."""
    held, live = await _held(client, tocsin, head), await tocsin.warn(alerts.plume("API-PLUME"))
    api = "/api/v1/warnings"
    cases: list[tuple[int, str, object, str, str]] = [
        (422, f"{api}/{held}/release", {"tier": "purple"}, "tier", "literal_error"),
        (422, f"{api}/{held}/release", {"tier": "red", "doors": "open"}, "doors", "literal_error"),
        (422, f"{api}/{held}/release", {"tier": "red", "reason": "x" * 401}, "reason", "string_too_long"),
        (422, f"{api}/{held}/release", {"colour": "red"}, "colour", "extra_forbidden"),
        (422, f"{api}/{held}/release", {}, "tier", "required"),
        (422, f"{api}/{held}/release", [], "body", ""),
        (404, f"{api}/{NOBODY}/release", {"tier": "red"}, "warning_id", ""),
        (422, f"{api}/{live}/cancel", {}, "ending", "missing"),
        (422, f"{api}/{live}/cancel", {"ending": "bored", "reason": "why"}, "ending", "literal_error"),
        (422, f"{api}/{live}/cancel", {"ending": "may_return"}, "reason", "missing"),
        (422, f"{api}/{live}/cancel", {"ending": "may_return", "reason": "x"}, "reason", "string_too_short"),
        (422, f"{api}/{live}/cancel", {"ending": "may_return", "reason": "x" * 401}, "reason", "string_too_long"),
        (404, f"{api}/{NOBODY}/cancel", {"ending": "may_return", "reason": "why"}, "warning_id", ""),
        (422, f"/report/{live}/doors", {"word": "perhaps", "commander": "Chen"}, "word", "literal_error"),
        (422, f"/report/{live}/doors", {"word": "safe"}, "commander", "missing"),
        (422, f"/report/{live}/doors", {"word": "safe", "commander": "C"}, "commander", "string_too_short"),
        (422, f"/report/{live}/doors", {"word": "safe", "commander": "C" * 81}, "commander", "string_too_long"),
        (409, f"/report/{live}/doors", {"word": "safe", "commander": "Chen"}, "word", "hazards.door"),
        (404, f"/report/{NOBODY}/doors", {"word": "safe", "commander": "Chen"}, "warning_id", ""),
        (422, "/people/import", "", "source", "required"),
    ]  # fmt: skip
    before = await tocsin.shape()
    for status, path, body, field, rule in cases:
        async with client.post(f"{tocsin.url}{path}", json=body, headers=head) as response:
            await refused(response, status, field, rule)
    for path in (f"{api}/{NOBODY}", f"/report/{NOBODY}/coverage", f"/report/{live}/path/{NOBODY}", "/api/v1/nothing"):
        async with client.get(f"{tocsin.url}{path}", headers=head) as response:
            await refused(response, 404, "", "")
    for path in (api, f"{api}/{live}", f"/report/{live}/coverage", f"/report/{live}/people", "/people/summary"):
        async with client.get(f"{tocsin.url}{path}") as response:
            await refused(response, 401, "Authorization", "api-key")
    async with client.delete(f"{tocsin.url}{api}/{live}", headers=head) as response:
        await refused(response, 405, "", "")
        assert "GET" in response.headers["Allow"]
    assert before == await tocsin.shape()


async def _held(client: aiohttp.ClientSession, tocsin: Town, head: dict[str, str]) -> str:
    url, kind = f"{tocsin.url}/api/v1/warnings?strict=false", {**head, "Content-Type": CAP}
    async with client.post(url, data=alerts.held("API-HELD").encode(), headers=kind) as response:
        taken = await response.json()
    assert "held" == taken["state"]
    return str(taken["warning_id"])
