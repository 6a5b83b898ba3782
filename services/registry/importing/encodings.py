"""Detects the encoding of a CSV by charset-normalizer, with the country as a hint; never guesses.

Unicode is told by its marks. Of the older ones several may fit: then the country's own is taken, and where that leaves
a choice the list is refused and the choices are named, since a wrong letter is a wrong name at a door.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from services.shared.errors import Refused

HOME: dict[str, tuple[str, ...]] = {  # what offices of these countries save, beside Unicode: Windows' own
    "gb18030": ("CN", "SG"), "big5hkscs": ("TW", "HK", "MO"), "cp932": ("JP",), "cp949": ("KR",),
    "cp1250": ("PL", "CZ", "SK", "HU", "SI", "HR", "BA", "RO", "AL"),
    "cp1251": ("RU", "UA", "BY", "BG", "RS", "MK", "KZ", "KG", "TJ", "MN"), "cp1253": ("GR", "CY"),
    "cp1254": ("TR", "AZ"),
    "cp1255": ("IL",),
    "cp1256": ("SA", "AE", "EG", "IQ", "JO", "KW", "LB", "LY", "MA", "OM", "QA", "SY", "TN", "YE", "IR", "PK"),
    "cp1257": ("EE", "LV", "LT"), "cp1258": ("VN",), "cp874": ("TH",),
}  # fmt: skip
WEST = "cp1252"  # of every other country
LEGACY = (WEST, *HOME)
UNICODE = ("utf-8", "utf-16", "utf-16-le", "utf-16-be")
_SIGN = re.compile(r"[^\W\d_][¡-©«-´¶-¹»-¿×÷€-⏿]|[¡-©«-´¶-¹»-¿×÷][^\W\d_]|[A-Za-z][⺀-￯][A-Za-z]")
_COMMON = {"gb18030": "gb2312", "big5hkscs": "big5", "cp949": "euc_kr", "cp932": "shift_jis"}
_RARE = 0.1  # the most of them in a list of people
_SAMPLE = 48 * 1024  # bytes of lines with other letters than A to Z
_MESS = 0.2  # of charset-normalizer's measure of chaos: above it, it is no text
_NEAR = 0.05  # chaos within which two readings are as good as each other


def home_of(region: str | None) -> str:
    """What lists of a country are saved in; empty where no country is said."""
    if not region:
        return ""
    return next((name for name, countries in HOME.items() if region in countries), WEST)


def encoding_of(path: Path, region: str | None = None, wanted: str = "") -> tuple[str, str]:
    """(codec, what to tell of the choice); Refused where the file is in none, or may be in several.

    `wanted` is what somebody said it is; it is refused too where the file is not.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if wanted:
        return _as_wanted(path, wanted, head), ""
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if (bad := first_bad(path, "utf-16")) is not None:
            raise _none_fits(path, bad, "UTF-16, as its first bytes say")
        return "utf-16", "read as UTF-16: look whether names are right"
    if (bare := _without_mark(head)) and first_bad(path, bare) is None:
        return bare, f"read as {bare.upper()}: look whether names are right"
    bad = first_bad(path, "utf-8-sig")
    if bad is None:
        return "utf-8-sig", ""
    if head[:3] == codecs.BOM_UTF8:
        raise _none_fits(path, bad, "UTF-8, as its first bytes say")
    return _legacy(path, region, bad)


