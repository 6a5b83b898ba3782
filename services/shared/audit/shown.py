"""What of the audit log a service may show that does not read the log: two views, which the migrations make.

A view reads with its owner's rights, so that a service is given it and not the log: the router shows what was done about a
warning or a call for help, the register shows a person who looked at them.
"""

from __future__ import annotations

import sqlalchemy as sa

# Entries about a warning or a case: not about a person, an account or a key.
acts_shown = sa.table(
    "acts_shown",
    sa.column("n", sa.Integer),
    sa.column("at", sa.Float),
    sa.column("actor", sa.String),
    sa.column("act", sa.String),
    sa.column("subject", sa.String),
    sa.column("reason", sa.String),
)
# Looks at a person and changes of their entry; `emergency`: under an unlock.
looks_shown = sa.table(
    "looks_shown",
    sa.column("n", sa.Integer),
    sa.column("at", sa.Float),
    sa.column("actor", sa.String),
    sa.column("act", sa.String),
    sa.column("subject", sa.String),
    sa.column("reason", sa.String),
    sa.column("emergency", sa.Boolean),
)
VIEWS = {view.name: [column.name for column in view.c] for view in (acts_shown, looks_shown)}
