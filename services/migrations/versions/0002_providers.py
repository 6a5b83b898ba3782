"""What is remembered of each provider: share, rate, breaker, and its calls and receipts by slot."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channels_provider",
        sa.Column("provider", sa.String(length=24), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False, comment="its share now; by itself it means nothing"),
        sa.Column("reviewed_at", sa.Float(), server_default="0", nullable=False, comment="warning time"),
        sa.Column(
            "trouble", sa.String(length=40), server_default="", nullable=False, comment="why its share was lowered"
        ),
        sa.Column("open_until", sa.Float(), server_default="0", nullable=False, comment="wall; passed over until then"),
        sa.Column(
            "next_at", sa.Float(), server_default="0", nullable=False, comment="wall; when its rate is free again"
        ),
        sa.Column(
            "ordinary_at", sa.Float(), server_default="0", nullable=False, comment="the same without red's own share"
        ),
        sa.Column("slowed_at", sa.Float(), server_default="0", nullable=False, comment="wall; it said: too fast"),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_channels_provider")),
    )
    op.create_table(
        "channels_score",
        sa.Column("provider", sa.String(length=24), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False, comment="warning time / 10 s of the call"),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "bad", sa.Integer(), server_default="0", nullable=False, comment="not sent, refused our key, unknown"
        ),
        sa.Column("accepted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("heard", sa.Integer(), server_default="0", nullable=False, comment="of these: a receipt came"),
        sa.PrimaryKeyConstraint("provider", "slot", name=op.f("pk_channels_score")),
    )
    op.create_table(
        "channels_asked",
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("times", sa.SmallInteger(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False, comment="warning time; not asked again before"),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_channels_asked")),
    )
    op.create_table(
        "channels_link_test",
        sa.Column("channel", sa.String(length=24), nullable=False),
        sa.Column("provider", sa.String(length=24), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False, comment="warning time of the next one"),
        sa.Column(
            "delivery_id", sa.String(length=32), server_default="", nullable=False, comment="the one that is out"
        ),
        sa.Column("sent_at", sa.Float(), nullable=True),
        sa.Column("ok_at", sa.Float(), nullable=True, comment="warning time of the last that passed"),
        sa.Column("failures", sa.SmallInteger(), server_default="0", nullable=False, comment="running"),
        sa.Column("said", sa.String(length=80), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("channel", "provider", name=op.f("pk_channels_link_test")),
    )
    with op.batch_alter_table("channel") as batch_op:
        batch_op.add_column(
            sa.Column("tested_at", sa.Float(), nullable=True, comment="warning time of the last link test")
        )
        batch_op.add_column(sa.Column("test_said", sa.String(length=160), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("channel") as batch_op:
        batch_op.drop_column("test_said")
        batch_op.drop_column("tested_at")
    op.drop_table("channels_link_test")
    op.drop_table("channels_asked")
    op.drop_table("channels_score")
    op.drop_table("channels_provider")
