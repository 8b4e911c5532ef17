"""An attachment may also be the answer to an extra question (Q-01)."""

from __future__ import annotations

from alembic import op

revision = "questions_attachment_codes"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table attachment drop constraint if exists ck_attachment_code")
    op.execute("alter table attachment add constraint ck_attachment_code check (code ~ '^(DOC|Q)-[0-9]{2}$')")


def downgrade() -> None:
    op.execute("alter table attachment drop constraint if exists ck_attachment_code")
    op.execute("alter table attachment add constraint ck_attachment_code check (code ~ '^DOC-[0-9]{2}$') not valid")
