"""Departments that are told by webhook, and each event until they have it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_webhook",
        sa.Column("webhook_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False, comment="words of EVENTS"),
        sa.Column(
            "private",
            sa.Boolean(),
            nullable=False,
            comment="it may lie at an address that is not public, and speak http",
        ),
        sa.Column("made_at", sa.Float(), nullable=False, comment="wall"),
        sa.Column("ended_at", sa.Float(), nullable=True, comment="wall; null: it is told"),
        sa.Column("told_at", sa.Float(), nullable=True, comment="wall; the last time it took an event"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="in a row"),
        sa.Column("problem", sa.String(length=300), nullable=False, comment="of the last time, or empty"),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_gateway_webhook")),
    )
    op.create_table(
        "gateway_webhook_event",
        sa.Column("event_id", sa.String(length=32), nullable=False),
        sa.Column("webhook_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="they are told in this order"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="JSON, as it is signed"),
        sa.Column("made_at", sa.Float(), nullable=False, comment="wall"),
        sa.Column("next_at", sa.Float(), nullable=False, comment="wall; not before"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.CheckConstraint("state IN ('waiting','told','given_up')", name=op.f("ck_gateway_webhook_event_state")),
        sa.PrimaryKeyConstraint("event_id", "webhook_id", name=op.f("pk_gateway_webhook_event")),
    )
    with op.batch_alter_table("gateway_webhook_event", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_gateway_webhook_event_state_webhook_id_position"),
            ["state", "webhook_id", "position"],
            unique=False,
        )


def downgrade() -> None:
    op.drop_table("gateway_webhook_event")
    op.drop_table("gateway_webhook")
