"""Files in the store."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.db import transaction
from portal.core.errors import Problems
from portal.documents import kinds, service
from portal.documents.models import StoredFile
from portal.identity.policy import ANONYMOUS
from tests.documents import samples

PDFS = frozenset({kinds.PDF})


def keep(session: Session, data: bytes = samples.PDF, **fields: Any) -> StoredFile:
    given = {"name": "plan.pdf", "allowed": PDFS, **fields}
    return service.store(session, ANONYMOUS, stream=io.BytesIO(data), **given)


def fault(session: Session, data: bytes, **fields: Any) -> str:
    with pytest.raises(Problems) as caught:
        keep(session, data, **fields)
    return caught.value.problems[0].code


@pytest.fixture
def folder(app: Flask, session: Session) -> Callable[[], int]:
    place = Path(urlsplit(app.extensions["portal"].files_url).path)
    return lambda: sum(1 for path in place.rglob("*") if path.is_file())


def test_a_file_is_kept_with_its_digest(session: Session, folder: Callable[[], int]) -> None:
    row = keep(session)
    assert (row.name, row.content_type, row.size) == ("plan.pdf", kinds.PDF, len(samples.PDF))
    assert row.sha256 == hashlib.sha256(samples.PDF).hexdigest()
    assert b"".join(service.chunks(row)) == samples.PDF
    assert "plan" not in row.key


def test_refused_files_leave_nothing(session: Session, folder: Callable[[], int]) -> None:
    before = folder()
    assert fault(session, b"") == "empty"
    assert fault(session, samples.docx()) == "wrong_type"
    assert fault(session, samples.PDF[:-8]) == "damaged"
    assert fault(session, samples.PDF + b"\x00" * service.MAX_SIZE) == "too_large"
    assert folder() == before
    assert session.scalar(select(func.count()).select_from(StoredFile)) == 0


def test_a_rolled_back_transaction_leaves_no_file(session: Session, folder: Callable[[], int]) -> None:
    before = folder()

    def fail_after_storing() -> None:
        with transaction() as current:
            keep(current)
            assert folder() == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_storing()
    assert folder() == before


def test_a_committed_file_stays(session: Session, folder: Callable[[], int]) -> None:
    before = folder()
    with transaction() as current:
        keep(current)
    with pytest.raises(ZeroDivisionError), transaction():
        raise ZeroDivisionError
    assert folder() == before + 1


def test_the_sweep_takes_old_files_without_a_row(app: Flask, session: Session) -> None:
    place = Path(urlsplit(app.extensions["portal"].files_url).path)
    with transaction() as current:
        kept = keep(current)
    for name in ("ff/orphan-old", "ff/orphan-new"):
        (place / "ff").mkdir(exist_ok=True)
        (place / name).write_bytes(b"x")
    old = time.time() - 2 * 86400
    for name in ("ff/orphan-old", kept.key):
        os.utime(place / name, (old, old))
    assert service.sweep(session) == 1
    assert (place / kept.key).exists()
    assert (place / "ff/orphan-new").exists()
    assert not (place / "ff/orphan-old").exists()


def test_ten_megabytes_of_text_come_back_whole(session: Session) -> None:
    data = "строка;1\n".encode() * 600_000
    row = keep(session, data, name="big.csv", allowed=kinds.TABLES)
    assert hashlib.sha256(service.content(row)).hexdigest() == row.sha256
