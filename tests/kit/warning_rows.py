"""Warnings written straight into the tables, for tests that need thousands."""

from __future__ import annotations

import hashlib
from typing import Any

from services.gateway import store
from services.shared.database.batches import insert_all
from services.shared.ledger.warnings import warning_scope, warning_state, warning_text
from tests.kit.square import SENT
from tests.kit.town import Town


def row(number: str, **more: Any) -> dict[str, Any]:
    """The state of a warning in force under that number, unless told otherwise."""
    warning_id = hashlib.sha256(f"{number}{more}".encode()).hexdigest()[:32]
    return {
        "warning_id": warning_id, "chain_id": warning_id, "tier": 2, "state": "active", "kind": "alert", "purpose": "live",
        "sent": SENT, "expires_at": SENT + 3600, "authority": "Qingshui", "number": number, "doors": "ask", "doors_by": "",
        "ending": "", "released_at": SENT, "ended_at": None, **more,
    }  # fmt: skip


async def fill(desk: Town, rows: list[dict[str, Any]]) -> None:
    """Writes states alone."""
    async with desk.node.platform.database.write() as tx:
        await insert_all(tx, warning_state, rows)


async def drafts(desk: Town, count: int) -> None:
    """So many drafts, each whole, that came after everything else."""
    states = [row(f"D{n}", state="draft", released_at=None, tier=1) for n in range(count)]
    texts = {"en": {"source": "x", "event": "x", "hazard": "Draft", "place": "p", "action": "a", "description": ""}}
    sense = {"hazard": "storm", "respond": "as_told", "tier_reason": "given", "notes": [], "findings": []}
    messages = [
        {"warning_id": s["warning_id"], "identifier": s["warning_id"], "sender": "x@y", "sent": SENT, "msg_type": "Alert",
         "status": "Actual", "sha256": "0" * 64, "fingerprint": "0" * 64, "incident": "", "raw": b"", "via": "json",
         "by": "flooder", "received_at": SENT + 1000 + n, "sense": sense, "texts": texts, "replaces": []}
        for n, s in enumerate(states)
    ]  # fmt: skip
    scopes = [{"warning_id": s["warning_id"], "sender": "x@y", "events": ["storm"], "area": "", "geocodes": [],
               "km2": 0.0, "brought_by": "0" * 32, "holds": []} for s in states]  # fmt: skip
    parts = {"languages": ["en"], "en": {"hazard": "Draft", "place": "p"}, "notes": []}
    shown = [{"warning_id": s["warning_id"], "parts": parts, "cap_xml": b""} for s in states]
    async with desk.node.platform.database.write() as tx:
        await insert_all(tx, warning_state, states)
        await insert_all(tx, store.message, messages)
        await insert_all(tx, warning_scope, scopes)
        await insert_all(tx, warning_text, shown)
