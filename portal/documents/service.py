"""Taking files in: streamed, measured, inspected by content, kept under a generated key, checked for viruses.

How the content and the row that names it come and go together is told in :mod:`portal.documents.objects`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit import service as audit
from portal.core import jobs, sealing
from portal.core.db import uuid7
from portal.core.errors import Problems
from portal.core.language import N_
from portal.documents import clamd, names, objects
from portal.documents.archives import BadFile
from portal.documents.inspection import content_type
from portal.documents.kinds import listed
from portal.documents.models import Scan, StoredFile, UploadPart
from portal.identity.policy import Actor

MAX_SIZE: Final = 20 * 1024 * 1024
FIELD: Final = "file"
MADE: Final = "made/"
"""What the portal makes itself and deletes itself (archives): the sweep leaves it alone."""
ORPHAN_AGE: Final = timedelta(days=1)
_BLOCK: Final = 64 * 1024
_IN_MEMORY: Final = 1024 * 1024
TOO_LARGE: Final = N_("The file is larger than %(limit)s MB.", limit=MAX_SIZE // 1024 // 1024)


def configure(files_url: str, clamd_url: str | None = None) -> None:
    """Where files are kept (``file:///folder``, ``s3://bucket/prefix``), and the scanner, if there is one."""
    objects.configure(files_url)
    clamd.configure(clamd_url)


@dataclass(frozen=True, slots=True)
class _Received:
    size: int
    sha256: str
    content_type: str


def store(
    session: Session,
    actor: Actor,
    *,
    name: str,
    stream: BinaryIO,
    allowed: frozenset[str],
    sha256: str | None = None,
    encrypted: bool = False,
) -> StoredFile:
    """Take a file in; who may do so is the business of the room whose object it belongs to.

    ``stream`` is read once, to its end or to :data:`MAX_SIZE` bytes. ``allowed`` are content types of
    :mod:`portal.documents.kinds`; ``sha256`` is what the sender says it sent, in lower hexadecimal. ``encrypted``: the
    store gets it under a key of its own, and the audit trail learns neither name nor digest. Raises
    :class:`Problems` (field ``file``): ``empty``, ``too_large``, ``wrong_type``, ``unknown_type``, ``damaged``,
    ``locked``, ``macros``, ``nested``, ``zip_bomb``, ``not_office``, ``old_office``, ``encoding``, ``xml``,
    ``wrong_hash``. Nothing is kept of a refused file.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as held:
        received = _receive(stream, held, allowed, sha256)  # type: ignore[arg-type]
        key = uuid7()
        row = StoredFile(
            id=key,
            key=f"{key.hex[-2:]}/{key.hex}",
            name=names.clean(name, received.content_type),
            content_type=received.content_type,
            size=received.size,
            sha256=received.sha256,
            uploaded_by=actor.user_id,
            scan=Scan.PENDING if clamd.configured() else Scan.UNSCANNED,
            encrypted=encrypted,
        )
        held.seek(0)
        if encrypted:
            row.content_key = sealing.new_key()
            objects.put(session, row.key, sealing.encrypt(row.content_key, held.read(), _context(row)))
        else:
            objects.put(session, row.key, held)  # type: ignore[arg-type]
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        "documents:file:store",
        "stored_file",
        row.id,
        {"size": row.size} if encrypted else {"name": row.name, "size": row.size, "sha256": row.sha256},
    )
    if row.scan == Scan.PENDING:
        jobs.enqueue(session, "scan_file", {"file_id": str(row.id)}, key=f"scan_file:{row.id}")
    return row


def keep(
    session: Session, actor: Actor, *, name: str, content: bytes, content_type: str, encrypted: bool = False
) -> StoredFile:
    """Keep what the portal has made itself: nothing is inspected. The caller records it."""
    key = uuid7()
    row = StoredFile(
        id=key,
        key=f"{key.hex[-2:]}/{key.hex}",
        name=name,
        content_type=content_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        uploaded_by=actor.user_id,
        encrypted=encrypted,
    )
    if encrypted:
        row.content_key = sealing.new_key()
        content = sealing.encrypt(row.content_key, content, _context(row))
    objects.put(session, row.key, content)
    session.add(row)
    session.flush()
    return row


def _receive(stream: BinaryIO, held: BinaryIO, allowed: frozenset[str], sha256: str | None) -> _Received:
    digest, size = hashlib.sha256(), 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > MAX_SIZE:
            raise Problems.one("too_large", FIELD, TOO_LARGE)
        digest.update(block)
        held.write(block)
    if sha256 is not None and digest.hexdigest() != sha256:
        problem = N_("The file has changed on its way to the portal. Upload it once more.")
        raise Problems.one("wrong_hash", FIELD, problem)
    try:
        kind = content_type(held)
    except BadFile as bad:
        raise Problems.one(bad.code, FIELD, bad.message) from None
    if kind not in allowed:
        problem = N_("This kind of file is not accepted here. Upload one of: %(kinds)s.", kinds=listed(allowed))
        raise Problems.one("wrong_type", FIELD, problem)
    return _Received(size, digest.hexdigest(), kind)


def chunks(file: StoredFile) -> Iterator[bytes]:
    """The content in blocks. Raises ``FileNotFoundError`` at once when it is not there, as of a refused file.

    Of an encrypted one, ``sealing.CannotOpen`` when it is not what was stored; a sealed one is not there.
    """
    if file.scan == Scan.REFUSED:
        raise FileNotFoundError(file.key)
    if not file.encrypted:
        return objects.chunks(file.key)
    if file.content_key is None:
        raise FileNotFoundError(file.key)
    return iter((opened(file, file.content_key),))


def opened(file: StoredFile, key: bytes) -> bytes:
    """The whole content of an encrypted file by its key. Raises what :func:`chunks` raises."""
    return sealing.decrypt(key, b"".join(objects.chunks(file.key)), _context(file))


def _context(file: StoredFile) -> dict[str, str]:
    return {"file": str(file.id)}


def content(file: StoredFile) -> bytes:
    """The whole content, at most :data:`MAX_SIZE` bytes."""
    return b"".join(chunks(file))


def sweep(session: Session) -> int:
    """Delete stored objects that no row names and that are older than a day. Returns how many."""
    deleted, before = 0, datetime.now(UTC) - ORPHAN_AGE
    for old in objects.older(before):
        if not old:
            continue
        kept = select(StoredFile.key).where(StoredFile.key.in_(old), StoredFile.scan != Scan.REFUSED)
        parts = select(UploadPart.key).where(UploadPart.key.in_(old))
        known = {*session.scalars(kept), *session.scalars(parts)}
        for key in old:
            if key not in known and not key.startswith(MADE):
                objects.delete(key)
                deleted += 1
    return deleted
