"""A posting in one statement: envelopes locked, posting and lines written; the trail's head locked and read in one."""

from __future__ import annotations

from alembic import op

revision = "ledger_post"
down_revision = "ledger_orders"
branch_labels = None
depends_on = None

# The envelopes are locked in the order of their ids before the posting gets its number. Inside, a refusal of the
# database takes back the posting and keeps the locks: the caller reads what is there and says what is lacking.
LEDGER_POST = """
create function ledger_post(
    new_id uuid, new_key text, new_hash text, new_kind text, new_reason text, new_document text,
    new_author uuid, new_author_name text, new_subject_type text, new_subject_id uuid, new_reverses uuid,
    envelopes uuid[], accounts text[], amounts numeric[],
    out number bigint, out at timestamptz, out transaction bigint, out refused text
) language plpgsql as $$
declare
    moved timestamptz;
    found_envelopes bigint;
begin
    select count(*), max(moved_at) into found_envelopes, moved from (
        select moved_at from envelope where id = any (envelopes) order by id for no key update
    ) as locked;
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

AUDIT_HEAD = """
create function audit_head(chain bigint, out seq bigint, out hash text, out at timestamptz) language plpgsql as $$
begin
    perform pg_advisory_xact_lock(chain);
    select audit_event.seq, audit_event.hash into seq, hash from audit_event order by audit_event.seq desc limit 1;
    at := portal_now();
end $$
"""


def upgrade() -> None:
    op.execute(LEDGER_POST)
    op.execute(AUDIT_HEAD)


def downgrade() -> None:
    op.execute("drop function audit_head(bigint)")
    op.execute(
        "drop function ledger_post(uuid, text, text, text, text, text, uuid, text, text, uuid, uuid,"
        " uuid[], text[], numeric[])"
    )
