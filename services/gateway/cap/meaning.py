"""Decides what an alert means here: tier, hazard, what people are asked to do, until when.

The default table reads severity by urgency; any Unknown is held for a person, unless its source is known to say its
level elsewhere (`sources.py`). A cancel or an all-clear never raises: an ending takes the tier of what it ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.gateway.cap.hazards import asked_of, hazard_of, respond_of
from services.gateway.cap.model import Alert, Info
from services.gateway.cap.rules import Notes
from services.gateway.cap.sources import AlertSource, Level, source_of
from services.gateway.cap.text import read_time
from services.shared.i18n import english, mark
from services.shared.tiers import Tier

DEFAULT_LIFE = timedelta(hours=24)
LONGEST_LIFE = timedelta(days=31)
LIFE_CUT = "is more than 31 days after sending: 31 days"

_B, _Y, _O, _R = Tier.BLUE, Tier.YELLOW, Tier.ORANGE, Tier.RED
TABLE: dict[str, dict[str, Tier]] = {
    "Extreme": {"Immediate": _R, "Expected": _R, "Future": _O, "Past": _O},
    "Severe": {"Immediate": _O, "Expected": _O, "Future": _Y, "Past": _Y},
    "Moderate": {"Immediate": _Y, "Expected": _Y, "Future": _Y, "Past": _B},
    "Minor": {"Immediate": _B, "Expected": _B, "Future": _B, "Past": _B},
}
"""Severity, then urgency. Past is not dropped: it has begun, and aftershocks and floods go on."""

BY_SEVERITY = {"Extreme": _R, "Severe": _O, "Moderate": _Y, "Minor": _B}


@dataclass(frozen=True, slots=True)
class Meaning:
    """The alert in our own terms.

    `tier` None: a person decides; `tier_reason` says why, or which rule gave the tier. `ending`: a cancel or an
    all-clear, to be sent at the tier of what it ends, whatever `tier` says. `nothing_to_warn`: a level that says
    all is well. `quiet`: an update its author says need not be told again. `impact` is the earliest onset after
    `sent`. `respond` is what paths reckon with, `asked` what the alert itself asks: see `hazards`. `drill_hint`: words of
    a drill or test, for a person to see; it decides nothing. `source` names the profile it was read by.
    """

    tier: Tier | None
    tier_reason: str
    hazard: str
    respond: str
    expires: datetime
    expires_reason: str
    impact: datetime | None
    drill_hint: bool
    ending: bool
    nothing_to_warn: bool
    quiet: bool
    source: str
    asked: str = ""


def meaning(alert: Alert) -> Meaning:
    """What the alert means: all its info blocks together, but for those that end something beside others that go on."""
    source = source_of(alert)
    ending = _is_ending(alert, source)
    tier, reason = (Tier.BLUE, mark("an ending: it goes out at the tier of what it ends")) if ending else (None, "")
    nothing = False
    if not ending:
        tier, reason, nothing = _tier(alert, source)
    infos = living(alert) or alert.infos
    expires, expires_reason = _expires(alert, infos, source)
    hazard = hazard_of(infos)
    onsets = [info.onset for info in infos if info.onset is not None and info.onset > alert.sent]
    names = {name for info in alert.infos for name, _ in info.parameter}
    return Meaning(
        tier=tier,
        tier_reason=f"{source.name}: {reason}",
        hazard=hazard,
        respond="as_told" if ending else respond_of(infos, hazard),
        expires=expires,
        expires_reason=expires_reason,
        impact=min(onsets, default=None),
        drill_hint=hints_at_drill(alert),
        ending=ending,
        nothing_to_warn=nothing,
        quiet=alert.msg_type == "Update" and bool(source.quiet & names),
        source=source.name,
        asked="" if ending else asked_of(infos),
    )


def living(alert: Alert) -> tuple[Info, ...]:
    """The blocks that do not say that the danger is over; of a Cancel none."""
    source = source_of(alert)
    return () if alert.msg_type == "Cancel" else tuple(info for info in alert.infos if not _ends(info, source))


def _ends(info: Info, source: AlertSource) -> bool:
    """Whether a block says that the danger is over."""
    said = {*info.parameter, *info.event_code, ("event", info.event)}
    return "AllClear" in info.response_type or bool(source.endings & said)


def _is_ending(alert: Alert, source: AlertSource) -> bool:
    """A Cancel, or every block says that the danger is over."""
    return alert.msg_type == "Cancel" or (bool(alert.infos) and all(_ends(info, source) for info in alert.infos))


def _tier(alert: Alert, source: AlertSource) -> tuple[Tier | None, str, bool]:
    """The highest tier of the blocks that do not end anything.

    One block of unknown level among others does not hold back orange or red, which others give; below that the
    unknown could be graver than what is known, and a person decides.
    """
    live = [info for info in alert.infos if not _ends(info, source)]
    if not live:
        return None, mark("no info block says how grave it is"), False
    levels = [level_of(info, source) for info in live]
    tiers = [(level, why) for level, why in levels if isinstance(level, Tier)]
    held = [why for level, why in levels if level is None]
    if tiers:
        tier, why = max(tiers, key=lambda pair: pair[0])
        if held and tier < Tier.ORANGE:
            return None, english("{held}; another block gives {tier}", held=held[0], tier=tier.word), False
        return tier, why, False
    if held:
        return None, held[0], False
    return None, levels[0][1], True


def level_of(info: Info, source: AlertSource) -> tuple[Level | None, str]:
    """One block's tier, NOTHING, or None for a person to decide; and by which rule."""
    level, why = _said_level(info, source)
    if not isinstance(level, Tier):
        return level, why
    for pair in (*info.event_code, *info.parameter):
        most = min(source.notices.get(pair[1], Tier.RED), source.caps.get(pair, Tier.RED))
        if level > most:
            level, why = (
                most,
                english("{why}; {code} goes no higher than {tier}", why=why, code=" ".join(pair), tier=most.word),
            )
    return level, why


