"""Cases with a clock and their history, texts that ask a person, numbers that said STOP, volunteers called out."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
_OLD = ("warning_id", "person_id", "opened_at", "owner", "closed_at")


def upgrade() -> None:
    with op.batch_alter_table("answer_log", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "asks", sa.String(length=8), server_default="", nullable=False,
                comment="a person has to read it, how soon",
            )
        )  # fmt: skip
        batch_op.create_check_constraint("asks", "asks IN ('','question','urgent')")
    op.create_table(
        "channels_opted_out",
        sa.Column("address_key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="warning time"),
        sa.Column(
            "said_by",
            sa.String(length=8),
            nullable=False,
            comment="phone: it said so; provider: it was refused for that",
        ),
        sa.CheckConstraint("said_by IN ('phone','provider')", name=op.f("ck_channels_opted_out_said_by")),
        sa.PrimaryKeyConstraint("address_key", name=op.f("pk_channels_opted_out")),
        comment="numbers that said STOP; no text goes there",
    )
    old = sa.table("router_case", *(sa.column(name) for name in _OLD))
    kept = op.get_bind().execute(sa.select(old)).mappings().all()
    op.drop_table("router_case")
    made = op.create_table(
        "router_case",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("warning_id", sa.String(length=32), nullable=False),
        sa.Column(
            "person_id", sa.String(length=32), nullable=False, comment="whom it is about; empty where an official asks"
        ),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column(
            "delivery_id", sa.String(length=32), server_default="", nullable=False,
            comment="the message that was answered",
        ),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column(
            "owner", sa.String(length=32), server_default="", nullable=False, comment="the pair whose list has the door"
        ),
        sa.Column(
            "taken_by", sa.String(length=80), server_default="", nullable=False, comment="who said: I have it"
        ),
        sa.Column("taken_at", sa.Float(), nullable=True),
        sa.Column(
            "due_at", sa.Float(), nullable=True,
            comment="warning time at which it is told again; null: somebody has it, or closed",
        ),
        sa.Column("told", sa.SmallInteger(), server_default="0", nullable=False, comment="how often it was told again"),
        sa.Column("closed_at", sa.Float(), nullable=True),
        sa.Column("closed_by", sa.String(length=80), server_default="", nullable=False),
        sa.Column("close_reason", sa.String(length=200), server_default="", nullable=False),
        sa.CheckConstraint("kind IN ('help','question')", name=op.f("ck_router_case_kind")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_router_case")),
        comment="a call for help or a question, owned by somebody until it is closed",
    )  # fmt: skip
    with op.batch_alter_table("router_case", schema=None) as batch_op:
        batch_op.create_index("ix_router_case_person", ["warning_id", "person_id"], unique=False)
        waits = sa.text("due_at IS NOT NULL")
        batch_op.create_index(
            "ix_router_case_due", ["due_at"], unique=False, sqlite_where=waits, postgresql_where=waits
        )
    if kept:
        op.bulk_insert(made, [{**row, "case_id": uuid.uuid4().hex, "kind": "help"} for row in kept])
    op.create_table(
        "router_case_event",
        sa.Column(
            "event_key", sa.String(length=64), nullable=False,
            comment="a text's is its answer_log row's, which has the words",
        ),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("what", sa.String(length=10), nullable=False),
        sa.Column("by", sa.String(length=80), server_default="", nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.CheckConstraint(
            "what IN ('opened','text','taken','handed','given','answered','told','closed')",
            name=op.f("ck_router_case_event_what"),
        ),
        sa.PrimaryKeyConstraint("event_key", name=op.f("pk_router_case_event")),
        comment="what became of a case, oldest first",
    )  # fmt: skip
    with op.batch_alter_table("router_case_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_router_case_event_case_id"), ["case_id"], unique=False)

    op.create_table(
        "router_callout",
        sa.Column("callout_id", sa.String(length=32), nullable=False),
        sa.Column("warning_id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("about_id", sa.String(length=32), nullable=False, comment="the visit she goes along with"),
        sa.Column("skill", sa.String(length=24), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False, comment="of the person, for a translator"),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=6), server_default="asking", nullable=False),
        sa.Column(
            "holder", sa.String(length=32), server_default="", nullable=False, comment="the volunteer who took it"
        ),
        sa.Column("held_at", sa.Float(), nullable=True, comment="warning time of the last sign of her"),
        sa.Column("let_go", sa.JSON(), nullable=False, comment="volunteer > since when: took it, and was silent"),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.CheckConstraint("state IN ('asking','taken','done','none')", name=op.f("ck_router_callout_state")),
        sa.PrimaryKeyConstraint("callout_id", name=op.f("pk_router_callout")),
        comment="a volunteer with a skill is asked for: a few at a time, the first to accept has it",
    )
    with op.batch_alter_table("router_callout", schema=None) as batch_op:
        batch_op.create_index("ix_router_callout_person", ["warning_id", "person_id"], unique=False)


def downgrade() -> None:
    """Help cases stay, questions and what became of them go."""
    old = sa.table("router_case", *(sa.column(name) for name in (*_OLD, "kind")))
    rows = op.get_bind().execute(sa.select(old).where(old.c.kind == "help")).mappings().all()
    kept = {(row["warning_id"], row["person_id"]): {name: row[name] for name in _OLD} for row in rows}
    op.drop_table("router_callout")
    op.drop_table("router_case_event")
    op.drop_table("router_case")
    made = op.create_table(
        "router_case",
        sa.Column("warning_id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("owner", sa.String(length=32), server_default="", nullable=False),
        sa.Column("closed_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("warning_id", "person_id", name=op.f("pk_router_case")),
        comment="a call for help, owned by somebody until it is closed",
    )
    if kept:
        op.bulk_insert(made, list(kept.values()))
    op.drop_table("channels_opted_out")
    with op.batch_alter_table("answer_log", schema=None) as batch_op:
        batch_op.drop_constraint("asks", type_="check")
        batch_op.drop_column("asks")
