"""A person as given (needs, contacts, supporters), and what the policy may know of her: groups, flags, profile.

The six domains are the Washington Group Short Set: 1 no difficulty, 2 some, 3 a lot, 4 cannot do at all, 9 not known.
Groups and flags are derived here and nowhere else; they overlap, and none of them is a diagnosis.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.shared.messages import Profile

Level = Literal[1, 2, 3, 4, 9]
ContactKind = Literal["sms", "voice_mobile", "voice_landline", "email", "duty_phone_1", "duty_phone_2"]
CONTACT_KINDS: tuple[ContactKind, ...] = get_args(ContactKind)
PHONE_KINDS = frozenset(CONTACT_KINDS) - {"email"}
VOICE_KINDS: tuple[ContactKind, ...] = ("voice_mobile", "voice_landline")
Status = Literal["active", "away", "suspended", "moved", "deceased", "withdrawn"]
WARNED: tuple[Status, ...] = ("active", "away")  # somebody away still has a home and a household inside
KEPT: tuple[Status, ...] = (*WARNED, "suspended")  # of all others no contact and no dossier is held
LOCAL_LANGUAGES = ("en", "zh")  # what the authority's texts are written in, unless the import says otherwise

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
    "no_phone",
    "power_medical",
    "newborn_or_late_pregnancy",
    "basement",
    "other_language",
    "minor",
    "facility",
)
OLDER = 70
MINOR = 18
OWN_PHONE_FROM = 14  # below, the guardian's line is the road

Id32 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Text = Annotated[str, Field(max_length=300)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


class Given(BaseModel):
    """What somebody handed in: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Wg(Given):
    """Difficulty in each of the six domains."""

    see: Level = 9
    hear: Level = 9
    walk: Level = 9
    cognition: Level = 9
    selfcare: Level = 9
    communicate: Level = 9


class ContactIn(Given):
    """One address for one use; a mobile given for both uses is two of these with the same address."""

    kind: ContactKind
    address: str = Field(max_length=254, description="E.164 with +, or an e-mail address")
    order: int = Field(0, ge=0, le=99, description="lowest is tried first")
    verified: bool = False
    given_by: Literal["self", "proxy", "officer", "record"] = "self"
    said_no: bool = False
    household: bool = Field(False, description="a member of the household who hears well answers it")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ContactIn:
        if self.kind == "email":
            if not _EMAIL.fullmatch(self.address):
                raise ValueError("give an e-mail address like name@example.org")
        elif not _E164.fullmatch(self.address):
            raise ValueError("give the number with + and country code, digits only, like +8613800000000")
        return self

    @property
    def why_not(self) -> str:
        """Why it may not be used (said_no, not_verified), or empty."""
        if self.said_no:
            return "said_no"
        return "" if self.verified or self.given_by == "self" else "not_verified"


class SupporterIn(Given):
    """Somebody who helps this one person; asked and accepted, or not used."""

    name: Text = ""
    relation: Literal["family", "neighbour", "paid_carer", "guardian", "assigned_volunteer", "peer"] = "family"
    contacts: tuple[ContactIn, ...] = ()
    language: str = Field("", max_length=35)
    outside_zone: bool = Field(False, description="known to live outside the hazard zone; a location wins over it")
    lat: Lat | None = None
    lon: Lon | None = None
    accepted: bool = False

    @property
    def roads(self) -> tuple[ContactIn, ...]:
        """Contacts that may be used, in order: whoever accepted did so on them."""
        usable = [c for c in self.contacts if not c.why_not or (self.accepted and not c.said_no)]
        return tuple(sorted(usable, key=lambda c: c.order))


