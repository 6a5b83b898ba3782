"""Reads the form of a sketch, as it was typed, and names what two versions of it differ in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from aiohttp import web
from babel import Locale, UnknownLocaleError
from multidict import MultiDict, MultiDictProxy

from services.gateway.drafting.reading import PARTS
from services.gateway.drafting.sketch import SketchContent, Wording
from services.shared.hazards import known
from services.shared.hazards.instructions import NAMES
from services.shared.i18n import language, mark, t
from services.shared.tiers import NAMES as TIER_NAMES
from services.shared.tiers import TIER_WORDS, Tier

SketchFields = MultiDictProxy[str | bytes | bytearray | web.FileField]
NOTHING = SketchContent()
FIELDS = {
    "hazard": mark("What happens"), "tier": mark("Tier"), "instruction": mark("What people are to do"),
    "impact": mark("Time of impact"), "ends": mark("Holds until"), "areas": mark("Areas"),
    "risk_zones": mark("Risk zones"), "corners": mark("Corners"),
    "circle": mark("Circle"), "geojson": mark("GeoJSON"), "languages": mark("Languages"),
    "place_to": mark("Where people go"), "place_open": mark("It is confirmed open"),
}  # fmt: skip
PART_NAMES = {
    "headline": mark("Headline"), "what": mark("What happens"), "where": mark("Where"), "action": mark("Do this"),
    "source": mark("Who says so"),
}  # fmt: skip


def content_of(form: SketchFields, tags: Iterable[str], before: SketchContent = NOTHING) -> SketchContent:
    """What a form brings; `tags` are the languages that can be written in. What it does not ask stays as it was `before`: what
    it takes the place of, and the words of a language that is not told just now."""
    file = form.get("geojson_file")
    pasted = file.file.read().decode(errors="replace") if isinstance(file, web.FileField) else ""
    tags = list(tags)
    return SketchContent(
        updates=before.updates,
        hazard=_one(form, "hazard", known()), tier=_one(form, "tier", TIER_WORDS),
        instruction=_one(form, "instruction", NAMES), impact=_typed(form, "impact"), ends=_typed(form, "ends"),
        areas=tuple(dict.fromkeys(str(one)[:241] for one in form.getall("areas", []) if "=" in str(one))),
        risk_zones=tuple(dict.fromkeys(str(one)[:161] for one in form.getall("risk_zones", []) if "=" in str(one))),
        corners=_typed(form, "corners"), circle=_typed(form, "circle"), geojson=pasted or _typed(form, "geojson"),
        languages=tuple(tag for tag in tags if tag in form.getall("languages", [])),
        words={
            tag: wording for tag in dict.fromkeys((*tags, *before.words))
            if (wording := _wording(form, tag) or before.words.get(tag, Wording())) != Wording()
        },
        place_to={
            tag: said for tag in dict.fromkeys((*tags, *before.place_to))
            if (said := _typed(form, name)[:60] if (name := f"place_to.{tag}") in form else before.place_to.get(tag, ""))
        },
        place_open="place_open" in form,
    )  # fmt: skip


def _wording(form: SketchFields, tag: str) -> Wording | None:
    """None where the form does not ask for this language."""
    if f"headline.{tag}" not in form:
        return None
    return Wording(**{part: _changed(form, f"{part}.{tag}") for part in PARTS})


def _typed(form: SketchFields, name: str) -> str:
    return str(form.get(name, "")).replace("\r\n", "\n").strip()


def _changed(form: SketchFields, name: str) -> str:
    """What was typed; empty where it is what Tocsin had suggested, which then goes on following the template."""
    typed = _typed(form, name)
    return "" if typed == _typed(form, f"suggested.{name}") else typed


def _one(form: SketchFields, name: str, known_words: Iterable[str]) -> str:
    said = str(form.get(name, ""))
    return said if said in known_words else ""


def kept_fields(form: SketchFields) -> str:
    """What was typed, as one text that a page of ours carries through a sign-in."""
    return json.dumps([(name, value) for name, value in form.items() if isinstance(value, str)], ensure_ascii=False)


def fields_of(kept: str) -> SketchFields:
    """What `kept_fields` made; nothing of any other text."""
    found = MultiDict[str | bytes | bytearray | web.FileField]()
    try:
        for name, value in json.loads(kept):
            found.add(str(name), str(value))
    except (ValueError, TypeError):
        found.clear()
    return MultiDictProxy(found)


class SketchDifference(NamedTuple):
    """A part in which two versions of a sketch differ, in the reader's language."""

    name: str
    mine: str
    theirs: str


def differences(mine: SketchContent, theirs: SketchContent) -> list[SketchDifference]:
    """What one says and the other does not."""
    found = []
    for name, said in FIELDS.items():
        one, other = _shown(name, getattr(mine, name)), _shown(name, getattr(theirs, name))
        if one != other:
            found.append(SketchDifference(t(said), one, other))
    for tag in dict.fromkeys((*mine.words, *theirs.words)):
        a, b = mine.words.get(tag, Wording()), theirs.words.get(tag, Wording())
        for part in PARTS:
            if getattr(a, part) != getattr(b, part):
                suggested = t("as suggested")
                said = f"{t(PART_NAMES[part])} ({language_name(tag)})"
                found.append(SketchDifference(said, getattr(a, part) or suggested, getattr(b, part) or suggested))
    return found


def _shown(name: str, value: object) -> str:
    if isinstance(value, bool):
        return t("yes") if value else t("no")
    if isinstance(value, dict):
        return "; ".join(f"{key}: {one}" for key, one in value.items())
    if isinstance(value, tuple):
        return ", ".join(one.partition("=")[2] or one for one in value)
    text = str(value)
    if name == "tier" and text:
        return t(TIER_NAMES[Tier.of(text)])
    if name == "instruction" and text:
        return t(NAMES[text])
    return known()[text].name(language().split("-")[0]) if name == "hazard" and text in known() else text[:2000]


def language_name(tag: str) -> str:
    """A language's name in the reader's own."""
    try:
        return Locale.parse(tag, sep="-").get_display_name(language().replace("-", "_")) or tag
    except (UnknownLocaleError, ValueError):
        return tag
