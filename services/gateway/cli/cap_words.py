"""The words of CAP and of its meaning here, in Chinese, for `tocsin cap show`."""

from __future__ import annotations

import re

LABELS = {
    "From": "发自", "Sent": "时间", "Until": "有效至", "Kind": "类别", "Area": "区域", "Says": "内容", "Do": "怎么做",
    "Level": "等级", "Tier": "我方级别", "Hazard": "灾种", "Signature": "签名", "Refers to": "引用", "Contact": "联系",
    "Files": "附件", "Codes": "代码", "Findings": "问题", "held: a person decides": "待人定级", "Here": "在本系统",
    "no fault found": "没有发现问题", "an ending": "解除", "nothing to warn of": "没有需要预警的内容",
    "speaks of a drill or test": "提到演练或测试", "Begins": "开始", "Asks": "要求", "Headline": "标题", "Event": "事件",
    "Identifier": "编号", "Held": "待人放行", "Note": "注意", "nothing is named": "没有写明", "none is named": "没有写明",
    "for": "语言", "reckoned with": "按此准备", "What people will read": "居民会看到的", "as for red": "按红色显示",
    "file": "文件", "rule": "规则", "accept": "通过", "repair": "修正", "quarantine": "隔离", "reject": "拒收", "info": "提示",
    "sms": "短信", "sms_short": "短信(听障,短)", "sms_easy": "短信(易读)", "call": "电话", "mail_subject": "邮件标题",
    "mail": "邮件", "loudspeaker": "大喇叭", "cell_broadcast": "小区广播", "polygons": "个多边形", "circles": "个圆",
    "more": "个未列出", "effective": "生效",
}  # fmt: skip
_ENGLISH = {
    "sms": "SMS", "sms_short": "SMS, short (deaf readers)", "sms_easy": "SMS, easy read", "call": "Call",
    "mail_subject": "E-mail subject", "mail": "E-mail", "loudspeaker": "Loudspeaker", "cell_broadcast": "Cell broadcast",
}  # fmt: skip
VALUES = {
    "Actual": "实际", "Exercise": "演习", "System": "系统", "Test": "测试", "Draft": "草稿", "Alert": "预警", "Update": "更新",
    "Cancel": "取消", "Ack": "确认", "Error": "出错", "Public": "公开", "Restricted": "受限", "Private": "私密",
    "Extreme": "特别严重", "Severe": "严重", "Moderate": "较重", "Minor": "一般", "Unknown": "未知", "Immediate": "立即",
    "Expected": "即将", "Future": "将来", "Past": "已过", "Observed": "已发生", "Likely": "很可能", "Possible": "可能",
    "Unlikely": "不太可能", "Evacuate": "撤离", "Shelter": "就地躲避", "Prepare": "准备", "Execute": "执行预案",
    "Avoid": "避开", "Monitor": "留意", "Assess": "评估", "AllClear": "解除", "None": "无需行动",
    "evacuate": "撤离", "shelter_in": "就地躲避", "check_on": "照看他人", "as_told": "按通知做", "red": "红色",
    "orange": "橙色", "yellow": "黄色", "blue": "蓝色",
}  # fmt: skip
# Sentences that say by which rule a tier or an end was found, in the words of `cap.meaning`.
_REASONS = (
    ("an ending: it goes out at the tier of what it ends", "解除:按所解除的级别发出"),
    ("no info block says how grave it is", "没有一段说明严重程度"),
    ("no expires: 24 hours from sending", "没有写有效期:自发出起24小时"),
    ("expires is the time of sending: 24 hours from it", "有效期等于发出时间:自发出起24小时"),
    ("one block without expires: 24 hours from sending", "有一段没写有效期:自发出起24小时"),
    ("but certainty Unlikely", "但确定性为不太可能"),
    ("in headline or event", "见标题或事件"),
    (": a person decides", ":待人定级"),
    ("; another block gives ", ";另一段为"),
    (" goes no higher than ", "最高只到"),
    ("severity", "严重性"), ("urgency", "紧急性"), ("certainty", "确定性"), ("expires", "有效期"), ("default", "通用"),
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z_]+")
_DAYS = "一二三四五六日"


def english(word: str) -> str:
    """A label as it is shown."""
    return _ENGLISH.get(word, word)


def in_chinese(reason: str) -> str:
    """A rule's sentence; names of sources and parameters stay as they are."""
    for said, meant in _REASONS:
        reason = reason.replace(said, meant)
    return _WORD.sub(lambda m: VALUES.get(m.group(), m.group()), reason)


def day(weekday: int) -> str:
    """Monday is 0."""
    return f"周{_DAYS[weekday]}"
