"""Calibrations of reviews with the digest of their inputs; public draws of lots: commitment, then randomness, once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "calibration_evaluation"
down_revision = "scoring_checks"
branch_labels = None
depends_on = None

APPEND_ONLY = ("review_calibration", "draw_commitment", "draw_outcome")

FUNCTIONS = (
    # Once the instant of a commitment has come its randomness may be known: nobody commits anew after that.
    """
    create function guard_draw_commitment() returns trigger language plpgsql as $$
    begin
        if exists (
            select from draw_commitment
            where tender_track_id = new.tender_track_id and draws_at <= portal_now()
        ) then
            raise exception 'the instant of an earlier commitment has come'
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """
    create function guard_draw_outcome() returns trigger language plpgsql as $$
    begin
        if not exists (
            select from draw_commitment held
            where held.id = new.commitment_id and held.tender_track_id = new.tender_track_id
                and held.draws_at <= portal_now()
                and held.round = (
                    select max(round) from draw_commitment where tender_track_id = new.tender_track_id
                )
        ) then
            raise exception 'randomness comes after the instant of the last commitment'
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
)


def _stamp() -> sa.Column:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False)


def upgrade() -> None:
    op.add_column("score", sa.Column("calibrated", postgresql.JSONB(), server_default="{}", nullable=False))
    op.create_table(
        "review_calibration",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("inputs_digest", sa.String(), nullable=False),
        sa.Column("reviews", sa.Integer(), nullable=False),
        sa.Column("newest", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", postgresql.JSONB(), nullable=False),
        sa.Column("output_digest", sa.String(), nullable=False),
        _stamp(),
        sa.CheckConstraint(
            "reviews >= 0 and (reviews = 0) = (newest is null)", name=op.f("ck_review_calibration_reviews")
        ),
        sa.CheckConstraint(
            "inputs_digest ~ '^[0-9a-f]{64}$' and output_digest ~ '^[0-9a-f]{64}$'",
            name=op.f("ck_review_calibration_digests"),
        ),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name="fk_review_calibration_tender_track_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_review_calibration"),
        sa.UniqueConstraint(
            "tender_track_id", "method", "inputs_digest", name="uq_review_calibration_tender_track_id_method_inputs_digest"
        ),
    )
    op.create_index("ix_review_calibration_track", "review_calibration", ["tender_track_id", "id"])
    op.create_table(
        "draw_commitment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("numbers", postgresql.JSONB(), nullable=False),
        sa.Column("source_ru", sa.String(), nullable=False),
        sa.Column("source_en", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("draws_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("committed_by", sa.Uuid(), nullable=False),
        _stamp(),
        sa.CheckConstraint("round >= 1", name=op.f("ck_draw_commitment_round")),
        sa.CheckConstraint("jsonb_array_length(numbers) >= 2", name=op.f("ck_draw_commitment_numbers")),
        sa.CheckConstraint(
            "length(source_ru) > 0 and length(source_en) > 0", name=op.f("ck_draw_commitment_source")
        ),
        sa.CheckConstraint("draws_at > created_at", name=op.f("ck_draw_commitment_before")),
        sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name=op.f("ck_draw_commitment_digest")),
        sa.ForeignKeyConstraint(["tender_track_id"], ["tender_track.id"], name="fk_draw_commitment_tender_track_id"),
        sa.ForeignKeyConstraint(["committed_by"], ["user_account.id"], name="fk_draw_commitment_committed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_draw_commitment"),
        sa.UniqueConstraint("tender_track_id", "round", name="uq_draw_commitment_tender_track_id_round"),
        sa.UniqueConstraint("id", "tender_track_id", name="uq_draw_commitment_id_tender_track_id"),
    )
    op.create_table(
        "draw_outcome",
        sa.Column("commitment_id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("randomness", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        _stamp(),
        sa.CheckConstraint(
            "length(randomness) between 4 and 400 and randomness = btrim(randomness)",
            name=op.f("ck_draw_outcome_randomness"),
        ),
        sa.CheckConstraint("url ~ '^https?://'", name=op.f("ck_draw_outcome_url")),
        sa.ForeignKeyConstraint(["commitment_id"], ["draw_commitment.id"], name="fk_draw_outcome_commitment_id"),
        sa.ForeignKeyConstraint(["tender_track_id"], ["tender_track.id"], name="fk_draw_outcome_tender_track_id"),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name="fk_draw_outcome_entered_by"),
        sa.PrimaryKeyConstraint("commitment_id", name="pk_draw_outcome"),
        sa.UniqueConstraint("tender_track_id", name="uq_draw_outcome_tender_track_id"),
    )
    for function in FUNCTIONS:
        op.execute(function)
    for table in ("draw_commitment", "draw_outcome"):
        op.execute(
            f"create trigger guard_{table} before insert on {table} for each row execute function guard_{table}()"
        )
    for table in APPEND_ONLY:
        op.execute(
            f"create trigger append_only before update or delete on {table}"
            " for each row execute function refuse_change()"
        )
        op.execute(
            f"create trigger never_truncated before truncate on {table}"
            " for each statement execute function refuse_change()"
        )


def downgrade() -> None:
    for table in reversed(APPEND_ONLY):
        op.drop_table(table)
    op.drop_column("score", "calibrated")
    op.execute("drop function guard_draw_outcome()")
    op.execute("drop function guard_draw_commitment()")
