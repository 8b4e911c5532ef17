"""The one way into the ledger: :func:`post`. What it refuses, the database refuses as well.

The envelopes are locked first, in id order, and the posting gets its number while they are held: in each
envelope the order of the numbers is the order in which the balances moved, and two postings never wait for
each other in a circle. The balances themselves move in a trigger, by a guarded UPDATE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.budget import rules
from portal.budget.models import Account, Envelope, Posting, PostingKind, PostingLine
from portal.budget.rules import Line
from portal.core.canonical import digest
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound
from portal.core.figures import roubles
from portal.core.language import N_, Message
from portal.identity.policy import Actor
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES

AUDIT_TAG: Final = "budget:posting:post"
OPEN_TAG: Final = "budget:envelope:open"
OVERDRAW: Final = "ledger_overdraw"
REVERSED_TWICE: Final = "uq_posting_reverses_id"

ACCOUNT_NAMES: Final[Mapping[Account, Message]] = {
    Account.APPROPRIATION: N_("Appropriated"),
    Account.AVAILABLE: N_("Available"),
    Account.RESERVED: N_("Reserved"),
    Account.COMMITTED: N_("Committed"),
    Account.PAID: N_("Paid"),
    Account.RETURNED: N_("Returned"),
    Account.CARRIED_OVER: N_("Carried over"),
}


@dataclass(frozen=True, slots=True)
class Shortage:
    """An account that has less than a posting takes, roubles."""

    envelope_id: UUID
    track: str
    year: int
    account: Account
    asked: Decimal
    available: Decimal

    @property
    def missing(self) -> Decimal:
        return self.asked - self.available

    @property
    def message(self) -> Message:
        return N_(
            "%(track)s, %(year)s: %(asked)s is needed, but the account “%(account)s” holds %(available)s"
            " (%(missing)s short).",
            track=TRACK_NAMES[Track(self.track)],
            year=self.year,
            account=ACCOUNT_NAMES[self.account],
            asked=roubles(self.asked),
            available=roubles(self.available),
            missing=roubles(self.missing),
        )


class Overdrawn(Conflict):
    """The posting would take more than there is; ``shortages`` names each account that lacks some."""

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        self.shortages = tuple(shortages)
        first = self.shortages[0]
        self.envelope, self.asked, self.available = first.envelope_id, first.asked, first.available
        said = first.message
        for shortage in self.shortages[1:]:
            said = N_("%(one)s %(two)s", one=said, two=shortage.message)
        super().__init__(said)


def post(
    session: Session,
    actor: Actor,
    *,
    key: str,
    kind: PostingKind,
    lines: Sequence[Line],
    reason: str,
    document: str = "",
    subject: tuple[str, UUID] | None = None,
    reverses: UUID | None = None,
) -> Posting:
    """Write a posting with its lines and move the balances. The caller authorises.

    ``key`` names the intent: the same key with the same input gives the first posting, with another input
    it is a :class:`Conflict`. Raises :class:`Overdrawn`, :class:`NotFound` for an unknown envelope, and
    ``ValueError`` for lines that are no posting.
    """
    rules.check(lines)
    values: dict[str, Any] = {
        "id": uuid7(),
        "key": key,
        "kind": kind,
        "reason": reason,
        "document": document,
        "author_id": actor.user_id,
        "author_name": actor.audit_name,
        "subject_type": subject[0] if subject else None,
        "subject_id": subject[1] if subject else None,
        "reverses_id": reverses,
        "input_hash": input_hash(kind, lines, reason, document, subject, reverses),
    }
    envelopes = lock(session, {line.envelope_id for line in lines})
    shortages = _shortages(envelopes, lines)
    # A clock that steps back does not: in an envelope instants rise with the numbers (``ledger_backdated``).
    moved = [envelope.moved_at for envelope in envelopes.values() if envelope.moved_at is not None]
    values["at"] = sa.func.greatest(sa.func.portal_now(), *moved)
    try:
        with session.begin_nested():
            written = session.scalar(
                insert(Posting)
                .values(**values)
                .on_conflict_do_nothing(index_elements=[Posting.key])
                .returning(Posting.id)
            )
            if written is None:
                return _first(session, key, values["input_hash"])
            _write_lines(session, written, lines)
    except IntegrityError as error:
        raise _refusal(error, shortages) from error
    for envelope in envelopes.values():
        session.expire(envelope)
    posting = session.get_one(Posting, written)
    record(session, actor, AUDIT_TAG, "posting", posting.id, _noted(posting, lines))
    return posting


def lock(session: Session, envelope_ids: set[UUID]) -> dict[UUID, Envelope]:
    """The envelopes as they are now, locked in id order until the transaction ends. NotFound: unknown id."""
    statement = (
        select(Envelope)
        .where(Envelope.id.in_(envelope_ids))
        .order_by(Envelope.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = {envelope.id: envelope for envelope in session.scalars(statement)}
    if len(found) < len(envelope_ids):
        raise NotFound
    return found


def balance(envelope: Envelope, account: Account) -> Decimal:
    """What an account of the envelope holds now, roubles."""
    held: Decimal = getattr(envelope, account.value)
    return held


def posting_digest(posting: Posting, lines: Sequence[Line]) -> str:
    """SHA-256 over everything a posting says; it stands in the posting's audit event."""
    return digest(
        {
            "number": posting.number,
            "id": str(posting.id),
            "key": posting.key,
            "kind": posting.kind,
            "reason": posting.reason,
            "document": posting.document,
            "author": str(posting.author_id) if posting.author_id else None,
            "author_name": posting.author_name,
            "subject": [posting.subject_type, str(posting.subject_id) if posting.subject_id else None],
            "reverses": str(posting.reverses_id) if posting.reverses_id else None,
            "at": _utc(posting.at),
            "lines": _plain(lines),
        }
    )


