"""Defines a person as given: needs, channels, helpers, whereabouts, consents. No diagnosis, no national id.

The six domains are the Washington Group Short Set: 1 no difficulty, 2 some, 3 a lot, 4 cannot do at all, 9 not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.registry.model.answers import AskedAnswer, rows_of
from services.shared.errors import Refused
from services.shared.i18n import mark
from services.shared.people import phone_numbers, push_subscription

Level = Literal[1, 2, 3, 4, 9]
ContactKind = Literal[
    "sms",
    "voice_mobile",
    "voice_landline",
    "email",
    "push",
    "im",
    "duty_phone_1",
    "duty_phone_2",
    "bed_shaker",
    "video_relay",
]
CONTACT_KINDS: tuple[ContactKind, ...] = get_args(ContactKind)
PHONE_KINDS = frozenset(CONTACT_KINDS) - {"email", "push", "im", "bed_shaker"}
VOICE_KINDS: tuple[ContactKind, ...] = ("voice_mobile", "voice_landline")
Status = Literal["active", "away", "suspended", "moved", "deceased", "withdrawn"]
WARNED: tuple[Status, ...] = ("active", "away")  # somebody away still has a home and a household inside
KEPT: tuple[Status, ...] = (*WARNED, "suspended")  # of all others no contact and no dossier is held
MINOR_AGE = 18  # from it on a person decides alone
LOCAL_LANGUAGES = ("en", "zh")  # what the authority's texts are written in, unless the import says otherwise

SourceKind = Literal[
    "self", "proxy", "officer_visit", "civil_affairs", "disability_card", "health", "school", "utility", "other"
]
Purpose = Literal[
    "warn_me", "share_officer_peacetime", "share_supporter_peacetime", "drill", "statistics", "emergency_share"
]
Basis = Literal["consent", "guardian_consent", "public_task", "vital_interest", "legal_duty"]
Decision = Literal["given", "refused", "withdrawn", "not_asked"]
Method = Literal["online", "phone", "in_person", "paper", "sign_language", "list"]
Ability = Literal["relay", "wake", "interpret", "carry", "drive", "key"]

Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,4}$", max_length=35)]
Id32 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Text = Annotated[str, Field(max_length=300)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
Day = Annotated[str, Field(pattern=r"^(\d{4}-[01]\d-[0-3]\d)?$", description="ISO date, or empty")]
HOURS = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d))?")
Hours = Annotated[
    str,
    Field(
        pattern=rf"^{HOURS.pattern}$",
        description="local HH:MM-HH:MM, over midnight too; empty for always",
    ),
]
DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_IM = re.compile(r"[a-z][a-z0-9_-]{0,19}:[^\s]{1,200}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


class Given(BaseModel):
    """What somebody handed in: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Wg(Given):
    """Difficulty in each of the six domains."""

    see: Annotated[
        Level,
        AskedAnswer(mark("Seeing"), mark("Do you have difficulty seeing, even with glasses?")),
    ] = 9
    hear: Annotated[
        Level,
        AskedAnswer(
            mark("Hearing"),
            mark("Do you have difficulty hearing, even with a hearing aid?"),
        ),
    ] = 9
    walk: Annotated[
        Level,
        AskedAnswer(mark("Walking"), mark("Do you have difficulty walking or climbing steps?")),
    ] = 9
    cognition: Annotated[
        Level,
        AskedAnswer(
            mark("Remembering"),
            mark("Do you have difficulty remembering or concentrating?"),
            need="cognitive",
        ),
    ] = 9
    selfcare: Annotated[
        Level,
        AskedAnswer(
            mark("Washing and dressing"),
            mark("Do you have difficulty washing or dressing?"),
        ),
    ] = 9
    communicate: Annotated[
        Level,
        AskedAnswer(
            mark("Being understood"),
            mark("In your usual language, do you have difficulty understanding or being understood?"),
            need="speech",
        ),
    ] = 9


WG = tuple(Wg.model_fields)


