"""Adds an area message's outcome at each operator, broadcaster and group."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channels_station",
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False, comment="its last word"),
        sa.Column("code", sa.String(length=24), server_default="", nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="warning time"),
        sa.CheckConstraint(
            "outcome IN ('accepted','not_sent','provider_fault','permanent','ambiguous')",
            name=op.f("ck_channels_station_outcome"),
        ),
        sa.PrimaryKeyConstraint("delivery_id", "name", name=op.f("pk_channels_station")),
    )


def downgrade() -> None:
    op.drop_table("channels_station")
