"""Who moves an envelope waits in a line: the first to come is the first to move it.

Those who wait for a row that is updated wait for one version of it. Each later version has a line of its own, whoever
comes new is before them, and each of them walks through all versions since. And a row that is locked outside of the
block that moves it has two owners in one transaction, whom everybody after it looks up. The more bookings an envelope
had, the longer each took. A lock on the envelope's id is a line in the order of coming.
"""

from __future__ import annotations

from alembic import op

revision = "ledger_turns"
down_revision = "ledger_plans"
branch_labels = None
depends_on = None

SPACE = 0x4A50_0003

# The envelopes are read by a statement of their own: as those before have left them.
LEDGER_TURN = f"""
create function ledger_turn(envelopes uuid[]) returns setof envelope language plpgsql as $$
begin
    perform pg_advisory_xact_lock({SPACE}, hashtext(id::text))
    from (select distinct id from unnest(envelopes) as id order by id) as ordered;
    return query select * from envelope where id = any (envelopes) order by id;
end $$
"""

LEDGER_POST = """
create or replace function ledger_post(
    new_id uuid, new_key text, new_hash text, new_kind text, new_reason text, new_document text,
    new_author uuid, new_author_name text, new_subject_type text, new_subject_id uuid, new_reverses uuid,
    envelopes uuid[], accounts text[], amounts numeric[],
    out number bigint, out at timestamptz, out transaction bigint, out refused text
) language plpgsql as $$
declare
    moved timestamptz;
    found_envelopes bigint;
begin
    {locked}
    if found_envelopes < (select count(distinct id) from unnest(envelopes) as id) then
        refused := 'no_envelope';
        return;
    end if;
    begin
        -- A clock that steps back does not: in an envelope instants rise with the numbers.
        insert into posting (id, key, input_hash, kind, reason, document, author_id, author_name,
            subject_type, subject_id, reverses_id, at)
        values (new_id, new_key, new_hash, new_kind, new_reason, new_document, new_author, new_author_name,
            new_subject_type, new_subject_id, new_reverses, greatest(portal_now(), moved))
        on conflict (key) do nothing
        returning posting.number, posting.at, posting.transaction into number, at, transaction;
        if number is null then
            refused := 'repeated';
            return;
        end if;
        insert into posting_line (posting_id, line, envelope_id, account, amount)
        select new_id, line, envelope_id, account, amount
        from unnest(envelopes, accounts, amounts) with ordinality as given (envelope_id, account, amount, line);
    exception when integrity_constraint_violation or check_violation or unique_violation then
        number := null;
        get stacked diagnostics refused = constraint_name;
        if refused not in ('ledger_overdraw', 'uq_posting_reverses_id') then
            raise;
        end if;
    end;
end $$
"""

BY_TURN = """
    select count(*), max(moved_at) into found_envelopes, moved from ledger_turn(envelopes);
"""
BY_ROW = """
    select count(*), max(moved_at) into found_envelopes, moved from (
        select moved_at from envelope where id = any (envelopes) order by id for no key update
    ) as locked;
"""


def upgrade() -> None:
    op.execute(LEDGER_TURN)
    op.execute(LEDGER_POST.format(locked=BY_TURN.strip()))


def downgrade() -> None:
    op.execute(LEDGER_POST.format(locked=BY_ROW.strip()))
    op.execute("drop function ledger_turn(uuid[])")
