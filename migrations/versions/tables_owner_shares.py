"""Shares of the owners of an organisation, on which its size by Law 209-FZ depends."""

import sqlalchemy as sa
from alembic import op

revision = "tables_owner_shares"
down_revision = "signing_partners"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("state_share", "large_share"):
        op.add_column("organisation", sa.Column(name, sa.Numeric(precision=5, scale=2), nullable=True))
        op.create_check_constraint(op.f(f"ck_organisation_{name}"), "organisation", f"{name} between 0 and 100")


def downgrade() -> None:
    for name in ("large_share", "state_share"):
        op.drop_constraint(op.f(f"ck_organisation_{name}"), "organisation", type_="check")
        op.drop_column("organisation", name)
