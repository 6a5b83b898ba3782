"""A path in words, for a duty officer: each delivery with what became of it and why, each road left out, the ending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.router.policy import PathPlan
from services.shared.ledger import Evidence

ROAD_WORDS = {
    "sms": "SMS",
    "voice_mobile": "call to the mobile",
    "voice_landline": "call to the landline",
    "voice_duty": "call to the duty phone",
    "email": "e-mail",
    "supporter_sms": "SMS to a supporter",
    "supporter_voice": "call to a supporter",
    "officer_sms": "officer asked to contact",
    "door": "officer at the door",
    "fire_service_list": "fire service's list",
    "broadcast": "broadcast",
    "area_sound": "loudspeakers and sirens",
    "cell_broadcast": "cell broadcast",
    "sweep": "street sweep",
    "street_sweep": "street sweep",
    "video_relay": "video relay",
    "bed_shaker": "bed shaker",
    "push": "push message",
    "guardian": "guardian",
}
LEFT_OUT_WORDS = {
    "no_driver": "this installation has no such road",
    "no_contact": "no such contact is known",
    "said_no": "the person said no to it",
    "not_verified": "the contact was never verified",
    "unfit": "it cannot be perceived in this need group, and the person did not ask for it",
    "no_supporter": "nobody has agreed to help",
    "not_configured": "the road is not configured",
}
ANSWER_WORDS = {
    "leaving": "leaving",
    "not_there": "not there",
    "moving": "moving",
    "safe": "safe",
    "help": "NEEDS HELP",
    "refused": "refused",
    "unsafe": "unsafe to go there",
    "no_answer": "no answer",
    "spoke": "has been spoken with",
    "cannot_reach": "cannot be reached",
}
ENDING_WORDS = {
    "closed": "closed",
    "sent": "ended: sent",
    "officer_contact": "ended: an officer was asked to contact",
    "unconfirmed": "ended: unconfirmed",
    "no_capacity": "ended: no pair of officers was free; named to the fire service",
    "handed_to_rescue": "ended: handed to rescue by name",
    "unsafe_by_commander": "ended: the commander said nobody may be sent; name with the fire service",
    "refused": "ended: refused twice",
    "superseded": "ended: replaced by an update",
    "cancelled": "ended: the warning was cancelled",
    "not_asked": "ended: not asked at this tier",
}
STATE_WORDS = {
    "pending": "not sent yet",
    "leased": "about to be sent",
    "sending": "being sent",
    "retry": "to be tried again",
    "accepted": "handed over",
    "unknown": "unknown whether it was accepted",
    "delivered": "delivered",
    "failed": "failed",
    "unconfirmed": "handed over, never confirmed",
    "expired": "expired before it was sent",
    "cancelled": "stopped by the cancel",
    "superseded": "taken back",
    "suppressed": "not needed any more",
}


def clock_words(when: float, offset_min: int) -> str:
    """Local HH:MM."""
    return (datetime.fromtimestamp(when, UTC) + timedelta(minutes=offset_min)).strftime("%H:%M")


def lines(
    path: Any,
    plan: PathPlan,
    deliveries: Sequence[Any],
    area: Mapping[str, str],
    answers: Mapping[str, Sequence[Any]],
    offset: int,
) -> list[str]:
    """One sentence a line, in the order things happened; nothing in it names the person."""
    facts = ", ".join(plan_groups(plan)) or "none that changes the path"
    found = [f"Facts: {facts}; ladder {plan.ladder}; usable roads: {plan.usable}."]
    found += [_delivery(row, answers.get(row.delivery_id, ()), offset) for row in deliveries]
    for road, why in plan.left_out:
        found.append(f"{ROAD_WORDS.get(road, road)}: not used, {LEFT_OUT_WORDS.get(why, why)}.")
    for road, why in sorted(area.items()):
        found.append(f"{ROAD_WORDS.get(road, road)} for the area: not used, {LEFT_OUT_WORDS.get(why, why)}.")
    if path.ending:
        when = clock_words(path.ended_at, offset)
        found.append(f"{when} {ENDING_WORDS[path.ending]}" + (f" ({path.end_reason})." if path.end_reason else "."))
    elif any(d.road == "door" and d.send_state == "pending" and not d.slot for d in deliveries):
        found.append("Open: a door waits for the commander's word or for a pair of officers.")
    elif any(d.road == "door" and d.send_state == "accepted" and not d.answer for d in deliveries):
        found.append("Open: the door is on an officer's list and was not visited yet.")
    elif path.end_reason:
        found.append(f"Open, A PERSON MUST LOOK: {path.end_reason}.")
    elif path.next_at is not None:
        found.append(f"Open: the next rung is at {clock_words(path.next_at, offset)}.")
    else:
        found.append("Open: waiting for what the officer finds.")
    return found


def plan_groups(plan: PathPlan) -> list[str]:
    """The facts the ladder is judged by, readable."""
    return sorted(fact.replace("_", " ") for fact in plan.facts)


def _delivery(row: Any, answers: Sequence[Any], offset: int) -> str:
    name = ROAD_WORDS.get(row.road, row.road)
    again = f", try {row.try_no}" if row.try_no > 1 else ""
    when = clock_words(row.sent_at or row.due_at, offset)
    parts = [_became(row)]
    if row.evidence > Evidence.ACCEPTED and row.evidence_at is not None and not answers:
        parts.append(f"{Evidence(row.evidence).name.lower().replace('_', ' ')} {clock_words(row.evidence_at, offset)}")
    for one in answers:
        who = "" if one.by in ("person", "") else f" ({one.by.replace('_', ' ')})"
        parts.append(f"{clock_words(one.at, offset)}{who}: {ANSWER_WORDS.get(one.answer, one.answer)}")
    shared = f"; one message for {row.covers} people" if row.covers > 1 else ""
    return f"{when} {name}{again}: {'; '.join(parts)}{shared}. Why: {row.reason}."


def _became(row: Any) -> str:
    if row.channel == "door":
        listed = {"accepted": "on the list", "delivered": "visited", "pending": "not on a list yet"}
        return listed.get(
            row.send_state, STATE_WORDS[row.send_state] + (f" ({row.state_reason})" if row.state_reason else "")
        )
    why = (
        f" ({row.state_reason})"
        if row.send_state in ("failed", "suppressed", "superseded", "unconfirmed") and row.state_reason
        else ""
    )
    return STATE_WORDS[row.send_state] + why
