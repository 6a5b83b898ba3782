"""Our own sentences in each language: menus, endings, texts to helpers and officers. Shipped, to be read by those they address."""

from __future__ import annotations

from dataclasses import dataclass

from services.shared.tier import Tier


@dataclass(frozen=True)
class Lines:
    """One language. Patterns take source, tier, hazard, place, who, where, ref, number, link, time, hotline, action."""

    this_is: str
    drill: str  # before everything else in a drill
    number: str
    whole: str  # {source} {tier} {hazard} {place} {action} {time} {number} {menu}, in the order of every message
    menu: dict[Tier, str]
    keys: str
    answer_here: str
    check: str
    supporter: str
    supporter_inside: str  # to a supporter who is in the danger area herself: told, never sent
    officer: str
    official: str  # a call that must be answered, to whoever is responsible for a grid
    superior: str
    endings: dict[str, str]
    notices: dict[str, str]
    thanks: dict[str, str]
    ask_how_many: str
    ask_which: str
    not_understood: str


EN = Lines(
    this_is="This is",
    drill="DRILL.",
    number="No.",
    whole="{source}: {tier}, {hazard}. {place}. {action} {time} No. {number}. {menu}",
    menu={
        Tier.BLUE: "",
        Tier.YELLOW: "If you need time or help, reply 2 now.",
        Tier.ORANGE: "Reply 1 going, 2 need help.",
        Tier.RED: "Reply 1 leaving, 2 need help, 3 not there.",
    },
    keys="Press 1 if you can go. Press 2 if you need help. Press 3 if you are not there. Press 9 to hear this again.",
    answer_here="Tell us whether you can go or need help:",
    check="To check this message call",
    supporter="{source}: {tier}, {hazard}, {place}. You are the named helper of {who}. Phone now. Do not go into danger. "
    "Reply 4 {ref} if you have spoken, 2 {ref} if help is needed, 5 {ref} if you cannot reach them. No. {number}. {link}",
    supporter_inside="{source}: {tier}, {hazard}, {place}. This is about you too: do as the warning says. You are the named "
    "helper of {who}. Phone now; do not go there. Reply 4 {ref} if you have spoken, 2 {ref} if help is needed, "
    "5 {ref} if you cannot reach them. No. {number}. {link}",
    officer="{source}: {tier}, {hazard}. Please contact {who}, {where}, by call, text or visit, as they can use. "
    "Reply 4 {ref} spoken, 2 {ref} needs help, 5 {ref} cannot reach. No. {number}. Your list: {link}",
    official="{source}: {tier}, {hazard}, {place}. You are on duty for this area. Begin now. "
    "Reply 4 {ref} when you have read this. No. {number}. {link}",
    superior="{source}: {tier}, {hazard}, {place}. An officer of this area does not answer. Reach them or take over. "
    "Reply 4 {ref} when you have read this. No. {number}. {link}",
    endings={
        "danger_lower_stay_away": "{source}: {hazard}, danger lower. {place}. Do not go home yet: it is being checked. "
        "Stay where you are safe. No. {number}.",
        "may_return": "{source}: warning {number} has ended. {place}: you may go home. Need a lift first? Reply 2 and wait.",
        "sent_by_mistake": "{source}: our message {number} was a mistake. There is no danger: {hazard}, {place}. "
        "You need not leave. If you left, you may go home. We are sorry. Check: {hotline}.",
        "checking": "{source}: checking our message {number} ({hazard}, {place}). Until we write again stay where you are safe.",
        "not_ours": "{source}: the message about {hazard}, {place} was not ours. Check: {hotline}. No. {number}.",
        "not_for_you": "{source}: {hazard}, {place}. The warning has changed and no longer covers your place. "
        "Stay alert. Check: {hotline}. No. {number}.",
    },
    notices={
        "officer_link": "{source}: your list of doors for warning {number}: {link}",
        "turn_back": "{source}: warning {number} has changed. Stop visits and come back to a safe place. {link}",
        "warning_over": "{source}: warning {number} has ended. Stop visits. Come back and report. {link}",
        "go_to_grid": "{source}: warning {number}. An officer near you does not answer. Take over the doors there if it is "
        "safe. {link}",
        "officers_alone": "{source}: warning {number}. No phone in your area answers. Do not wait for orders: begin the "
        "paper list where it is safe. {link}",
        "expiry": "{source}: warning {number} runs out soon. It does not end by itself: extend it with an update, or end it.",
        "expired": "{source}: the time of warning {number} is over. Nothing new goes out by phone. Send an update or end it.",
        "update_due": "{source}: the next update of warning {number} is due now. People wait for news.",
    },
    thanks={
        "leaving": "Thank you. We have noted that you can go. Help: reply 2.",
        "help": "We have your request for help. If life is in danger call {hotline}.",
        "not_there": "Thank you. We have noted that you are not there.",
        "spoke": "Thank you. Noted. If they need help reply 2.",
        "cannot_reach": "Thank you. We will send somebody if we may.",
        "moving": "Thank you. Noted as on the way.",
        "safe": "Thank you. Noted as safe.",
    },
    ask_how_many="How many are with you? Reply N and the number, for example N3.",
    ask_which="You have more than one message. Reply the digit and the four-digit number in the message, for example 4 1234.",
    not_understood="Noted. Reply 1 going, 2 need help, 3 not there. If life is in danger call {hotline}.",
)
ZH = Lines(
    this_is="这里是",
    drill="演练!",
    number="编号",
    whole="【{source}】{hazard}{tier}:{place}。{action}{menu}{time}编号{number}",
    menu={
        Tier.BLUE: "",
        Tier.YELLOW: "行动慢、要帮助的现在回2。",
        Tier.ORANGE: "回1已动身,回2要帮助。",
        Tier.RED: "回1已走,回2要帮助,回3不在家。",
    },
    keys="能走按1,要帮助按2,不在家按3,再听按9。",
    answer_here="请告诉我们您能走还是要帮助:",
    check="查证请打",
    supporter="【{source}】{tier},{hazard},{place}。您是{who}的帮助人,请现在打电话,不要去危险处。"
    "已说上话回4 {ref},要帮助回2 {ref},联系不上回5 {ref}。编号{number} {link}",
    supporter_inside="【{source}】{tier},{hazard},{place}。您也在危险区,请先照预警做。您是{who}的帮助人,请现在打电话,不要前往。"
    "已说上话回4 {ref},要帮助回2 {ref},联系不上回5 {ref}。编号{number} {link}",
    officer="【{source}】{tier},{hazard}。请用对方能用的方式联系{who},{where}。"
    "已说上话回4 {ref},要帮助回2 {ref},联系不上回5 {ref}。编号{number} 名单:{link}",
    official="【{source}】{tier},{hazard},{place}。您负责这一片,请马上行动。看到后回4 {ref}。编号{number} {link}",
    superior="【{source}】{tier},{hazard},{place}。这一片的责任人叫不应,请联系或接替。看到后回4 {ref}。编号{number} {link}",
    endings={
        "danger_lower_stay_away": "【{source}】{hazard}危险减轻:{place}。还不能回家,正在查。请留在安全处。编号{number}",
        "may_return": "【{source}】预警{number}已解除。{place}可以回家。要接送的先回2再等。",
        "sent_by_mistake": "【{source}】更正:{number}号信息是误发。{place}没有{hazard}危险。不用转移,已离家的可以回家。查证打{hotline}。向您道歉",
        "checking": "【{source}】正在核实{number}号信息({hazard},{place})。再通知前请留在安全处。",
        "not_ours": "【{source}】关于{place}{hazard}的信息不是我们发的。查证打{hotline}。编号{number}",
        "not_for_you": "【{source}】{hazard},{place}。预警已变化,您所在处不再包括在内,请继续留意。查证打{hotline}。编号{number}",
    },
    notices={
        "officer_link": "【{source}】预警{number}的入户名单:{link}",
        "turn_back": "【{source}】预警{number}有变化,请停止入户,回到安全处。{link}",
        "warning_over": "【{source}】预警{number}已结束。请停止入户,返回报到。{link}",
        "go_to_grid": "【{source}】预警{number}:您附近的责任人叫不应。安全时请接替那里的入户。{link}",
        "officers_alone": "【{source}】预警{number}:您那一片电话不通。不等命令,在安全处按纸质名单开始。{link}",
        "expiry": "【{source}】预警{number}快到时间,不会自动解除:请发更新延长,或解除。",
        "expired": "【{source}】预警{number}时间已过,不再发新短信。请发更新或解除。",
        "update_due": "【{source}】预警{number}该发更新了,大家在等消息。",
    },
    thanks={
        "leaving": "谢谢,已记下您能走。要帮助回2。",
        "help": "已收到您的求助。生命危险请打{hotline}。",
        "not_there": "谢谢,已记下您不在家。",
        "spoke": "谢谢,已记下。要帮助回2。",
        "cannot_reach": "谢谢,能派人时我们会派人去。",
        "moving": "谢谢,已记下正在转移。",
        "safe": "谢谢,已记下平安。",
    },
    ask_how_many="和您在一起的有几个人?回N加人数,如N3。",
    ask_which="您有不止一条信息。请回数字加信息里的四位数,如4 1234。",
    not_understood="已收到。回1能走,回2要帮助,回3不在家。生命危险请打{hotline}。",
)
LINES = {"en": EN, "zh": ZH}
LANGUAGES = tuple(LINES)
