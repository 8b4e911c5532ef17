"""Uploads in parts, which go on after a broken connection, a new sign-in, or on another web node.

Begin with name, size and digest; send parts, each from where the last one ended; finish. The parts are objects
of the store, the rows say what has arrived: any node can take the next part, none holds anything in memory. Who
may upload what for which object is asked by the room of the object, at each step; this room asks whose upload
it is. After the core of tus 1.0 (https://tus.io/protocols/resumable-upload).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from portal.core import jobs
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.language import N_
from portal.documents import objects
from portal.documents.models import StoredFile, Upload, UploadPart
from portal.documents.service import FIELD, MAX_SIZE, TOO_LARGE
from portal.identity.policy import Actor

MIN_PART: Final = 64 * 1024
MAX_PART: Final = 4 * 1024 * 1024
MAX_OPEN: Final = 30
MAX_OPEN_BYTES: Final = 200 * 1024 * 1024
IDLE: Final = timedelta(hours=24)
_LONGEST: Final = 255
_PERSON_LOCK: Final = 0x4A50_0002
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Misplaced(Conflict):
    """The part does not begin where the received ones end; ``received`` says where that is."""

    def __init__(self, received: int) -> None:
        self.received = received
        super().__init__(N_("This part of the file is not the next one. The upload goes on from where it stood."))


def begin(
    session: Session,
    actor: Actor,
    *,
    object_type: str,
    object_id: UUID,
    place: dict[str, Any],
    name: str,
    size: int,
    sha256: str | None = None,
    fingerprint: str = "",
) -> Upload:
    """A new upload, or the person's unfinished one of the same file for the same place, to be continued.

    ``size`` in bytes. Raises :class:`Problems` (field ``file``): ``empty``, ``too_large``, ``bad_hash``,
    ``too_many_open``.
    """
    assert actor.user_id is not None
    _check(size, sha256)
    session.execute(text("select pg_advisory_xact_lock(:space, hashtext(:person))"), {
        "space": _PERSON_LOCK, "person": str(actor.user_id)
    })  # fmt: skip
    mine = session.scalars(
        select(Upload).where(Upload.uploaded_by == actor.user_id, Upload.done_at.is_(None)).order_by(Upload.id)
    ).all()
    at = now(session)
    for row in mine:
        if (row.object_id, row.size, row.place) == (object_id, size, place) and _same(row, sha256, fingerprint):
            row.touched_at = at
            session.flush()
            return row
    if len(mine) >= MAX_OPEN or sum(row.size for row in mine) + size > MAX_OPEN_BYTES:
        message = N_("Too many of your uploads are unfinished. Finish or discard some of them, then upload this file.")
        raise Problems.one("too_many_open", FIELD, message)
    row = Upload(
        uploaded_by=actor.user_id,
        object_type=object_type,
        object_id=object_id,
        place=place,
        name=_kept(name),
        size=size,
        sha256=sha256,
        fingerprint=_kept(fingerprint),
        touched_at=at,
    )
    session.add(row)
    session.flush()
    jobs.enqueue(session, "sweep_uploads", {}, key=f"sweep_uploads:{at:%Y-%m-%dT%H}")
    return row


def _check(size: int, sha256: str | None) -> None:
    if size <= 0:
        raise Problems.one("empty", FIELD, N_("The file is empty."))
    if size > MAX_SIZE:
        raise Problems.one("too_large", FIELD, TOO_LARGE)
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise Problems.one("bad_hash", FIELD, N_("The browser sent an unusable digest. Choose the file again."))


def _kept(text_: str) -> str:
    """A text of the browser as the database can keep it; the name is made harmless when the file is stored."""
    return text_.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")[-_LONGEST:]


def _same(row: Upload, sha256: str | None, fingerprint: str) -> bool:
    if row.sha256 is not None and sha256 is not None:
        return row.sha256 == sha256
    return row.sha256 == sha256 and bool(fingerprint) and row.fingerprint == _kept(fingerprint)


def find(session: Session, actor: Actor, *, upload_id: UUID, object_id: UUID, lock: bool = False) -> Upload:
    """The person's own upload for the object; :class:`NotFound` for any other."""
    statement = (
        select(Upload)
        .where(Upload.id == upload_id, Upload.object_id == object_id, Upload.uploaded_by == actor.user_id)
        .execution_options(populate_existing=True)
    )
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound
    return row


