"""What a provider's records say when it is asked, also where they are odd: an answer that fits nothing is no answer."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from services.channels.drivers.twilio.http import TwilioAccount, TwilioSettings
from services.channels.model.driver import StatusQuestion

NOW = 1_780_000_000.0
ASKED = StatusQuestion(to="+99970001111", text="Go now", since=NOW)


def record(**more: Any) -> dict[str, Any]:
    made = format_datetime(datetime.fromtimestamp(NOW + 5, UTC))
    return {"sid": "SM1", "to": "+99970001111", "body": "Go now", "status": "sent", "date_created": made} | more


@pytest.fixture
def account() -> Any:
    """Its `answer` is what the provider says to any question."""
    made: Any = TwilioAccount.__new__(TwilioAccount)
    made.settings = TwilioSettings(account_sid="AC1")

    async def get(resource: str, query: Any = None) -> Any:
        return made.answer

    made.get = get
    return made


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ({"messages": [record()]}, "SM1"),
        ({"messages": [record(), record(sid="SM2")]}, None),
        ({"messages": [record(body="Stay in")]}, None),
        ({"messages": [record(date_created="Mon, 01 Jan 2024 00:00:00 +0000")]}, None),
        ({"messages": [record(date_created=None)]}, None),
        ({"messages": [record(sid=None)]}, None),
        ({"messages": [record(), "nonsense", None, {}]}, "SM1"),
        ({"messages": None}, None),
        ({}, None),
        (None, None),
    ],
    ids=["the one", "two alike", "another text", "long ago", "no date", "no name", "among nonsense", "null", "nothing",
         "no answer"],
)  # fmt: skip
async def test_a_message_without_a_name_is_found_by_text_and_time_or_not_at_all(
    account: Any, page: Any, found: str | None
) -> None:
    account.answer = page
    got = await account.record("Messages", ASKED, body=ASKED.text)
    assert found == (got["sid"] if got else None)


@pytest.mark.parametrize("answer", [{"status": "sent"}, {"sid": "SM9", "status": "sent"}, {}, None])
async def test_a_record_that_is_not_the_one_asked_for_says_nothing(account: Any, answer: Any) -> None:
    account.answer = answer
    assert None is await account.record("Messages", StatusQuestion(ref="SM1", to="+99970001111"), body="")
    account.answer = record()
    assert "SM1" == (await account.record("Messages", StatusQuestion(ref="SM1", to="+99970001111"), body=""))["sid"]
