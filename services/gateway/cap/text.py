"""Reads an alert's words and times: plain text out of markup and escapes, instants however feeds write them."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from html.entities import html5

from services.gateway.cap.rules import Notes
from services.shared.text.invisible_signs import BIDI, CONTROL, plain_signs

_ENTITY = re.compile(r"&(?:(?P<name>[a-zA-Z][a-zA-Z0-9]{1,30})|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_TAG_WORDS = (
    "a|abbr|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|iframe|img|li|ol|p|pre|"
    "script|small|span|strike|strong|style|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul"
)
# What stands behind a tag's name is an attribute: "a<b and c>d" is no tag.
_ATTRIBUTE = r"""\s+[a-z][a-z0-9_:-]{0,40}(?:\s*=\s*(?:"[^"<>]{0,1000}"|'[^'<>]{0,1000}'|[^\s"'<>=]{1,1000}))"""
_BARE = r"\s+(?:nowrap|noshade|hidden|disabled|checked|compact|async|defer)"
_TAG = re.compile(rf"</?(?:{_TAG_WORDS})(?:{_ATTRIBUTE}|{_BARE}){{0,20}}\s*/?>|<!--[^<>]{{0,2000}}-->", re.IGNORECASE)
ROUNDS = 5
_LINE_TAG = re.compile(r"</?(?:br|p|div|li|tr|h[1-6]|hr|table|ul|ol)\b", re.IGNORECASE)
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")


def one_line(text: str) -> str:
    """Runs of white space as one space."""
    return " ".join(text.split())


def safe(text: str, where: str, notes: Notes) -> str:
    """The text without control characters and without those that turn the reading direction.

    The marks LRM and RLM, and the joiners of Persian and Indic scripts, stay: they belong to words.
    """
    if BIDI.search(text):
        notes.add("bidi_characters", where, text)
        text = BIDI.sub("", text)
    if CONTROL.search(text):
        notes.add("control_characters", where, text)
        text = CONTROL.sub("", text)
    return text


def _meant(entity: re.Match[str]) -> str:
    """What an entity stands for; one of no known name, or without its semicolon, is text (`?area=1&region=2`)."""
    name = entity["name"]
    return html.unescape(entity.group()) if name is None or f"{name};" in html5 else entity.group()


def unescaped(text: str) -> str:
    """The text with its entities as the characters they stand for."""
    return _ENTITY.sub(_meant, text)


def plain(text: str, where: str, notes: Notes) -> str:
    """Text for people: second escapes undone, HTML taken out, lines kept, spaces within a line single.

    Its own output comes out unchanged, so what we pass on is read as we read it.
    """
    text = safe(text, where, notes)
    for _ in range(ROUNDS):
        before = text
        if _ENTITY.search(text):
            text = unescaped(text)
            if text != before:
                notes.add("escaped_twice", where, before)
        if _TAG.search(text):
            notes.add("html", where, before)
            text = _TAG.sub(lambda m: "\n" if _LINE_TAG.match(m.group()) else "", text)
        text = safe(text, where, notes)
        if text == before:
            break
    else:
        # Markup within markup within markup is no text anybody wrote: its signs go, its words stay.
        text = safe(re.sub("[<>&]", "", text), where, notes)
    lines = (_SPACES.sub(" ", line).strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without characters that XML cannot hold, or that turn the reading direction."""
    return plain_signs(_NOT_XML.sub("", text))


_TIME = re.compile(
    r"(?P<y>\d{4})-(?P<mo>\d{1,2})-(?P<d>\d{1,2})(?P<sep>[Tt]|\s+)(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2}))?"
    r"(?P<frac>[.]\d{1,9})?\s*(?P<off>[Zz]|(?P<sign>[-+−,])(?P<oh>\d{2}):?(?P<om>\d{2}))?",
    re.ASCII,
)
_EXACT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d", re.ASCII)
_BUDDHIST_FROM = 2400


def read_time(text: str, where: str, notes: Notes, assume: timedelta | None = None) -> datetime | None:
    """The instant a CAP time names, with its own offset; None where nothing can be made of it.

    `assume` is the offset of the source's own clock, for the few that leave it out. Without it such a time is taken
    as UTC and quarantined. Read besides the standard's form: Z, fractions, Buddhist years, 24:00, second 60,
    RFC 822.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return _rfc_822(text, where, notes)
    year, second, hour = int(match["y"]), int(match["s"] or 0), int(match["h"])
    offset = _offset(match, where, notes, assume)
    try:
        if year >= _BUDDHIST_FROM:
            notes.add("time_calendar", where, text)
            year -= 543
        late = timedelta(days=hour // 24, minutes=second // 60)
        if hour > 24 or second > 60 or (hour == 24 and (match["mi"] != "00" or second)):
            return None
        moment = datetime(
            year, int(match["mo"]), int(match["d"]), hour % 24, int(match["mi"]), second % 60, tzinfo=offset
        )
        moment += late
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if match["frac"]:
        notes.add("time_fraction", where, text)
    other_form = not (_EXACT.fullmatch(text) or match["frac"] or match["off"] in ("Z", "z", None))
    if other_form or late:
        notes.add("time_format", where, text)
    return moment


def _offset(match: re.Match[str], where: str, notes: Notes, assume: timedelta | None) -> timezone:
    if match["off"] is None:
        notes.add("time_no_offset" if assume is None else "time_offset_assumed", where, match.group())
        return UTC if assume is None else timezone(assume)
    if match["off"] in "Zz":
        notes.add("time_zulu", where, match.group())
        return UTC
    if match["sign"] == ",":
        notes.add("time_sign", where, match.group())
    minutes = int(match["oh"]) * 60 + int(match["om"])
    if minutes > 15 * 60:
        notes.add("time_no_offset", where, match.group())
        return UTC
    return timezone(timedelta(minutes=-minutes if match["sign"] in "-−" else minutes)) if minutes else UTC


def _rfc_822(text: str, where: str, notes: Notes) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
            notes.add("time_no_offset", where, text)
        moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    notes.add("time_format", where, text)
    return moment.replace(microsecond=0)


def write_time(moment: datetime) -> str:
    """The standard's one form; UTC is written -00:00."""
    text = moment.replace(microsecond=0).isoformat()
    return text[:-6] + "-00:00" if moment.utcoffset() == timedelta(0) else text


_TAG_FORM = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_LANGUAGE_NAMES = {
    "english": "en", "french": "fr", "spanish": "es", "portuguese": "pt", "chinese": "zh", "german": "de",
    "russian": "ru", "arabic": "ar", "italian": "it", "japanese": "ja", "korean": "ko", "thai": "th",
    "中文": "zh", "简体中文": "zh-CN", "繁體中文": "zh-TW", "español": "es", "français": "fr", "português": "pt",
}  # fmt: skip
UNKNOWN_LANGUAGE = "und"


def read_language(text: str, where: str, notes: Notes) -> str:
    """A language tag as meant: `zh_CN` is zh-CN, `english` en; what is no tag at all is `und`."""
    known = _LANGUAGE_NAMES.get(text.casefold())
    if known is None and _TAG_FORM.fullmatch(text):
        return text
    notes.add("language_tag", where, text)
    mended = text.replace("_", "-").strip("- ")
    return known or (mended if _TAG_FORM.fullmatch(mended) else UNKNOWN_LANGUAGE)
