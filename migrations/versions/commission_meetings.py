"""Meetings of the commission. The database keeps votes, results and minutes from change, and people from voting twice."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "commission_meetings"
down_revision = "ledger_post"
branch_labels = None
depends_on = None

LIVE = "state in ('waiting', 'voting', 'tied', 'adopted')"

FUNCTIONS = (
    # The projects that an item gives money to, or may still give it: nobody votes on them with a conflict.
    """
    create function gaining_of(item uuid) returns setof uuid language sql stable as $$
        select line.application_id from agenda_item
        join decision_line line on line.decision_id = agenda_item.decision_id
        where agenda_item.id = item and line.outcome in ('award', 'reserve')
    $$
    """,
    """
    create function require_voter(item uuid, voter uuid, way varchar) returns void language plpgsql as $$
    begin
        perform from agenda_item
            join meeting on meeting.id = agenda_item.meeting_id
            join meeting_member member on member.meeting_id = meeting.id and member.user_id = voter
            where agenda_item.id = item and agenda_item.state = 'voting' and agenda_item.ballot = way
                and meeting.state = 'open' and member.present
                and not exists (select from recusal where item_id = item and user_id = voter);
        if not found then
            raise exception 'person % has no vote on item %', voter, item
                using errcode = 'check_violation', constraint = 'no_vote';
        end if;
        perform refuse_barred(voter, application) from gaining_of(item) as application;
    end $$
    """,
    """
    create function guard_member_vote() returns trigger language plpgsql as $$
    begin
        perform require_voter(new.item_id, new.user_id, 'open');
        return new;
    end $$
    """,
    # One voter more and one vote more, or nothing: whoever changes a secret ballot in any other way is refused.
    """
    create function guard_secret_ballot() returns trigger language plpgsql as $$
    declare
        fresh uuid[];
    begin
        if tg_op = 'INSERT' then
            if new.voters <> '{}' then
                raise exception 'a ballot begins empty' using errcode = 'check_violation', constraint = 'secret_ballot';
            end if;
            return new;
        end if;
        fresh := array(select unnest(new.voters) except select unnest(old.voters));
        if new.item_id <> old.item_id or not new.voters @> old.voters or cardinality(fresh) <> 1
            or cardinality(new.voters) <> cardinality(old.voters) + 1
            or new.voters <> array(select voter from unnest(new.voters) as voter order by voter)
            or new.yes < old.yes or new.no < old.no or new.abstained < old.abstained then
            raise exception 'a ballot takes one vote at a time'
                using errcode = 'check_violation', constraint = 'secret_ballot';
        end if;
        perform require_voter(new.item_id, fresh[1], 'closed');
        return new;
    end $$
    """,
    """
    create function guard_agenda_item() returns trigger language plpgsql as $$
    declare
        yes_votes bigint;
        no_votes bigint;
        abstentions bigint;
    begin
        if tg_op = 'DELETE' or old.state in ('adopted', 'rejected', 'no_quorum', 'withdrawn')
            or to_jsonb(new) - array['state', 'opened_at', 'closed_at', 'entitled', 'present', 'yes', 'no',
                'abstained', 'casting']
                <> to_jsonb(old) - array['state', 'opened_at', 'closed_at', 'entitled', 'present', 'yes', 'no',
                'abstained', 'casting'] then
            raise exception 'item % of an agenda stays as it is', old.id
                using errcode = 'integrity_constraint_violation';
        end if;
        if new.state in ('tied', 'adopted', 'rejected', 'no_quorum') then
            if new.ballot = 'open' then
                select count(*) filter (where choice = 'yes'), count(*) filter (where choice = 'no'),
                    count(*) filter (where choice = 'abstain') into yes_votes, no_votes, abstentions
                from member_vote where item_id = new.id;
            else
                select yes, no, abstained into yes_votes, no_votes, abstentions
                from secret_ballot where item_id = new.id;
            end if;
            if (new.yes, new.no, new.abstained)
                is distinct from (yes_votes::integer, no_votes::integer, abstentions::integer) then
                raise exception 'the counts of item % are not those of its votes', new.id
                    using errcode = 'check_violation', constraint = 'votes_counted';
            end if;
        end if;
        return new;
    end $$
    """,
    """
    create function guard_recusal() returns trigger language plpgsql as $$
    begin
        if exists (select from member_vote where item_id = new.item_id and user_id = new.user_id)
            or exists (select from secret_ballot where item_id = new.item_id and new.user_id = any (voters))
            or not exists (select from agenda_item where id = new.item_id and state in ('waiting', 'voting')) then
            raise exception 'person % cannot be recused from item % any more', new.user_id, new.item_id
                using errcode = 'check_violation', constraint = 'recused_too_late';
        end if;
        return new;
    end $$
    """,
    # Where the rules ask for a commission, nobody signs what it has not adopted.
    """
    create function guard_adopted() returns trigger language plpgsql as $$
    begin
        if exists (
            select from award_decision decision
            join tender_track track on track.id = decision.tender_track_id
            join rule_set on rule_set.id = track.rule_set_id
            where decision.id = new.decision_id and jsonb_typeof(rule_set.content -> 'commission') = 'object'
        ) and not exists (select from agenda_item where decision_id = new.decision_id and state = 'adopted') then
            raise exception 'decision % is not adopted by a commission', new.decision_id
                using errcode = 'check_violation', constraint = 'decision_adopted';
        end if;
        return new;
    end $$
    """,
    """
    create function guard_minutes_signature() returns trigger language plpgsql as $$
    begin
        perform from minutes join meeting on meeting.id = minutes.meeting_id
            where minutes.id = new.minutes_id and minutes.digest = new.digest
                and new.signed_by = case new.capacity when 'chair' then meeting.chair_id else meeting.secretary_id end;
        if not found then
            raise exception 'person % does not sign these minutes', new.signed_by
                using errcode = 'check_violation', constraint = 'minutes_signer';
        end if;
        return new;
    end $$
    """,
)
TRIGGERS = (
    "create trigger guard_member_vote before insert on member_vote for each row execute function guard_member_vote()",
    "create trigger guard_secret_ballot before insert or update on secret_ballot"
    " for each row execute function guard_secret_ballot()",
    "create trigger guard_agenda_item before update or delete on agenda_item"
    " for each row execute function guard_agenda_item()",
    "create trigger guard_recusal before insert on recusal for each row execute function guard_recusal()",
    "create trigger guard_adopted before insert on decision_signature for each row execute function guard_adopted()",
    "create trigger guard_minutes_signature before insert on minutes_signature"
    " for each row execute function guard_minutes_signature()",
    "create trigger append_only before delete on secret_ballot for each row execute function refuse_change()",
    "create trigger never_truncated before truncate on secret_ballot"
    " for each statement execute function refuse_change()",
    *(
        f"create trigger {name} before {event} on {table} for each {each} execute function refuse_change()"
        for table in ("recusal", "member_vote", "minutes", "minutes_signature")
        for name, event, each in (
            ("append_only", "update or delete", "row"),
            ("never_truncated", "truncate", "statement"),
        )
    ),
)


def _person(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["user_account.id"], name=op.f(f"fk_{table}_{column}"))


def _now(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "meeting",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("chair_id", sa.Uuid(), nullable=False),
        sa.Column("secretary_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        _now("created_at"),
        sa.CheckConstraint("state in ('planned', 'open', 'closed')", name=op.f("ck_meeting_state")),
        sa.CheckConstraint("number > 0", name=op.f("ck_meeting_number")),
        sa.CheckConstraint("chair_id <> secretary_id", name=op.f("ck_meeting_two_persons")),
        sa.CheckConstraint("(opened_at is null) = (state = 'planned')", name=op.f("ck_meeting_opened")),
        sa.CheckConstraint("(closed_at is null) = (state <> 'closed')", name=op.f("ck_meeting_closed")),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_meeting_tender_id")),
        _person("chair_id", "meeting"),
        _person("secretary_id", "meeting"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting")),
        sa.UniqueConstraint("tender_id", "number", name=op.f("uq_meeting_tender_id_number")),
    )
    op.create_index("ix_meeting_starts_at", "meeting", ["starts_at", "id"])
    op.create_table(
        "meeting_member",
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name=op.f("fk_meeting_member_meeting_id")),
        _person("user_id", "meeting_member"),
        sa.PrimaryKeyConstraint("meeting_id", "user_id", name=op.f("pk_meeting_member")),
    )
    op.create_index("ix_meeting_member_user", "meeting_member", ["user_id", "meeting_id"])
    _items()
    op.create_table(
        "recusal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", postgresql.JSONB(), nullable=False),
        _now("created_at"),
        sa.CheckConstraint("source in ('graph', 'declared')", name=op.f("ck_recusal_source")),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_item.id"], name=op.f("fk_recusal_item_id")),
        _person("user_id", "recusal"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recusal")),
        sa.UniqueConstraint("item_id", "user_id", name=op.f("uq_recusal_item_id_user_id")),
    )
    op.create_table(
        "member_vote",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("choice", sa.String(), nullable=False),
        _now("voted_at"),
        sa.CheckConstraint("choice in ('yes', 'no', 'abstain')", name=op.f("ck_member_vote_choice")),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_item.id"], name=op.f("fk_member_vote_item_id")),
        _person("user_id", "member_vote"),
        sa.PrimaryKeyConstraint("item_id", "user_id", name=op.f("pk_member_vote")),
    )
    op.create_table(
        "secret_ballot",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("voters", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in ("yes", "no", "abstained")),
        sa.CheckConstraint("yes >= 0 and no >= 0 and abstained >= 0", name=op.f("ck_secret_ballot_counts")),
        sa.CheckConstraint("yes + no + abstained = cardinality(voters)", name=op.f("ck_secret_ballot_one_each")),
        sa.ForeignKeyConstraint(["item_id"], ["agenda_item.id"], name=op.f("fk_secret_ballot_item_id")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_secret_ballot")),
    )
    _minutes()
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)


def _items() -> None:
    op.create_table(
        "agenda_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=True),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("ballot", sa.String(), nullable=False),
        sa.Column("quorum_parts", sa.Integer(), nullable=False),
        sa.Column("quorum_of", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("entitled", "present", "yes", "no", "abstained")),
        sa.Column("casting", sa.String(), nullable=True),
        sa.CheckConstraint("kind in ('track', 'decision', 'other')", name=op.f("ck_agenda_item_kind")),
        sa.CheckConstraint(
            "state in ('waiting', 'voting', 'tied', 'adopted', 'rejected', 'no_quorum', 'withdrawn')",
            name=op.f("ck_agenda_item_state"),
        ),
        sa.CheckConstraint("ballot in ('open', 'closed')", name=op.f("ck_agenda_item_ballot")),
        sa.CheckConstraint(
            "(kind = 'decision') = (decision_id is not null)", name=op.f("ck_agenda_item_decision")
        ),
        sa.CheckConstraint("kind <> 'track' or tender_track_id is not null", name=op.f("ck_agenda_item_track")),
        sa.CheckConstraint("kind <> 'other' or title <> ''", name=op.f("ck_agenda_item_title")),
        sa.CheckConstraint("casting is null or casting in ('yes', 'no')", name=op.f("ck_agenda_item_casting")),
        sa.CheckConstraint("quorum_parts > 0 and quorum_parts <= quorum_of", name=op.f("ck_agenda_item_quorum")),
        sa.CheckConstraint(
            "(entitled is null) = (state not in ('tied', 'adopted', 'rejected', 'no_quorum'))",
            name=op.f("ck_agenda_item_counted"),
        ),
        sa.CheckConstraint(
            "yes + no + abstained <= present and present <= entitled", name=op.f("ck_agenda_item_counts")
        ),
        sa.CheckConstraint(
            "state not in ('tied', 'adopted', 'rejected')"
            " or (present >= 2 and present * quorum_of >= entitled * quorum_parts)",
            name=op.f("ck_agenda_item_has_quorum"),
        ),
        sa.CheckConstraint(
            "state <> 'adopted' or 2 * yes > present or (2 * yes = present and casting = 'yes')",
            name=op.f("ck_agenda_item_majority"),
        ),
        sa.CheckConstraint(
            "state <> 'tied' or (2 * yes = present and casting is null)", name=op.f("ck_agenda_item_tie")
        ),
        sa.CheckConstraint(
            "(closed_at is null) = (state in ('waiting', 'voting', 'tied', 'withdrawn'))",
            name=op.f("ck_agenda_item_closed"),
        ),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name=op.f("fk_agenda_item_meeting_id")),
        sa.ForeignKeyConstraint(["tender_track_id"], ["tender_track.id"], name=op.f("fk_agenda_item_tender_track_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["award_decision.id"], name=op.f("fk_agenda_item_decision_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agenda_item")),
        sa.UniqueConstraint("meeting_id", "place", name=op.f("uq_agenda_item_meeting_id_place")),
    )
    op.create_index(
        "uq_agenda_item_decision", "agenda_item", ["decision_id"], unique=True, postgresql_where=sa.text(LIVE)
    )
    op.create_index("ix_agenda_item_decision", "agenda_item", ["decision_id"])


def _minutes() -> None:
    op.create_table(
        "minutes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        _now("created_at"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name=op.f("fk_minutes_meeting_id")),
        _person("drafted_by", "minutes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minutes")),
        sa.UniqueConstraint("meeting_id", name=op.f("uq_minutes_meeting_id")),
    )
    op.create_table(
        "minutes_signature",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("minutes_id", sa.Uuid(), nullable=False),
        sa.Column("capacity", sa.String(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        _now("signed_at"),
        sa.CheckConstraint("capacity in ('chair', 'secretary')", name=op.f("ck_minutes_signature_capacity")),
        sa.ForeignKeyConstraint(["minutes_id"], ["minutes.id"], name=op.f("fk_minutes_signature_minutes_id")),
        _person("signed_by", "minutes_signature"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minutes_signature")),
        sa.UniqueConstraint("minutes_id", "capacity", name=op.f("uq_minutes_signature_minutes_id_capacity")),
        sa.UniqueConstraint("minutes_id", "signed_by", name=op.f("uq_minutes_signature_minutes_id_signed_by")),
    )


def downgrade() -> None:
    op.execute("drop trigger guard_adopted on decision_signature")
    for table in (
        "minutes_signature",
        "minutes",
        "secret_ballot",
        "member_vote",
        "recusal",
        "agenda_item",
        "meeting_member",
        "meeting",
    ):
        op.drop_table(table)
    for name in (
        "guard_minutes_signature()",
        "guard_adopted()",
        "guard_recusal()",
        "guard_agenda_item()",
        "guard_secret_ballot()",
        "guard_member_vote()",
        "require_voter(uuid, uuid, varchar)",
        "gaining_of(uuid)",
    ):
        op.execute(f"drop function {name}")
