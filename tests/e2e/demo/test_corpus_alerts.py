"""Ten real alerts, warned through the whole system: everyone is explained, nobody is doubled, no channel they cannot use."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.demo import run_demo
from services.demo_result import DemoDetails
from services.gateway.intake.incoming import from_cap
from services.registry.sample.sample import mint
from services.router.report import report
from services.router.store import tables
from services.shared.tiers import Tier

CORPUS = Path(os.environ["TOCSIN_CAP_CORPUS"]) / "alerts"
PEOPLE = 15  # others around each alert: the seed is its place in the list
# file, tier decided where the source does not say (the demo's --tier), what it is among the ten for
ALERTS = [
    ("gb-alphagov-sample_cap_xml_documents-c95db0.xml", None),  # polygon
    ("us-google-wcatwc-warning-7150f6.xml", None),  # Update, codes only, doors forbidden
    ("mx-kelvinn-mexico-a3bb99.xml", None),  # Update, polygon
    ("us-farrel-earthquake-a56635.xml", Tier.RED),  # circle, two infos, held
    ("tw-tasi788-HEX_SAVE_fireAlarm_20190729054142-0fa62f.xml", None),  # circle
    ("ca-thegreatco-alert_3-0f616a.xml", None),  # Update, two infos, English and French
    ("tw-tasi788-fifows_heat_202404221428-51fda6.xml", None),  # codes only, three infos
    ("il-kde-il-488abaaf-cad5-4d2b-93b2-703016878453-bd7053.xml", None),  # codes only, Hebrew and English
    ("ch-kde-alertswiss-POA-1222963954-5-c47e84.xml", Tier.ORANGE),
    ("tg-wmo-im-no_signature-e8b218.xml", None),
]
KIND_OF_CHANNEL = {"sms": "sms", "voice_mobile": "voice_mobile", "voice_landline": "voice_landline", "email": "email"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("seed", "name", "tier"), [(n, *one) for n, one in enumerate(ALERTS)], ids=[name[:16] for name, _ in ALERTS]
)
async def test_everyone_around_a_real_alert_is_explained(seed: int, name: str, tier: Tier | None) -> None:
    """unexplained 0, doubled 0, and each person's path keeps what it promises."""
    alert = (CORPUS / name).read_bytes()
    seen: dict[str, Any] = {}

    async def inspect(embedded: Any, warning_id: str) -> None:
        async with embedded.platform.database.read() as db:
            people = (
                await db.scalars(sa.select(tables.path.c.person_id).where(tables.path.c.warning_id == warning_id))
            ).all()
            for person_id in people:
                seen[person_id] = await report.path(db, embedded.router.contexts, warning_id, person_id)

    result = await run_demo(alert, people=PEOPLE, seed=seed, tier=tier, inspect=inspect)
    figures = result.figures
    assert 0 == figures["unexplained"]
    assert 0 == figures["doubled"]
    assert PEOPLE <= figures["targeted"] == len(seen)
    ended = figures["closed"] + sum(figures["explained_not_closed"].values())
    assert figures["targeted"] == ended + figures["open"]
    _check_people(alert, seed, seen, result.details)


def _check_people(alert: bytes, seed: int, seen: dict[str, Any], details: DemoDetails) -> None:
    incoming = from_cap(alert, strict=False)
    community = mint(incoming.area, incoming.geocodes, people=PEOPLE, seed=seed)
    urgent = details.tier in ("orange", "red")
    for person in community.people:
        path = seen[person.person_id]
        said_no = {c.kind for c in person.contacts if c.said_no}
        unverified = {c.kind for c in person.contacts if c.why_not == "not_verified"}
        usable = {c.kind for c in person.contacts if not c.why_not}
        for delivery in path["deliveries"]:
            assert delivery["why"], f"{person.person_id}: {delivery['channel']} without a reason"
            kind = KIND_OF_CHANNEL.get(delivery["channel"])
            if kind is not None:
                assert kind in usable, f"{delivery['channel']} was used although {said_no=} {unverified=}"
        for left_out in path["left_out"]:
            assert left_out["why"]
        assert path["lines"]
        if urgent and path["kind"] != "subscriber":
            _check_few_channels(path, details)


def _check_few_channels(path: dict[str, Any], details: DemoDetails) -> None:
    """Fewer than two usable channels: a door at 0, or the fire service's list where doors are forbidden."""
    usable = next(int(m[1]) for line in path["lines"] if (m := re.search(r"usable channels: (\d+)", line)))
    if usable >= 2:
        return
    at_0 = {d["channel"] for d in path["deliveries"] if d["step"].endswith(".0")}
    assert {"fire_service_list" if details.doors == "forbidden" else "door"} <= at_0, path["lines"]
