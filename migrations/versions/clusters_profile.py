"""What a cluster shows of itself: programmes, profile, functional map with its figures, roadmap in versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "clusters_profile"
down_revision = "following_corrections"
branch_labels = None
depends_on = None

FUNCTIONS = (
    # A published version and its actions are what projects cite: they stay as they were published.
    """
    create function guard_roadmap() returns trigger language plpgsql as $$
    begin
        if old.state = 'published' then
            raise exception 'roadmap % is published', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return coalesce(new, old);
    end $$
    """,
    """
    create function guard_roadmap_action() returns trigger language plpgsql as $$
    begin
        if exists (
            select from roadmap where state = 'published' and id in (
                case when tg_op <> 'INSERT' then old.roadmap_id end,
                case when tg_op <> 'DELETE' then new.roadmap_id end
            )
        ) then
            raise exception 'a published roadmap does not change' using errcode = 'integrity_constraint_violation';
        end if;
        return coalesce(new, old);
    end $$
    """,
)
TRIGGERS = (
    "create trigger published_roadmap before update or delete on roadmap for each row execute function guard_roadmap()",
    "create trigger published_action before insert or update or delete on roadmap_action"
    " for each row execute function guard_roadmap_action()",
)


def upgrade() -> None:
    op.create_table(
        "cluster_document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint(
            "kind in ('agreement', 'programme', 'map', 'members', 'region', 'other')",
            name=op.f("ck_cluster_document_kind"),
        ),
        sa.ForeignKeyConstraint(["added_by"], ["user_account.id"], name=op.f("fk_cluster_document_added_by")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_document_cluster_id")),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_cluster_document_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_document")),
    )
    op.create_index("ix_cluster_document_cluster", "cluster_document", ["cluster_id", "kind"], unique=False)
    op.create_index(op.f("ix_cluster_document_file_id"), "cluster_document", ["file_id"], unique=False)
    op.create_table(
        "cluster_profile",
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("about_ru", sa.String(), nullable=False),
        sa.Column("about_en", sa.String(), nullable=False),
        sa.Column("facts_ru", sa.String(), nullable=False),
        sa.Column("facts_en", sa.String(), nullable=False),
        sa.Column("rcc_since", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_profile_cluster_id")),
        sa.PrimaryKeyConstraint("cluster_id", name=op.f("pk_cluster_profile")),
    )
    op.create_table(
        "cluster_programme",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("programme", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("programme in ('pilot_innovative', 'leading')", name=op.f("ck_cluster_programme_programme")),
        sa.CheckConstraint("until is null or until >= since", name=op.f("ck_cluster_programme_dates")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_programme_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_programme")),
        sa.UniqueConstraint(
            "cluster_id", "programme", "since", name=op.f("uq_cluster_programme_cluster_id_programme_since")
        ),
    )
    op.create_table(
        "cluster_year",
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("regional_productivity", sa.Numeric(18, 2), nullable=False),
        sa.CheckConstraint("regional_productivity > 0", name=op.f("ck_cluster_year_regional_productivity")),
        sa.CheckConstraint("year between 2000 and 2100", name=op.f("ck_cluster_year_year")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_year_cluster_id")),
        sa.PrimaryKeyConstraint("cluster_id", "year", name=op.f("pk_cluster_year")),
    )
    op.create_table(
        "infrastructure_object",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name_ru", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint(
            "kind in ('education', 'technology', 'finance')", name=op.f("ck_infrastructure_object_kind")
        ),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_infrastructure_object_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_infrastructure_object")),
    )
    op.create_index("ix_infrastructure_object_cluster", "infrastructure_object", ["cluster_id", "kind"], unique=False)
    op.create_table(
        "roadmap",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason_ru", sa.String(), nullable=False),
        sa.Column("reason_en", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("(state = 'published') = (published_at is not null)", name=op.f("ck_roadmap_published")),
        sa.CheckConstraint("state in ('draft', 'published')", name=op.f("ck_roadmap_state")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_roadmap_cluster_id")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_roadmap_created_by")),
        sa.ForeignKeyConstraint(["published_by"], ["user_account.id"], name=op.f("fk_roadmap_published_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roadmap")),
        sa.UniqueConstraint("cluster_id", "number", name=op.f("uq_roadmap_cluster_id_number")),
    )
    op.create_index(
        "uq_roadmap_draft", "roadmap", ["cluster_id"], unique=True, postgresql_where=sa.text("state = 'draft'")
    )
    op.create_table(
        "member_year",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("output", sa.Numeric(18, 2), nullable=False),
        sa.Column("exports", sa.Numeric(18, 2), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("hp_jobs", sa.Integer(), nullable=False),
        sa.Column("value_added", sa.Numeric(18, 2), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("jobs >= 0 and hp_jobs between 0 and jobs", name=op.f("ck_member_year_jobs")),
        sa.CheckConstraint("output >= 0 and exports between 0 and output", name=op.f("ck_member_year_output")),
        sa.CheckConstraint("year between 2000 and 2100", name=op.f("ck_member_year_year")),
        sa.ForeignKeyConstraint(
            ["cluster_id", "organisation_id"],
            ["cluster_member.cluster_id", "cluster_member.organisation_id"],
            name="fk_member_year_membership",
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_member_year_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_year")),
        sa.UniqueConstraint(
            "cluster_id", "organisation_id", "year", name=op.f("uq_member_year_cluster_id_organisation_id_year")
        ),
    )
    op.create_index("ix_member_year_cluster", "member_year", ["cluster_id", "year"], unique=False)
    op.create_table(
        "roadmap_action",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("roadmap_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title_ru", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("responsible_id", sa.Uuid(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("indicator_ru", sa.String(), nullable=False),
        sa.Column("indicator_en", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint("code ~ '^RM-[0-9]{2,3}$'", name=op.f("ck_roadmap_action_code")),
        sa.CheckConstraint(
            "kind in ('logistics', 'warehouse', 'market', 'retraining', 'rcc', 'productivity', 'chain', 'investment', 'other')",
            name=op.f("ck_roadmap_action_kind"),
        ),
        sa.CheckConstraint("state in ('planned', 'running', 'done', 'dropped')", name=op.f("ck_roadmap_action_state")),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_roadmap_action_dates")),
        sa.ForeignKeyConstraint(["responsible_id"], ["organisation.id"], name=op.f("fk_roadmap_action_responsible_id")),
        sa.ForeignKeyConstraint(["roadmap_id"], ["roadmap.id"], name=op.f("fk_roadmap_action_roadmap_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roadmap_action")),
        sa.UniqueConstraint("roadmap_id", "code", name=op.f("uq_roadmap_action_roadmap_id_code")),
    )
    op.create_table(
        "supply",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("supplier_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("okpd2", sa.String(), nullable=False),
        sa.Column("product_ru", sa.String(), nullable=False),
        sa.Column("product_en", sa.String(), nullable=False),
        sa.Column("volume", sa.Numeric(18, 2), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("supplier_id <> buyer_id", name=op.f("ck_supply_parties")),
        sa.CheckConstraint("volume > 0", name=op.f("ck_supply_volume")),
        sa.CheckConstraint("year between 2000 and 2100", name=op.f("ck_supply_year")),
        sa.ForeignKeyConstraint(
            ["cluster_id", "buyer_id"],
            ["cluster_member.cluster_id", "cluster_member.organisation_id"],
            name="fk_supply_buyer",
        ),
        sa.ForeignKeyConstraint(
            ["cluster_id", "supplier_id"],
            ["cluster_member.cluster_id", "cluster_member.organisation_id"],
            name="fk_supply_supplier",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supply")),
        sa.UniqueConstraint(
            "cluster_id",
            "year",
            "supplier_id",
            "buyer_id",
            "okpd2",
            name=op.f("uq_supply_cluster_id_year_supplier_id_buyer_id_okpd2"),
        ),
    )
    op.create_index(
        "ix_cluster_by_name_ru", "cluster", [sa.literal_column("replace(lower(name_ru), 'ё', 'е')"), "id"], unique=False
    )
    op.add_column(
        "cluster_member", sa.Column("special_territory", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("cluster_member", sa.Column("spic", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column(
        "cluster_member", sa.Column("starting", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("register_import", sa.Column("cluster_id", sa.Uuid(), nullable=True))
    op.create_index(op.f("ix_register_import_cluster_id"), "register_import", ["cluster_id"], unique=False)
    op.create_foreign_key(op.f("fk_register_import_cluster_id"), "register_import", "cluster", ["cluster_id"], ["id"])
    op.drop_constraint(op.f("ck_register_import_kind"), "register_import", type_="check")
    op.create_check_constraint(
        op.f("ck_register_import_kind"),
        "register_import",
        "kind in ('clusters', 'members', 'supplies', 'figures')",
    )
    op.create_check_constraint(
        op.f("ck_register_import_place"),
        "register_import",
        "(kind in ('supplies', 'figures')) = (cluster_id is not null)",
    )
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("delete from register_import where cluster_id is not null")
    op.drop_constraint(op.f("ck_register_import_place"), "register_import", type_="check")
    op.drop_constraint(op.f("ck_register_import_kind"), "register_import", type_="check")
    op.create_check_constraint(op.f("ck_register_import_kind"), "register_import", "kind in ('clusters', 'members')")
    op.drop_constraint(op.f("fk_register_import_cluster_id"), "register_import", type_="foreignkey")
    op.drop_index(op.f("ix_register_import_cluster_id"), table_name="register_import")
    op.drop_column("register_import", "cluster_id")
    op.drop_column("cluster_member", "starting")
    op.drop_column("cluster_member", "spic")
    op.drop_column("cluster_member", "special_territory")
    op.drop_index("ix_cluster_by_name_ru", table_name="cluster")
    op.drop_table("supply")
    op.drop_table("roadmap_action")
    op.drop_index("ix_member_year_cluster", table_name="member_year")
    op.drop_table("member_year")
    op.drop_index("uq_roadmap_draft", table_name="roadmap", postgresql_where=sa.text("state = 'draft'"))
    op.drop_table("roadmap")
    op.drop_index("ix_infrastructure_object_cluster", table_name="infrastructure_object")
    op.drop_table("infrastructure_object")
    op.drop_table("cluster_year")
    op.drop_table("cluster_programme")
    op.drop_table("cluster_profile")
    op.drop_index(op.f("ix_cluster_document_file_id"), table_name="cluster_document")
    op.drop_index("ix_cluster_document_cluster", table_name="cluster_document")
    op.drop_table("cluster_document")
    op.execute("drop function guard_roadmap_action()")
    op.execute("drop function guard_roadmap()")
