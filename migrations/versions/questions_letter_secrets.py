"""The token of a letter's link is kept only until the letter is sent; those of letters sent already are struck out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "questions_letter_secrets"
down_revision = "clusters_prospects"
branch_labels = None
depends_on = None

LINKS = r"(/account/(?:confirm|reset)/|/organisations/invitations/)[A-Za-z0-9._~-]+"


def upgrade() -> None:
    op.add_column("letter", sa.Column("secret", sa.String(), nullable=True))
    op.create_check_constraint(op.f("ck_letter_secret"), "letter", "sent_at is null or secret is null")
    strike = sa.text(
        "update letter set text = regexp_replace(text, :links, '\\1***', 'g'),"
        " html = regexp_replace(html, :links, '\\1***', 'g')"
        " where sent_at is not null and (kind like 'security%' or kind = 'invitation')"
    )
    op.get_bind().execute(strike, {"links": LINKS})


def downgrade() -> None:
    op.drop_constraint(op.f("ck_letter_secret"), "letter")
    op.drop_column("letter", "secret")
