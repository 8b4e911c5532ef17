"""Statements: the postings of a programme or of one envelope, narrowed, with the balance of an account after each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from portal.budget.models import Account, Envelope, EnvelopeBalance, Posting, PostingKind, PostingLine
from portal.core.db import end_read_only
from portal.identity.policy import Actor, scope
from portal.tenders.models import Track

MAX_WORDS: Final = 100


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a statement.

    ``until`` is exclusive; ``document`` and ``words`` are looked for anywhere in the text; ``subjects`` are keys of
    what the money is held for (None: all); amounts are of a single line, without its sign, roubles. ``track``: all
    years of it. ``envelopes``: those of the programme or the track, where they are known (:func:`resolved`).
    """

    programme_id: UUID
    envelope_id: UUID | None = None
    track: Track | None = None
    account: Account | None = None
    kind: PostingKind | None = None
    since: datetime | None = None
    until: datetime | None = None
    document: str = ""
    words: str = ""
    subjects: Sequence[UUID] | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    envelopes: Sequence[UUID] | None = None


def resolved(session: Session, filters: Filters) -> Filters:
    """The filters with the envelopes of the programme: with their keys, the database knows how many postings they have
    and begins with them where they are few."""
    if filters.envelopes is not None or filters.envelope_id is not None:
        return filters
    return replace(filters, envelopes=session.scalars(_envelopes(filters)).all())


def _envelopes(filters: Filters) -> Select[UUID]:
    found = select(Envelope.id).where(Envelope.programme_id == filters.programme_id)
    return found if filters.track is None else found.where(Envelope.track == filters.track)


def postings(actor: Actor, filters: Filters) -> Select[Posting]:
    """The postings with all of their lines; page them by ``Posting.number``. Give filters that are resolved."""
    wanted: Select[Posting] = scope(actor, Posting).where(*_conditions(filters))
    return wanted.options(selectinload(Posting.lines))


def count(session: Session, actor: Actor, filters: Filters, most: int) -> int:
    """How many postings there are, counted up to ``most``."""
    wanted = _conditions(resolved(session, filters))
    counted = scope(actor, Posting).where(*wanted).with_only_columns(Posting.id).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(counted)) or 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a posting: a signed amount on an account, and what the account held after it, roubles."""

    number: int
    at: datetime
    track: str
    year: int
    kind: PostingKind
    account: Account
    amount: Decimal
    after: Decimal
    document: str
    reason: str
    author: str
    subject_id: UUID | None


def rows(session: Session, actor: Actor, filters: Filters, most: int) -> Iterator[Row]:
    """The lines of at most ``most`` postings, oldest first, as they come from the database."""
    chosen = (
        scope(actor, Posting)
        .where(*_conditions(resolved(session, filters)))
        .order_by(Posting.number)
        .limit(most)
        .with_only_columns(
            Posting.id,
            Posting.number,
            Posting.at,
            Posting.kind,
            Posting.document,
            Posting.reason,
            Posting.author_name,
            Posting.subject_id,
        )
        .subquery()
    )
    lines: Select[*tuple[Any, ...]] = (
        select(chosen, Envelope.track, Envelope.year, PostingLine.account, PostingLine.amount, EnvelopeBalance)
        .join(PostingLine, PostingLine.posting_id == chosen.c.id)
        .join(Envelope, Envelope.id == PostingLine.envelope_id)
        .join(
            EnvelopeBalance,
            (EnvelopeBalance.envelope_id == PostingLine.envelope_id) & (EnvelopeBalance.number == chosen.c.number),
        )
        .order_by(chosen.c.number, PostingLine.line)
    )
    if filters.envelope_id is not None:
        lines = lines.where(PostingLine.envelope_id == filters.envelope_id)
    if filters.track is not None:
        lines = lines.where(Envelope.track == filters.track)
    if filters.account is not None:
        lines = lines.where(PostingLine.account == filters.account)
    # A cursor needs a transaction, and a file is to be one picture of the ledger.
    end_read_only(session)
    for row in session.execute(lines.execution_options(yield_per=1000)):
        (_id, number, at, kind, document, reason, author, subject, track, year, account, amount, balance) = row
        yield Row(
            number,
            at,
            track,
            year,
            PostingKind(kind),
            Account(account),
            amount,
            getattr(balance, account),
            document,
            reason,
            author,
            subject,
        )


def after(
    session: Session, envelope_id: UUID, account: Account, found: Sequence[Posting]
) -> dict[UUID, tuple[Decimal, Decimal]]:
    """Posting -> (change of the account, what it held after) in this envelope; one statement. Roubles.

    The appropriation is given as what orders have given, above zero.
    """
    numbers = {posting.number: posting for posting in found}
    held = session.execute(
        select(EnvelopeBalance.number, getattr(EnvelopeBalance, account.value)).where(
            EnvelopeBalance.envelope_id == envelope_id, EnvelopeBalance.number.in_(list(numbers))
        )
    )
    sign = -1 if account is Account.APPROPRIATION else 1
    made = {}
    for number, balance in held:
        posting = numbers[number]
        moved = (
            line.amount for line in posting.lines if (line.envelope_id, line.account) == (envelope_id, account.value)
        )
        made[posting.id] = (sign * sum(moved, Decimal("0.00")), sign * balance)
    return made


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [_touching(filters)]
    if filters.kind is not None:
        found.append(Posting.kind == filters.kind)
    if filters.since is not None:
        found.append(Posting.at >= filters.since)
    if filters.until is not None:
        found.append(Posting.at < filters.until)
    if filters.subjects is not None:
        found.append(Posting.subject_id.in_(filters.subjects))
    if filters.document.strip():
        found.append(Posting.document.ilike(_like(filters.document), escape="\\"))
    if filters.words.strip():
        like = _like(filters.words)
        texts = (Posting.reason, Posting.document, Posting.author_name)
        found.append(or_(*(text.ilike(like, escape="\\") for text in texts)))
    return found


def _touching(filters: Filters) -> ColumnElement[bool]:
    """That the posting has a line as the filters want it."""
    line = exists().where(PostingLine.posting_id == Posting.id)
    if filters.envelope_id is not None:
        line = line.where(PostingLine.envelope_id == filters.envelope_id)
    elif filters.envelopes is not None:
        # Written into the statement, so that no plan for unknown keys is kept for them.
        keys: BindParameter[UUID] = bindparam(
            "envelopes", list(filters.envelopes), expanding=True, literal_execute=True
        )
        line = line.where(PostingLine.envelope_id.in_(keys))
    else:
        line = line.where(PostingLine.envelope_id.in_(_envelopes(filters)))
    if filters.account is not None:
        line = line.where(PostingLine.account == filters.account)
    if filters.least is not None:
        line = line.where(func.abs(PostingLine.amount) >= filters.least)
    if filters.most is not None:
        line = line.where(func.abs(PostingLine.amount) <= filters.most)
    return line


def _like(words: str) -> str:
    plain = words.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("\x00", "")
    return f"%{plain[:MAX_WORDS]}%"
