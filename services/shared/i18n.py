"""Says words in the reader's language: one gettext catalogue a language, `t()`, and who is being spoken to.

A language is a folder `locale/<tag>/`. Its `tocsin.po` is what pages, commands and faults say: the English sentence in the code
is the message's name, what a catalogue lacks is said in English, and the file is read as it stands: nothing can be stale.
Beside it lies what is sent to phones and read from them: `lines.yaml` (our own sentences) or `frame.yaml` (the few that stand
around an authority's), `forms.yaml` and `hazards/` (a hazard's texts and how they are put together), `instructions.yaml` (how a
text tells people what to do), `phrases.yaml` (what is shown at a door), `replies.yaml` and `phones.yaml` (words people answer
with, and what phones write by themselves). These are whole or not there: no sentence of another language is ever put into a
message.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from services.shared.people.languages import choose
from services.shared.text.shipped import read_shipped

FOLDER = Path(__file__).with_name("locale")
FILE = "tocsin.po"
SOURCE = "en"
CAP_PLACES = frozenset(("severity", "urgency", "certainty", "tier"))
LONGEST, DEEP = 2_000, 3  # of a text that is told, and of sentences in one another: what is filled in may be anybody's
FEW, MOST_IN_A_ROW = 10, 8
_SEVERAL = re.compile("[,;:] ")  # in a place of a message of few letters it is another sentence
_FILE = re.compile(r"[^\s:]*[/=.][^\s:]*")
SENTENCE = "message"  # the place of a message that is there for another sentence
LEAST_OWN = {True: 4, False: FEW}  # letters of a message that begins with words, with a place: fewer could be anybody's
_RIGHT_TO_LEFT = frozenset(("ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"))
_language: ContextVar[str] = ContextVar("language", default=SOURCE)


_Parts = Sequence[tuple[str, str | None]]  # (words, place behind them) one after the other
_Filled = tuple[_Parts, str]  # a message, its translation


class _InContext(str):
    context: str

    def __new__(cls, message: str, context: str) -> _InContext:
        made = super().__new__(cls, message)
        made.context = context
        return made


def t(message: str, /, **values: object) -> str:
    """The message in the language that is spoken here, its named places filled."""
    context = message.context if isinstance(message, _InContext) else None
    said = _catalogue().pgettext(context, message) if context else _catalogue().gettext(message)
    return said.format(**values)


def tn(one: str, many: str, n: int, /, **values: object) -> str:
    """The message for a number of things; `{n}` is the number."""
    return _catalogue().ngettext(one, many, n).format(n=n, **values)


def tc(context: str, message: str, /, **values: object) -> str:
    """A word that means one thing here and another elsewhere: `context` says which."""
    return _catalogue().pgettext(context, message).format(**values)


def english(message: str, /, **values: object) -> str:
    """The message in English, to be kept or sent on; `told` says it in the language of whoever reads it."""
    return message.format(**values)


def told(text: str) -> str:
    """An English sentence of ours, in the language that is spoken here; anything else as it is.

    A fault, a note or an alarm is written in English where it arises, is logged and stored so, and read elsewhere and later.
    The message it was made from is found again by its words, and what was filled in goes into the translation.
    """
    return text if language() == SOURCE or not 0 < len(text) <= LONGEST else _told(FOLDER, language(), text, DEEP)


def mark(message: str) -> str:
    """The message as it is, noted for translators; `t` says it later, in the language of whoever reads it."""
    return message


def mark_in(context: str, message: str) -> str:
    """As `mark`, of a word that means one thing here and another elsewhere."""
    return _InContext(message, context)


def language() -> str:
    """The tag of the language that is spoken here."""
    return _language.get()


def speak(tag: str) -> None:
    """From here on, in this task or process, this language is spoken."""
    _language.set(tag)


@contextmanager
def speaking(tag: str) -> Iterator[None]:
    """Within, this language is spoken."""
    before = _language.set(tag)
    try:
        yield
    finally:
        _language.reset(before)


def offered() -> dict[str, str]:
    """Tag > its own name, of every language there is a catalogue of; English first."""
    return dict(_offered(FOLDER))


def in_each_language(name: str) -> dict[str, Any]:
    """What a file of this name says, by tag; of every language that has one."""
    files = sorted(FOLDER.glob(f"*/{name}"))
    return {file.parent.name: read_shipped(file) for file in files}


def best(wanted: str) -> str:
    """The first of these languages (best first, ; between) that is offered, or one of its base; else empty."""
    return choose(wanted, list(offered()))


def accepted(header: str) -> str:
    """An Accept-Language header's languages, best first, ; between (RFC 9110, 12.5.4)."""
    found = []
    for part in header.split(","):
        tag, _, weight = part.partition(";")
        quality = weight.strip().removeprefix("q=") or "1"
        try:
            found.append((-float(quality), tag.strip()))
        except ValueError:
            continue
    return ";".join(tag for quality, tag in sorted(found, key=lambda one: one[0]) if tag not in ("", "*") and quality)


