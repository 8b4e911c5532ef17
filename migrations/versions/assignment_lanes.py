"""Reviewers work in a lane of the rule set; those who were asked before score everything."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "assignment_lanes"
down_revision = "signing_letters"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignment", sa.Column("lane", sa.String(), server_default="general", nullable=False))


def downgrade() -> None:
    op.drop_column("assignment", "lane")
