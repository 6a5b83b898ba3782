"""Defines facilities with duty lines, community officers and named areas, as given."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.registry.model.given import (
    HOURS,
    ContactIn,
    Day,
    FacilityKind,
    Given,
    Hours,
    Id32,
    Language,
    Lat,
    Lon,
    Status,
    Text,
)
from services.registry.model.needs import channels_of, keyed, unverified_of
from services.shared.messages import Profile
from services.shared.people import languages

MOVED_BY_THEIR_OWN = ("custody", "boat")  # the flag is the kind: no liaison team unlocks a cell or boards a boat
Role = Literal[
    "emergency_info_officer",
    "grid_officer",
    "sign_interpreter",
    "tactile_interpreter",
    "lift_team",
    "driver",
    "nurse",
    "translator",
]


class FacilityIn(Given):
    """A house that is warned as one addressee, through the people on duty in it."""

    facility_id: Id32
    name: Text
    kind: FacilityKind
    status: Status = "active"
    headcount_day: int = Field(0, ge=0, le=100_000)
    headcount_night: int = Field(0, ge=0, le=100_000)
    non_walking: int = Field(0, ge=0, le=100_000)
    evac_min_day: int | None = Field(None, ge=0, le=1440, description="minutes, from its own plan")
    evac_min_night: int | None = Field(None, ge=0, le=1440)
    plan_on: Day = Field("", description="date of its evacuation plan")
    occupancy: tuple[Day, Annotated[int, Field(ge=0, le=100_000)], Annotated[int, Field(ge=0, le=100_000)]] | None = (
        Field(None, description="day, people in it that night, of them not walking, as its desk reported")
    )
    contacts: tuple[ContactIn, ...] = Field((), description="duty_phone_1, duty_phone_2, sms")
    languages: tuple[Language, ...] = ()
    lat: Lat
    lon: Lon
    address: Text = ""
    zone_id: str = Field("", max_length=32)
    grid_id: str = Field("", max_length=32)
    walk_seq: int = Field(0, ge=0, le=2_000_000_000)
    note: Text = ""


class WorkerIn(Given):
    """A team of community officers: `doors_per_hour` is what the two of them do."""

    worker_id: Id32
    name: Text = ""
    roles: tuple[Role, ...] = ()
    grids: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    doors_per_hour: int = Field(10, ge=1, le=60)
    language: Language | Literal[""] = ""
    contacts: tuple[ContactIn, ...] = ()
    shift: Hours = ""
    backup_id: Id32 | Literal[""] = Field("", description="who takes over their grids when they are off")
    vetted_on: Day = ""
    status: Literal["active", "off"] = "active"


class PlaceIn(Given):
    """Where to go: what it offers, and the safe way there. Open only once somebody has confirmed it."""

    place_id: Id32
    name: str = Field(min_length=1, max_length=300)
    address: Text = ""
    lat: Lat
    lon: Lon
    step_free: bool = False
    power: bool = Field(False, description="for oxygen, in a power cut too")
    interpreter: tuple[str, ...] = Field((), description="languages spoken and signed there")
    animals: bool = False
    capacity: int = Field(0, ge=0, le=1_000_000)
    route: Text = ""


class AreaIn(Given):
    """What a geocode of an alert stands for."""

    value_name: str = Field(min_length=1, max_length=120)
    code: str = Field(min_length=1, max_length=120)
    name: Text = ""
    parent: str = Field("", max_length=120, description="code of the area it is part of")
    geojson: str = Field("", max_length=20_000_000, description="empty: the union of its children")


def facility_profile(facility: FacilityIn, local: tuple[str, ...]) -> Profile:
    """A facility is always high support and cannot leave by itself; `_house_flags` says what else a policy may know of it."""
    order = {"duty_phone_1": 0, "duty_phone_2": 1, "sms": 2}
    channels, left_out = channels_of(sorted(facility.contacts, key=lambda c: (order.get(c.kind, 9), c.order)))
    return keyed(
        Profile(
            key="",
            kind="facility",
            groups=("facility",),
            flags=tuple(sorted(("cannot_leave", "high_support", *_house_flags(facility)))),
            language=languages.together(facility.languages) or local[0],
            channels=channels,
            left_out=left_out,
            unverified=unverified_of(facility.contacts),
        )
    )


def _house_flags(facility: FacilityIn) -> list[str]:
    """How many are in it by day and by night (heads_day_96), whether nobody is, and whether its own service must move it.

    Empty is only what somebody has said to be: nought heads for one half of the day, some for the other, and no count of
    today that says otherwise. What was never said is no nought.
    """
    found: list[str] = [facility.kind] if facility.kind in MOVED_BY_THEIR_OWN else []
    found += [f"heads_day_{facility.headcount_day}"] if facility.headcount_day else []
    found += [f"heads_night_{facility.headcount_night}"] if facility.headcount_night else []
    said, heads = facility.model_fields_set, (facility.headcount_day, facility.headcount_night)
    if {"headcount_day", "headcount_night"} <= said and facility.occupancy is None:
        found += ["empty_by_night"] if heads[0] and not heads[1] else []
        found += ["empty_by_day"] if heads[1] and not heads[0] else []
    return found


def on_shift(shift: str, minute: int) -> bool:
    """Whether a shift covers a local minute of the day (0-1439); start included, end not."""
    found = HOURS.fullmatch(shift)
    if not shift or found is None:
        return True
    h1, m1, h2, m2 = (int(part) for part in found.groups())
    start, end = h1 * 60 + m1, h2 * 60 + m2
    return start <= minute < end if start < end else minute >= start or minute < end
