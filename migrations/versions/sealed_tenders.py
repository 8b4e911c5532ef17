"""Sealed tenders: keepers and their keys, sealed submissions, and what triggers hold about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "sealed_tenders"
down_revision = "agreements"
branch_labels = None
depends_on = None

STATES = (
    "'draft', 'sealed', 'submitted', 'withdrawn', 'returned', 'rejected', 'expertise', 'awarded', 'reserve', 'declined'"
)
JSON = postgresql.JSONB(astext_type=sa.Text())
INSTANT = sa.DateTime(timezone=True)

EXCEPTIONS = """
    create or replace function guard_deadline_exception() returns trigger language plpgsql as $$
    declare
        closing timestamptz;
        given deadline_exception;
    begin
        update tender set exceptions = exceptions + 1
        where id = new.tender_id and published_at is not null and cancelled_at is null UNOPENED
        returning closes_at into closing;
        if not found then
            raise exception 'tender % takes no exceptions', new.tender_id
                using errcode = 'check_violation', constraint = 'deadline_exception_tender';
        end if;
        if new.revokes_id is not null then
            select * into given from deadline_exception where id = new.revokes_id;
            if given.revokes_id is not null or given.tender_id <> new.tender_id
                or given.application_id is distinct from new.application_id
                or given.organisation_id is distinct from new.organisation_id then
                raise exception 'row % is no exception of this place', new.revokes_id
                    using errcode = 'check_violation', constraint = 'deadline_exception_revokes';
            end if;
            return new;
        end if;
        if new.closes_at <= closing then
            raise exception 'an exception is later than the closing'
                using errcode = 'check_violation', constraint = 'deadline_exception_later';
        end if;
        if new.application_id is not null and not exists (
            select from application where id = new.application_id and tender_id = new.tender_id
        ) then
            raise exception 'application % is of another tender', new.application_id
                using errcode = 'check_violation', constraint = 'deadline_exception_application';
        end if;
        return new;
    end $$
"""

SUBMISSION = """
    create or replace function guard_submission() returns trigger language plpgsql as $$
    begin
        OPENING
        if tg_op = 'DELETE' or to_jsonb(new) - 'withdrawn_at' <> to_jsonb(old) - 'withdrawn_at'
            or old.withdrawn_at is not null then
            raise exception 'submission % is frozen', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
"""
OPENING = """
        if tg_op = 'UPDATE' and old.snapshot = '{}' and old.withdrawn_at is null
            and to_jsonb(new) - 'snapshot' = to_jsonb(old) - 'snapshot'
            and exists (select from application where id = old.application_id and state = 'sealed') then
            return new;
        end if;