class PersonIn(Given):
    """One person as given by herself, somebody for her, an officer or a list; lat and lon in WGS 84 degrees."""

    person_id: Id32
    household_id: Id32 | Literal[""] = Field("", description="empty: her facility, or a household of her own")
    facility_id: Id32 | Literal[""] = Field("", description="the facility she lives in")
    status: Status = "active"
    call_name: Text = ""
    birth_year: int | None = Field(None, ge=1900, le=2100)
    wg: Wg = Wg()
    psychosocial: bool = Field(False, description="alarms or strangers at the door are hard for her")
    languages: tuple[str, ...] = Field((), description="BCP 47, best first")
    sign_lang: str = Field("", max_length=8, description="ISO 639-3: csl, ase, bfi ...")
    modes: tuple[
        Literal["plain_text", "spoken", "sign", "easy_read", "large_print", "braille", "tactile", "pictures"], ...
    ] = ()
    power_device: Literal["none", "oxygen", "ventilator", "dialysis", "other"] = "none"
    backup_min: int | None = Field(None, ge=0, le=100_000)
    lives_alone: bool = False
    only_older_at_home: bool = Field(False, description="nobody under 75 at home, and more than one")
    cannot_open_door: bool = False
    night_alert: Literal["none", "bed_shaker", "low_freq_520hz", "flash", "indoor_radio"] = "none"
    moves: Literal["walks", "walks_with_aid", "wheelchair", "stretcher"] = "walks"
    own_transport: bool = False
    carriers_needed: Literal[0, 1, 2, 4] = 0
    assist_min: int = Field(0, ge=0, le=600)
    floor: int = Field(0, ge=-9, le=200, description="0 is the ground floor")
    lift: bool = False
    basement: bool = False
    pregnancy_or_newborn: bool = False
    people_at_home: int = Field(1, ge=1, le=500)
    contacts: tuple[ContactIn, ...] = Field((), max_length=20)
    supporters: tuple[SupporterIn, ...] = Field((), max_length=10)
    own_roads: tuple[ContactKind | Literal["voice"], ...] = Field((), description="her own order of roads")
    asked_for: tuple[str, ...] = Field((), description="policy roads she wants although they are called unfit")
    opt_in: tuple[Literal["blue", "yellow"], ...] = ()
    lat: Lat
    lon: Lon
    address: Text = ""
    zone_id: str = Field("", max_length=32)
    grid_id: str = Field("", max_length=32)
    walk_seq: int = Field(0, ge=0, le=2_000_000_000)
    wake_note: Text = ""
    talk_note: Text = ""
    moves_note: Text = ""
    note: Text = ""

    @property
    def home_id(self) -> str:
        """The household she is counted and visited in."""
        return self.household_id or self.facility_id or self.person_id

    def age(self, year: int) -> int | None:
        """Age reached in `year`, or None where nobody said."""
        return None if self.birth_year is None else year - self.birth_year


def mobile(
    address: str,
    *,
    order: int = 0,
    verified: bool = False,
    given_by: Literal["self", "proxy", "officer", "record"] = "self",
    said_no: Iterable[str] = (),
    household: bool = False,
) -> tuple[ContactIn, ...]:
    """A mobile given for both uses: sms, then voice_mobile."""
    no = frozenset(said_no)
    kinds: tuple[ContactKind, ...] = ("sms", "voice_mobile")
    return tuple(
        ContactIn(
            kind=kind,
            address=address,
            order=order + n,
            verified=verified,
            given_by=given_by,
            said_no=kind in no,
            household=household,
        )
        for n, kind in enumerate(kinds)
    )


def groups(person: PersonIn, year: int, local: tuple[str, ...] = LOCAL_LANGUAGES) -> tuple[str, ...]:
    """Need groups in the policy file's order; `general` only where there is no other."""
    wg, age = person.wg, person.age(year)
    hard_to_hear, hard_to_see = wg.hear in (3, 4), wg.see in (3, 4)
    both = hard_to_hear and hard_to_see  # neither sense stands in for the other, so neither sense's roads do
    signs = bool(person.sign_lang) or "sign" in person.modes
    reads = wg.hear == 4 or ("plain_text" in person.modes and "spoken" not in person.modes)
    old = age is not None and age >= OLDER
    rules = {
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
        "cognitive": wg.cognition in (3, 4),
        "psychosocial": person.psychosocial,
        "speech": wg.communicate in (3, 4),
        "older_alone": old and person.lives_alone,
        "older_only_home": person.only_older_at_home,
        "no_phone": not person.contacts and not person.facility_id,  # in a facility its duty line is the phone
        "power_medical": person.power_device != "none",
        "newborn_or_late_pregnancy": person.pregnancy_or_newborn,
        "basement": person.basement or person.floor < 0,
        "other_language": bool(person.languages) and not _spoken(person.languages, local),
        "minor": age is not None and age < MINOR,
        "facility": bool(person.facility_id),
    }
    return tuple(name for name in GROUPS if rules.get(name)) or ("general",)


