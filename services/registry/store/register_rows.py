"""Types the rows that queries of the register bring: people, their contacts and supporters, officer teams, jobs."""

from __future__ import annotations

from typing import NamedTuple


class KnownPerson(NamedTuple):
    """Somebody who is in the register."""

    person_id: str
    household_id: str
    cell: int
    profile_key: str
    status: str


class FoundPerson(NamedTuple):
    """Somebody who is warned, as a page of an audience needs them."""

    person_id: str
    household_id: str
    lat: float
    lon: float
    cell: int
    profile_key: str
    zone_id: str
    grid_id: str
    walk_seq: int
    dossier: bytes
    key_id: str


class Point(NamedTuple):
    """Where somebody lives who is warned."""

    lat: float
    lon: float
    profile_key: str


class FoundContact(NamedTuple):
    """A contact of a person, supporter, facility or worker."""

    contact_id: str
    owner_id: str
    kind: str
    sealed: bytes
    key_id: str
    address_key: str
    why_not: str
    hours: str


class FoundSupporter(NamedTuple):
    """A supporter who accepted."""

    supporter_id: str
    person_id: str
    outside_zone: bool
    at_home: bool
    language: str
    lat: float | None
    lon: float | None


class FoundWorker(NamedTuple):
    """A team of officers."""

    worker_id: str
    status: str
    roles: list[str]
    grids: list[str]
    skills: list[str]
    doors_per_hour: int
    language: str
    shift: str
    backup_id: str


class FoundStay(NamedTuple):
    """Where else somebody may be."""

    stay_id: str
    person_id: str
    kind: str
    since: str
    until: str
    hours: str
    lat: float | None
    lon: float | None
    zone_id: str
    grid_id: str
    sealed: bytes
    key_id: str


class Job(NamedTuple):
    """A warning whose audience is still being found."""

    warning_id: str
    tier: int
    plane: str
    opened_at: float
    utc_offset_min: int
    shape: bytes
    unresolved: list[tuple[str, str]]
    page: int
    cursor_cell: int
    cursor_household: str
    cursor_person: str
    total: int
    digest: str
