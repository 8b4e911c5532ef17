"""Documents: attached by code and participant, dated, removed, and never lost to a submission."""

from __future__ import annotations

import io

import pytest
from sqlalchemy.orm import Session

from portal.applications.models import Attachment
from portal.applications.papers import attachments
from portal.core.errors import Conflict, NotFound, Problems, Refused
from tests.factories import applications


def attach(joint: applications.Joint, code: str = "DOC-02", **changes: object) -> Attachment:
    given = {"participant_id": None, "name": "plan.pdf", "stream": io.BytesIO(applications.PDF), "issued_on": ""}
    actor = changes.pop("actor", joint.actor())
    return attachments.attach(joint.session, actor, application_id=joint.id, code=code, **{**given, **changes})  # type: ignore[arg-type]


def test_a_document_is_in_the_package_with_its_digest(session: Session) -> None:
    joint = applications.draft(session)
    row = attach(joint, issued_on="01.11.2018")
    assert joint.dossier.package.content["documents"] == [
        {
            "code": "DOC-02",
            "file_id": str(row.file_id),
            "name": "plan.pdf",
            "sha256": row.file.sha256,
            "size": len(applications.PDF),
            "issued_on": "2018-11-01",
        }
    ]


@pytest.mark.parametrize("code", ["DOC-01", "DOC-12", "DOC-99", "DOC-19", ""])
def test_documents_that_are_not_asked_for_here(session: Session, code: str) -> None:
    """DOC-01 is made by the portal, DOC-12 is each participant's, DOC-19 belongs to the other track."""
    with pytest.raises(NotFound):
        attach(applications.draft(session), code)


def test_each_organisation_attaches_its_own(session: Session) -> None:
    joint = applications.draft(session)
    second = joint.parts[1].id
    with pytest.raises(Refused):
        attach(joint, actor=joint.actor(1))
    with pytest.raises(Refused):
        attach(joint, "DOC-12", participant_id=second)
    assert attach(joint, "DOC-12", participant_id=second, actor=joint.actor(1)).participant_id == second
    with pytest.raises(NotFound):
        attach(joint, actor=applications.draft(session).actor())


def test_wrong_types_and_wrong_dates_are_refused(session: Session) -> None:
    joint = applications.draft(session)
    with pytest.raises(Problems) as refused:
        attach(joint, stream=io.BytesIO(b"MZ" + b"\0" * 200))
    assert refused.value.problems[0].field == "file"
    for day, code in (("yesterday", "not_date"), ("31.12.2999", "in_future"), ("9" * 5000, "not_date")):
        with pytest.raises(Problems) as refused:
            attach(joint, issued_on=day)
        assert [(p.code, p.field) for p in refused.value.problems] == [(code, "issued_on")]
    assert joint.dossier.package.content["documents"] == []


def test_no_more_than_twenty_files(session: Session) -> None:
    joint = applications.draft(session)
    for _ in range(attachments.MAX_FILES):
        attach(joint)
    with pytest.raises(Problems) as refused:
        attach(joint)
    assert [p.code for p in refused.value.problems] == ["too_many"]


def test_the_date_can_be_corrected(session: Session) -> None:
    joint = applications.draft(session)
    row = attach(joint)
    attachments.date_attachment(session, joint.actor(), attachment_id=row.id, issued_on="2018-10-02")
    assert joint.dossier.package.content["documents"][0]["issued_on"] == "2018-10-02"
    with pytest.raises(Refused):
        attachments.date_attachment(session, joint.actor(1), attachment_id=row.id, issued_on="")


def test_a_removed_file_leaves_the_package_and_stays_in_the_store(session: Session) -> None:
    joint = applications.draft(session)
    row = attach(joint)
    with pytest.raises(Refused):
        attachments.remove(session, joint.actor(1), attachment_id=row.id)
    attachments.remove(session, joint.actor(), attachment_id=row.id)
    assert joint.dossier.package.content["documents"] == []
    assert attachments.open_attachment(session, joint.id, row.id).file.name == "plan.pdf"
    with pytest.raises(NotFound):
        attachments.remove(session, joint.actor(), attachment_id=row.id)


def test_another_applications_file_is_not_found(session: Session) -> None:
    joint = applications.draft(session)
    row = attach(joint)
    with pytest.raises(NotFound):
        attachments.open_attachment(session, applications.draft(session).id, row.id)


def test_documents_are_closed_after_submission(session: Session) -> None:
    joint, _ = applications.submitted(session)
    row = joint.dossier.attachments[0]
    with pytest.raises(Conflict):
        attach(joint)
    with pytest.raises(Conflict):
        attachments.remove(session, joint.actor(), attachment_id=row.id)
