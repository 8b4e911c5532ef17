"""The store of contents: objects under generated keys, in a folder or on S3.

An object is written before the row that names it commits, and deleted when that transaction rolls back; an
object whose row goes is deleted after the commit. A process that dies in between leaves an object without a
row, which :func:`portal.documents.service.sweep` removes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from portal.core.db import after_commit

BLOCK: Final = 64 * 1024
_NEW: Final = "portal.documents.new"
_MARKS: Final = "portal.documents.savepoints"
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


def put(session: Session, key: str, content: BinaryIO | bytes) -> None:
    """Write an object; it goes again when the present transaction rolls back."""
    session.info.setdefault(_NEW, []).append(key)
    obstore.put(_places["files"], key, content)


def chunks(key: str) -> Iterator[bytes]:
    """The content in blocks. Raises ``FileNotFoundError`` at once when the store has lost it."""
    found = obstore.get(_places["files"], key)
    return (bytes(block) for block in found.stream(min_chunk_size=BLOCK))


def delete_later(session: Session, keys: Iterable[str]) -> None:
    """Delete objects once the present transaction has committed; what fails is left for the sweep."""
    for key in keys:
        after_commit(session, f"delete:{key}", lambda key=key: delete(key))  # type: ignore[misc]


def delete(key: str) -> None:
    """Delete an object now. A failure is logged: the sweep comes by later."""
    try:
        obstore.delete(_places["files"], key)
    except (BaseError, OSError) as error:
        log.warning("file %s is left for the sweep: %s", key, error)


def older(before: datetime) -> Iterator[list[str]]:
    """The keys of all objects last changed before ``before``, in batches."""
    for batch in obstore.list(_places["files"], chunk_size=500):
        yield [item["path"] for item in batch if item["last_modified"] < before]


@event.listens_for(Session, "after_commit")
def _keep(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(_NEW, None)


@event.listens_for(Session, "after_transaction_create")
def _mark(session: Session, begun: SessionTransaction) -> None:
    if begun.nested:
        session.info.setdefault(_MARKS, WeakKeyDictionary())[begun] = len(session.info.get(_NEW, ()))


@event.listens_for(Session, "after_soft_rollback")
def _discard(session: Session, previous: SessionTransaction) -> None:
    """A savepoint takes back what was written since it began, and nothing else; a transaction takes back all."""
    if not previous.nested and previous.parent is not None:
        return
    held: list[Any] = session.info.get(_NEW, [])
    first = session.info.get(_MARKS, {}).get(previous, 0) if previous.nested else 0
    for key in held[first:]:
        delete(key)
    del held[first:]
