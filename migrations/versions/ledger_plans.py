"""The ledger's checks look by index from the first posting on.

A session keeps the plan of a trigger's query. Made while the tables are nearly empty it read them whole, and still did
so some thousand postings later, until the statistics were renewed: a booking became slower with each one before it.
"""

from __future__ import annotations

from alembic import op

revision = "ledger_plans"
down_revision = "awards_beyond_limits"
branch_labels = None
depends_on = None

CHECKS = ("move_balance", "check_posting_balanced")


def upgrade() -> None:
    for name in CHECKS:
        op.execute(f"alter function {name}() set enable_seqscan = off")


def downgrade() -> None:
    for name in CHECKS:
        op.execute(f"alter function {name}() reset enable_seqscan")
