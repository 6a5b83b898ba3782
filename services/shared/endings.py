"""Names the ways a warning ends, and which of them leave it running."""

from __future__ import annotations

PART_RETURNS = "may_return_part"  # people of a part of the place may go home; everywhere else it goes on
ENDING_KINDS = (
    "danger_lower_stay_away",
    "may_return",
    PART_RETURNS,
    "sent_by_mistake",
    "checking",
    "not_ours",
)
GOES_ON = (PART_RETURNS, "checking")  # the warning itself stays in force
ALL_CLEAR = ("may_return", PART_RETURNS)  # people have died returning too early: a second person always confirms it
GO_HOME = (*ALL_CLEAR, "sent_by_mistake")  # who left goes back
