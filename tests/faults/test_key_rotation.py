"""The channels key of six processes is replaced while they warn, and so are those that sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.shared.crypto.sealing import USES
from tests.faults.harness import APART, Prepared, rehearsal
from tools.servers import commands


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_six_processes_replace_their_key_in_a_warning(county: Prepared, tmp_path: Path, vhost: str) -> None:
    """On PostgreSQL: the commands are given while requests go out; a channels process that starts after them opens all.

    The provider's callbacks are taken all the time, those of before as those of after.
    """
    async with rehearsal(county, tmp_path, members=APART, amqp_url=vhost) as run:
        warning_id = await run.warn()
        await run.until(lambda: len(run.arrivals) >= 5)
        environment = run.environment_of(run.processes["channels-1"])
        for use in USES:
            command = await commands.run("keys", "rotate", use, "--reason", "test", env=environment)
            assert 0 == command.code, command.err
        command = await commands.run("keys", "rotate", "channels", "--reason", "test", env=environment)
        assert 0 == command.code, command.err
        new = command.out.split(" by ")[1][:16]
        await run.until(lambda: {r[0] for r in run.rows("SELECT DISTINCT public_id FROM page_key")} == {new})
        process = run.processes["channels-1"].process
        assert process is not None
        process.kill()
        signing = "SELECT use FROM house_key WHERE version = 2 AND state = 'current'"
        await run.until(lambda: {r[0] for r in run.rows(signing)} == set(USES))
        begun = run.world.postman.counts["callback"]
        found = await run.until_over(warning_id, 110)
        await run.cancel(warning_id, "danger_lower_stay_away")  # to everybody who was told, under the new keys
        await run.until(lambda: run.world.postman.counts["callback"] > begun)
        assert [] == [name for name in run.world.postman.counts if name.endswith("_refused")]
        assert 0 == found["open"], run.in_words()
        broken = run.rows("SELECT count(*) FROM delivery WHERE state_reason LIKE ?", "unsendable%")
        assert 0 == broken[0][0]
