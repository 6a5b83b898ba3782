"""An alert with several blocks: each place its own words or a person first, what has ended warns nobody, no action made up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import shapely

from services.channels.messages.cap_document import read_document
from services.channels.messages.render import MessageFacts, render
from services.gateway.cli.cap_check import check, in_words
from services.gateway.intake.incoming import from_cap
from services.gateway.publish.parts import parts_of
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.warnings import warning_text
from services.shared.tiers import Tier
from tests.kit.cap_build import alert, info
from tests.kit.square import moment
from tests.kit.town import Town, open_town

HILL = "<areaDesc>Hill Farm</areaDesc><polygon>30.0,110.0 30.0,110.1 30.1,110.1 30.1,110.0 30.0,110.0</polygon>"
LANE = "<areaDesc>Low Lane</areaDesc><polygon>30.5,110.5 30.5,110.6 30.6,110.6 30.6,110.5 30.5,110.5</polygon>"
WIND = info(HILL, event="Wind advisory", headline="Wind advisory", instruction="Tie down loose things.", severity="Moderate",
            responseType=None)  # fmt: skip
DAM = info(LANE, event="Dam failure", headline="Dam failure: flood wave", instruction="Climb to the church hill at once.",
           severity="Extreme", responseType=None)  # fmt: skip


def now_(body: bytes) -> bytes:
    """The alert of the builder, sent at the office's time."""
    text = body.decode().replace("2026-07-09T15:00:00+08:00", moment(0))
    return (
        text.replace("2026-07-09T18:00:00+08:00", moment(60)).replace("2026-07-10T03:00:00+08:00", moment(600)).encode()
    )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path / "data") as made:
        yield made


async def parts_in(desk: Town, warning_id: str) -> dict[str, Any]:
    async with desk.node.platform.database.read() as db:
        found = (await db.execute(warning_text.select().where(warning_text.c.warning_id == warning_id))).one()
    return dict(found.parts)


def sms(parts: dict[str, Any], form: str = "plain", tier: Tier = Tier.RED) -> str:
    return render(
        MessageFacts(DeliveryKind.WARNING, "person", form, tier, parts, "4721", "1", "112", sms=True), "en"
    ).text


@pytest.mark.parametrize("blocks", [WIND + DAM, DAM + WIND], ids=["wind first", "dam first"])
async def test_two_events_in_one_language_are_held_and_never_merged(desk: Town, blocks: str) -> None:
    """The answer, the check and the note say why; let out by a person, each place is named with its own words."""
    body = now_(alert(blocks))
    status, taken = await desk.post(body, strict="false")
    assert (202, "held") == (status, taken["state"])
    assert any("different things to different places" in note for note in taken["notes"])
    found = check("a.xml", body)
    assert "Low Lane: Dam failure" in found["held"][0]
    assert "held for a person" in in_words(found)
    assert 202 == (await desk.call("POST", f"/api/v1/warnings/{taken['warning_id']}/release", {}))[0]
    parts = await parts_in(desk, taken["warning_id"])
    for form in ("plain", "short_plain", "easy_read"):
        text = sms(parts, form)
        assert "Low Lane: Dam failure. Climb to the church hill at once." in text
        assert "Hill Farm: Wind advisory. Tie down loose things." in text
        assert text.index("church hill") < text.index("Tie down")
        assert "go now" not in text
        assert "Reply 1 leaving" not in text
    _, document, _ = await desk.get(f"/cap/{taken['warning_id']}.xml")
    assert ["Wind advisory", "Dam failure"] == sorted((i.event for i in read_document(document).infos), reverse=True)


async def test_one_event_and_instruction_in_several_areas_is_one(desk: Town) -> None:
    """Whatever their headlines and levels: all at the highest, with a note; no place's headline is told to another."""
    one = info(HILL, headline="Flash flood at Hill Farm", severity="Moderate")
    two = info(LANE, headline="Flash flood at Low Lane", severity="Extreme")
    status, taken = await desk.post(now_(alert(one + two)), strict="false")
    assert (202, "active") == (status, taken["state"])
    assert any("at the highest" in note for note in taken["notes"])
    part = (await parts_in(desk, taken["warning_id"]))["en-US"]
    assert ("Flash flood", "Hill Farm, Low Lane", "Walk uphill.") == (part["hazard"], part["place"], part["action"])


async def test_what_has_ended_somewhere_warns_nobody_there(desk: Town) -> None:
    """Neither its words nor its area, end or begin are those of the block that goes on; also in what we publish."""
    over = info(LANE, event="Flash flood", headline="The warning for Low Lane has ended", responseType="AllClear",
                instruction="You may go home.", severity="Minor", onset="2026-07-09T16:00:00+08:00",
                expires="2026-07-12T03:00:00+08:00")  # fmt: skip
    going = info(HILL, headline="It goes on at Hill Farm")
    for blocks in (over + going, going + over):
        incoming = from_cap(alert(blocks), strict=False)
        assert not incoming.ending
        text = incoming.texts["en-US"]
        assert ("It goes on at Hill Farm", "Hill Farm", "Walk uphill.") == (
            text["hazard"],
            text["place"],
            text["action"],
        )
        assert shapely.from_geojson(incoming.area).bounds == (110.0, 30.0, 110.1, 30.1)
        assert 12 * 3600 == incoming.expires - incoming.sent
        assert 3 * 3600 == (incoming.impact or 0) - incoming.sent
        assert any("ends for Low Lane" in note for note in incoming.notes)
    _, taken = await desk.post(now_(alert(over + going)), strict="false")
    assert "active" == taken["state"]
    _, document, _ = await desk.get(f"/cap/{taken['warning_id']}.xml")
    assert ("Hill Farm",) == tuple(p for i in read_document(document).infos for p in i.places)


