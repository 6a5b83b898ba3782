"""Which operators, broadcasters and groups took a warning: one delivery an area, a receipt for each of them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.channels.model.outcome import Outcome, Station
from services.channels.providers.stations import note, settled
from services.router.planning.contexts import SHIPPED
from services.shared.bus.outbox import id_of
from services.shared.database.engine import Database
from tests.integration.channels.test_chat import chat_file, receiver
from tests.integration.channels.test_loudspeaker import steps
from tests.kit.operator_gateway import gateway
from tests.kit.square import SENT, cap
from tests.kit.town import Town, open_town

RED = "<parameter><valueName>awareness_level</valueName><value>4; red; Extreme</value></parameter>"


def with_groups(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped policy with the word `organisations` beside each broadcast."""
    shipped = SHIPPED.read_text("utf-8")
    (folder / "policy.yaml").write_text(shipped.replace("do: [broadcast,", "do: [organisations, broadcast,"), "utf-8")
    monkeypatch.setenv("TOCSIN_POLICY", str(folder / "policy.yaml"))


async def told(desk: Town, warning_id: str, *, html: bool = False) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {desk.key}"} | ({"Accept": "text/html"} if html else {})
    status, body, _ = await desk.get(f"/channels/stations/{warning_id}", headers)
    return status, body


async def test_each_station_has_its_own_receipt_and_a_second_try_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One operator, one broadcaster and one group of two each do not take it; the operator comes back and does."""
    with_groups(tmp_path, monkeypatch)
    async with AsyncExitStack() as stack:
        one, two, radio, sign = [await stack.enter_async_context(gateway()) for _ in range(4)]
        two.how, sign.how = 429, 422
        there = await stack.enter_async_context(receiver())
        groups = [
            {"name": "schools", "url": f"json://{there.place}/schools"},
            {"name": "<b>mills", "url": f"json://{there.place}/broken"},
        ]
        chat_file(tmp_path, monkeypatch, {"organisations": groups})
        monkeypatch.setenv("TOCSIN_CELL_BROADCAST_OPERATORS", f"one={one.url},two={two.url}")
        monkeypatch.setenv("TOCSIN_BROADCAST_URLS", f"{radio.url},{sign.url}")
        desk = await stack.enter_async_context(open_town(tmp_path / "data"))
        assert 401 == (await desk.get("/channels/stations/none"))[0]
        assert 404 == (await told(desk, "none"))[0]
        _, taken = await desk.post(cap(severity="Extreme", extra=RED), strict="false")
        assert (200, b"[]") == await told(desk, taken["warning_id"])
        await steps(desk)
        found = {
            (s["channel"], s["name"]): (s["outcome"], s["code"]) for s in await stations(desk, taken["warning_id"])
        }
        assert {
            ("cell_broadcast", "one"): ("accepted", "200"),
            ("cell_broadcast", "two"): ("not_sent", "429"),
            ("broadcast", radio.url.split("/")[2]): ("accepted", ""),
            ("broadcast", sign.url.split("/")[2]): ("permanent", "422"),
            ("organisations", "schools"): ("accepted", ""),
            ("organisations", "<b>mills"): ("ambiguous", "said no"),
        } == found  # fmt: skip
        shown = (await told(desk, taken["warning_id"], html=True))[1].decode()
        assert "3</span> of 6 have not confirmed it" in shown
        assert "&lt;b&gt;mills" in shown
        assert "<b>mills" not in shown
        assert shown.index("mills") < shown.index("schools")  # who did not take it comes first

        two.how = 200
        desk.clock.advance_to(SENT + 120)
        await desk.node.channels.tidy()
        await steps(desk)
        after = {s["name"]: s["outcome"] for s in await stations(desk, taken["warning_id"])}
        assert ("accepted", "accepted", "ambiguous") == (after["one"], after["two"], after["<b>mills"])
        assert (1, 2) == (len(one.came), len(two.came))
        assert 1 == len(there.of("/schools"))  # what was unclear is said once more to who was unclear alone
        assert 2 == len(there.of("/broken"))


async def stations(desk: Town, warning_id: str) -> list[dict[str, str]]:
    status, body = await told(desk, warning_id)
    assert 200 == status
    return list(json.loads(body))


async def test_who_took_it_has_it_and_of_two_of_one_name_the_one_that_failed_is_told(empty: Database) -> None:
    """A later silence, in this process or another, takes nothing back."""
    one = id_of("delivery", 1)
    async with empty.write() as tx:
        await note(
            tx, [(one, Station("radio", Outcome.ACCEPTED), 1.0), (one, Station("tv", Outcome.AMBIGUOUS, "x"), 1.0)]
        )
        await note(
            tx, [(one, Station("radio", Outcome.PERMANENT, "409"), 2.0), (one, Station("tv", Outcome.ACCEPTED), 2.0)]
        )
        twins = [Station("t" * 90, Outcome.PERMANENT, "400"), Station("t" * 85, Outcome.ACCEPTED)]
        await note(tx, [(one, twin, 3.0) for twin in twins])
        await note(tx, [])
    async with empty.read() as db:
        assert {"radio": Outcome.ACCEPTED, "tv": Outcome.ACCEPTED, "t" * 80: Outcome.PERMANENT} == await settled(
            db, one
        )
        assert {} == await settled(db, id_of("delivery", 2))
