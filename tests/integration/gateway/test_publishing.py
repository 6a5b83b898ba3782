"""What we publish: our own CAP, signed, and the feeds of it; drafts are nobody's business."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import feedparser
import pytest

from services.gateway.cap import Alert, read, verify
from services.gateway.publish.publishing import Publisher
from services.shared.errors import Broken
from services.shared.settings import Settings
from tests.kit.cap_keys import pair
from tests.kit.square import SENT, cap
from tests.kit.town import Town, open_town
from tools.peers.table import Told

RESOURCE = (
    "<parameter><valueName>awareness_level</valueName><value>3; orange; Severe</value></parameter>"
    "<resource><resourceDesc>Map</resourceDesc><mimeType>image/png</mimeType>"
    "<uri>https://met.qingshui.example/map.png</uri></resource>"
)


@pytest.fixture
async def signing(tmp_path: Path) -> AsyncIterator[tuple[Town, Path]]:
    """An office that signs, and its certificate."""
    key, cert = pair("Qingshui", "rsa")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(cert)
    settings: dict[str, Any] = {"cap_sign_key": tmp_path / "key.pem", "cap_sign_cert": tmp_path / "cert.pem"}
    async with open_town(tmp_path / "data", cap_sender="warnings@qingshui.example", **settings) as made:
        yield made, tmp_path / "cert.pem"


async def document(desk: Town, warning_id: str) -> tuple[bytes, Alert]:
    status, body, headers = await desk.get(f"/cap/{warning_id}.xml")
    assert (200, "application/cap+xml") == (status, headers["Content-Type"])
    reading = read(body, strict=True)
    assert "accept" == reading.verdict, reading.findings
    return body, reading.alerts[0]


async def test_a_released_warning_is_published_in_our_name_and_signed(
    signing: tuple[Town, Path], tmp_path: Path, peer: Told
):
    """Strict by our own reader; verified by us and by xmlsec1; tier, colour, number, resources and source in it."""
    desk, cert = signing
    _, taken = await desk.post(cap(extra=RESOURCE), strict="false")
    body, alert = await document(desk, taken["warning_id"])
    assert ("warnings@qingshui.example", f"tocsin-{taken['warning_id']}") == (alert.sender, alert.identifier)
    assert alert.source.startswith("met@qingshui.example,A-1,2026-06-10T01:10:00")
    said = dict(alert.infos[0].parameter)
    assert ("orange", "orange", 4) == (said["tocsin:tier"], said["tocsin:hazard_colour"], len(said["tocsin:number"]))
    assert ["https://met.qingshui.example/map.png"] == [r.uri for r in alert.infos[0].resources]
    assert "verified" == verify(body, [cert.read_bytes()], at=alert.sent).state
    (tmp_path / "out.xml").write_bytes(body)
    command = [
        "xmlsec1",
        "--verify",
        "--trusted-pem",
        str(cert),
        "--enabled-key-data",
        "x509",
        str(tmp_path / "out.xml"),
    ]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=False)
    assert 0 == done.returncode, done.stderr
    peer("CAP out", "Debian xmlsec1", "the signature of a published alert, by the certificate it trusts")


async def test_an_update_and_an_ending_name_what_we_published(signing: tuple[Town, Path]):
    """References are our own names, so that whoever reads only us can follow."""
    desk, _ = signing
    _, first = await desk.post(cap())
    desk.clock.advance_to(SENT + 600)
    _, second = await desk.post(cap("A-2", kind="Update", minutes=10, names=[("A-1", 0)]))
    desk.clock.advance_to(SENT + 1200)
    body = {"ending": "sent_by_mistake", "reason": "wrong county"}
    _, ending = await desk.call("POST", f"/api/v1/warnings/{second['warning_id']}/cancel", body)
    alerts = [(await document(desk, one["warning_id"]))[1] for one in (first, second, ending)]
    assert ["Alert", "Update", "Cancel"] == [a.msg_type for a in alerts]
    for earlier, later in itertools.pairwise(alerts):
        assert [earlier.key] == [(r.sender, r.identifier, r.sent) for r in later.references]


@pytest.mark.parametrize(
    ("kind", "msg_type", "response", "urgency"),
    [
        ("danger_lower_stay_away", "Cancel", "Avoid", "Past"),
        ("may_return", "Update", "AllClear", "Past"),
        ("sent_by_mistake", "Cancel", "None", "Past"),
        ("not_ours", "Cancel", "None", "Past"),
        ("checking", "Update", "Monitor", "Expected"),
    ],
)
async def test_endings_never_repeat_the_old_instruction(desk: Town, kind, msg_type, response, urgency):
    """Only `may_return` is an all-clear; no ending says "leave now"."""
    _, taken = await desk.post(cap())
    _, alert = await document(desk, await desk.cancel(taken["warning_id"], kind))
    info = alert.infos[0]
    assert (msg_type, (response,), urgency) == (alert.msg_type, info.response_type, info.urgency)
    assert "Leave now" not in info.instruction
    assert "Flash flood" in info.headline
    assert (kind == "may_return") == ("go home." in info.instruction and "not" not in info.instruction)


async def test_a_json_warning_has_one_block_a_language(desk: Town):
    """English and Chinese, each once, both strict."""
    text = {"source": "清水县", "hazard": "山洪", "place": "河东", "action": "现在离家"}
    body = {
        "identifier": "J-1", "sender": "duty@qingshui.example", "sent": "2026-06-10T01:10:00Z",
        "expires": "2026-06-10T09:00:00Z", "tier": "red", "hazard": "flash_flood", "respond": "evacuate",
        "texts": {"zh-CN": text, "en": {"source": "Qingshui", "hazard": "Flood", "place": "Hedong", "action": "Go"}},
        "circle": {"lat": 30, "lon": 103, "radius_km": 5},
    }  # fmt: skip
    status, taken = await desk.call("POST", "/api/v1/warnings", body)
    assert (202, "active") == (status, taken["state"])
    _, alert = await document(desk, taken["warning_id"])
    assert ["zh-CN", "en"] == [i.language for i in alert.infos]
    assert ["Extreme"] * 2 == [i.severity for i in alert.infos]
    wrong = {**body, "identifier": "J-2", "texts": {"not a tag": text}}
    status, answer = await desk.call("POST", "/api/v1/warnings", wrong)
    assert 422 == status
    assert "is no language tag" in answer["title"]


async def test_what_has_not_gone_out_is_not_there(desk: Town):
    """Draft, held, stored: 404 by name, and in no feed; a private alert is not published by itself."""
    _, draft = await desk.post(cap(), release="false")
    _, held = await desk.post(cap("A-2", severity="Unknown"))
    _, old = await desk.post(cap("A-3", minutes=-60, expires=10))
    _, private = await desk.post(cap("A-4", scope="Private", head="<addresses>fire@x</addresses>"))
    assert ["draft", "held", "stored", "held"] == [one["state"] for one in (draft, held, old, private)]
    for one in (draft, held, old, private):
        status, _, _ = await desk.get(f"/cap/{one['warning_id']}.xml")
        assert 404 == status
    _, body, _ = await desk.get("/cap/feed.json")
    assert [] == json.loads(body)["items"]


async def test_the_feeds_are_read_by_others(desk: Town, peer: Told):
    """feedparser finds no fault; the entry links to the document; the JSON feed says the same; an end shows."""
    _, taken = await desk.post(cap())
    _, body, headers = await desk.get("/cap/atom.xml")
    assert "application/atom+xml" == headers["Content-Type"]
    found = feedparser.parse(body)
    assert not found.bozo
    (entry,) = found.entries
    assert "Flash flood" == entry.title
    assert ["application/cap+xml"] == [link.type for link in entry.links]
    assert f"{desk.url}/cap/{taken['warning_id']}.xml" == entry.links[0].href
    assert {"orange", "active"} <= {tag.term for tag in entry.tags}
    peer("CAP out", "feedparser 6.0.14", "Atom without a fault: title, link to the alert, tier and state")
    desk.clock.advance_to(SENT + 60)
    await desk.cancel(taken["warning_id"], "may_return")
    _, body, headers = await desk.get("/cap/feed.json")
    assert "application/feed+json" == headers["Content-Type"]
    items = json.loads(body)["items"]
    assert {"cancelled", "active"} == {item["_tocsin"]["state"] for item in items}
    desk.clock.advance_to(SENT + 9 * 86400)
    _, body, _ = await desk.get("/cap/feed.json")
    assert [] == json.loads(body)["items"]


async def test_who_has_it_already_gets_304(desk: Town):
    """ETags of feed and document hold until something changes."""
    _, taken = await desk.post(cap())
    for path in ("/cap/atom.xml", "/cap/feed.json", f"/cap/{taken['warning_id']}.xml"):
        _, _, headers = await desk.get(path)
        status, body, _ = await desk.get(path, {"If-None-Match": headers["ETag"]})
        assert (304, b"") == (status, body)
        assert headers["Cache-Control"].startswith("public")
    _, _, before = await desk.get("/cap/atom.xml")
    await desk.post(cap("A-9"))
    status, _, after = await desk.get("/cap/atom.xml", {"If-None-Match": before["ETag"]})
    assert (200, True) == (status, before["ETag"] != after["ETag"])


async def test_a_drill_says_so_in_every_title(tmp_path: Path):
    """An exercise's feed cannot be taken for a warning."""
    async with open_town(tmp_path / "data", plane="drill") as desk:
        _, taken = await desk.post(cap(status="Exercise", head="<note>E-7</note>"))
        assert "active" == taken["state"]
        _, body, _ = await desk.get("/cap/atom.xml")
        assert ["[EXERCISE] Flash flood"] == [e.title for e in feedparser.parse(body).entries]


def test_half_a_key_pair_refuses_to_start(tmp_path: Path):
    """A key without its certificate, with another's, or unreadable is said before the first request."""
    key, _ = pair("A")
    _, other = pair("B")
    paths = [tmp_path / name for name in ("key.pem", "other.pem", "missing.pem")]
    paths[0].write_bytes(key)
    paths[1].write_bytes(other)
    for cert in (None, paths[1], paths[2]):
        with pytest.raises(Broken, match="TOCSIN_CAP_SIGN_KEY"):
            Publisher(Settings(cap_sign_key=paths[0], cap_sign_cert=cert), "http://127.0.0.1:1")
