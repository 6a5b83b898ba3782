"""What one shift tells the next, kept with the chain of a warning."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "router_handover",
        sa.Column("note_id", sa.String(length=32), nullable=False),
        sa.Column("chain_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="warning time"),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("text", sa.String(length=2000), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name=op.f("pk_router_handover")),
        comment="what one shift tells the next",
    )
    with op.batch_alter_table("router_handover", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_router_handover_chain_id"), ["chain_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("router_handover", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_router_handover_chain_id"))
    op.drop_table("router_handover")
