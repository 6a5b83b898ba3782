"""The proxy's file: made of the table of paths, read by a real Caddy, and doing what it says."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.shared.errors import Refused
from services.shared.web.edge import LIST_PATH, MAX_BODY, PREFIXES
from services.shared.web.proxy_file import COMPOSE, COMPOSE_SITE, SERVICES, caddyfile, paths_of
from tools.servers.caddy import Caddy, environment, program, serving
from tools.servers.ports import free_port

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "deploy" / "Caddyfile"


def test_the_shipped_file_is_what_the_table_makes() -> None:
    """Whoever changes the table runs `tocsin proxy` again."""
    assert caddyfile(COMPOSE, COMPOSE_SITE) == SHIPPED.read_text("utf-8")


def test_caddy_reads_the_shipped_file_and_finds_it_well_formatted(tmp_path: Path) -> None:
    """`caddy adapt` and `caddy fmt` by Debian's Caddy; a misspelt directive is refused."""
    variables = environment(tmp_path) | {"TOCSIN_SITE": "https://warn.example.org"}

    def adapt(file: Path) -> int:
        words = [program(), "adapt", "--validate", "--adapter", "caddyfile", "--config", str(file)]
        return subprocess.run(words, capture_output=True, env=variables, timeout=30).returncode

    assert 0 == adapt(SHIPPED)
    formatted = subprocess.run([program(), "fmt", str(SHIPPED)], capture_output=True, env=variables, timeout=30)
    assert SHIPPED.read_text("utf-8") == formatted.stdout.decode()
    planted = tmp_path / "planted"
    planted.write_text(SHIPPED.read_text("utf-8").replace("lb_policy", "lb_polizy"), "utf-8")
    assert 0 != adapt(planted)


def test_every_path_of_the_table_belongs_to_one_service() -> None:
    """No prefix lies below another service's: the order of the table does not matter."""
    assert set(SERVICES) == {name for _, name in PREFIXES}
    for prefix, name in PREFIXES:
        above = [n for p, n in PREFIXES if prefix == p or prefix.startswith(f"{p}/")]
        assert [name] == above, prefix
        assert {prefix, f"{prefix}/*"} <= set(paths_of(name))


@pytest.mark.parametrize(
    ("service", "upstreams", "site"),
    [
        ("router", (), ":1"),
        ("router", ("router",), ":1"),
        ("channels", ("a:1", "b:70000"), ":1"),
        ("gateway", ("a:1 b:2",), ":1"),
        ("site", ("a:1",), "x { respond 200 }"),
    ],
)
def test_what_is_no_address_is_refused(service: str, upstreams: tuple[str, ...], site: str) -> None:
    """Nothing that is given gets into the file unless it is host:port, or a site's address."""
    with pytest.raises(Refused) as refused:
        caddyfile(dict.fromkeys(SERVICES, ("a:1",)) | {service: upstreams}, site)
    assert service == refused.value.field


@dataclass
class Town:
    """Caddy before one process of each service, and two of the router, of which the second is not ready."""

    caddy: Caddy
    session: aiohttp.ClientSession
    servers: dict[str, TestServer]

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, str]]:
        """Status, and what the process that answered saw."""
        async with self.session.get(self.caddy.url + path, headers=headers) as response:
            told = await response.read()
            return response.status, json.loads(told) if told.startswith(b"{") else {}


def stand_in(name: str, *, ready: bool = True) -> web.Application:
    """A process that says who it is and what reached it."""

    async def answer(request: web.Request) -> web.Response:
        told = {k: v for k, v in request.headers.items() if k.lower().startswith(("x-", "forwarded", "host"))}
        if request.path == LIST_PATH:  # as the register takes it: never whole in memory
            octets = sum([len(block) async for block in request.content.iter_chunked(1 << 20)])
            return web.json_response({"octets": octets})
        body = {"service": name, "path": request.path_qs, "octets": str(len(await request.read())), **told}
        return web.json_response(body, headers={"Server": "told", "X-Content-Type-Options": "nosniff"})

    async def readyz(request: web.Request) -> web.Response:
        return web.json_response({}, status=200 if ready else 503)

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/readyz", readyz)
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        servers = {name: TestServer(stand_in(name, ready=name != "router 2")) for name in (*SERVICES, "router 2")}
        for server in servers.values():
            await stack.enter_async_context(server)
        upstreams = {name: [f"127.0.0.1:{servers[name].port}"] for name in SERVICES}
        upstreams["router"].append(f"127.0.0.1:{servers['router 2'].port}")
        port = free_port()
        text = caddyfile(upstreams, f"http://127.0.0.1:{port}")
        text = text.replace(
            "lb_try_duration 5s", "lb_try_duration 300ms"
        )  # how long a service that is gone is waited for
        caddy = await stack.enter_async_context(serving(text, port, tmp_path))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Town(caddy, session, servers)


