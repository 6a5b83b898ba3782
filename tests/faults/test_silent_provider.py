"""A provider that takes nothing beside a red warning: whoever looks is told within half a minute, and so is who does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.shared.clock import wall
from tests.faults.harness import Prepared, rehearsal

TOLD_WITHIN_S = 30.0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["401", "hang"])
async def test_it_is_on_every_page_in_the_figures_and_on_the_duty_officers_phones(
    mode: str, town: Prepared, tmp_path: Path
) -> None:
    """And when it takes messages again, it is over and everybody is sent to."""
    async with rehearsal(town, tmp_path, rate=20.0) as run:
        run.world.sandbox.behaviour.change({"rates": {mode: 1.0}})
        warning_id, begun = await run.warn(), wall()
        await run.until(lambda: bool(run.rows("SELECT 1 FROM alarm")), seconds=TOLD_WITHIN_S)
        assert wall() - begun < TOLD_WITHIN_S
        (one, *_) = await run.call("GET", "/report/alarms")
        assert "takes nothing" in one["said"]
        assert "officers and doors go on" in one["said"]
        providers = [p for channel in await run.call("GET", "/channels/state") for p in channel["providers"]]
        assert {"sms_twilio"} <= {p["provider"] for p in providers if p["alarm"]}
        for page in (f"/live/{warning_id}", "/console", "/channels"):
            async with run.session.get(run.url + page) as response:
                assert "takes nothing" in await response.text(), page
        async with run.session.get(run.url + "/metrics") as response:
            assert 'tocsin_alarm{kind="provider"}' in await response.text()
        word = "SELECT count(*) FROM delivery WHERE kind = 'notice' AND params LIKE '%alarm_provider%'"
        await run.until(lambda: bool(run.rows(word)[0][0]), seconds=15)
        run.world.sandbox.behaviour.change({"rates": {}})
        await run.until(lambda: not run.rows("SELECT 1 FROM alarm"), seconds=70)
        told = "SELECT count(*) FROM delivery WHERE kind = 'warning' AND driver = 'sms_twilio' AND send_state = 'delivered'"
        await run.until(lambda: run.rows(told)[0][0] > 10, seconds=70)
