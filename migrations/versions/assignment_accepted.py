"""A proposal of reviewers that a person has confirmed is carried out in the background, or found overtaken."""

from __future__ import annotations

from alembic import op

revision = "assignment_accepted"
down_revision = "ledger_movements"
branch_labels = None
depends_on = None

CHECKS = {
    "state": (
        "state in ('computing', 'proposed', 'confirmed', 'discarded')",
        "state in ('computing', 'proposed', 'accepted', 'confirmed', 'overtaken', 'discarded')",
    ),
    "computed": (
        "state not in ('proposed', 'confirmed') or (phase = 3 and digest is not null)",
        "state not in ('proposed', 'accepted', 'confirmed', 'overtaken') or (phase = 3 and digest is not null)",
    ),
    "confirmed": (
        "(state = 'confirmed') = (confirmed_at is not null) and (confirmed_at is null) = (confirmed_by is null)",
        "(state in ('accepted', 'confirmed', 'overtaken')) = (confirmed_at is not null)"
        " and (confirmed_at is null) = (confirmed_by is null)",
    ),
}
LIVE = ("state in ('computing', 'proposed')", "state in ('computing', 'proposed', 'accepted')")


def upgrade() -> None:
    _write(1)


def downgrade() -> None:
    op.execute(
        "update assignment_plan set state = 'discarded', confirmed_at = null, confirmed_by = null"
        " where state in ('accepted', 'overtaken')"
    )
    _write(0)


def _write(which: int) -> None:
    for name, texts in CHECKS.items():
        op.drop_constraint(op.f(f"ck_assignment_plan_{name}"), "assignment_plan", type_="check")
        op.create_check_constraint(op.f(f"ck_assignment_plan_{name}"), "assignment_plan", texts[which])
    op.drop_index("uq_assignment_plan_live", "assignment_plan")
    op.execute(f"create unique index uq_assignment_plan_live on assignment_plan (tender_track_id) where {LIVE[which]}")