"""

FUNCTIONS = (
    # Volatile, as later_closing is: each call reads by a snapshot of its own.
    """
    create function sealing_ends(wanted uuid) returns timestamptz language plpgsql volatile as $$
    begin
        return (
            select greatest(tender.closes_at, (
                select max(given.closes_at) from deadline_exception given
                where given.tender_id = wanted
                    and not exists (select from deadline_exception taken where taken.revokes_id = given.id)
            ))
            from tender where tender.id = wanted
        );
    end $$
    """,
    """
    create function guard_sealed_tender() returns trigger language plpgsql as $$
    begin
        if new.sealed <> old.sealed and old.published_at is not null then
            raise exception 'tender % is published', old.id
                using errcode = 'check_violation', constraint = 'tender_sealed_before_publication';
        end if;
        if new.unsealed_at is distinct from old.unsealed_at and (
            old.unsealed_at is not null or new.cancelled_at is not null
            or old.published_at is null or portal_now() < sealing_ends(old.id)
        ) then
            raise exception 'tender % cannot be opened now', old.id
                using errcode = 'check_violation', constraint = 'tender_unsealed_after_closing';
        end if;
        if old.unsealed_at is not null and new.closes_at is distinct from old.closes_at then
            raise exception 'tender % is being opened', old.id
                using errcode = 'check_violation', constraint = 'tender_unsealed_is_closed';
        end if;
        return new;
    end $$
    """,
    """
    create function seal_keys_used(wanted uuid) returns boolean language plpgsql volatile as $$
    begin
        return exists (select from seal where tender_id = wanted);
    end $$
    """,
    """
    create function guard_seal_key() returns trigger language plpgsql as $$
    declare
        giving constant text[] := array['given', 'given_at', 'version'];
    begin
        if tg_op = 'DELETE' or to_jsonb(new) - giving <> to_jsonb(old) - giving then
            if seal_keys_used(old.tender_id) then
                raise exception 'applications are sealed with key %', old.id
                    using errcode = 'check_violation', constraint = 'seal_key_in_use';
            end if;
            if (tg_op = 'DELETE' or new.user_id <> old.user_id or new.place <> old.place) and exists (
                select from tender where id = old.tender_id and published_at is not null
            ) then
                raise exception 'the keepers of tender % are announced', old.tender_id
                    using errcode = 'check_violation', constraint = 'seal_key_announced';
            end if;
        end if;
        if tg_op = 'UPDATE' and new.given is distinct from old.given and (old.given is not null or not exists (
            select from tender where id = old.tender_id and unsealed_at is not null
        )) then
            raise exception 'key % cannot be given now', old.id
                using errcode = 'check_violation', constraint = 'seal_key_given_after_closing';
        end if;
        return coalesce(new, old);
    end $$
    """,
    """
    create function guard_seal() returns trigger language plpgsql as $$
    declare
        moving constant text[] := array['wraps', 'own_key', 'vault', 'fault', 'fault_at', 'ended', 'ended_at'];
    begin
        if tg_op = 'DELETE' or old.ended is not null or to_jsonb(new) - moving <> to_jsonb(old) - moving
            or (new.ended is null and (new.wraps, new.own_key, new.vault) is distinct from
                (old.wraps, old.own_key, old.vault)) then
            raise exception 'submission % is sealed', old.submission_id
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    # While an application is sealed, and only then, what was signed may be taken out and put back.
    """
    create function guard_signature() returns trigger language plpgsql as $$
    declare
        content constant text[] := array['scope', 'manifest', 'file', 'file_sha256', 'cms'];
    begin
        if tg_op = 'UPDATE' and to_jsonb(new) - content = to_jsonb(old) - content
            and ((new.scope = '{}' and new.manifest = '{}' and new.file is null)
                or (old.scope = '{}' and old.manifest = '{}' and old.file is null))
            and exists (select from application where id = old.application_id and state = 'sealed') then
            return new;
        end if;
        raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
    end $$
    """,
    """
    create function guard_signature_void() returns trigger language plpgsql as $$
    begin
        if tg_op = 'UPDATE' and to_jsonb(new) - 'changes' = to_jsonb(old) - 'changes'
            and '[]' in (new.changes, old.changes)
            and exists (
                select from application join signature on signature.application_id = application.id
                where signature.id = old.signature_id and application.state = 'sealed'
            ) then
            return new;
        end if;
        raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
    end $$
    """,
)


