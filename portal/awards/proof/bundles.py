"""Making, keeping and finding results bundles: an archive whose bytes follow from the published decisions.

What is published later on a track, and the refusal of an award, make another version; the earlier ones stay.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.audit.service import record
from portal.awards.proof import bundle, gathering
from portal.awards.proof.decisions import followed
from portal.awards.proof.models import ResultsBundle
from portal.awards.proof.trail import trail
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


def make_later(session: Session, tender_id: UUID, cause: UUID) -> None:
    """Have the bundle of a tender made, now that a decision is published or an award refused (``cause``: its key)."""
    jobs.enqueue(session, KIND, {"tender_id": str(tender_id)}, key=f"{KIND}:{cause}")


@jobs.handler(KIND)
def results_bundle(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Background work: make the bundle of a tender's published decisions, unless it is there."""
    make(session, UUID(payload["tender_id"]))


def make(session: Session, tender_id: UUID) -> ResultsBundle | None:
    """The bundle of what is public now, the next version when something is new; None while nothing is."""
    # Versions of a tender are made one after the other, each naming the one before.
    tender = session.scalar(select(Tender).where(Tender.id == tender_id).with_for_update(key_share=True, of=Tender))
    decisions = gathering.published(session, tender_id)
    if tender is None or not decisions:
        return None
    since = followed(session, decisions)
    key = digest(
        [
            *(
                [str(each.id), each.digest]
                for first in decisions
                for each in (first, *since[first.tender_track_id].later)
            ),
            *(["refused", str(line.id)] for held in since.values() for line in held.refused),
        ]
    )
    former = versions(session, tender_id)
    known = next((row for row in former if row.decisions == key), None)
    if known is not None:
        return known
    tracks = gathering.tracks(session, decisions, since)
    version = len(former) + 1
    files: bundle.Files = {
        "tender.json": bundle.tender_file(tender, tracks, version, former[0].file.sha256 if former else None),
        "audit.json": trail(session, tracks),
    }
    files |= bundle.joint_file(tender)
    for track in tracks:
        files |= bundle.track_files(session, track)
    content = archive(files)
    name = f"results-{tender.code}.zip" if version == 1 else f"results-{tender.code}-{version}.zip"
    file = documents.keep(session, ACTOR, name=name, content=content, content_type=ZIP)
    row = ResultsBundle(tender_id=tender_id, decisions=key, head=files["audit.json"]["head"]["seq"], file_id=file.id)
    session.add(row)
    session.flush()
    changes = {"tender": tender.code, "version": version, "sha256": file.sha256, "size": file.size}
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


def versions(session: Session, tender_id: UUID) -> Sequence[ResultsBundle]:
    """The bundles of a tender with their files, the newest first; the oldest one is version 1."""
    return session.scalars(
        select(ResultsBundle)
        .where(ResultsBundle.tender_id == tender_id)
        .order_by(ResultsBundle.id.desc())
        .options(joinedload(ResultsBundle.file, innerjoin=True))
    ).all()


def newest(session: Session, tender_id: UUID) -> ResultsBundle | None:
    """The bundle that is offered first, with its file."""
    return next(iter(versions(session, tender_id)), None)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a bundle says of one application: the track's name, the submission, place, total points and outcome.

    ``decision``: the number of the decision that stands; ``refused``: its initiator did not take the award.
    """

    track: str
    submission: Mapping[str, Any]
    place: int
    points: Decimal | None
    outcome: str
    decision: int = 1
    refused: bool = False


def entry(row: ResultsBundle, number: str) -> Entry | None:
    """The line of an application in a bundle (file loaded), by its registration number; None: it is not inside."""
    with zipfile.ZipFile(io.BytesIO(documents.content(row.file))) as archive:

        def read(name: str) -> Any:
            return json.loads(archive.read(name))

        about = read("tender.json")
        for track in about["tracks"]:
            place = f"tracks/{track}"
            held = next((each for each in read(f"{place}/submissions.json") if each["number"] == number), None)
            if held is None:
                continue
            allocated = read(f"{place}/allocation.json")
            keys = {name: key for key, name in allocated["numbers"].items()}
            line = next(each for each in allocated["covered"]["lines"] if each["application"] == keys[number])
            points = None if line["total"] is None else Decimal(line["total"])
            # Bundles of format 1 know of no later decision.
            standing = read(f"{place}/standing.json") if about["format"] > 1 else [{**line, "number": number}]
            stands = next(each for each in standing if each["number"] == number)
            return Entry(
                track,
                held,
                line["place"],
                points,
                stands["outcome"],
                stands.get("decision", 1),
                stands.get("refused", False),
            )
    return None
