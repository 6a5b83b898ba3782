"""What an answer is called and how it is asked and said, in each language; the same words wherever a fact is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from services.registry.model.given import WG

Kind = Literal["level", "yes", "number", "one", "several"]


@dataclass(frozen=True)
class FieldQuestion:
    """One answer: how it is given, and in each language its name and its question. `values` are its choices."""

    kind: Kind
    name: tuple[str, str]
    ask: tuple[str, str]
    values: tuple[str, ...] = ()
    least: int = 0
    most: int = 0


LEVELS: dict[int, tuple[str, str]] = {
    1: ("No difficulty", "没有困难"),
    2: ("Some difficulty", "有些困难"),
    3: ("A lot of difficulty", "很困难"),
    4: ("Cannot do it at all", "完全不能"),
    9: ("Not known", "不知道"),
}
YES = {True: ("Yes", "是"), False: ("No", "否")}
# The six questions are the Washington Group Short Set's; the others ask only what a path, a door or a form reads.
QUESTIONS: dict[str, FieldQuestion] = {
    "see": FieldQuestion(
        "level", ("Seeing", "看"), ("Do you have difficulty seeing, even with glasses?", "戴着眼镜时,您看东西有困难吗?")
    ),
    "hear": FieldQuestion(
        "level",
        ("Hearing", "听"),
        ("Do you have difficulty hearing, even with a hearing aid?", "戴着助听器时,您听声音有困难吗?"),
    ),
    "walk": FieldQuestion(
        "level", ("Walking", "走"), ("Do you have difficulty walking or climbing steps?", "您走路或上台阶有困难吗?")
    ),
    "cognition": FieldQuestion(
        "level",
        ("Remembering", "记忆"),
        ("Do you have difficulty remembering or concentrating?", "您记事或集中注意力有困难吗?"),
    ),
    "selfcare": FieldQuestion(
        "level",
        ("Washing and dressing", "自理"),
        ("Do you have difficulty washing or dressing?", "您自己洗澡、穿衣有困难吗?"),
    ),
    "communicate": FieldQuestion(
        "level",
        ("Being understood", "沟通"),
        (
            "In your usual language, do you have difficulty understanding or being understood?",
            "用您平时的语言,您听懂别人或让别人听懂有困难吗?",
        ),
    ),
    "birth_year": FieldQuestion(
        "number",
        ("Year of birth", "出生年份"),
        ("In which year were you born?", "您是哪一年出生的?"),
        least=1900,
        most=2100,
    ),
    "psychosocial": FieldQuestion(
        "yes",
        ("Alarms or strangers are hard", "害怕警报或生人"),
        ("Are alarms or strangers at the door very hard for you?", "警报声或生人上门会让您很难受吗?"),
    ),
    "languages": FieldQuestion(
        "several",
        ("Languages", "语言"),
        ("Which languages do you read and understand best?", "您最能看懂、听懂哪些语言?"),
        ("zh", "en", "ug", "bo", "mn", "za", "ii", "ko"),
    ),
    "sign_lang": FieldQuestion(
        "one", ("Sign language", "手语"), ("Do you use a sign language?", "您用手语吗?"), ("", "csl", "ase", "bfi")
    ),
    "modes": FieldQuestion(
        "several",
        ("How to tell you things", "怎样告诉您"),
        ("How should we tell you things?", "怎样告诉您最好?"),
        ("plain_text", "spoken", "sign", "easy_read", "large_print", "braille", "tactile", "pictures"),
    ),
    "power_device": FieldQuestion(
        "one",
        ("A device that needs power", "要用电的器械"),
        ("Do you need a device that runs on electricity to live?", "您要靠用电的器械生活吗?"),
        ("none", "oxygen", "ventilator", "dialysis", "other"),
    ),
    "backup_min": FieldQuestion(
        "number",
        ("Minutes its battery lasts", "电池能用几分钟"),
        ("How many minutes does its battery last?", "它的电池能用几分钟?"),
        most=100_000,
    ),
    "lives_alone": FieldQuestion("yes", ("Lives alone", "独居"), ("Do you live alone?", "您一个人住吗?")),
    "only_older_at_home": FieldQuestion(
        "yes",
        ("Only people over 75 at home", "家里都超过75岁"),
        ("Is everybody in your home over 75?", "您家里人都超过75岁吗?"),
    ),
    "cannot_open_door": FieldQuestion(
        "yes",
        ("Cannot open the door", "不能自己开门"),
        ("Is it impossible for you to open the door yourself?", "您不能自己开门吗?"),
    ),
    "night_alert": FieldQuestion(
        "one",
        ("What wakes you at night", "夜里怎么叫醒您"),
        ("Do you have something that wakes you at night?", "夜里有什么能叫醒您?"),
        ("none", "bed_shaker", "low_freq_520hz", "flash", "indoor_radio"),
    ),
    "moves": FieldQuestion(
        "one",
        ("How you move", "怎样行动"),
        ("How do you move about?", "您怎样行动?"),
        ("walks", "walks_with_aid", "wheelchair", "stretcher"),
    ),
    "own_transport": FieldQuestion(
        "yes",
        ("Can leave by own transport", "有自己的车"),
        ("Can you leave with transport of your own?", "您能用自己的车离开吗?"),
    ),
    "carriers_needed": FieldQuestion(
        "one",
        ("People needed to carry you", "要几个人抬"),
        ("How many people would have to carry you?", "要几个人抬您?"),
        ("0", "1", "2", "4"),
    ),
    "assist_min": FieldQuestion(
        "number",
        ("Minutes to get ready", "准备要几分钟"),
        ("How many minutes do you need to get out, with help?", "有人帮忙,您出门要几分钟?"),
        most=600,
    ),
    "floor": FieldQuestion(
        "number",
        ("Floor", "楼层"),
        ("On which floor do you live? 0 is the ground floor.", "您住几楼?0是底层。"),
        least=-9,
        most=200,
    ),
    "lift": FieldQuestion(
        "yes", ("Needs the lift", "要乘电梯"), ("Is there a lift, and do you need it?", "有电梯,您要靠它吗?")
    ),
    "basement": FieldQuestion(
        "yes", ("Lives below ground", "住地下室"), ("Do you live below ground?", "您住地下室吗?")
    ),
    "pregnancy_or_newborn": FieldQuestion(
        "yes",
        ("Late pregnancy or a newborn", "怀孕晚期或有新生儿"),
        ("Is somebody in late pregnancy or newborn at home?", "家里有人怀孕晚期或有新生儿吗?"),
    ),
    "people_at_home": FieldQuestion(
        "number",
        ("People at home", "家里人数"),
        ("How many people live in your home?", "您家里住几个人?"),
        least=1,
        most=500,
    ),
    "opt_in": FieldQuestion(
        "several",
        ("Also the milder warnings", "也要较轻的预警"),
        ("Which milder warnings do you want too?", "较轻的预警您也要吗?"),
        ("blue", "yellow"),
    ),
    "protected_address": FieldQuestion(
        "yes", ("Address is protected", "住址保密"), ("Must nobody learn where you live?", "您的住址要对所有人保密吗?")
    ),
    "no_test": FieldQuestion(
        "yes",
        ("No test messages", "不要测试信息"),
        ("Should we never send you a test message?", "我们不要给您发测试信息吗?"),
    ),
}
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
    "status": ("State", "状态"), "place": ("Place on the map", "地图位置"), "own_channels": ("Your own order", "您定的顺序"),
    "asked_for": ("Asked for", "您要的方式"), "name": ("Name", "名称"), "kind": ("Kind", "种类"),
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
    if answer in QUESTIONS:
        return pick(QUESTIONS[answer].name, language)
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
    if answer in QUESTIONS and QUESTIONS[answer].kind == "number":
        return str(value)
    known = VALUES.get(str(value)) or KINDS.get(str(value))
    return pick(known, language) if known else str(value)
