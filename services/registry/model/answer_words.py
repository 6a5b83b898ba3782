"""Says an answer in words, the same wherever a fact is shown."""

from __future__ import annotations

from services.registry.model.given import ANSWERS, WG
from services.shared.i18n import listed, mark, mark_in, t

LEVELS: dict[int, str] = {
    1: mark("No difficulty"),
    2: mark("Some difficulty"),
    3: mark("A lot of difficulty"),
    4: mark("Cannot do it at all"),
    9: mark("Not known"),
}
YES = {True: mark("Yes"), False: mark("No")}
VALUES: dict[str, str] = {
    "": mark_in("sign language", "None"), "none": mark("None"), "csl": mark("Chinese sign language"),
    "ase": mark("American sign language"), "bfi": mark("British sign language"),
    "plain_text": mark("Plain text"), "spoken": mark("Spoken"), "sign": mark("Sign language"),
    "easy_read": mark("Easy words"), "large_print": mark("Large print"), "braille": mark("Braille"),
    "tactile": mark("By touch"), "pictures": mark("Pictures"), "oxygen": mark("Oxygen"),
    "ventilator": mark("Ventilator"), "dialysis": mark("Dialysis"), "other": mark("Something else"),
    "bed_shaker": mark("A shaking pad in bed"), "low_freq_520hz": mark("A low-pitched alarm"),
    "flash": mark("A flashing light"), "indoor_radio": mark("An indoor radio"),
    "walks": mark("I walk"), "walks_with_aid": mark("With a stick or a frame"),
    "wheelchair": mark("In a wheelchair"), "stretcher": mark("Lying down"),
    "blue": mark("Be aware (blue)"), "yellow": mark("Get ready (yellow)"),
    "zh": mark("中文"), "en": mark("English"), "ug": mark("ئۇيغۇرچە"), "bo": mark("བོད་ཡིག"),
    "mn": mark("Монгол"), "za": mark("Vahcuengh"), "ii": mark("ꆈꌠꉙ"), "ko": mark("한국어"),
    "0": mark("Nobody"), "1": "1", "2": "2", "4": "4",
    "active": mark("Lives here"), "away": mark("Away"), "suspended": mark("Not warned for now"),
    "moved": mark("Moved"), "deceased": mark("Deceased"), "withdrawn": mark("Withdrawn"),
}  # fmt: skip
OTHERS: dict[str, str] = {
    "status": mark("State"), "place": mark("Place on the map"), "own_channels": mark("Your own order"),
    "asked_for": mark("Asked for"), "name": mark("Name"), "kind": mark("Kind"),
    "headcount_day": mark("People by day"), "headcount_night": mark("People at night"),
    "non_walking": mark("Who cannot walk"), "evac_min_day": mark("Minutes out by day"),
    "evac_min_night": mark("Minutes out at night"), "plan_on": mark("Date of its plan"),
    "sealed:call_name": mark("Name (only its first letter can be shown)"),
    "sealed:address": mark("Address (locked: only officers who come can open it)"),
    "sealed:wake": mark("How to wake you (locked)"),
    "sealed:talk": mark("How to talk with you (locked)"),
    "sealed:moves": mark("How to move you (locked)"), "sealed:note": mark("A note (locked)"),
    "sealed:stay": mark("Another address (locked)"),
}  # fmt: skip
SOURCES: dict[str, str] = {
    "self": mark("you said it"), "proxy": mark("somebody for you"),
    "officer_visit": mark("an officer who visited"), "civil_affairs": mark("civil affairs list"),
    "disability_card": mark("disability card list"), "health": mark("health service list"),
    "school": mark("school list"), "utility": mark("utility's list"), "other": mark("another list"),
}  # fmt: skip

KINDS: dict[str, str] = {
    "sms": mark("Text message"),
    "voice_mobile": mark("Call to the mobile"),
    "voice_landline": mark("Call to the landline"),
    "email": mark("E-mail"),
    "push": mark("Message on your device"),
    "im": mark("Chat message"),
    "duty_phone_1": mark("First duty phone"),
    "duty_phone_2": mark("Second duty phone"),
    "bed_shaker": mark("A shaking pad or low alarm at your bed"),
    "video_relay": mark("Video call in sign language"),
}


def name_of(answer: str) -> str:
    """What an answer is called."""
    if answer in ANSWERS:
        return t(ANSWERS[answer].answer.name)
    return t(OTHERS[answer]) if answer in OTHERS else answer


def value_of(answer: str, value: object) -> str:
    """An answer in words."""
    if value is None or value in ([], ()):
        return t("Not given")
    if answer in WG:
        return t(LEVELS.get(value, LEVELS[9]) if isinstance(value, int) else LEVELS[9])
    if isinstance(value, bool):
        return t(YES[value])
    if isinstance(value, list | tuple):
        return listed(f"{one:.4f}" if isinstance(one, float) else value_of("", one) for one in value)
    if answer in ANSWERS and ANSWERS[answer].kind == "number":
        return str(value)
    known = VALUES.get(str(value)) or KINDS.get(str(value))
    return t(known) if known else str(value)
