"""Who read which document: every door notes it, the owner reads it, and the fund's people stay unnamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.identity.models import Role, User
from tests.conftest import form
from tests.documents import samples
from tests.factories import applications, identity, review

SignIn = Callable[[User], FlaskClient]
SECRET = "Zaphod Expert"


def events(session: Session) -> list[tuple[str, str, str]]:
    """Tag, code and reader of each noted reading, oldest first."""
    found = session.scalars(
        select(AuditEvent).where(AuditEvent.tag.like("applications:attachment:%")).order_by(AuditEvent.seq)
    )
    return [
        (event.tag.rpartition(":")[2], event.changes["code"], event.changes["reader"])
        for event in found
        if "reader" in event.changes
    ]


def test_every_door_notes_who_read(session: Session, sign_in: SignIn) -> None:
    joint, _row = applications.submitted(session)
    officer = identity.user(session, Role.OFFICER, name="Trillian Officer")
    plan = next(item for item in joint.dossier.attachments if item.code == "DOC-02")
    own = next(item for item in joint.dossier.attachments if item.participant_id == joint.parts[1].id)
    session.commit()
    base, staff = f"/applications/{joint.id}/attachments", f"/staff/applications/{joint.id}/documents"
    partner, fund = sign_in(joint.owners[1]), sign_in(officer)
    assert partner.get(f"{base}/{plan.id}").status_code == 200
    assert partner.get(f"{base}/{plan.id}/content").status_code == 200
    assert partner.get(f"{base}/{plan.id}/preview").status_code == 200
    assert partner.get(f"{base}/{plan.id}", headers={"Range": "bytes=10-20"}).status_code == 206
    assert fund.get(f"{staff}/{own.file_id}").data == applications.PDF
    viewed = fund.get(f"{staff}/{own.file_id}?view=1")
    assert viewed.headers["Content-Disposition"].startswith("inline")
    assert fund.get(f"{base}/{plan.id}").status_code == 200
    assert events(session) == [
        ("download", "DOC-02", "participant"),
        ("view", "DOC-02", "participant"),
        ("download", own.code, "fund"),
        ("view", own.code, "fund"),
        ("download", "DOC-02", "fund"),
    ]
    initiator = sign_in(joint.owners[0]).get(f"/applications/{joint.id}/documents/readers?lang=en").text
    second = sign_in(joint.owners[1]).get(f"/applications/{joint.id}/documents/readers?lang=en").text
    # The initiator reads of the project's documents, a partner of its own; partners by organisation, no names.
    assert initiator.count("DOC-02 DOC-02.pdf") == 3
    assert own.code not in initiator
    assert joint.organisations[1].name_en in initiator
    assert joint.owners[1].full_name not in initiator
    assert second.count(f"{own.code} {own.code}.pdf") == 2
    assert "DOC-02" not in second
    for page in (initiator, second):
        assert "Trillian" not in page
        assert "The fund" in page


def test_an_expert_reads_only_after_declaring_and_stays_unnamed(session: Session, sign_in: SignIn) -> None:
    joint, _row = applications.submitted(session)
    people = [identity.user(session, Role.REVIEWER, name=f"{SECRET} {number}") for number in range(2)]
    expert, officer = people[0], identity.user(session, Role.OFFICER)
    application = review.admitted(session, joint.id)
    assignment = next(
        row for row in review.assigned(session, application, people=people) if row.reviewer_id == expert.id
    )
    plan = next(item for item in joint.dossier.attachments if item.code == "DOC-02")
    session.commit()
    client, address = sign_in(expert), f"/reviews/{assignment.id}/documents/{plan.file_id}"
    assert client.get(address).status_code == 302
    assert events(session) == []
    review.opened(session, assignment)
    session.commit()
    assert client.get(address).status_code == 200
    assert events(session) == [("download", "DOC-02", "expert")]
    shown = sign_in(joint.owners[0]).get(f"/applications/{joint.id}/documents/readers?lang=en").text
    assert "An expert of the fund" in shown
    assert SECRET not in shown
    # Strangers to the assignment, and those who take no part, find nothing.
    assert sign_in(identity.user(session, Role.REVIEWER)).get(address).status_code == 404
    assert sign_in(officer).get(f"/applications/{joint.id}/documents/readers").status_code == 404


def test_the_list_of_readers_pages_in_fixed_queries(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any]
) -> None:
    joint = applications.draft(session)
    applications.attach(joint, "DOC-02")
    session.commit()
    client, here = sign_in(joint.owners[0]), f"/applications/{joint.id}/documents/readers"
    row = joint.dossier.attachments[0]
    client.get(here)
    counts = []
    for times in (1, 2):
        for _ in range(times):
            client.get(f"/applications/{joint.id}/attachments/{row.id}")
        with count_queries() as statements:
            assert client.get(here).status_code == 200
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 10, counts


@pytest.mark.parametrize(
    ("data", "kind", "policy", "disposition"),
    [
        (applications.PDF, "application/pdf", "frame-ancestors 'self'", "inline"),
        (samples.docx(), "application/vnd.openxmlformats", "sandbox; default-src 'none'", "attachment"),
    ],
    ids=["pdf", "docx"],
)
def test_only_harmless_kinds_are_shown(
    session: Session, sign_in: SignIn, data: bytes, kind: str, policy: str, disposition: str
) -> None:
    joint = applications.draft(session)
    session.commit()
    client = sign_in(joint.owners[0])
    import io

    name = 'План "итог"\u202e;<b>%.pdf'
    client.post(f"/applications/{joint.id}/documents", data=form(code="DOC-02", file=(io.BytesIO(data), name)))
    row = joint.dossier.attachments[0]
    kept = row.file.name
    answer = client.get(f"/applications/{joint.id}/attachments/{row.id}/content")
    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.headers["Content-Disposition"].startswith(f'{disposition}; filename="')
    assert policy in answer.headers["Content-Security-Policy"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    quoted = answer.headers["Content-Disposition"].partition("filename=")[2]
    assert all(" " <= letter <= "~" for letter in quoted)
    assert "\u202e" not in kept
    part = client.get(f"/applications/{joint.id}/attachments/{row.id}", headers={"Range": "bytes=0-4"})
    assert (part.status_code, part.data) == (206, data[:5])
    beyond = client.get(f"/applications/{joint.id}/attachments/{row.id}", headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    page = client.get(f"/applications/{joint.id}/attachments/{row.id}/preview?lang=en")
    assert page.status_code == 200
    assert ("<iframe" in page.text) == (disposition == "inline")
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]


def test_blank_forms_and_the_list_of_all(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    session.commit()
    client = sign_in(joint.owners[1])
    form_of = f"/applications/{joint.id}/participants/{joint.parts[1].id}/documents/forms"
    assert client.get(f"{form_of}/DOC-13").headers["Content-Disposition"].startswith("attachment")
    assert client.get(f"{form_of}/DOC-07").status_code == 404
    assert client.get(f"{form_of}/DOC-12").status_code == 404
    assert client.get(f"/applications/{joint.id}/documents/forms/DOC-07").status_code == 200
    shown = client.get(f"/applications/{joint.id}/documents/all?lang=en").text
    assert all(organisation.name_en in shown for organisation in joint.organisations)
    stranger = sign_in(applications.draft(session).owners[0])
    session.commit()
    for path in (f"{form_of}/DOC-13", f"/applications/{joint.id}/documents/all"):
        assert stranger.get(path).status_code == 404


def test_a_partners_papers_follow_the_rule_of_confidential_figures(
    session: Session, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the rule lets each see its own part only, the other's papers are closed by every door."""
    own_only = lambda parts, rules, organisations: {p.id for p in parts if p.organisation_id in organisations}  # noqa: E731
    joint = applications.filled(session)
    other = next(item for item in joint.dossier.attachments if item.participant_id == joint.parts[1].id)
    session.commit()
    monkeypatch.setattr("portal.applications.papers.downloads.seen_parts", own_only)
    initiator, partner = sign_in(joint.owners[0]), sign_in(joint.owners[1])
    address = f"/applications/{joint.id}/attachments/{other.id}"
    page = f"/applications/{joint.id}/participants/{joint.parts[1].id}/documents"
    for path in (address, f"{address}/content", f"{address}/preview", page):
        assert initiator.get(path).status_code == 403, path
        assert partner.get(path).status_code == 200, path
    assert joint.organisations[1].name_en not in initiator.get(f"/applications/{joint.id}/documents/all?lang=en").text
