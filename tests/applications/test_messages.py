"""Messages between participants and officers: who may, what is kept, who is told, and who waits."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.following import messages
from portal.applications.following.messages import Attached
from portal.applications.models import ThreadMessage
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.identity.models import Membership, OrgRole, Role, User
from portal.notifications.models import Letter, Notice
from tests.conftest import form
from tests.factories import applications as projects
from tests.factories import identity
from tests.factories.applications import Joint

SignIn = Callable[[User], FlaskClient]


@pytest.fixture
def joint(session: Session) -> Joint:
    return projects.submitted(session)[0]


@pytest.fixture
def officer(session: Session) -> User:
    return identity.user(session, Role.OFFICER)


def write(session: Session, joint: Joint, text: str = "When is the check?", place: int = 0, **given: Any) -> Any:
    return messages.send(session, joint.actor(place), application_id=joint.id, text=text, **given)


def reply(session: Session, joint: Joint, officer: User, text: str = "On Monday.") -> ThreadMessage:
    actor = identity.actor(session, officer)
    return messages.send(session, actor, application_id=joint.id, text=text, for_fund=True)


def told(session: Session) -> dict[str, set[Any]]:
    """Subject's beginning -> who has a notice of a message."""
    rows = session.execute(select(Notice.path, Notice.user_id).where(Notice.kind == messages.KIND))
    found: dict[str, set[Any]] = {}
    for path, user in rows:
        found.setdefault(str(path).split("/")[1], set()).add(user)
    return found


def test_officers_are_told_and_the_thread_waits_until_one_answers(
    session: Session, joint: Joint, officer: User
) -> None:
    tied = identity.user(session, Role.OFFICER)
    session.add(Membership(user_id=tied.id, organisation_id=joint.organisations[1].id, role=OrgRole.VIEWER))
    session.flush()
    row = write(session, joint)
    assert row.organisation_id == joint.organisations[0].id
    thread = messages.thread_of(session, joint.id)
    assert thread is not None
    first = thread.waiting_since
    assert first is not None
    write(session, joint, "And then?", place=1)
    assert thread.waiting_since == first
    assert told(session) == {"staff": {officer.id}}
    answer = reply(session, joint, officer)
    assert answer.organisation_id is None
    assert thread.waiting_since is None
    assert told(session)["applications"] == {*(person.id for person in joint.owners), tied.id}
    letter = session.scalars(select(Letter).where(Letter.user_id == joint.owners[0].id, Letter.kind == "message")).one()
    assert "On Monday." in letter.text
    session.commit()
    tags = session.scalars(select(AuditEvent.tag).where(AuditEvent.tag.startswith("applications:message:"))).all()
    assert len(tags) == 3


def test_what_is_wrong_is_said_and_nothing_is_kept(session: Session, joint: Joint) -> None:
    for typed in ("  \x00 ", "x" * (messages.MAX_TEXT + 1)):
        with pytest.raises(Problems):
            write(session, joint, typed)
    with pytest.raises(Problems):
        write(session, joint, attached=Attached("a.exe", io.BytesIO(b"MZ\x00\x01")))
    session.rollback()
    assert messages.messages_of(session, joint.id) == []


def test_a_closed_thread_is_opened_again_by_an_officer_only(session: Session, joint: Joint, officer: User) -> None:
    actor = identity.actor(session, officer)
    with pytest.raises(NotFound):
        messages.close(session, actor, application_id=joint.id)
    write(session, joint)
    messages.close(session, actor, application_id=joint.id)
    with pytest.raises(Conflict):
        messages.close(session, actor, application_id=joint.id)
    with pytest.raises(Conflict):
        write(session, joint)
    reply(session, joint, officer)
    write(session, joint, "Thank you.")
    assert len(messages.messages_of(session, joint.id)) == 3


