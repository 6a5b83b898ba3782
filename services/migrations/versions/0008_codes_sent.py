"""Which sign-in codes were sent, and the other form of the number a code was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "registry_challenge",
        sa.Column("sent", sa.SmallInteger(), server_default="0", nullable=False, comment="1: a code went out for it"),
    )
    op.add_column(
        "registry_challenge",
        sa.Column(
            "other_key", sa.String(length=64), server_default="", nullable=False, comment="of the number's other form"
        ),
    )


def downgrade() -> None:
    op.drop_column("registry_challenge", "other_key")
    op.drop_column("registry_challenge", "sent")
