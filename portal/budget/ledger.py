"""The one way into the ledger: :func:`post`. What it refuses, the database refuses as well.

It is one statement, the function ``ledger_post``: it waits for its turn at each envelope first, in id order, and the
posting gets its number while it has them, so that in each envelope the order of the numbers is the order in which the
balances moved, and two postings never wait for each other in a circle. The balances themselves move in a trigger, by a
guarded UPDATE. On an envelope that everybody wants, the time between this statement and the commit is what others wait
for; they wait in the order in which they came (``ledger_turn``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session, make_transient_to_detached
from sqlalchemy.orm.util import identity_key

from portal.audit.service import record
from portal.budget import rules
from portal.budget.models import Account, Envelope, Posting, PostingKind
from portal.budget.rules import Line
from portal.core.canonical import digest
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, PortalError
from portal.core.figures import roubles
from portal.core.language import N_, Message
from portal.identity.policy import Actor
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES

AUDIT_TAG: Final = "budget:posting:post"
OPEN_TAG: Final = "budget:envelope:open"
NO_ENVELOPE: Final = "no_envelope"
REVERSED_TWICE: Final = "uq_posting_reverses_id"

_POST: Final = (
    "select number, at, transaction, refused from ledger_post("
    "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::uuid[], %s::text[], %s::numeric[])"
)

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
    asked = input_hash(kind, lines, reason, document, subject, reverses)
    posting = Posting(
        id=uuid7(),
        key=key,
        input_hash=asked,
        kind=kind.value,
        reason=reason,
        document=document,
        author_id=actor.user_id,
        author_name=actor.audit_name,
        subject_type=subject[0] if subject else None,
        subject_id=subject[1] if subject else None,
        reverses_id=reverses,
    )
    session.flush()
    answer = session.connection().exec_driver_sql(_POST, _arguments(posting, lines)).one()
    if answer.refused == "repeated":
        return _first(session, key, asked)
    if answer.refused is not None:
        raise _refusal(session, answer.refused, lines)
    posting.number, posting.at, posting.transaction = answer.number, answer.at, answer.transaction
    # The row is there: the object stands for it without being read.
    make_transient_to_detached(posting)
    session.add(posting)
    for key_of_row in {identity_key(Envelope, line.envelope_id) for line in lines}:
        if (envelope := session.identity_map.get(key_of_row)) is not None:
            session.expire(envelope)
    record(session, actor, AUDIT_TAG, "posting", posting.id, _noted(posting, lines))
    return posting


def _arguments(posting: Posting, lines: Sequence[Line]) -> tuple[Any, ...]:
    return (
        posting.id,
        posting.key,
        posting.input_hash,
        posting.kind,
        posting.reason,
        posting.document,
        posting.author_id,
        posting.author_name,
        posting.subject_type,
        posting.subject_id,
        posting.reverses_id,
        [line.envelope_id for line in lines],
        [line.account.value for line in lines],
        [line.amount for line in lines],
    )


def lock(session: Session, envelope_ids: set[UUID]) -> dict[UUID, Envelope]:
    """The envelopes as they are now; until the transaction ends nobody else posts to them. NotFound: unknown id."""
    statement = (
        select(Envelope)
        .from_statement(text("select * from ledger_turn(cast(:ids as uuid[]))").bindparams(ids=list(envelope_ids)))
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


def _first(session: Session, key: str, input_hash: str) -> Posting:
    first = session.scalars(select(Posting).where(Posting.key == key)).one()
    if first.input_hash != input_hash:
        raise Conflict(
            N_("This posting was already made with other content. Look at the statement before repeating it.")
        )
    return first


def _refusal(session: Session, refused: str, lines: Sequence[Line]) -> PortalError:
    """In words what the database has refused; the envelopes are still locked and hold what they held."""
    if refused == NO_ENVELOPE:
        return NotFound()
    if refused == REVERSED_TWICE:
        return Conflict(N_("This posting was reversed already."))
    return Overdrawn(shortages(lock(session, {line.envelope_id for line in lines}), lines))


def shortages(envelopes: Mapping[UUID, Envelope], lines: Sequence[Line]) -> list[Shortage]:
    """What lines take more of than there is, for the words of a refusal; ``envelopes``: each that they move."""
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
