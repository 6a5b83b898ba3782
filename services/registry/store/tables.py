"""Defines the registry's tables.

In the open stand functional answers, ids, places and masks; names, addresses, numbers and notes are sealed. There is no
column for a diagnosis or a national id. Dates are ISO (2026-11-22); an empty one means never or not known.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata

Day = sa.String(10)

person = sa.Table(
    "registry_person",
    metadata,
    sa.Column("person_id", Id, primary_key=True),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("household_id", Id, nullable=False, comment="all its members lie in one cell"),
    sa.Column("facility_id", Id),
    sa.Column("lat", sa.Double, nullable=False),
    sa.Column("lon", sa.Double, nullable=False),
    sa.Column("cell", sa.Integer, nullable=False),
    sa.Column("profile_key", sa.String(16), nullable=False),
    sa.Column("zone_id", sa.String(32), nullable=False),
    sa.Column("grid_id", sa.String(32), nullable=False),
    sa.Column("walk_seq", sa.Integer, nullable=False),
    sa.Column("dossier", sa.LargeBinary, nullable=False, comment="sealed parts, see shared/dossier.py"),
    sa.Column("key_id", Id, nullable=False, comment="of the part that was sealed last"),
    sa.Column("changed_at", sa.Double, nullable=False, comment="wall"),
    sa.Column("authority", sa.String(80), nullable=False, comment="who entered them first; empty: nobody's"),
    sa.CheckConstraint("kind IN ('resident', 'subscriber', 'facility')", name="kind"),
    sa.CheckConstraint("status IN ('active', 'away', 'suspended', 'moved', 'deceased', 'withdrawn')", name="status"),
    sa.Index(None, "cell", "household_id", "person_id"),
    sa.Index(None, "household_id"),
)
facts = sa.Table(
    "registry_facts",
    metadata,
    sa.Column("person_id", Id, primary_key=True, comment="a person or a facility"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack of facts.Facts"),
    sa.Column("review_due", Day, nullable=False, index=True, comment="the earliest of its facts"),
    sa.Column("valid_until", Day, nullable=False, index=True, comment="the earliest of its facts; empty for none"),
)
conflict = sa.Table(
    "registry_conflict",
    metadata,
    sa.Column("conflict_id", Id, primary_key=True),
    sa.Column("person_id", Id, nullable=False, index=True),
    sa.Column("field", sa.String(40), nullable=False),
    sa.Column("kept", sa.JSON, comment="the value that counts; a mask where it is sealed"),
    sa.Column("other", sa.JSON, comment="what the other source says"),
    sa.Column("source", sa.String(16), nullable=False, comment="kind of the other source"),
    sa.Column("by", sa.String(80), nullable=False, comment="who or which list says it"),
    sa.Column("recorded_on", Day, nullable=False),
    sa.Column("state", sa.String(8), nullable=False, index=True),
    sa.Column("settled_by", sa.String(80), nullable=False),
    sa.CheckConstraint("state IN ('open', 'settled')", name="state"),
)
source = sa.Table(
    "registry_source",
    metadata,
    sa.Column("source_id", Id, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("imports", sa.Integer, nullable=False, comment="how many times it came; the number of the newest list"),
    sa.Column("rows", sa.Integer, nullable=False, comment="people and facilities in the newest list"),
    sa.Column("last_import", Day, nullable=False),
    sa.Column("expires_on", Day, nullable=False, comment="after it the list is old"),
    sa.Column("authority", sa.String(80), nullable=False, comment="who used it first; empty: nobody's yet"),
)
listing = sa.Table(
    "registry_listing",
    metadata,
    sa.Column("source_id", Id, primary_key=True),
    sa.Column("person_id", Id, primary_key=True),
    sa.Column("seen", sa.Integer, nullable=False, comment="number of the newest list of that source with the person"),
    sa.Column("digest", sa.String(32), nullable=False, comment="keyed hash of what that list says"),
    sa.Index(None, "person_id"),
)
facility = sa.Table(
    "registry_facility",
    metadata,
    sa.Column("facility_id", Id, primary_key=True),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("name", sa.String(300), nullable=False),
    sa.Column("headcount_day", sa.Integer, nullable=False),
    sa.Column("headcount_night", sa.Integer, nullable=False),
    sa.Column("non_walking", sa.Integer, nullable=False),
    sa.Column("evac_min_day", sa.Integer, comment="minutes, from its own plan; null without one"),
    sa.Column("evac_min_night", sa.Integer),
    sa.Column("plan_on", Day, nullable=False, comment="date of its evacuation plan"),
    sa.Column("occupied_on", Day, nullable=False, comment="day of the newest report of who is in it; empty for none"),
    sa.Column("occupied", sa.Integer),
    sa.Column("occupied_non_walking", sa.Integer),
)
contact = sa.Table(
    "registry_contact",
    metadata,
    sa.Column("contact_id", Id, primary_key=True),
    sa.Column("owner_id", Id, nullable=False, index=True, comment="person, facility, supporter or worker"),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("key_id", Id, nullable=False),
    sa.Column("mask", sa.String(8), nullable=False),
    sa.Column("address_key", sa.String(64), nullable=False, index=True),
    sa.Column("why_not", sa.String(16), nullable=False),
    sa.Column("given_by", sa.String(8), nullable=False),
    sa.Column("given_on", Day, nullable=False),
    sa.Column("verified_on", Day, nullable=False),
    sa.Column(
        "hours", sa.String(11), nullable=False, comment="local HH:MM-HH:MM when it is answered; empty for always"
    ),
    sa.Column("household", sa.Boolean, nullable=False, comment="a member of the household who hears well answers"),
    sa.Column("safe", sa.Boolean, nullable=False, comment="of a protected person: this one may be used"),
    sa.Column("source_id", Id, nullable=False, comment="the one list it stands in; empty: several, or no list"),
    sa.CheckConstraint("why_not IN ('', 'said_no', 'not_verified', 'not_safe', 'not_hers')", name="why_not"),
    sa.CheckConstraint("given_by IN ('self', 'proxy', 'officer', 'record')", name="given_by"),
)
supporter = sa.Table(
    "registry_supporter",
    metadata,
    sa.Column("supporter_id", Id, primary_key=True),
    sa.Column("person_id", Id, nullable=False, index=True),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("relation", sa.String(20), nullable=False),
    sa.Column("can", sa.JSON, nullable=False, comment="relay, wake, interpret, carry, drive, key"),
    sa.Column("distance_min", sa.SmallInteger, comment="minutes to her door"),
    sa.Column("outside_zone", sa.Boolean, nullable=False, comment="by word; a location wins over it"),
    sa.Column("at_home", sa.Boolean, nullable=False, comment="lives in the same home"),
    sa.Column("accepted_on", Day, nullable=False, comment="empty: not asked, or has not said yes"),
    sa.Column("language", sa.String(35), nullable=False),
    sa.Column("lat", sa.Double),
    sa.Column("lon", sa.Double),
    sa.Column("name", sa.LargeBinary, nullable=False, comment="sealed"),
    sa.Column("key_id", Id, nullable=False),
    sa.Column("mask", sa.String(8), nullable=False, comment="first letter of the name"),
    sa.Column("source_id", Id, nullable=False, comment="the list that named her; empty: no list"),
)
stay = sa.Table(
    "registry_stay",
    metadata,
    sa.Column("stay_id", Id, primary_key=True),
    sa.Column("person_id", Id, nullable=False, index=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("since", Day, nullable=False, comment="first local day of an away; empty for any"),
    sa.Column("until", Day, nullable=False, comment="last local day of an away; empty for any"),
    sa.Column("hours", sa.String(11), nullable=False, comment="of a usual place, local; empty for always"),
    sa.Column("lat", sa.Double, comment="null: away, nobody knows where"),
    sa.Column("lon", sa.Double),
    sa.Column("cell", sa.Integer, index=True),
    sa.Column("zone_id", sa.String(32), nullable=False),
    sa.Column("grid_id", sa.String(32), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False, comment="the address, a dossier part; empty for none"),
    sa.Column("key_id", Id, nullable=False),
    sa.CheckConstraint("kind IN ('away', 'usual', 'second')", name="kind"),
)
consent = sa.Table(
    "registry_consent",
    metadata,
    sa.Column("consent_id", Id, primary_key=True),
    sa.Column("person_id", Id, nullable=False, index=True),
    sa.Column("purpose", sa.String(28), nullable=False),
    sa.Column("basis", sa.String(20), nullable=False),
    sa.Column("decision", sa.String(12), nullable=False),
    sa.Column("on", Day, nullable=False),
    sa.Column("at", sa.Double, nullable=False, comment="wall: the newest of a purpose counts"),
    sa.Column("by", sa.String(80), nullable=False, comment="who decided: self, guardian, or an officer's name"),
    sa.Column("method", sa.String(20), nullable=False),
    sa.Column("notice_version", sa.String(20), nullable=False),
    sa.CheckConstraint(
        "purpose IN ('warn_me', 'share_officer_peacetime', 'share_supporter_peacetime', 'drill', 'statistics', "
        "'emergency_share')",
        name="purpose",
    ),
    sa.CheckConstraint(
        "basis IN ('consent', 'guardian_consent', 'public_task', 'vital_interest', 'legal_duty')", name="basis"
    ),
    sa.CheckConstraint("decision IN ('given', 'refused', 'withdrawn', 'not_asked')", name="decision"),
)
worker = sa.Table(
    "registry_worker",
    metadata,
    sa.Column("worker_id", Id, primary_key=True),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("grids", sa.JSON, nullable=False),
    sa.Column("skills", sa.JSON, nullable=False),
    sa.Column("doors_per_hour", sa.SmallInteger, nullable=False),
    sa.Column("language", sa.String(35), nullable=False),
    sa.Column("shift", sa.String(11), nullable=False),
    sa.Column("backup_id", Id, nullable=False, comment="B of this A: takes her grids when she is off; empty for none"),
    sa.Column("vetted_on", Day, nullable=False),
    sa.Column("name", sa.LargeBinary, nullable=False, comment="sealed"),
    sa.Column("key_id", Id, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, comment="keyed hash of what was given"),
    sa.CheckConstraint("status IN ('active', 'off')", name="status"),
)
roll = sa.Table(
    "registry_roll",
    metadata,
    sa.Column("roll_id", Id, primary_key=True),
    sa.Column("place_id", Id, nullable=False, index=True),
    sa.Column("person_id", Id, nullable=False, comment="empty: `heads` people whose names nobody took"),
    sa.Column("heads", sa.Integer, nullable=False),
    sa.Column("at", sa.Double, nullable=False, comment="wall"),
    sa.Column("by", sa.String(80), nullable=False),
    sa.Index(None, "person_id"),
)
profile = sa.Table(
    "registry_profile",
    metadata,
    sa.Column("profile_key", sa.String(16), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack of messages.Profile"),
)
cell_count = sa.Table(
    "registry_cell_count",
    metadata,
    sa.Column("cell", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("profile_key", sa.String(16), primary_key=True),
    sa.Column("n", sa.Integer, nullable=False, comment="people who are warned"),
)
held_change = sa.Table(
    "registry_held_change",
    metadata,
    sa.Column("held_id", Id, primary_key=True, comment="of one import"),
    sa.Column("person_id", Id, primary_key=True),
    sa.Column("authority", sa.String(80), nullable=False),
    sa.Column("source_id", Id, nullable=False),
    sa.Column("source", sa.String(80), nullable=False, comment="name of the list"),
    sa.Column("said", sa.JSON, nullable=False, comment="how the list knows: a Provenance"),
    sa.Column("change", sa.JSON, nullable=False, comment="status, place, contacts: what silences or moves them"),
    sa.Column("asked_by", sa.String(80), nullable=False),
    sa.Column("asked_key", Id, nullable=False, comment="the person or key that brought the list"),
    sa.Column("at", sa.Double, nullable=False, comment="wall"),
    sa.Column("state", sa.String(9), nullable=False, index=True),
    sa.Column("settled_by", sa.String(80), nullable=False),
    sa.CheckConstraint("state IN ('waiting', 'applied', 'confirmed', 'rejected')", name="state"),
    sa.Index(None, "authority", "at"),
    comment="what a list would do to people who are warned; applied: they were few",
)
job = sa.Table(
    "registry_job",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("plane", sa.String(8), nullable=False),
    sa.Column("state", sa.String(8), nullable=False, index=True),
    sa.Column("opened_at", sa.Double, nullable=False, comment="warning time"),
    sa.Column("utc_offset_min", sa.SmallInteger, nullable=False),
    sa.Column("shape", sa.LargeBinary, nullable=False, comment="WKB of area and known geocodes; empty: nowhere"),
    sa.Column("unresolved", sa.JSON, nullable=False),
    sa.Column("page", sa.Integer, nullable=False, comment="the next one"),
    sa.Column("cursor_cell", sa.Integer, nullable=False),
    sa.Column("cursor_household", Id, nullable=False),
    sa.Column("cursor_person", Id, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(32), nullable=False),
    sa.CheckConstraint("state IN ('open', 'done')", name="state"),
)
