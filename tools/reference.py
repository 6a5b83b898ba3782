"""Writes the reference part of the documents from the code: settings, commands, HTTP routes, and OpenAPI 3.1.

`python -m tools.reference` writes docs/reference; a test fails where what is written differs from the code.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import typer
from aiohttp import web
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from services import __version__
from services.channels.providers.loading import find
from services.gateway.accounts.openid import OpenIdSettings
from services.gateway.intake.incoming import WarningIn
from services.shared.settings import Environment
from services.shared.web.answers import Json
from services.shared.web.edge import PUBLIC

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made by `python -m tools.reference` from the code: do not edit. -->\n\n"
HTTP_INTRO = """# HTTP

Routes for programs stand, with their bodies, in [openapi.json](openapi.json). Every refusal is a problem document
(RFC 9457): `title`, `status`, `field`, `rule`, `given`, `remedy`.
"""
PROBLEM = {
    "type": "object",
    "description": "RFC 9457: which field, which rule, what was given, what to do",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "field": {"type": "string"}, "rule": {"type": "string"}, "given": {}, "remedy": {"type": "string"},
    },
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a handler says it answers a program with: `-> Json[Coverage]` or `-> Annotated[web.Response, ATOM_TYPE]`."""

    status: int
    content_type: str
    kind: Any = None


@dataclass(frozen=True)
class Route:
    """One route of a service, read from the table its `routes` returns."""

    method: str
    path: str
    service: str
    says: str
    answers: tuple[Answer, ...] = ()
    query: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    form: tuple[str, ...] = ()
    file: bool = False


# ---- settings


