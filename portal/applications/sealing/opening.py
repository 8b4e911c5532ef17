"""Opening a sealed tender: two keepers give their keys, a task opens one application after the other.

The task may die at any moment and goes on where its last transaction ended; doing it twice changes nothing.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload, undefer

from portal.applications.models import Application, Attachment, State, Submission
from portal.applications.rules import TRANSITIONS, after_submission
from portal.applications.sealing import vault as sealing
from portal.applications.sealing.models import Fault, Seal, SealEnd, SealOpening
from portal.audit.service import record
from portal.core import jobs
from portal.core import sealing as crypto
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound
from portal.core.language import N_
from portal.documents import service as documents
from portal.documents.models import StoredFile
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.tenders import seal_keys, seal_queries
from portal.tenders.kept_rules import rules_in
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.seal_models import SealKey
from portal.tenders.service import lock

KIND: Final = "open_sealed"
STEP: Final = 10
"""Applications opened in one transaction."""
_ACTOR: Final = system_actor(KIND)


class Unopened(Exception):
    """An application that stays sealed: why, and at which file."""

    def __init__(self, fault: Fault, at: str | None = None) -> None:
        self.fault, self.at = fault, at
        super().__init__(fault)


def give_key(session: Session, actor: Actor, *, tender_id: UUID, passphrase: str) -> bool:
    """A keeper opens with its key; the second one begins the opening. Returns whether it has begun.

    Raises what :func:`portal.tenders.seal_keys.give` raises.
    """
    given = seal_keys.give(session, actor, tender_id, passphrase=passphrase)
    if given < seal_queries.NEEDED:
        return False
    if session.get(SealOpening, tender_id) is None:
        row = SealOpening(tender_id=tender_id, begun_at=now(session))
        session.add(row)
        _begin(session, actor, row)
    return True


def try_again(session: Session, actor: Actor, *, tender_id: UUID) -> SealOpening:
    """A keeper has those opened, after a repair, that could not be. Raises :class:`Conflict` where there are none."""
    lock(session, tender_id)
    key = session.scalar(select(SealKey).where(SealKey.tender_id == tender_id, SealKey.user_id == actor.user_id))
    row = session.get(SealOpening, tender_id, with_for_update=True)
    if key is None or row is None:
        raise NotFound
    authorize(actor, Permission.SEAL_KEEP, key)
    faulty = select(Seal.submission_id).where(Seal.tender_id == tender_id, Seal.fault.is_not(None))
    found = session.scalars(faulty).all()
    if row.finished_at is None or not found:
        raise Conflict(N_("There is nothing to open again."))
    session.execute(update(Seal).where(Seal.submission_id.in_(found)).values(fault=None, fault_at=None))
    row.tries, row.finished_at = row.tries + 1, None
    _begin(session, actor, row)
    return row


def _begin(session: Session, actor: Actor, row: SealOpening) -> None:
    session.flush()
    key = f"{KIND}:{row.tender_id}:{row.tries}"
    row.task_id = jobs.enqueue(session, KIND, {"tender_id": str(row.tender_id)}, key=key)
    record(session, actor, "applications:opening:begin", "tender", row.tender_id, {"try": row.tries})
    session.flush()


def step(session: Session, tender_id: UUID) -> jobs.Progress:
    """Open the next few applications of a tender, in the order of their numbers; at the end, close the protocol."""
    keys, due = seal_queries.given_keys(session, tender_id), _due(session, tender_id)
    waiting = (
        select(Seal)
        .where(Seal.tender_id == tender_id, Seal.ended.is_(None), Seal.fault.is_(None))
        .options(undefer(Seal.vault), joinedload(Seal.submission, innerjoin=True))
        .order_by(Seal.number, Seal.submission_id)
        .limit(STEP)
        .with_for_update(of=Seal)
        .execution_options(populate_existing=True)
    )
    for row in session.scalars(waiting).all():
        try:
            with session.begin_nested():
                _open(session, row, keys, due)
        except Unopened as found:
            row.fault, row.fault_at = found.fault, found.at
            facts = {"number": row.number, "fault": found.fault, "at": found.at}
            record(session, _ACTOR, "applications:opening:fault", "tender", tender_id, facts)
        session.flush()
    opened, faulty, left = _counts(session, tender_id)
    if not left:
        _finish(session, tender_id, opened, faulty)
    return jobs.Progress(opened + faulty, opened + faulty + left)


def _due(session: Session, tender_id: UUID) -> dict[UUID, tuple[str, ...]]:
    """Track of the tender -> the kinds of work that an application causes once it can be read; one query."""
    rows = session.execute(
        select(TenderTrack.id, RuleSetVersion).join(TenderTrack).where(TenderTrack.tender_id == tender_id)
    )
    return {track_id: after_submission(rules_in(version)) for track_id, version in rows}


def _counts(session: Session, tender_id: UUID) -> tuple[int, int, int]:
    """How many are opened, could not be opened, and are left."""
    row = session.execute(
        select(
            func.count().filter(Seal.ended == SealEnd.OPENED),
            func.count().filter(Seal.fault.is_not(None)),
            func.count().filter(Seal.ended.is_(None), Seal.fault.is_(None)),
        ).where(Seal.tender_id == tender_id)
    ).one()
    return row[0], row[1], row[2]


def _finish(session: Session, tender_id: UUID, opened: int, faulty: int) -> None:
    row = session.get_one(SealOpening, tender_id, with_for_update=True)
    if row.finished_at is not None:
        return
    row.finished_at = now(session)
    session.flush()
    facts = {"opened": opened, "faulty": faulty, "protocol": digest(protocol(session, tender_id).facts())}
    record(session, _ACTOR, "applications:opening:finish", "tender", tender_id, facts)


def _open(session: Session, row: Seal, keys: dict[str, bytes], due: Mapping[UUID, tuple[str, ...]]) -> None:
    """One application: key, content, digest, every file; then everything into its rows. Raises :class:`Unopened`."""
    application = session.get_one(Application, row.application_id, with_for_update=True, populate_existing=True)
    submission = row.submission
    secret = _secret(row, application, keys)
    if digest(secret["snapshot"]) != submission.sha256:
        raise Unopened(Fault.DIGEST)
    _check_files(session, secret["files"])
    try:
        sealing.put_back(session, application, secret)
    except sealing.Damaged:
        raise Unopened(Fault.SIGNATURE) from None
    session.execute(
        update(Submission).where(Submission.id == submission.id).values(snapshot=secret["snapshot"]),
        execution_options={"synchronize_session": False},
    )
    session.expire(submission, ["snapshot"])
    if digest(submission.snapshot) != submission.sha256:
        raise Unopened(Fault.DIGEST)
    application.state = TRANSITIONS.after("open", State(application.state))
    application.sealed = False
    sealing.name_again(application, secret)
    sealing.end(session, row, SealEnd.OPENED)
    session.flush()
    facts = {"number": row.number, "sha256": submission.sha256}
    record(session, _ACTOR, "applications:application:open", "application", application.id, facts)
    for kind in due[application.tender_track_id]:
        jobs.enqueue(session, kind, {"submission_id": str(submission.id)}, key=f"{kind}:{submission.id}")


def _secret(row: Seal, application: Application, keys: dict[str, bytes]) -> dict[str, Any]:
    context = sealing.context_of(row.submission, application)
    assert row.vault is not None
    try:
        key = crypto.unwrap({pair: b64decode(text) for pair, text in row.wraps.items()}, keys, context)
    except (crypto.CannotOpen, ValueError):
        raise Unopened(Fault.KEY) from None
    try:
        return crypto.unpack(crypto.decrypt(key, row.vault, context))
    except crypto.CannotOpen:
        raise Unopened(Fault.CONTENT) from None


def _check_files(session: Session, files: list[dict[str, Any]]) -> None:
    """Each file is read once and must have the digest that was sealed with it."""
    keys = [UUID(item["id"]) for item in files]
    rows = {str(file.id): file for file in session.scalars(select(StoredFile).where(StoredFile.id.in_(keys)))}
    codes = dict(session.execute(select(Attachment.file_id, Attachment.code).where(Attachment.file_id.in_(keys))).all())
    for item in files:
        try:
            content = documents.opened(rows[item["id"]], b64decode(item["key"]))
        except (crypto.CannotOpen, FileNotFoundError, KeyError):
            content = None
        if content is None or hashlib.sha256(content).hexdigest() != item["sha256"]:
            raise Unopened(Fault.FILE, codes.get(UUID(item["id"])))


@dataclass(frozen=True, slots=True)
class Line:
    """A sealed application in the protocol: only what was never sealed."""

    number: str
    track: str
    received_at: datetime
    sha256: str
    vault_sha256: str
    size: int
    opened_at: datetime | None
    fault: Fault | None
    fault_at: str | None


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who opened, and when."""

    name: str
    place: int
    public: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Protocol:
    """What happened at the opening."""

    tender: Tender
    ends_at: datetime
    opening: SealOpening
    keepers: list[Keeper]
    lines: list[Line]

    @property
    def opened(self) -> int:
        return sum(line.opened_at is not None for line in self.lines)

    @property
    def faulty(self) -> list[Line]:
        return [line for line in self.lines if line.fault is not None]

    def per_track(self) -> dict[str, int]:
        """Track -> how many applications."""
        tracks = [line.track for line in self.lines]
        return {track: tracks.count(track) for track in sorted(set(tracks))}

    def facts(self) -> dict[str, Any]:
        """What the digest in the audit trail is of."""
        return {
            "tender": self.tender.code,
            "ends_at": self.ends_at,
            "begun_at": self.opening.begun_at,
            "finished_at": self.opening.finished_at,
            "keepers": [{"public": item.public, "given_at": item.given_at} for item in self.keepers],
            "applications": [
                [line.number, line.track, line.received_at, line.sha256, line.vault_sha256, line.fault]
                for line in self.lines
            ],
        }


