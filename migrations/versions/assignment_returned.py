"""A review that comes back to its reviewer is no new request: the load limit does not stand against it."""

from __future__ import annotations

from alembic import op

revision = "assignment_returned"
down_revision = "assignment_plans"
branch_labels = None
depends_on = None

FUNCTION = """
    create or replace function hold_reviewer_load() returns trigger language plpgsql as $$
    declare
        most integer;
        busy integer;
    begin
        if new.state not in ('assigned', 'open')
            or (tg_op = 'UPDATE' and old.state in (KEPT) and old.reviewer_id = new.reviewer_id) then
            return new;
        end if;
        perform lock_person(new.reviewer_id);
        select coalesce((select load_limit from reviewer_profile where user_id = new.reviewer_id), 15) into most;
        select count(*) into busy
        from assignment
        join application on application.id = assignment.application_id
        where assignment.reviewer_id = new.reviewer_id and assignment.state in ('assigned', 'open')
            and assignment.id <> new.id
            and application.tender_id = (select tender_id from application where id = new.application_id);
        if busy >= most then
            raise exception 'reviewer % has % unfinished reviews of this tender already', new.reviewer_id, busy
                using errcode = 'check_violation', constraint = 'reviewer_load_limit';
        end if;
        return new;
    end $$
"""


def upgrade() -> None:
    op.execute(FUNCTION.replace("KEPT", "'assigned', 'open', 'submitted'"))


def downgrade() -> None:
    op.execute(FUNCTION.replace("KEPT", "'assigned', 'open'"))
