"""Adds sign-ins that can be ended, alarms, keys of numbers that said STOP, and indexes for many warnings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in",
        sa.Column("sign_in_id", sa.String(length=64), nullable=False, comment="SHA-256 of the cookie's nonce"),
        sa.Column("use", sa.String(length=8), nullable=False),
        sa.Column(
            "subject", sa.String(length=64), nullable=False, comment="key id, person, or the phone's address key"
        ),
        sa.Column("began_at", sa.Float(), nullable=False, comment="wall"),
        sa.Column("seen_at", sa.Float(), nullable=False, comment="wall"),
        sa.Column("proved_at", sa.Float(), nullable=False, comment="wall; when they last showed who they are"),
        sa.Column("how", sa.String(length=8), server_default="", nullable=False, comment="what they showed it with"),
        sa.Column(
            "agent", sa.String(length=200), server_default="", nullable=False, comment="what their browser calls itself"
        ),
        sa.CheckConstraint("use IN ('console','me','person')", name=op.f("ck_sign_in_use")),
        sa.PrimaryKeyConstraint("sign_in_id", name=op.f("pk_sign_in")),
    )
    op.create_index("ix_sign_in_seen_at", "sign_in", ["seen_at"])
    op.create_table(
        "alarm",
        sa.Column("name", sa.String(length=80), nullable=False, comment="kind, or kind:what"),
        sa.Column("said", sa.String(length=400), nullable=False, comment="what is wrong and what to do"),
        sa.Column("since", sa.Float(), nullable=False, comment="wall"),
        sa.Column("seen_at", sa.Float(), nullable=False, comment="wall; last time it was found so"),
        sa.Column("told_at", sa.Float(), nullable=True, comment="wall; when the duty officers were sent word of it"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alarm")),
    )
    op.add_column(
        "channels_opted_out",
        sa.Column(
            "known", sa.Boolean(), server_default=sa.true(), nullable=False, comment="it had been written to by then"
        ),
    )
    op.create_index("ix_channels_opted_out_at", "channels_opted_out", ["at"])
    op.create_index("ix_channels_opted_out_known", "channels_opted_out", ["known", "at"])
    op.create_index("ix_warning_state_number", "warning_state", ["number"])
    op.create_index("ix_warning_state_state", "warning_state", ["state", "expires_at"])
    op.create_index("ix_warning_state_chain", "warning_state", ["chain_id"])
    op.create_index("ix_gateway_message_received", "gateway_message", ["received_at", "warning_id"])
    named = sa.text("incident != ''")
    op.create_index(
        "ix_gateway_message_incident", "gateway_message", ["incident"], sqlite_where=named, postgresql_where=named
    )


def downgrade() -> None:
    op.drop_index("ix_gateway_message_incident", "gateway_message")
    op.drop_index("ix_gateway_message_received", "gateway_message")
    op.drop_index("ix_warning_state_chain", "warning_state")
    op.drop_index("ix_warning_state_state", "warning_state")
    op.drop_index("ix_warning_state_number", "warning_state")
    op.drop_index("ix_channels_opted_out_known", "channels_opted_out")
    op.drop_index("ix_channels_opted_out_at", "channels_opted_out")
    op.drop_column("channels_opted_out", "known")
    op.drop_table("alarm")
    op.drop_table("sign_in")
