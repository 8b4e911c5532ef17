"""The review desk: private notes, places a justification cites, and former versions of returned reviews."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "desk_reviews"
down_revision = "assignment_returned"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.add_column("mark", sa.Column("evidence", JSON, nullable=False, server_default="[]"))
    op.create_table(
        "review_note",
        sa.Column("assignment_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignment.id"], name=op.f("fk_review_note_assignment_id")),
        sa.PrimaryKeyConstraint("assignment_id", name=op.f("pk_review_note")),
    )
    op.create_table(
        "review_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("assignment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("marks", JSON, nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("returned_by", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_review_version_number")),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_review_version_reason")),
        sa.CheckConstraint("returned_at >= submitted_at", name=op.f("ck_review_version_order")),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignment.id"], name=op.f("fk_review_version_assignment_id")),
        sa.ForeignKeyConstraint(["returned_by"], ["user_account.id"], name=op.f("fk_review_version_returned_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_version")),
        sa.UniqueConstraint("assignment_id", "number", name=op.f("uq_review_version_assignment_id_number")),
    )
    for event, each in (("update or delete", "row"), ("truncate", "statement")):
        name = "append_only" if each == "row" else "never_truncated"
        op.execute(
            f"create trigger {name} before {event} on review_version for each {each} execute function refuse_change()"
        )
    # A mark may go only where it stands in a version of its review and the review is open again.
    op.execute(
        """
        create function guard_mark_history() returns trigger language plpgsql as $$
        begin
            if tg_op = 'DELETE' and exists (
                select from review_version as version
                join assignment on assignment.id = version.assignment_id and assignment.state = 'open'
                where version.assignment_id = old.assignment_id and version.marks @> jsonb_build_array(
                    jsonb_build_object('criterion', old.criterion, 'aspect', old.aspect, 'score', old.score::text,
                        'justification', old.justification, 'evidence', old.evidence))
            ) then
                return old;
            end if;
            raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
        end $$
        """
    )
    op.execute("drop trigger append_only on mark")
    op.execute(
        "create trigger append_only before update or delete on mark for each row execute function guard_mark_history()"
    )


def downgrade() -> None:
    op.execute("drop trigger append_only on mark")
    op.execute("drop function guard_mark_history()")
    op.execute(
        "create trigger append_only before update or delete on mark for each row execute function refuse_change()"
    )
    op.drop_table("review_version")
    op.drop_table("review_note")
    op.drop_column("mark", "evidence")
