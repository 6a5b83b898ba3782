"""A history of acts that was written anew in the database is told on every side, and signed nowhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

from typer.testing import CliRunner

from services.__main__ import app
from services.check import check_installation
from services.shared.settings import Settings
from tests.kit.audit_rewriting import checkpoints, rewrite
from tests.kit.square import cap
from tests.kit.town import open_town


async def test_a_rewritten_log_is_told_on_every_side(tmp_path: Path) -> None:
    """A running Tocsin: console, live page, figure; `tocsin check`; export and verify by the commands, also with the head."""
    folder = tmp_path / "data"
    async with open_town(folder) as desk:
        _, taken = await desk.post(cap("A-1"))
        assert await desk.node.gateway.checkpoint()
        database = desk.node.platform.database
        _, sound = await check_installation(Settings(data_dir=folder))
        assert sound
        await rewrite(database, 2)
        assert not await desk.node.gateway.checkpoint()
        assert 0 == await checkpoints(database)
        kept = (folder / "audit" / "head.json").read_bytes()
        _, metrics, _ = await desk.get("/metrics")
        assert b'tocsin_alarm{kind="audit_rewritten"} 1.0' in metrics
        for path in ("/console", f"/live/{taken['warning_id']}"):
            status, body, _ = await desk.get(path, {"Authorization": f"Bearer {desk.key}"})
            assert 200 == status
            assert b"the audit log was rewritten" in body, path
        status, _, _ = await desk.get("/readyz")
        assert 200 == status  # it must not keep a warning from going out
        _, after = await desk.post(cap("A-2"))
        assert "active" == after["state"]
        lines, sound = await check_installation(Settings(data_dir=folder))
        assert not sound
        assert "NOT SOUND: the audit log was rewritten" in lines[-1]

    async def tocsin(*words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(CliRunner().invoke, app, list(words), env={"TOCSIN_DATA_DIR": str(folder)})
        return done.exit_code, done.output

    log, key = str(tmp_path / "log.jsonl"), (await tocsin("audit", "key"))[1].strip()
    code, said = await tocsin("audit", "export", log)
    assert (1, True) == (code, "DOES NOT HOLD: the audit log was rewritten" in said), said
    code, said = await tocsin("audit", "verify", log, "--public-key", key)
    assert (1, True) == (code, "was not signed for" in said), said
    assert 2 == (await tocsin("audit", "accept", "--reason", " "))[0]
    code, said = await tocsin("audit", "accept", "--reason", "a test put it so")
    assert (0, True) == (code, "goes on from entry" in said), said
    code, said = await tocsin("audit", "export", str(tmp_path / "next.jsonl"))
    assert 0 == code, said
    assert 0 == (await tocsin("audit", "verify", str(tmp_path / "next.jsonl"), "--public-key", key))[0]
    (tmp_path / "old-head.json").write_bytes(kept)
    code, said = await tocsin(
        "audit", "verify", str(tmp_path / "next.jsonl"), "--public-key", key, "--head", str(tmp_path / "old-head.json")
    )
    assert (1, True) == (code, "written anew" in said), said
