"""A draft that whoever decides gave back is written on, with the reason."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("gateway_sketch", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "returned_at",
                sa.Float(),
                nullable=True,
                comment="warning time when whoever decides last gave it back to be changed",
            )
        )
        batch_op.add_column(
            sa.Column("returned_name", sa.String(length=80), server_default="", nullable=False, comment="who did")
        )
        batch_op.add_column(
            sa.Column(
                "returned_why",
                sa.String(length=400),
                server_default="",
                nullable=False,
                comment="what is to be changed",
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("gateway_sketch", schema=None) as batch_op:
        for name in ("returned_why", "returned_name", "returned_at"):
            batch_op.drop_column(name)
