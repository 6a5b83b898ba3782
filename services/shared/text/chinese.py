"""Converts our own Chinese sentences to the script their reader reads; never an authority's words.

The table holds the characters of our own sentences alone, each with the one form it has in them (made with OpenCC's s2tw,
checked one by one); a sentence with a new character needs it here, and a test says so.
"""

from __future__ import annotations

SIMPLE = (
    "这里练编号动帮现听请诉们还证发给会电话险处说联系区预对单负责马后应门网员视频语愿触译减轻进误没转离实关于变内继续验"
    "码钟别问紧时测试么户结报纸质开间长过该谢体几个复记数条项机蓝黄红准备顾经旧周带内"
)
TRADITIONAL = (
    "這裡練編號動幫現聽請訴們還證發給會電話險處說聯繫區預對單負責馬後應門網員視頻語願觸譯減輕進誤沒轉離實關於變內繼續驗"
    "碼鐘別問緊時測試麼戶結報紙質開間長過該謝體幾個復記數條項機藍黃紅準備顧經舊週帶內"
)
_TABLE = str.maketrans(SIMPLE, TRADITIONAL)
_PLACES = ("tw", "hk", "mo")


def is_traditional(language: str) -> bool:
    """Whether the tag names the traditional script, by itself or by its region."""
    tag = language.lower().replace("_", "-").split("-")
    if tag[0] not in ("zh", "yue"):
        return False
    return "hant" in tag[1:] or ("hans" not in tag[1:] and any(place in tag[1:] for place in _PLACES))


def traditional(text: str) -> str:
    """A sentence of ours in the traditional script."""
    return text.translate(_TABLE)