def _said_level(info: Info, source: AlertSource) -> tuple[Level | None, str]:
    pairs = (*info.parameter, *info.event_code)
    for name, words in source.levels:
        for said, value in pairs:
            if said == name:
                for word, level in words.items():
                    if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", value.casefold()):
                        return level, f"{name} {value[:40]}"
    text = f"{info.headline}\n{info.event}"
    for pattern, level in source.headline:
        if match := re.search(pattern, text, re.IGNORECASE):
            return level, english("{word} in headline or event", word=match.group())
    return _by_codes(info, source)


def _by_codes(info: Info, source: AlertSource) -> tuple[Tier | None, str]:
    if info.severity == "Unknown":
        return None, mark("severity Unknown: a person decides")
    for name, value, why in (
        ("urgency", info.urgency, mark("urgency Unknown: a person decides")),
        ("certainty", info.certainty, mark("certainty Unknown: a person decides")),
    ):
        if value == "Unknown" and name not in source.unreliable and not source.severity_alone:
            return None, why
    if info.certainty == "Unlikely" and "certainty" not in source.unreliable:
        if info.severity in ("Extreme", "Severe"):
            return None, english("severity {severity} but certainty Unlikely: a person decides", severity=info.severity)
        return Tier.BLUE, mark("certainty Unlikely")
    if source.severity_alone or info.urgency == "Unknown":
        return BY_SEVERITY[info.severity], english("severity {severity}", severity=info.severity)
    why = english("severity {severity}, urgency {urgency}", severity=info.severity, urgency=info.urgency)
    return TABLE[info.severity][info.urgency], why


def _expires(alert: Alert, infos: Sequence[Info], source: AlertSource) -> tuple[datetime, str]:
    """The latest end any block gives; 24 hours from sending where none does, or where it ends as it is sent.

    At most 31 days from sending: what holds longer is said again, by somebody who has looked.
    """
    end, why = _given_end(alert, infos, source)
    if end - alert.sent > LONGEST_LIFE:
        return alert.sent + LONGEST_LIFE, english("{why} is more than 31 days after sending: 31 days", why=why)
    return end, why


def _given_end(alert: Alert, infos: Sequence[Info], source: AlertSource) -> tuple[datetime, str]:
    default = alert.sent + DEFAULT_LIFE
    given = [(info.expires, "expires") for info in infos if info.expires is not None]
    if source.life:
        for info in infos:
            for name, value in info.parameter:
                if name == source.life and (end := read_time(value, "", Notes(strict=False))) is not None:
                    given.append((end, name))
    if not given:
        return default, mark("no expires: 24 hours from sending")
    if alert.msg_type != "Cancel" and all(end == alert.sent for end, _ in given):
        return default, mark("expires is the time of sending: 24 hours from it")
    missing = any(info.expires is None for info in infos)
    end, why = max(given, key=lambda pair: pair[0])
    if missing and default > end:
        return default, mark("one block without expires: 24 hours from sending")
    return end, why


_NOT_A_DRILL = re.compile(
    r"\b(?:this is |is )?(?:not|no) (?:a |an )?(?:drill|test|exercise)\b"
    r"|(?:并非|不是|並非)(?:演习|演練|演练|演習|测试|測試)"
    r"|\bno es (?:un )?(?:simulacro|ejercicio|una prueba)\b|\bceci n'est pas un (?:exercice|test)\b"
    r"|\bkeine? (?:übung|probealarm)\b",
    re.IGNORECASE,
)
_DRILL = re.compile(
    r"\b(?:drill|exercise|test(?:s|ing)?|dummy message|probealarm|probewarnung|warntag|testwarnung|übung|simulacro|"
    r"ejercicio|prueba|exercice|essai|message-test|esercitazione|esercizio|prova|exercício|simulado|teste|oefening|"
    r"øvelse|övning|harjoitus|учени[ея]|учебн\w+|тест\w*|навчання|tatbikat|latihan|diễn tập)\b"
    r"|演习|演習|演练|演練|测试|測試|试验|試験|訓練|훈련|시험|ทดสอบ|ฝึกซ้อม|تدريب|اختبار|תרגיל",
    re.IGNORECASE,
)


def hints_at_drill(alert: Alert) -> bool:
    """Whether status or words hint at a drill or a test; "this is not a drill" does not."""
    if alert.status in ("Exercise", "Test"):
        return True
    texts = [alert.note, *(text for i in alert.infos for text in (i.event, i.headline, i.description))]
    return any(_DRILL.search(_NOT_A_DRILL.sub(" ", text)) for text in texts)