def of_process(environment: Iterable[tuple[str, str]]) -> str:
    """The language of a command line: TOCSIN_LANG, else what the terminal's locale says (LC_ALL, LC_MESSAGES, LANG)."""
    known = dict(environment)
    for name in ("TOCSIN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if said := known.get(name, "").split(".")[0].split("@")[0]:
            return best(said) or SOURCE
    return SOURCE


def direction(tag: str = "") -> str:
    """`rtl` where the language is written from right to left."""
    return "rtl" if (tag or language()).split("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"


def moment(when: datetime) -> str:
    """'Sun 22 Nov 09:40 (UTC+08:00)', never a time without its zone; in the order the language has."""
    pattern = tc("a moment, as CLDR writes date patterns", "EEE dd MMM HH:mm")
    return f"{written(when, pattern)} ({when.tzname()})"


def moment_at(when: float, offset_min: int) -> str:
    """The same of seconds since 1970 UTC, so many minutes east of it."""
    return moment(datetime.fromtimestamp(when, timezone(timedelta(minutes=offset_min))))


def written(when: datetime, pattern: str) -> str:
    """The moment by a date pattern of CLDR, with the language's own names of days and months."""
    return format_datetime(when, pattern, locale=_locale(language()))


def listed(words: Iterable[str]) -> str:
    """The words one after the other, as the language puts them in a row."""
    return tc("between the words of a list", ", ").join(words)


@lru_cache
def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(SOURCE)


def _catalogue() -> gettext.NullTranslations:
    return _read(FOLDER, _language.get())


@lru_cache
def _messages(folder: Path, tag: str) -> Catalog:
    file = folder / tag / FILE
    if tag == SOURCE or not file.is_file():
        return Catalog()
    with file.open("rb") as source:
        catalogue = read_po(source, locale=_locale(tag), abort_invalid=True)
    for message in list(catalogue):  # one that would break a page is said in English instead
        if message.id and not sound(message):
            catalogue.delete(message.id, message.context)
    return catalogue


@lru_cache
def _read(folder: Path, tag: str) -> gettext.NullTranslations:
    if tag == SOURCE:
        return gettext.NullTranslations()
    made = io.BytesIO()
    write_mo(made, _messages(folder, tag))
    made.seek(0)
    return gettext.GNUTranslations(made)


@lru_cache(maxsize=4096)
def _told(folder: Path, tag: str, text: str, deep: int) -> str:
    if (said := _read(folder, tag).gettext(text)) != text:
        return said.format() if "{" not in text else text
    begun, open_, whole = _filled_in(folder, tag)
    if filled := _filled(folder, tag, whole, text, deep, alone=True):
        return filled
    head, found, rest = text.partition(": ")
    if found and _FILE.fullmatch(head) and (said := _told(folder, tag, rest, deep)) != rest:
        return f"{head}: {said}"  # a file or a setting, then what is wrong in it
    several = text.split("; ")
    if deep and 1 < len(several) <= MOST_IN_A_ROW:  # sentences in a row, each of ours
        each = [_told(folder, tag, one, deep - 1) for one in several]
        if all(one != before for one, before in zip(each, several, strict=True)):
            return tc("between reasons", "; ").join(each)
    if filled := _filled(folder, tag, begun, text, deep):
        return filled
    head, found, rest = text.partition(": ")
    if found and deep and " " not in head and (said := _told(folder, tag, rest, deep - 1)) != rest:
        return f"{head}: {said}"  # "file: what is wrong with it"
    if filled := _filled(folder, tag, open_, text, deep):
        return filled
    for between in (": ", "; "):  # one reason after another
        head, found, rest = text.partition(between)
        if found and deep and (said := _told(folder, tag, rest, deep - 1)) != rest:
            return f"{_told(folder, tag, head, deep - 1)}{between}{said}"
    several = text.split(", ")
    if deep and 1 < len(several) <= MOST_IN_A_ROW:
        return ", ".join(_told(folder, tag, one, deep - 1) for one in several)
    return text


def _filled(folder: Path, tag: str, messages: Sequence[_Filled], text: str, deep: int, *, alone: bool = False) -> str:
    """The text by the first of the messages it is of; empty where it is of none.

    One in which a place before the last swallows a colon comes after all others: "line {n} is not {said}" is no better for
    "line 3, tiers.red: 'x' is not on the list" than "line {n}, {where}: {message}". `alone`: such a one is none.
    """
    doubtful: tuple[_Parts, str, dict[str, str]] | None = None
    for parts, translation in messages:
        values = _places_in(parts, text)
        if values is None:
            continue
        free = _typed(parts) | {SENTENCE}
        if _own(parts) < FEW and _SEVERAL.search("".join(v for name, v in values.items() if name not in free)):
            continue
        others = [value for name, value in values.items() if name not in free] if alone else list(values.values())[:-1]
        if not any(": " in value for value in others):
            return _said(folder, tag, parts, translation, values, deep)
        doubtful = doubtful or (None if alone else (parts, translation, values))
    return _said(folder, tag, *doubtful, deep) if doubtful else ""


def _said(folder: Path, tag: str, parts: _Parts, translation: str, values: Mapping[str, str], deep: int) -> str:
    typed = _typed(parts)
    return translation.format(**{
        name: value if name in typed else _told_place(folder, tag, name, value, deep) for name, value in values.items()
    })  # fmt: skip


def _typed(parts: _Parts) -> set[str | None]:
    """Places for words of a file or a command, which are typed as they are: what stands behind `use`."""
    return {name for literal, name in parts if literal.endswith("use ")}


def _own(parts: Sequence[tuple[str, str | None]]) -> int:
    return sum(len(literal) for literal, _ in parts)


def _told_place(folder: Path, tag: str, name: str, value: str, deep: int) -> str:
    """What stands in a place: a word of CAP's in a place for one, a sentence of ours, or somebody's own words."""
    if name in CAP_PLACES:
        return _read(folder, tag).pgettext("CAP", value)
    return _told(folder, tag, value, deep - 1) if deep and " " in value else value


@lru_cache
def _filled_in(folder: Path, tag: str) -> tuple[Sequence[_Filled], Sequence[_Filled], Sequence[_Filled]]:
    """Messages with places, with their translation, those with most words first: who begin with words, who with a place, and
    of both those that hold a semicolon of their own or end in another sentence."""
    found = []
    for message in _messages(folder, tag):
        if message.id and isinstance(message.id, str) and isinstance(message.string, str) and not message.context:
            parts = _parts(message.id)
            own = _own(parts)
            if (
                own >= LEAST_OWN[bool(parts[0][0])]
                and re.search("[A-Za-z]{2}", message.id)
                and any(name is not None for _, name in parts)
            ):
                said = "".join(
                    literal.replace("{", "{{").replace("}", "}}") + (f"{{{name}}}" if name is not None else "")
                    for literal, name, *_ in Formatter().parse(message.string)
                )
                found.append((own, parts, said))
    ordered = [(parts, said) for _, parts, said in sorted(found, key=lambda one: -one[0])]
    whole = [
        one for one in ordered if one[0][-1][1] == SENTENCE or any(";" in literal for literal, _ in one[0])
    ]  # fmt: skip
    return [one for one in ordered if one[0][0][0]], [one for one in ordered if not one[0][0][0]], whole


def _parts(message: str) -> _Parts:
    """Words and places of a message; a brace that is meant as one (`{{`) parts no words."""
    found: list[tuple[str, str | None]] = []
    words = ""
    for literal, name, *_ in Formatter().parse(message):
        words += literal
        if name is not None:
            found.append((words, name))
            words = ""
    return [*found, (words, None)] if words or not found else found


def _places_in(parts: Sequence[tuple[str, str | None]], text: str) -> dict[str, str] | None:
    """What stands in the places of a message that was filled in so; None where the text is not of it. In linear time."""
    if not text.startswith(parts[0][0]):
        return None
    at = len(parts[0][0])
    found: dict[str, str] = {}
    for n, (_, name) in enumerate(parts):
        if name is None:
            return found if at == len(text) else None
        following = parts[n + 1][0] if n + 1 < len(parts) else ""
        last = n + 1 == len(parts) or (n + 2 == len(parts) and parts[n + 1][1] is None)
        end = len(text) - len(following) if last else text.find(following, at)
        if end < at or not text.startswith(following, end) or found.setdefault(name, text[at:end]) != text[at:end]:
            return None
        at = end + len(following)
    return found if at == len(text) else None


def sound(message: Message) -> bool:
    """Whether every sentence of a translation has the named places of the message, and no other."""
    given = [message.id] if isinstance(message.id, str) else message.id
    said = [message.string] if isinstance(message.string, str) else message.string
    wanted = {name for one in given for name in places(one)}
    return all(
        not one or (set(places(one)) <= wanted and (len(given) > 1 or set(places(one)) == wanted)) for one in said or ()
    )


def places(text: str) -> list[str]:
    """The names of a sentence's places, as `{name}` has them."""
    try:
        return sorted({name for _, name, _, _ in Formatter().parse(text) if name is not None})
    except ValueError as wrong:
        return [str(wrong)]


@lru_cache
def _offered(folder: Path) -> tuple[tuple[str, str], ...]:
    tags = sorted(file.parent.name for file in folder.glob(f"*/{FILE}"))
    return ((SOURCE, "English"), *((tag, _own_name(tag)) for tag in tags if tag != SOURCE))


def _own_name(tag: str) -> str:
    with speaking(tag):
        return tc("this language's own name", "English")
