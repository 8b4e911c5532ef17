"""Uploads in parts, virus scans, and versions of attached files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "documents_uploads"
down_revision = "following_notices"
branch_labels = None
depends_on = None

SCAN = "scan in ('unscanned', 'pending', 'clean', 'refused')"


def upgrade() -> None:
    op.add_column("stored_file", sa.Column("scan", sa.String(), server_default="unscanned", nullable=False))
    op.add_column("stored_file", sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("stored_file", sa.Column("scan_note", sa.String(), nullable=True))
    op.create_check_constraint(op.f("ck_stored_file_scan"), "stored_file", SCAN)
    op.create_check_constraint(
        op.f("ck_stored_file_scanned"), "stored_file", "(scan in ('clean', 'refused')) = (scanned_at is not null)"
    )
    op.create_check_constraint(
        op.f("ck_stored_file_scan_note"), "stored_file", "(scan = 'refused') = (scan_note is not null)"
    )
    op.create_index(
        "ix_stored_file_unscanned", "stored_file", ["id"], postgresql_where=sa.text("scan in ('unscanned', 'pending')")
    )
    op.create_table(
        "upload",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=False),
        sa.Column("object_type", sa.String(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.dialects.postgresql.JSONB(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_upload_size")),
        sa.CheckConstraint("received between 0 and size", name=op.f("ck_upload_received")),
        sa.CheckConstraint("sha256 is null or length(sha256) = 64", name=op.f("ck_upload_sha256")),
        sa.CheckConstraint("(done_at is null) = (file_id is null)", name=op.f("ck_upload_done")),
        sa.CheckConstraint("done_at is null or received = size", name=op.f("ck_upload_whole")),
        sa.ForeignKeyConstraint(["uploaded_by"], ["user_account.id"], name=op.f("fk_upload_uploaded_by")),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_upload_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_index("ix_upload_person", "upload", ["uploaded_by", "object_id"])
    op.create_index("ix_upload_object", "upload", ["object_id"])
    op.create_index("ix_upload_touched", "upload", ["touched_at"])
    op.create_table(
        "upload_part",
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.CheckConstraint("start >= 0 and size > 0", name=op.f("ck_upload_part_place")),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["upload.id"], name=op.f("fk_upload_part_upload_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", "start", name=op.f("pk_upload_part")),
        sa.UniqueConstraint("key", name=op.f("uq_upload_part_key")),
    )
    # A file of a document begins a series; what replaces it is the next version of the series. Codes of the
    # extra questions of a tender may have files too.
    op.add_column("attachment", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.add_column("attachment", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("attachment", sa.Column("removed_by", sa.Uuid(), nullable=True))
    op.execute("update attachment set series_id = id")
    op.alter_column("attachment", "series_id", nullable=False)
    op.create_foreign_key(op.f("fk_attachment_removed_by"), "attachment", "user_account", ["removed_by"], ["id"])
    op.create_unique_constraint(op.f("uq_attachment_series_id_version"), "attachment", ["series_id", "version"])
    op.create_index(
        "uq_attachment_current", "attachment", ["series_id"], unique=True, postgresql_where=sa.text("removed_at is null")
    )
    op.create_check_constraint(op.f("ck_attachment_version"), "attachment", "version >= 1")
    op.drop_constraint(op.f("ck_attachment_code"), "attachment", type_="check")
    op.create_check_constraint(op.f("ck_attachment_code"), "attachment", "code ~ '^(DOC|Q)-[0-9]{2}$'")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_attachment_code"), "attachment", type_="check")
    op.create_check_constraint(op.f("ck_attachment_code"), "attachment", "code ~ '^DOC-[0-9]{2}$'")
    op.drop_constraint(op.f("ck_attachment_version"), "attachment", type_="check")
    op.drop_index("uq_attachment_current", "attachment")
    op.drop_constraint(op.f("uq_attachment_series_id_version"), "attachment", type_="unique")
    op.drop_constraint(op.f("fk_attachment_removed_by"), "attachment", type_="foreignkey")
    for column in ("removed_by", "version", "series_id"):
        op.drop_column("attachment", column)
    op.drop_table("upload_part")
    op.drop_table("upload")
    op.drop_index("ix_stored_file_unscanned", "stored_file")
    for name in ("scan_note", "scanned", "scan"):
        op.drop_constraint(op.f(f"ck_stored_file_{name}"), "stored_file", type_="check")
    for column in ("scan_note", "scanned_at", "scan"):
        op.drop_column("stored_file", column)
