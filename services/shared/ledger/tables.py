"""Defines a delivery's table: whom it goes to, how, and its three facts.

send_state   where the sending stands; moves only along `states.TRANSITIONS`
evidence     what was learnt of the person's perceiving it; only climbs
answer       what the person, or whoever is with them, said; all are kept in `answer_log`. The most serious is shown, at a
             door the last

A delivery names one addressee; `delivery_cover` lists further people on the same phone. Times called due_at,
expires_at, *_at are warning time; the times of an attempt are wall time.

A row is written when it is planned, and when what became of it is known. Who has it in hand meanwhile stands in `batch` and
`flight` (ledger.flights). No index holds a column that changes on the way, so that PostgreSQL writes no index anew.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.params import Params, ParamsColumn
from services.shared.ledger.states import STORED

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("person_id", Id, nullable=False, comment="whom it is about; empty where it is about no single resident"),
    sa.Column("addressee_id", Id, nullable=False, comment="who gets it: the person, a supporter, a worker, an area"),
    sa.Column("addressee_kind", sa.String(10), nullable=False),
    sa.Column("step", sa.String(24), nullable=False),
    sa.Column("channel", sa.String(24), nullable=False),
    sa.Column("driver", sa.String(24), nullable=False),
    sa.Column("form", sa.String(96), nullable=False),
    sa.Column(
        "about_id",
        Id,
        nullable=False,
        server_default="",
        comment="a helper's person, an ending's delivery, a callout, a notice, an official: one phone gets one of each",
    ),
    sa.Column("language", sa.String(20), nullable=False),
    sa.Column("try_no", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("contact_id", Id, nullable=False, server_default=""),
    sa.Column("address_key", sa.String(64), nullable=False),
    sa.Column("sealed", sa.LargeBinary, comment="the address; null where there is none: a door, an area"),
    sa.Column("key_id", Id, nullable=False, server_default=""),
    sa.Column("dossier", sa.LargeBinary, comment="sealed dossier of the person who is visited, or a helper is told of"),
    sa.Column("dossier_key_id", Id, nullable=False, server_default=""),
    sa.Column("params", ParamsColumn, comment="what its kind says besides: see ledger.params"),
    sa.Column("covers", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column(
        "slot", Id, nullable=False, server_default="", comment="the team, or the fire service, on whose list it stands"
    ),
    sa.Column("reason", sa.String(80), nullable=False, comment="why it was planned"),
    sa.Column("send_state", sa.String(12), nullable=False),
    sa.Column("state_reason", sa.String(80), nullable=False, server_default=""),
    sa.Column("batch_id", Id, nullable=False, server_default="", comment="the batch it stands in, or was sent with"),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default="0", comment="calls whose end is known"),
    sa.Column("ambiguous", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("provider_ref", sa.String(64), nullable=False, server_default=""),
    sa.Column("evidence", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("evidence_at", sa.Float),
    sa.Column("answer", sa.String(12), nullable=False, server_default=""),
    sa.Column("answer_by", sa.String(24), nullable=False, server_default=""),
    sa.Column("answer_at", sa.Float),
    sa.Column("answer_covers", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("sent_at", sa.Float, comment="warning time the provider accepted it"),
    sa.Column("state_at", sa.Float, nullable=False, comment="warning time of the last change of send_state"),
    sa.Column("profile_key", sa.String(32), nullable=False, server_default="", comment="what it is counted under"),
    sa.Column("tallied", sa.SmallInteger, nullable=False, server_default="0", comment="steps counted, as bits"),
    sa.CheckConstraint("send_state IN ({})".format(",".join(f"'{s}'" for s in STORED)), name="send_state"),
    sa.CheckConstraint("kind IN ({})".format(",".join(f"'{k}'" for k in DeliveryKind)), name="kind"),
    sa.CheckConstraint("evidence BETWEEN 0 AND 7", name="evidence"),
    sa.UniqueConstraint(
        "warning_id", "driver", "address_key", "form", "about_id", "language", "try_no", name="uq_delivery_once"
    ),
    postgresql_with={"fillfactor": 50},  # a row is written again soon after it came: room beside it
)
sa.Index("ix_delivery_person", delivery.c.warning_id, delivery.c.person_id)
sa.Index("ix_delivery_address", delivery.c.address_key)
DOOR_DRIVER = "door"  # carries what an officer or the fire service has on a list


class Delivery(NamedTuple):
    """One row of the ledger; see the columns of `delivery`."""

    delivery_id: str
    warning_id: str
    kind: str
    tier: int
    person_id: str
    addressee_id: str
    addressee_kind: str
    step: str
    channel: str
    driver: str
    form: str
    about_id: str
    language: str
    try_no: int
    contact_id: str
    address_key: str
    sealed: bytes | None
    key_id: str
    dossier: bytes | None
    dossier_key_id: str
    params: Params | None
    covers: int
    slot: str
    reason: str
    send_state: str
    state_reason: str
    batch_id: str
    attempts: int
    ambiguous: int
    due_at: float
    expires_at: float
    provider_ref: str
    evidence: int
    evidence_at: float | None
    answer: str
    answer_by: str
    answer_at: float | None
    answer_covers: int
    sent_at: float | None
    state_at: float
    profile_key: str
    tallied: int


def among(column: sa.ColumnElement[str], *values: str) -> sa.ColumnElement[bool]:
    """One of `values`, written out: a bound parameter would hide from the planner that a partial index serves."""
    return column.in_([sa.literal_column(f"'{value}'") for value in values])


ON_A_LIST = delivery.c.slot != sa.literal_column("''")  # on the list of a team
sa.Index("ix_delivery_slot", delivery.c.slot, sqlite_where=ON_A_LIST, postgresql_where=ON_A_LIST)
UNASSIGNED = sa.and_(
    among(delivery.c.kind, "visit"), delivery.c.slot == sa.literal_column("''")
)  # nobody has been given it
sa.Index("ix_delivery_unassigned", delivery.c.warning_id, sqlite_where=UNASSIGNED, postgresql_where=UNASSIGNED)
IS_DUE = among(delivery.c.send_state, "pending", "retry")  # nothing was sent, or it is to be sent again
WAS_AMBIGUOUS = delivery.c.ambiguous > sa.literal_column("0")  # every unknown one is among these few
sa.Index("ix_delivery_ambiguous", delivery.c.tier, sqlite_where=WAS_AMBIGUOUS, postgresql_where=WAS_AMBIGUOUS)
IS_UNKNOWN = sa.and_(WAS_AMBIGUOUS, among(delivery.c.send_state, "unknown"))

delivery_cover = sa.Table(
    "delivery_cover",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("person_id", Id, primary_key=True),
)
sa.Index("ix_delivery_cover_person", delivery_cover.c.person_id)

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("n", sa.SmallInteger, primary_key=True),
    sa.Column("provider", sa.String(24), nullable=False),
    sa.Column("started_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("ended_at", sa.Float, comment="wall"),
    sa.Column("outcome", sa.String(16), nullable=False, server_default=""),
    sa.Column("code", sa.String(24), nullable=False, server_default=""),
)
