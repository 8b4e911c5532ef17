"""What becomes of a file after its scan, in the background."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Attachment
from portal.applications.papers import attachments
from portal.applications.submissions import submission
from portal.audit.models import AuditEvent
from portal.core import jobs
from portal.core.db import db, transaction
from portal.core.errors import Problems
from portal.documents import clamd, kinds, scanning, service
from portal.documents.models import Scan, StoredFile
from portal.identity.models import User
from portal.identity.policy import ANONYMOUS
from portal.notifications.models import Letter
from tests.documents.clamd_server import EICAR, Scanner, closed_port, scanner
from tests.factories import applications

SignIn = Callable[[User], FlaskClient]
INFECTED = applications.PDF.replace(b"\n%%EOF", b"\n%" + EICAR + b"\n%%EOF")


@pytest.fixture
def virus_scanner(app: Flask) -> Iterator[Scanner]:
    with scanner() as running:
        clamd.configure(running.url)
        yield running
        clamd.configure(None)


@pytest.fixture
def folder(app: Flask) -> Path:
    return Path(urlsplit(app.extensions["portal"].files_url).path)


def keep(session: Session, data: bytes = applications.PDF) -> StoredFile:
    return service.store(session, ANONYMOUS, name="plan.pdf", stream=io.BytesIO(data), allowed=frozenset({kinds.PDF}))


def waiting(session: Session) -> list[str]:
    return list(session.scalars(select(jobs.Task.kind).where(jobs.Task.kind == "scan_file")))


def test_without_a_scanner_a_file_says_that_it_was_not_scanned(session: Session) -> None:
    row = keep(session)
    assert (row.scan, row.scanned_at, waiting(session)) == (Scan.UNSCANNED, None, [])
    assert scanning.scan(session, row.id) is Scan.UNSCANNED


def test_a_clean_file(session: Session, virus_scanner: Scanner) -> None:
    row = keep(session)
    assert (row.scan, waiting(session)) == (Scan.PENDING, ["scan_file"])
    assert scanning.scan(session, row.id) is Scan.CLEAN
    assert row.scanned_at is not None
    assert virus_scanner.seen == [applications.PDF]
    assert scanning.scan(session, row.id) is Scan.CLEAN
    assert len(virus_scanner.seen) == 1


def test_an_infected_file_goes_and_its_row_says_why(session: Session, virus_scanner: Scanner, folder: Path) -> None:
    with transaction() as current:
        row = keep(current, INFECTED)
    assert (folder / row.key).exists()
    with transaction() as current:
        assert scanning.scan(current, row.id) is Scan.REFUSED
    assert not (folder / row.key).exists()
    assert (row.scan, row.scan_note) == (Scan.REFUSED, "Eicar-Test-Signature")
    with pytest.raises(FileNotFoundError):
        service.chunks(row)
    event = session.scalars(select(AuditEvent).where(AuditEvent.tag == "documents:file:refuse")).one()
    assert event.changes["found"] == "Eicar-Test-Signature"


def test_a_refusal_that_is_rolled_back_keeps_the_file(session: Session, virus_scanner: Scanner, folder: Path) -> None:
    with transaction() as current:
        row = keep(current, INFECTED)
    with pytest.raises(ZeroDivisionError), transaction() as current:
        scanning.scan(current, row.id)
        raise ZeroDivisionError
    assert (folder / row.key).exists()
    assert row.scan == Scan.PENDING


def test_the_sweep_takes_what_a_dying_worker_left_of_a_refused_file(
    session: Session, virus_scanner: Scanner, folder: Path
) -> None:
    import os

    with transaction() as current:
        row = keep(current, INFECTED)
    scanning.scan(session, row.id)
    session.commit()  # not through transaction(): the effects are lost, as when the process dies
    assert (folder / row.key).exists()
    os.utime(folder / row.key, (0, 0))
    assert service.sweep(session) == 1
    assert not (folder / row.key).exists()


def test_files_of_the_time_before_the_scanner_are_scanned_later(session: Session) -> None:
    early = keep(session)
    with scanner() as running:
        clamd.configure(running.url)
        try:
            assert scanning.scan_later(session) == 1
            assert scanning.scan_later(session) == 0
            assert scanning.scan(session, early.id) is Scan.CLEAN
        finally:
            clamd.configure(None)


def test_people_are_told_and_submission_waits(session: Session, virus_scanner: Scanner, sign_in: SignIn) -> None:
    joint = applications.filled(session)
    row = attachments.attach(
        session, joint.actor(), application_id=joint.id, participant_id=None, code="DOC-02", name="bad.pdf",
        stream=io.BytesIO(INFECTED),
    )  # fmt: skip

    def said() -> dict[str, str]:
        with pytest.raises(Problems) as refused:
            submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
        return {p.code: str(p.message) for p in refused.value.problems if p.field == "documents.DOC-02"}

    assert set(said()) == {"pending"}
    session.commit()
    address = f"/applications/{joint.id}/attachments/{row.id}"
    assert sign_in(joint.owners[0]).get(address).status_code == 200
    assert sign_in(joint.owners[1]).get(address).status_code == 409
    for file_id in session.scalars(select(StoredFile.id)).all():
        scanning.scan(session, file_id)
    session.commit()
    problems = said()
    assert set(problems) == {"refused"}
    assert "Eicar-Test-Signature" in problems["refused"]
    letters = session.scalars(select(Letter).where(Letter.kind == "file_refused")).all()
    assert [letter.recipient for letter in letters] == [joint.owners[0].email]
    assert "bad.pdf" in letters[0].subject
    for owner in joint.owners:
        assert sign_in(owner).get(address).status_code == 403
        assert sign_in(owner).get(f"{address}/content").status_code == 403
        assert sign_in(owner).get(f"{address}/preview").status_code == 403
    shown = sign_in(joint.owners[0]).get(f"/applications/{joint.id}/documents?lang=en").text
    assert "Eicar-Test-Signature" in shown
    attachments.remove(session, joint.actor(), attachment_id=row.id)
    applications.confirm_all(joint)
    submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    assert session.get_one(Attachment, row.id).removed_at is not None


def test_the_task_waits_for_a_scanner_that_is_away(fresh_app: Flask) -> None:
    """The worker's own way: a failed attempt, then the scanner comes back."""
    with fresh_app.app_context():
        clamd.configure(f"tcp://127.0.0.1:{closed_port()}")
        try:
            with transaction() as current:
                file_id = keep(current).id
            jobs.drain("work")
            db.session.remove()
            task = db.session.scalars(select(jobs.Task).where(jobs.Task.kind == "scan_file")).one()
            assert "not reached" in (task.last_error or "")
            assert db.session.get_one(StoredFile, file_id).scan == Scan.PENDING
            with scanner() as running, transaction() as current:
                clamd.configure(running.url)
                scanning.scan(current, file_id)
            assert db.session.get_one(StoredFile, file_id).scan == Scan.CLEAN
        finally:
            clamd.configure(None)
            db.session.remove()
