"""What the router asks channels to open of those who call for help is a row, not a signed form."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "opened_calls",
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("caller_id", sa.String(length=32), nullable=False),
        sa.Column("chain_id", sa.String(length=32), nullable=False),
        sa.Column("sign_in", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False, comment="wall"),
        sa.Column("calls", sa.LargeBinary(), nullable=False, comment="sealed dossiers and numbers"),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_opened_calls")),
    )
    with op.batch_alter_table("opened_calls", schema=None) as batch_op:
        batch_op.create_index("ix_opened_calls_caller", ["caller_id", "chain_id"], unique=False)


def downgrade() -> None:
    op.drop_table("opened_calls")
