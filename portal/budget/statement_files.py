"""Statements as XLSX and PDF: small ones at once, large ones in the background. Texts are never formulas."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.budget import statement
from portal.budget.ledger import ACCOUNT_NAMES
from portal.budget.models import Account, Envelope, PostingKind
from portal.budget.statement import Filters, Row
from portal.budget.statement_models import StatementExport
from portal.budget.wording import KIND_NAMES
from portal.core import jobs
from portal.core.clock import MOSCOW, now
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.formats import format_date, format_datetime, format_money
from portal.core.language import N_, Message, render
from portal.documents import objects, pdf
from portal.documents.service import MADE
from portal.documents.sheets import Cell, Page, as_workbook
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES

MAKE: Final = "make_statement"
CLEAN: Final = "clean_statements"
AT_ONCE: Final = 1_000
"""Postings that are written while the reader waits."""
MOST: Final = {"xlsx": 200_000, "pdf": 3_000}
"""Postings of a file: a sheet has a million rows, and nobody reads more pages."""
KEPT: Final = timedelta(days=3)
MOST_WAITING: Final = 3
COLUMNS: Final = (
    N_("No."),
    N_("Time"),
    N_("Track"),
    N_("Year"),
    N_("Posting"),
    N_("Account of the ledger"),
    N_("Amount"),
    N_("Balance after"),
    N_("Document"),
    N_("Reason"),
    N_("Author"),
)


def content(session: Session, actor: Actor, filters: Filters, kind: str, locale: str, title: str) -> bytes:
    """The file of a statement. Raises :class:`Problems` for more postings than such a file holds."""
    authorize(actor, Permission.BUDGET_VIEW)
    most = MOST[kind]
    if statement.count(session, actor, filters, most + 1) > most:
        message = N_("A file of this kind holds at most %(count)s postings. Narrow the statement.", count=most)
        raise Problems.one("too_many", "", message)
    rows = statement.rows(session, actor, filters, most)
    notes = [render(note, locale) for note in (_made(now(session), locale), *_narrowed(session, filters, locale))]
    if kind == "pdf":
        return pdf.render("statement", _paper(rows, locale, title, now(session), notes))
    return as_workbook([Page(title, [[title], ["; ".join(notes)], *_sheet(rows, locale)], head=2)])


def ask(session: Session, actor: Actor, *, filters: Filters, kind: str, locale: str, name: str) -> StatementExport:
    """Have a statement made in the background. Raises :class:`Conflict` when several are being made already."""
    authorize(actor, Permission.BUDGET_VIEW)
    if kind not in MOST:
        raise NotFound
    assert actor.user_id is not None
    waiting = session.scalar(
        select(func.count()).where(
            StatementExport.requested_by == actor.user_id,
            StatementExport.made_at.is_(None),
            StatementExport.expires_at > func.portal_now(),
        )
    )
    if (waiting or 0) >= MOST_WAITING:
        raise Conflict(N_("Several statements are being made for you already. Wait until they are ready."))
    row = StatementExport(
        id=uuid7(),
        programme_id=filters.programme_id,
        requested_by=actor.user_id,
        filters=as_text(filters),
        format=kind,
        locale=locale,
        name=name,
        expires_at=now(session) + KEPT,
    )
    session.add(row)
    session.flush()
    jobs.enqueue(session, MAKE, {"export_id": str(row.id)}, key=f"{MAKE}:{row.id}")
    record(session, actor, "budget:statement:ask", "programme", filters.programme_id, {"export": row.id})
    return row


@jobs.handler(MAKE)
def make(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Make one file, unless it is made or its days are over."""
    row = session.get(StatementExport, UUID(payload["export_id"]))
    if row is None or row.made_at is not None:
        return
    made = content(session, system_actor("statements"), from_text(row.filters), row.format, row.locale, row.name)
    key = f"{MADE}{row.id.hex}.{row.format}"
    objects.put(session, key, io.BytesIO(made))
    instant = now(session)
    row.made_key, row.made_at, row.size = key, instant, len(made)
    row.sha256 = hashlib.sha256(made).hexdigest()
    session.flush()


def mine(session: Session, actor: Actor, programme_id: UUID) -> Sequence[StatementExport]:
    """The reader's own files that can still be fetched, newest first."""
    return session.scalars(
        select(StatementExport)
        .where(
            StatementExport.requested_by == actor.user_id,
            StatementExport.programme_id == programme_id,
            StatementExport.expires_at > func.portal_now(),
        )
        .order_by(StatementExport.id.desc())
        .limit(10)
    ).all()


def fetch(
    session: Session, actor: Actor, programme_id: UUID, export_id: UUID
) -> tuple[StatementExport, Iterator[bytes]]:
    """A file that is made, in blocks, for the person who asked. NotFound otherwise, Conflict while it is being made."""
    authorize(actor, Permission.BUDGET_VIEW)
    row = session.get(StatementExport, export_id)
    if row is None or row.requested_by != actor.user_id or row.programme_id != programme_id:
        raise NotFound
    if row.expires_at <= now(session):
        raise NotFound
    if row.made_key is None:
        raise Conflict(N_("The file is not ready yet."))
    try:
        blocks = objects.chunks(row.made_key)
    except FileNotFoundError:
        raise NotFound from None
    record(
        session, actor, "budget:statement:fetch", "programme", programme_id, {"export": row.id, "sha256": row.sha256}
    )
    return row, blocks