def _kinds(kind: type[Environment]) -> Iterator[type[Environment]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


def settings_page() -> str:
    """Every TOCSIN_ variable: its default and what it means, by the part that reads it."""
    find()  # drivers have settings of their own
    parts = [
        MADE,
        "# Settings\n\nEvery setting is a variable of the environment, or a file of its name in `TOCSIN_SECRETS_DIR`.\n",
    ]
    kinds: set[type[Environment]] = {*_kinds(Environment), OpenIdSettings}
    own = (k for k in kinds if k.__module__.startswith("services."))
    for kind in sorted(own, key=lambda k: (k.__module__ != "services.shared.settings", k.__module__, k.__name__)):
        prefix = str(kind.model_config.get("env_prefix", ""))
        rows = []
        for name, field in kind.model_fields.items():
            default = field.get_default(call_default_factory=True, validated_data={})
            shown = "" if default in ("", None, PydanticUndefined) or "ecret" in repr(default) else f"`{default}`"
            rows.append(f"| `{(prefix + name).upper()}` | {shown} | {(field.description or '').replace('|', '/')} |")
        if rows:
            title = (kind.__doc__ or kind.__name__).strip().splitlines()[0]
            parts.append(
                f"\n## {title}\n\nRead by `{kind.__module__}`.\n\n| variable | default | meaning |\n|---|---|---|\n"
            )
            parts.append("\n".join(rows) + "\n")
    return "".join(parts)


# ---- commands


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Name and command of each; Typer brings a click of its own, so kinds are told by what they can do."""
    if not hasattr(command, "list_commands"):
        yield name, command
        return
    here = command.make_context(name.rpartition(" ")[2], [], resilient_parsing=True)
    for sub in command.list_commands(here):
        found = command.get_command(here, sub)
        if found is not None and not found.hidden:
            yield from _commands(found, f"{name} {sub}")


def commands_page() -> str:
    """Every command with its arguments and options."""
    from services.__main__ import app

    parts = [MADE, "# Commands\n\nExit codes: 0 done, 1 refused, 2 usage, 3 the server or the database is away.\n"]
    for name, command in _commands(typer.main.get_command(app), "tocsin"):
        parts.append(f"\n## {name}\n\n{(command.help or '').strip()}\n")
        rows = []
        for one in command.params:
            option = one.param_type_name == "option"
            if option and (one.hidden or "--help" in one.opts):
                continue
            said = (getattr(one, "help", "") or "").replace("|", "/").replace("\n", " ")
            label = " ".join(one.opts) if option else str(one.name).upper()
            rows.append(f"| `{label}` | {said} |")
        if rows:
            parts.append("\n| argument or option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


# ---- HTTP


def routes() -> list[Route]:
    """Every route of the services, from the tables in their code, by path."""
    found: list[Route] = []
    for file in sorted((ROOT / "services").rglob("*.py")):
        if "sim" in file.parts or "web.AbstractRouteDef" not in (source := file.read_text("utf-8")):
            continue
        module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        for kind in (n for n in ast.parse(source).body if isinstance(n, ast.ClassDef)):
            found += _routes_of(kind, module)
    return sorted(found, key=lambda r: (r.path, r.method))


def _routes_of(kind: ast.ClassDef, module: Any) -> Iterator[Route]:
    methods = {n.name: n for n in kind.body if isinstance(n, ast.AsyncFunctionDef)}
    for call in (n for n in ast.walk(kind) if isinstance(n, ast.Call)):
        if not (isinstance(call.func, ast.Attribute) and call.func.attr in ("get", "post") and len(call.args) == 2):
            continue
        where, handler = call.args
        if isinstance(handler, ast.Call) and isinstance(handler.func, ast.Name) and handler.func.id == "partial":
            handler = handler.args[0]
        if not (
            isinstance(call.func.value, ast.Name) and call.func.value.id == "web" and isinstance(handler, ast.Attribute)
        ):
            continue
        path = _path(where, getattr(module, kind.name), module)
        method = methods.get(handler.attr)
        if path is not None and method is not None:
            said = (ast.get_docstring(method) or "").strip().split("\n\n")[0].replace("\n", " ")
            service = module.__name__.split(".")[1]
            query, form = _asked(method, kind, module)
            file = any(isinstance(n, ast.Name) and n.id == "_save" for n in ast.walk(method))
            yield Route(
                call.func.attr.upper(), path, service, said, tuple(_answers(getattr(module, kind.name), method.name)),
                query, _body(method, module), form, file,
            )  # fmt: skip


def _answers(kind: type, handler: str) -> Iterator[Answer]:
    """What its return annotation says; a page, which is for people, says nothing."""
    told = get_type_hints(getattr(kind, handler), include_extras=True)["return"]
    for one in get_args(told) if get_origin(told) in (types.UnionType, Union) else (told,):
        origin = get_origin(one)
        if isinstance(origin, type) and issubclass(origin, Json):
            yield Answer(origin.code, "application/json", get_args(one)[0])
        elif origin is Annotated and issubclass(get_args(one)[0], web.StreamResponse):
            _, content_type, *schema = get_args(one)
            yield Answer(200, content_type, *schema)


def _asked(method: ast.AsyncFunctionDef, kind: ast.ClassDef, module: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names a handler looks up in the query and in a form: itself, and by what it calls of its own module."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    near = {n.name: n for n in (*tree.body, *kind.body) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    query, form, seen, ahead = dict[str, None](), dict[str, None](), set[str](), [ast.unparse(method)]
    while ahead:
        text = ahead.pop()
        aliases = re.findall(r"(\w+)(?:: [\w\[\], ]+)? = request\.query$", text, re.M)
        aliases += re.findall(r"^(?:async )?def \w+\((\w+): Mapping\[str, str\]", text)
        of = "|".join(["request\\.query", *(rf"\b{name}" for name in aliases)])
        query |= dict.fromkeys(re.findall(rf"(?:{of})(?:\.get\(|\[)'(\w+)'", text))
        if "request.post()" in text:
            form |= dict.fromkeys(re.findall(r"\(await request\.post\(\)\)\.get\('(\w+)'", text))
        for name, argument in re.findall(r"\b(\w+)\((?:request(?:\.query)?|asked)(?:, '(\w+)')?", text):
            found = near.get(name)
            if found is None:
                continue
            if argument:
                query[argument] = None
            if name not in seen:
                seen.add(name)
                ahead.append(ast.unparse(found))
    return tuple(query), tuple(form)


def _path(where: ast.expr, kind: type, module: Any) -> str | None:
    """The path a table names: a literal, a constant of the module, or a literal with the driver's name in it."""
    if isinstance(where, ast.Name):
        where_value: Any = getattr(module, where.id)
    elif isinstance(where, ast.Constant):
        where_value = where.value
    elif isinstance(where, ast.JoinedStr):
        parts = [p.value if isinstance(p, ast.Constant) else getattr(kind, "name", None) for p in where.values]
        if None in parts:
            return None
        where_value = "".join(str(p) for p in parts)
    else:
        return None
    return re.sub(r"\{(\w+):[^/]*?\}(?=/|\.|$)", r"{\1}", str(where_value)).replace("[0-9a-f]{32}}", "}")


def _body(method: ast.AsyncFunctionDef, module: Any) -> type[BaseModel] | None:
    """The model a handler reads its body with: `json_body(request, Model)`."""
    for call in (n for n in ast.walk(method) if isinstance(n, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id == "json_body" and isinstance(call.args[1], ast.Name):
            model = getattr(module, call.args[1].id, None)
            return model if isinstance(model, type) and issubclass(model, BaseModel) else None
    return None


def http_page() -> str:
    """Every route, by service."""
    parts = [MADE, HTTP_INTRO]
    found = routes()
    for service in ("gateway", "registry", "router", "channels", "shared"):
        mine = [r for r in found if r.service == service]
        if mine:
            parts.append(f"\n## {service}\n\n| method | path | what it does |\n|---|---|---|\n")
            parts += [f"| {r.method} | `{r.path}` | {r.says.replace('|', '/')} |\n" for r in mine]
    return "".join(parts)


def openapi() -> dict[str, Any]:
    """The routes for programs, which are those whose handlers say what they answer, as OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    found = [route for route in routes() if route.answers]
    kinds = [answer.kind for route in found for answer in route.answers if answer.kind is not None]
    made, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    ahead = iter(made)
    schemas: dict[str, Any] = {"Problem": PROBLEM, **components}
    for route in found:
        operation: dict[str, Any] = {
            "operationId": f"{route.method.lower()}{re.sub('[^A-Za-z0-9]+', '_', route.path).rstrip('_')}",
            "tags": [route.service],
            "summary": route.says or route.path,
            "responses": {"default": {"$ref": "#/components/responses/Problem"}},
        }
        for answer in route.answers:
            said = operation["responses"].setdefault(str(answer.status), {"description": "done", "content": {}})
            said["content"][answer.content_type] = {} if answer.kind is None else {"schema": next(ahead)}
        asked = [
            {"name": n, "in": "path", "required": True, "schema": {"type": "string"}}
            for n in re.findall(r"\{(\w+)\}", route.path)
        ]
        asked += [{"name": n, "in": "query", "schema": {"type": "string"}} for n in route.query]
        if asked:
            operation["parameters"] = asked
        if route.path == "/api/v1/warnings" and route.method == "POST":
            _of_a_warning(operation, schemas)
        elif route.body is not None:
            whole = route.body.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= whole.pop("$defs", {})
            schemas[route.body.__name__] = whole
            content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{route.body.__name__}"}}}
            operation["requestBody"] = {"required": True, "content": content}
        elif route.form:
            fields = {name: {"type": "string"} for name in route.form}
            form = {"schema": {"type": "object", "properties": fields}}
            operation["requestBody"] = {"required": True, "content": {"application/x-www-form-urlencoded": form}}
        elif route.file:
            operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
        if not route.path.startswith(PUBLIC):
            operation["security"] = [{"key": []}]
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    problem = {
        "description": "refused",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tocsin",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "tocsin key create"}},
            "responses": {"Problem": problem},
            "schemas": schemas,
        },
    }


def _of_a_warning(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """The one route that reads its body by content type: CAP as it is, or JSON."""
    whole = WarningIn.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= whole.pop("$defs", {})
    schemas["WarningIn"] = whole
    reference = {"$ref": "#/components/schemas/WarningIn"}
    content = {"application/cap+xml": {"schema": {"type": "string"}}, "application/json": {"schema": reference}}
    operation["requestBody"] = {"required": True, "content": content}
    yes_no = {"type": "string", "enum": ["true", "false"]}
    operation["parameters"] = [
        {"name": "release", "in": "query", "schema": yes_no, "description": "false keeps it as a draft"},
        {
            "name": "strict",
            "in": "query",
            "schema": yes_no,
            "description": "false repairs what can be understood in CAP",
        },
        {"name": "doors", "in": "query", "schema": {"type": "string", "enum": ["safe", "unsafe"]}},
        {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 200}},
    ]


def made() -> dict[str, str]:
    """Every file of the reference that is made from code, by its name."""
    return {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "http.md": http_page(),
        "openapi.json": json.dumps(openapi(), indent=1, ensure_ascii=False) + "\n",
    }


if __name__ == "__main__":
    for name, text in made().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
