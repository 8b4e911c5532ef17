"""Requests for correction bound to fields, messages between participants and officers, exports of an application."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "following_corrections"
down_revision = "signing_signatures"
branch_labels = None
depends_on = None

APPEND_ONLY = "application_message"


def _created() -> sa.Column:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False)


def upgrade() -> None:
    op.add_column(
        "formal_check",
        sa.Column("requests", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
    )
    op.create_table(
        "correction_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("explanation", sa.String(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        _created(),
        sa.CheckConstraint("length(note) > 0", name=op.f("ck_correction_request_note")),
        sa.CheckConstraint("answer in ('changed', 'explained')", name=op.f("ck_correction_request_answer")),
        sa.CheckConstraint(
            "(answer is null) = (answered_at is null) and (answered_at is null) = (answered_by is null)",
            name=op.f("ck_correction_request_answered"),
        ),
        sa.CheckConstraint(
            "answer is distinct from 'explained' or length(explanation) > 0",
            name=op.f("ck_correction_request_explained"),
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_correction_request_application_id")
        ),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_correction_request_submission_id")),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name=op.f("fk_correction_request_participant_id")
        ),
        sa.ForeignKeyConstraint(["answered_by"], ["user_account.id"], name=op.f("fk_correction_request_answered_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction_request")),
        sa.UniqueConstraint("submission_id", "field", name=op.f("uq_correction_request_submission_id_field")),
    )
    op.create_index("ix_correction_request_application", "correction_request", ["application_id", "position"])
    op.create_table(
        "application_thread",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        _created(),
        sa.CheckConstraint("(closed_at is null) = (closed_by is null)", name=op.f("ck_application_thread_closed")),
        sa.CheckConstraint(
            "closed_at is null or waiting_since is null", name=op.f("ck_application_thread_closed_waits_for_nothing")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_application_thread_application_id")
        ),
        sa.ForeignKeyConstraint(["closed_by"], ["user_account.id"], name=op.f("fk_application_thread_closed_by")),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_application_thread")),
    )
    op.create_index("ix_application_thread_last", "application_thread", ["last_at", "application_id"])
    op.create_index(
        "ix_application_thread_waiting",
        "application_thread",
        ["last_at", "application_id"],
        postgresql_where=sa.text("waiting_since is not null"),
    )
    op.create_table(
        "application_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        _created(),
        sa.CheckConstraint("length(text) > 0", name=op.f("ck_application_message_text")),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application_thread.application_id"],
            name=op.f("fk_application_message_application_id"),
        ),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_application_message_author_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_application_message_organisation_id")
        ),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_application_message_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_message")),
    )
    op.create_index("ix_application_message_thread", "application_message", ["application_id", "id"])
    op.execute(
        f"create trigger append_only before update or delete on {APPEND_ONLY}"
        " for each row execute function refuse_change()"
    )
    op.execute(
        f"create trigger never_truncated before truncate on {APPEND_ONLY}"
        " for each statement execute function refuse_change()"
    )
    op.create_table(
        "application_export",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("made_key", sa.String(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _created(),
        sa.CheckConstraint("locale in ('ru', 'en')", name=op.f("ck_application_export_locale")),
        sa.CheckConstraint(
            "(made_key is null) = (made_at is null) and (made_at is null) = (size is null)"
            " and (size is null) = (sha256 is null)",
            name=op.f("ck_application_export_made"),
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_application_export_application_id")
        ),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_application_export_submission_id")),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["user_account.id"], name=op.f("fk_application_export_requested_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_export")),
    )
    op.create_index(op.f("ix_application_export_application_id"), "application_export", ["application_id"])
    op.create_index("ix_application_export_person", "application_export", ["requested_by", "id"])
    op.create_index("ix_application_export_expires", "application_export", ["expires_at"])


def downgrade() -> None:
    op.drop_table("application_export")
    op.execute(f"drop trigger never_truncated on {APPEND_ONLY}")
    op.execute(f"drop trigger append_only on {APPEND_ONLY}")
    op.drop_table("application_message")
    op.drop_table("application_thread")
    op.drop_table("correction_request")
    op.drop_column("formal_check", "requests")
