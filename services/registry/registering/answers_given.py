"""Turns what was answered one question a page into what the register knows of a person; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.registry.model.given import ContactKind
from services.registry.registering.half_filled import HalfFilled
from services.registry.registering.villages import Spot

NEEDS: Mapping[str, Sequence[str]] = {  # group > what may be ticked in it
    "see": ("low_vision", "blind"),
    "hear": ("hard_of_hearing", "deaf", "signs"),
    "move": ("slow", "wheelchair", "lying"),
    "understand": ("remembers", "speech", "alarms"),
    "medical": ("device",),
    "at_home": ("alone", "newborn", "below"),
    "no_need": ("none",),
}
ALL_NEEDS = tuple(name for some in NEEDS.values() for name in some)
_DOMAINS = ("see", "hear", "walk", "cognition", "selfcare", "communicate")
_LEVELS: Mapping[str, tuple[str, int]] = {
    "low_vision": ("see", 3), "blind": ("see", 4), "hard_of_hearing": ("hear", 3), "deaf": ("hear", 4), "signs": ("hear", 4),
    "slow": ("walk", 3), "wheelchair": ("walk", 4), "lying": ("walk", 4), "remembers": ("cognition", 3),
    "speech": ("communicate", 3),
}  # fmt: skip
_FACTS: Mapping[str, tuple[str, object]] = {
    "slow": ("moves", "walks_with_aid"), "wheelchair": ("moves", "wheelchair"), "lying": ("moves", "stretcher"),
    "alarms": ("psychosocial", True), "device": ("power_device", "other"), "alone": ("lives_alone", True),
    "newborn": ("pregnancy_or_newborn", True), "below": ("basement", True),
}  # fmt: skip
REACHES: Mapping[str, tuple[ContactKind, ...]] = {
    "mobile": ("sms", "voice_mobile"), "landline": ("voice_landline",), "email": ("email",), "none": (),
}  # fmt: skip


def needs_said(needs: Sequence[str]) -> dict[str, object]:
    """Answers of PersonIn that follow from what was ticked; nothing is said of what was not, unless none has any."""
    if needs == ["none"]:
        return {"wg": dict.fromkeys(_DOMAINS, 1)}
    levels: dict[str, int] = {}
    found: dict[str, object] = {}
    for need in ALL_NEEDS:
        if need not in needs:
            continue
        if need in _LEVELS:
            domain, level = _LEVELS[need]
            levels[domain] = max(levels.get(domain, 0), level)
        if need in _FACTS:
            name, value = _FACTS[need]
            found[name] = value  # of two that move, the one that needs more help comes last
    modes = [mode for need, mode in (("deaf", "plain_text"), ("signs", "sign")) if need in needs]
    return found | ({"wg": levels} if levels else {}) | ({"modes": modes} if modes else {})


def contacts_said(reach: str, number: str, how: Mapping[str, object]) -> list[dict[str, object]]:
    """Contacts as a source gives them; `how`: by whom, and since when verified."""
    return [{"kind": kind, "address": number, "order": n, **how} for n, kind in enumerate(REACHES[reach])]


def person_said(half: HalfFilled, spot: Spot, contact: Mapping[str, object]) -> dict[str, object]:
    """The fields of PersonIn but for the id; only what was answered stands there."""
    said: dict[str, object] = {
        "lat": spot.lat, "lon": spot.lon, "zone_id": spot.zone_id, "grid_id": spot.grid_id,
        "contacts": contacts_said(half.reach, half.number, contact),
    }  # fmt: skip
    said |= {"call_name": half.name} if half.name else {}
    said |= {"address": half.address} if half.address else {}
    said |= {"birth_year": int(half.born)} if half.born else {}
    said |= {"languages": half.languages} if half.languages else {}
    return said | needs_said(half.needs)


def helpers_said(half: HalfFilled, day: str, language: str) -> list[dict[str, object]]:
    """The helper: whoever registers somebody else has agreed by doing so and has proven their phone; any other is asked.

    A guardian reads all that is stored, and decides for a child: nobody becomes one by their own word of somebody who has a
    phone and may write into the entry themselves. Where there is none, staff see both on the visit.
    """
    if half.whom == "other":
        relation = "family" if half.relation == "guardian" and half.reach != "none" else half.relation
        how: dict[str, object] = {"given_by": "self", "verified_on": day}
        one: dict[str, object] = {
            "name": half.your_name, "relation": relation or "family", "accepted_on": day, "accepted": True,
            "contacts": contacts_said("mobile", half.your_number, how), "language": language,
        }  # fmt: skip
        return [one]
    if not half.helper_number:
        return []
    return [
        {
            "name": half.helper_name, "relation": half.helper_relation or "family", "language": language,
            "contacts": contacts_said("mobile", half.helper_number, {"given_by": "proxy"}),
        }
    ]  # fmt: skip
