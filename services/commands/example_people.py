"""Makes up people to ask a policy about: from answers, a need group, or a YAML file, by the register's own derivation.

A person in such a file is what the register asks, in its words, and in short what hangs on them:

    age: 84
    wg: {hear: 3}
    lives_alone: true
    contacts: [voice_landline, {kind: sms, verified: false}]
    supporters: [at_home]
    stop: true

`supporters` live at_home, near (in the zone) or far; `stop`: their phone has said STOP. A house is `facility: {...}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.registry.model.facilities import FacilityIn, facility_profile
from services.registry.model.given import (
    CONTACT_KINDS,
    LOCAL_LANGUAGES,
    ContactIn,
    ContactKind,
    PersonIn,
    SupporterIn,
)
from services.registry.model.needs import GROUPS, keyed, profile
from services.shared.errors import Refused
from services.shared.input.files import open_file
from services.shared.messages import Profile

Lives = Literal["at_home", "near", "far"]
LIVES: tuple[Lives, ...] = ("at_home", "near", "far")
SUPPORTERS: Mapping[str, Lives] = {"supporter": "far", "supporter_inside": "near", "supporter_at_home": "at_home"}
_ID = "0" * 32
TYPICAL: Mapping[str, Mapping[str, object]] = {  # need group > answers of somebody who is in it, and in no other
    "general": {},
    "deaf_signing": {"wg": {"hear": 4}, "sign_lang": "csl"},
    "deaf_text": {"wg": {"hear": 4}},
    "hard_of_hearing": {"wg": {"hear": 3}},
    "blind": {"wg": {"see": 4}},
    "low_vision": {"wg": {"see": 3}},
    "deafblind": {"wg": {"see": 4, "hear": 4}},
    "mobility": {"moves": "wheelchair"},
    "lift_dependent": {"wg": {"walk": 2}, "lift": True, "floor": 6},
    "cognitive": {"wg": {"cognition": 3}},
    "psychosocial": {"psychosocial": True},
    "speech": {"wg": {"communicate": 3}},
    "older_alone": {"age": 80, "lives_alone": True},
    "older_only_home": {"age": 80, "only_older_at_home": True},
    "older_not_alone": {"age": 84},
    "no_phone": {},  # by having none
    "power_medical": {"power_device": "ventilator"},
    "newborn_or_late_pregnancy": {"pregnancy_or_newborn": True},
    "basement": {"basement": True},
    "boat": {"boat": True},
    "other_language": {"languages": ["bo"]},
    "minor": {"age": 12},
    "facility": {"facility_id": _ID},
}


class _Contact(BaseModel):
    """A contact in short: no address, for nothing is sent."""

    model_config = ConfigDict(extra="forbid")
    kind: ContactKind
    verified: bool = True
    said_no: bool = False
    household: bool = False
    safe: bool = False


class _Example(BaseModel):
    """What an example file says beside the register's own answers."""

    model_config = ConfigDict(extra="allow")
    age: int | None = Field(None, ge=0, le=120)
    contacts: tuple[ContactKind | _Contact, ...] = ()
    supporters: tuple[Lives, ...] = ()
    stop: bool = False


def example(given: Mapping[str, object]) -> Profile:
    """The profile that the register makes of such a person; Refused names what it does not know."""
    try:
        return _example(given)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Refused(
            f"{field}: {first['msg']}", field=field, rule=first["type"], given=str(first.get("input"))[:80],
            remedy="use the words of docs/how-to/import-the-register.md",
        ) from wrong  # fmt: skip


def _example(given: Mapping[str, object]) -> Profile:
    if "facility" in given:
        return _house(given["facility"])
    short = _Example.model_validate(given)
    answers: dict[str, object] = dict(short.model_extra or {})
    year = datetime.now(UTC).year
    if short.age is not None:
        answers["birth_year"] = year - short.age
    contacts = tuple(_contact(one, n) for n, one in enumerate(short.contacts))
    supporters = tuple(_supporter(lives) for lives in short.supporters)
    person = PersonIn.model_validate({"person_id": _ID, "lat": 1.0, "lon": 1.0} | answers)
    person = person.model_copy(update={"contacts": contacts, "supporters": supporters})
    found = profile(person, year, LOCAL_LANGUAGES)
    if short.stop and "sms" in found.channels:
        left = tuple(kind for kind in found.channels if kind != "sms")
        found = msgspec.structs.replace(found, channels=left, left_out=(*found.left_out, ("sms", "stopped")))
    return keyed(found)


