"""The router and the register read what they show of the audit log through a view each, not the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# "->>" is the same in both databases: the value as text, NULL where there is none.
VIEWS = {
    "acts_shown": """
SELECT l.n, l.at, l.actor, l.act, l.subject, l.reason FROM audit_log AS l
WHERE l.act <> 'refused' AND (
  EXISTS (SELECT 1 FROM warning_state AS w WHERE w.warning_id = l.subject)
  OR EXISTS (SELECT 1 FROM router_case AS c WHERE c.case_id = l.subject)
)""",
    "looks_shown": """
SELECT l.n, l.at, l.actor, l.act, l.subject, l.reason, COALESCE(l.detail ->> 'unlock_id', '') <> '' AS emergency
FROM audit_log AS l
WHERE l.act IN ('people.listed', 'people.look', 'people.open', 'read_path', 'calls.open', 'open_list', 'person.revise')""",
}


def upgrade() -> None:
    for name, query in VIEWS.items():
        op.execute(sa.text(f"CREATE VIEW {name} AS {query}"))


def downgrade() -> None:
    for name in VIEWS:
        op.execute(sa.text(f"DROP VIEW {name}"))
