"""A correction may break limits of the programme, with a reason that its digest covers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "awards_beyond_limits"
down_revision = "joint_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "award_decision", sa.Column("beyond", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.create_check_constraint(
        op.f("ck_award_decision_beyond"),
        "award_decision",
        "beyond is null or kind = 'correction' and coalesce(beyond ->> 'reason', '') <> ''",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_award_decision_beyond"), "award_decision", type_="check")
    op.drop_column("award_decision", "beyond")
