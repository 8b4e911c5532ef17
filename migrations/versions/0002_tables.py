"""All tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("object_type", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.CheckConstraint("tag ~ '^[a-z_]+:[a-z_]+:[a-z_]+$'", name=op.f("ck_audit_event_tag")),
        sa.CheckConstraint("length(hash) = 64 and length(previous) = 64", name=op.f("ck_audit_event_hashes")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_event_hash")),
    )
    op.create_index("ix_audit_event_actor", "audit_event", ["actor", "seq"], unique=False)
    op.create_index("ix_audit_event_object", "audit_event", ["object_type", "object_id", "seq"], unique=False)
    op.create_table(
        "form_key",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("body_hash", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_form_key")),
    )
    op.create_index(op.f("ix_form_key_created_at"), "form_key", ["created_at"], unique=False)
    op.create_table(
        "organisation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inn", sa.String(), nullable=False),
        sa.Column("kpp", sa.String(), nullable=True),
        sa.Column("ogrn", sa.String(), nullable=False),
        sa.Column("okved2", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("name_ru", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("sme", sa.String(), nullable=False),
        sa.Column("headcount", sa.Integer(), nullable=True),
        sa.Column("income", sa.Numeric(18, 2), nullable=True),
        sa.Column("offshore_share", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("inn ~ '^([0-9]{10}|[0-9]{12})$'", name=op.f("ck_organisation_inn")),
        sa.CheckConstraint(
            "kpp is null or kpp ~ '^[0-9]{4}[0-9A-Z]{2}[0-9]{3}$'", name=op.f("ck_organisation_kpp")
        ),
        sa.CheckConstraint("ogrn ~ '^([0-9]{13}|[0-9]{15})$'", name=op.f("ck_organisation_ogrn")),
        sa.CheckConstraint("sme in ('micro', 'small', 'medium', 'none')", name=op.f("ck_organisation_sme")),
        sa.CheckConstraint(
            "(length(inn) = 10) = (kpp is not null)", name=op.f("ck_organisation_kpp_of_legal_entity")
        ),
        sa.CheckConstraint("offshore_share between 0 and 100", name=op.f("ck_organisation_offshore_share")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_index(
        "uq_organisation_inn_kpp",
        "organisation",
        ["inn", sa.literal_column("coalesce(kpp, '')")],
        unique=True,
    )
    op.create_table(
        "programme",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_ru", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme")),
        sa.UniqueConstraint("code", name=op.f("uq_programme_code")),
    )
    op.create_table(
        "rule_set",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("title_ru", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("copied_from", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("track in ('export', 'import_substitution')", name=op.f("ck_rule_set_track")),
        sa.CheckConstraint("(frozen_at is null) = (digest is null)", name=op.f("ck_rule_set_frozen")),
        sa.ForeignKeyConstraint(["copied_from"], ["rule_set.id"], name=op.f("fk_rule_set_copied_from")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_set")),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "run_after",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("claim", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("progress_total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("done_at is null or parked_at is null", name=op.f("ck_task_one_end")),
        sa.CheckConstraint(
            "parked_at is null or last_error is not null", name=op.f("ck_task_parked_with_reason")
        ),
        sa.CheckConstraint("progress_done between 0 and progress_total", name=op.f("ck_task_progress")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("key", name=op.f("uq_task_key")),
        sa.UniqueConstraint("number", name=op.f("uq_task_number")),
    )
    op.create_index(
        "ix_task_parked",
        "task",
        ["parked_at"],
        unique=False,
        postgresql_where=sa.text("parked_at is not null"),
    )
    op.create_index(
        "ix_task_waiting",
        "task",
        ["lane", "run_after", "number"],
        unique=False,
        postgresql_where=sa.text("done_at is null and parked_at is null"),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password", sa.String(), nullable=True),
        sa.Column("full_name", sa.String(), server_default="", nullable=False),
        sa.Column("locale", sa.String(), server_default="ru", nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("fs_uniquifier", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tf_primary_method", sa.String(), nullable=True),
        sa.Column("tf_totp_secret", sa.String(), nullable=True),
        sa.Column("totp_counter", sa.Integer(), nullable=True),
        sa.Column("mf_recovery_codes", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("us_phone_number", sa.String(), nullable=True),
        sa.Column("tf_phone_number", sa.String(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("locale in ('ru', 'en')", name=op.f("ck_user_account_locale")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("fs_uniquifier", name=op.f("uq_user_account_fs_uniquifier")),
    )
    op.create_index("uq_user_account_email", "user_account", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "cluster",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_ru", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("sector_ru", sa.String(), nullable=False),
        sa.Column("sector_en", sa.String(), nullable=False),
        sa.Column("regions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("spec_org_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "valid_until is null or registered_on is null or valid_until >= registered_on",
            name=op.f("ck_cluster_dates"),
        ),
        sa.ForeignKeyConstraint(["spec_org_id"], ["organisation.id"], name=op.f("fk_cluster_spec_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster")),
        sa.UniqueConstraint("code", name=op.f("uq_cluster_code")),
    )
    op.create_index(op.f("ix_cluster_spec_org_id"), "cluster", ["spec_org_id"], unique=False)
    op.create_table(
        "envelope",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("appropriation", sa.Numeric(18, 2), server_default="0", nullable=False),
        sa.Column("available", sa.Numeric(18, 2), server_default="0", nullable=False),
        sa.Column("reserved", sa.Numeric(18, 2), server_default="0", nullable=False),
        sa.Column("committed", sa.Numeric(18, 2), server_default="0", nullable=False),
        sa.Column("paid", sa.Numeric(18, 2), server_default="0", nullable=False),
        sa.Column("returned", sa.Numeric(18, 2), server_default="0", nullable=False),
        sa.Column("carried_over", sa.Numeric(18, 2), server_default="0", nullable=False),
        sa.CheckConstraint("track in ('export', 'import_substitution')", name=op.f("ck_envelope_track")),
        sa.CheckConstraint(
            "appropriation + available + reserved + committed + paid + returned + carried_over = 0",
            name=op.f("ck_envelope_balanced"),
        ),
        sa.CheckConstraint("appropriation <= 0", name=op.f("ck_envelope_appropriation")),
        sa.CheckConstraint("available >= 0", name=op.f("ck_envelope_floor_available")),
        sa.CheckConstraint("carried_over >= 0", name=op.f("ck_envelope_floor_carried_over")),
        sa.CheckConstraint("committed >= 0", name=op.f("ck_envelope_floor_committed")),
        sa.CheckConstraint("paid >= 0", name=op.f("ck_envelope_floor_paid")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_envelope_floor_reserved")),
        sa.CheckConstraint("returned >= 0", name=op.f("ck_envelope_floor_returned")),
        sa.CheckConstraint("year between 2000 and 2100", name=op.f("ck_envelope_year")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_envelope_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_envelope")),
        sa.UniqueConstraint(
            "programme_id", "track", "year", name=op.f("uq_envelope_programme_id_track_year")
        ),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "role in ('owner', 'signatory', 'editor', 'viewer')", name=op.f("ck_invitation_role")
        ),
        sa.CheckConstraint(
            "(accepted_at is null) = (accepted_by is null)", name=op.f("ck_invitation_accepted")
        ),
        sa.ForeignKeyConstraint(["accepted_by"], ["user_account.id"], name=op.f("fk_invitation_accepted_by")),
        sa.ForeignKeyConstraint(["invited_by"], ["user_account.id"], name=op.f("fk_invitation_invited_by")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_invitation_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitation_token_hash")),
    )
    op.create_index("ix_invitation_organisation", "invitation", ["organisation_id"], unique=False)
    op.create_table(
        "letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("about_type", sa.String(), nullable=True),
        sa.Column("about_id", sa.Uuid(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("locale in ('ru', 'en')", name=op.f("ck_letter_locale")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_letter_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter")),
        sa.UniqueConstraint("key", name=op.f("uq_letter_key")),
        sa.UniqueConstraint("message_id", name=op.f("uq_letter_message_id")),
    )
    op.create_index("ix_letter_about", "letter", ["about_type", "about_id"], unique=False)
    op.create_index("ix_letter_user", "letter", ["user_id", "created_at"], unique=False)
    op.create_table(
        "membership",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "role in ('owner', 'signatory', 'editor', 'viewer')", name=op.f("ck_membership_role")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_membership_organisation_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_membership_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("user_id", "organisation_id", name=op.f("uq_membership_user_id_organisation_id")),
    )
    op.create_index("ix_membership_organisation", "membership", ["organisation_id"], unique=False)
    op.create_table(
        "posting",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("input_hash", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("author_name", sa.String(), nullable=False),
        sa.Column("subject_type", sa.String(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.Column("transaction", sa.BigInteger(), server_default=sa.text("txid_current()"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'reverse') = (reverses_id is not null)", name=op.f("ck_posting_reversal")
        ),
        sa.CheckConstraint(
            "kind in ('appropriate', 'adjust', 'reserve', 'commit', 'pay', 'release', 'return', 'carry_over', 'reverse')",
            name=op.f("ck_posting_kind"),
        ),
        sa.CheckConstraint(
            "kind not in ('appropriate', 'adjust') or length(document) > 0",
            name=op.f("ck_posting_order_number"),
        ),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_posting_reason")),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_posting_author_id")),
        sa.ForeignKeyConstraint(["reverses_id"], ["posting.id"], name=op.f("fk_posting_reverses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting")),
        sa.UniqueConstraint("key", name=op.f("uq_posting_key")),
        sa.UniqueConstraint("number", name=op.f("uq_posting_number")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_posting_reverses_id")),
    )
    op.create_index("ix_posting_subject", "posting", ["subject_type", "subject_id"], unique=False)
    op.create_table(
        "role_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "role in ('administrator', 'officer', 'reviewer', 'chair', 'commission', 'auditor')",
            name=op.f("ck_role_grant_role"),
        ),
        sa.ForeignKeyConstraint(["granted_by"], ["user_account.id"], name=op.f("fk_role_grant_granted_by")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_role_grant_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
        sa.UniqueConstraint("user_id", "role", name=op.f("uq_role_grant_user_id_role")),
    )
    op.create_table(
        "stored_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_stored_file_sha256")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_stored_file_size")),
        sa.ForeignKeyConstraint(
            ["uploaded_by"], ["user_account.id"], name=op.f("fk_stored_file_uploaded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_file")),
        sa.UniqueConstraint("key", name=op.f("uq_stored_file_key")),
    )
    op.create_index("ix_stored_file_uploader", "stored_file", ["uploaded_by"], unique=False)
    op.create_table(
        "tender",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("title_ru", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("notice_ru", sa.String(), nullable=False),
        sa.Column("notice_en", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("results_published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "(cancelled_at is null) = (cancel_reason is null)", name=op.f("ck_tender_cancelled")
        ),
        sa.CheckConstraint(
            "opens_at is null or closes_at is null or opens_at < closes_at", name=op.f("ck_tender_intake")
        ),
        sa.CheckConstraint(
            "published_at is null or (opens_at is not null and closes_at is not null)",
            name=op.f("ck_tender_published_with_dates"),
        ),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_tender_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tender")),
        sa.UniqueConstraint("code", name=op.f("uq_tender_code")),
    )
    op.create_index("ix_tender_closes", "tender", ["closes_at"], unique=False)
    op.create_index(op.f("ix_tender_programme_id"), "tender", ["programme_id"], unique=False)
    op.create_table(
        "user_session",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("agent", sa.String(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_user_session_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_user_session")),
    )
    op.create_index(op.f("ix_user_session_expires_at"), "user_session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_user_session_user_id"), "user_session", ["user_id"], unique=False)
    op.create_table(
        "cluster_member",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("final_producer", sa.Boolean(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "state != 'refused' or reason is not null", name=op.f("ck_cluster_member_refused_with_reason")
        ),
        sa.CheckConstraint(
            "state = 'requested' or decided_at is not null", name=op.f("ck_cluster_member_decided")
        ),
        sa.CheckConstraint(
            "state in ('requested', 'confirmed', 'refused', 'left')", name=op.f("ck_cluster_member_state")
        ),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_member_cluster_id")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["user_account.id"], name=op.f("fk_cluster_member_decided_by")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_cluster_member_organisation_id")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["user_account.id"], name=op.f("fk_cluster_member_requested_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_member")),
        sa.UniqueConstraint(
            "cluster_id", "organisation_id", name=op.f("uq_cluster_member_cluster_id_organisation_id")
        ),
    )
    op.create_index("ix_cluster_member_organisation", "cluster_member", ["organisation_id"], unique=False)
    op.create_index("ix_cluster_member_waiting", "cluster_member", ["cluster_id", "state"], unique=False)
    op.create_table(
        "posting_line",
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("envelope_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.CheckConstraint(
            "account in ('appropriation', 'available', 'reserved', 'committed', 'paid', 'returned', 'carried_over')",
            name=op.f("ck_posting_line_account"),
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_posting_line_amount")),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelope.id"], name=op.f("fk_posting_line_envelope_id")),
        sa.ForeignKeyConstraint(["posting_id"], ["posting.id"], name=op.f("fk_posting_line_posting_id")),
        sa.PrimaryKeyConstraint("posting_id", "line", name=op.f("pk_posting_line")),
    )
    op.create_index("ix_posting_line_envelope", "posting_line", ["envelope_id", "posting_id"], unique=False)
    op.create_table(
        "register_import",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("kind in ('clusters', 'members')", name=op.f("ck_register_import_kind")),
        sa.CheckConstraint(
            "state in ('waiting', 'checking', 'applying', 'done', 'failed')",
            name=op.f("ck_register_import_state"),
        ),
        sa.CheckConstraint(
            "progress_done between 0 and progress_total", name=op.f("ck_register_import_progress")
        ),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_register_import_file_id")),
        sa.ForeignKeyConstraint(
            ["started_by"], ["user_account.id"], name=op.f("fk_register_import_started_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_import")),
    )
    op.create_table(
        "tender_track",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("rule_set_id", sa.Uuid(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.CheckConstraint("track in ('export', 'import_substitution')", name=op.f("ck_tender_track_track")),
        sa.CheckConstraint("last_number >= 0", name=op.f("ck_tender_track_last_number")),
        sa.ForeignKeyConstraint(["rule_set_id"], ["rule_set.id"], name=op.f("fk_tender_track_rule_set_id")),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_tender_track_tender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tender_track")),
        sa.UniqueConstraint("rule_set_id", name=op.f("uq_tender_track_rule_set_id")),
        sa.UniqueConstraint("tender_id", "track", name=op.f("uq_tender_track_tender_id_track")),
    )
    op.create_table(
        "application",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("initiator_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("title_ru", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("requested_total", sa.Numeric(18, 2), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("correction_due", sa.Date(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "(state = 'returned') = (correction_due is not null)", name=op.f("ck_application_correction_due")
        ),
        sa.CheckConstraint(
            "state in ('draft', 'submitted', 'withdrawn', 'returned', 'rejected', 'expertise', 'awarded', 'reserve', 'declined')",
            name=op.f("ck_application_state"),
        ),
        sa.CheckConstraint(
            "state in ('draft', 'withdrawn') or (number is not null and submission_id is not null and received_at is not null)",
            name=op.f("ck_application_registered"),
        ),
        sa.CheckConstraint("track in ('export', 'import_substitution')", name=op.f("ck_application_track")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_application_cluster_id")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_application_created_by")),
        sa.ForeignKeyConstraint(
            ["initiator_id"], ["organisation.id"], name=op.f("fk_application_initiator_id")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name="fk_application_submission_id", use_alter=True
        ),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_application_tender_id")),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name=op.f("fk_application_tender_track_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
        sa.UniqueConstraint("number", name=op.f("uq_application_number")),
    )
    op.create_index(op.f("ix_application_cluster_id"), "application", ["cluster_id"], unique=False)
    op.create_index("ix_application_initiator", "application", ["initiator_id"], unique=False)
    op.create_index(
        "ix_application_number_prefix",
        "application",
        [sa.literal_column("number text_pattern_ops")],
        unique=False,
    )
    op.create_index("ix_application_received", "application", ["received_at", "id"], unique=False)
    op.create_index("ix_application_staff", "application", ["tender_id", "received_at", "id"], unique=False)
    op.create_index(
        "ix_application_staff_state", "application", ["tender_id", "state", "received_at", "id"], unique=False
    )
    op.create_index(op.f("ix_application_tender_track_id"), "application", ["tender_track_id"], unique=False)
    op.create_index(
        "ix_application_title_en_prefix",
        "application",
        [sa.literal_column("lower(title_en) text_pattern_ops")],
        unique=False,
    )
    op.create_index(
        "ix_application_title_ru_prefix",
        "application",
        [sa.literal_column("lower(title_ru) text_pattern_ops")],
        unique=False,
    )
    op.create_table(
        "score_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("rules_digest", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=True),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("output_digest", sa.String(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("kind in ('track', 'submission')", name=op.f("ck_score_run_kind")),
        sa.CheckConstraint("(ended_at is null) = (output_digest is null)", name=op.f("ck_score_run_ended")),
        sa.CheckConstraint("done between 0 and total", name=op.f("ck_score_run_progress")),
        sa.ForeignKeyConstraint(["started_by"], ["user_account.id"], name=op.f("fk_score_run_started_by")),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name=op.f("fk_score_run_tender_track_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_run")),
    )
    op.create_index("ix_score_run_track", "score_run", ["tender_track_id", "id"], unique=False)
    op.create_index(
        "uq_score_run_unfinished",
        "score_run",
        ["tender_track_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'track' and ended_at is null"),
    )
    op.create_table(
        "award_decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("available", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "(signed_at is null) = (signed_by is null)", name=op.f("ck_award_decision_signed")
        ),
        sa.CheckConstraint(
            "discarded_at is null or signed_at is null", name=op.f("ck_award_decision_signed_stays")
        ),
        sa.CheckConstraint(
            "published_at is null or signed_at is not null",
            name=op.f("ck_award_decision_published_after_signing"),
        ),
        sa.CheckConstraint(
            "signed_by is null or signed_by <> drafted_by", name=op.f("ck_award_decision_two_persons")
        ),
        sa.ForeignKeyConstraint(
            ["drafted_by"], ["user_account.id"], name=op.f("fk_award_decision_drafted_by")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["score_run.id"], name=op.f("fk_award_decision_run_id")),
        sa.ForeignKeyConstraint(["signed_by"], ["user_account.id"], name=op.f("fk_award_decision_signed_by")),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name=op.f("fk_award_decision_tender_track_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award_decision")),
    )
    op.create_index(
        "uq_award_decision_live",
        "award_decision",
        ["tender_track_id"],
        unique=True,
        postgresql_where=sa.text("discarded_at is null"),
    )
    op.create_table(
        "participant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("responded_by", sa.Uuid(), nullable=True),
        sa.Column("confirmed_digest", sa.String(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "confirmed_at is null or state = 'accepted'", name=op.f("ck_participant_confirmed_by_member")
        ),
        sa.CheckConstraint("role in ('initiator', 'participant')", name=op.f("ck_participant_role")),
        sa.CheckConstraint(
            "state in ('invited', 'accepted', 'declined', 'removed')", name=op.f("ck_participant_state")
        ),
        sa.CheckConstraint(
            "(confirmed_digest is null) = (confirmed_at is null) and (confirmed_at is null) = (confirmed_by is null)",
            name=op.f("ck_participant_confirmed"),
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_participant_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["user_account.id"], name=op.f("fk_participant_confirmed_by")
        ),
        sa.ForeignKeyConstraint(["invited_by"], ["user_account.id"], name=op.f("fk_participant_invited_by")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_participant_organisation_id")
        ),
        sa.ForeignKeyConstraint(
            ["responded_by"], ["user_account.id"], name=op.f("fk_participant_responded_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
        sa.UniqueConstraint(
            "application_id", "organisation_id", name=op.f("uq_participant_application_id_organisation_id")
        ),
    )
    op.create_index("ix_participant_organisation", "participant", ["organisation_id"], unique=False)
    op.create_index(
        "uq_participant_initiator",
        "participant",
        ["application_id"],
        unique=True,
        postgresql_where=sa.text("role = 'initiator'"),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=False),
        sa.Column("snapshot", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_submission_sha256")),
        sa.CheckConstraint("round >= 1", name=op.f("ck_submission_round")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_submission_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["submitted_by"], ["user_account.id"], name=op.f("fk_submission_submitted_by")
        ),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name=op.f("fk_submission_tender_track_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint("application_id", "round", name=op.f("uq_submission_application_id_round")),
    )
    op.create_index(op.f("ix_submission_tender_track_id"), "submission", ["tender_track_id"], unique=False)
    op.create_table(
        "assignment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_id", sa.Uuid(), nullable=False),
        sa.Column("assigned_by", sa.Uuid(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("conflict", sa.String(), nullable=True),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("draft", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("draft_saved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "(state = 'conflict') = (conflict is not null)", name=op.f("ck_assignment_conflict")
        ),
        sa.CheckConstraint(
            "(state = 'submitted') = (submitted_at is not null)", name=op.f("ck_assignment_submitted")
        ),
        sa.CheckConstraint(
            "state in ('assigned', 'conflict', 'open', 'submitted', 'revoked')",
            name=op.f("ck_assignment_state"),
        ),
        sa.CheckConstraint(
            "state not in ('open', 'submitted') or declared_at is not null",
            name=op.f("ck_assignment_declared_before_reading"),
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_assignment_application_id")
        ),
        sa.ForeignKeyConstraint(["assigned_by"], ["user_account.id"], name=op.f("fk_assignment_assigned_by")),
        sa.ForeignKeyConstraint(["reviewer_id"], ["user_account.id"], name=op.f("fk_assignment_reviewer_id")),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_assignment_submission_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
        sa.UniqueConstraint(
            "submission_id", "reviewer_id", name=op.f("uq_assignment_submission_id_reviewer_id")
        ),
    )
    op.create_index("ix_assignment_application", "assignment", ["application_id"], unique=False)
    op.create_index("ix_assignment_reviewer", "assignment", ["reviewer_id", "state"], unique=False)
    op.create_table(
        "attachment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("code ~ '^DOC-[0-9]{2}$'", name=op.f("ck_attachment_code")),
        sa.ForeignKeyConstraint(["added_by"], ["user_account.id"], name=op.f("fk_attachment_added_by")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_attachment_application_id")
        ),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_attachment_file_id")),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name=op.f("fk_attachment_participant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index("ix_attachment_application", "attachment", ["application_id", "code"], unique=False)
    op.create_index(op.f("ix_attachment_file_id"), "attachment", ["file_id"], unique=False)
    op.create_table(
        "decision_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=True),
        sa.Column("reason", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "approved_at is null or outcome = 'award'", name=op.f("ck_decision_line_approved")
        ),
        sa.CheckConstraint(
            "outcome in ('award', 'reserve', 'decline')", name=op.f("ck_decision_line_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_decision_line_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["award_decision.id"], name=op.f("fk_decision_line_decision_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_line")),
        sa.UniqueConstraint(
            "decision_id", "application_id", name=op.f("uq_decision_line_decision_id_application_id")
        ),
        sa.UniqueConstraint("decision_id", "place", name=op.f("uq_decision_line_decision_id_place")),
    )
    op.create_index("ix_decision_line_application", "decision_line", ["application_id"], unique=False)
    op.create_table(
        "formal_check",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("checklist", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "(outcome is not distinct from 'returned') = (due_on is not null)",
            name=op.f("ck_formal_check_due_on"),
        ),
        sa.CheckConstraint(
            "outcome is distinct from 'refused' or jsonb_array_length(reasons) > 0",
            name=op.f("ck_formal_check_reasons"),
        ),
        sa.CheckConstraint(
            "outcome is null or outcome in ('admitted', 'returned', 'refused')",
            name=op.f("ck_formal_check_outcome"),
        ),
        sa.CheckConstraint("(outcome is null) = (decided_at is null)", name=op.f("ck_formal_check_decided")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_formal_check_application_id")
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["user_account.id"], name=op.f("fk_formal_check_decided_by")),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_formal_check_submission_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_formal_check")),
    )
    op.create_index(op.f("ix_formal_check_application_id"), "formal_check", ["application_id"], unique=False)
    op.create_index(
        "uq_formal_check_returned",
        "formal_check",
        ["application_id"],
        unique=True,
        postgresql_where=sa.text("outcome = 'returned'"),
    )
    op.create_index(
        "uq_formal_check_submission",
        "formal_check",
        ["submission_id"],
        unique=True,
        postgresql_where=sa.text("outcome is distinct from 'returned'"),
    )
    op.create_table(
        "score",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("sheet", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("objective", sa.Numeric(precision=7, scale=4), nullable=False),
        sa.Column("total", sa.Numeric(precision=7, scale=4), nullable=True),
        sa.Column("recommended", sa.Boolean(), nullable=True),
        sa.Column("amounts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("hpj", sa.Integer(), nullable=True),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.CheckConstraint("objective between 0 and 100", name=op.f("ck_score_objective")),
        sa.CheckConstraint("total between 0 and 100", name=op.f("ck_score_total")),
        sa.ForeignKeyConstraint(["run_id"], ["score_run.id"], name=op.f("fk_score_run_id")),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_score_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score")),
        sa.UniqueConstraint("run_id", "submission_id", name=op.f("uq_score_run_id_submission_id")),
    )
    op.create_index(
        "uq_score_current", "score", ["submission_id"], unique=True, postgresql_where=sa.text("current")
    )
    op.create_table(
        "section",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("saved_by", sa.Uuid(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_section_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name=op.f("fk_section_participant_id")
        ),
        sa.ForeignKeyConstraint(["saved_by"], ["user_account.id"], name=op.f("fk_section_saved_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_section")),
    )
    op.create_index(
        "uq_section_place",
        "section",
        [
            "application_id",
            sa.literal_column("coalesce(participant_id, '00000000-0000-0000-0000-000000000000'::uuid)"),
            "name",
        ],
        unique=True,
    )
    op.create_table(
        "award_amount",
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_award_amount_amount")),
        sa.ForeignKeyConstraint(["line_id"], ["decision_line.id"], name=op.f("fk_award_amount_line_id")),
        sa.PrimaryKeyConstraint("line_id", "year", name=op.f("pk_award_amount")),
    )
    op.create_table(
        "mark",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("assignment_id", sa.Uuid(), nullable=False),
        sa.Column("criterion", sa.String(), nullable=False),
        sa.Column("aspect", sa.String(), nullable=False),
        sa.Column("score", sa.Numeric(precision=4, scale=2), nullable=False),
        sa.Column("justification", sa.String(), nullable=False),
        sa.CheckConstraint("length(justification) > 0", name=op.f("ck_mark_justified")),
        sa.CheckConstraint("score between 0 and 10", name=op.f("ck_mark_score")),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignment.id"], name=op.f("fk_mark_assignment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mark")),
        sa.UniqueConstraint(
            "assignment_id", "criterion", "aspect", name=op.f("uq_mark_assignment_id_criterion_aspect")
        ),
    )


def downgrade() -> None:
    op.drop_table("mark")
    op.drop_table("award_amount")
    op.drop_index("uq_section_place", table_name="section")
    op.drop_table("section")
    op.drop_index("uq_score_current", table_name="score", postgresql_where=sa.text("current"))
    op.drop_table("score")
    op.drop_index(
        "uq_formal_check_submission",
        table_name="formal_check",
        postgresql_where=sa.text("outcome is distinct from 'returned'"),
    )
    op.drop_index(
        "uq_formal_check_returned",
        table_name="formal_check",
        postgresql_where=sa.text("outcome = 'returned'"),
    )
    op.drop_index(op.f("ix_formal_check_application_id"), table_name="formal_check")
    op.drop_table("formal_check")
    op.drop_index("ix_decision_line_application", table_name="decision_line")
    op.drop_table("decision_line")
    op.drop_index(op.f("ix_attachment_file_id"), table_name="attachment")
    op.drop_index("ix_attachment_application", table_name="attachment")
    op.drop_table("attachment")
    op.drop_index("ix_assignment_reviewer", table_name="assignment")
    op.drop_index("ix_assignment_application", table_name="assignment")
    op.drop_table("assignment")
    op.drop_index(op.f("ix_submission_tender_track_id"), table_name="submission")
    op.drop_table("submission")
    op.drop_index(
        "uq_participant_initiator", table_name="participant", postgresql_where=sa.text("role = 'initiator'")
    )
    op.drop_index("ix_participant_organisation", table_name="participant")
    op.drop_table("participant")
    op.drop_index(
        "uq_award_decision_live",
        table_name="award_decision",
        postgresql_where=sa.text("discarded_at is null"),
    )
    op.drop_table("award_decision")
    op.drop_index(
        "uq_score_run_unfinished",
        table_name="score_run",
        postgresql_where=sa.text("kind = 'track' and ended_at is null"),
    )
    op.drop_index("ix_score_run_track", table_name="score_run")
    op.drop_table("score_run")
    op.drop_index("ix_application_title_ru_prefix", table_name="application")
    op.drop_index("ix_application_title_en_prefix", table_name="application")
    op.drop_index(op.f("ix_application_tender_track_id"), table_name="application")
    op.drop_index("ix_application_staff_state", table_name="application")
    op.drop_index("ix_application_staff", table_name="application")
    op.drop_index("ix_application_received", table_name="application")
    op.drop_index("ix_application_number_prefix", table_name="application")
    op.drop_index("ix_application_initiator", table_name="application")
    op.drop_index(op.f("ix_application_cluster_id"), table_name="application")
    op.drop_table("application")
    op.drop_table("tender_track")
    op.drop_table("register_import")
    op.drop_index("ix_posting_line_envelope", table_name="posting_line")
    op.drop_table("posting_line")
    op.drop_index("ix_cluster_member_waiting", table_name="cluster_member")
    op.drop_index("ix_cluster_member_organisation", table_name="cluster_member")
    op.drop_table("cluster_member")
    op.drop_index(op.f("ix_user_session_user_id"), table_name="user_session")
    op.drop_index(op.f("ix_user_session_expires_at"), table_name="user_session")
    op.drop_table("user_session")
    op.drop_index(op.f("ix_tender_programme_id"), table_name="tender")
    op.drop_index("ix_tender_closes", table_name="tender")
    op.drop_table("tender")
    op.drop_index("ix_stored_file_uploader", table_name="stored_file")
    op.drop_table("stored_file")
    op.drop_table("role_grant")
    op.drop_index("ix_posting_subject", table_name="posting")
    op.drop_table("posting")
    op.drop_index("ix_membership_organisation", table_name="membership")
    op.drop_table("membership")
    op.drop_index("ix_letter_user", table_name="letter")
    op.drop_index("ix_letter_about", table_name="letter")
    op.drop_table("letter")
    op.drop_index("ix_invitation_organisation", table_name="invitation")
    op.drop_table("invitation")
    op.drop_table("envelope")
    op.drop_index(op.f("ix_cluster_spec_org_id"), table_name="cluster")
    op.drop_table("cluster")
    op.drop_index("uq_user_account_email", table_name="user_account")
    op.drop_table("user_account")
    op.drop_index(
        "ix_task_waiting",
        table_name="task",
        postgresql_where=sa.text("done_at is null and parked_at is null"),
    )
    op.drop_index("ix_task_parked", table_name="task", postgresql_where=sa.text("parked_at is not null"))
    op.drop_table("task")
    op.drop_table("rule_set")
    op.drop_table("programme")
    op.drop_index("uq_organisation_inn_kpp", table_name="organisation")
    op.drop_table("organisation")
    op.drop_index(op.f("ix_form_key_created_at"), table_name="form_key")
    op.drop_table("form_key")
    op.drop_index("ix_audit_event_object", table_name="audit_event")
    op.drop_index("ix_audit_event_actor", table_name="audit_event")
    op.drop_table("audit_event")
