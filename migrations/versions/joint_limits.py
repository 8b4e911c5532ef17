"""Limits over all tracks of a tender, frozen with its publication."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "joint_limits"
down_revision = "scoring_calibration_checks"
branch_labels = None
depends_on = None

FUNCTION = """
    create function guard_joint_limits() returns trigger language plpgsql as $$
    begin
        if old.published_at is not null
            and (new.joint_limits, new.joint_digest) is distinct from (old.joint_limits, old.joint_digest) then
            raise exception 'the limits over the tracks of tender % are frozen', old.id
                using errcode = 'integrity_constraint_violation', constraint = 'joint_limits_frozen';
        end if;
        return new;
    end $$
"""


def upgrade() -> None:
    op.add_column(
        "tender",
        sa.Column(
            "joint_limits",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column("tender", sa.Column("joint_digest", sa.String(), nullable=True))
    op.create_check_constraint(
        op.f("ck_tender_joint_limits"),
        "tender",
        "(joint_digest is not null) = (published_at is not null and joint_limits <> '[]'::jsonb)",
    )
    op.execute(FUNCTION)
    op.execute(
        "create trigger guard_joint_limits before update on tender"
        " for each row execute function guard_joint_limits()"
    )


def downgrade() -> None:
    op.execute("drop trigger guard_joint_limits on tender")
    op.execute("drop function guard_joint_limits()")
    op.drop_constraint(op.f("ck_tender_joint_limits"), "tender", type_="check")
    op.drop_column("tender", "joint_digest")
    op.drop_column("tender", "joint_limits")
