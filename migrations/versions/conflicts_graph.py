"""Ties, owners, conflicts of interest; the database refuses what a barred person does and asks to compute anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "conflicts_graph"
down_revision = "scoring_runs"
branch_labels = None
depends_on = None

LIVE = "('submitted', 'returned', 'expertise')"
JUDGES = "('reviewer', 'chair', 'commission')"

FUNCTIONS = (
    # One lock for each person: who writes a conflict and who acts under it meet here, whichever comes first.
    """
    create function lock_person(person uuid) returns void language plpgsql as $$
    begin
        perform pg_advisory_xact_lock(hashtextextended('conflict:' || person::text, 0));
    end $$
    """,
    """
    create function person_barred(person uuid, place uuid) returns boolean language plpgsql as $$
    begin
        return exists (
            select from conflict
            where user_id = person and application_id = place and ended_at is null
                and (strength = 'hard' or ruling = 'upheld')
        ) or exists (
            select from participant
            join organisation on organisation.id = participant.organisation_id
            join organisation as branch on branch.inn = organisation.inn
            join membership on membership.organisation_id = branch.id
            where participant.application_id = place and participant.state in ('invited', 'accepted')
                and membership.user_id = person
        );
    end $$
    """,
    """
    create function refuse_barred(person uuid, place uuid) returns void language plpgsql as $$
    begin
        perform lock_person(person);
        if person_barred(person, place) then
            raise exception 'person % has a conflict of interest with application %', person, place
                using errcode = 'check_violation', constraint = 'conflict_of_interest';
        end if;
    end $$
    """,
    """
    create function guard_assignment() returns trigger language plpgsql as $$
    begin
        if new.state in ('assigned', 'open', 'submitted')
            and (tg_op = 'INSERT' or (new.state, new.reviewer_id, new.application_id)
                is distinct from (old.state, old.reviewer_id, old.application_id)) then
            perform refuse_barred(new.reviewer_id, new.application_id);
        end if;
        return new;
    end $$
    """,
    """
    create function guard_mark() returns trigger language plpgsql as $$
    begin
        perform refuse_barred(reviewer_id, application_id) from (
            select distinct reviewer_id, application_id from assignment
            join fresh on fresh.assignment_id = assignment.id order by reviewer_id
        ) as judged;
        return null;
    end $$
    """,
    # Who proposes a list, and who signs it, has no conflict with anybody who gets money by it or may still get it.
    """
    create function guard_decision_line() returns trigger language plpgsql as $$
    begin
        if new.outcome in ('award', 'reserve') and (tg_op = 'INSERT' or new.approved_at is distinct from old.approved_at)
        then
            perform refuse_barred(person, new.application_id) from (
                select distinct person from award_decision, unnest(array[drafted_by, signed_by]) as person
                where award_decision.id = new.decision_id and person is not null order by person
            ) as judges;
        end if;
        return new;
    end $$
    """,
    """
    create function guard_decision() returns trigger language plpgsql as $$
    begin
        if new.signed_by is not null and new.signed_by is distinct from old.signed_by then
            perform lock_person(person) from (
                select person from unnest(array[new.drafted_by, new.signed_by]) as person order by person
            ) as judges;
            perform refuse_barred(person, application_id)
            from decision_line, unnest(array[new.drafted_by, new.signed_by]) as person
            where decision_id = new.id and outcome in ('award', 'reserve');
        end if;
        return new;
    end $$
    """,
    # A conflict that bars and a review that counts do not both reach the disk.
    """
    create function guard_conflict() returns trigger language plpgsql as $$
    begin
        if exists (
            select from conflict
            join assignment on assignment.reviewer_id = conflict.user_id
                and assignment.application_id = conflict.application_id
            join application on application.id = conflict.application_id
            where conflict.id = new.id and conflict.ended_at is null
                and (conflict.strength = 'hard' or conflict.ruling = 'upheld')
                and assignment.state in ('assigned', 'open', 'submitted')
                and application.state in LIVE
        ) then
            raise exception 'a review of person % stands against conflict %', new.user_id, new.id
                using errcode = 'check_violation', constraint = 'conflict_of_interest';
        end if;
        return null;
    end $$
    """.replace("LIVE", LIVE),
    """
    create function lock_conflict() returns trigger language plpgsql as $$
    begin
        perform lock_person(new.user_id);
        return new;
    end $$
    """,
    """
    create function guard_tie() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or old.struck_at is not null
            or to_jsonb(new) - array['until', 'struck_at', 'struck_by', 'strike_reason']
                <> to_jsonb(old) - array['until', 'struck_at', 'struck_by', 'strike_reason'] then
            raise exception 'a tie ends or is struck out, it is not changed or deleted'
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    # A task for each transaction and scope. Its key holds the time too: transaction numbers begin anew after a restore.
    """
    create function conflicts_due(scope jsonb) returns void language plpgsql as $$
    begin
        insert into task (id, kind, lane, payload, key)
        select gen_random_uuid(), 'find_conflicts', 'work', scope,
            'find_conflicts:' || extract(epoch from now()) || ':' || pg_current_xact_id() || ':' || scope
        where exists (select from application where state in LIVE)
        on conflict (key) do nothing;
    end $$
    """.replace("LIVE", LIVE),
    """
    create function conflicts_due_for_all() returns trigger language plpgsql as $$
    begin
        perform conflicts_due('{}');
        return null;
    end $$
    """,
    """
    create function conflicts_due_for_person() returns trigger language plpgsql as $$
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
    """.replace("JUDGES", JUDGES),
    """
    create function conflicts_due_for_applications() returns trigger language plpgsql as $$
    declare
        one uuid;
        many bigint;
    begin
        if tg_table_name = 'participant' then
            select min(id::text)::uuid, count(*) into one, many from (
                select distinct application.id from application join fresh on fresh.application_id = application.id
                where application.state in LIVE
            ) as changed;
        else
            select min(id::text)::uuid, count(*) into one, many from (
                select fresh.id from fresh join stale on stale.id = fresh.id
                where fresh.state in LIVE and (stale.state not in LIVE
                    or (fresh.submission_id, fresh.cluster_id) is distinct from (stale.submission_id, stale.cluster_id))
            ) as changed;
        end if;
        if many = 1 then
            perform conflicts_due(jsonb_build_object('application_id', one));
        elsif many > 1 then
            perform conflicts_due('{}');
        end if;
        return null;
    end $$
    """.replace("LIVE", LIVE),
)

