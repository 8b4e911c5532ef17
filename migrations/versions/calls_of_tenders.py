"""Amendments, follows, questions with answers, calendar feeds, and exceptions from the closing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "calls_of_tenders"
down_revision = "questions_letter_secrets"
branch_labels = None
depends_on = None

APPEND_ONLY = ("tender_amendment", "tender_answer", "deadline_exception")

FUNCTIONS = (
    # Volatile on purpose: each call reads by a snapshot of its own. A submission whose statement has waited for the
    # tender's row evaluates it anew after the wait, and sees what was granted or revoked meanwhile.
    """
    create function later_closing(tender uuid, application uuid, initiator uuid) returns timestamptz
    language plpgsql volatile as $$
    begin
        return (
            select max(given.closes_at) from deadline_exception given
            where given.tender_id = tender
                and (given.application_id = application or given.organisation_id = initiator)
                and not exists (select from deadline_exception taken where taken.revokes_id = given.id)
        );
    end $$
    """,
    """
    create function guard_deadline_exception() returns trigger language plpgsql as $$
    declare
        closing timestamptz;
        given deadline_exception;
    begin
        update tender set exceptions = exceptions + 1
        where id = new.tender_id and published_at is not null and cancelled_at is null
        returning closes_at into closing;
        if not found then
            raise exception 'tender % takes no exceptions', new.tender_id
                using errcode = 'check_violation', constraint = 'deadline_exception_tender';
        end if;
        if new.revokes_id is not null then
            select * into given from deadline_exception where id = new.revokes_id;
            if given.revokes_id is not null or given.tender_id <> new.tender_id
                or given.application_id is distinct from new.application_id
                or given.organisation_id is distinct from new.organisation_id then
                raise exception 'row % is no exception of this place', new.revokes_id
                    using errcode = 'check_violation', constraint = 'deadline_exception_revokes';
            end if;
            return new;
        end if;
        if new.closes_at <= closing then
            raise exception 'an exception is later than the closing'
                using errcode = 'check_violation', constraint = 'deadline_exception_later';
        end if;
        if new.application_id is not null and not exists (
            select from application where id = new.application_id and tender_id = new.tender_id
        ) then
            raise exception 'application % is of another tender', new.application_id
                using errcode = 'check_violation', constraint = 'deadline_exception_application';
        end if;
        return new;
    end $$
    """,
)


def upgrade() -> None:
    op.create_table(
        "calendar_feed",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("length(token_hash) = 64", name=op.f("ck_calendar_feed_token_hash")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_calendar_feed_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_calendar_feed_token_hash")),
    )
    op.create_index(
        "uq_calendar_feed_live",
        "calendar_feed",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at is null"),
    )
    op.create_table(
        "tender_amendment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason_ru", sa.String(), nullable=False),
        sa.Column("reason_en", sa.String(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint(
            "btrim(reason_ru) <> '' and btrim(reason_en) <> ''", name=op.f("ck_tender_amendment_reasons")
        ),
        sa.CheckConstraint("kind in ('change', 'cancellation')", name=op.f("ck_tender_amendment_kind")),
        sa.CheckConstraint("jsonb_array_length(changes) > 0", name=op.f("ck_tender_amendment_changes")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_tender_amendment_number")),
        sa.ForeignKeyConstraint(["made_by"], ["user_account.id"], name=op.f("fk_tender_amendment_made_by")),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_tender_amendment_tender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tender_amendment")),
        sa.UniqueConstraint("tender_id", "number", name=op.f("uq_tender_amendment_tender_id_number")),
    )
    op.create_table(
        "tender_follow",
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_tender_follow_tender_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_tender_follow_user_id")),
        sa.PrimaryKeyConstraint("tender_id", "user_id", name=op.f("pk_tender_follow")),
    )
    op.create_index("ix_tender_follow_user", "tender_follow", ["user_id"], unique=False)
    op.create_table(
        "tender_question",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=True),
        sa.Column("about_code", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("draft", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("decline_reason", sa.String(), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("(state = 'answered') = (answers > 0)", name=op.f("ck_tender_question_answers")),
        sa.CheckConstraint("(state = 'answered') = (number is not null)", name=op.f("ck_tender_question_numbered")),
        sa.CheckConstraint(
            "(state = 'declined') = (decline_reason is not null)", name=op.f("ck_tender_question_declined")
        ),
        sa.CheckConstraint(
            "(state = 'merged') = (merged_into is not null) and merged_into <> id",
            name=op.f("ck_tender_question_merged"),
        ),
        sa.CheckConstraint(
            "about is null or about in ('rule', 'document', 'section')", name=op.f("ck_tender_question_about")
        ),
        sa.CheckConstraint("btrim(text) <> ''", name=op.f("ck_tender_question_text")),
        sa.CheckConstraint("locale in ('ru', 'en')", name=op.f("ck_tender_question_locale")),
        sa.CheckConstraint(
            "state in ('waiting', 'answered', 'declined', 'merged')", name=op.f("ck_tender_question_state")
        ),
        sa.CheckConstraint("(about is null) = (about_code is null)", name=op.f("ck_tender_question_about_code")),
        sa.ForeignKeyConstraint(["asked_by"], ["user_account.id"], name=op.f("fk_tender_question_asked_by")),
        sa.ForeignKeyConstraint(["merged_into"], ["tender_question.id"], name=op.f("fk_tender_question_merged_into")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_tender_question_organisation_id")
        ),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_tender_question_tender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tender_question")),
        sa.UniqueConstraint("tender_id", "number", name=op.f("uq_tender_question_tender_id_number")),
    )
    op.create_index("ix_tender_question_asker", "tender_question", ["asked_by", "tender_id"], unique=False)
    op.create_index("ix_tender_question_inbox", "tender_question", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_tender_question_merged",
        "tender_question",
        ["merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into is not null"),
    )
    op.create_index(
        "ix_tender_question_waiting",
        "tender_question",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "tender_answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("question_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("question_ru", sa.String(), nullable=False),
        sa.Column("question_en", sa.String(), nullable=False),
        sa.Column("answer_ru", sa.String(), nullable=False),
        sa.Column("answer_en", sa.String(), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "btrim(question_ru) <> '' and btrim(question_en) <> '' and btrim(answer_ru) <> '' and btrim(answer_en) <> ''",
            name=op.f("ck_tender_answer_both_languages"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_tender_answer_version")),
        sa.ForeignKeyConstraint(["answered_by"], ["user_account.id"], name=op.f("fk_tender_answer_answered_by")),
        sa.ForeignKeyConstraint(["question_id"], ["tender_question.id"], name=op.f("fk_tender_answer_question_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tender_answer")),
        sa.UniqueConstraint("question_id", "version", name=op.f("uq_tender_answer_question_id_version")),
    )
    op.create_table(
        "deadline_exception",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=False),
        sa.Column("revokes_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("btrim(reason) <> ''", name=op.f("ck_deadline_exception_reason")),
        sa.CheckConstraint(
            "(revokes_id is null) = (closes_at is not null)", name=op.f("ck_deadline_exception_grant_or_revocation")
        ),
        sa.CheckConstraint(
            "num_nonnulls(application_id, organisation_id) = 1", name=op.f("ck_deadline_exception_for_one")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_deadline_exception_application_id")
        ),
        sa.ForeignKeyConstraint(["granted_by"], ["user_account.id"], name=op.f("fk_deadline_exception_granted_by")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_deadline_exception_organisation_id")
        ),
        sa.ForeignKeyConstraint(
            ["revokes_id"], ["deadline_exception.id"], name=op.f("fk_deadline_exception_revokes_id")
        ),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_deadline_exception_tender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline_exception")),
        sa.UniqueConstraint("revokes_id", name=op.f("uq_deadline_exception_revokes_id")),
    )
    op.create_index("ix_deadline_exception_application", "deadline_exception", ["application_id"], unique=False)
    op.create_index("ix_deadline_exception_organisation", "deadline_exception", ["organisation_id"], unique=False)
    op.create_index(
        "ix_deadline_exception_tender", "deadline_exception", ["tender_id", "created_at", "id"], unique=False
    )
    op.add_column("tender", sa.Column("cancel_reason_en", sa.String(), nullable=True))
    op.add_column("tender", sa.Column("question_days", sa.Integer(), server_default="5", nullable=False))
    op.add_column(
        "tender",
        sa.Column(
            "moved", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column("tender", sa.Column("exceptions", sa.Integer(), server_default="0", nullable=False))
    op.create_check_constraint(op.f("ck_tender_question_days"), "tender", "question_days between 0 and 60")
    for statement in FUNCTIONS:
        op.execute(statement)
    op.execute(
        "create trigger guard_deadline_exception before insert on deadline_exception"
        " for each row execute function guard_deadline_exception()"
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
    for table in APPEND_ONLY:
        op.execute(f"drop trigger append_only on {table}")
        op.execute(f"drop trigger never_truncated on {table}")
    op.execute("drop trigger guard_deadline_exception on deadline_exception")
    op.execute("drop function guard_deadline_exception()")
    op.execute("drop function later_closing(uuid, uuid, uuid)")
    op.drop_constraint(op.f("ck_tender_question_days"), "tender")
    op.drop_column("tender", "exceptions")
    op.drop_column("tender", "moved")
    op.drop_column("tender", "question_days")
    op.drop_column("tender", "cancel_reason_en")
    op.drop_index("ix_deadline_exception_tender", table_name="deadline_exception")
    op.drop_index("ix_deadline_exception_organisation", table_name="deadline_exception")
    op.drop_index("ix_deadline_exception_application", table_name="deadline_exception")
    op.drop_table("deadline_exception")
    op.drop_table("tender_answer")
    op.drop_index(
        "ix_tender_question_waiting", table_name="tender_question", postgresql_where=sa.text("state = 'waiting'")
    )
    op.drop_index(
        "ix_tender_question_merged", table_name="tender_question", postgresql_where=sa.text("merged_into is not null")
    )
    op.drop_index("ix_tender_question_inbox", table_name="tender_question")
    op.drop_index("ix_tender_question_asker", table_name="tender_question")
    op.drop_table("tender_question")
    op.drop_index("ix_tender_follow_user", table_name="tender_follow")
    op.drop_table("tender_follow")
    op.drop_table("tender_amendment")
    op.drop_index("uq_calendar_feed_live", table_name="calendar_feed", postgresql_where=sa.text("revoked_at is null"))
    op.drop_table("calendar_feed")