def _house(said: object) -> Profile:
    said = {"contacts": ["duty_phone_1", "duty_phone_2", "sms"], "kind": "nursing_home"} | _mapping(said)
    short = _Example.model_validate({"contacts": said.pop("contacts")})
    house = FacilityIn.model_validate({"facility_id": _ID, "name": "House", "lat": 1.0, "lon": 1.0} | said)
    contacts = tuple(_contact(one, n) for n, one in enumerate(short.contacts))
    return facility_profile(house.model_copy(update={"contacts": contacts}), LOCAL_LANGUAGES)


def _mapping(said: object) -> dict[str, object]:
    if not isinstance(said, dict):
        raise Refused(
            "facility: write what it is, like {kind: school}", field="facility", rule="mapping", given=str(said)[:80]
        )
    return said


def _contact(one: str | _Contact, order: int) -> ContactIn:
    short = one if isinstance(one, _Contact) else _Contact.model_validate({"kind": one})
    return ContactIn.model_construct(
        kind=short.kind, address="", order=order, verified=short.verified, given_by="record", said_no=short.said_no,
        household=short.household, verified_on="", hours="", safe=short.safe,
    )  # fmt: skip


def _supporter(lives: Lives) -> SupporterIn:
    said = SupporterIn(accepted=True, outside_zone=lives == "far", at_home=lives == "at_home")
    return said.model_copy(update={"contacts": (_contact("sms", 0),)})


def made_up(
    needs: Sequence[str],
    kinds: Sequence[str],
    more: Mapping[str, object] | None = None,
    *,
    unverified: Sequence[str] = (),
    said_no: Sequence[str] = (),
) -> Profile:
    """Somebody of these need groups with these contacts; a word of SUPPORTERS among `kinds` is a supporter.

    Refused where a need group or a kind is not known.
    """
    for given, known, option in (
        (needs, GROUPS, "--needs"), (kinds, (*CONTACT_KINDS, *SUPPORTERS), "--channels"),
        (unverified, kinds, "--unverified"), (said_no, kinds, "--said-no"),
    ):  # fmt: skip
        unknown = [word for word in given if word not in known]
        if unknown:
            raise Refused(
                f"{option}: {unknown[0]!r} is not known; use {', '.join(known)}", field=option, given=unknown[0]
            )
    said: dict[str, object] = {}
    for need in needs:
        for name, value in TYPICAL[need].items():
            before = said.get(name)
            said[name] = before | value if isinstance(before, dict) and isinstance(value, dict) else value
    if "bed_shaker" in kinds:
        said["night_alert"] = "bed_shaker"
    said |= {
        "contacts": [
            {"kind": kind, "verified": kind not in unverified, "said_no": kind in said_no}
            for kind in kinds
            if kind in CONTACT_KINDS
        ],
        "supporters": [SUPPORTERS[kind] for kind in kinds if kind in SUPPORTERS],
    }
    if needs == ["facility"]:
        return example({"facility": {"contacts": said["contacts"]}})
    return example(said | dict(more or {}))


def of_group(group: str) -> Profile:
    """A typical person of a group: with a mobile, and a helper where others must understand for them."""
    if group == "facility":
        return example({"facility": {}})
    kinds = ["voice_landline", "sms"] if group.startswith("older") else ["sms", "voice_mobile"]
    if group == "no_phone":
        kinds = []
    helped = group in ("deafblind", "cognitive", "no_phone", "minor")
    return made_up([group], [*kinds, "supporter"] if helped and group != "no_phone" else kinds)


def of_file(path: Path) -> Profile:
    """The person of a YAML file."""
    document = open_file("", path)
    if not isinstance(document.data, dict):
        raise Refused(f"{path}: write answers, like age: 84", field="--person", rule="mapping")
    return example(document.data)
