"""The whole application to take home: asked for, made in the background, kept for some days, then deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, BinaryIO, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Export, Submission
from portal.audit.service import record
from portal.core import jobs
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound
from portal.core.language import N_
from portal.documents import objects
from portal.documents.service import MADE
from portal.identity.policy import Actor, Permission, authorize

KEPT: Final = timedelta(days=3)
MOST_AT_ONCE: Final = 5
MAKE: Final = "make_export"
CLEAN: Final = "clean_exports"


def may_read_draft(actor: Actor, dossier: Dossier) -> bool:
    """Only those who take part see what is typed now; the fund reads what it received."""
    return any(actor.acts_for(part.organisation_id) for part in dossier.accepted)


def content_of(
    session: Session, actor: Actor, dossier: Dossier, version: int | None
) -> tuple[Submission | None, Mapping[str, Any]]:
    """A frozen version, or the draft as it is for None, for those who may read it. Raises :class:`NotFound`."""
    authorize(actor, Permission.APPLICATION_VIEW, dossier.application)
    if version is None:
        if not may_read_draft(actor, dossier):
            raise NotFound
        return None, dossier.package.content
    row = session.scalar(
        select(Submission).where(Submission.application_id == dossier.application.id, Submission.round == version)
    )
    if row is None:
        raise NotFound
    return row, row.snapshot


def ask(session: Session, actor: Actor, *, application_id: UUID, version: int | None, locale: str) -> Export:
    """Ask for a ZIP of a version, or of the draft for None. Raises :class:`Conflict` when too many are being made."""
    dossier = load(session, application_id)
    submission, _content = content_of(session, actor, dossier, version)
    assert actor.user_id is not None
    waiting = session.scalar(
        select(func.count()).where(
            Export.requested_by == actor.user_id, Export.made_at.is_(None), Export.expires_at > func.portal_now()
        )
    )
    if (waiting or 0) >= MOST_AT_ONCE:
        raise Conflict(N_("Several archives are being made for you already. Wait until they are ready."))
    stem = dossier.application.number or "draft"
    row = Export(
        id=uuid7(),
        application_id=application_id,
        submission_id=submission.id if submission else None,
        requested_by=actor.user_id,
        locale=locale,
        name=f"{stem}-{version}.zip" if version else f"{stem}.zip",
        expires_at=now(session) + KEPT,
    )
    session.add(row)
    session.flush()
    row.task_id = jobs.enqueue(session, MAKE, {"export_id": str(row.id)}, key=f"{MAKE}:{row.id}")
    record(session, actor, "applications:export:ask", "application", application_id, {"export": row.id})
    session.flush()
    return row


def keep(session: Session, row: Export, content: BinaryIO, size: int, sha256: str) -> None:
    """The archive is made: put it into the store under a key of its own."""
    key = f"{MADE}{row.id.hex}.zip"
    objects.put(session, key, content)
    made_at = now(session)
    row.made_key, row.made_at, row.size, row.sha256 = key, made_at, size, sha256
    session.flush()


def export_of(session: Session, actor: Actor, application_id: UUID, export_id: UUID) -> Export:
    """An archive of the one who asked for it, who must still have the right to its content. :class:`NotFound`."""
    row = session.get(Export, export_id)
    if row is None or row.application_id != application_id or row.requested_by != actor.user_id:
        raise NotFound
    if row.expires_at <= now(session):
        raise NotFound
    dossier = load(session, application_id)
    version = None
    if row.submission_id is not None:
        version = session.get_one(Submission, row.submission_id).round
    content_of(session, actor, dossier, version)
    return row


def fetch(session: Session, actor: Actor, application_id: UUID, export_id: UUID) -> tuple[Export, Iterator[bytes]]:
    """The archive in blocks; who fetched it is noted. Raises :class:`Conflict` while it is not made yet."""
    row = export_of(session, actor, application_id, export_id)
    if row.made_key is None:
        raise Conflict(N_("The archive is not ready yet."))
    try:
        content = objects.chunks(row.made_key)
    except FileNotFoundError:
        raise NotFound from None
    changes = {"export": row.id, "sha256": row.sha256}
    record(session, actor, "applications:export:fetch", "application", application_id, changes)
    return row, content


def exports_of(session: Session, actor: Actor, application_id: UUID) -> list[Export]:
    """The reader's own archives of an application that can still be fetched, newest first."""
    statement = (
        select(Export)
        .where(
            Export.application_id == application_id,
            Export.requested_by == actor.user_id,
            Export.expires_at > func.portal_now(),
        )
        .order_by(Export.id.desc())
        .limit(20)
    )
    return list(session.scalars(statement))


@jobs.handler(CLEAN, every=3600)
def clean(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Delete archives whose days are over, with their rows."""
    rows = session.scalars(select(Export).where(Export.expires_at <= func.portal_now()).limit(500)).all()
    objects.delete_later(session, [row.made_key for row in rows if row.made_key])
    for row in rows:
        session.delete(row)
    session.flush()


def version_of(text: str) -> int | None:
    """A version's number from an address, None for ``draft``. Raises :class:`NotFound` for anything else."""
    if text == "draft":
        return None
    if text.isascii() and text.isdigit() and 0 < len(text) < 6:
        return int(text)
    raise NotFound
