"""Names the states of sending and the moves between them that are allowed."""

from __future__ import annotations

from enum import StrEnum


class SendState(StrEnum):
    """From DELIVERED on they are final for decisions to send; a later receipt may still raise UNCONFIRMED or FAILED."""

    PENDING = "pending"
    SENDING = "sending"  # in an open flight; stored stays what it was before
    RETRY = "retry"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    SUPPRESSED = "suppressed"


S = SendState
TRANSITIONS: frozenset[tuple[SendState, SendState]] = frozenset(
    {
        (S.PENDING, S.SENDING),
        (S.RETRY, S.SENDING),
        (S.SENDING, S.ACCEPTED),
        (S.SENDING, S.RETRY),  # surely not accepted
        (S.SENDING, S.FAILED),  # refused for good
        (S.SENDING, S.UNKNOWN),  # ambiguous, or the lease ran out: never straight back to RETRY
        (S.SENDING, S.DELIVERED),  # a callback overtook the response
        (S.UNKNOWN, S.ACCEPTED),
        (S.UNKNOWN, S.DELIVERED),
        (S.UNKNOWN, S.FAILED),
        (S.UNKNOWN, S.RETRY),  # red and no other channel, or no path decides on it: once
        (S.UNKNOWN, S.UNCONFIRMED),
        (S.ACCEPTED, S.DELIVERED),
        (S.ACCEPTED, S.FAILED),
        (S.ACCEPTED, S.UNCONFIRMED),
        (S.ACCEPTED, S.SUPERSEDED),  # a visit not begun is taken off the list again
        (S.UNCONFIRMED, S.DELIVERED),
        (S.FAILED, S.DELIVERED),
        # a late receipt for the attempt before: sending again would be a double we know of
        *((a, b) for a in (S.PENDING, S.RETRY) for b in (S.ACCEPTED, S.DELIVERED)),
        *((a, b) for a in (S.PENDING, S.RETRY) for b in (S.EXPIRED, S.CANCELLED, S.SUPERSEDED, S.SUPPRESSED, S.FAILED)),
    }
)
STORED = tuple(state for state in SendState if state is not S.SENDING)
STOPPED = "stopped"  # the reason of what was not sent since the number said STOP
GONE = "gone"  # the reason of a push message whose subscription is no more
NO_VOLUNTEER = "no_volunteer"  # the reason of a video call nobody who signs could make


def can_move(before: SendState, after: SendState) -> bool:
    """Whether the table allows it."""
    return (before, after) in TRANSITIONS
