"""How an answer is said in each language; the same words wherever a fact is shown. What is asked stands in `given`."""

from __future__ import annotations

from typing import Any

from services.registry.model.given import ANSWERS, WG

LEVELS: dict[int, tuple[str, str]] = {
    1: ("No difficulty", "没有困难"),
    2: ("Some difficulty", "有些困难"),
    3: ("A lot of difficulty", "很困难"),
    4: ("Cannot do it at all", "完全不能"),
    9: ("Not known", "不知道"),
}
YES = {True: ("Yes", "是"), False: ("No", "否")}
VALUES: dict[str, tuple[str, str]] = {
    "": ("None", "不用"), "none": ("None", "没有"), "csl": ("Chinese sign language", "中国手语"),
    "ase": ("American sign language", "美国手语"), "bfi": ("British sign language", "英国手语"),
    "plain_text": ("Plain text", "文字"), "spoken": ("Spoken", "说话"), "sign": ("Sign language", "手语"),
    "easy_read": ("Easy words", "简单文字"), "large_print": ("Large print", "大字"), "braille": ("Braille", "盲文"),
    "tactile": ("By touch", "触摸"), "pictures": ("Pictures", "图画"), "oxygen": ("Oxygen", "吸氧机"),
    "ventilator": ("Ventilator", "呼吸机"), "dialysis": ("Dialysis", "透析机"), "other": ("Something else", "其他"),
    "bed_shaker": ("A shaking pad in bed", "床上震动器"), "low_freq_520hz": ("A low-pitched alarm", "低音警报器"),
    "flash": ("A flashing light", "闪光灯"), "indoor_radio": ("An indoor radio", "室内收音机"),
    "walks": ("I walk", "自己走"), "walks_with_aid": ("With a stick or a frame", "用拐杖或助行架"),
    "wheelchair": ("In a wheelchair", "坐轮椅"), "stretcher": ("Lying down", "躺着"),
    "blue": ("Be aware (blue)", "留意(蓝)"), "yellow": ("Get ready (yellow)", "做准备(黄)"),
    "zh": ("中文", "中文"), "en": ("English", "English"), "ug": ("ئۇيغۇرچە", "维吾尔语"), "bo": ("བོད་ཡིག", "藏语"),
    "mn": ("Монгол", "蒙古语"), "za": ("Vahcuengh", "壮语"), "ii": ("ꆈꌠꉙ", "彝语"), "ko": ("한국어", "朝鲜语"),
    "0": ("Nobody", "不用抬"), "1": ("1", "1"), "2": ("2", "2"), "4": ("4", "4"),
    "active": ("Lives here", "住在这里"), "away": ("Away", "不在家"), "suspended": ("Not warned for now", "暂停"),
    "moved": ("Moved", "已搬走"), "deceased": ("Deceased", "已去世"), "withdrawn": ("Withdrawn", "已退出"),
}  # fmt: skip
OTHERS: dict[str, tuple[str, str]] = {
    "status": ("State", "状态"), "place": ("Place on the map", "地图位置"), "name": ("Name", "名称"), "kind": ("Kind", "种类"),
    "headcount_day": ("People by day", "白天人数"), "headcount_night": ("People at night", "夜里人数"),
    "non_walking": ("Who cannot walk", "不能走的"), "evac_min_day": ("Minutes out by day", "白天撤离分钟"),
    "evac_min_night": ("Minutes out at night", "夜里撤离分钟"), "plan_on": ("Date of its plan", "预案日期"),
    "sealed:call_name": ("Name (only its first letter can be shown)", "姓名(只能显示第一个字)"),
    "sealed:address": ("Address (locked: only officers who come can open it)", "住址(已加密,只有上门的人能看)"),
    "sealed:wake": ("How to wake you (locked)", "怎样叫醒(已加密)"),
    "sealed:talk": ("How to talk with you (locked)", "怎样沟通(已加密)"),
    "sealed:moves": ("How to move you (locked)", "怎样搬动(已加密)"), "sealed:note": ("A note (locked)", "备注(已加密)"),
    "sealed:stay": ("Another address (locked)", "另一住址(已加密)"),
}  # fmt: skip
SOURCES: dict[str, tuple[str, str]] = {
    "self": ("you said it", "您自己说的"), "proxy": ("somebody for you", "别人代您说的"),
    "officer_visit": ("an officer who visited", "上门的工作人员"), "civil_affairs": ("civil affairs list", "民政名单"),
    "disability_card": ("disability card list", "残疾证名单"), "health": ("health service list", "卫生部门名单"),
    "school": ("school list", "学校名单"), "utility": ("utility's list", "水电部门名单"), "other": ("another list", "其他名单"),
}  # fmt: skip

KINDS: dict[str, tuple[str, str]] = {
    "sms": ("Text message", "短信"),
    "voice_mobile": ("Call to the mobile", "手机来电"),
    "voice_landline": ("Call to the landline", "座机来电"),
    "email": ("E-mail", "邮件"),
    "push": ("Message on your device", "设备上的消息"),
    "im": ("Chat message", "聊天消息"),
    "duty_phone_1": ("First duty phone", "值班电话1"),
    "duty_phone_2": ("Second duty phone", "值班电话2"),
    "bed_shaker": ("A shaking pad or low alarm at your bed", "床头震动器或低音警报器"),
    "video_relay": ("Video call in sign language", "手语视频通话"),
}


def pick(words: tuple[str, str], language: str) -> str:
    """English or Chinese of the two."""
    return words[1] if language == "zh" else words[0]


def name_of(answer: str, language: str) -> str:
    """What an answer is called."""
    if answer in ANSWERS:
        return pick(ANSWERS[answer].answer.name, language)
    return pick(OTHERS[answer], language) if answer in OTHERS else answer


def value_of(answer: str, value: Any, language: str) -> str:
    """An answer in words."""
    if value is None or value in ([], ()):
        return pick(("Not given", "没有填"), language)
    if answer in WG:
        return pick(LEVELS.get(value, LEVELS[9]), language)
    if isinstance(value, bool):
        return pick(YES[value], language)
    if isinstance(value, list | tuple):
        parts = [f"{one:.4f}" if isinstance(one, float) else value_of("", one, language) for one in value]
        return ", ".join(parts)
    if answer in ANSWERS and ANSWERS[answer].kind == "number":
        return str(value)
    known = VALUES.get(str(value)) or KINDS.get(str(value))
    return pick(known, language) if known else str(value)
