"""Derives what the policy may know of a person: need groups, flags and profile. They overlap, and none is a
diagnosis."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from services.registry.model.given import (
    LOCAL_LANGUAGES,
    MINOR_AGE,
    NEEDS,
    OF_THE_ABLE,
    PHONE_KINDS,
    VOICE_KINDS,
    WG,
    ContactIn,
    PersonIn,
)
from services.shared.messages import Profile
from services.shared.people import languages

GROUPS = (  # the order of the policy file
    "general",
    "deaf_signing",
    "deaf_text",
    "hard_of_hearing",
    "blind",
    "low_vision",
    "deafblind",
    "mobility",
    "lift_dependent",
    "cognitive",
    "psychosocial",
    "speech",
    "older_alone",
    "older_only_home",
    "older_not_alone",
    "no_phone",
    "power_medical",
    "newborn_or_late_pregnancy",
    "basement",
    "boat",
    "other_language",
    "minor",
    "facility",
)
OLDER = 70
OLDER_WITH_OTHERS = 75  # from it on somebody may be alone by day: the family is out at work
BACKUP_STEPS = (
    0,
    15,
    30,
    60,
    90,
    120,
    180,
    240,
    360,
    480,
    720,
    1440,
)  # minutes that a battery lasts, as the policy hears
OWN_PHONE_FROM = 14  # below, the guardian's line is the channel


def groups(person: PersonIn, year: int, local: tuple[str, ...] = LOCAL_LANGUAGES) -> tuple[str, ...]:
    """Need groups in the policy file's order; `general` only where there is no other."""
    wg, age = person.wg, person.age(year)
    hard_to_hear, hard_to_see = wg.hear in (3, 4), wg.see in (3, 4)
    both = hard_to_hear and hard_to_see  # neither sense stands in for the other, so neither sense's channels do
    signs = bool(person.sign_lang) or "sign" in person.modes
    reads = wg.hear == 4 or ("plain_text" in person.modes and "spoken" not in person.modes)
    old = age is not None and age >= OLDER
    rules = {need: row.makes_need(getattr(wg if row.field in WG else person, row.field)) for need, row in NEEDS.items()}
    rules |= {
        "deaf_signing": hard_to_hear and not both and signs,
        "deaf_text": hard_to_hear and not both and not signs and reads,
        "hard_of_hearing": hard_to_hear and not both and not signs and not reads,
        "blind": wg.see == 4 and not both,
        "low_vision": wg.see == 3 and not both,
        "deafblind": both,
        "mobility": wg.walk in (3, 4) or person.moves != "walks" or person.carriers_needed > 0,
        "lift_dependent": person.lift
        and person.floor >= 2
        and (wg.walk in (2, 3, 4) or person.moves != "walks" or person.carriers_needed > 0),
        "older_alone": old and person.lives_alone,
        "older_not_alone": age is not None
        and age >= OLDER_WITH_OTHERS
        and not person.lives_alone
        and not person.only_older_at_home
        and not person.facility_id,
        "no_phone": all(c.kind not in (*PHONE_KINDS, "email") for c in person.contacts)
        and not person.facility_id,  # in a facility its duty line is the phone
        "basement": person.basement or person.floor < 0,
        "other_language": bool(person.languages) and not _spoken(person.languages, local),
        "minor": age is not None and age < MINOR_AGE,
        "facility": bool(person.facility_id),
    }
    return tuple(name for name in GROUPS if rules.get(name)) or ("general",)


def _spoken(theirs: Iterable[str], local: Iterable[str]) -> bool:
    ours = {languages.base_of(tag) for tag in local}
    return any(languages.first_of(tag, ours) for tag in theirs)


def flags(person: PersonIn, year: int, found: tuple[str, ...]) -> tuple[str, ...]:
    """What the policy's conditions ask for, sorted; `found` are the person's groups."""
    mine = frozenset(found)
    child_alone = "minor" in mine and person.lives_alone
    rolls = person.moves in ("wheelchair", "stretcher") or person.wg.walk == 4
    age = person.age(year)
    own_phone = any(c.kind in PHONE_KINDS and not c.household and not c.said_no for c in person.contacts)
    carried = person.carriers_needed > 0
    cared_for = "facility" in mine and person.facility_kind not in OF_THE_ABLE
    # no car waits at their bed: nobody takes a wheelchair down the stairs
    stairs = person.basement or person.floor != 0
    rules = {
        "high_support": bool(mine & {"deafblind", "cognitive", "power_medical", "no_phone"})
        or cared_for
        or carried
        or person.wg.selfcare in (3, 4)
        or person.cannot_open_door
        or child_alone,
        "cannot_leave": "power_medical" in mine
        or cared_for
        or carried
        or person.moves == "stretcher"
        or (rolls and (stairs or not person.own_transport)),
        "cannot_judge": bool(mine & {"cognitive", "deafblind"}) or child_alone,
        "door_first": bool(mine & {"deafblind", "no_phone"}),
        "deaf": bool(mine & {"deaf_signing", "deaf_text", "deafblind"}),
        "bed_shaker": person.night_alert == "bed_shaker",
        "alone": person.lives_alone,
        "child_alone": child_alone,
        "away": person.status == "away",
        "opt_in_blue": "blue" in person.opt_in,
        "opt_in_yellow": "yellow" in person.opt_in,
        "helper_at_home": any(s.at_home for s in person.supporters if s.accepted and s.channels),
        "minor_own_phone": age is not None and OWN_PHONE_FROM <= age < MINOR_AGE and own_phone,
    }
    lasts = (
        [] if "power_medical" not in mine or person.backup_min is None else [f"backup_{_at_least(person.backup_min)}"]
    )
    return tuple(sorted([*lasts, *(name for name, holds in rules.items() if holds)]))


