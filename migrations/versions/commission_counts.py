"""A CHECK that is null passes: the majority without a casting vote, counts that are missing. Proposals may open again."""

from alembic import op

revision = "commission_counts"
down_revision = "commission_reserve"
branch_labels = None
depends_on = None

MAJORITY = "state <> 'adopted' or 2 * yes > present or (2 * yes = present and {})"
COUNTED = "(entitled is null) = (state not in ('tied', 'adopted', 'rejected', 'no_quorum'))"
WHOLE = " and num_nulls(entitled, present, yes, no, abstained) in (0, 5)"

GUARD = """
    create or replace function guard_reserve_proposal() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or {}
            or (new.tender_track_id, new.posting_id, new.available, new.lines)
                is distinct from (old.tender_track_id, old.posting_id, old.available, old.lines) then
            raise exception 'proposal % stays as it is', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
"""
OPEN_ONLY = "old.state <> 'open'"
# The draft that was made of it is discarded.
OPEN_AGAIN = """old.state <> 'open' and not (old.state = 'drafted' and new.state = 'open' and exists (
                select from award_decision where id = old.decision_id and discarded_at is not null))"""


def _checks(majority: str, counted: str) -> None:
    for name, condition in (("majority", majority), ("counted", counted)):
        op.drop_constraint(op.f(f"ck_agenda_item_{name}"), "agenda_item", type_="check")
        op.create_check_constraint(op.f(f"ck_agenda_item_{name}"), "agenda_item", condition)


def upgrade() -> None:
    _checks(MAJORITY.format("casting is not distinct from 'yes'"), COUNTED + WHOLE)
    op.execute(GUARD.format(OPEN_AGAIN))


def downgrade() -> None:
    _checks(MAJORITY.format("casting = 'yes'"), COUNTED)
    op.execute(GUARD.format(OPEN_ONLY))
