"""A signature of its own for each office, letters that are held, and the offices themselves."""

import sqlalchemy as sa
from alembic import op

revision = "commission_signatures"
down_revision = "desk_remarks"
branch_labels = None
depends_on = None

ROLES = "('administrator', 'officer', 'reviewer', 'chair', 'commission', 'auditor'{})"
JUDGES = "('reviewer', 'chair', 'commission'{})"

DUE = """
    create or replace function conflicts_due_for_person() returns trigger language plpgsql as $$
    declare
        changed jsonb := to_jsonb(coalesce(new, old));
    begin
        if exists (
            select from role_grant where user_id = (changed ->> 'user_id')::uuid and role in JUDGES
        ) then
            perform conflicts_due(jsonb_build_object('user_id', changed ->> 'user_id'));
        end if;
        return null;
    end $$
"""

GUARD = """
    create function guard_decision_signature() returns trigger language plpgsql as $$
    begin
        perform from award_decision
            where id = new.decision_id and drafted_by <> new.signed_by and digest = new.digest
                and signed_at is null and discarded_at is null;
        if not found then
            raise exception 'person % cannot sign decision %', new.signed_by, new.decision_id
                using errcode = 'check_violation', constraint = 'decision_signature_person';
        end if;
        perform lock_person(new.signed_by);
        perform refuse_barred(new.signed_by, application_id)
            from decision_line where decision_id = new.decision_id and outcome in ('award', 'reserve');
        return new;
    end $$
"""


def upgrade() -> None:
    _offices(", 'director', 'finance'")
    op.add_column("award_decision", sa.Column("letters_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("award_decision", sa.Column("letters_stopped_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("award_decision", sa.Column("letters_stopped_by", sa.Uuid(), nullable=True))
    op.add_column("award_decision", sa.Column("letters_stop_reason", sa.String(), nullable=True))
    op.create_foreign_key(
        op.f("fk_award_decision_letters_stopped_by"), "award_decision", "user_account", ["letters_stopped_by"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_award_decision_letters_after_publication"),
        "award_decision",
        "letters_at is null or published_at is not null",
    )
    op.create_check_constraint(
        op.f("ck_award_decision_letters_stopped"),
        "award_decision",
        "(letters_stopped_at is null) = (letters_stopped_by is null)"
        " and (letters_stopped_at is null) = (letters_stop_reason is null)"
        " and (letters_stopped_at is null or letters_at is not null)",
    )
    op.create_table(
        "decision_signature",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("office", sa.String(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint(
            "office in ('member', 'director', 'chair', 'finance')", name=op.f("ck_decision_signature_office")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["award_decision.id"], name=op.f("fk_decision_signature_decision_id")
        ),
        sa.ForeignKeyConstraint(["signed_by"], ["user_account.id"], name=op.f("fk_decision_signature_signed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_signature")),
        sa.UniqueConstraint("decision_id", "office", name=op.f("uq_decision_signature_decision_id_office")),
        sa.UniqueConstraint("decision_id", "signed_by", name=op.f("uq_decision_signature_decision_id_signed_by")),
    )
    op.execute(
        "insert into decision_signature (id, decision_id, office, signed_by, digest, signed_at)"
        " select gen_random_uuid(), id, 'member', signed_by, digest, signed_at from award_decision"
        " where signed_at is not null"
    )
    op.execute(GUARD)
    op.execute(
        "create trigger guard_decision_signature before insert on decision_signature"
        " for each row execute function guard_decision_signature()"
    )
    for event, each in (("update or delete", "row"), ("truncate", "statement")):
        name = "append_only" if each == "row" else "never_truncated"
        op.execute(
            f"create trigger {name} before {event} on decision_signature for each {each}"
            " execute function refuse_change()"
        )


def _offices(more: str) -> None:
    op.drop_constraint(op.f("ck_role_grant_role"), "role_grant", type_="check")
    op.create_check_constraint(op.f("ck_role_grant_role"), "role_grant", f"role in {ROLES.format(more)}")
    op.execute(DUE.replace("JUDGES", JUDGES.format(more)))


def downgrade() -> None:
    op.drop_table("decision_signature")
    op.execute("drop function guard_decision_signature()")
    for column in ("letters_at", "letters_stopped_at", "letters_stopped_by", "letters_stop_reason"):
        op.drop_column("award_decision", column)
    op.execute("delete from role_grant where role in ('director', 'finance')")
    _offices("")
