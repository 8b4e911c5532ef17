"""Making, keeping and finding results bundles: an archive whose bytes follow from the published decisions."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.audit.service import record
from portal.awards import bundle
from portal.awards.bundle_trail import trail
from portal.awards.proof_models import ResultsBundle
from portal.core import jobs, signing
from portal.core.canonical import canonical_json, digest
from portal.documents import service as documents
from portal.identity.policy import system_actor
from portal.tenders.models import Tender

KIND: Final = "results_bundle"
ACTOR: Final = system_actor("proof")
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "signature.json"
ZIP: Final = "application/zip"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def make_later(session: Session, tender_id: UUID, decision_id: UUID) -> None:
    """Have the bundle of a tender made, now that a decision is published."""
    jobs.enqueue(session, KIND, {"tender_id": str(tender_id)}, key=f"{KIND}:{decision_id}")


@jobs.handler(KIND)
def results_bundle(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Background work: make the bundle of a tender's published decisions, unless it is there."""
    make(session, UUID(payload["tender_id"]))


def make(session: Session, tender_id: UUID) -> ResultsBundle | None:
    """The bundle of the decisions that are public now; None while there are none."""
    decisions = bundle.published(session, tender_id)
    if not decisions:
        return None
    key = digest([[str(each.id), each.digest] for each in decisions])
    held = session.scalar(
        select(ResultsBundle).where(ResultsBundle.tender_id == tender_id, ResultsBundle.decisions == key)
    )
    if held is not None:
        return held
    tender = session.get_one(Tender, tender_id)
    tracks = bundle.tracks(session, decisions)
    files: bundle.Files = {"tender.json": bundle.tender_file(tender, tracks), "audit.json": trail(session, tracks)}
    for track in tracks:
        files |= bundle.track_files(session, track)
    content = archive(files)
    file = documents.keep(session, ACTOR, name=f"results-{tender.code}.zip", content=content, content_type=ZIP)
    row = ResultsBundle(tender_id=tender_id, decisions=key, head=files["audit.json"]["head"]["seq"], file_id=file.id)
    session.add(row)
    session.flush()
    changes = {"tender": tender.code, "sha256": file.sha256, "size": file.size}
    record(session, ACTOR, "awards:bundle:make", "tender", tender_id, changes)
    return row


def archive(files: bundle.Files) -> bytes:
    """The files as a ZIP without compression and without a clock, after a signed manifest of their digests."""
    contents = {name: canonical_json(content) for name, content in sorted(files.items())}
    listed = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in contents.items()
    }
    manifest = canonical_json({"format": bundle.FORMAT, "files": listed})
    signature = {"key": signing.public_key(), "signature": signing.sign(manifest)}
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as written:
        for name, content in {MANIFEST: manifest, SIGNATURE: canonical_json(signature), **contents}.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            written.writestr(entry, content)
    return held.getvalue()


def newest(session: Session, tender_id: UUID) -> ResultsBundle | None:
    """The bundle that is offered, with its file."""
    return session.scalar(
        select(ResultsBundle)
        .where(ResultsBundle.tender_id == tender_id)
        .order_by(ResultsBundle.id.desc())
        .limit(1)
        .options(joinedload(ResultsBundle.file, innerjoin=True))
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """What a bundle says of one application: the track's name, the submission, place, total points and outcome."""

    track: str
    submission: Mapping[str, Any]
    place: int
    points: Decimal | None
    outcome: str


def entry(row: ResultsBundle, number: str) -> Entry | None:
    """The line of an application in a bundle (file loaded), by its registration number; None: it is not inside."""
    with zipfile.ZipFile(io.BytesIO(documents.content(row.file))) as archive:

        def read(name: str) -> Any:
            return json.loads(archive.read(name))

        for track in read("tender.json")["tracks"]:
            place = f"tracks/{track}"
            held = next((each for each in read(f"{place}/submissions.json") if each["number"] == number), None)
            if held is None:
                continue
            allocated = read(f"{place}/allocation.json")
            keys = {name: key for key, name in allocated["numbers"].items()}
            line = next(each for each in allocated["covered"]["lines"] if each["application"] == keys[number])
            points = None if line["total"] is None else Decimal(line["total"])
            return Entry(track, held, line["place"], points, line["outcome"])
    return None
