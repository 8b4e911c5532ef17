"""The portal's clock: the database's, unless a transaction of a test or of the demo has fixed another instant."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        create function portal_now() returns timestamptz language sql volatile as $$
            select coalesce(nullif(current_setting('portal.now', true), '')::timestamptz, clock_timestamp())
        $$
        """
    )


def downgrade() -> None:
    op.execute("drop function portal_now()")
