"""Reads the words lists write for ours: ticks, deaths, channels, grades; nothing else is guessed."""

from __future__ import annotations

YES = frozenset(("yes", "y", "true", "1", "是", "有", "对", "√", "✓", "✔", "☑"))
NO = frozenset(("no", "n", "false", "0", "-", "否", "无", "没有", "不是"))
EITHER = frozenset(("x", "×", "✗", "✘", "╳"))  # a tick to one office and a no to another
NONE = frozenset(("-", "—", "——", "/", "无", "没有", "none", "n/a"))
LEVELS = {"1": 1, "2": 2, "3": 3, "4": 4, "9": 9} | {
    "none": 1,
    "no difficulty": 1,
    "some": 2,
    "a lot": 3,
    "cannot": 4,
    "unknown": 9,
    "没有困难": 1, "无困难": 1, "有些困难": 2, "很困难": 3, "完全不能": 4, "不知道": 9,
}  # fmt: skip
# GB/T 26341: grade 1 is the worst, grade 4 the lightest. Of two levels a grade may stand for, the one that gets more help.
GRADES = {
    "CN": {"1": 4, "2": 4, "3": 3, "4": 2, "一": 4, "二": 4, "三": 3, "四": 2},
}
STATUS = {
    "死亡": "deceased", "已死亡": "deceased", "已故": "deceased", "去世": "deceased", "已去世": "deceased",
    "亡故": "deceased", "病故": "deceased",
    "dead": "deceased", "died": "deceased", "deceased.": "deceased", "†": "deceased", "verstorben": "deceased",
    "décédé": "deceased",
    "décédée": "deceased", "fallecido": "deceased", "fallecida": "deceased",
    "迁出": "moved", "已迁出": "moved", "搬走": "moved", "已搬走": "moved", "搬离": "moved", "moved_away": "moved",
    "moved_out": "moved",
    "外出": "away", "暂时外出": "away", "在外": "away",
    "正常": "active", "在册": "active", "健在": "active", "在世": "active", "在家": "active", "alive": "active",
    "退出": "withdrawn", "已退出": "withdrawn", "暂停": "suspended",
}  # fmt: skip
CHANNELS = {
    "短信": "sms", "简讯": "sms", "信息": "sms", "text": "sms", "texts": "sms", "sms_messages": "sms",
    "电话": "voice", "来电": "voice", "打电话": "voice", "语音": "voice", "call": "voice", "calls": "voice",
    "phone": "voice",
    "phone_calls": "voice", "座机": "voice_landline", "固话": "voice_landline", "固定电话": "voice_landline",
    "手机电话": "voice_mobile",
    "邮件": "email", "电子邮件": "email", "邮箱": "email", "e_mail": "email", "mail": "email", "微信": "im",
    "聊天": "im", "chat": "im",
    "推送": "push",
}  # fmt: skip
SAFE = {
    "手机": "mobile", "手机号": "mobile", "mobile_phone": "mobile", "座机": "landline", "固话": "landline",
    "固定电话": "landline",
    "邮件": "email", "邮箱": "email", "电子邮件": "email", "e_mail": "email",
}  # fmt: skip
DECISIONS = {
    "同意": "given", "已同意": "given", "yes": "given", "是": "given", "√": "given", "✓": "given",
    "不同意": "refused", "拒绝": "refused", "no": "refused", "否": "refused", "撤回": "withdrawn",
    "已撤回": "withdrawn",
    "未询问": "not_asked", "未问": "not_asked",
}  # fmt: skip
SIGNS = {
    "手语": "csl", "中国手语": "csl", "asl": "ase", "american_sign_language": "ase", "bsl": "bfi",
    "british_sign_language": "bfi",
    "dgs": "gsg", "lsf": "fsl",
}  # fmt: skip