def upgrade() -> None:
    op.add_column("tender", sa.Column("sealed", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("tender", sa.Column("unsealed_at", INSTANT, nullable=True))
    op.create_check_constraint(op.f("ck_tender_unsealed"), "tender", "unsealed_at is null or sealed")
    op.add_column("application", sa.Column("sealed", sa.Boolean(), server_default="false", nullable=False))
    op.drop_constraint(op.f("ck_application_state"), "application")
    op.create_check_constraint(op.f("ck_application_state"), "application", f"state in ({STATES})")
    op.create_check_constraint(
        op.f("ck_application_sealed"),
        "application",
        "state != 'sealed' or (sealed and title_ru = '' and title_en = '' and requested_total is null)",
    )
    op.create_check_constraint(
        op.f("ck_application_sealed_state"), "application", "not sealed or state in ('draft', 'sealed', 'withdrawn')"
    )
    op.add_column("stored_file", sa.Column("encrypted", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("stored_file", sa.Column("content_key", sa.LargeBinary(), nullable=True))
    op.create_check_constraint(
        op.f("ck_stored_file_content_key"),
        "stored_file",
        "content_key is null or (encrypted and length(content_key) = 32)",
    )
    _keys()
    _seals()
    op.execute(EXCEPTIONS.replace("UNOPENED", "and unsealed_at is null"))
    op.execute(SUBMISSION.replace("OPENING", OPENING))
    for statement in FUNCTIONS:
        op.execute(statement)
    op.execute(
        "create trigger guard_sealed before update on tender for each row when (old.sealed or new.sealed)"
        " execute function guard_sealed_tender()"
    )
    op.execute(
        "create trigger guard_seal_key before update or delete on seal_key"
        " for each row execute function guard_seal_key()"
    )
    op.execute("create trigger guard_seal before update or delete on seal for each row execute function guard_seal()")
    for table in ("signature", "signature_void"):
        op.execute(f"drop trigger append_only on {table}")
        op.execute(
            f"create trigger append_only before update or delete on {table}"
            f" for each row execute function guard_{table}()"
        )


def _keys() -> None:
    op.create_table(
        "seal_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("private", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", INSTANT, nullable=True),
        sa.Column("given", sa.LargeBinary(), nullable=True),
        sa.Column("given_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("place between 1 and 3", name=op.f("ck_seal_key_place")),
        sa.CheckConstraint(
            "num_nulls(public, salt, private, made_at) in (0, 4) and length(public) = 32 and length(salt) = 16",
            name=op.f("ck_seal_key_made"),
        ),
        sa.CheckConstraint(
            "(given is null) = (given_at is null) and (given is null or length(given) = 32)",
            name=op.f("ck_seal_key_given"),
        ),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_seal_key_tender_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_seal_key_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seal_key")),
        sa.UniqueConstraint("tender_id", "place", name=op.f("uq_seal_key_tender_id_place")),
        sa.UniqueConstraint("tender_id", "user_id", name=op.f("uq_seal_key_tender_id_user_id")),
    )
    op.create_index("ix_seal_key_user", "seal_key", ["user_id"])


def _seals() -> None:
    op.create_table(
        "seal",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("sealed_at", INSTANT, nullable=False),
        sa.Column("wraps", JSON, nullable=False),
        sa.Column("own_salt", sa.LargeBinary(), nullable=False),
        sa.Column("own_key", sa.LargeBinary(), nullable=True),
        sa.Column("vault", sa.LargeBinary(), nullable=True),
        sa.Column("vault_sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("fault", sa.String(), nullable=True),
        sa.Column("fault_at", sa.String(), nullable=True),
        sa.Column("ended", sa.String(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.CheckConstraint("ended in ('opened', 'withdrawn')", name=op.f("ck_seal_ended")),
        sa.CheckConstraint("fault in ('key', 'content', 'digest', 'signature', 'file')", name=op.f("ck_seal_fault")),
        sa.CheckConstraint(
            "(ended is null) = (ended_at is null) and (ended is null) = (vault is not null)",
            name=op.f("ck_seal_end"),
        ),
        sa.CheckConstraint(
            "ended is null or (wraps = '{}' and own_key is null and fault is null)", name=op.f("ck_seal_keys_gone")
        ),
        sa.CheckConstraint("length(vault_sha256) = 64", name=op.f("ck_seal_vault_sha256")),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_seal_submission_id")),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name=op.f("fk_seal_application_id")),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_seal_tender_id")),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_seal")),
    )
    op.create_index("ix_seal_application", "seal", ["application_id"])
    op.create_index("ix_seal_tender", "seal", ["tender_id", "number"])
    op.create_table(
        "seal_opening",
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("tries >= 1", name=op.f("ck_seal_opening_tries")),
        sa.CheckConstraint("finished_at >= begun_at", name=op.f("ck_seal_opening_finished")),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_seal_opening_tender_id")),
        sa.PrimaryKeyConstraint("tender_id", name=op.f("pk_seal_opening")),
    )


def downgrade() -> None:
    for table in ("signature", "signature_void"):
        op.execute(f"drop trigger append_only on {table}")
        op.execute(
            f"create trigger append_only before update or delete on {table}"
            " for each row execute function refuse_change()"
        )
    op.execute("drop trigger guard_sealed on tender")
    op.execute(EXCEPTIONS.replace("UNOPENED", ""))
    op.execute(SUBMISSION.replace("OPENING", ""))
    for table in ("seal_opening", "seal", "seal_key"):
        op.drop_table(table)
    for name in ("guard_signature_void", "guard_signature", "guard_seal", "guard_seal_key", "guard_sealed_tender"):
        op.execute(f"drop function {name}()")
    op.execute("drop function sealing_ends(uuid)")
    op.execute("drop function seal_keys_used(uuid)")
    op.drop_constraint(op.f("ck_stored_file_content_key"), "stored_file")
    op.drop_column("stored_file", "content_key")
    op.drop_column("stored_file", "encrypted")
    for name in ("sealed_state", "sealed", "state"):
        op.drop_constraint(op.f(f"ck_application_{name}"), "application")
    op.create_check_constraint(
        op.f("ck_application_state"), "application", "state in (" + STATES.replace(" 'sealed',", "") + ")"
    )
    op.drop_column("application", "sealed")
    op.drop_constraint(op.f("ck_tender_unsealed"), "tender")
    op.drop_column("tender", "unsealed_at")
    op.drop_column("tender", "sealed")
