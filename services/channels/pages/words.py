"""The fixed sentences and buttons of the answer page in each language. Shipped, to be read by those they address."""

from __future__ import annotations

from dataclasses import dataclass

from services.shared.people import languages


@dataclass(frozen=True)
class PageWords:
    """One language. `note` is said when there is no longer sentence for an answer; patterns take who, hotline, number."""

    name: str
    buttons: dict[str, dict[str, str]]
    helper: str
    noted: str
    later: str
    danger: str
    check: str
    number: str
    drill: str
    ended: str
    over: str
    replaced: str
    checking: str
    stay: str


EN = PageWords(
    name="English",
    buttons={
        "person": {
            "leaving": "I am leaving / I can do it",
            "help": "I need help",
            "not_there": "I am not there",
            "moving": "I am on the way",
            "safe": "I am safe",
        },
        "supporter": {
            "spoke": "I have spoken with the person",
            "help": "The person needs help",
            "cannot_reach": "I cannot reach the person",
            "moving_with": "I am with the person and we are going",
            "safe_with": "I am with the person and we are safe",
        },
    },
    helper="You are the named helper of {who}. Phone now. Do not go into danger.",
    noted="Noted. Thank you.",
    later="You can change your answer later.",
    danger="If life is in danger call {hotline}.",
    check="Check whether this message is real",
    number="No.",
    drill="This is a drill: there is no danger.",
    ended="This warning has ended",
    over="The time of this warning is over",
    replaced="A newer message has replaced this one",
    checking="We are checking this message",
    stay="Do not follow the old text. If you see danger, act on it.",
)
ZH = PageWords(
    name="中文",
    buttons={
        "person": {
            "leaving": "我现在走 / 我能照做",
            "help": "我要帮助",
            "not_there": "我不在那里",
            "moving": "我在路上",
            "safe": "我平安",
        },
        "supporter": {
            "spoke": "已和本人说上话",
            "help": "本人要帮助",
            "cannot_reach": "联系不上本人",
            "moving_with": "我和本人在一起,正在走",
            "safe_with": "我和本人在一起,平安",
        },
    },
    helper="您是{who}的帮助人。请现在打电话,不要去危险处。",
    noted="已记下,谢谢。",
    later="以后可以改。",
    danger="生命危险请打{hotline}。",
    check="查证这条信息",
    number="编号",
    drill="这是演练,没有危险。",
    ended="这条预警已经结束",
    over="这条预警时间已过",
    replaced="已有新信息代替这条",
    checking="正在核实这条信息",
    stay="不要照旧信息做。如果看到危险,请马上行动。",
)
PAGE_WORDS = {"en": EN, "zh": ZH}


def words_for(language: str) -> PageWords:
    """The words in the language's base, or English."""
    return PAGE_WORDS.get(languages.first_of(language, PAGE_WORDS), EN)
