"""Answers programs: JSON, problem documents of faults, and bodies read by a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

import pydantic
from aiohttp import web

from services.shared.errors import Busy, Fault, Refused
from services.shared.i18n import told
from services.shared.model_faults import said_of

M = TypeVar("M", bound=pydantic.BaseModel)
T = TypeVar("T")


def problem(status: int, title: str, **members: object) -> web.Response:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": title, "status": status, **{k: v for k, v in members.items() if v}}
    return web.Response(
        status=status, text=json.dumps(body, ensure_ascii=False, default=str), content_type="application/problem+json"
    )


def problem_of(fault: Fault) -> web.Response:
    """The problem document of a fault."""
    if isinstance(fault, Refused):
        given = str(fault.given)[:200] if fault.given is not None else None
        response = problem(
            fault.status,
            told(fault.message),
            field=fault.field,
            rule=fault.rule,
            given=given,
            remedy=told(fault.remedy),
        )
    else:
        response = problem(fault.status, told(fault.message))
    if isinstance(fault, Busy):
        response.headers["Retry-After"] = str(fault.retry_after)
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def json_body(request: web.Request, model: type[M]) -> M:
    """The body as a model; Refused names the first field that is wrong, what was given and the rule."""
    try:
        return model.model_validate_json(await request.read())
    except pydantic.ValidationError as wrong:
        raise refused_by(wrong) from wrong


def refused_by(wrong: pydantic.ValidationError) -> Refused:
    """The first fault of a pydantic validation, as one sentence."""
    first = wrong.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    return Refused(
        f"{where}: {said_of(first).sentence}",
        field=where,
        rule=first["type"],
        given=repr(first.get("input"))[:200],
        remedy=f"correct {where} and send it again",
    )


class Json(web.Response, Generic[T]):
    """JSON with non-ASCII left readable. Its kind, as in `-> Json[Coverage]`, is the answer's schema in openapi.json."""

    code: ClassVar[int] = 200

    def __init__(self, value: T, *, status: int | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            status=status or self.code,
            text=json.dumps(value, ensure_ascii=False),
            content_type="application/json",
            headers=headers,
        )


class Created(Json[T]):
    """JSON about what was made just now."""

    code = 201


class Accepted(Json[T]):
    """JSON about what is written down and goes on by itself."""

    code = 202
