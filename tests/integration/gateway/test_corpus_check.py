"""Every file of the corpus through the command, and what we publish through others' tools with the official schema."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from services.gateway.cap import read
from services.gateway.intake.incoming import from_cap
from services.shared.errors import Refused
from tests.integration.gateway.test_commands import KEYS, tocsin
from tests.kit.cap_keys import pair
from tests.kit.square import cap
from tests.kit.town import open_town

CORPUS = Path(os.environ["TOCSIN_CAP_CORPUS"])
ALERTS = sorted((CORPUS / "alerts").glob("*.xml"))
INVALID = sorted(path for path in (CORPUS / "invalid").iterdir() if path.is_file())
REFUSED = {"fr-rolfberken-france_sample_detail-e71f18.xml"}
"""Real alerts we do not take by ourselves; each is argued in DECISIONS."""
HOSTILE = (
    "authored-billion-laughs.xml",
    "authored-external-dtd.xml",
    "authored-xxe-file.xml",
    "us-google-xee-eb0e08.xml",
)


async def check(*paths: Path, cwd: Path) -> list[dict[str, Any]]:
    """The command's answers; nothing on stderr, so no traceback."""
    code, out, err = await tocsin("cap", "check", "--json", *map(str, paths), cwd=cwd)
    assert "" == err
    assert code in (0, 1)
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.long
async def test_every_file_has_a_verdict_by_the_command(tmp_path: Path):
    """At least 95 of 100 real alerts accepted or repaired; those that are not are the ones argued."""
    found = await check(*ALERTS, *INVALID, cwd=tmp_path)
    assert [str(path) for path in (*ALERTS, *INVALID)] == [one["file"] for one in found]
    assert all(list(one) == KEYS for one in found)
    real = found[: len(ALERTS)]
    verdicts = Counter(one["verdict"] for one in real)
    assert verdicts["accept"] + verdicts["repair"] >= 0.95 * len(ALERTS), verdicts
    assert REFUSED == {Path(one["file"]).name for one in real if one["verdict"] in ("quarantine", "reject")}
    hostile = [one for one in found if Path(one["file"]).name in HOSTILE]
    assert [("reject", 37)] * len(HOSTILE) == [(one["verdict"], one["findings"][-1]["rule"]) for one in hostile]


@pytest.mark.long
def test_what_the_command_accepts_the_front_door_takes():
    """Tolerant, as from a file: every accepted or repaired real alert comes through, or says in words why not."""
    refused = []
    for path in ALERTS:
        try:
            from_cap(path.read_bytes(), strict=False)
        except Refused as fault:
            refused.append((path.name, fault.rule))
    assert [(name, "cap.25") for name in sorted(REFUSED)] == refused


@pytest.mark.long
async def test_what_we_publish_is_valid_by_others_tools(tmp_path: Path):
    """Real alerts of many kinds, released and published again under our name: xmllint, xmlsec1 and our own reader."""
    key, cert = pair("Qingshui", "rsa")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(cert)
    settings: dict[str, Any] = {"cap_sign_key": tmp_path / "key.pem", "cap_sign_cert": tmp_path / "cert.pem"}
    published = []
    first = min(read(path.read_bytes()).alerts[0].sent for path in ALERTS[::9]).timestamp()
    async with open_town(tmp_path / "data", start=first, **settings) as desk:
        colleague = await desk.new_key(label="a colleague")
        for path in ALERTS[::9]:
            data = path.read_bytes()
            _, taken = await desk.post(data, strict="false", release="false")
            if taken.get("state") not in ("draft", "held"):
                continue
            body = {"tier": taken["tier"] or "yellow"}
            address = f"/api/v1/warnings/{taken['warning_id']}/release"
            status, released = await desk.call("POST", address, body, key=colleague)
            assert 202 == status, (path.name, released)
            if released["state"] == "stored":  # an end of what was never here
                continue
            _, document, _ = await desk.get(f"/cap/{taken['warning_id']}.xml")
            published.append(document)
        _, taken = await desk.post(cap("E-1", minutes=(first - 1_781_053_800) / 60))
        over = await desk.cancel(taken["warning_id"], "may_return")
        published.append((await desk.get(f"/cap/{over}.xml"))[1])
    assert len(published) >= 8
    for n, document in enumerate(published):
        assert read(document).verdict in ("accept", "repair")
        (tmp_path / f"{n}.xml").write_bytes(document)
    await _judge(["xmllint", "--noout", "--nonet", "--schema", str(CORPUS / "CAP-v1.2.xsd")], len(published), tmp_path)
    trust = ["xmlsec1", "--verify", "--trusted-pem", "cert.pem", "--enabled-key-data", "x509"]
    await _judge(trust, len(published), tmp_path)


async def _judge(command: list[str], count: int, folder: Path) -> None:
    for n in range(count):
        done = await asyncio.to_thread(
            subprocess.run, [*command, f"{n}.xml"], capture_output=True, cwd=folder, timeout=60, check=False
        )
        assert 0 == done.returncode, done.stderr.decode()


@pytest.mark.long
def test_faulty_files_by_the_front_door():
    """Strict, as pushed: refused by a rule with a sentence, or taken; nothing else."""
    for path in INVALID:
        fault = _refusal(path.read_bytes())
        if fault is not None:
            assert fault.rule.startswith("cap.") or fault.rule == "1", path.name
            assert fault.message


def _refusal(data: bytes) -> Refused | None:
    try:
        from_cap(data, strict=True)
    except Refused as fault:
        return fault
    return None
