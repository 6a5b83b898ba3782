"""Joins an alert's blocks into one text a language; never gives one place the words of another.

Blocks of one language that name another event, response or instruction are about different things in different places: such an
alert is held, and what a person then sends names each place with its own words. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.gateway.cap import Alert, Info
from services.gateway.cap.hazards import asked_of
from services.gateway.cap.meaning import level_of, living
from services.gateway.cap.sources import source_of
from services.shared.i18n import english, mark
from services.shared.tiers import Tier


def told(alert: Alert) -> tuple[Info, ...]:
    """The blocks people are told: those that go on; of an ending all."""
    return living(alert) or alert.infos


def apart(alert: Alert) -> str | None:
    """Why blocks of one language cannot be one message; None where they can, and of an ending."""
    if not living(alert):
        return None
    for group in _by_language(told(alert)).values():
        if len({_saying(info) for info in group}) > 1:
            names = [f"{_places([info]) or '?'}: {info.event}" for info in group]
            return english(
                "its blocks say different things to different places ({places}), and one message to all would give one place "
                "another's words: send each block as an alert of its own, or let this one out and every place is named with "
                "its own words",
                places=_some(names),
            )
    return None


def notes_on(alert: Alert) -> Iterator[str]:
    """What whoever sends it should know of its words."""
    infos, going_on = told(alert), living(alert)
    if not going_on:
        return
    if silent := [lang for lang, group in _by_language(infos).items() if not any(i.instruction for i in group)]:
        yield english(
            "no action is named ({languages}): headline and description go out as they are; say in <instruction> what people "
            "are to do",
            languages=", ".join(silent),
        )
    if over := [info for info in alert.infos if info not in going_on]:
        where = _some(_descs(over))
        if where:
            yield english(
                "it ends for {places} and goes on elsewhere: only where it goes on is anybody warned", places=where
            )
        else:
            yield mark("it ends for a part and goes on elsewhere: only where it goes on is anybody warned")
    levels = {level for info in going_on if isinstance(level := level_of(info, source_of(alert))[0], Tier)}
    if len(levels) > 1 and not apart(alert):
        words = ", ".join(tier.word for tier in sorted(levels, reverse=True))
        yield english(
            "its blocks are of different levels ({levels}) and say the same: all are told at the highest", levels=words
        )


def texts_of(alert: Alert) -> dict[str, dict[str, str]]:
    """Message parts by language, each the authority's own words; `action` is empty where it names none."""
    found: dict[str, dict[str, str]] = {}
    for language, group in _by_language(told(alert)).items():
        one = group[0]
        same = len({_saying(info) for info in group}) == 1
        headlines = {info.headline for info in group}
        found[language] = {
            "source": one.sender_name or alert.sender,
            "hazard": (one.headline or one.event) if len(headlines) == 1 and same else _events(group),
            "event": _events(group),
            "place": _places(group),
            "action": one.instruction if same else "\n".join(_by_place(info) for info in _gravest_first(alert, group)),
            "description": one.description if same and len({info.description for info in group}) == 1 else "",
        }
    if not found:
        found["en"] = {
            "source": alert.sender, "hazard": alert.note or "Warning", "event": "", "place": "", "action": "",
            "description": "",
        }  # fmt: skip
    return found


def _by_language(infos: Sequence[Info]) -> dict[str, list[Info]]:
    found: dict[str, list[Info]] = {}
    for info in infos:
        found.setdefault(info.language, []).append(info)
    return found


def _saying(info: Info) -> tuple[str, str, str]:
    """What a block tells people: of two that are equal in it either may speak for both."""
    words = info.instruction or f"{info.headline}\n{info.description}"
    return info.event.casefold(), asked_of([info]), " ".join(words.split())


def _by_place(info: Info) -> str:
    colon, stop = (":", "。") if info.language.lower().startswith("zh") else (": ", ". ")
    words = info.instruction or info.description or info.headline
    return f"{_places([info])}{colon}{info.event}{stop}{' '.join(words.split())}"


def _gravest_first(alert: Alert, group: Sequence[Info]) -> list[Info]:
    source = source_of(alert)

    def grave(info: Info) -> int:
        level = level_of(info, source)[0]
        return int(level) if isinstance(level, Tier) else 0

    return sorted(group, key=grave, reverse=True)


def _events(group: Sequence[Info]) -> str:
    return (", " if not group[0].language.lower().startswith("zh") else "、").join(
        dict.fromkeys(info.event for info in group if info.event)
    )


def _descs(infos: Sequence[Info]) -> list[str]:
    return list(dict.fromkeys(a.desc.strip() for info in infos for a in info.areas if a.desc.strip()))


def _places(infos: Sequence[Info]) -> str:
    return ", ".join(_descs(infos))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return "; ".join(name[:80] for name in names[:5]) + more
