"""Registrations under way, codes to phones that nobody is registered with, and whom the register's staff must see."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registry_half_filled",
        sa.Column("half_id", sa.String(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="sealed by a key that only the browser holds"),
        sa.Column(
            "origin", sa.String(length=64), nullable=False, comment="keyed hash of the network address it came from"
        ),
        sa.Column("began_at", sa.Double(), nullable=False, comment="wall"),
        sa.Column("changed_at", sa.Double(), nullable=False, comment="wall"),
        sa.PrimaryKeyConstraint("half_id", name=op.f("pk_registry_half_filled")),
        comment="registrations under way; deleted with the last answer, or two hours after it",
    )
    with op.batch_alter_table("registry_half_filled", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_registry_half_filled_origin_began_at"), ["origin", "began_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_registry_half_filled_changed_at"), ["changed_at"], unique=False)
    op.create_table(
        "registry_errand",
        sa.Column("errand_id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("why", sa.String(length=12), nullable=False),
        sa.Column(
            "origin", sa.String(length=64), nullable=False, comment="keyed hash of the network address it came from"
        ),
        sa.Column("asked_at", sa.Double(), nullable=False, comment="wall"),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("settled_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint("why IN ('not_proven', 'not_told', 'no_place')", name=op.f("ck_registry_errand_why")),
        sa.CheckConstraint("state IN ('open', 'kept', 'dropped')", name=op.f("ck_registry_errand_state")),
        sa.PrimaryKeyConstraint("errand_id", name=op.f("pk_registry_errand")),
        comment="whom the register's staff must go and see",
    )
    with op.batch_alter_table("registry_errand", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_registry_errand_state_asked_at"), ["state", "asked_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_registry_errand_origin_asked_at"), ["origin", "asked_at"], unique=False)
    columns = (
        sa.Column(
            "kind", sa.String(length=16), nullable=False, server_default="",
            comment="of the contact, where somebody registers",
        ),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, server_default="",
            comment="where that code goes; empty once it went",
        ),
        sa.Column("key_id", sa.String(length=32), nullable=False, server_default=""),
    )  # fmt: skip
    for column in columns:
        op.add_column("registry_challenge", column)


def downgrade() -> None:
    for column in ("key_id", "sealed", "kind"):
        op.drop_column("registry_challenge", column)
    op.drop_table("registry_errand")
    op.drop_table("registry_half_filled")
