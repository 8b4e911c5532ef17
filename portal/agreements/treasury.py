"""Reconciling with the treasury: a table of payments is uploaded, compared with the agreements, and booked on demand.

Large tables are read and booked in the background (see ``treasury_work.py``), by the verbs that stand here.
Uploading books nothing. A payment is known by its number, day, amount and payee, whatever file it comes in, and is
booked once: as the payment of its tranche or as a receipt of its recovery, through the agreement's own verbs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, String, and_, case, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.agreements import payments as agreement_payments
from portal.agreements.models import Agreement, AgreementState, Recovery, RecoveryReceipt, Tranche
from portal.agreements.reconciliation import Found, Match, Payment, Target, match, read
from portal.agreements.treasury_models import TreasuryPayment, TreasuryStatement
from portal.audit.models import AuditEvent
from portal.audit.service import record
from portal.budget.models import Account, Posting, PostingLine
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, PortalError, Problems
from portal.core.language import N_, Message, both
from portal.core.money import ZERO
from portal.documents import tables
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize

UPLOAD_TAG: Final = "awards:treasury:upload"
AT_ONCE: Final = 25
"""Payments that are booked in one transaction."""
PARCEL: Final = 1000
"""Payments that one statement looks for."""
LIVE: Final = (AgreementState.SIGNED, AgreementState.ENDED)


def upload(session: Session, actor: Actor, *, name: str, data: bytes) -> TreasuryStatement:
    """Keep the payments of a table that are not known yet, each compared with the agreements.

    Raises :class:`Problems` (field ``file``) with everything that is wrong with the table; then nothing is kept.
    """
    authorize(actor, Permission.AGREEMENT_PAY)
    payments, problems = read(tables.rows(data, name))
    if problems:
        raise Problems(problems)
    return keep(session, actor, name=name, sha256=hashlib.sha256(data).hexdigest(), payments=payments)


def keep(session: Session, actor: Actor, *, name: str, sha256: str, payments: Sequence[Payment]) -> TreasuryStatement:
    """Keep the payments of a table that was read; ``sha256``: of its file."""
    authorize(actor, Permission.AGREEMENT_PAY)
    assert actor.user_id is not None
    row = TreasuryStatement(name=name, sha256=sha256, uploaded_by=actor.user_id)
    session.add(row)
    session.flush()
    kept = _keep(session, row, payments)
    row.known = len(payments) - kept
    session.flush()
    changes = {"name": name, "sha256": row.sha256, "payments": kept, "known": row.known}
    told = {**changes, "digest": statement_digest(row, _rows(session, row))}
    record(session, actor, UPLOAD_TAG, "treasury_statement", row.id, told)
    return row


def compare_again(session: Session, actor: Actor, statement_id: UUID) -> TreasuryStatement:
    """Compare what is not booked anew: agreements were signed, or money was asked back, since."""
    authorize(actor, Permission.AGREEMENT_PAY)
    row = locked(session, statement_id)
    compare(session, row)
    record(session, actor, "awards:treasury:compare", "treasury_statement", row.id, {})
    return row


def book(session: Session, actor: Actor, statement_id: UUID, *, anew: bool = True) -> tuple[int, int]:
    """Book the next payments that match, at most :data:`AT_ONCE`. Returns how many were booked, and how many no longer
    fit.

    ``anew``: all are compared once more before. One that an agreement refuses stays, with the reason. Repeated:
    nothing is booked twice.
    """
    authorize(actor, Permission.AGREEMENT_PAY)
    row = locked(session, statement_id)
    if anew:
        compare(session, row)
    waiting = session.scalars(
        select(TreasuryPayment)
        .where(TreasuryPayment.statement_id == row.id, TreasuryPayment.match == Match.MATCHED)
        .order_by(TreasuryPayment.line)
        .limit(AT_ONCE)
        .execution_options(populate_existing=True)
    ).all()
    booked = refused = 0
    for payment in waiting:
        try:
            with session.begin_nested():
                posting_id = _book(session, actor, payment)
        except Problems as problems:
            payment.match, payment.said = Match.DIFFERING, both(problems.problems[0].message)
            refused += 1
        except PortalError as error:
            payment.match, payment.said = Match.DIFFERING, both(_reason(error))
            refused += 1
        else:
            payment.match, payment.posting_id, payment.booked_at = Match.BOOKED, posting_id, now(session)
            booked += 1
    session.flush()
    pairs = {p.id: p.posting_id for p in waiting if p.posting_id is not None}
    record(
        session,
        actor,
        "awards:treasury:book",
        "treasury_statement",
        row.id,
        {"booked": booked, "refused": refused, "postings": pairs},
    )
    return booked, refused


def compare(session: Session, row: TreasuryStatement) -> None:
    """Write down for each payment of the statement that is not booked what it is; three statements and the updates."""
    rows = [payment for payment in _rows(session, row) if payment.posting_id is None]
    payments = [Payment(p.line, p.paid_on, p.number, p.payee_inn, p.amount, p.purpose, p.reference) for p in rows]
    found = match(payments, targets(session, {payment.payee_inn for payment in payments}))
    postings = _postings(session, [each for each in found if each.match is Match.BOOKED])
    for payment, each in zip(rows, found, strict=True):
        _note(payment, each, postings)
    session.flush()


def targets(session: Session, inns: set[str]) -> list[Target]:
    """The tranches and recoveries of the signed agreements with these organisations; two statements."""
    if not inns:
        return []
    return [*_tranches(session, inns), *_recoveries(session, inns)]


def statements() -> Select[Any]:
    """(statement, payments, booked); page by (created_at, id)."""
    counted = (
        select(
            TreasuryPayment.statement_id,
            func.count().label("payments"),
            func.count(TreasuryPayment.posting_id).label("booked"),
        )
        .group_by(TreasuryPayment.statement_id)
        .subquery()
    )
    every: Select[Any] = select(TreasuryStatement)
    return every.outerjoin(counted, counted.c.statement_id == TreasuryStatement.id).add_columns(
        func.coalesce(counted.c.payments, 0), func.coalesce(counted.c.booked, 0)
    )


def payments_of(statement_id: UUID, *, matched: str = "") -> Select[Any]:
    """The payments of a statement; page by line. ``matched``: only those of this :class:`Match`."""
    wanted = select(TreasuryPayment).where(TreasuryPayment.statement_id == statement_id)
    return wanted.where(TreasuryPayment.match == matched) if matched else wanted


def counts(session: Session, statement_id: UUID) -> dict[Match, tuple[int, Decimal]]:
    """Match -> (payments, roubles) of a statement."""
    rows = session.execute(
        select(TreasuryPayment.match, func.count(), func.sum(TreasuryPayment.amount))
        .where(TreasuryPayment.statement_id == statement_id)
        .group_by(TreasuryPayment.match)
    )
    found = {Match(key): (number, amount) for key, number, amount in rows}
    return {key: found.get(key, (0, ZERO)) for key in Match}


def statement_of(session: Session, statement_id: UUID) -> TreasuryStatement:
    """A statement; NotFound."""
    row = session.get(TreasuryStatement, statement_id)
    if row is None:
        raise NotFound
    return row


def locked(session: Session, statement_id: UUID) -> TreasuryStatement:
    """A statement, locked until the transaction ends; NotFound."""
    row = session.scalar(select(TreasuryStatement).where(TreasuryStatement.id == statement_id).with_for_update())
    if row is None:
        raise NotFound
    return row


def verify(session: Session) -> tuple[int, str | None]:
    """Whether every table is the one that was uploaded, and every booked payment the one that its posting moved.

    Returns how many payments were read and the first fault.
    """
    count = 0
    tables_ = session.execute(
        select(TreasuryStatement, AuditEvent.changes["digest"].astext)
        .outerjoin(
            AuditEvent,
            and_(
                AuditEvent.object_type == "treasury_statement",
                AuditEvent.object_id == cast(TreasuryStatement.id, String),
                AuditEvent.tag == UPLOAD_TAG,
            ),
        )
        .order_by(TreasuryStatement.id)
        .execution_options(populate_existing=True)
    ).all()
    for row, expected in tables_:
        rows = _rows(session, row)
        count += len(rows)
        if statement_digest(row, rows) != expected:
            return count, f"{row.name} ({row.id}): is not the table that was uploaded"
    moved = (
        select(func.sum(case((PostingLine.account == Account.PAID, PostingLine.amount), else_=ZERO)))
        .where(PostingLine.posting_id == TreasuryPayment.posting_id)
        .scalar_subquery()
    )
    wrong = session.execute(
        select(TreasuryPayment.number, TreasuryPayment.paid_on)
        .where(TreasuryPayment.posting_id.is_not(None), TreasuryPayment.amount != moved)
        .limit(1)
    ).first()
    return count, f"payment {wrong[0]} of {wrong[1]}: its posting moved another amount" if wrong else None


def statement_digest(row: TreasuryStatement, payments: Sequence[TreasuryPayment]) -> str:
    """SHA-256 over what a table said, as far as it was new; it stands in the audit event of the upload."""
    return digest(
        {
            "name": row.name,
            "sha256": row.sha256,
            "uploaded_by": row.uploaded_by,
            "known": row.known,
            "payments": [
                [p.id, p.line, p.paid_on, p.number, p.payee_inn, f"{p.amount:.2f}", p.purpose, p.reference]
                for p in payments
            ],
        }
    )


def _rows(session: Session, row: TreasuryStatement) -> Sequence[TreasuryPayment]:
    """The payments of a table in its order, as they are now."""
    return session.scalars(
        select(TreasuryPayment)
        .where(TreasuryPayment.statement_id == row.id)
        .order_by(TreasuryPayment.line)
        .execution_options(populate_existing=True)
    ).all()


def _keep(session: Session, row: TreasuryStatement, payments: Sequence[Payment]) -> int:
    """Write the payments that no table has told of yet, each as what it is; how many there were."""
    known = _known(session, payments)
    fresh = [payment for payment in payments if payment.identity not in known]
    found = match(fresh, targets(session, {payment.payee_inn for payment in fresh}))
    postings = _postings(session, [each for each in found if each.match is Match.BOOKED])
    values = [
        {
            "id": uuid7(),
            "statement_id": row.id,
            "line": p.line,
            "paid_on": p.paid_on,
            "number": p.number,
            "payee_inn": p.payee_inn,
            "amount": p.amount,
            "purpose": p.purpose,
            "reference": p.reference,
            **_noted(each, postings),
        }
        for p, each in zip(fresh, found, strict=True)
    ]
    if not values:
        return 0
    # Another table may tell of a payment meanwhile: then it stays that one's.
    statement = insert(TreasuryPayment).on_conflict_do_nothing().returning(TreasuryPayment.id)
    return len(session.execute(statement, values).all())


def _known(session: Session, payments: Sequence[Payment]) -> set[tuple[str, date, Decimal, str]]:
    """The identities that earlier tables have told of."""
    held = (TreasuryPayment.number, TreasuryPayment.paid_on, TreasuryPayment.amount, TreasuryPayment.payee_inn)
    found: set[tuple[str, date, Decimal, str]] = set()
    for start in range(0, len(payments), PARCEL):
        parcel = [payment.identity for payment in payments[start : start + PARCEL]]
        found.update(
            (n, day, amount, inn)
            for n, day, amount, inn in session.execute(select(*held).where(tuple_(*held).in_(parcel)))
        )
    return found


def _note(payment: TreasuryPayment, found: Found, postings: dict[UUID, UUID]) -> None:
    for name, value in _noted(found, postings).items():
        setattr(payment, name, value)


def _noted(found: Found, postings: dict[UUID, UUID]) -> dict[str, Any]:
    """What is written down of a payment that was compared."""
    target = found.target
    booked = postings.get(target.id) if found.match is Match.BOOKED and target is not None else None
    return {
        "match": Match.DIFFERING if found.match is Match.BOOKED and booked is None else found.match,
        "said": both(found.said),
        "tranche_id": target.id if target and not target.recovery else None,
        "recovery_id": target.id if target and target.recovery else None,
        "posting_id": booked,
    }


def _postings(session: Session, found: Sequence[Found]) -> dict[UUID, UUID]:
    """Tranche -> the posting of its payment, where no other payment of the treasury stands for it."""
    keys = {f"tranche:{each.target.id}:pay": each.target.id for each in found if each.target is not None}
    rows = session.execute(
        select(Posting.key, Posting.id)
        .outerjoin(TreasuryPayment, TreasuryPayment.posting_id == Posting.id)
        .where(Posting.key.in_(keys), TreasuryPayment.id.is_(None))
    )
    return {keys[key]: posting_id for key, posting_id in rows}


def _book(session: Session, actor: Actor, payment: TreasuryPayment) -> UUID:
    if payment.tranche_id is not None:
        agreement_payments.pay(session, actor, payment.tranche_id, document=payment.number, paid_on=payment.paid_on)
        key = f"tranche:{payment.tranche_id}:pay"
    else:
        assert payment.recovery_id is not None
        receipt = agreement_payments.receive(
            session,
            actor,
            payment.recovery_id,
            amount=-payment.amount,
            received_on=payment.paid_on,
            document=payment.number,
        )
        key = f"receipt:{receipt.id}"
    return session.scalars(select(Posting.id).where(Posting.key == key)).one()


def _reason(error: PortalError) -> Message:
    return error.reason if isinstance(error, Conflict) else N_("The agreement does not take this payment.")


def _tranches(session: Session, inns: set[str]) -> list[Target]:
    rows = session.execute(
        select(Tranche, Agreement.number, Organisation.inn)
        .join(Agreement, Agreement.id == Tranche.agreement_id)
        .join(Organisation, Organisation.id == Agreement.organisation_id)
        .where(Organisation.inn.in_(inns), Agreement.state.in_(LIVE), Tranche.released < Tranche.planned)
    )
    return [
        Target(
            tranche.id,
            number or "",
            inn,
            tranche.year,
            tranche.planned_on,
            tranche.amount,
            paid_by=tranche.payment_document or "",
            paid_on=tranche.paid_on,
        )
        for tranche, number, inn in rows
    ]


def _recoveries(session: Session, inns: set[str]) -> list[Target]:
    come = (
        select(func.coalesce(func.sum(RecoveryReceipt.amount), ZERO))
        .where(RecoveryReceipt.recovery_id == Recovery.id)
        .correlate(Recovery)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Recovery, Recovery.amount - come, Tranche.year, Agreement.number, Organisation.inn)
        .join(Tranche, Tranche.id == Recovery.tranche_id)
        .join(Agreement, Agreement.id == Tranche.agreement_id)
        .join(Organisation, Organisation.id == Agreement.organisation_id)
        .where(Organisation.inn.in_(inns), Agreement.state.in_(LIVE), Recovery.amount > come)
    )
    return [
        Target(recovery.id, number or "", inn, year, recovery.demanded_on, left, recovery=True)
        for recovery, left, year, number, inn in rows
    ]
