"""What time each machine had when last seen, what is urgent in a feed, what an officer took back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clock_beat",
        sa.Column("boot", sa.String(length=32), nullable=False, comment="one start of one machine"),
        sa.Column("passed", sa.Float(), nullable=False, comment="seconds since it started"),
        sa.Column("at", sa.Float(), nullable=False, comment="wall, then"),
        sa.PrimaryKeyConstraint("boot", name=op.f("pk_clock_beat")),
    )
    op.add_column(
        "channels_provider",
        sa.Column("taken_at", sa.Float(), server_default="0", nullable=False, comment="wall; took something"),
    )
    op.add_column(
        "gateway_feed_entry",
        sa.Column(
            "urgent", sa.SmallInteger(), server_default="0", nullable=False, comment="as the feed says; larger first"
        ),
    )
    op.add_column(
        "gateway_feed_entry",
        sa.Column(
            "at", sa.Float(), server_default="0", nullable=False, comment="wall; when the feed says it was changed"
        ),
    )
    op.add_column(
        "answer_log",
        sa.Column(
            "undone",
            sa.String(length=12),
            server_default="",
            nullable=False,
            comment="the answer, where it was taken back",
        ),
    )


def downgrade() -> None:
    op.drop_column("answer_log", "undone")
    op.drop_column("channels_provider", "taken_at")
    op.drop_column("gateway_feed_entry", "at")
    op.drop_column("gateway_feed_entry", "urgent")
    op.drop_table("clock_beat")