TRIGGERS = (
    "create trigger guard_assignment before insert or update on assignment"
    " for each row execute function guard_assignment()",
    "create trigger guard_mark after insert on mark referencing new table as fresh"
    " for each statement execute function guard_mark()",
    "create trigger guard_decision_line before insert or update on decision_line"
    " for each row execute function guard_decision_line()",
    "create trigger guard_decision before update on award_decision for each row execute function guard_decision()",
    "create trigger lock_conflict before insert or update on conflict for each row execute function lock_conflict()",
    "create constraint trigger guard_conflict after insert or update on conflict deferrable initially deferred"
    " for each row execute function guard_conflict()",
    "create trigger lock_tie before insert or update on person_tie for each row execute function lock_conflict()",
    "create trigger guard_tie before update or delete on person_tie for each row execute function guard_tie()",
    "create trigger conflicts_due after insert or update on person_tie"
    " for each row execute function conflicts_due_for_person()",
    "create trigger conflicts_due after insert or update or delete on membership"
    " for each row execute function conflicts_due_for_person()",
    "create trigger conflicts_due after insert on role_grant"
    " for each row execute function conflicts_due_for_person()",
    "create trigger conflicts_due after insert or update on organisation_owner"
    " for each statement execute function conflicts_due_for_all()",
    "create trigger conflicts_due after insert or update or delete on supply"
    " for each statement execute function conflicts_due_for_all()",
    "create trigger conflicts_due after insert or update or delete on cluster_member"
    " for each statement execute function conflicts_due_for_all()",
    "create trigger conflicts_due after update on cluster"
    " for each row when (old.spec_org_id is distinct from new.spec_org_id) execute function conflicts_due_for_all()",
    "create trigger conflicts_due_update after update on application referencing old table as stale new table as fresh"
    " for each statement execute function conflicts_due_for_applications()",
    "create trigger conflicts_due_insert after insert on participant referencing new table as fresh"
    " for each statement execute function conflicts_due_for_applications()",
    "create trigger conflicts_due_update after update on participant referencing old table as stale new table as fresh"
    " for each statement execute function conflicts_due_for_applications()",
)


def upgrade() -> None:
    op.add_column("assignment", sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_assignment_stopped"), "assignment", "stopped_at is null or state = 'conflict'"
    )
    op.create_index(
        "ix_application_in_play", "application", ["tender_track_id", "id"], postgresql_where=sa.text(f"state in {LIVE}")
    )
    _ties()
    _owners()
    _conflicts()
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)


def _made() -> sa.Column[object]:
    return sa.Column(
        "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
    )


def _struck() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("struck_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("struck_by", sa.Uuid(), nullable=True),
        sa.Column("strike_reason", sa.String(), nullable=True),
    )


STRUCK = "(struck_at is null) = (struck_by is null) and (struck_at is null) = (strike_reason is null)"


