"""The stand-in's answers against the provider's published OpenAPI document (TOCSIN_TWILIO_SPEC)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from services.sim.callees import CalleeReaction, CallFate, TextFate
from tests.kit.provider_stub import Client, settle

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "object": dict,
    "array": list,
    "boolean": bool,
    "number": (int, float),
}
FORMATS = {"date-time-rfc-2822": re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000")}


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(os.environ["TOCSIN_TWILIO_SPEC"]).read_text("utf-8"))
    return document


def faults(spec: Any, schema: Any, value: Any, where: str = "") -> list[str]:
    """What in `value` the schema does not allow: a property it does not know or that is missing, a type, an enum."""
    if "$ref" in schema:
        return faults(spec, spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], value, where)
    if value is None:
        return [] if schema.get("nullable") else [f"{where} is null"]
    fits: bool = isinstance(value, TYPES[schema.get("type", "object")])
    if not fits:
        return [f"{where} is {type(value).__name__}, not {schema.get('type')}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is not in {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} does not fit {schema['pattern']}")
    if schema.get("format") in FORMATS and not FORMATS[schema["format"]].fullmatch(value):
        found.append(f"{where}: {value!r} is no {schema['format']}")
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{where}.{name} is missing" for name in schema["properties"] if name not in value]
        for name, one in value.items():
            if name in schema["properties"]:
                found += faults(spec, schema["properties"][name], one, f"{where}.{name}")
            else:
                found.append(f"{where}.{name} is not in the document")
    if isinstance(value, list):
        found += [f for n, one in enumerate(value) for f in faults(spec, schema["items"], one, f"{where}[{n}]")]
    return found


def answer_schema(spec: dict[str, Any], operation_id: str) -> tuple[int, dict[str, Any]]:
    """Status and schema of an operation's only documented answer."""
    for path in spec["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and operation.get("operationId") == operation_id:
                ((status, answer),) = operation["responses"].items()
                return int(status), answer["content"]["application/json"]["schema"]
    raise LookupError(operation_id)


async def test_every_answer_has_the_documented_shape(world_of, stub, session, spec) -> None:
    """Create, fetch and list of messages and calls: before, during and after their lives, with and without errors."""
    world = await world_of()
    client = Client(world, stub, session)
    numbers: dict[str, tuple[int, Any]] = {
        "+99970001111": (0, "human"),
        "+99970001112": (30003, "busy"),
        "+99970001113": (0, "machine"),
    }
    world.phones.text = lambda text: TextFate(1.0, 4.0, numbers[text.to][0])
    world.phones.got = lambda text: None
    world.phones.ring = lambda ring: CallFate(numbers[ring.to][1], 6.0)
    world.phones.hears = lambda ring, said, seconds, turn, keys: CalleeReaction("", seconds)
    made: dict[str, list[str]] = {"Message": [], "Call": []}

    async def check(operation: str, status: int, body: Any) -> None:
        wanted, schema = answer_schema(spec, operation)
        assert wanted == status
        assert [] == faults(spec, schema, body, operation)

    async def get(operation: str, path: str) -> None:
        async with session.get(f"{client.base}/{path}", headers=client.auth) as answer:
            await check(operation, answer.status, await answer.json())

    async def look() -> None:
        for kind, sids in made.items():
            for sid in sids:
                await get(f"Fetch{kind}", f"{kind}s/{sid}.json")
            await get(f"List{kind}", f"{kind}s.json?PageSize=2")

    for n, to in enumerate(numbers):
        status, body, _ = await client.sms(to, "Flood. Go now. 马上走", f"s{n}")
        await check("CreateMessage", status, body)
        made["Message"].append(body["sid"])
        status, body, _ = await client.call(to, "Flood. Go now.", f"c{n}")
        await check("CreateCall", status, body)
        made["Call"].append(body["sid"])
    await look()
    await settle(world, 4)
    await look()
    await settle(world)
    await look()
    assert {"delivered", "undelivered"} == {m.status for m in world.sandbox.messages.values()}


def test_every_parameter_our_drivers_send_is_documented(spec) -> None:
    """A misspelt form field would be ignored by the real API without a word."""
    sent = {
        "CreateMessage": {"To", "From", "Body", "StatusCallback", "ValidityPeriod", "MessagingServiceSid"},
        "CreateCall": {"To", "From", "Twiml", "StatusCallback", "StatusCallbackEvent", "MachineDetection", "Timeout"},
    }
    for path in spec["paths"].values():
        operation = path.get("post", {})
        if operation.get("operationId") in sent:
            form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]["properties"]
            assert set() == sent.pop(operation["operationId"]) - set(form)
    assert {} == sent
