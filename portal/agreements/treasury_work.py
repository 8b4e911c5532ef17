"""Reading the treasury's tables and booking what matches, in the background: killed and begun anew, nothing is twice.

A table is kept in one transaction, all of it or nothing; payments are booked in steps, each a transaction of its own,
in the name and with the present rights of the person who asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from portal.agreements import treasury
from portal.agreements.reconciliation import Match, Payment, read
from portal.agreements.treasury_models import TreasuryWork, WorkKind, WorkState
from portal.audit.service import record
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused
from portal.core.language import N_, both
from portal.documents import kinds, scanning, tables
from portal.documents import service as documents
from portal.documents.models import Scan, StoredFile
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize
from portal.identity.queries import load_actor

KIND: Final = "treasury_work"
MOST_FAULTS: Final = 200
ENDED: Final = jobs.Progress(1, 1)


def start_reading(session: Session, actor: Actor, *, name: str, stream: BinaryIO) -> TreasuryWork:
    """Keep an uploaded table and have it read. Raises :class:`Problems` (``file``) for no table."""
    authorize(actor, Permission.AGREEMENT_PAY)
    file = documents.store(session, actor, name=name, stream=stream, allowed=kinds.TABLES)
    return _start(session, actor, TreasuryWork(kind=WorkKind.READ, file_id=file.id))


def start_comparing(session: Session, actor: Actor, statement_id: UUID) -> TreasuryWork:
    """Have what is not booked of a statement compared anew."""
    authorize(actor, Permission.AGREEMENT_PAY)
    treasury.locked(session, statement_id)
    return _start(session, actor, TreasuryWork(kind=WorkKind.COMPARE, statement_id=statement_id))


def start_booking(session: Session, actor: Actor, statement_id: UUID) -> TreasuryWork:
    """Have what matches of a statement booked; the booking that goes on already, where there is one."""
    authorize(actor, Permission.AGREEMENT_PAY)
    treasury.locked(session, statement_id)
    going = booking_of(session, statement_id)
    if going is not None:
        return going
    return _start(session, actor, TreasuryWork(kind=WorkKind.BOOK, statement_id=statement_id))


def _start(session: Session, actor: Actor, row: TreasuryWork) -> TreasuryWork:
    assert actor.user_id is not None
    row.started_by = actor.user_id
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Conflict(N_("The payments of this table are being booked already.")) from error
    jobs.enqueue(session, KIND, {"work_id": str(row.id)}, key=f"{KIND}:{row.id}")
    changes = {"kind": row.kind, "file": row.file_id, "statement": row.statement_id}
    record(session, actor, f"awards:treasury:start_{row.kind}", "treasury_work", row.id, changes)
    return row


def step(session: Session, work_id: UUID) -> jobs.Progress:
    """The next step of a piece of work."""
    row = session.get(TreasuryWork, work_id, with_for_update=True, populate_existing=True)
    if row is None or not row.running:
        return ENDED
    actor = load_actor(session, session.get_one(User, row.started_by))
    try:
        authorize(actor, Permission.AGREEMENT_PAY)
    except (Refused, NotFound):
        return _fail(session, row, [Problem("refused", "", N_("Whoever began this may not do it any more."))])
    return _STEPS[WorkKind(row.kind)](session, actor, row)


def _read(session: Session, actor: Actor, row: TreasuryWork) -> jobs.Progress:
    """First every line is checked; then all payments are compared and kept at once."""
    assert row.file_id is not None
    file = session.get_one(StoredFile, row.file_id)
    if row.state == WorkState.WAITING and scanning.scan(session, file.id) == Scan.REFUSED:
        return _fail(session, row, [Problem("refused", "file", scanning.REFUSED)])
    try:
        payments, problems = _payments(file)
    except Problems as found:
        payments, problems = [], list(found.problems)
    if problems:
        return _fail(session, row, problems)
    if row.state == WorkState.WAITING:
        row.state, row.progress_total = WorkState.RUNNING, len(payments)
        return _progress(session, row)
    row.statement_id = treasury.keep(session, actor, name=file.name, sha256=file.sha256, payments=payments).id
    return _done(session, row)


_opened: dict[str, tuple[list[Payment], list[Problem]]] = {}


def _payments(file: StoredFile) -> tuple[list[Payment], list[Problem]]:
    """What a table says, kept from step to step: a stored file never changes."""
    if file.key not in _opened:
        _opened.clear()
        _opened[file.key] = read(tables.rows(documents.content(file), file.name))
    return _opened[file.key]


def _compare(session: Session, actor: Actor, row: TreasuryWork) -> jobs.Progress:
    assert row.statement_id is not None
    treasury.compare_again(session, actor, row.statement_id)
    return _done(session, row)


def _book(session: Session, actor: Actor, row: TreasuryWork) -> jobs.Progress:
    """First all are compared anew and counted; then :func:`treasury.book` step by step."""
    assert row.statement_id is not None
    if row.state == WorkState.WAITING:
        treasury.compare(session, treasury.locked(session, row.statement_id))
        row.state = WorkState.RUNNING
        row.progress_total = treasury.counts(session, row.statement_id)[Match.MATCHED][0]
        row.report = {"booked": 0, "refused": 0}
        return _progress(session, row) if row.progress_total else _done(session, row)
    booked, refused = treasury.book(session, actor, row.statement_id, anew=False)
    row.report = {"booked": row.report["booked"] + booked, "refused": row.report["refused"] + refused}
    row.progress_done = min(row.progress_done + booked + refused, row.progress_total)
    return _progress(session, row) if booked + refused == treasury.AT_ONCE else _done(session, row)


_STEPS: Final[Mapping[WorkKind, Callable[[Session, Actor, TreasuryWork], jobs.Progress]]] = {
    WorkKind.READ: _read,
    WorkKind.COMPARE: _compare,
    WorkKind.BOOK: _book,
}


def _progress(session: Session, row: TreasuryWork) -> jobs.Progress:
    """Not finished yet: what is done besides the last step, which says so."""
    session.flush()
    return jobs.Progress(row.progress_done, row.progress_total + 1)


def _done(session: Session, row: TreasuryWork) -> jobs.Progress:
    row.progress_total = max(row.progress_total, 1)
    row.progress_done, row.state, row.ended_at = row.progress_total, WorkState.DONE, now(session)
    session.flush()
    return ENDED


def _fail(session: Session, row: TreasuryWork, problems: Sequence[Problem]) -> jobs.Progress:
    faults = [both(problem.message) for problem in problems]
    row.report = {"faults": faults[:MOST_FAULTS], "more": max(len(faults) - MOST_FAULTS, 0)}
    row.state, row.ended_at = WorkState.FAILED, now(session)
    session.flush()
    return ENDED


def work_of(session: Session, work_id: UUID) -> TreasuryWork:
    """A piece of work with its file and statement; NotFound. The caller authorises."""
    row = session.scalar(
        select(TreasuryWork)
        .where(TreasuryWork.id == work_id)
        .options(joinedload(TreasuryWork.file), joinedload(TreasuryWork.statement))
    )
    if row is None:
        raise NotFound
    return row


def booking_of(session: Session, statement_id: UUID) -> TreasuryWork | None:
    """The booking of a statement that goes on."""
    return session.scalar(
        select(TreasuryWork).where(
            TreasuryWork.statement_id == statement_id,
            TreasuryWork.kind == WorkKind.BOOK,
            TreasuryWork.ended_at.is_(None),
        )
    )


def unread(session: Session, most: int) -> Sequence[TreasuryWork]:
    """Tables that are being read, or were not kept, the newest first."""
    return session.scalars(
        select(TreasuryWork)
        .where(TreasuryWork.kind == WorkKind.READ, TreasuryWork.state != WorkState.DONE)
        .order_by(TreasuryWork.id.desc())
        .limit(most)
        .options(joinedload(TreasuryWork.file))
    ).all()


def parked(session: Session, row: TreasuryWork) -> bool:
    """Whether the work was given up after several failures and waits for an administrator."""
    statement = select(jobs.Task.parked_at).where(jobs.Task.key == f"{KIND}:{row.id}")
    return session.scalar(statement) is not None
