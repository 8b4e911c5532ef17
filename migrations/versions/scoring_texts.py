"""A score's sheet is kept as the text that was hashed, and sealed as such: nothing is read into JSONB and written again.

The seal of a new score is over ``row_to_json`` of its columns. Seals of before stay what they are: to_jsonb of a row is
the same whether the sheet is JSON or JSONB.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "scoring_texts"
down_revision = "treasury_comparing"
branch_labels = None
depends_on = None

COVERED = (
    "amounts, calibrated, digest, hpj, id, inputs, objective, recommended, reviews, run_id, sheet, submission_id, total"
)

LAYOUT = """
    create function seal_layout(relation oid, place text, omitted text[]{argument}) returns integer language plpgsql as $$
    declare
        held text[] := array(
            select attname::text from pg_attribute
            where attrelid = relation and attnum > 0 and not attisdropped and attname::text <> all (omitted)
            order by attname::text collate "C"
        );
        found integer;
    begin
        select id into found from row_layout where row_layout.place = seal_layout.place and covers = held{same};
        if found is null then
            insert into row_layout (place, covers{column}) values (seal_layout.place, held{value}) on conflict do nothing;
            select id into found from row_layout where row_layout.place = seal_layout.place and covers = held{same};
        end if;
        return found;
    end $$
"""

TEXTS = """
    create function seal_texts() returns trigger language plpgsql set timezone = 'UTC' as $$
    declare
        layout integer := seal_layout(tg_relid, tg_table_name, tg_argv[0]::text[], 'text');
        said text := (select string_agg(quote_ident(name), ', ' order by at)
            from row_layout, unnest(covers) with ordinality as columns (name, at) where id = layout);
    begin
        if not exists (select from fresh) then
            return null;
        end if;
        execute format(
            'insert into row_seal (batch, place, layout, key, digest) select $1, $2, $3, fresh.%I::text,'
            ' encode(sha256(convert_to(row_to_json(said)::text, ''UTF8'')), ''hex'')'
            ' from fresh, lateral (select %s) as said', tg_argv[1], said
        ) using seal_batch(), tg_table_name, layout;
        return null;
    end $$
"""

# As it was, but for a statement that touches no row: it opened a batch without rows, which no event may bind.
ROWS = """
    create or replace function seal_rows() returns trigger language plpgsql set timezone = 'UTC' as $$
    declare
        omitted text[] := tg_argv[0]::text[];
        batch uuid;
        layout integer;
    begin
        if tg_op = 'DELETE' then
            if not exists (select from gone) then
                return null;
            end if;
            batch := seal_batch();
            layout := seal_layout(tg_relid, tg_table_name, omitted);
            insert into row_seal (batch, place, layout, key, digest)
            select batch, tg_table_name, layout, concat_ws('/', said ->> tg_argv[1], said ->> tg_argv[2]), null
            from (select to_jsonb(gone) as said from gone) as rows;
        else
            if not exists (select from fresh) then
                return null;
            end if;
            batch := seal_batch();
            layout := seal_layout(tg_relid, tg_table_name, omitted);
            insert into row_seal (batch, place, layout, key, digest)
            select batch, tg_table_name, layout, concat_ws('/', said ->> tg_argv[1], said ->> tg_argv[2]),
                encode(sha256(convert_to((said - omitted)::text, 'UTF8')), 'hex')
            from (select to_jsonb(fresh) as said from fresh) as rows;
        end if;
        return null;
    end $$
"""


def upgrade() -> None:
    op.execute("drop trigger seal_changed on score")
    op.execute("alter table score alter column sheet type json using sheet::json")
    op.execute(
        f"create trigger seal_changed after update of {COVERED} on score"
        " for each row execute function seal_row('{current}', 'id')"
    )
    op.add_column("row_layout", sa.Column("form", sa.String(), nullable=False, server_default="jsonb"))
    op.create_check_constraint(op.f("ck_row_layout_form"), "row_layout", "form in ('jsonb', 'text')")
    op.drop_constraint("uq_row_layout_place_covers", "row_layout", type_="unique")
    op.create_unique_constraint("uq_row_layout_place_covers_form", "row_layout", ["place", "covers", "form"])
    op.execute("drop function seal_layout(oid, text, text[])")
    op.execute(
        LAYOUT.format(
            argument=", form text default 'jsonb'",
            same=" and row_layout.form = seal_layout.form",
            column=", form",
            value=", seal_layout.form",
        )
    )
    op.execute(TEXTS)
    op.execute(ROWS)
    op.execute("drop trigger seal_new on score")
    op.execute(
        "create trigger seal_new after insert on score referencing new table as fresh"
        " for each statement execute function seal_texts('{current}', 'id')"
    )


def downgrade() -> None:
    """The way back to the tables of before. Seals of texts stay, under a name of their own: nobody can compute them then."""
    op.execute("drop trigger seal_new on score")
    op.execute("drop function seal_texts()")
    op.execute(
        "create trigger seal_new after insert on score referencing new table as fresh"
        " for each statement execute function seal_rows('{current}', 'id')"
    )
    op.execute("drop function seal_layout(oid, text, text[], text)")
    op.execute(LAYOUT.format(argument="", same="", column="", value=""))
    op.execute("alter table row_layout disable trigger append_only")
    op.execute("update row_layout set place = place || ' as text' where form = 'text'")
    op.execute("alter table row_layout enable trigger append_only")
    op.drop_constraint("uq_row_layout_place_covers_form", "row_layout", type_="unique")
    op.create_unique_constraint("uq_row_layout_place_covers", "row_layout", ["place", "covers"])
    op.drop_constraint(op.f("ck_row_layout_form"), "row_layout", type_="check")
    op.drop_column("row_layout", "form")
    op.execute("drop trigger seal_changed on score")
    op.execute("alter table score alter column sheet type jsonb using sheet::jsonb")
    op.execute(
        f"create trigger seal_changed after update of {COVERED} on score"
        " for each row execute function seal_row('{current}', 'id')"
    )
