"""Taking files in: streamed, measured, inspected by content, kept under a generated key.

The file is written before the row that names it commits, and deleted when that transaction rolls back. A
process that dies between the two leaves a file without a row; :func:`sweep` (``flask portal sweep-files``)
removes those.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url
from sqlalchemy import event, select
from sqlalchemy.orm import Session, SessionTransaction

from portal.audit import service as audit
from portal.core.db import uuid7
from portal.core.errors import Problems
from portal.core.language import N_
from portal.documents import names
from portal.documents.archives import BadFile
from portal.documents.inspection import content_type
from portal.documents.kinds import listed
from portal.documents.models import StoredFile
from portal.identity.policy import Actor

MAX_SIZE: Final = 20 * 1024 * 1024
FIELD: Final = "file"
ORPHAN_AGE: Final = timedelta(days=1)
_BLOCK: Final = 64 * 1024
_IN_MEMORY: Final = 1024 * 1024
_NEW: Final = "portal.documents.new"
_places: dict[str, ObjectStore] = {}
log = logging.getLogger(__name__)


def configure(files_url: str) -> None:
    """Where files are kept: ``file:///folder`` (made when missing) or ``s3://bucket/prefix``."""
    place = urlsplit(files_url)
    if place.scheme == "file":
        folder = Path(unquote(place.path))
        folder.mkdir(parents=True, exist_ok=True)
        _places["files"] = LocalStore(folder)
    else:
        _places["files"] = from_url(files_url)


@dataclass(frozen=True, slots=True)
class _Received:
    size: int
    sha256: str
    content_type: str


def store(session: Session, actor: Actor, *, name: str, stream: BinaryIO, allowed: frozenset[str]) -> StoredFile:
    """Take a file in; who may do so is the business of the room whose object it belongs to.

    ``stream`` is read once, to its end or to :data:`MAX_SIZE` bytes. ``allowed`` are content types of
    :mod:`portal.documents.kinds`. Raises :class:`Problems` (field ``file``): ``empty``, ``too_large``,
    ``wrong_type``, ``unknown_type``, ``damaged``, ``locked``, ``macros``, ``nested``, ``zip_bomb``,
    ``not_office``, ``old_office``, ``encoding``, ``xml``. Nothing is kept of a refused file.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as held:
        received = _receive(stream, held, allowed)  # type: ignore[arg-type]
        key = uuid7()
        row = StoredFile(
            id=key,
            key=f"{key.hex[-2:]}/{key.hex}",
            name=names.clean(name, received.content_type),
            content_type=received.content_type,
            size=received.size,
            sha256=received.sha256,
            uploaded_by=actor.user_id,
        )
        session.info.setdefault(_NEW, []).append(row.key)
        held.seek(0)
        obstore.put(_places["files"], row.key, held)
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        "documents:file:store",
        "stored_file",
        row.id,
        {"name": row.name, "size": row.size, "sha256": row.sha256},
    )
    return row


def _receive(stream: BinaryIO, held: BinaryIO, allowed: frozenset[str]) -> _Received:
    digest, size = hashlib.sha256(), 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > MAX_SIZE:
            problem = N_("The file is larger than %(limit)s MB.", limit=MAX_SIZE // 1024 // 1024)
            raise Problems.one("too_large", FIELD, problem)
        digest.update(block)
        held.write(block)
    try:
        kind = content_type(held)
    except BadFile as bad:
        raise Problems.one(bad.code, FIELD, bad.message) from None
    if kind not in allowed:
        problem = N_("This kind of file is not accepted here. Upload one of: %(kinds)s.", kinds=listed(allowed))
        raise Problems.one("wrong_type", FIELD, problem)
    return _Received(size, digest.hexdigest(), kind)


def chunks(file: StoredFile) -> Iterator[bytes]:
    """The content in blocks. Raises ``FileNotFoundError`` at once when the store has lost it."""
    found = obstore.get(_places["files"], file.key)
    return (bytes(block) for block in found.stream(min_chunk_size=_BLOCK))


def content(file: StoredFile) -> bytes:
    """The whole content, at most :data:`MAX_SIZE` bytes."""
    return b"".join(chunks(file))


def sweep(session: Session) -> int:
    """Delete stored files that no row names and that are older than a day. Returns how many."""
    deleted, before = 0, datetime.now(UTC) - ORPHAN_AGE
    for batch in obstore.list(_places["files"], chunk_size=500):
        old = [item["path"] for item in batch if item["last_modified"] < before]
        known = set(session.scalars(select(StoredFile.key).where(StoredFile.key.in_(old)))) if old else set()
        orphans = [path for path in old if path not in known]
        if orphans:
            obstore.delete(_places["files"], orphans)
            deleted += len(orphans)
    return deleted


@event.listens_for(Session, "after_commit")
def _keep(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(_NEW, None)


@event.listens_for(Session, "after_soft_rollback")
def _discard(session: Session, previous: SessionTransaction) -> None:
    if session.in_nested_transaction():
        return
    keys: list[Any] = session.info.pop(_NEW, [])
    for key in keys:
        try:
            obstore.delete(_places["files"], key)
        except (BaseError, OSError) as error:
            log.warning("file %s is left for the sweep: %s", key, error)
