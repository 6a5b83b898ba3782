"""What help somebody who called for it wants, for how many, and where to call back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "help_wanted",
        sa.Column("delivery_id", sa.String(length=32), nullable=False, comment="the message that was answered"),
        sa.Column("warning_id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column(
            "what", sa.String(length=60), nullable=False, comment="words of WHAT, joined by commas; empty: not said"
        ),
        sa.Column("people", sa.SmallInteger(), nullable=False, comment="who need it; 0: not said"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="the number to call back; empty: not said"),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("said_at", sa.Float(), nullable=False, comment="warning time"),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_help_wanted")),
        comment="what somebody who called for help wants, as they said it last",
    )
    with op.batch_alter_table("help_wanted", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_help_wanted_person_id"), ["person_id"], unique=False)


def downgrade() -> None:
    op.drop_table("help_wanted")