class ContactIn(Given):
    """One address for one use; a mobile given for both uses is two of these with the same address."""

    kind: ContactKind
    address: str = Field(
        max_length=2000,
        description="E.164 with +, an e-mail address, service:name, a push subscription's JSON, or the id of a device",
    )
    order: int = Field(0, ge=0, le=99, description="lowest is tried first")
    verified: bool = False
    given_by: Literal["self", "proxy", "officer", "record"] = "self"
    said_no: bool = False
    household: bool = Field(False, description="a member of the household who hears well answers it")
    verified_on: Day = ""
    hours: Hours = ""
    safe: bool = Field(False, description="of a protected person: only such contacts are used")

    @field_validator("address")
    @classmethod
    def _as_it_is_kept(cls, value: str) -> str:
        return phone_numbers.modern(value) if value.startswith("+") else value

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ContactIn:
        if self.kind == "email":
            if len(self.address) > 254 or not _EMAIL.fullmatch(self.address):
                raise ValueError("give an e-mail address like name@example.org")
        elif self.kind == "bed_shaker":
            if not DEVICE.fullmatch(self.address):
                raise ValueError("give the device's id: letters, digits, - and _, at most 40")
        elif self.kind == "im":
            if not _IM.fullmatch(self.address):
                raise ValueError("give the service's name here, a colon and the name there, like telegram:12345678")
        elif self.kind == "push":
            try:
                push_subscription.read(self.address)
            except Refused as wrong:
                raise ValueError(wrong.message) from wrong
        elif not _E164.fullmatch(self.address):
            raise ValueError("give the number with + and country code, digits only, like +8613800000000")
        elif why := phone_numbers.never(self.address):
            raise ValueError(f"{why} is never called or written to: give a phone of the person's own")
        return self

    @property
    def why_not(self) -> str:
        """Why it may not be used (said_no, not_verified), or empty."""
        if self.said_no:
            return "said_no"
        return "" if self.verified or self.verified_on or self.given_by == "self" else "not_verified"


class SupporterIn(Given):
    """Somebody who helps this one person; asked and accepted, or not used."""

    name: Text = ""
    relation: Literal["family", "neighbour", "paid_carer", "guardian", "assigned_volunteer", "peer"] = "family"
    contacts: tuple[ContactIn, ...] = ()
    language: Language | Literal[""] = ""
    outside_zone: bool = Field(False, description="known to live outside the hazard zone; a location wins over it")
    at_home: bool = Field(False, description="lives in the same home as the person: wins over both")
    lat: Lat | None = None
    lon: Lon | None = None
    accepted: bool = False
    accepted_on: Day = ""
    can: tuple[Ability, ...] = ("relay",)
    distance_min: int | None = Field(None, ge=0, le=1440, description="minutes to their door")

    @property
    def channels(self) -> tuple[ContactIn, ...]:
        """Contacts that may be used, in order: whoever accepted did so on them."""
        usable = [c for c in self.contacts if not c.why_not or (self.accepted and not c.said_no)]
        return tuple(sorted(usable, key=lambda c: c.order))


class StayIn(Given):
    """Where else a person may be: away from day to day, a usual place by hour, a second address. No place: nobody
    knows."""

    kind: Literal["away", "usual", "second"]
    since: Day = Field("", description="first local day of an away")
    until: Day = Field("", description="last local day of an away")
    hours: Hours = Field("", description="of a usual place")
    lat: Lat | None = None
    lon: Lon | None = None
    address: Text = ""
    zone_id: str = Field("", max_length=32)
    grid_id: str = Field("", max_length=32)

    @model_validator(mode="after")
    def _whole(self) -> StayIn:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("give both lat and lon, or neither")
        if self.kind != "away" and self.lat is None:
            raise ValueError("give lat and lon of the place")
        if self.since and self.until and self.until < self.since:
            raise ValueError("the last day lies before the first")
        return self


