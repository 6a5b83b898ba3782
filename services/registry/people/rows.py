"""Types the rows of a record: what the tables of people, contacts, supporters, stays, consents and conflicts hold."""

from __future__ import annotations

from typing import Literal, TypedDict, TypeVar

GivenBy = Literal["self", "proxy", "officer", "record"]


class PersonRow(TypedDict):
    """Of registry_person."""

    person_id: str
    kind: str
    status: str
    household_id: str
    facility_id: str | None
    lat: float
    lon: float
    cell: int
    profile_key: str
    zone_id: str
    grid_id: str
    walk_seq: int
    dossier: bytes
    key_id: str
    changed_at: float
    authority: str


class ContactRow(TypedDict):
    """Of registry_contact: one address for one use, of a person, supporter, facility or worker."""

    contact_id: str
    owner_id: str
    position: int
    kind: str
    sealed: bytes
    key_id: str
    mask: str
    address_key: str
    why_not: str
    given_by: GivenBy
    given_on: str
    verified_on: str
    hours: str
    household: bool
    safe: bool
    source_id: str


class SupporterRow(TypedDict):
    """Of registry_supporter."""

    supporter_id: str
    person_id: str
    position: int
    relation: str
    can: list[str]
    distance_min: int | None
    outside_zone: bool
    at_home: bool
    accepted_on: str
    language: str
    lat: float | None
    lon: float | None
    name: bytes
    key_id: str
    mask: str
    source_id: str


class StayRow(TypedDict):
    """Of registry_stay."""

    stay_id: str
    person_id: str
    kind: str
    since: str
    until: str
    hours: str
    lat: float | None
    lon: float | None
    cell: int | None
    zone_id: str
    grid_id: str
    sealed: bytes
    key_id: str


class ConsentRow(TypedDict):
    """Of registry_consent."""

    consent_id: str
    person_id: str
    purpose: str
    basis: str
    decision: str
    on: str
    at: float
    by: str
    method: str
    notice_version: str


class ConflictRow(TypedDict):
    """Of registry_conflict."""

    conflict_id: str
    person_id: str
    field: str
    kept: object
    other: object
    source: str
    by: str
    recorded_on: str
    state: str
    settled_by: str


Used = TypeVar("Used", ContactRow, SupporterRow)


def by_position(rows: dict[str, Used]) -> list[Used]:
    """In the order of use."""
    return sorted(rows.values(), key=lambda row: row["position"])
