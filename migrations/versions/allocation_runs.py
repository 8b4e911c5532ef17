"""Computed allocations of a track; one that is done is never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "allocation_runs"
down_revision = "proof_seals"
branch_labels = None
depends_on = None

FUNCTION = """
    create function guard_allocation_run() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or old.state = 'done' then
            raise exception 'an allocation is not deleted, and one that is done is not changed'
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
"""


def upgrade() -> None:
    op.create_table(
        "allocation_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("problem_digest", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("gap", sa.Numeric(9, 6), nullable=True),
        sa.Column("reproducible", sa.Boolean(), nullable=False),
        sa.Column("seconds", sa.Numeric(8, 2), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("state in ('computing', 'done')", name=op.f("ck_allocation_run_state")),
        sa.CheckConstraint(
            "(state = 'done') = (done_at is not null) and (state = 'done') = (digest is not null)"
            " and (state = 'computing' or problem_digest is not null)",
            name=op.f("ck_allocation_run_done"),
        ),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name=op.f("fk_allocation_run_tender_track_id")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_allocation_run_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation_run")),
    )
    op.create_index("ix_allocation_run_track", "allocation_run", ["tender_track_id", "id"])
    op.create_index(
        "uq_allocation_run_computing",
        "allocation_run",
        ["tender_track_id"],
        unique=True,
        postgresql_where=sa.text("state = 'computing'"),
    )
    op.execute(FUNCTION)
    op.execute(
        "create trigger guard_allocation_run before update or delete on allocation_run"
        " for each row execute function guard_allocation_run()"
    )


def downgrade() -> None:
    op.drop_table("allocation_run")
    op.execute("drop function guard_allocation_run()")