RESPONSES = ["None", "Monitor", "Avoid", "Execute", "Prepare", "Assess", None]
ORDERS = ("leave now", "go now", "stay in", "close doors", "reply 1 leaving", "follow the instructions", "go out now",
          "go to high ground", "check on older")  # fmt: skip


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize(
    ("event", "severity"),
    [("Flash flood", "Extreme"), ("Chlorine leak", "Extreme"), ("Storm", "Severe"), ("Tsunami", "Moderate"), ("Heat", "Minor")],
)  # fmt: skip
def test_no_order_is_made_up(event: str, severity: str, response: str | None) -> None:
    """Without <instruction>, whatever the response and the hazard: on no form, in no title and no menu."""
    block = info(responseType=response, instruction=None, event=event, headline=f"{event}: be aware of it", severity=severity,
                 description="Minor splash-over at high tide. No action is needed.")  # fmt: skip
    incoming = from_cap(alert(block), strict=False)
    assert any("no action is named (en-US)" in note for note in incoming.notes)
    assert not incoming.hold
    assert incoming.tier is not None
    parts = parts_of(incoming, incoming.tier, lambda _: 0, "County")
    for form in ("plain", "short_plain", "easy_read", "large_print", "crawl", "plain+leave_early+ask_transport"):
        for channel in ({"sms": True}, {"sms": False}, {"sms": False, "link": "https://w.example/a/x"}):
            done = render(
                MessageFacts(DeliveryKind.WARNING, "person", form, incoming.tier, parts, "4721", "1", "112", **channel),
                "en",
            )
            said = f"{done.text} {done.spoken} {done.subject}".lower()
            assert not [order for order in ORDERS if order in said], said
            assert "Minor splash-over at high tide." in done.text


def test_a_hazards_own_words_stand_only_for_what_the_alert_asks() -> None:
    """The deaf read what the hearing hear: "go upstairs" is not told as leaving, leaving not as staying in."""
    for event, response, instruction, said in (
        ("Flash flood", None, "Go upstairs now. Do not go outside.", "Go upstairs now. Do not go outside."),
        ("Gas leak", "Evacuate", "Leave the building now.", "Leave the building now."),
        ("Storm", "Evacuate", "People on boats: go ashore now.", "People on boats: go ashore now."),
        ("Flash flood", "Shelter", "Go upstairs.", "Go upstairs now."),  # a text of ours that says the same
    ):
        block = info(event=event, headline=event, responseType=response, instruction=instruction, severity="Extreme")
        incoming = from_cap(alert(block), strict=False)
        parts = parts_of(incoming, Tier.RED, lambda _: 0, "County")
        for form in ("short_plain", "easy_read"):
            assert said in sms(parts, form)
    block = info(event="Flash flood", responseType="Evacuate", instruction="Leave now.", severity="Extreme")
    assert "Danger: a flood." in sms(
        parts_of(from_cap(alert(block), strict=False), Tier.RED, lambda _: 0, "C"), "easy_read"
    )


SIGNS = [
    "If the gauge reads <2 m stay upstairs; if it reads >3 m leave at once",
    "visibility <1 km, gusts >90; a<b and c>d",
    "https://maps.example/r?area=12&region=5&section=2&notify=1&copy=3&para=4",
    "පාසල ශ්‍රී ලංකාව", "می‌روم", "👩‍👩‍👧", "a\u200fb\u200ec", "R&D &notit; &unknown;",
]  # fmt: skip


@pytest.mark.parametrize("way", ["cap", "json"])
async def test_signs_go_out_as_they_were_written(tmp_path: Path, way: str) -> None:
    """By CAP and JSON alike: in the SMS, in the mail, in the feeds."""
    async with open_town(tmp_path, link_hosts="maps.example") as desk:
        await signs_go_out(desk, way)


async def signs_go_out(desk: Town, way: str) -> None:
    for n, sign in enumerate(SIGNS):
        xml = sign.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        if way == "cap":
            _, taken = await desk.post(now_(alert(info(instruction=f"{xml}."), identifier=f"S-{n}")), strict="false")
        else:
            body = {
                "identifier": f"J-{n}", "sender": "office", "sent": moment(0), "expires": moment(600), "tier": "red",
                "geocodes": [["code", "1"]],
                "texts": {"en-US": {"source": "County", "hazard": "Flood", "place": "Lane", "action": f"{sign}."}},
            }  # fmt: skip
            _, taken = await desk.call("POST", "/api/v1/warnings", body)
        assert "active" == taken["state"], taken
        parts = await parts_in(desk, taken["warning_id"])
        for is_sms in (True, False):
            facts = MessageFacts(
                DeliveryKind.WARNING, "person", "plain", Tier.RED, parts, "4721", "1", "112", sms=is_sms
            )
            assert f"{sign}." in render(facts, "en").text
        _, feed, _ = await desk.get("/cap/feed.json")
        assert any(sign in item["content_text"] for item in json.loads(feed)["items"])
        _, atom, _ = await desk.get("/cap/atom.xml")
        assert xml in atom.decode()


def test_real_markup_still_goes() -> None:
    """Tags with attributes, entities with their semicolon, escaped twice."""
    block = info(instruction="&lt;p class=&quot;x&quot;&gt;Go &amp;amp; wait&lt;br/&gt;at 26 &amp;deg;C&lt;/p&gt;")
    assert "Go & wait\nat 26 °C" == from_cap(alert(block), strict=False).texts["en-US"]["action"]
