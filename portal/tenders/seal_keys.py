"""The keepers of a sealed tender: who they are, the keys they make, and giving a key when it is time to open.

What is sealed under the keys is the business of the applications room.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from portal.audit.service import record
from portal.core import sealing
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize
from portal.tenders.models import Tender
from portal.tenders.seal_models import SealKey
from portal.tenders.seal_queries import NEEDED, candidates, ends, given_keys, in_use, keepers_of
from portal.tenders.service import expect, lock, locked

PLACES: Final = (1, 2, 3)
SHORTEST: Final = 14
LONGEST: Final = 200
FIELD: Final = "seal_password"
"""Named like a password, so that no page repeats it and no log keeps it."""
WRONG: Final = N_("This is not the passphrase of your key.")


def appoint(
    session: Session,
    actor: Actor,
    tender_id: UUID,
    *,
    sealed: bool,
    keepers: Sequence[UUID | None],
    expected_version: int,
) -> Tender:
    """Whether a tender in preparation is sealed, and who keeps its keys: two people, and a third as reserve.

    A keeper that stays in its place keeps its key. Problems: the first two missing, one person twice, somebody who
    may not be one.
    """
    row = locked(session, actor, tender_id, "edit")
    expect(row.version, expected_version)
    wanted = dict(zip(PLACES, (*keepers, None, None, None), strict=False)) if sealed else {}
    allowed = {user.id for user in candidates(session)}
    problems = [
        Problem("required", f"keeper_{place}", N_("Choose a keeper."))
        for place in PLACES[:NEEDED]
        if sealed and wanted.get(place) is None
    ]
    chosen: set[UUID] = set()
    for place, key in wanted.items():
        if key is None:
            continue
        if key not in allowed:
            problems.append(Problem("unknown", f"keeper_{place}", N_("Choose an officer, the chair or a director.")))
        elif key in chosen:
            problems.append(Problem("twice", f"keeper_{place}", N_("Each keeper must be another person.")))
        chosen.add(key)
    if problems:
        raise Problems(problems)
    held = {(keeper.place, keeper.user_id): keeper for keeper in keepers_of(session, tender_id)}
    for place_and_person, keeper in held.items():
        if place_and_person not in wanted.items():
            session.delete(keeper)
    session.flush()
    for place, key in wanted.items():
        if key is not None and (place, key) not in held:
            session.add(SealKey(tender_id=tender_id, place=place, user_id=key))
    before, row.sealed = row.sealed, sealed
    _touch(row)
    session.flush()
    names = {str(place): key for place, key in wanted.items() if key is not None}
    record(
        session, actor, "tenders:seal:appoint", "tender", tender_id,
        {"sealed": {"before": before, "after": sealed}, "keepers": names},
    )  # fmt: skip
    return row


def make_key(session: Session, actor: Actor, tender_id: UUID, *, passphrase: str, again: str) -> SealKey:
    """A keeper makes its key for the tender, or makes it anew while nothing is sealed with it.

    Raises :class:`NotFound` for who is no keeper, :class:`Problems` for the passphrase, :class:`Conflict` once an
    application is sealed with the key or the tender is over.
    """
    tender = lock(session, tender_id)
    row = _own(session, actor, tender_id)
    problems = passphrase_problems(passphrase, again, SHORTEST)
    if problems:
        raise Problems(problems)
    if in_use(session, tender_id):
        raise Conflict(N_("Applications are sealed with this key already: it can no longer be replaced."))
    if tender.unsealed_at is not None or tender.cancelled_at is not None:
        raise Conflict(N_("This tender takes no applications any more."))
    made = sealing.make_keeper_key(passphrase, _context(row))
    replaced, made_at = row.public is not None, now(session)
    row.public, row.salt, row.private = made.public, made.private.salt, made.private.content
    row.made_at = made_at
    session.flush()
    changes = {"place": row.place, "public": made.public.hex(), "replaced": replaced}
    record(session, actor, "tenders:seal:make_key", "tender", tender_id, changes)
    return row


def give(session: Session, actor: Actor, tender_id: UUID, *, passphrase: str) -> int:
    """A keeper opens with its key, after the closing by the database's clock. Returns how many have.

    The first one ends the intake for good. Raises :class:`NotFound` for who is no keeper, :class:`Conflict` before the
    time, :class:`Problems` for a wrong passphrase. Doing it twice is doing it once.
    """
    tender = lock(session, tender_id)
    row = _own(session, actor, tender_id)
    if not tender.sealed or tender.published_at is None or tender.cancelled_at is not None:
        raise Conflict(N_("There is nothing to open in this tender."))
    over = session.execute(ends(tender_id)).one()[1]
    if not over:
        raise Conflict(N_("It cannot be opened yet: applications, or one by an exception, may still come in."))
    if row.public is None:
        raise Conflict(N_("You have made no key for this tender."))
    try:
        private = sealing.open_keeper_key(passphrase, row.public, row.locked, _context(row))
    except sealing.CannotOpen:
        raise Problems.one("wrong", FIELD, WRONG) from None
    if row.given_at is None:
        at = now(session)
        tender.unsealed_at = tender.unsealed_at or at
        session.flush()
        row.given, row.given_at = private, at
        session.flush()
        record(session, actor, "tenders:seal:give", "tender", tender_id, {"place": row.place})
    return len(given_keys(session, tender_id))


def passphrase_problems(passphrase: str, again: str, shortest: int) -> list[Problem]:
    """What is wrong with a new passphrase: too short, too long, typed differently."""
    if len(passphrase.strip()) < shortest:
        return [Problem("too_short", FIELD, N_("Use at least %(least)s characters.", least=shortest))]
    if len(passphrase) > LONGEST:
        return [Problem("too_long", FIELD, N_("Use at most %(most)s characters.", most=LONGEST))]
    if passphrase != again:
        return [Problem("different", f"{FIELD}_again", N_("The two are not the same: type it again."))]
    return []


def _own(session: Session, actor: Actor, tender_id: UUID) -> SealKey:
    statement = select(SealKey).where(SealKey.tender_id == tender_id, SealKey.user_id == actor.user_id)
    row = session.scalar(statement.with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise NotFound
    authorize(actor, Permission.SEAL_KEEP, row)
    return row


def _context(row: SealKey) -> dict[str, str]:
    return {"tender": str(row.tender_id), "keeper": str(row.user_id)}


def _touch(row: Tender) -> None:
    """The tender's version moves with its keepers, so that nobody publishes what they have not seen."""
    flag_modified(row, "code")
