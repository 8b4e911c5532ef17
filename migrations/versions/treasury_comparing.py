"""Comparing a table of the treasury anew is background work too."""

from __future__ import annotations

from alembic import op

revision = "treasury_comparing"
down_revision = "offers_of_parts"
branch_labels = None
depends_on = None

NAME = "ck_treasury_work_kind"


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), "treasury_work", type_="check")
    op.create_check_constraint(op.f(NAME), "treasury_work", "kind in ('read', 'compare', 'book')")


def downgrade() -> None:
    op.drop_constraint(op.f(NAME), "treasury_work", type_="check")
    op.create_check_constraint(op.f(NAME), "treasury_work", "kind in ('read', 'book')")
