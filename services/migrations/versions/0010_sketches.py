"""What is being written of a warning, before it is handed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_sketch",
        sa.Column("sketch_id", sa.String(length=32), nullable=False),
        sa.Column("authority", sa.String(length=80), nullable=False),
        sa.Column("begun_by", sa.String(length=32), nullable=False, comment="the person or key"),
        sa.Column("begun_name", sa.String(length=80), nullable=False),
        sa.Column("begun_at", sa.Float(), nullable=False, comment="warning time"),
        sa.Column("content", sa.JSON(), nullable=False, comment="what was written, as it was typed"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.String(length=32), nullable=False),
        sa.Column("changed_name", sa.String(length=80), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False, comment="warning time"),
        sa.Column(
            "sent_at",
            sa.Float(),
            nullable=True,
            comment="warning time; the CAP `sent` of what is handed in, until it is changed again",
        ),
        sa.Column(
            "warning_id",
            sa.String(length=32),
            nullable=False,
            comment="what it was handed in as; empty while it is written",
        ),
        sa.Column(
            "template",
            sa.String(length=80),
            server_default="",
            nullable=False,
            comment="the name of an own template; empty for what becomes a warning",
        ),
        sa.Column("given_up_at", sa.Float(), nullable=True, comment="warning time"),
        sa.PrimaryKeyConstraint("sketch_id", name=op.f("pk_gateway_sketch")),
    )
    with op.batch_alter_table("gateway_sketch", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gateway_sketch_authority"), ["authority"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("gateway_sketch", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_gateway_sketch_authority"))
    op.drop_table("gateway_sketch")
