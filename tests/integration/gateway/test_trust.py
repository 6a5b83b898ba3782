"""Whose word counts: pinned signatures, and grants bound to senders and events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.gateway.cap import read, sign, write
from tests.kit.cap_keys import pair
from tests.kit.square import cap
from tests.kit.town import Town, open_town

OURS, STRANGERS = pair("Met"), pair("Stranger")


@pytest.fixture
async def pinned(tmp_path: Path) -> AsyncIterator[Town]:
    """An office that knows the met office's certificate."""
    keys = tmp_path / "pins"
    keys.mkdir()
    (keys / "met@qingshui.example.pem").write_bytes(OURS[1])
    async with open_town(tmp_path / "data", cap_keys=keys) as made:
        yield made


def signed(data: bytes, key: tuple[bytes, bytes]) -> bytes:
    return sign(write(read(data).alerts[0]), *key)


async def test_a_pinned_sender_goes_out_only_with_its_own_signature(pinned: Town):
    """Signed: sent. Altered, unsigned, or signed with another key: held, and the reason in words."""
    good = signed(cap(), OURS)
    _, answer = await pinned.post(good)
    assert "active" == answer["state"], answer
    assert any(note.startswith("signature: Signed by a key we know") for note in answer["notes"])
    altered = signed(cap("A-2"), OURS).replace(b"Leave now.", b"Stay there")
    for name, data in (("altered", altered), ("unsigned", cap("A-3")), ("other", signed(cap("A-4"), STRANGERS))):
        _, answer = await pinned.post(data)
        assert "held" == answer["state"], name
        assert "is not so signed" in answer["notes"][-1]


async def test_a_forged_cancel_of_a_pinned_sender_stops_nothing(pinned: Town):
    """Held, and the warning goes on; one sent ahead does not silence the alert that comes."""
    _, warning = await pinned.post(signed(cap(), OURS))
    forged = cap("C-1", kind="Cancel", minutes=1, names=[("A-1", 0), ("A-2", 0)], info=False)
    _, answer = await pinned.post(forged)
    assert ("held", "active") == (answer["state"], await pinned.state(warning["warning_id"]))
    _, later = await pinned.post(signed(cap("A-2"), OURS))
    assert "active" == later["state"]


async def test_json_in_a_pinned_senders_name_is_held(pinned: Town):
    """It cannot be signed, so a person looks."""
    text = {"source": "Met", "hazard": "Flood", "place": "Hedong", "action": "Go uphill"}
    body = {
        "identifier": "J-1", "sender": "met@qingshui.example", "sent": "2026-06-10T01:10:00Z",
        "expires": "2026-06-10T09:00:00Z", "tier": "red", "texts": {"en": text},
        "circle": {"lat": 30, "lon": 103, "radius_km": 5},
    }  # fmt: skip
    _, answer = await pinned.call("POST", "/api/v1/warnings", body)
    assert "held" == answer["state"]


async def test_a_strangers_signature_is_said_and_refuses_nothing(desk: Town):
    """Unverifiable, or wrong by the certificate it brought: a note, and it goes out like an unsigned one."""
    _, answer = await desk.post(signed(cap(), STRANGERS))
    assert "active" == answer["state"]
    assert "signature: The signature cannot be verified" in answer["notes"][-1]
    _, answer = await desk.post(signed(cap("A-2"), STRANGERS).replace(b"Leave now.", b"Stay there"))
    assert "active" == answer["state"]
    assert "signature: The signature is wrong" in answer["notes"][-1]


async def test_a_pin_that_cannot_be_read_is_said(tmp_path: Path):
    """A broken file is a fault of ours: nothing goes out on it, and the answer names the file."""
    (tmp_path / "met@qingshui.example.pem").write_text("no certificate")
    async with open_town(tmp_path / "data", cap_keys=tmp_path) as desk:
        status, answer = await desk.post(cap())
        assert (500, True) == (status, "met@qingshui.example.pem" in answer["title"])


@pytest.mark.parametrize(
    ("grant", "rule"),
    [
        ({"senders": ["river@qingshui.example"]}, "grant.senders"),
        ({"events": ["heat"]}, "grant.events"),
    ],
)
async def test_a_grant_bound_to_senders_or_events_reaches_no_further(desk: Town, grant, rule):
    """403 by rule; the same key within its bounds sends."""
    key = await desk.new_key(**grant)
    status, answer = await desk.post(cap(), key=key)
    assert (403, rule) == (status, answer["rule"])
    wide = await desk.new_key(senders=["met@qingshui.example"], events=["flash_flood", "FFW"])
    status, answer = await desk.post(cap(), key=wide)
    assert (202, "active") == (status, answer["state"])