def _ties() -> None:
    op.create_table(
        "person_tie",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("inn", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("share", sa.Numeric(5, 2), nullable=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("declared_by", sa.Uuid(), nullable=False),
        *_struck(),
        _made(),
        sa.CheckConstraint("inn ~ '^([0-9]{10}|[0-9]{12})$'", name=op.f("ck_person_tie_inn")),
        sa.CheckConstraint(
            "kind in ('employment', 'ownership', 'contract', 'family', 'other')", name=op.f("ck_person_tie_kind")
        ),
        sa.CheckConstraint(
            "(kind = 'ownership') = (share is not null)", name=op.f("ck_person_tie_share_of_owner")
        ),
        sa.CheckConstraint("share > 0 and share <= 100", name=op.f("ck_person_tie_share")),
        sa.CheckConstraint(
            "until is null or since is null or until >= since", name=op.f("ck_person_tie_dates")
        ),
        sa.CheckConstraint("declared_by = user_id or length(source) > 0", name=op.f("ck_person_tie_source")),
        sa.CheckConstraint(STRUCK, name=op.f("ck_person_tie_struck")),
        *(
            sa.ForeignKeyConstraint([name], ["user_account.id"], name=f"fk_person_tie_{name}")
            for name in ("user_id", "declared_by", "struck_by")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_person_tie"),
    )
    op.create_index("ix_person_tie_user", "person_tie", ["user_id"])
    op.create_index("ix_person_tie_inn", "person_tie", ["inn"])


def _owners() -> None:
    op.create_table(
        "organisation_owner",
        sa.Column("id", sa.Uuid(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("owner_inn", "owner_name", "owned_inn", "owned_name")
        ),
        sa.Column("share", sa.Numeric(5, 2), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        *_struck(),
        _made(),
        *(
            sa.CheckConstraint(f"{name} ~ '^([0-9]{{10}}|[0-9]{{12}})$'", name=op.f(f"ck_organisation_owner_{name}"))
            for name in ("owner_inn", "owned_inn")
        ),
        sa.CheckConstraint("owner_inn <> owned_inn", name=op.f("ck_organisation_owner_parties")),
        sa.CheckConstraint("share > 0 and share <= 100", name=op.f("ck_organisation_owner_share")),
        sa.CheckConstraint("length(source) > 0", name=op.f("ck_organisation_owner_source")),
        sa.CheckConstraint(STRUCK, name=op.f("ck_organisation_owner_struck")),
        *(
            sa.ForeignKeyConstraint([name], ["user_account.id"], name=f"fk_organisation_owner_{name}")
            for name in ("entered_by", "struck_by")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_organisation_owner"),
    )
    op.create_index(
        "uq_organisation_owner_live",
        "organisation_owner",
        ["owner_inn", "owned_inn"],
        unique=True,
        postgresql_where=sa.text("struck_at is null"),
    )


def _conflicts() -> None:
    op.create_table(
        "conflict",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("strength", sa.String(), nullable=False),
        sa.Column("paths", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ruling", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("ruled_by", sa.Uuid(), nullable=True),
        sa.Column("ruled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        _made(),
        sa.CheckConstraint("strength in ('hard', 'soft')", name=op.f("ck_conflict_strength")),
        sa.CheckConstraint("ruling is null or ruling in ('waived', 'upheld')", name=op.f("ck_conflict_ruling")),
        sa.CheckConstraint(
            "(ruling is null) = (ruled_at is null) and (ruling is null) = (ruled_by is null)",
            name=op.f("ck_conflict_ruled"),
        ),
        sa.CheckConstraint(
            "ruling is null or (strength = 'soft' and length(reason) > 0)",
            name=op.f("ck_conflict_only_soft_is_ruled"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_conflict_user_id"),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name="fk_conflict_application_id"),
        sa.ForeignKeyConstraint(["ruled_by"], ["user_account.id"], name="fk_conflict_ruled_by"),
        sa.PrimaryKeyConstraint("id", name="pk_conflict"),
        sa.UniqueConstraint("user_id", "application_id", name="uq_conflict_user_id_application_id"),
    )
    op.create_index("ix_conflict_application", "conflict", ["application_id"])
    op.create_index("ix_conflict_list", "conflict", ["id"], postgresql_where=sa.text("ended_at is null"))


def downgrade() -> None:
    for name, table in (
        ("conflicts_due_update", "participant"),
        ("conflicts_due_insert", "participant"),
        ("conflicts_due_update", "application"),
        ("conflicts_due", "cluster"),
        ("conflicts_due", "cluster_member"),
        ("conflicts_due", "supply"),
        ("conflicts_due", "role_grant"),
        ("conflicts_due", "membership"),
        ("guard_decision", "award_decision"),
        ("guard_decision_line", "decision_line"),
        ("guard_mark", "mark"),
        ("guard_assignment", "assignment"),
    ):
        op.execute(f"drop trigger {name} on {table}")
    for table in ("conflict", "organisation_owner", "person_tie"):
        op.drop_table(table)
    for function in (
        "conflicts_due_for_applications()",
        "conflicts_due_for_person()",
        "conflicts_due_for_all()",
        "conflicts_due(jsonb)",
        "guard_tie()",
        "lock_conflict()",
        "guard_conflict()",
        "guard_decision()",
        "guard_decision_line()",
        "guard_mark()",
        "guard_assignment()",
        "refuse_barred(uuid, uuid)",
        "person_barred(uuid, uuid)",
        "lock_person(uuid)",
    ):
        op.execute(f"drop function {function}")
    op.drop_index("ix_application_in_play", table_name="application")
    op.drop_constraint(op.f("ck_assignment_stopped"), "assignment", type_="check")
    op.drop_column("assignment", "stopped_at")