def _at_least(minutes: int) -> int:
    """Rounded down: profiles stay few, and nobody comes after a battery is empty."""
    return max(step for step in BACKUP_STEPS if step <= minutes)


def in_order(person: PersonIn) -> tuple[ContactIn, ...]:
    """The person's contacts in the order of use: their own order of channels first, then as numbered."""
    wanted = [kind for word in person.own_channels for kind in (VOICE_KINDS if word == "voice" else (word,))]
    rank = {kind: n for n, kind in reversed(list(enumerate(wanted)))}
    return tuple(sorted(person.contacts, key=lambda c: (rank.get(c.kind, len(wanted)), c.order)))


def allowed(person: PersonIn, contacts: Iterable[ContactIn]) -> tuple[ContactIn, ...]:
    """The contacts by which a person may be reached: whoever is hidden and named safe ones has said no to all others."""
    contacts = tuple(contacts)
    if not person.protected_address or not any(c.safe for c in contacts):
        return contacts
    return tuple(c if c.safe else c.model_copy(update={"said_no": True}) for c in contacts)


def unverified_of(contacts: Iterable[ContactIn]) -> tuple[str, ...]:
    """Kinds of which somebody else gave every number, and nobody has verified one."""
    contacts = tuple(contacts)
    used = {c.kind for c in contacts if not c.why_not}
    return tuple(dict.fromkeys(c.kind for c in contacts if c.why_not == "not_verified" and c.kind not in used))


def channels_of(contacts: Iterable[ContactIn]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Usable kinds without repeats, and kinds of which no contact may be used, with the reason."""
    contacts = tuple(contacts)
    channels = tuple(dict.fromkeys(c.kind for c in contacts if not c.why_not))
    left_out: dict[str, str] = {}
    for contact in contacts:
        if contact.kind not in channels:
            left_out.setdefault(contact.kind, contact.why_not)
    return channels, tuple(sorted(left_out.items()))


def profile(person: PersonIn, year: int, local: tuple[str, ...] = LOCAL_LANGUAGES) -> Profile:
    """The facts the policy may know of a person: no name, no address, no place."""
    found = groups(person, year, local)
    facts = flags(person, year, found)
    contacts = allowed(person, in_order(person))
    channels, left_out = channels_of(contacts)
    asked = set(person.asked_for) - {"voice", "voice_robot"}
    if asked != set(person.asked_for):
        asked.update(VOICE_KINDS)
    # a call is also fit where they named it in their own order, or a hearing member of the household answers
    asked.update(c.kind for c in contacts if c.kind in VOICE_KINDS and (c.household or _named(c, person)))
    return keyed(
        Profile(
            key="",
            # whoever cannot open the door, or cannot wash or dress, is in no group and in need all the same
            kind="subscriber" if found == ("general",) and "high_support" not in facts else "resident",
            groups=found,
            flags=facts,
            language=languages.together(person.languages) or local[0],
            channels=channels,
            left_out=left_out,
            own_order=bool(person.own_channels),
            asked_for=tuple(sorted(asked & set(channels) | asked - set(VOICE_KINDS))),
            supporters=tuple(
                (s.channels[0].kind, s.outside_zone and not s.at_home)
                for s in person.supporters
                if s.accepted and s.channels
            ),
            # of who hides, a number that others gave may be that of whom they hide from
            unverified=() if person.protected_address else unverified_of(contacts),
        )
    )


def _named(contact: ContactIn, person: PersonIn) -> bool:
    return "voice" in person.own_channels or contact.kind in person.own_channels


def keyed(facts: Profile) -> Profile:
    """The same profile under the key that its other fields make."""
    bare = msgspec.structs.replace(facts, key="")
    return msgspec.structs.replace(facts, key=hashlib.sha256(msgspec.msgpack.encode(bare)).hexdigest()[:16])
