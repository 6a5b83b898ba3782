"""Teams at doors give signs of life: when one was sent out, that it is all right, back or cannot go, and what it was asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "team_sign",
        sa.Column("sign_id", sa.String(length=32), nullable=False),
        sa.Column("warning_id", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.String(length=32), nullable=False, comment="the team, as on its list of doors"),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="warning time"),
        sa.Column(
            "by",
            sa.String(length=80),
            nullable=False,
            comment="list, text, door, the desk by name, or why it was called back",
        ),
        sa.Column(
            "within_s", sa.Float(), nullable=False, comment="how soon the next sign is due, of out and recalled; else 0"
        ),
        sa.CheckConstraint(
            "kind IN ('out','recalled','here','relieved','asked','missed','cannot','back')",
            name=op.f("ck_team_sign_kind"),
        ),
        sa.PrimaryKeyConstraint("sign_id", name=op.f("pk_team_sign")),
        comment="signs of life of teams at doors, and what they were asked",
    )
    with op.batch_alter_table("team_sign", schema=None) as batch_op:
        batch_op.create_index("ix_team_sign_warning", ["warning_id", "slot"], unique=False)
        batch_op.create_index("ix_team_sign_slot", ["slot", "at"], unique=False)


def downgrade() -> None:
    op.drop_table("team_sign")
