"""Tells a path in words: each delivery with its outcome and reason for a duty officer, plain sentences for the person.

Nothing in either names the person. Each channel left out is said with its reason, and the ending with who may be asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from services.router.callouts.callouts import AskedOut
from services.router.policy.rules import PathPlan
from services.router.store import tables
from services.shared import labels
from services.shared.i18n import listed, mark, t, tc, tn
from services.shared.labels import say
from services.shared.ledger.deliveries import DOOR_DRIVER, Delivery
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.ledger import STOPPED, Evidence, Logged

Offset = int | Callable[[float], int]  # minutes east of UTC, or what gives them for a time
_STEP = re.compile(r"(blue|yellow|orange|red|facility)\.(\d+)(?:[:;] ?(.*))?", re.DOTALL)  # step, then what made it so
TESTED = "link test: "  # what channels writes before the reason of a channel that is down


def clock_words(when: float, offset: Offset) -> str:
    """Local HH:MM."""
    minutes = offset if isinstance(offset, int) else offset(when)
    return (datetime.fromtimestamp(when, UTC) + timedelta(minutes=minutes, seconds=0.5)).strftime("%H:%M")


def reason_words(reason: str) -> str:
    """A delivery's reason, which is kept in the policy's words, as a sentence."""
    step = _STEP.fullmatch(reason)
    said = reason if step is None else step[3] or ""
    reasons = tc("between reasons", "; ").join(_part(part.strip()) for part in said.split(";") if part.strip())
    if step is None:
        return reasons
    name = t("step {n} of {tier}", n=int(step[2]) + 1, tier=say(labels.TIERS, step[1]))
    return t("{step} ({reasons})", step=name, reasons=reasons) if reasons else name


def _part(part: str) -> str:
    names = part.split(" & ")
    if all(name in labels.CONDITIONS for name in names):
        between = tc("between conditions that hold at once", " and ")
        return between.join(say(labels.CONDITIONS, name) for name in names)
    if call := re.fullmatch(r"call (\d+) of (\d+)", part):
        return t("call {n} of {all}", n=call[1], all=call[2])
    return t(labels.REASONS[part]) if part in labels.REASONS else part


def lines(
    path: tables.Path,
    plan: PathPlan,
    deliveries: Sequence[Delivery],
    area: Mapping[str, str],
    answers: Mapping[str, Sequence[Logged]],
    offset: Offset,
    *,
    policy: str = "",
) -> list[str]:
    """For a duty officer, one sentence a line, in the order things happened."""
    facts = listed(sorted(say(labels.CONDITIONS, fact) for fact in plan.facts)) or t("none that changes the path")
    escalation = say(labels.TIERS, plan.escalation)
    if policy:
        first = t(
            "Facts: {facts}; escalation {escalation}; usable channels: {usable}; policy {policy}.",
            facts=facts, escalation=escalation, usable=plan.usable, policy=policy,
        )  # fmt: skip
    else:
        first = t(
            "Facts: {facts}; escalation {escalation}; usable channels: {usable}.",
            facts=facts,
            escalation=escalation,
            usable=plan.usable,
        )
    return [
        first,
        *(_delivery(row, answers.get(row.delivery_id, ()), offset) for row in deliveries),
        *(
            t("{channel}: not used, {reason}.", channel=say(labels.CHANNELS, channel), reason=left_out(why))
            for channel, why in plan.left_out
        ),
        *(
            t(
                "{channel} for the area: not used, {reason}.",
                channel=say(labels.CHANNELS, channel),
                reason=left_out(why),
            )
            for channel, why in sorted(area.items())
        ),
        _state(path, deliveries, offset),
    ]


def callout_lines(called: Sequence[AskedOut], offset: Offset) -> list[str]:
    """Whether somebody with a skill was called out to the visit, how many were asked, and what came of it."""
    found = []
    for c in called:
        until = clock_words(c.ended_at if c.ended_at is not None else c.held_at or c.opened_at, offset)
        who = c.holder[:8]
        match c.state:
            case "asking":
                became = t("nobody has accepted yet")
            case "taken":
                became = t("{time} {who} has accepted", time=until, who=who)
            case "done" if who:
                became = t("{time} the visit is over, {who} had accepted", time=until, who=who)
            case "done":
                became = t("{time} the visit is over", time=until)
            case _:
                became = t("{time} nobody can go: the written card", time=until)
        since, skill = clock_words(c.opened_at, offset), say(labels.CALLED, c.skill)
        found.append(
            t(
                "{time} {skill} called out: {asked} asked; {became}.",
                time=since,
                skill=skill,
                asked=c.asked,
                became=became,
            )
        )
    return found


def left_out(why: str) -> str:
    """Why a channel is not used; a failed test with what was said of it."""
    if why.startswith(TESTED):
        return t("{reason} ({said})", reason=say(labels.LEFT_OUT, "link_test"), said=why.removeprefix(TESTED))
    return say(labels.LEFT_OUT, why)


def _state(path: tables.Path, deliveries: Sequence[Delivery], offset: Offset) -> str:
    if path.ending and path.ended_at is not None:
        when, said = clock_words(path.ended_at, offset), say(labels.ENDINGS, path.ending)
        if why := path.end_reason or "":
            why = t(labels.REASONS[why]) if why in labels.REASONS else why
            return t("{time} {ending} ({reason}).", time=when, ending=said, reason=why)
        return t("{time} {ending}.", time=when, ending=said)
    if any(d.kind == DeliveryKind.VISIT and d.send_state == "pending" and not d.slot for d in deliveries):
        return t("Open: a door waits for the commander's word or for a team of officers.")
    if any(d.kind == DeliveryKind.VISIT and d.send_state == "accepted" and not d.answer for d in deliveries):
        return t("Open: the door is on an officer's list and was not visited yet.")
    if path.end_reason:
        return t("Open, A PERSON MUST LOOK: {reason}.", reason=path.end_reason)
    if path.next_at is not None:
        return t("Open: the next step is at {time}.", time=clock_words(path.next_at, offset))
    return t("Open: waiting for what the officer finds.")


def _delivery(row: Delivery, answers: Sequence[Logged], offset: Offset) -> str:
    name = say(labels.CHANNELS, row.channel)
    if row.try_no > 1:
        name = t("{channel}, try {n}", channel=name, n=row.try_no)
    parts = [_became(row)]
    if row.evidence > Evidence.ACCEPTED and row.evidence_at is not None and not answers:
        evidence = say(labels.EVIDENCE, Evidence(row.evidence).name.lower())
        parts.append(t("{evidence} {time}", evidence=evidence, time=clock_words(row.evidence_at, offset)))
    for one in answers:
        at, answer = clock_words(one.at, offset), say(labels.ANSWERS, one.answer)
        if one.by in ("person", ""):
            parts.append(t("{time}: {answer}", time=at, answer=answer))
        else:
            parts.append(t("{time} ({who}): {answer}", time=at, who=say(labels.BY, one.by), answer=answer))
    if row.covers > 1:
        parts.append(tn("one message for {n} person", "one message for {n} people", row.covers))
    return t(
        "{time} {channel}: {became}. Why: {reason}.", time=clock_words(row.sent_at or row.due_at, offset), channel=name,
        became=tc("between reasons", "; ").join(parts), reason=reason_words(row.reason),
    )  # fmt: skip


def _became(row: Delivery) -> str:
    if row.driver == DOOR_DRIVER and row.send_state in labels.VISITS:
        return say(labels.VISITS, row.send_state)
    if row.state_reason == STOPPED:
        return t("not sent, this number said STOP")
    said = say(labels.STATES, row.send_state)
    shown = row.driver == DOOR_DRIVER or row.send_state in ("failed", "suppressed", "superseded", "unconfirmed")
    return t("{state} ({reason})", state=said, reason=row.state_reason) if shown and row.state_reason else said


# for the person: no steps, no states, only what was done, and what they can do

_TRIED: labels.Words = {
    "sms": mark("At {at} we sent you a text."),
    "voice_mobile": mark("At {at} we called your mobile."),
    "voice_landline": mark("At {at} we called your landline."),
    "voice_duty": mark("At {at} we called your duty phone."),
    "email": mark("At {at} we sent you an e-mail."),
    "bed_shaker": mark("At {at} we made your bed shaker wake you."),
    "push": mark("At {at} we sent a message to your device."),
    "chat": mark("At {at} we sent you a chat message."),
    "supporter_sms": mark("At {at} we sent a text to your helper."),
    "supporter_voice": mark("At {at} we called your helper."),
    "officer_sms": mark("At {at} we asked an officer to contact you."),
    "door": mark("At {at} we asked officers to come to your door."),
    "fire_service_list": mark("At {at} we gave your name to the fire service."),
}
_ANSWERED: labels.Words = {
    "leaving": mark("You told us that you were leaving."),
    "not_there": mark("We were told that you were not there."),
    "moving": mark("We were told that you were on the way."),
    "safe": mark("We were told that you were safe."),
    "help": mark("We were told that you need help."),
    "no_answer": mark("Nobody answered the door."),
    "refused": mark("You told the officers that you would stay."),
    "unsafe": mark("The officers could not reach your door safely."),
    "spoke": mark("Somebody has spoken with you."),
    "cannot_reach": mark("Your helper or officer could not reach you."),
}
_WHY_NOT: labels.Words = {
    "no_driver": mark("We cannot use {channel} here."),
    "link_test": mark("{channel} was out of order. We used other ways."),
    "no_contact": mark("We did not use {channel}: you have not given us one. You can add it."),
    "said_no": mark("We did not use {channel}: you told us not to. You can change that."),
    "not_verified": mark("We did not use {channel}: the number was never checked. Ask us for a test message."),
    "unfit": mark("We did not use {channel}: we think it does not suit you. Tell us if it does."),
    "no_supporter": mark("Nobody is named as your helper. You can name one."),
    "no_own_phone": mark("We wrote to your family's phone."),
}  # fmt: skip
_END: labels.Words = {
    "closed": mark("We know that you were safe, on the way or away. Thank you."),
    "sent": mark("That was all for this message. No answer was needed."),
    "officer_contact": mark("An officer was asked to contact you."),
    "unconfirmed": mark("We had no answer from you."),
    "no_capacity": mark("There were not enough officers. The fire service has your name."),
    "handed_to_rescue": mark("The rescue service has your name."),
    "unsafe_by_commander": mark("It was too dangerous to send anybody. The fire service has your name."),
    "refused": mark("You said that you would stay. If you change your mind, reply 2 or call us."),
    "superseded": mark("A newer message has replaced this one."),
    "cancelled": mark("The warning was ended."),
    "not_asked": mark("This message was for radio, TV and the street, not for single phones."),
}  # fmt: skip


HANDED_OVER = ("accepted", "delivered", "unconfirmed")


def _happened(row: Delivery) -> float | None:
    """When this was done; None where it was not, or nobody knows: the past tells only what happened.

    A door is asked of officers once it is on a list, not before.
    """
    if row.driver == DOOR_DRIVER:
        return row.state_at if row.slot and row.send_state in HANDED_OVER else None
    if row.sent_at is not None:
        return row.sent_at
    return row.state_at if row.send_state in HANDED_OVER else None


def plain(
    path: tables.Path,
    plan: PathPlan,
    deliveries: Sequence[Delivery],
    answers: Mapping[str, Sequence[Logged]],
    offset: Offset,
) -> list[str]:
    """For the person: short sentences, one thing each; what was done, what they said, why a channel was not used."""
    found: list[str] = []
    for row in deliveries:
        if row.state_reason == STOPPED and row.addressee_kind in ("person", "facility"):
            found.append(t("We sent no text, since your phone told us STOP. Send START to get texts again."))
            continue
        if row.send_state in ("suppressed", "cancelled", "expired", "superseded") and not row.answer:
            continue
        if row.channel in _TRIED and (at := _happened(row)) is not None:
            found.append(t(_TRIED[row.channel], at=clock_words(at, offset)))
        said = (one for one in answers.get(row.delivery_id, ()) if one.answer in _ANSWERED)
        found += [
            t("{sentence} ({time})", sentence=t(_ANSWERED[one.answer]), time=clock_words(one.at, offset))
            for one in said
        ]
    for channel, why in plan.left_out:
        why = "link_test" if why.startswith(TESTED) else why
        if why in _WHY_NOT:
            found.append(t(_WHY_NOT[why], channel=say(labels.CHANNELS, channel)))
    found.append(say(_END, path.ending) if path.ending else t("We are still trying to reach you."))
    found.append(t("If you see danger, go. Do not wait for us."))
    return list(dict.fromkeys(found))