@jobs.handler(CLEAN, every=3600)
def clean(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Delete files whose days are over, with their rows."""
    over = select(StatementExport).where(StatementExport.expires_at <= func.portal_now()).limit(500)
    rows = session.scalars(over).all()
    objects.delete_later(session, [row.made_key for row in rows if row.made_key])
    for row in rows:
        session.delete(row)
    session.flush()


def as_text(filters: Filters) -> dict[str, Any]:
    """Filters as plain JSON."""
    return {
        "programme_id": str(filters.programme_id),
        "envelope_id": str(filters.envelope_id) if filters.envelope_id else None,
        "track": filters.track,
        "account": filters.account,
        "kind": filters.kind,
        "since": filters.since.isoformat() if filters.since else None,
        "until": filters.until.isoformat() if filters.until else None,
        "document": filters.document,
        "words": filters.words,
        "subjects": [str(key) for key in filters.subjects] if filters.subjects is not None else None,
        "least": str(filters.least) if filters.least is not None else None,
        "most": str(filters.most) if filters.most is not None else None,
    }


def from_text(held: Mapping[str, Any]) -> Filters:
    """What :func:`as_text` wrote."""
    return Filters(
        programme_id=UUID(held["programme_id"]),
        envelope_id=UUID(held["envelope_id"]) if held["envelope_id"] else None,
        track=Track(held["track"]) if held.get("track") else None,
        account=Account(held["account"]) if held["account"] else None,
        kind=PostingKind(held["kind"]) if held["kind"] else None,
        since=datetime.fromisoformat(held["since"]) if held["since"] else None,
        until=datetime.fromisoformat(held["until"]) if held["until"] else None,
        document=held["document"],
        words=held["words"],
        subjects=[UUID(key) for key in held["subjects"]] if held["subjects"] is not None else None,
        least=Decimal(held["least"]) if held["least"] is not None else None,
        most=Decimal(held["most"]) if held["most"] is not None else None,
    )


def _made(at: datetime, locale: str) -> Message:
    return N_("Made on %(instant)s", instant=format_datetime(at, MOSCOW, locale))


def _narrowed(session: Session, filters: Filters, locale: str) -> Iterator[Message]:
    """What the statement is of, where it is not of everything."""
    if filters.envelope_id is not None:
        envelope = session.get_one(Envelope, filters.envelope_id)
        track = TRACK_NAMES[Track(envelope.track)]
        yield N_("Envelope: %(track)s, %(year)s", track=track, year=envelope.year)
    if filters.track is not None:
        yield N_("Track: %(track)s", track=TRACK_NAMES[filters.track])
    if filters.account is not None:
        yield N_("Account of the ledger: %(account)s", account=ACCOUNT_NAMES[filters.account])
    if filters.kind is not None:
        yield N_("Posting: %(kind)s", kind=KIND_NAMES[filters.kind])
    if filters.since is not None:
        yield N_("From the day %(day)s", day=format_date(filters.since.astimezone(MOSCOW).date(), locale))
    if filters.until is not None:
        last = (filters.until - timedelta(seconds=1)).astimezone(MOSCOW).date()
        yield N_("To the day %(day)s", day=format_date(last, locale))
    yield from _searched(filters, locale)


def _searched(filters: Filters, locale: str) -> Iterator[Message]:
    if filters.document:
        yield N_("Document: %(text)s", text=filters.document)
    if filters.words:
        yield N_("Words: %(text)s", text=filters.words)
    if filters.subjects is not None:
        yield N_("Chosen awards or agreements only")
    if filters.least is not None:
        yield N_("Amount from %(amount)s", amount=format_money(filters.least, locale))
    if filters.most is not None:
        yield N_("Amount up to %(amount)s", amount=format_money(filters.most, locale))


def _sheet(rows: Iterable[Row], locale: str) -> Iterator[list[Cell]]:
    yield [render(name, locale) for name in COLUMNS]
    for row in rows:
        sign = -1 if row.account is Account.APPROPRIATION else 1
        yield [
            str(row.number),
            _when(row, locale),
            _say(TRACK_NAMES[Track(row.track)], locale),
            str(row.year),
            _say(KIND_NAMES[row.kind], locale),
            _say(ACCOUNT_NAMES[row.account], locale),
            sign * row.amount,
            sign * row.after,
            row.document,
            row.reason,
            row.author,
        ]


def _paper(rows: Iterable[Row], locale: str, title: str, at: datetime, notes: Sequence[str]) -> dict[str, Any]:
    day = at.astimezone(MOSCOW).date()
    lines = []
    for row in rows:
        sign = -1 if row.account is Account.APPROPRIATION else 1
        lines.append(
            [
                str(row.number),
                _when(row, locale),
                f"{_say(TRACK_NAMES[Track(row.track)], locale)}, {row.year}",
                _say(KIND_NAMES[row.kind], locale),
                _say(ACCOUNT_NAMES[row.account], locale),
                format_money(sign * row.amount, locale),
                format_money(sign * row.after, locale),
                f"{row.document}: {row.reason}" if row.document else row.reason,
            ]
        )
    return {
        "locale": locale,
        "title": title,
        "portal": render(N_("Joint Projects Portal"), locale),
        "day": [day.year, day.month, day.day],
        "made": "; ".join(notes),
        "empty": render(N_("No posting fits these filters."), locale),
        "columns": [
            render(name, locale)
            for name in (
                N_("No."),
                N_("Time"),
                N_("Envelope"),
                N_("Posting"),
                N_("Account of the ledger"),
                N_("Amount"),
                N_("Balance after"),
                N_("Document and reason"),
            )
        ],
        "lines": lines,
    }


def _when(row: Row, locale: str) -> str:
    local = row.at.astimezone(MOSCOW)
    return f"{format_date(local.date(), locale)} {local:%H:%M}"


def _say(message: Message, locale: str) -> str:
    return render(message, locale)