def test_drafts_have_no_messages(session: Session) -> None:
    draft = projects.draft(session)
    with pytest.raises(Conflict):
        write(session, draft)
    officer = identity.user(session, Role.OFFICER)
    with pytest.raises(NotFound):
        reply(session, draft, officer)


def test_readers_of_an_organisation_read_and_others_of_the_fund_do_not_answer(session: Session, joint: Joint) -> None:
    viewer = identity.actor(session, identity.member(session, joint.organisations[0], OrgRole.VIEWER))
    with pytest.raises(Refused):
        messages.send(session, viewer, application_id=joint.id, text="hello")
    for role, expected in ((Role.AUDITOR, Refused), (Role.REVIEWER, Refused), (Role.CHAIR, Refused)):
        with pytest.raises(expected):
            reply(session, joint, identity.user(session, role))
    with pytest.raises(NotFound):
        reply(session, joint, identity.user(session))
    tied = identity.user(session, Role.OFFICER)
    session.add(Membership(user_id=tied.id, organisation_id=joint.organisations[1].id, role=OrgRole.VIEWER))
    session.flush()
    with pytest.raises(Refused):
        reply(session, joint, tied)


def test_what_was_sent_stays(session: Session, joint: Joint) -> None:
    row = write(session, joint)
    for statement in ("update application_message set text = 'x'", "delete from application_message"):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement))
    assert row.text == "When is the check?"


def test_pages_of_both_sides(session: Session, joint: Joint, officer: User, sign_in: SignIn) -> None:
    session.commit()
    url = f"/applications/{joint.id}/messages"
    client = sign_in(joint.owners[0])
    sent = client.post(
        url,
        data=form(text="<b>CANARY</b>", file=(io.BytesIO(projects.PDF), "plan.pdf")),
        content_type="multipart/form-data",
    )
    assert sent.status_code == 303
    page = client.get(url).text
    assert "&lt;b&gt;CANARY&lt;/b&gt;" in page
    staff = sign_in(officer)
    inbox = staff.get("/staff/messages/").text
    assert joint.application.number in inbox
    assert '<span class="jp-badge">1' in inbox
    assert "CANARY" in staff.get(f"/staff/messages/{joint.id}").text
    assert '<span class="jp-badge">1' not in staff.get("/staff/messages/").text
    row = messages.messages_of(session, joint.id)[0]
    assert staff.get(f"/staff/messages/{joint.id}/{row.id}/file").data == projects.PDF
    assert client.get(f"{url}/{row.id}/file").data == projects.PDF
    for other in (
        identity.user(session, Role.REVIEWER),
        identity.user(session, Role.COMMISSION),
        identity.user(session),
    ):
        session.commit()
        stranger = sign_in(other)
        for place in (url, f"{url}/{row.id}/file", f"/staff/messages/{joint.id}", "/staff/messages/"):
            answer = stranger.get(place)
            assert answer.status_code in (403, 404)
            assert "CANARY" not in answer.text
    assert client.post(url, data=form(text="")).status_code == 422
    assert staff.post(f"/staff/messages/{joint.id}", data=form(text="Yes")).status_code == 303
    assert "Answered" in staff.get("/staff/messages/?show=all").text
    assert joint.application.number not in staff.get("/staff/messages/").text
    assert staff.post(f"/staff/messages/{joint.id}/close", data=form()).status_code == 303
    assert client.post(url, data=form(text="late")).status_code == 409


@pytest.mark.parametrize("count", [1, 3])
def test_the_inbox_takes_the_same_queries_for_any_number(
    session: Session, officer: User, sign_in: SignIn, count_queries: Callable[[], Any], count: int
) -> None:
    tender = None
    for _ in range(count):
        joint = projects.submitted(session, tender=tender)[0]
        tender = joint.tender
        write(session, joint)
    session.commit()
    client = sign_in(officer)
    client.get("/staff/messages/")
    with count_queries() as statements:
        client.get("/staff/messages/")
    assert len(statements) == 2  # the session's own query, the threads
