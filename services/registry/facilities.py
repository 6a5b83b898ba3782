"""Who else stands in the register as given: facilities with duty lines, community officers, named areas."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from services.registry.needs import ContactIn, Given, Id32, Lat, Lon, Status, Text, keyed, roads_of
from services.shared.messages import Profile

FacilityKind = Literal[
    "nursing_home",
    "disability_home",
    "hospital",
    "school",
    "kindergarten",
    "day_centre",
    "dormitory",
    "hostel",
    "hotel",
    "guesthouse",
    "campsite",
    "scenic_site",
    "building_site",
    "shelter",
    "custody",
    "boat",
]
_SHIFT = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d))?")


class FacilityIn(Given):
    """A house that is warned as one addressee, through the people on duty in it."""

    facility_id: Id32
    name: Text
    kind: FacilityKind
    status: Status = "active"
    headcount_day: int = Field(0, ge=0, le=100_000)
    headcount_night: int = Field(0, ge=0, le=100_000)
    non_walking: int = Field(0, ge=0, le=100_000)
    contacts: tuple[ContactIn, ...] = Field((), description="duty_phone_1, duty_phone_2, sms")
    languages: tuple[str, ...] = ()
    lat: Lat
    lon: Lon
    address: Text = ""
    zone_id: str = Field("", max_length=32)
    grid_id: str = Field("", max_length=32)
    walk_seq: int = Field(0, ge=0, le=2_000_000_000)
    note: Text = ""


class WorkerIn(Given):
    """A pair of community officers: `doors_per_hour` is what the two of them do."""

    worker_id: Id32
    name: Text = ""
    grids: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    doors_per_hour: int = Field(10, ge=1, le=60)
    language: str = Field("", max_length=35)
    contacts: tuple[ContactIn, ...] = ()
    shift: str = Field("", description="local HH:MM-HH:MM, over midnight too; empty for always")
    status: Literal["active", "off"] = "active"

    @field_validator("shift")
    @classmethod
    def _times(cls, value: str) -> str:
        if not _SHIFT.fullmatch(value):
            raise ValueError("give the shift as 07:00-19:00, or leave it empty for always")
        return value


class AreaIn(Given):
    """What a geocode of an alert stands for."""

    value_name: str = Field(min_length=1, max_length=120)
    code: str = Field(min_length=1, max_length=120)
    name: Text = ""
    geojson: str = Field(min_length=1, max_length=2_000_000)


def facility_profile(facility: FacilityIn, local: tuple[str, ...]) -> Profile:
    """A facility is always high support and cannot leave by itself."""
    order = {"duty_phone_1": 0, "duty_phone_2": 1, "sms": 2}
    roads, left_out = roads_of(sorted(facility.contacts, key=lambda c: (order.get(c.kind, 9), c.order)))
    return keyed(
        Profile(
            key="",
            kind="facility",
            groups=("facility",),
            flags=("cannot_leave", "high_support"),
            language=facility.languages[0] if facility.languages else local[0],
            roads=roads,
            left_out=left_out,
        )
    )


def on_shift(shift: str, minute: int) -> bool:
    """Whether a shift covers a local minute of the day (0-1439); start included, end not."""
    found = _SHIFT.fullmatch(shift)
    if not shift or found is None:
        return True
    h1, m1, h2, m2 = (int(part) for part in found.groups())
    start, end = h1 * 60 + m1, h2 * 60 + m2
    return start <= minute < end if start < end else minute >= start or minute < end
