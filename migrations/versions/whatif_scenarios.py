"""Scenarios of the what-if room; one that is adopted is never changed again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "whatif_scenarios"
down_revision = "proof_bundles"
branch_labels = None
depends_on = None

FUNCTION = """
    create function guard_scenario() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or old.adopted_at is not null then
            raise exception 'a scenario is not deleted, and an adopted one is not changed'
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
"""


def upgrade() -> None:
    op.create_table(
        "scenario",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changes_digest", sa.String(), nullable=False),
        sa.Column("ground_digest", sa.String(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("result_digest", sa.String(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("adopted_by", sa.Uuid(), nullable=True),
        sa.Column("adoption", sa.String(), server_default="", nullable=False),
        sa.Column("addendum", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("length(name) between 1 and 120", name=op.f("ck_scenario_name")),
        sa.CheckConstraint(
            "length(changes_digest) = 64 and length(ground_digest) = 64 and length(result_digest) = 64",
            name=op.f("ck_scenario_digests"),
        ),
        sa.CheckConstraint(
            "(adopted_at is null) = (adopted_by is null) and (adopted_at is null) = (addendum is null)"
            " and (adopted_at is null) = (adoption = '')",
            name=op.f("ck_scenario_adopted"),
        ),
        sa.CheckConstraint(
            "adopted_at is null or (shared_at is not null and discarded_at is null)",
            name=op.f("ck_scenario_adopted_shared"),
        ),
        sa.ForeignKeyConstraint(["adopted_by"], ["user_account.id"], name=op.f("fk_scenario_adopted_by")),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_scenario_author_id")),
        sa.ForeignKeyConstraint(["run_id"], ["score_run.id"], name=op.f("fk_scenario_run_id")),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name=op.f("fk_scenario_tender_track_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scenario")),
        sa.UniqueConstraint(
            "tender_track_id", "addendum", name=op.f("uq_scenario_tender_track_id_addendum")
        ),
    )
    op.create_index(
        "uq_scenario_name",
        "scenario",
        ["tender_track_id", "author_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("discarded_at is null"),
    )
    op.create_index(
        "ix_scenario_track",
        "scenario",
        ["tender_track_id", "id"],
        postgresql_where=sa.text("discarded_at is null"),
    )
    op.create_table(
        "scenario_citation",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("scenario_id", sa.Uuid(), nullable=False),
        sa.Column("same", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["award_decision.id"], name=op.f("fk_scenario_citation_decision_id")
        ),
        sa.ForeignKeyConstraint(
            ["scenario_id"], ["scenario.id"], name=op.f("fk_scenario_citation_scenario_id")
        ),
        sa.PrimaryKeyConstraint("decision_id", "scenario_id", name=op.f("pk_scenario_citation")),
    )
    op.create_table(
        "rank_acceptability",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_rank_acceptability_digest")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_rank_acceptability")),
    )
    op.execute(FUNCTION)
    op.execute(
        "create trigger guard_scenario before update or delete on scenario"
        " for each row execute function guard_scenario()"
    )
    op.execute(
        "create trigger append_only before update or delete on scenario_citation"
        " for each statement execute function refuse_change()"
    )


def downgrade() -> None:
    op.execute("drop trigger append_only on scenario_citation")
    op.execute("drop trigger guard_scenario on scenario")
    op.execute("drop function guard_scenario()")
    op.drop_table("rank_acceptability")
    op.drop_table("scenario_citation")
    op.drop_index("ix_scenario_track", table_name="scenario")
    op.drop_index("uq_scenario_name", table_name="scenario")
    op.drop_table("scenario")