def _spoken(languages: Iterable[str], local: Iterable[str]) -> bool:
    ours = {tag.split("-")[0].lower() for tag in local}
    return any(tag.split("-")[0].lower() in ours for tag in languages)


def flags(person: PersonIn, year: int, found: tuple[str, ...]) -> tuple[str, ...]:
    """What the policy's conditions ask for, sorted; `found` are her groups."""
    mine = frozenset(found)
    child_alone = "minor" in mine and person.lives_alone
    rolls = person.moves in ("wheelchair", "stretcher") or person.wg.walk == 4
    age = person.age(year)
    own_phone = any(c.kind in PHONE_KINDS and not c.household and not c.said_no for c in person.contacts)
    carried = person.carriers_needed > 0
    rules = {
        "high_support": bool(mine & {"deafblind", "cognitive", "power_medical", "no_phone", "facility"})
        or carried
        or person.cannot_open_door
        or child_alone,
        "cannot_leave": bool(mine & {"power_medical", "facility"})
        or carried
        or person.moves == "stretcher"
        or (rolls and not person.own_transport),
        "cannot_judge": bool(mine & {"cognitive", "deafblind"}) or child_alone,
        "door_first": bool(mine & {"deafblind", "no_phone"}),
        "deaf": bool(mine & {"deaf_signing", "deaf_text", "deafblind"}),
        "bed_shaker": person.night_alert == "bed_shaker",
        "alone": person.lives_alone,
        "opt_in_blue": "blue" in person.opt_in,
        "opt_in_yellow": "yellow" in person.opt_in,
        "minor_own_phone": age is not None and OWN_PHONE_FROM <= age < MINOR and own_phone,
    }
    return tuple(sorted(name for name, holds in rules.items() if holds))


def in_order(person: PersonIn) -> tuple[ContactIn, ...]:
    """Her contacts in the order of use: her own order of roads first, then as numbered."""
    wanted = [kind for word in person.own_roads for kind in (VOICE_KINDS if word == "voice" else (word,))]
    rank = {kind: n for n, kind in reversed(list(enumerate(wanted)))}
    return tuple(sorted(person.contacts, key=lambda c: (rank.get(c.kind, len(wanted)), c.order)))


def roads_of(contacts: Iterable[ContactIn]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Usable kinds without repeats, and kinds of which no contact may be used, with the reason."""
    contacts = tuple(contacts)
    roads = tuple(dict.fromkeys(c.kind for c in contacts if not c.why_not))
    left_out: dict[str, str] = {}
    for contact in contacts:
        if contact.kind not in roads:
            left_out.setdefault(contact.kind, contact.why_not)
    return roads, tuple(sorted(left_out.items()))


def profile(person: PersonIn, year: int, local: tuple[str, ...] = LOCAL_LANGUAGES) -> Profile:
    """The facts the policy may know of her: no name, no address, no place."""
    found = groups(person, year, local)
    contacts = in_order(person)
    roads, left_out = roads_of(contacts)
    asked = set(person.asked_for) - {"voice", "voice_robot"}
    if asked != set(person.asked_for):
        asked.update(VOICE_KINDS)
    # a call is also fit where she named it in her own order, or a hearing member of the household answers
    asked.update(c.kind for c in contacts if c.kind in VOICE_KINDS and (c.household or _named(c, person)))
    return keyed(
        Profile(
            key="",
            kind="subscriber" if found == ("general",) else "resident",
            groups=found,
            flags=flags(person, year, found),
            language=person.languages[0] if person.languages else local[0],
            roads=roads,
            left_out=left_out,
            own_order=bool(person.own_roads),
            asked_for=tuple(sorted(asked & set(roads) | asked - set(VOICE_KINDS))),
            supporters=tuple((s.roads[0].kind, s.outside_zone) for s in person.supporters if s.accepted and s.roads),
        )
    )


def _named(contact: ContactIn, person: PersonIn) -> bool:
    return "voice" in person.own_roads or contact.kind in person.own_roads


def keyed(facts: Profile) -> Profile:
    """The same profile under the key that its other fields make."""
    bare = msgspec.structs.replace(facts, key="")
    return msgspec.structs.replace(facts, key=hashlib.sha256(msgspec.msgpack.encode(bare)).hexdigest()[:16])
