"""What is held for a subject (an award, by its decision line): reserved, committed, paid, given back.

Each verb moves the amounts of a subject over its years in one posting, and never more than is held for it: the
envelopes are locked first, and a trigger looks again (``ledger_not_held``). The caller authorises. All of them raise
:class:`~portal.core.errors.Problems` for a year without an envelope or with less than is asked for (field
``amounts.<year>``; codes ``no_envelope``, ``not_reserved``, ``not_committed``, ``not_paid``), and
:class:`~portal.core.errors.Conflict` for a key that was used for something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.budget import rules
from portal.budget.ledger import lock, post
from portal.budget.models import Account, Envelope, Posting, PostingKind, PostingLine
from portal.core.errors import Problem, Problems
from portal.core.figures import roubles
from portal.core.language import N_
from portal.identity.policy import Actor

Subject = tuple[str, UUID]
"""What money is held for: the name of its table and its key."""

HOLDING: Final = (Account.RESERVED, Account.COMMITTED, Account.PAID, Account.RETURNED)
"""The accounts on which money is held for a subject."""

ZERO: Final = Decimal(0)
LACKING: Final = {
    Account.RESERVED: (
        "not_reserved",
        N_("%(asked)s is asked of %(year)s, but %(held)s is reserved for this."),
    ),
    Account.COMMITTED: (
        "not_committed",
        N_("%(asked)s is asked of %(year)s, but %(held)s is committed to this and not yet paid."),
    ),
    Account.PAID: (
        "not_paid",
        N_("%(asked)s is asked of %(year)s, but %(held)s was paid for this and not given back."),
    ),
}


@dataclass(frozen=True, slots=True)
class _Movement:
    kind: PostingKind
    recipe: Callable[[rules.Amounts], list[rules.Line]]
    source: Account


_RELEASES: Final = {
    Account.RESERVED: _Movement(PostingKind.RELEASE, rules.release, Account.RESERVED),
    Account.COMMITTED: _Movement(PostingKind.RELEASE, rules.release_commitment, Account.COMMITTED),
}
_COMMIT: Final = _Movement(PostingKind.COMMIT, rules.commit, Account.RESERVED)
_PAY: Final = _Movement(PostingKind.PAY, rules.pay, Account.COMMITTED)
_GIVE_BACK: Final = _Movement(PostingKind.RETURN, rules.give_back, Account.PAID)


def reserve(
    session: Session,
    actor: Actor,
    *,
    key: str,
    programme_id: UUID,
    track: str,
    amounts: Mapping[int, Decimal],
    reason: str,
    document: str,
    subject: Subject,
) -> Posting:
    """Set aside the amounts of an award (year -> roubles). Raises :class:`Overdrawn` where money is lacking."""
    return post(
        session,
        actor,
        key=key,
        kind=PostingKind.RESERVE,
        lines=rules.reserve(_by_envelope(session, programme_id, track, amounts)),
        reason=reason,
        document=document,
        subject=subject,
    )


def commit(
    session: Session,
    actor: Actor,
    *,
    key: str,
    programme_id: UUID,
    track: str,
    amounts: Mapping[int, Decimal],
    reason: str,
    document: str,
    subject: Subject,
) -> Posting:
    """An agreement binds amounts (year -> roubles) that were reserved for ``subject``."""
    return _move(session, actor, _COMMIT, key, (programme_id, track), amounts, reason, document, subject)


def pay(
    session: Session,
    actor: Actor,
    *,
    key: str,
    programme_id: UUID,
    track: str,
    amounts: Mapping[int, Decimal],
    reason: str,
    document: str,
    subject: Subject,
) -> Posting:
    """A tranche is paid out of what is committed to ``subject`` (year -> roubles)."""
    return _move(session, actor, _PAY, key, (programme_id, track), amounts, reason, document, subject)


def give_back(
    session: Session,
    actor: Actor,
    *,
    key: str,
    programme_id: UUID,
    track: str,
    amounts: Mapping[int, Decimal],
    reason: str,
    document: str,
    subject: Subject,
) -> Posting:
    """Money that was paid for ``subject`` comes back to the envelopes it was paid from (year -> roubles).

    It stands on the account ``returned`` and cannot be awarded until an order restores it (kind ``restore``).
    """
    return _move(session, actor, _GIVE_BACK, key, (programme_id, track), amounts, reason, document, subject)


def release(
    session: Session,
    actor: Actor,
    *,
    key: str,
    programme_id: UUID,
    track: str,
    amounts: Mapping[int, Decimal],
    reason: str,
    document: str,
    subject: Subject,
    source: Account = Account.RESERVED,
) -> Posting:
    """Free amounts (year -> roubles) that are held for ``subject``.

    ``source`` says from where: ``RESERVED`` when an award ends before its agreement, ``COMMITTED`` when an agreement
    shrinks or ends.
    """
    movement = _RELEASES[source]
    return _move(session, actor, movement, key, (programme_id, track), amounts, reason, document, subject)


def held(session: Session, subject: Subject) -> dict[UUID, dict[Account, Decimal]]:
    """Envelope -> account -> roubles that are held for a subject now; one query."""
    rows = session.execute(
        select(PostingLine.envelope_id, PostingLine.account, func.sum(PostingLine.amount))
        .join(Posting, Posting.id == PostingLine.posting_id)
        .where(
            Posting.subject_type == subject[0],
            Posting.subject_id == subject[1],
            PostingLine.account.in_(HOLDING),
        )
        .group_by(PostingLine.envelope_id, PostingLine.account)
    )
    found: dict[UUID, dict[Account, Decimal]] = {}
    for envelope_id, account, amount in rows:
        found.setdefault(envelope_id, {})[Account(account)] = amount
    return found


def _move(
    session: Session,
    actor: Actor,
    movement: _Movement,
    key: str,
    place: tuple[UUID, str],
    amounts: Mapping[int, Decimal],
    reason: str,
    document: str,
    subject: Subject,
) -> Posting:
    wanted = _by_envelope(session, *place, amounts)
    lacking = _lacking(session, movement.source, wanted, subject)
    # What a first posting has moved is no longer there for its replay.
    if lacking and session.scalar(select(Posting.id).where(Posting.key == key)) is None:
        raise Problems(lacking)
    return post(
        session,
        actor,
        key=key,
        kind=movement.kind,
        lines=movement.recipe(wanted),
        reason=reason,
        document=document,
        subject=subject,
    )


def _lacking(session: Session, source: Account, wanted: Mapping[UUID, Decimal], subject: Subject) -> Sequence[Problem]:
    """The years in which less is held for the subject than is wanted; the envelopes are locked for it."""
    envelopes = lock(session, set(wanted))
    there = held(session, subject)
    code, said = LACKING[source]
    found = []
    for envelope_id, amount in wanted.items():
        has, year = there.get(envelope_id, {}).get(source, ZERO), envelopes[envelope_id].year
        if has < amount:
            message = N_(said.msgid, asked=roubles(amount), year=year, held=roubles(has))
            found.append(Problem(code, f"amounts.{year}", message))
    return found


def _by_envelope(
    session: Session, programme_id: UUID, track: str, amounts: Mapping[int, Decimal]
) -> dict[UUID, Decimal]:
    rows = session.execute(
        select(Envelope.year, Envelope.id).where(
            Envelope.programme_id == programme_id, Envelope.track == track, Envelope.year.in_(amounts)
        )
    )
    envelopes: dict[int, UUID] = dict(rows.all())
    missing = [
        Problem("no_envelope", f"amounts.{year}", N_("There is no envelope for %(year)s.", year=year))
        for year in sorted(set(amounts) - set(envelopes))
    ]
    if missing:
        raise Problems(missing)
    return {envelopes[year]: amount for year, amount in amounts.items()}
