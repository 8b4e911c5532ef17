"""Offers of a part of the subsidy, answered by the initiator."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "offers_of_parts"
down_revision = "treasury_work"
branch_labels = None
depends_on = None

FUNCTIONS = (
    # Sent from a draft that is nobody's decision yet; answered once, in time, by the clock of the database.
    """
    create function guard_offer() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' then
            raise exception 'an offer is not deleted' using errcode = 'integrity_constraint_violation';
        elsif tg_op = 'INSERT' then
            perform from award_decision
                where id = new.decision_id and tender_track_id = new.tender_track_id
                    and signed_at is null and discarded_at is null;
            if not found or new.state <> 'open' then
                raise exception 'an offer belongs to a draft and is open'
                    using errcode = 'check_violation', constraint = 'offer_of_draft';
            end if;
            return new;
        end if;
        if old.state <> 'open'
            or (new.id, new.tender_track_id, new.application_id, new.submission_id, new.decision_id, new.sent_by,
                    new.sent_at, new.due_at)
                is distinct from (old.id, old.tender_track_id, old.application_id, old.submission_id,
                    old.decision_id, old.sent_by, old.sent_at, old.due_at) then
            raise exception 'offer % stays as it is', old.id using errcode = 'integrity_constraint_violation';
        end if;
        if new.state in ('accepted', 'refused') and portal_now() >= old.due_at
            or new.state = 'expired' and portal_now() < old.due_at then
            raise exception 'offer % is answered before it is due, or expires then', old.id
                using errcode = 'check_violation', constraint = 'offer_in_time';
        end if;
        return new;
    end $$
    """,
    # What is offered is what the drafted list gives, and less than what is asked for.
    """
    create function check_offer() returns trigger language plpgsql as $$
    declare
        key uuid;
    begin
        if tg_table_name = 'award_offer' then
            key := new.id;
        else
            key := new.offer_id;
        end if;
        if not exists (select from award_offer_amount where offer_id = key having sum(offered) < sum(asked))
            or exists (
                select from (
                    select year, offered as amount from award_offer_amount where offer_id = key and offered > 0
                ) as given full join (
                    select award_amount.year, award_amount.amount from award_amount
                    join decision_line on decision_line.id = award_amount.line_id
                    join award_offer on award_offer.decision_id = decision_line.decision_id
                        and award_offer.application_id = decision_line.application_id
                    where award_offer.id = key
                ) as listed on listed.year = given.year
                where given.amount is distinct from listed.amount
            ) then
            raise exception 'offer % is not a part that the list gives', key
                using errcode = 'check_violation', constraint = 'offer_of_part';
        end if;
        return null;
    end $$
    """,
    # A decision is not signed while an offer of its track waits, nor with an amount that was refused.
    """
    create function guard_signing_offers() returns trigger language plpgsql as $$
    declare
        key uuid;
    begin
        if tg_table_name = 'decision_signature' then
            key := new.decision_id;
        elsif new.signed_at is null or old.signed_at is not null then
            return new;
        else
            key := new.id;
        end if;
        if exists (
            select from award_offer
            join award_decision on award_decision.tender_track_id = award_offer.tender_track_id
            where award_decision.id = key and award_decision.number = 1 and award_offer.state = 'open'
        ) or exists (
            select from award_offer
            join decision_line on decision_line.decision_id = award_offer.decision_id
                and decision_line.application_id = award_offer.application_id
            where award_offer.decision_id = key and award_offer.state in ('refused', 'expired')
                and decision_line.outcome = 'award'
        ) then
            raise exception 'decision % waits for the answer to an offer', key
                using errcode = 'check_violation', constraint = 'offer_waits';
        end if;
        return new;
    end $$
    """,
)
TRIGGERS = (
    "create trigger guard_offer before insert or update or delete on award_offer"
    " for each row execute function guard_offer()",
    "create constraint trigger check_offer after insert on award_offer deferrable initially deferred"
    " for each row execute function check_offer()",
    "create constraint trigger check_offer after insert on award_offer_amount deferrable initially deferred"
    " for each row execute function check_offer()",
    "create trigger guard_offers before insert on decision_signature"
    " for each row execute function guard_signing_offers()",
    "create trigger guard_offers before update on award_decision"
    " for each row execute function guard_signing_offers()",
    "create trigger append_only before update or delete on award_offer_amount"
    " for each row execute function refuse_change()",
    *(
        f"create trigger never_truncated before truncate on {table} for each statement execute function refuse_change()"
        for table in ("award_offer", "award_offer_amount")
    ),
)
SEALED = {
    "award_offer": (
        "'{}', 'id'",
        "state, answered_by, proof, ended_at, reason, tender_track_id, application_id, submission_id, decision_id,"
        " sent_by, sent_at, due_at, id",
    ),
    "award_offer_amount": ("'{}', 'offer_id', 'year'", "offer_id, year, asked, offered"),
}


def upgrade() -> None:
    op.create_table(
        "award_offer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("sent_by", sa.Uuid(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("proof", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state in ('open', 'accepted', 'refused', 'expired', 'withdrawn')", name=op.f("ck_award_offer_state")
        ),
        sa.CheckConstraint("sent_at < due_at", name=op.f("ck_award_offer_due")),
        sa.CheckConstraint("(state = 'open') = (ended_at is null)", name=op.f("ck_award_offer_ended")),
        sa.CheckConstraint(
            "(state in ('accepted', 'refused')) = (answered_by is not null)"
            " and (answered_by is null) = (proof is null)",
            name=op.f("ck_award_offer_answered_by"),
        ),
        sa.CheckConstraint("state <> 'refused' or reason <> ''", name=op.f("ck_award_offer_reason")),
        sa.CheckConstraint(
            "state in ('open', 'withdrawn') or (ended_at < due_at) = (state <> 'expired')",
            name=op.f("ck_award_offer_in_time"),
        ),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_award_offer_{column}"))
            for column, table in (
                ("tender_track_id", "tender_track"),
                ("application_id", "application"),
                ("submission_id", "submission"),
                ("decision_id", "award_decision"),
                ("sent_by", "user_account"),
                ("answered_by", "user_account"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award_offer")),
    )
    op.create_index(
        "uq_award_offer_open", "award_offer", ["application_id"], unique=True, postgresql_where=sa.text("state = 'open'")
    )
    op.create_index("ix_award_offer_track", "award_offer", ["tender_track_id", "application_id"])
    op.create_index("ix_award_offer_due", "award_offer", ["due_at"], postgresql_where=sa.text("state = 'open'"))
    op.create_table(
        "award_offer_amount",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Numeric(18, 2), nullable=False),
        sa.Column("offered", sa.Numeric(18, 2), nullable=False),
        sa.CheckConstraint("asked > 0", name=op.f("ck_award_offer_amount_asked")),
        sa.CheckConstraint("offered between 0 and asked", name=op.f("ck_award_offer_amount_offered")),
        sa.ForeignKeyConstraint(["offer_id"], ["award_offer.id"], name=op.f("fk_award_offer_amount_offer_id")),
        sa.PrimaryKeyConstraint("offer_id", "year", name=op.f("pk_award_offer_amount")),
    )
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)
    for table, (arguments, columns) in SEALED.items():
        op.execute(
            f"create trigger seal_new after insert on {table} referencing new table as fresh"
            f" for each statement execute function seal_rows({arguments})"
        )
        op.execute(
            f"create trigger seal_gone after delete on {table} referencing old table as gone"
            f" for each statement execute function seal_rows({arguments})"
        )
        op.execute(
            f"create trigger seal_changed after update of {columns} on {table}"
            f" for each row execute function seal_row({arguments})"
        )


def downgrade() -> None:
    op.execute("drop trigger guard_offers on award_decision")
    op.execute("drop trigger guard_offers on decision_signature")
    for table in ("award_offer_amount", "award_offer"):
        op.drop_table(table)
    for name in ("guard_signing_offers", "check_offer", "guard_offer"):
        op.execute(f"drop function {name}()")
