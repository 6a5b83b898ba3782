"""A path in words: for a duty officer each delivery with what became of it and why, for the person in plain sentences.

Nothing in either names the person. Each channel left out is said with its reason, and the ending with who may be asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.router.policy import path_words as pw
from services.router.policy.path_words import say
from services.router.policy.rules import PathPlan
from services.shared.ledger.ledger import STOPPED, Evidence

Offset = int | Callable[[float], int]  # minutes east of UTC, or what gives them for a time
_STEP = re.compile(r"(blue|yellow|orange|red|facility)\.(\d+)(?:[:;] ?(.*))?", re.DOTALL)  # step, then what made it so
TESTED = "link test: "  # what channels writes before the reason of a channel that is down
_REASONS_ZH = {  # what steps and reactions write as their reason
    "other channel": "换一条渠道",
    "no other channel left, again": "没有别的渠道,再试一次",
    "supporter outside the zone": "帮助人在危险区外",
    "supporter inside the zone, not sent": "帮助人也在危险区:已告知,不派她去",
    "doors forbidden by hazard": "这种灾害不许上门",
    "commander: unsafe to send anybody": "指挥员说不能派人",
    "asked for help": "要求帮助",
    "supporter cannot reach": "帮助人联系不上",
    "no answer at the first visit": "第一次上门无人应答",
    "no answer at two visits": "两次上门无人应答",
    "refused once: told of the danger again": "第一次不愿走,再劝一次",
    "more doors than teams can do": "人手不够",
    "neighbour call": "请邻居帮忙",
    "channels down: no phone of the zone answers": "这一片电话都不通",
    "officer silent: given to another team": "原网格员联系不上,换人",
    "door check after the impact": "灾害过后上门查看",
    "ask": "询问",
    "the number said STOP": "这个号码回了STOP",
    "no sign volunteer could call": "没有手语志愿者能视频",
    "fewer than two channels left": "可用渠道不足两条",
    "help needed at the door": "上门时要求帮助",
    "unsafe to go to the door": "前往不安全",
    "deadline": "电池用完之前",
}

_REASONS_EN = {"supporter inside the zone, not sent": "her supporter is inside the zone too: told, and not asked to go"}


def clock_words(when: float, offset: Offset) -> str:
    """Local HH:MM."""
    minutes = offset if isinstance(offset, int) else offset(when)
    return (datetime.fromtimestamp(when, UTC) + timedelta(minutes=minutes, seconds=0.5)).strftime("%H:%M")


def reason_words(reason: str, lang: str) -> str:
    """A delivery's reason, which is kept in the policy's words, as a sentence."""
    between = ";" if lang == "zh" else "; "
    step = _STEP.fullmatch(reason)
    parts = [
        _part(part.strip(), lang) for part in (reason if step is None else step[3] or "").split(";") if part.strip()
    ]
    if step is None:
        return between.join(parts)
    tier = say(pw.TIERS, step[1], lang)
    name = f"{tier}第{int(step[2]) + 1}步" if lang == "zh" else f"step {int(step[2]) + 1} of {tier}"
    if not parts:
        return name
    return f"{name}({between.join(parts)})" if lang == "zh" else f"{name} ({between.join(parts)})"


def _part(part: str, lang: str) -> str:
    names = part.split(" & ")
    if all(name in pw.CONDITIONS for name in names):
        return (",且" if lang == "zh" else " and ").join(say(pw.CONDITIONS, name, lang) for name in names)
    if lang == "zh":
        if call := re.fullmatch(r"call (\d+) of (\d+)", part):
            return f"第{call[1]}次呼叫,共{call[2]}次"
        return _REASONS_ZH.get(part, part)
    return _REASONS_EN.get(part, part)


def lines(
    path: Any,
    plan: PathPlan,
    deliveries: Sequence[Any],
    area: Mapping[str, str],
    answers: Mapping[str, Sequence[Any]],
    offset: Offset,
    *,
    lang: str = "en",
    policy: str = "",
) -> list[str]:
    """For a duty officer, one sentence a line, in the order things happened."""
    zh = lang == "zh"
    facts = plan_groups(plan, lang)
    escalation = say(pw.TIERS, plan.escalation, lang)
    if zh:
        found = [
            f"情况:{'、'.join(facts) or '没有影响路径的情况'};走{escalation}阶梯;可用渠道{plan.usable}条;方案{policy}。"
        ]
    else:
        known = ", ".join(facts) or "none that changes the path"
        by = f"; policy {policy}" if policy else ""
        found = [f"Facts: {known}; escalation {escalation}; usable channels: {plan.usable}{by}."]
    found += [_delivery(row, answers.get(row.delivery_id, ()), offset, lang) for row in deliveries]
    for channel, why in plan.left_out:
        found.append(_left_out(channel, why, lang))
    for channel, why in sorted(area.items()):
        whole = "(全区)" if zh else " for the area"
        found.append(_left_out(channel, why, lang, whole))
    found.append(_state(path, deliveries, offset, lang))
    return found


def callout_lines(callouts: Sequence[Any], offset: Offset, lang: str = "en") -> list[str]:
    """Whether somebody with a skill was called out to the visit, how many were asked, and what came of it."""
    found = []
    for c in callouts:
        since, who = clock_words(c.opened_at, offset), say(pw.CALLED, c.skill, lang)
        until = clock_words(c.ended_at if c.ended_at is not None else c.held_at or c.opened_at, offset)
        if lang == "zh":
            became = {
                "asking": "还没有人答应", "taken": f"{until} {c.holder[:8]} 答应去", "done": f"{until} 上门已结束",
                "none": f"{until} 没有人能去,带文字卡",
            }[c.state]  # fmt: skip
            found.append(f"{since} 请{who}同去:问了{c.asked}人;{became}。")
            continue
        became = {
            "asking": "nobody has accepted yet", "taken": f"{until} {c.holder[:8]} has accepted",
            "done": f"{until} the visit is over" + (f", {c.holder[:8]} had accepted" if c.holder else ""),
            "none": f"{until} nobody can go: the written card",
        }[c.state]  # fmt: skip
        found.append(f"{since} {who} called out: {c.asked} asked; {became}.")
    return found


def _left_out(channel: str, why: str, lang: str, whole: str = "") -> str:
    name, reason = say(pw.CHANNELS, channel, lang), say(pw.LEFT_OUT, why, lang)
    if why.startswith(TESTED):
        reason = f"{say(pw.LEFT_OUT, 'link_test', lang)} ({why.removeprefix(TESTED)})"
    return f"{name}{whole}:没有用,{reason}。" if lang == "zh" else f"{name}{whole}: not used, {reason}."


def _state(path: Any, deliveries: Sequence[Any], offset: Offset, lang: str) -> str:
    zh = lang == "zh"
    if path.ending:
        when, said = clock_words(path.ended_at, offset), say(pw.ENDINGS, path.ending, lang)
        why = (_REASONS_ZH.get(path.end_reason, path.end_reason) if zh else path.end_reason) or ""
        if zh:
            return f"{when} {said}" + (f"({why})。" if why else "。")
        return f"{when} {said}" + (f" ({why})." if why else ".")
    if any(d.channel == "door" and d.send_state == "pending" and not d.slot for d in deliveries):
        return (
            "未结束:上门要等指挥员同意或有空的网格员。" if zh
            else "Open: a door waits for the commander's word or for a team of officers."
        )  # fmt: skip
    if any(d.channel == "door" and d.send_state == "accepted" and not d.answer for d in deliveries):
        return (
            "未结束:已在网格员名单上,还没有上门。" if zh
            else "Open: the door is on an officer's list and was not visited yet."
        )  # fmt: skip
    if path.end_reason:
        return f"未结束,必须有人查看:{path.end_reason}。" if zh else f"Open, A PERSON MUST LOOK: {path.end_reason}."
    if path.next_at is not None:
        at = clock_words(path.next_at, offset)
        return f"未结束:下一步在{at}。" if zh else f"Open: the next step is at {at}."
    return "未结束:等上门结果。" if zh else "Open: waiting for what the officer finds."


def plan_groups(plan: PathPlan, lang: str = "en") -> list[str]:
    """The facts the escalation is judged by, readable."""
    if lang == "zh":
        return sorted(say(pw.CONDITIONS, fact, lang) for fact in plan.facts)
    return sorted(fact.replace("_", " ") for fact in plan.facts)


def _delivery(row: Any, answers: Sequence[Any], offset: Offset, lang: str) -> str:
    zh = lang == "zh"
    name = say(pw.CHANNELS, row.channel, lang)
    again = (f",第{row.try_no}次" if zh else f", try {row.try_no}") if row.try_no > 1 else ""
    when = clock_words(row.sent_at or row.due_at, offset)
    parts = [_became(row, lang)]
    if row.evidence > Evidence.ACCEPTED and row.evidence_at is not None and not answers:
        step = say(pw.EVIDENCE, Evidence(row.evidence).name.lower(), lang)
        parts.append(f"{step} {clock_words(row.evidence_at, offset)}")
    for one in answers:
        who = "" if one.by in ("person", "") else f" ({say(pw.BY, one.by, lang)})"
        parts.append(f"{clock_words(one.at, offset)}{who}: {say(pw.ANSWERS, one.answer, lang)}")
    why = reason_words(row.reason, lang)
    if zh:
        shared = f";一条信息给{row.covers}人" if row.covers > 1 else ""
        return f"{when} {name}{again}:{';'.join(parts)}{shared}。原因:{why}。"
    shared = f"; one message for {row.covers} people" if row.covers > 1 else ""
    return f"{when} {name}{again}: {'; '.join(parts)}{shared}. Why: {why}."


def _became(row: Any, lang: str) -> str:
    said = say(pw.STATES, row.send_state, lang)
    if row.driver == "door" and row.send_state in pw.VISITS:
        return say(pw.VISITS, row.send_state, lang)
    if row.state_reason == STOPPED:
        return "没有发,这个号码回了STOP" if lang == "zh" else "not sent, this number said STOP"
    shown = row.driver == "door" or row.send_state in ("failed", "suppressed", "superseded", "unconfirmed")
    return said + (f" ({row.state_reason})" if shown and row.state_reason else "")


# for the person herself: no steps, no states, only what was done, and what she can do

_TRIED: pw.Words = {
    "sms": ("At {at} we sent you a text.", "{at} 我们给您发了短信。"),
    "voice_mobile": ("At {at} we called your mobile.", "{at} 我们打了您的手机。"),
    "voice_landline": ("At {at} we called your landline.", "{at} 我们打了您家的座机。"),
    "voice_duty": ("At {at} we called your duty phone.", "{at} 我们打了你们的值班电话。"),
    "email": ("At {at} we sent you an e-mail.", "{at} 我们给您发了电子邮件。"),
    "bed_shaker": ("At {at} we made your bed shaker wake you.", "{at} 我们启动了您床头的震动器。"),
    "push": ("At {at} we sent a message to your device.", "{at} 我们给您的设备发了消息。"),
    "chat": ("At {at} we sent you a chat message.", "{at} 我们给您发了聊天消息。"),
    "supporter_sms": ("At {at} we sent a text to your helper.", "{at} 我们给您的帮助人发了短信。"),
    "supporter_voice": ("At {at} we called your helper.", "{at} 我们给您的帮助人打了电话。"),
    "officer_sms": ("At {at} we asked an officer to contact you.", "{at} 我们请了网格员联系您。"),
    "door": ("At {at} we asked officers to come to your door.", "{at} 我们请了网格员到您家。"),
    "fire_service_list": ("At {at} we gave your name to the fire service.", "{at} 我们把您的名字给了消防。"),
}
_ANSWERED: pw.Words = {
    "leaving": ("You told us that you were leaving.", "您告诉我们您已动身。"),
    "not_there": ("We were told that you were not there.", "我们知道了您不在家。"),
    "moving": ("We were told that you were on the way.", "我们知道了您正在转移。"),
    "safe": ("We were told that you were safe.", "我们知道了您平安。"),
    "help": ("We were told that you need help.", "我们知道了您要帮助。"),
    "no_answer": ("Nobody answered the door.", "上门时没有人应答。"),
    "refused": ("You told the officers that you would stay.", "您对网格员说不走。"),
    "unsafe": ("The officers could not reach your door safely.", "网格员不能安全地到您家。"),
    "spoke": ("Somebody has spoken with you.", "有人和您说上了话。"),
    "cannot_reach": ("Your helper or officer could not reach you.", "您的帮助人或网格员联系不上您。"),
}
_WHY_NOT: pw.Words = {
    "no_driver": ("We cannot use {channel} here.", "我们这里不能用{channel}。"),
    "link_test": ("{channel} was out of order. We used other ways.", "{channel}当时不通,我们用了别的办法。"),
    "no_contact": (
        "We did not use {channel}: you have not given us one. You can add it.", "没有用{channel}:您没有登记,可以补上。",
    ),
    "said_no": ("We did not use {channel}: you told us not to. You can change that.", "没有用{channel}:您不同意,可以改。"),
    "not_verified": (
        "We did not use {channel}: the number was never checked. Ask us for a test message.",
        "没有用{channel}:号码没有核实,请找我们试发一次。",
    ),
    "unfit": ("We did not use {channel}: we think it does not suit you. Tell us if it does.",
              "没有用{channel}:我们认为不适合您。如果适合,请告诉我们。"),
    "no_supporter": ("Nobody is named as your helper. You can name one.", "您还没有帮助人,可以请一位。"),
    "no_own_phone": ("We wrote to your family's phone.", "我们发到了您家里的手机。"),
}  # fmt: skip
_END: pw.Words = {
    "closed": ("We know that you were safe, on the way or away. Thank you.", "我们知道您平安、在路上或不在家。谢谢。"),
    "sent": ("That was all for this message. No answer was needed.", "这条信息发完了,不用回复。"),
    "officer_contact": ("An officer was asked to contact you.", "我们请了网格员联系您。"),
    "unconfirmed": ("We had no answer from you.", "我们没有收到您的回复。"),
    "no_capacity": ("There were not enough officers. The fire service has your name.", "人手不够,您的名字已给消防。"),
    "handed_to_rescue": ("The rescue service has your name.", "您的名字已给救援队。"),
    "unsafe_by_commander": (
        "It was too dangerous to send anybody. The fire service has your name.", "太危险,不能派人。您的名字已给消防。",
    ),
    "refused": ("You said that you would stay. If you change your mind, reply 2 or call us.",
                "您说不走。改变主意请回2或打电话。"),
    "superseded": ("A newer message has replaced this one.", "已有新信息代替这条。"),
    "cancelled": ("The warning was ended.", "预警已结束。"),
    "not_asked": ("This message was for radio, TV and the street, not for single phones.",
                  "这条信息只用广播电视和喇叭,不单独发。"),
}  # fmt: skip


HANDED_OVER = ("accepted", "delivered", "unconfirmed")


def _happened(row: Any) -> float | None:
    """When this was done; None where it was not, or nobody knows: the past tells only what happened.

    A door is asked of officers once it is on a list, not before.
    """
    if row.driver == "door":
        return float(row.state_at) if row.slot and row.send_state in HANDED_OVER else None
    if row.sent_at is not None:
        return float(row.sent_at)
    return float(row.state_at) if row.send_state in HANDED_OVER else None


def plain(
    path: Any,
    plan: PathPlan,
    deliveries: Sequence[Any],
    answers: Mapping[str, Sequence[Any]],
    offset: Offset,
    lang: str,
) -> list[str]:
    """For the person herself: short sentences, one thing each; what was done, what she said, why a channel was not used."""
    found: list[str] = []
    zh = lang == "zh"
    for row in deliveries:
        if row.state_reason == STOPPED and row.addressee_kind in ("person", "facility"):
            found.append(
                "您的手机回了STOP,我们不再发短信。要恢复请回START。" if zh
                else "We sent no text, since your phone told us STOP. Send START to get texts again."
            )  # fmt: skip
            continue
        if row.send_state in ("suppressed", "cancelled", "expired", "superseded") and not row.answer:
            continue
        if row.channel in _TRIED and (at := _happened(row)) is not None:
            found.append(say(_TRIED, row.channel, lang).format(at=clock_words(at, offset)))
        said = (one for one in answers.get(row.delivery_id, ()) if one.answer in _ANSWERED)
        found += [f"{say(_ANSWERED, one.answer, lang)} ({clock_words(one.at, offset)})" for one in said]
    for channel, why in plan.left_out:
        why = "link_test" if why.startswith(TESTED) else why
        if why in _WHY_NOT:
            found.append(say(_WHY_NOT, why, lang).format(channel=say(pw.CHANNELS, channel, lang)))
    if path.ending:
        found.append(say(_END, path.ending, lang))
    else:
        found.append("我们还在设法联系您。" if lang == "zh" else "We are still trying to reach you.")
    found.append("如果看到危险,请马上走,不要等我们。" if lang == "zh" else "If you see danger, go. Do not wait for us.")
    return list(dict.fromkeys(found))