def _noted(posting: Posting, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "number": posting.number,
        "kind": posting.kind,
        "document": posting.document,
        "reason": posting.reason,
        "transaction": posting.transaction,
        "lines": _plain(lines),
        "digest": posting_digest(posting, lines),
    }


def _write_lines(session: Session, posting_id: UUID, lines: Sequence[Line]) -> None:
    """All lines in one statement: the trigger moves each envelope once, balanced before and after."""
    rows = [
        {
            "posting_id": posting_id,
            "line": number,
            "envelope_id": line.envelope_id,
            "account": line.account,
            "amount": line.amount,
        }
        for number, line in enumerate(lines, start=1)
    ]
    session.execute(sa.insert(PostingLine).values(rows))


def _first(session: Session, key: str, input_hash: str) -> Posting:
    first = session.scalars(select(Posting).where(Posting.key == key)).one()
    if first.input_hash != input_hash:
        raise Conflict(
            N_("This posting was already made with other content. Look at the statement before repeating it.")
        )
    return first


def _refusal(error: IntegrityError, shortages: Sequence[Shortage]) -> Exception:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    if constraint == OVERDRAW and shortages:
        return Overdrawn(shortages)
    if constraint == REVERSED_TWICE:
        return Conflict(N_("This posting was reversed already."))
    return error


def _shortages(envelopes: Mapping[UUID, Envelope], lines: Sequence[Line]) -> list[Shortage]:
    """What is lacking, for the words of the refusal; whether to refuse is the database's decision."""
    found = []
    for line in lines:
        envelope = envelopes[line.envelope_id]
        held = balance(envelope, line.account)
        if line.account is not Account.APPROPRIATION and held + line.amount < 0:
            found.append(Shortage(envelope.id, envelope.track, envelope.year, line.account, -line.amount, held))
    return sorted(found, key=lambda shortage: (shortage.track, shortage.year))


def input_hash(
    kind: PostingKind,
    lines: Sequence[Line],
    reason: str,
    document: str,
    subject: tuple[str, UUID] | None,
    reverses: UUID | None,
) -> str:
    """SHA-256 over what a caller asked for: tells a replay from another use of the same key."""
    return digest(
        {
            "kind": kind.value,
            "lines": _plain(lines),
            "reason": reason,
            "document": document,
            "subject": [subject[0], str(subject[1])] if subject else None,
            "reverses": str(reverses) if reverses else None,
        }
    )


def _plain(lines: Sequence[Line]) -> list[list[str]]:
    return [[str(line.envelope_id), line.account.value, f"{line.amount:.2f}"] for line in lines]


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