def text_of(body: bytes, region: str | None = None) -> str:
    """A small file's text; Refused as `encoding_of` does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text"
        path.write_bytes(body)
        return body.decode(encoding_of(path, region)[0])


def _legacy(path: Path, region: str | None, bad: int) -> tuple[str, str]:
    sample = _sample(path)
    matches = from_bytes(sample, cp_isolation=list(LEGACY), threshold=_MESS, enable_fallback=False)
    chaos: dict[str, float] = {}
    for match in matches:
        for name in (match.encoding, *match.could_be_from_charset):
            if name in LEGACY:
                chaos[name] = min(match.chaos, chaos.get(name, 1.0))
    fitting = [name for name in sorted(chaos, key=lambda n: chaos[n]) if first_bad(path, name) is None]
    fitting = [name for name in fitting if _rare(sample.decode(name, "replace"), name) <= _RARE]
    good = [name for name in fitting if chaos[name] <= chaos[fitting[0]] + _NEAR]
    readings = {sample.decode(name, "replace") for name in good}
    home = home_of(region)
    if home in good and _odd(sample, home) <= min(_odd(sample, name) for name in good):
        chosen = home
    elif len(readings) == 1:
        chosen = WEST if WEST in good else good[0]
    else:
        raise _ambiguous(path, bad, good or [n for n in LEGACY if first_bad(path, n) is None])
    return chosen, f"read as {chosen.upper()} ({_excerpt(sample.decode(chosen))}): look whether names are right"


def _rare(text: str, name: str) -> float:
    """The share of wide letters outside the set people there have used since the eighties: two Western letters in a row
    make one of them by chance, and hardly ever a common one."""
    common = _COMMON.get(name)
    wide = [c for c in text if ord(c) > 0x2E80]
    if common is None or not wide:
        return 0.0
    return sum(not c.encode(common, "ignore") for c in wide) / len(wide)


def _odd(sample: bytes, name: str) -> int:
    """Signs that touch a letter, as in ¯ó³æ, and a wide one within a Latin word: a name has none."""
    return len(_SIGN.findall(sample.decode(name, "replace")))


def _excerpt(text: str) -> str:
    """Some letters outside ASCII, as they would be stored."""
    words = [w for w in text.replace(",", " ").replace(";", " ").replace("\t", " ").split() if not w.isascii()]
    return " ".join(words[:4])[:40]


def _sample(path: Path) -> bytes:
    """Different lines with other bytes than ASCII's, up to _SAMPLE."""
    found: dict[bytes, None] = {}
    size = 0
    with path.open("rb") as file:
        for line in _short_lines(file.readline(100_000) for _ in iter(int, 1)):
            if not line.isascii() and line not in found:
                found[line] = None
                size += len(line)
                if size > _SAMPLE:
                    break
    return b"\n".join(found)


def _short_lines(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        if not line:
            return
        yield from line.rstrip(b"\r\n").split(b"\r")


def _without_mark(head: bytes) -> str:
    """utf-16-le or -be where every other byte is empty, as in a table saved without its mark."""
    if len(head) < 8:
        return ""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.3 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.3 * half and odd < 0.05 * half else ""


def _as_wanted(path: Path, wanted: str, head: bytes) -> str:
    try:
        name = codecs.lookup(wanted).name
        b"a".decode(name)  # not one of Python's byte-to-byte codecs
    except (LookupError, UnicodeDecodeError) as unknown:
        if not isinstance(unknown, UnicodeDecodeError):
            raise Refused(
                f"{wanted[:40]!r} is no encoding we know",
                field="encoding",
                rule="known word",
                given=wanted[:40],
                remedy=f"write one of {', '.join((*UNICODE, *LEGACY))}",
            ) from unknown
        name = codecs.lookup(wanted).name
    name = "utf-8-sig" if name in ("utf-8", "utf-8-sig") else name
    if (bad := first_bad(path, name)) is not None:
        raise _none_fits(path, bad, wanted)
    return name


def first_bad(path: Path, encoding: str) -> int | None:
    """Where the first byte is that does not decode."""
    decoder = codecs.getincrementaldecoder(encoding)()
    at, held = 0, 0
    with path.open("rb") as file:
        while True:
            block = file.read(1 << 20)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as problem:
                return max(0, at - held + problem.start)
            held = len(decoder.getstate()[0])
            at += len(block)
            if not block:
                return None


def line_of(path: Path, at: int) -> int:
    """The line a byte is on."""
    lines, left = 1, at
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            lines += block.count(b"\n")
            left -= len(block)
    return lines


def _none_fits(path: Path, at: int, said: str) -> Refused:
    with path.open("rb") as file:
        file.seek(at)
        given = file.read(8).hex()
    return Refused(
        f"line {line_of(path, at)} is not {said}",
        field="encoding",
        rule="encoding",
        given=given,
        remedy="save the file as CSV UTF-8 and send it again, or say what it is (--encoding)",
    )


def _ambiguous(path: Path, at: int, choices: list[str]) -> Refused:
    which = f"it may be {', '.join(choices)}" if choices else "it fits no encoding that offices save"
    return Refused(
        f"line {line_of(path, at)} is not UTF-8, and {which}: nothing was written",
        field="encoding",
        rule="encoding",
        given=", ".join(choices),
        remedy="save the list as CSV UTF-8, or say which it is (--encoding)" + (f": {choices[0]}" if choices else ""),
    )
