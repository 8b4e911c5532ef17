"""Making the archive of an application: PDF, JSON of the package, all documents, and a manifest of SHA-256."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final
from uuid import UUID

from flask import current_app, g
from flask_babel import force_locale
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.following.dossier import load
from portal.applications.models import Application, Export, State, Submission
from portal.applications.papers import exports
from portal.core import jobs
from portal.documents import names, pdf
from portal.documents import service as documents
from portal.documents.models import Scan, StoredFile
from portal.web.application_paper import paper_data

_IN_MEMORY: Final = 8 * 1024 * 1024
_BLOCK: Final = 64 * 1024
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@jobs.handler(exports.MAKE)
def make_export(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Make one archive, unless it is made or its days are over."""
    row = session.get(Export, UUID(payload["export_id"]))
    if row is None or row.made_at is not None or not _readable(session, row.application_id):
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as held:
        _write(session, row, held)  # type: ignore[arg-type]
        size = held.tell()
        held.seek(0)
        sha256 = hashlib.sha256()
        while block := held.read(_BLOCK):
            sha256.update(block)
        held.seek(0)
        exports.keep(session, row, held, size, sha256.hexdigest())  # type: ignore[arg-type]


def _readable(session: Session, application_id: UUID) -> bool:
    """Whether the application is not sealed; it cannot be until this archive is kept, and is then deleted with it."""
    state = select(Application.state).where(Application.id == application_id).with_for_update(read=True)
    return session.scalar(state) != State.SEALED


def _write(session: Session, row: Export, out: BinaryIO) -> None:
    dossier = load(session, row.application_id)
    submission = session.get_one(Submission, row.submission_id) if row.submission_id else None
    content = submission.snapshot if submission else dossier.package.content
    with current_app.test_request_context(), force_locale(row.locale):
        before = g.get("locale")
        g.locale = row.locale
        try:
            paper = pdf.render("application", paper_data(dossier, submission, content))
        finally:
            g.locale = before or row.locale
    manifest: list[tuple[str, str]] = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, manifest, "application.pdf", iter([paper]))
        package = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True).encode()
        _add(archive, manifest, "application.json", iter([package]))
        for name, file in _papers(session, content):
            if file.scan in (Scan.PENDING, Scan.REFUSED):
                manifest.append((f"{file.sha256}", f"# {name}: {file.scan}"))
                continue
            _add(archive, manifest, name, documents.chunks(file))
        lines = "".join(f"{digest}  {name}\n" for digest, name in manifest)
        archive.writestr(_entry("SHA256SUMS.txt"), lines)


def _papers(session: Session, content: Mapping[str, Any]) -> Iterator[tuple[str, StoredFile]]:
    """Each document with its name inside the archive: whose, which, in which place; one query."""
    listed = [("project", item) for item in content.get("documents") or ()]
    for place, part in enumerate(content.get("participants") or (), 1):
        folder = f"participant-{place}-{(part.get('organisation') or {}).get('inn') or 'x'}"
        listed += [(folder, item) for item in part.get("documents") or ()]
    keys = [UUID(str(item["file_id"])) for _folder, item in listed]
    files = {file.id: file for file in session.scalars(select(StoredFile).where(StoredFile.id.in_(keys)))}
    for number, (folder, item) in enumerate(listed, 1):
        file = files.get(UUID(str(item["file_id"])))
        if file is not None:
            safe = names.clean(file.name, file.content_type)
            yield f"documents/{folder}/{item['code']}-{number:03}-{safe}", file


def _add(archive: zipfile.ZipFile, manifest: list[tuple[str, str]], name: str, blocks: Iterator[bytes]) -> None:
    """Write one entry block by block, and note its SHA-256."""
    sha256 = hashlib.sha256()
    with archive.open(_entry(name), "w", force_zip64=True) as entry:
        for block in blocks:
            sha256.update(block)
            entry.write(block)
    manifest.append((sha256.hexdigest(), name))


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry without a clock: the same content gives the same archive."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