def receive(session: Session, row: Upload, *, start: int, data: bytes, sha256: str | None = None) -> Upload:
    """Take the next part of an upload that was found with its lock.

    ``start`` is where the part begins, in bytes; ``sha256`` that of the part, where the browser gives it. A part
    has :data:`MIN_PART` to :data:`MAX_PART` bytes, the last one may be shorter. Raises :class:`Misplaced` for a
    replayed, overlapping or premature part and :class:`Problems` for one that cannot be right; neither changes
    what has been received.
    """
    if row.done_at is not None or start != row.received:
        raise Misplaced(row.received)
    if not data or start + len(data) > row.size:
        raise Problems.one("part_size", FIELD, N_("The browser sent more or less of the file than it announced."))
    last = start + len(data) == row.size
    if len(data) > MAX_PART or (len(data) < MIN_PART and not last):
        raise Problems.one("part_size", FIELD, N_("The browser sent a part of the file that is too long or too short."))
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise Problems.one("part_hash", FIELD, N_("A part of the file has changed on its way. It is sent once more."))
    # The key is new at each try: a part of a transaction that rolled back is deleted under its own key only.
    key = f"uploads/{row.id.hex}/{uuid7().hex}"
    objects.put(session, key, data)
    session.add(UploadPart(upload_id=row.id, start=start, size=len(data), key=key))
    row.received += len(data)
    row.touched_at = now(session)
    session.flush()
    return row


def whole(session: Session, row: Upload) -> io.RawIOBase:
    """The parts of a completely received upload as one stream. Raises :class:`Problems` (``unfinished``)."""
    if row.received != row.size:
        raise Problems.one("unfinished", FIELD, N_("The file has not arrived completely. Continue its upload."))
    parts = session.scalars(select(UploadPart).where(UploadPart.upload_id == row.id).order_by(UploadPart.start))
    return _Joined([part.key for part in parts])


def close(session: Session, row: Upload, file: StoredFile) -> None:
    """The upload has become ``file``: its parts go; the row stays a day, so that a lost answer can be asked again."""
    _drop_parts(session, [row.id])
    row.done_at, row.file_id = now(session), file.id
    row.touched_at = row.done_at
    session.flush()


def discard(session: Session, ids: Iterable[UUID]) -> int:
    """Forget uploads and what has arrived of them. Returns how many there were."""
    ids = list(ids)
    _drop_parts(session, ids)
    gone = session.scalars(delete(Upload).where(Upload.id.in_(ids)).returning(Upload.id)).all()
    session.flush()
    return len(gone)


def sweep(session: Session) -> int:
    """Forget uploads that have stood still for :data:`IDLE`, finished ones too. Returns how many."""
    idle = select(Upload.id).where(Upload.touched_at < func.portal_now() - IDLE).limit(500)
    return discard(session, session.scalars(idle.with_for_update(skip_locked=True)).all())


def unfinished(session: Session, actor: Actor, object_id: UUID) -> list[Upload]:
    """The person's uploads for the object that can be continued, oldest first."""
    mine = select(Upload).where(
        Upload.uploaded_by == actor.user_id, Upload.object_id == object_id, Upload.done_at.is_(None)
    )
    return list(session.scalars(mine.order_by(Upload.id)))


def announced(session: Session, object_id: UUID) -> int:
    """How many bytes all unfinished uploads for the object will have."""
    total = select(func.coalesce(func.sum(Upload.size), 0))
    return int(session.scalar(total.where(Upload.object_id == object_id, Upload.done_at.is_(None))) or 0)


def _drop_parts(session: Session, ids: list[UUID]) -> None:
    gone = session.scalars(delete(UploadPart).where(UploadPart.upload_id.in_(ids)).returning(UploadPart.key)).all()
    objects.delete_later(session, gone)


class _Joined(io.RawIOBase):
    """The objects of the store one after the other; only a block is in memory."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._blocks = (block for key in keys for block in objects.chunks(key))
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, at least one before the end; everything for a negative size."""
        if size < 0:
            rest, self._rest = self._rest, b""
            return rest + b"".join(self._blocks)
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        given, self._rest = self._rest[:size], self._rest[size:]
        return given
