"""How documents stand: versions, validity, and what keeps an application from submission."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import Application, Attachment, State, Submission
from portal.applications.papers import attachments, blanks
from portal.applications.papers import standing as papers
from portal.applications.papers.standing import PaperState
from portal.applications.submissions import submission
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.documents.inspection import content_type
from portal.documents.kinds import DOCX, XLSX
from portal.tenders.models import Tender
from tests.factories import applications


def attach(joint: applications.Joint, code: str = "DOC-02", place: int = 0, **changes: object) -> Attachment:
    own = joint.parts[place].id if code in ("DOC-11", "DOC-12") else None
    given = {"participant_id": own, "name": "plan.pdf", "stream": io.BytesIO(applications.PDF)}
    return attachments.attach(
        joint.session,
        joint.actor(place),
        application_id=joint.id,
        code=code,
        **{**given, **changes},  # type: ignore[arg-type]
    )


def state(joint: applications.Joint, code: str = "DOC-12", place: int = 0) -> PaperState:
    dossier = joint.dossier
    requirement = dossier.rules.document(code)
    assert requirement is not None
    return papers.document_state(dossier, requirement, dossier.accepted[place].id)


def aged(joint: applications.Joint, days: int, code: str = "DOC-12") -> Attachment:
    """A document that was issued so many days ago."""
    return attach(joint, code, issued_on=(joint.dossier.today - timedelta(days=days)).isoformat())


def closing_in(joint: applications.Joint, days: int) -> None:
    closes = joint.dossier.intake.now + timedelta(days=days)
    joint.session.execute(update(Tender).where(Tender.id == joint.tender.id).values(closes_at=closes))
    joint.session.expire_all()


def test_a_new_version_takes_the_place_of_the_old_one(session: Session) -> None:
    joint = applications.draft(session)
    first = attach(joint, name="first.pdf")
    second = attach(joint, name="second.pdf", replaces=first.id)
    third = attach(joint, name="third.pdf", replaces=second.id)
    assert [(item.version, item.series_id) for item in (first, second, third)] == [(n, first.id) for n in (1, 2, 3)]
    assert [item["name"] for item in joint.dossier.package.content["documents"]] == ["third.pdf"]
    assert first.removed_by == joint.owners[0].id
    assert attachments.open_attachment(session, joint.id, first.id).file.name == "first.pdf"


def test_what_has_been_replaced_cannot_be_replaced_again(session: Session) -> None:
    joint = applications.draft(session)
    first = attach(joint)
    attach(joint, replaces=first.id)
    with pytest.raises(Conflict):
        attach(joint, replaces=first.id)
    with pytest.raises(NotFound):
        attach(joint, replaces=uuid4())
    with pytest.raises(Conflict):
        attach(joint, code="DOC-07", replaces=first.id)
    with pytest.raises(Refused):
        attachments.attach(
            session, joint.actor(1), application_id=joint.id, participant_id=None, code="DOC-02", name="x.pdf",
            stream=io.BytesIO(applications.PDF), replaces=first.id,
        )  # fmt: skip


def test_a_refused_new_version_leaves_the_old_one(session: Session) -> None:
    joint = applications.draft(session)
    first = attach(joint)
    with pytest.raises(Problems):
        attach(joint, replaces=first.id, stream=io.BytesIO(b"MZ" * 500))
    assert [item.id for item in joint.dossier.attached(None, "DOC-02")] == [first.id]


def test_the_database_keeps_one_current_version(session: Session) -> None:
    joint = applications.draft(session)
    first = attach(joint)
    attach(joint, replaces=first.id)
    with pytest.raises(IntegrityError, match="uq_attachment_current"), session.begin_nested():
        session.execute(update(Attachment).where(Attachment.id == first.id).values(removed_at=None))


def test_a_submission_keeps_its_version(session: Session) -> None:
    joint, row = applications.submitted(session)
    frozen = {item["file_id"] for item in row.snapshot["documents"]}
    submission.withdraw(session, joint.actor(), application_id=joint.id)
    old = joint.dossier.attached(None, "DOC-02")[0]
    attach(joint, replaces=old.id)
    session.expire_all()
    kept = session.get_one(Submission, row.id)
    assert {item["file_id"] for item in kept.snapshot["documents"]} == frozen
    assert str(old.file_id) in frozen
    assert str(joint.dossier.attached(None, "DOC-02")[0].file_id) not in frozen


def test_validity_of_thirty_days(session: Session) -> None:
    """On the thirtieth day it still counts; it is warned of when it will not count to the end of the intake."""
    joint = applications.draft(session)
    row = aged(joint, 0)
    requirement = joint.dossier.rules.document("DOC-12")
    assert requirement is not None
    for days, closes, expected in (
        (0, 20, PaperState.GIVEN),
        (10, 20, PaperState.GIVEN),
        (11, 20, PaperState.EXPIRING),
        (25, 3, PaperState.EXPIRING),
        (30, 40, PaperState.EXPIRING),
        (31, 40, PaperState.EXPIRED),
        (400, 40, PaperState.EXPIRED),
    ):
        closing_in(joint, closes)
        row.issued_on = joint.dossier.today - timedelta(days=days)
        session.flush()
        found = papers.validity(joint.dossier, requirement, row)
        assert (found.state, found.until) == (expected, joint.dossier.today + timedelta(days=30 - days)), days
        assert state(joint) is expected


def test_states_of_a_document(session: Session) -> None:
    joint = applications.draft(session)
    assert state(joint) is PaperState.MISSING
    aged(joint, 1)
    attach(joint, "DOC-12")
    assert state(joint) is PaperState.UNDATED
    assert state(joint, place=1) is PaperState.MISSING
    aged(joint, 31)
    assert state(joint) is PaperState.EXPIRED


def test_an_old_extract_is_not_submitted(session: Session) -> None:
    """Of a certificate (DOC-12) the eligibility rule says the same; of an extract (DOC-11) no rule does."""
    joint, code = applications.filled(session), "DOC-11"
    old = aged(joint, 31, code)
    applications.confirm_all(joint)
    with pytest.raises(Problems) as refused:
        submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    problem = next(p for p in refused.value.problems if p.code == "expired")
    assert problem.field == f"participant.{joint.parts[0].id}.documents.{code}"
    attach(joint, code, replaces=old.id, issued_on=joint.dossier.today.isoformat())
    applications.confirm_all(joint)
    assert submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True).round == 1


def test_in_a_correction_what_was_valid_at_submission_stays_valid(session: Session) -> None:
    joint, _row = applications.submitted(session)
    later = joint.dossier.today + timedelta(days=5)
    received = joint.dossier.intake.now - timedelta(days=40)
    session.execute(
        update(Application)
        .where(Application.id == joint.id)
        .values(state=State.RETURNED, correction_due=later, received_at=received)
    )
    issued = received.date() - timedelta(days=3)
    session.execute(
        update(Attachment)
        .where(Attachment.application_id == joint.id, Attachment.code == "DOC-12")
        .values(created_at=received - timedelta(days=1), issued_on=issued)
    )
    session.expire_all()
    assert state(joint) is PaperState.GIVEN
    attach(joint, "DOC-12", issued_on=issued.isoformat())
    assert state(joint) is PaperState.EXPIRED


def test_forms_are_documents_that_the_portal_would_take(session: Session) -> None:
    joint = applications.draft(session)
    dossier, part = joint.dossier, joint.parts[1]
    for locale, head in (("ru", "Руководитель"), ("en", "Head")):
        for code in ("DOC-07", "DOC-09", "DOC-13", "DOC-20"):
            made = blanks.blank(dossier, part, code, locale)
            assert content_type(io.BytesIO(made.content)) == made.content_type == DOCX
            assert made == blanks.blank(dossier, part, code, locale)
            with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
                text = archive.read("word/document.xml").decode()
            assert joint.organisations[1].inn in text
            assert head in text
        table = blanks.blank(dossier, part, "DOC-16", locale)
        assert content_type(io.BytesIO(table.content)) == table.content_type == XLSX


def test_names_in_forms_are_text(session: Session) -> None:
    joint = applications.draft(session)
    joint.organisations[1].name_en = 'A <b> & "c"\x0b\n]]>'
    session.flush()
    made = blanks.blank(joint.dossier, joint.parts[1], "DOC-13", "en")
    assert content_type(io.BytesIO(made.content)) == DOCX
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        import xml.etree.ElementTree as tree

        assert 'A <b> & "c"' in "".join(tree.fromstring(archive.read("word/document.xml")).itertext())