def protocol(session: Session, tender_id: UUID) -> Protocol:
    """The protocol of an opening that has begun; :class:`NotFound` before."""
    opening, tender = session.get(SealOpening, tender_id), session.get(Tender, tender_id)
    if opening is None or tender is None:
        raise NotFound
    rows = session.execute(
        select(Seal, Submission.sha256)
        .join(Submission, Submission.id == Seal.submission_id)
        .where(Seal.tender_id == tender_id, Seal.ended.is_distinct_from(SealEnd.WITHDRAWN))
        .order_by(Seal.number)
    )
    lines = [
        Line(
            row.number,
            row.track,
            row.sealed_at,
            sha256,
            row.vault_sha256,
            row.size,
            row.ended_at,
            Fault(row.fault) if row.fault else None,
            row.fault_at,
        )
        for row, sha256 in rows
    ]
    keepers = [
        Keeper(seal_queries.name_of(row.keeper), row.place, (row.public or b"").hex(), row.given_at)
        for row in seal_queries.keepers_of(session, tender_id)
        if row.given_at is not None
    ]
    ends_at = session.execute(seal_queries.ends(tender_id)).one()[0]
    return Protocol(tender, ends_at, opening, keepers, lines)


def counts(session: Session, tender_id: UUID) -> dict[str, int]:
    """Track -> how many applications are sealed now: all that the fund learns of them."""
    statement = (
        select(Application.track, func.count())
        .where(Application.tender_id == tender_id, Application.state == State.SEALED)
        .group_by(Application.track)
    )
    return dict(session.execute(statement).all())
