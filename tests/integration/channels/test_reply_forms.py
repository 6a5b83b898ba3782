"""A reply finds its person in whatever legal form the provider writes their number, and STOP is kept under all of them."""

from __future__ import annotations

import csv
import io

from services.channels.model.inbound import Inbound
from services.registry.importing.cells import Cells
from services.registry.importing.report import ImportReport
from tests.integration.channels.test_replies import Exchange, there

__all__ = ["there"]  # the fixture

LISTED = """written,region,replies
+52 1 55 5512 3401,GB,+5215555123401
+52 55 5512 3402,GB,+5215555123402
+52 1 55 5512 3403,GB,+525555123403
+54 9 11 2345-6701,GB,+541123456701
011 15-2345-6702,AR,+541123456702
11 2345-6703,AR,+5491123456703
+225 07 01 23 45 67,GB,+2250701234567
+225 07 01 23 45 68,GB,+225701234568
+39 06 6982 1234,GB,+390669821234
06 6982 1235,IT,+39669821235
07400 123456,GB,+00447400123456
07400 123457,GB,+44 7400 123457
"""
ROWS = [(row["written"], row["region"], row["replies"]) for row in csv.DictReader(io.StringIO(LISTED))]


def as_a_list_keeps_it(written: str, region: str) -> str:
    """By the same reading that an import does."""
    ((number, _),) = Cells(2, {"mobile": written}, ImportReport(), region).phones("mobile")
    return number


async def test_a_reply_is_of_the_phone_in_the_list(there: Exchange) -> None:
    """Help is answered and written down, whatever the provider calls the phone."""
    for written, region, replies in ROWS:
        one = await there.told(f"of {written}", as_a_list_keeps_it(written, region))
        assert "request for help" in await there.says("2", replies), (written, replies)
        assert [("help", "")] == await there.said_of(one), (written, replies)


async def test_stop_and_start_hold_for_each_form(there: Exchange) -> None:
    """What was not sent is taken back; START, in the other form again, lifts it."""
    for written, region, replies in ROWS:
        kept = as_a_list_keeps_it(written, region)
        await there.told(f"of {written}", kept)
        later = await there.told(f"of {written}", kept, state="pending", due=9e8)
        await there.says("stop", replies)
        assert ("suppressed", "stopped") == await there.state(later), (written, replies)
        assert await there.says("start", kept), (written, replies)


async def test_a_number_of_nobody_is_nobodys(there: Exchange) -> None:
    """The forms of one number are no other's."""
    await there.told("p", "+5491123456702")
    assert "" == await there.says("2", "+541123456703")
    assert "" == await there.board.inbound(Inbound("sms", "withheld", "2", "in:x"))
    assert [] == await there.log()
