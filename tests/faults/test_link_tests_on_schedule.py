"""Channels tried end to end on schedule: one that fails is left out of paths by name, shown, and comes back by a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.sim.callees import TextFate
from tests.faults.harness import SENT, Prepared
from tests.faults.stepped import Stepped, stepped

ADDRESS = "+99970008888"
TESTS = f"""
- {{channel: sms, to: "{ADDRESS}", every: 300, within: 60}}
- {{channel: email, to: "channel-test@example.org", every: 300, within: 60, proof: accepted}}
"""


@pytest.fixture(autouse=True)
def asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tests.yaml").write_text(TESTS)
    monkeypatch.setenv("TOCSIN_LINK_TESTS", str(tmp_path / "tests.yaml"))


def unreachable(run: Stepped, switch: dict[str, bool]) -> None:
    """The test phone loses its network while the switch says so; all others go on."""
    usual = run.world.phones.text

    def text(one: Any) -> TextFate:
        return TextFate(1.0, 3.0, 30003) if one.to == ADDRESS and switch["off"] else usual(one)

    run.world.phones.text = text  # type: ignore[method-assign, assignment]


def channel(run: Stepped, name: str) -> Any:
    return run.rows("SELECT * FROM channel WHERE channel = ?", name)[0]


async def step(run: Stepped, seconds: float) -> None:
    """Warning time goes on in steps of five seconds."""
    end = run.clock.now() + seconds
    while run.clock.now() < end:
        run.clock.advance_to(min(end, run.clock.now() + 5.0))
        await run.settle()


async def ask(run: Stepped, town: Prepared, path: str, **headers: str) -> str:
    given = {"Authorization": f"Bearer {town.key}", **headers}
    url = f"{run.node.platform.public_url}{path}"
    async with aiohttp.ClientSession(headers=given) as session, session.get(url) as response:
        assert response.status == 200, await response.text()
        return await response.text()


@pytest.mark.long
async def test_a_channel_that_fails_twice_is_left_out_with_its_reason_and_comes_back(
    hamlet: Prepared, tmp_path: Path
) -> None:
    """Passed at first; then the test text is undelivered twice: paths, the live page and /channels say so; then it passes."""
    switch = {"off": False}
    async with stepped(hamlet, tmp_path) as run:
        unreachable(run, switch)
        await step(run, 70)
        first = {r["channel"]: r for r in run.rows("SELECT * FROM channels_link_test")}
        assert {"sms", "email"} == set(first)
        assert first["sms"]["said"].startswith("delivered after")
        assert first["sms"]["provider"] == "sms_twilio"
        assert first["email"]["said"].startswith("accepted after")
        assert channel(run, "sms")["working"]

        switch["off"] = True
        await step(run, 300)
        assert 1 == run.rows("SELECT failures FROM channels_link_test WHERE channel = 'sms'")[0][0]
        assert channel(run, "sms")["working"]  # once is not enough
        await step(run, 80)
        out = channel(run, "sms")
        assert not out["working"]
        assert out["why"].startswith("link test: sms_twilio: refused")
        stand = {one["channel"]: one for one in json.loads(await ask(run, hamlet, "/channels/state"))}
        by = {p["provider"]: p for p in stand["sms"]["providers"]}
        assert (False, 2, 0) == (
            stand["sms"]["working"],
            by["sms_twilio"]["test_failures"],
            by["sms_smpp"]["test_failures"],
        )
        assert stand["email"]["working"]
        shown = await ask(run, hamlet, "/channels", Accept="text/html")
        assert "1</span> channel fails its test" in shown
        live = await ask(run, hamlet, f"/live/{run.warning_id}", Accept="text/html")
        assert "The channel SMS fails its test" in live
        person = run.rows(
            "SELECT person_id FROM delivery WHERE channel = 'sms' AND kind = 'warning' AND addressee_kind = 'person'"
        )[0][0]
        words = json.loads(await ask(run, hamlet, f"/report/{run.warning_id}/path/{person}"))
        assert any("the channel fails its test (sms_twilio: refused" in line for line in words["lines"])
        assert any("was out of order" in line for line in words["plain"])

        await run.node.channels.start()  # a process that starts meanwhile does not take it for well
        assert not channel(run, "sms")["working"]
        switch["off"] = False
        await step(run, 310)
        again = channel(run, "sms")
        assert again["working"]
        assert "" == again["why"]
        assert SENT < again["tested_at"] <= run.clock.now()


async def test_a_test_names_no_warning_counts_for_nobody_and_goes_to_its_own_address_alone(
    hamlet: Prepared, tmp_path: Path
) -> None:
    """Its address stands nowhere in the database; what it says is that it is a test."""
    heard: list[Any] = []
    async with stepped(hamlet, tmp_path) as run:
        usual = run.world.phones.got

        def got(text: Any) -> None:
            heard.append(text)
            if text.to != ADDRESS:
                usual(text)

        run.world.phones.got = got  # type: ignore[method-assign]
        await step(run, 30)
        mine = [t for t in heard if t.to == ADDRESS]
        assert 1 == len(mine)
        assert "only a test" in mine[0].body
        tests = run.rows("SELECT * FROM delivery WHERE addressee_kind = 'test'")
        assert {("link_test", "", "")} == {(r["kind"], r["warning_id"], r["person_id"]) for r in tests}
        everything = json.dumps([[str(v) for v in tuple(r)] for r in run.rows("SELECT * FROM delivery")])
        assert ADDRESS not in everything