async def test_each_path_reaches_its_service_and_what_is_not_named_reaches_nobody(town: Town) -> None:
    """/l is not /live; health and figures stay inside; a process that is not ready is asked nothing."""
    for prefix, service in PREFIXES:
        for path in (prefix, f"{prefix}/x?q=1"):
            assert (200, service, path) == (
                (got := await town.get(path))[0], got[1]["service"], got[1]["path"],
            )  # fmt: skip
    assert "gateway" == (await town.get("/"))[1]["service"]
    assert "gateway" == (await town.get("/static/tocsin.css"))[1]["service"]
    for path in ("/metrics", "/readyz", "/livez", "//metrics", "/%6detrics", "/METRICS", "/console/../metrics", "/x", "/lx",
                 "/api/v1", "/.env"):  # fmt: skip
        assert (404, {}) == await town.get(path), path


async def test_nobody_outside_says_where_a_request_came_from(town: Town) -> None:
    """X-Forwarded-* are Caddy's own, the others are gone; the Host is the one that was asked."""
    forged = {"X-Forwarded-For": "10.9.9.9", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example",
              "Forwarded": "for=10.9.9.9", "X-Real-IP": "10.9.9.9", "Host": "warn.example.org"}  # fmt: skip
    async with town.session.get(f"{town.caddy.url}/console", headers=forged | {"Host": town.caddy.url[7:]}) as response:
        told = await response.json()
        assert ("127.0.0.1", "http", town.caddy.url[7:]) == (
            told["X-Forwarded-For"], told["X-Forwarded-Proto"], told["X-Forwarded-Host"],
        )  # fmt: skip
        assert told["Host"] == told["X-Forwarded-Host"]
        assert {"Forwarded", "X-Real-IP"} & set(told) == set()
        assert "told" not in response.headers.getall("Server", [])
        assert ["nosniff"] == response.headers.getall("X-Content-Type-Options")


async def test_a_body_that_does_not_end_is_stopped(town: Town) -> None:
    """Up to the application's own limit a body passes; a larger one is answered 413, by one of the two."""
    for octets, expected in ((MAX_BODY - 1, 200), (MAX_BODY + 1, 413), (8 * MAX_BODY, 413)):
        async with town.session.post(f"{town.caddy.url}/people/areas", data=io.BytesIO(b"x" * octets)) as response:
            assert expected == response.status, octets


async def test_a_list_of_a_county_passes(town: Town) -> None:
    """The register takes it as it comes; no other address takes so much."""
    octets = 8 * MAX_BODY
    async with town.session.post(f"{town.caddy.url}{LIST_PATH}?source=x", data=io.BytesIO(b"x" * octets)) as response:
        assert (200, octets) == (response.status, (await response.json())["octets"])
    for path in (f"{LIST_PATH}/x", "/api/v1/warnings"):
        async with town.session.post(f"{town.caddy.url}{path}", data=io.BytesIO(b"x" * octets)) as response:
            assert 413 == response.status, path


async def test_the_log_says_that_a_service_is_gone_and_not_who_asked_for_what(town: Town, tmp_path: Path) -> None:
    """A token in a path is in no log, neither after an answer nor after an error."""
    await town.get("/a/t0ken")
    await town.servers["channels"].close()
    status, _ = await town.get("/a/t0ken?q=s3cret", Authorization="Bearer k3y")
    said = (tmp_path / "caddy.log").read_text("utf-8")
    assert 502 == status
    assert "connection refused" in said
    for secret in ("t0ken", "s3cret", "k3y"):
        assert secret not in said
