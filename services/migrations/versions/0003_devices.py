"""Loudspeakers and bed shakers: when they were heard, what became of commands, and the sound of announcements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channels_announcement",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("wav", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False, comment="wall"),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_channels_announcement")),
    )
    op.create_table(
        "channels_device",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("device_id", sa.String(length=40), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False, comment="wall; any report"),
        sa.Column("battery", sa.SmallInteger(), nullable=True, comment="percent"),
        sa.Column(
            "trouble", sa.String(length=80), server_default="", nullable=False, comment="its own word for what ails it"
        ),
        sa.Column("tested_at", sa.Float(), nullable=True, comment="wall; a test it played to the end"),
        sa.CheckConstraint("kind IN ('speaker','shaker')", name=op.f("ck_channels_device_kind")),
        sa.CheckConstraint("battery BETWEEN 0 AND 100", name=op.f("ck_channels_device_battery")),
        sa.PrimaryKeyConstraint("kind", "device_id", name=op.f("pk_channels_device")),
    )
    op.create_table(
        "channels_device_command",
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("word", sa.String(length=8), nullable=False),
        sa.Column("device_id", sa.String(length=40), nullable=False),
        sa.Column("sent_at", sa.Float(), nullable=False, comment="the broker had it"),
        sa.Column("received_at", sa.Float(), nullable=True),
        sa.Column("playing_at", sa.Float(), nullable=True),
        sa.Column("played_at", sa.Float(), nullable=True),
        sa.Column("failed_at", sa.Float(), nullable=True),
        sa.Column("reason", sa.String(length=80), server_default="", nullable=False),
        sa.CheckConstraint("word IN ('siren','speak','stop','test')", name=op.f("ck_channels_device_command_word")),
        sa.PrimaryKeyConstraint("delivery_id", "word", "device_id", name=op.f("pk_channels_device_command")),
    )
    with op.batch_alter_table("channels_device_command", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_channels_device_command_device_id"), ["device_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("channels_device_command", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_channels_device_command_device_id"))

    op.drop_table("channels_device_command")
    op.drop_table("channels_device")
    op.drop_table("channels_announcement")
