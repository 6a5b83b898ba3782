"""The words paths and policies are told in: channels, answers, endings, reasons and groups, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

Words = Mapping[str, tuple[str, str]]  # key > (English, Chinese)

CHANNELS: Words = {
    "sms": ("SMS", "短信"),
    "voice_mobile": ("call to the mobile", "打手机"),
    "voice_landline": ("call to the landline", "打座机"),
    "voice_duty": ("call to the duty phone", "打值班电话"),
    "email": ("e-mail", "电子邮件"),
    "supporter": ("supporter told", "通知帮助人"),
    "supporter_sms": ("SMS to a supporter", "短信给帮助人"),
    "supporter_voice": ("call to a supporter", "打电话给帮助人"),
    "officer_sms": ("officer asked to contact", "请网格员联系"),
    "officer_voice": ("call to an officer", "打电话给网格员"),
    "superior": ("superior asked", "请上级负责人联系"),
    "door": ("officer at the door", "网格员上门"),
    "fire_service_list": ("fire service's list", "消防名单"),
    "broadcast": ("broadcast", "广播电视"),
    "area_sound": ("loudspeakers and sirens", "大喇叭和警报器"),
    "cell_broadcast": ("cell broadcast", "小区广播"),
    "organisations": ("groups of organisations", "各单位群组"),
    "sweep": ("street sweep", "沿街喊话"),
    "street_sweep": ("street sweep", "沿街喊话"),
    "video_relay": ("video relay", "视频手语中转"),
    "bed_shaker": ("bed shaker", "床头震动器"),
    "push": ("push message", "手机推送"),
    "chat": ("chat message", "聊天消息"),
    "im": ("chat message", "聊天消息"),
    "guardian": ("guardian", "监护人"),
    "known_officer": ("known officer", "熟悉的网格员"),
    "sms_if_own_phone": ("SMS to a phone of her own", "短信到本人手机"),
    "voice": ("call", "电话"),
    "moved_of_headcount": ("asked how many are out", "询问已转移人数"),
}
LEFT_OUT: Words = {
    "no_driver": ("this installation has no such channel", "本系统没有这条渠道"),
    "no_contact": ("no such contact is known", "没有登记这种联系方式"),
    "said_no": ("the person said no to it", "本人不同意使用"),
    "not_verified": ("the contact was never verified", "联系方式未核实"),
    "unfit": (
        "it cannot be perceived in this need group, and the person did not ask for it",
        "该人群无法接收,本人也没有要求",
    ),
    "no_supporter": ("nobody has agreed to help", "还没有人答应做帮助人"),
    "not_configured": ("the channel is not configured", "渠道未配置"),
    "link_test": ("the channel fails its test", "渠道测试没有通过"),
    "no_own_phone": ("the number on her record is the family's", "登记的是家里的号码"),
    "not_for_subscribers": ("officers go to registered residents", "网格员只联系登记的居民"),
    "hazard_forbids": ("the hazard forbids sending people", "这种灾害不许派人"),
    "condition": ("its condition did not hold", "条件不成立"),
    "not for endings": ("not for endings", "解除时不用"),
}
ANSWERS: Words = {
    "leaving": ("leaving", "已动身"),
    "not_there": ("not there", "不在家"),
    "moving": ("moving", "正在转移"),
    "safe": ("safe", "平安"),
    "help": ("NEEDS HELP", "要帮助"),
    "refused": ("refused", "不愿走"),
    "unsafe": ("unsafe to go there", "前往不安全"),
    "no_answer": ("no answer", "无人应答"),
    "spoke": ("has been spoken with", "已说上话"),
    "cannot_reach": ("cannot be reached", "联系不上"),
}
ENDINGS: Words = {
    "closed": ("closed", "已落实"),
    "sent": ("ended: sent", "结束:已发送"),
    "officer_contact": ("ended: an officer was asked to contact", "结束:已请网格员联系"),
    "unconfirmed": ("ended: unconfirmed", "结束:没有回音"),
    "no_capacity": ("ended: no team of officers was free; named to the fire service", "结束:人手不够,名字已交消防"),
    "handed_to_rescue": ("ended: handed to rescue by name", "结束:名字已交救援"),
    "unsafe_by_commander": (
        "ended: the commander said nobody may be sent; name with the fire service", "结束:指挥员说不能派人,名字已交消防",
    ),
    "refused": ("ended: refused twice", "结束:两次都不愿走"),
    "superseded": ("ended: replaced by an update", "结束:被新预警代替"),
    "cancelled": ("ended: the warning was cancelled", "结束:预警已取消"),
    "not_asked": ("ended: not asked at this tier", "结束:这一级不单独通知"),
}  # fmt: skip
STATES: Words = {
    "pending": ("not sent yet", "还没发"),
    "leased": ("about to be sent", "马上要发"),
    "sending": ("being sent", "正在发"),
    "retry": ("to be tried again", "要再试"),
    "accepted": ("handed over", "已交出"),
    "unknown": ("unknown whether it was accepted", "不知道是否收下"),
    "delivered": ("delivered", "已送达"),
    "failed": ("failed", "失败"),
    "unconfirmed": ("handed over, never confirmed", "已交出,没有确认"),
    "expired": ("expired before it was sent", "过时未发"),
    "cancelled": ("stopped by the cancel", "因取消停发"),
    "superseded": ("taken back", "已撤回"),
    "suppressed": ("not needed any more", "不再需要"),
}
VISITS: Words = {
    "accepted": ("on the list", "在名单上"),
    "delivered": ("visited", "已上门"),
    "pending": ("not on a list yet", "还没进名单"),
}
EVIDENCE: Words = {
    "none": ("nothing", "无"),
    "accepted": ("accepted", "已收下"),
    "delivered": ("delivered", "已送达"),
    "opened": ("opened", "已打开"),
    "answered": ("answered", "已接听"),
    "heard": ("heard", "已听到"),
    "acknowledged": ("acknowledged", "已回复"),
    "human_contact": ("human contact", "已当面"),
}
BY: Words = {
    "supporter": ("supporter", "帮助人"),
    "officer": ("officer", "网格员"),
    "supporter_with_person": ("supporter with person", "在身边的帮助人"),
}
CONDITIONS: Words = {
    "open": ("nobody has answered for her", "还没有着落"),
    "high_support": ("much help needed", "需要重点帮助"),
    "not_delivered_or_unknown": ("not delivered, or not known", "没送达或不知道"),
    "door_first": ("a door comes first", "先上门"),
    "cannot_leave": ("cannot leave alone", "自己走不了"),
    "cannot_judge": ("cannot judge alone", "自己判断不了"),
    "no_usable_channel": ("no usable channel", "没有可用渠道"),
    "night": ("night", "夜间"),
    "deaf": ("deaf", "听不见"),
    "no_bed_shaker": ("no bed shaker", "没有床头震动器"),
    "zone_has_unregistered": ("people not registered live there", "有未登记的人"),
    "no_person_spoke": ("no person spoke", "还没有人应答"),
    "not_moving": ("not moving yet", "还没转移"),
    "alone": ("alone", "独自一人"),
    "bed_shaker": ("bed shaker", "有床头震动器"),
    "minor_own_phone": ("has a phone of her own", "有自己的手机"),
    "household_voice": ("somebody at home hears", "家里有人听得见"),
    "opt_in_blue": ("asked for blue", "要收蓝色"),
    "opt_in_yellow": ("asked for yellow", "要收黄色"),
    "fewer_than_two_usable_channels": ("fewer than two usable channels", "可用渠道不足两条"),
    "head_start": ("needs more time", "需要提前走"),
}
GROUPS: Words = {
    "general": ("no special need", "一般居民"),
    "deaf_signing": ("deaf, signing", "听障(手语)"),
    "deaf_text": ("deaf, reading", "听障(文字)"),
    "hard_of_hearing": ("hard of hearing", "听力差"),
    "blind": ("blind", "全盲"),
    "low_vision": ("low vision", "视力差"),
    "deafblind": ("deafblind", "盲聋"),
    "mobility": ("walks badly or not", "行动不便"),
    "lift_dependent": ("needs the lift", "离不开电梯"),
    "cognitive": ("understands slowly, dementia", "认知障碍"),
    "psychosocial": ("mental health, autism", "精神或心理障碍"),
    "speech": ("speaks badly or not", "言语障碍"),
    "older_alone": ("old and alone", "独居老人"),
    "older_only_home": ("only old people at home", "全是老人的家庭"),
    "no_phone": ("no phone", "没有电话"),
    "power_medical": ("needs power to live", "靠电维生"),
    "newborn_or_late_pregnancy": ("newborn or late pregnancy", "新生儿或临产"),
    "basement": ("basement", "地下室"),
    "other_language": ("other language", "讲其他语言"),
    "minor": ("under 18", "未成年人"),
    "facility": ("house of many", "集体机构"),
}
TIERS: Words = {
    "blue": ("blue", "蓝色"), "yellow": ("yellow", "黄色"), "orange": ("orange", "橙色"), "red": ("red", "红色"),
    "facility": ("house", "机构"),
}  # fmt: skip
TEAMS: Words = {
    "officer": ("officer", "网格员"),
    "known_officer": ("known officer", "熟悉的网格员"),
    "two_officers": ("two officers", "两名网格员"),
    "lift_team": ("lift team", "抬运队"),
    "liaison_team": ("liaison team", "联络组"),
    "phrase_card": ("phrase card", "短句卡"),
    "large_print_card": ("large print card", "大字卡"),
    "yes_no_card": ("yes/no card", "是否卡"),
    "written_card": ("written card", "文字卡"),
    "guide": ("guide", "引路人"),
    "sign_volunteer": ("sign volunteer", "手语志愿者"),
    "tactile_interpreter": ("tactile interpreter", "触手语翻译"),
    "nurse_or_lift": ("nurse or lift team", "护士或抬运队"),
}
CALLED: Words = {  # who is called out to go along, or to call by video
    "sign_volunteer": ("sign volunteer", "手语志愿者"),
    "tactile_interpreter": ("tactile interpreter", "触手语翻译"),
    "translator": ("translator", "翻译"),
}


def say(words: Words, key: str, lang: str) -> str:
    """One word in English or Chinese; a key nobody wrote down is said as it is."""
    found = words.get(key)
    return found[1 if lang == "zh" else 0] if found else key.replace("_", " ")


def team(name: str, lang: str) -> str:
    """Who is sent."""
    return ("和" if lang == "zh" else " + ").join(say(TEAMS, part, lang) for part in name.split("+"))
