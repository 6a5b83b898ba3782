"""What every text is made of: where people are to go, and when it comes, as a warning given as JSON says them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from services.channels.messages.render import MessageFacts, render
from services.gateway.intake.incoming import WarningIn, from_json
from services.gateway.publish.parts import parts_of
from services.router.planning.contexts import Contexts
from services.router.planning.plan import WarningContext
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.warnings import warning_text
from services.shared.messages import WarningIssued
from services.shared.settings import Settings
from services.shared.tiers import Tier
from tests.kit.town import Town, open_town

WORDS = {"source": "Qingshui County", "hazard": "Flash flood", "place": "Hedong", "action": "Leave now, go uphill."}
PLACE = {"en": "Nanling School", "zh-CN": "南岭学校"}
WORDS_ZH = {"source": "清水县应急局", "hazard": "山洪", "place": "河东", "action": "马上离开,往高处走。"}


def parts(**more: Any) -> dict[str, Any]:
    """Parts of a red flash flood warning with these fields beside the usual ones."""
    given = {
        "identifier": "1", "sender": "office", "sent": "2026-06-09T22:10:00+08:00", "expires": "2026-06-10T10:00:00+08:00",
        "tier": "red", "hazard": "flash_flood", "respond": "evacuate", "texts": {"en": WORDS, "zh-CN": WORDS_ZH},
        "geocodes": [["code", "1"]],
    }  # fmt: skip
    one = from_json(WarningIn.model_validate(given | more), b"{}")
    sense: dict[str, Any] = {
        "tier_reason": one.tier_reason, "notes": [], "hazard": one.hazard, "respond": one.respond, "impact": one.impact,
        "go_to": one.go_to, "instruction": one.sense["instruction"],
    }  # fmt: skip
    row = SimpleNamespace(texts=one.texts, sense=sense, sent=one.sent, state_expires_at=one.expires)
    return parts_of(row, Tier.RED, lambda _: 480, "County")


def short(found: dict[str, Any], language: str) -> str:
    """The short plain text as an SMS."""
    facts = MessageFacts(
        DeliveryKind.WARNING, "person", "short_plain", Tier.RED, found, "4721", "1234", "12345", sms=True
    )
    return render(facts, language).text


def test_people_are_told_of_the_place_that_is_confirmed_open() -> None:
    """By name, in each language; and when the water comes, with the day where it is the next one."""
    found = parts(go_to={"name": PLACE, "open": True}, onset="2026-06-10T03:00:00+08:00")
    assert ("Wed 03:00", "10日03:00") == (found["en"]["impact"], found["zh-CN"]["impact"])
    assert "Nanling School" in short(found, "en")
    assert "Wed 03:00" in short(found, "en")
    assert "南岭学校" in short(found, "zh-CN")
    assert "10日03:00" in short(found, "zh-CN")


def test_without_one_nobody_is_told_to_go_to_any() -> None:
    """High ground, or away; an hour of the same day stands without its day."""
    found = parts(onset="2026-06-09T23:30:00+08:00")
    assert {} == found["en"]["to"]
    assert ("23:30", "23:30") == (found["en"]["impact"], found["zh-CN"]["impact"])
    assert "School" not in short(found, "en")
    assert "high" in short(found, "en").lower()


LONDON, SHANGHAI = "Europe/London", "Asia/Shanghai"
CHANGES = [  # zone, sent, ends, begins > what is told of them
    (LONDON, "2026-03-28T21:01:00+00:00", "2026-03-29T09:00:00+01:00", "2026-03-29T06:00:00+01:00",
     "Sent Sat 21:01, until Sun 09:00.", "Sun 06:00"),
    (LONDON, "2026-10-24T21:00:00+01:00", "2026-10-25T09:00:00+00:00", "2026-10-25T06:00:00+00:00",
     "Sent Sat 21:00, until Sun 09:00.", "Sun 06:00"),
    (SHANGHAI, "2026-11-28T19:32:00+08:00", "2026-12-07T19:32:00+08:00", "2026-12-05T03:00:00+08:00",
     "Sent Sat 19:32, until Mon 7 Dec 19:32.", "Sat 5 Dec 03:00"),
    (SHANGHAI, "2026-12-30T19:32:00+08:00", "2027-01-07T19:32:00+08:00", "2026-12-31T03:00:00+08:00",
     "Sent Wed 19:32, until Thu 7 Jan 2027 19:32.", "Thu 03:00"),
    (SHANGHAI, "2026-11-28T19:32:00+08:00", "2026-12-04T19:32:00+08:00", "2026-11-28T20:00:00+08:00",
     "Sent Sat 19:32, until Fri 19:32.", "20:00"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "sent", "ends", "begins", "told", "begin"), CHANGES)
async def test_each_time_is_told_by_the_clocks_of_its_own_day(
    tmp_path: Path, zone: str, sent: str, ends: str, begins: str, told: str, begin: str
) -> None:
    """Over a change of the clocks in both directions, and with a date where a weekday alone could be another."""
    body = {
        "identifier": "1", "sender": "office", "sent": sent, "expires": ends, "onset": begins, "tier": "red",
        "texts": {"en": WORDS, "zh-CN": WORDS_ZH}, "geocodes": [["code", "1"]],
    }  # fmt: skip
    start = datetime.fromisoformat(sent).timestamp()
    async with open_town(tmp_path / "data", start=start, timezone=zone) as desk:
        _, taken = await desk.call("POST", "/api/v1/warnings", body)
        async with desk.node.platform.database.read() as db:
            parts = (await db.execute(sa.select(warning_text.c.parts))).scalar_one()
        assert (told, begin) == (parts["en"]["time"], parts["en"]["impact"])
        facts = MessageFacts(DeliveryKind.WARNING, "person", "plain", Tier.RED, parts, "4721", "1", "1", sms=True)
        assert told in render(facts, "en").text
        assert f"{told.split(', until')[0]}." == parts["en"]["sent"]
        ended = MessageFacts(
            DeliveryKind.ENDING, "person", "plain", Tier.RED, parts, "4721", "1", "1", ending="may_return", sms=True
        )
        assert parts["en"]["sent"] in render(ended, "en").text
        assert "until" not in render(ended, "en").text, "who may go home may stay there"
        day = datetime.fromisoformat(ends)
        assert f"{day.day}日{day:%H:%M}。" in parts["zh-CN"]["time"]
        assert (f"{day.month}月{day.day}日" in parts["zh-CN"]["time"]) is (
            day.month != datetime.fromisoformat(sent).month
        )
        _, page, _ = await desk.get(f"/public/check?number={await number_of(desk, taken['warning_id'])}")
        assert f"until {day:%a %d %b %H:%M}" in page.decode()


async def number_of(desk: Town, warning_id: str) -> str:
    _, found = await desk.call("GET", f"/api/v1/warnings/{warning_id}")
    return str(found["number"])


def test_the_policys_night_goes_by_the_clocks_of_that_night() -> None:
    """A change while a warning holds moves the morning with it."""
    settings = Settings(timezone="Europe/London")
    sent = datetime(2026, 3, 28, 21, 0, tzinfo=UTC).timestamp()
    issued = WarningIssued(
        msg_id="m", plane="live", warning_id="w", tier=4, kind="alert", purpose="live", chain_id="w", hazard="flash_flood",
        respond="", sent=sent, expires=sent + 86400, released=sent, utc_offset_min=settings.offset_at(sent),
        offset_changes=settings.offset_changes(sent, sent + 86400),
    )  # fmt: skip
    assert ((datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp(), 60),) == issued.offset_changes
    ctx = WarningContext(issued, Contexts(None).current, {}, {})
    assert datetime(2026, 3, 29, 6, 0, tzinfo=UTC).timestamp() == ctx.morning(sent)  # 07:00 in London
    assert ctx.is_night(datetime(2026, 3, 29, 5, 59, tzinfo=UTC).timestamp())
    assert not ctx.is_night(datetime(2026, 3, 29, 6, 1, tzinfo=UTC).timestamp())
    assert () == Settings(timezone="Asia/Shanghai").offset_changes(sent, sent + 40 * 86400)


def test_a_place_that_is_not_open_is_refused() -> None:
    """It is named to nobody, and the answer says what to do."""
    with pytest.raises(ValueError, match="nobody is sent to a place that is not confirmed open"):
        parts(go_to={"name": PLACE, "open": False})
    with pytest.raises(ValueError, match="name in zh-CN too"):
        parts(go_to={"name": {"en": "Nanling School"}, "open": True})
