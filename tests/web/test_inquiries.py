"""The pages of the reviewers' questions: the desk's and the officer's, and what neither tells of the other side."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.identity.models import Membership, Role, User
from portal.review.models import Inquiry
from tests.conftest import form
from tests.factories import identity, review

SignIn = Callable[[User], FlaskClient]
QUESTION = "CANARY of a reviewer: which plant makes the castings?"


def test_from_the_desk_to_the_participants_and_back(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any]
) -> None:
    application = review.admitted(session)
    rows = review.assigned(session, application)
    for row in rows:
        review.opened(session, row)
    people = [session.get_one(User, row.reviewer_id) for row in rows]
    owner = session.scalars(
        select(User).join(Membership).where(Membership.organisation_id == application.initiator_id)
    ).first()
    assert owner is not None
    officer = sign_in(identity.user(session, Role.OFFICER))
    session.commit()
    desks = [f"/reviews/{row.id}/questions?lang=en" for row in rows]
    asker, colleague = (sign_in(person) for person in people)
    empty = asker.post(desks[0], data=form(text=" "))
    assert (empty.status_code, "Write 1 to 2000 characters." in empty.text) == (422, True)
    assert asker.post(desks[0], data=form(text=QUESTION)).status_code == 303
    assert QUESTION in unescape(asker.get(desks[0]).text)
    assert "CANARY" not in colleague.get(desks[1]).text

    page = f"/staff/applications/{application.id}/inquiries?lang=en"
    officer.get(page)
    with count_queries() as statements:
        shown = unescape(officer.get(page).text)
    assert len(statements) <= 8
    assert QUESTION in shown
    row = session.scalars(select(Inquiry)).one()

    def settle(then: str, text: str) -> Any:
        session.expire_all()
        return officer.post(page, data=form(inquiry=row.id, version=row.version, then=then, text=text))

    kept = settle("pass_on", "x" * 2001)
    assert (kept.status_code, "x" * 2001 in kept.text) == (422, True)
    assert settle("pass_on", "Please name the foundry.").status_code == 303
    applicant = sign_in(owner).get(f"/applications/{application.id}/messages?lang=en").text
    assert "Please name the foundry." in applicant
    assert "CANARY" not in applicant
    assert not [person for person in people if person.full_name in applicant]
    assert settle("answer", "Our own foundry.").status_code == 303
    read = unescape(colleague.get(desks[1]).text)
    assert "Our own foundry." in read
    assert "Please name the foundry." in read
    assert "CANARY" not in read
    assert settle("nonsense", "x").status_code == 404


def test_who_opens_them(session: Session, sign_in: SignIn) -> None:
    application = review.admitted(session)
    row = review.assigned(session, application)[0]
    owner = session.scalars(
        select(User).join(Membership).where(Membership.organisation_id == application.initiator_id)
    ).first()
    assert owner is not None
    stranger = identity.user(session, Role.REVIEWER)
    auditor = identity.user(session, Role.AUDITOR)
    session.commit()
    page = f"/staff/applications/{application.id}/inquiries"
    for person in (owner, stranger):
        client = sign_in(person)
        assert client.get(page).status_code in (403, 404)
        assert client.get(f"/reviews/{row.id}/questions").status_code in (403, 404)
    assert sign_in(auditor).get(page).status_code == 200
    assert sign_in(auditor).post(page, data=form(inquiry=row.id, then="decline", text="x")).status_code in (403, 404)
    # Before the declaration there is nothing to ask about.
    reviewer = session.get_one(User, row.reviewer_id)
    assert sign_in(reviewer).get(f"/reviews/{row.id}/questions").status_code == 404
