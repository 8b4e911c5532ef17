"""Appeals on the agenda of a meeting."""

import sqlalchemy as sa
from alembic import op

revision = "commission_appeals"
down_revision = "allocation_runs"
branch_labels = None
depends_on = None

LIVE = "state in ('waiting', 'voting', 'tied', 'adopted')"


def upgrade() -> None:
    op.add_column("agenda_item", sa.Column("appeal_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_agenda_item_appeal_id"), "agenda_item", "appeal", ["appeal_id"], ["id"])
    _kinds(", 'appeal'")
    op.create_check_constraint(
        op.f("ck_agenda_item_appeal"), "agenda_item", "(kind = 'appeal') = (appeal_id is not null)"
    )
    op.create_check_constraint(
        op.f("ck_agenda_item_track"), "agenda_item", "kind not in ('track', 'appeal') or tender_track_id is not null"
    )
    op.create_index(
        "uq_agenda_item_appeal", "agenda_item", ["appeal_id"], unique=True, postgresql_where=sa.text(LIVE)
    )


def _kinds(more: str) -> None:
    for name in ("kind", "track"):
        op.drop_constraint(op.f(f"ck_agenda_item_{name}"), "agenda_item", type_="check")
    op.create_check_constraint(
        op.f("ck_agenda_item_kind"), "agenda_item", f"kind in ('track', 'decision'{more}, 'other')"
    )


def downgrade() -> None:
    op.drop_index("uq_agenda_item_appeal", table_name="agenda_item")
    _kinds("")
    op.create_check_constraint(
        op.f("ck_agenda_item_track"), "agenda_item", "kind <> 'track' or tender_track_id is not null"
    )
    op.drop_column("agenda_item", "appeal_id")