class ConsentIn(Given):
    """A decision about one purpose. No purpose for benefits, tenancy, licence, police or immigration exists."""

    purpose: Purpose
    decision: Decision
    basis: Basis = "consent"
    by: str = Field("self", min_length=1, max_length=80, description="who decided: self, guardian ...")
    method: Method = "list"
    notice_version: str = Field("", max_length=20)
    on: Day = ""

    @model_validator(mode="after")
    def _a_yes_names_what_was_shown(self) -> ConsentIn:
        if self.decision == "given" and self.basis in ("consent", "guardian_consent") and not self.notice_version:
            raise ValueError("name the version of the notice that they were shown")
        return self


class PersonIn(Given):
    """One person, as they, somebody for them, an officer or a list gave them. lat and lon are WGS 84 degrees."""

    person_id: Id32
    household_id: Id32 | Literal[""] = Field("", description="empty: their facility, or a household of their own")
    facility_id: Id32 | Literal[""] = Field("", description="the facility they live in")
    status: Status = "active"
    call_name: Text = ""
    birth_year: Annotated[
        int | None,
        AskedAnswer(
            mark("Year of birth"),
            mark("In which year were you born?"),
            help="four digits",
            reads="year",
        ),
    ] = Field(None, ge=1900, le=2100)
    wg: Wg = Wg()
    psychosocial: Annotated[
        bool,
        AskedAnswer(
            mark("Alarms or strangers are hard"),
            mark("Are alarms or strangers at the door very hard for you?"),
            need="psychosocial",
        ),
    ] = Field(False, description="alarms or strangers at the door are hard for them")
    languages: Annotated[
        tuple[Language, ...],
        AskedAnswer(
            mark("Languages"),
            mark("Which languages do you read and understand best?"),
            offered=("zh", "en", "ug", "bo", "mn", "za", "ii", "ko"),
            help="BCP 47, best first, with ; between",
            reads="languages",
        ),
    ] = Field((), max_length=10, description="BCP 47, best first")
    sign_lang: Annotated[
        str,
        AskedAnswer(
            mark("Sign language"),
            mark("Do you use a sign language?"),
            offered=("", "csl", "ase", "bfi"),
            reads="signs",
        ),
    ] = Field("", pattern=r"^[A-Za-z]{0,8}$", description="ISO 639-3: csl, ase, bfi ...")
    modes: Annotated[
        tuple[
            Literal["plain_text", "spoken", "sign", "easy_read", "large_print", "braille", "tactile", "pictures"], ...
        ],
        AskedAnswer(mark("How to tell you things"), mark("How should we tell you things?")),
    ] = ()
    power_device: Annotated[
        Literal["none", "oxygen", "ventilator", "dialysis", "other"],
        AskedAnswer(
            mark("A device that needs power"),
            mark("Do you need a device that runs on electricity to live?"),
            medical=True,
            need="power_medical",
        ),
    ] = "none"
    backup_min: Annotated[
        int | None,
        AskedAnswer(
            mark("Minutes its battery lasts"),
            mark("How many minutes does its battery last?"),
            help="minutes the device runs without mains",
            medical=True,
        ),
    ] = Field(None, ge=0, le=100_000)
    lives_alone: Annotated[bool, AskedAnswer(mark("Lives alone"), mark("Do you live alone?"))] = False
    only_older_at_home: Annotated[
        bool,
        AskedAnswer(
            mark("Only people over 75 at home"),
            mark("Is everybody in your home over 75?"),
            need="older_only_home",
        ),
    ] = Field(False, description="nobody under 75 at home, and more than one")
    cannot_open_door: Annotated[
        bool,
        AskedAnswer(
            mark("Cannot open the door"),
            mark("Is it impossible for you to open the door yourself?"),
        ),
    ] = False
    night_alert: Annotated[
        Literal["none", "bed_shaker", "low_freq_520hz", "flash", "indoor_radio"],
        AskedAnswer(
            mark("What wakes you at night"),
            mark("Do you have something that wakes you at night?"),
        ),
    ] = "none"
    moves: Annotated[
        Literal["walks", "walks_with_aid", "wheelchair", "stretcher"],
        AskedAnswer(mark("How you move"), mark("How do you move about?")),
    ] = "walks"
    own_transport: Annotated[
        bool,
        AskedAnswer(
            mark("Can leave by own transport"),
            mark("Can you leave with transport of your own?"),
        ),
    ] = False
    carriers_needed: Annotated[
        Literal[0, 1, 2, 4],
        AskedAnswer(
            mark("People needed to carry you"),
            mark("How many people would have to carry you?"),
            reads="carriers",
        ),
    ] = 0
    assist_min: Annotated[
        int,
        AskedAnswer(
            mark("Minutes to get ready"),
            mark("How many minutes do you need to get out, with help?"),
            help="minutes of help to get them out",
        ),
    ] = Field(0, ge=0, le=600)
    floor: Annotated[
        int,
        AskedAnswer(mark("Floor"), mark("On which floor do you live? 0 is the ground floor."), home=True),
    ] = Field(0, ge=-9, le=200, description="0 is the ground floor")
    lift: Annotated[
        bool,
        AskedAnswer(mark("Needs the lift"), mark("Is there a lift, and do you need it?"), home=True),
    ] = False
    basement: Annotated[bool, AskedAnswer(mark("Lives below ground"), mark("Do you live below ground?"), home=True)] = (
        False
    )
    boat: Annotated[
        bool,
        AskedAnswer(mark("Lives on a boat"), mark("Do you live on a boat?"), home=True, need="boat"),
    ] = Field(False, description="only boats go there")
    quarantine: Annotated[
        bool,
        AskedAnswer(
            mark("In quarantine"),
            mark("Has a doctor told you to let nobody in?"),
            home=True,
            temporary=True,
        ),
    ] = Field(False, description="whoever comes speaks through the door and does not enter")
    pregnancy_or_newborn: Annotated[
        bool,
        AskedAnswer(
            mark("Late pregnancy or a newborn"),
            mark("Is somebody in late pregnancy or newborn at home?"),
            temporary=True,
            need="newborn_or_late_pregnancy",
        ),
    ] = False
    people_at_home: Annotated[
        int,
        AskedAnswer(
            mark("People at home"),
            mark("How many people live in your home?"),
            help="how many live there",
            home=True,
        ),
    ] = Field(1, ge=1, le=500)
    contacts: tuple[ContactIn, ...] = Field((), max_length=20)
    supporters: tuple[SupporterIn, ...] = Field((), max_length=10)
    own_channels: Annotated[
        tuple[ContactKind | Literal["voice"], ...],
        AskedAnswer(mark("Your own order"), help="their own order of channels: the words of said_no", reads="channels"),
    ] = Field((), description="their own order of channels")
    asked_for: Annotated[
        tuple[str, ...],
        AskedAnswer(
            mark("Asked for"),
            help="policy channels they want although those are called unfit for them, like voice_robot",
            reads="words",
        ),
    ] = Field((), description="policy channels they want although those are called unfit")
    opt_in: Annotated[
        tuple[Literal["blue", "yellow"], ...],
        AskedAnswer(
            mark("Also the milder warnings"),
            mark("Which milder warnings do you want too?"),
        ),
    ] = ()
    protected_address: Annotated[
        bool,
        AskedAnswer(
            mark("Address is protected"),
            mark("Must nobody learn where you live?"),
            fixed=True,
            protects=True,
        ),
    ] = Field(False, description="no page shows where they live; only safe contacts are used")
    no_test: Annotated[
        bool,
        AskedAnswer(
            mark("No test messages"),
            mark("Should we never send you a test message?"),
            fixed=True,
            protects=True,
        ),
    ] = Field(False, description="no test message: it would betray a hidden phone")
    stays: tuple[StayIn, ...] = Field((), max_length=10)
    consents: tuple[ConsentIn, ...] = Field((), max_length=20)
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
        """The household in which the person is counted and visited."""
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


ANSWERS = rows_of(Wg) | rows_of(PersonIn)
"""What may be answered of a person, by name."""
QUESTIONS = {name: row for name, row in ANSWERS.items() if row.asked}
"""Those that a page asks."""
NEEDS = {row.answer.need: row for row in ANSWERS.values() if row.answer.need}
"""Need group > the one answer that makes it."""
