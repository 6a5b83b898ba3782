"""Every address asks who may, or says what opens it instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from services.commands.routes import print_routes
from services.run import build
from services.shared.powers.power import BOUNDS, Power
from services.shared.powers.who import Who
from services.shared.settings import Settings
from services.shared.web.asking import asks, rule_of, the_warning
from services.shared.web.open_routes import OPEN_ROUTES, OPEN_UNDER, routes_said

ABOUT_A_WARNING = "/{warning_id}"
NOT_OF_AN_OBJECT = {  # what belongs to nobody alone, or to oneself
    Power.SEE_PLANT, Power.TRY_PLANT, Power.SUMMARISE, Power.DECOY, Power.ACCOUNT, Power.CHANGE_ACCOUNT, Power.READ_LOG,
    Power.SET_POLICY,
}  # fmt: skip


async def test_every_address_of_a_node_has_a_rule_and_none_stands_open_that_is_gone(tmp_path: Path) -> None:
    node = await build(Settings(data_dir=tmp_path, port=0), synchronous="OFF")
    try:
        said = routes_said(node.runner.app)
        routes = list(node.runner.app.router.routes())
    finally:
        await node.close()
    paths = {one.path for one in said}
    assert len(said) > 100
    assert set() == set(OPEN_ROUTES) - paths
    assert all(any(path.startswith(start) for path in paths) for start in OPEN_UNDER if start != "/callbacks/")
    for route in routes:
        rule, path = rule_of(route.handler), route.resource.canonical if route.resource else ""
        if rule is None:
            continue
        bound = BOUNDS[rule.act]
        binds = bound.owner or bound.area or bound.subject or bound.everybody
        assert binds or rule.act in NOT_OF_AN_OBJECT, path
        if ABOUT_A_WARNING in path:
            assert rule.about in ("the warning", "the draft"), path


async def test_a_page_that_asks_nobody_is_a_fault() -> None:
    async def forgotten(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/console/forgotten", forgotten)
    with pytest.raises(LookupError, match="GET /console/forgotten asks nobody who may"):
        routes_said(app)


def test_a_marked_handler_says_what_it_asks() -> None:
    class Pages:
        @asks(Power.END, the_warning)
        async def end(self, request: web.Request, who: Who) -> web.Response:
            """Ends it."""
            return web.Response()

    rule = rule_of(Pages().end)
    of = "the warning: own or below, area, tier, event, sender and name"
    assert rule is not None
    assert (Power.END, f"{of}, shown again who it is (above alone)") == (rule.act, rule.in_words())


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_routes()
    printed = capsys.readouterr().out.splitlines()
    line = next(one for one in printed if one.startswith("POST  /report/{warning_id}/doors"))
    assert line.endswith("the warning: own or below, area, tier")
