"""Rows that cannot be changed without being found: each is sealed as it is written, and the trail holds the seals.

Triggers write, for every row of :data:`SEALED` that comes, changes or goes, the SHA-256 of what it says into
``row_seal``; the batch of a transaction is bound by its digest into the audit event of that transaction
(:func:`portal.audit.service.record`). Whoever changes a row behind the triggers leaves one that is not what was
sealed; whoever changes the seal as well leaves a batch that is not what the trail tells of; whoever writes the trail
anew leaves one that ends in another head than was published.

Not sealed are rows that follow from others: postings with their lines are in their events word by word, the balances
follow from them (:mod:`portal.budget.verification`), and rows of the trail are sealed by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

FIRST: Final = UUID(int=0)
"""The batch of the rows that were there before there were seals."""

SEALED: Final[Mapping[str, tuple[str, ...]]] = {
    "agenda_item": ("id",),
    "agreement": ("id",),
    "agreement_change": ("id",),
    "agreement_due": ("id",),
    "agreement_result": ("id",),
    "appeal": ("id",),
    "application": ("id",),
    "assignment": ("id",),
    "award_amount": ("line_id", "year"),
    "award_decision": ("id",),
    "award_offer": ("id",),
    "award_offer_amount": ("offer_id", "year"),
    "award_refusal": ("id",),
    "budget_order": ("id",),
    "deadline_exception": ("id",),
    "decision_line": ("id",),
    "decision_signature": ("id",),
    "draw_commitment": ("id",),
    "draw_outcome": ("commitment_id",),
    "mark": ("id",),
    "meeting": ("id",),
    "meeting_member": ("meeting_id", "user_id"),
    "member_vote": ("item_id", "user_id"),
    "minutes": ("id",),
    "minutes_signature": ("id",),
    "recovery": ("id",),
    "recovery_receipt": ("id",),
    "recusal": ("id",),
    "reserve_proposal": ("id",),
    "results_bundle": ("id",),
    "review_calibration": ("id",),
    "review_version": ("id",),
    "rule_set": ("id",),
    "score": ("id",),
    "score_manifest": ("run_id",),
    "score_run": ("id",),
    "signature": ("id",),
    "signature_void": ("id",),
    "submission": ("id",),
    "tender": ("id",),
    "tender_amendment": ("id",),
    "tender_track": ("id",),
    "tranche": ("id",),
    "treasury_payment": ("id",),
    "treasury_statement": ("id",),
}
"""Table -> its primary key."""

_DIGEST: Final = (
    "encode(sha256(convert_to(string_agg(concat_ws(' ', place, layout, key, coalesce(digest, '-')), chr(10)"
    " order by id), 'UTF8')), 'hex')"
)
_WAITING: Final = text("select coalesce(current_setting('portal.seal_batch', true), '') <> ''")
_CLOSE: Final = text(f"select {_DIGEST}, set_config('portal.seal_batch', '', true) from row_seal where batch = :batch")  # noqa: S608 - our own constant
_BATCHES: Final = text(
    "select coalesce(e.batch, s.batch) as batch, e.seq, s.place, s.key from"  # noqa: S608 - our own constant
    f" (select batch, min(id) as first, min(place) as place, min(key) as key, {_DIGEST} as digest"
    " from row_seal group by batch) as s full join (select batch, rows, seq from audit_event where batch is not null)"
    " as e on e.batch = s.batch where s.digest is distinct from e.rows and (e.seq is not null or s.batch <> :first)"
    " order by e.seq nulls last, s.first limit 1"
)


def waiting(session: Session) -> bool:
    """Whether the present transaction has written rows that are sealed, and not told the trail of them."""
    return bool(session.scalar(_WAITING))


def close(session: Session, batch: UUID) -> str:
    """The digest of a batch; what follows in this transaction begins another one."""
    digest: str = session.execute(_CLOSE, {"batch": batch}).one()[0]
    return digest


def take_up(session: Session) -> None:
    """Have the seals of the rows that were there before there were any bound by the present transaction, once."""
    waiting = "select exists (select from row_seal where batch = :first)"
    bound = "select exists (select from audit_event where batch = :first)"
    if session.scalar(text(waiting), {"first": FIRST}) and not session.scalar(text(bound), {"first": FIRST}):
        session.execute(text("select set_config('portal.seal_batch', :first, true)"), {"first": str(FIRST)})


def verify(session: Session) -> tuple[int, str | None]:
    """Whether every row is what was sealed last. Returns how many rows are sealed, and the first fault."""
    session.flush()
    # Timestamps are written in the zone of the session, as in the triggers.
    session.execute(text("set local timezone = 'UTC'"))
    broken = session.execute(_BATCHES, {"first": FIRST}).one_or_none()
    if broken is not None:
        return 0, _batch_fault(broken)
    count = 0
    for table in SEALED:
        rows, fault = compare(session, table)
        count += rows
        if fault is not None:
            return count, fault
    return count, _not_current(session)


def _batch_fault(found: Row[Any]) -> str:
    if found.seq is None:
        return f"{found.place} {found.key}: was sealed without a row of the audit trail"
    return f"seals of row {found.seq} of the audit trail: are not those that it tells of"


def compare(session: Session, table: str) -> tuple[int, str | None]:
    """Whether the rows of one table are what was sealed; in a session whose zone is UTC."""
    layouts = session.execute(
        text("select id, covers, form from row_layout where place = :place"), {"place": table}
    ).all()
    columns = _columns(session, table)
    for layout in layouts:
        gone = sorted(set(layout.covers) - set(columns))
        if gone:
            return 0, f"{table}: the column {gone[0]} was sealed and is gone"
    key = "concat_ws('/', " + ", ".join(f"said ->> '{name}'" for name in SEALED[table]) + ")"
    texts = {each.id: _text_of(table, each.covers) for each in layouts if each.form == "text"}
    written = "".join(f", {made} as text_{layout}" for layout, made in texts.items())
    chosen = "".join(f" when {layout} then text_{layout}" for layout in texts)
    other = (
        "(p.said - (select coalesce(array_agg(name), '{}') from unnest(cast(:columns as text[])) as name"
        " where name <> all (o.covers)))::text"
    )
    hashed = f"case l.layout{chosen} else {other} end" if texts else other
    statement = text(
        "with latest as (select distinct on (key) key, layout, digest from row_seal where place = :place"  # noqa: S608 - our own names
        " order by key, id desc),"
        f" present as (select {key} as key, rows.*"
        f" from (select to_jsonb({table}) as said{written} from {table}) as rows),"
        " compared as (select coalesce(p.key, l.key) as key, p.said is null as missing, l.key is null as unknown,"
        " l.digest, case when p.said is not null and l.layout is not null then"
        f" encode(sha256(convert_to({hashed}, 'UTF8')), 'hex') end as found"
        " from present p full join latest l on l.key = p.key left join row_layout o on o.id = l.layout)"
        " select (select count(*) from compared) as rows, key, missing, unknown, digest is null as deleted"
        " from compared where found is distinct from digest or unknown order by key limit 1"
    )
    found = session.execute(statement, {"place": table, "columns": columns}).one_or_none()
    if found is None:
        return session.scalar(text(f"select count(*) from {table}")) or 0, None  # noqa: S608 - our own names
    if found.missing:
        return found.rows, f"{table} {found.key}: is missing"
    if found.unknown:
        return found.rows, f"{table} {found.key}: was never sealed"
    return found.rows, f"{table} {found.key}: is not what was sealed"


def _text_of(table: str, covers: Sequence[str]) -> str:
    """What the trigger ``seal_texts`` hashes of a row."""
    columns = ", ".join(f'{table}."{name}"' for name in covers)
    return f"(select row_to_json(said)::text from (select {columns}) as said)"  # noqa: S608 - columns of the table


def _columns(session: Session, table: str) -> Sequence[str]:
    return session.scalars(
        text(
            "select attname::text from pg_attribute where attrelid = cast(:table as regclass) and attnum > 0"
            " and not attisdropped"
        ),
        {"table": table},
    ).all()


def _not_current(session: Session) -> str | None:
    """Which score of a submission is the current one is no part of its seal: it is the newest, but while a run goes."""
    found = session.scalar(
        text(
            "select id from (select score.id, current, row_number() over (partition by submission_id"
            " order by score.id desc) = 1 as newest, tender_track_id"
            " from score join score_run on score_run.id = score.run_id) as scores"
            " where current <> newest and not exists (select from score_run going where going.ended_at is null"
            " and going.tender_track_id = scores.tender_track_id) order by id limit 1"
        )
    )
    return f"score {found}: is marked as the current one, or is not, against the order of the runs" if found else None
