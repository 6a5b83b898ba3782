"""Reads languages as lists name them into BCP 47 tags. Pure.

A spoken kind of Chinese is followed by zh: it is written so, and whoever speaks it reads that text.
"""

from __future__ import annotations

import re

TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,4}")
_NAMES: dict[str, tuple[str, ...]] = {
    "zh": ("中文", "汉语", "漢語", "华语", "華語", "国语", "國語", "普通话", "普通話", "汉", "chinese", "mandarin",
    "putonghua"),
    "yue;zh": ("粤语", "粵語", "广东话", "廣東話", "白话", "cantonese"),
    "wuu;zh": ("吴语", "吳語", "上海话", "上海話", "shanghainese"),
    "nan;zh": ("闽南语", "閩南語", "闽南话", "台语", "台語", "潮州话", "潮汕话", "hokkien"),
    "hak;zh": ("客家话", "客家話", "客语", "客語", "hakka"),
    "hsn;zh": ("湖南话", "湘语"), "gan;zh": ("江西话", "赣语"), "cjy;zh": ("晋语",), "cdo;zh": ("福州话", "闽东语"),
    "ug": ("维吾尔语", "维语", "ئۇيغۇرچە", "uyghur", "uighur"), "bo": ("藏语", "藏文", "བོད་སྐད", "tibetan"),
    "mn": ("蒙古语", "蒙语", "mongolian"), "za": ("壮语", "zhuang"), "ii": ("彝语", "nuosu", "yi"),
    "ko": ("朝鲜语", "韩语", "韓語", "한국어", "korean"),
    "kk": ("哈萨克语", "kazakh"), "ky": ("柯尔克孜语", "kyrgyz"), "hmn": ("苗语", "hmong"), "dai": ("傣语",),
    "en": ("英语", "英語", "英文", "english"), "ja": ("日语", "日語", "日本語", "japanese"),
    "ru": ("俄语", "русский", "russian"),
    "fr": ("法语", "français", "francais", "french"), "de": ("德语", "deutsch", "german"),
    "es": ("西班牙语", "español", "espanol", "spanish"),
    "pt": ("葡萄牙语", "português", "portugues", "portuguese"), "it": ("意大利语", "italiano", "italian"),
    "ar": ("阿拉伯语", "العربية", "arabic"),
    "tr": ("土耳其语", "türkçe", "turkish"), "vi": ("越南语", "tiếng việt", "vietnamese"), "th": ("泰语", "thai"),
    "hi": ("印地语", "हिन्दी", "hindi"),
    "ne": ("尼泊尔语", "नेपाली", "nepali"), "ur": ("乌尔都语", "اردو", "urdu"),
    "bn": ("孟加拉语", "বাংলা", "bengali"), "uk": ("乌克兰语", "українська", "ukrainian"),
    "pl": ("波兰语", "polski", "polish"), "ro": ("罗马尼亚语", "română", "romanian"), "cy": ("cymraeg", "welsh"),
    "sw": ("斯瓦希里语", "kiswahili", "swahili"),
    "fa": ("波斯语", "فارسی", "persian", "farsi"), "id": ("印尼语", "indonesian"), "ms": ("马来语", "malay"),
    "tl": ("tagalog", "filipino"),
}  # fmt: skip
_TAGS = {name: tuple(tags.split(";")) for tags, names in _NAMES.items() for name in names}
# "<place>话" of provinces and cities where a northern or south-western Mandarin is spoken
_MANDARIN = re.compile(
    r"(?:四川|成都|重庆|贵州|贵阳|云南|昆明|湖北|武汉|河南|山东|青岛|东北|北京|天津|陕西|西安|甘肃|兰州|河北|安徽|合肥|南京|西南|官)(?:话|話|方言|官话)"
)


def read_language(word: str) -> tuple[str, ...]:
    """The tags one word of a list stands for, best first; empty where it is no language we know."""
    plain = word.strip()
    low = plain.casefold()
    if low in _TAGS:
        return _TAGS[low]
    if _MANDARIN.fullmatch(plain):
        return ("zh",)
    if TAG.fullmatch(plain):
        base, _, rest = plain.replace("_", "-").partition("-")
        return (base.lower() + (f"-{rest}" if rest else ""),)
    return ()
